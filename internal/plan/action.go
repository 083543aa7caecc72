// Package plan turns what was read and decided into an ordered list of
// actions with their reasons, and says whether the limits allow them. A plan
// is data: it is stored before anything is written, and can be shown, compared
// and carried out later.
//
// It is pure: no I/O, no clock, no SDK. The same input gives the same plan,
// byte for byte.
package plan

import (
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Status is what keeps a planned action from being carried out, or nothing.
type Status string

// The states of an action within a plan.
const (
	Ready      Status = "ready"
	NotEnabled Status = "notEnabled" // enforcement does not allow it; reported only
	Refused    Status = "refused"    // beyond the limits: the whole kind is refused
	Blocked    Status = "blocked"    // cannot be done safely; the reason says why
	// AlreadyDone is an order for what the tenant shows already: nothing is
	// sent, and nothing counts.
	AlreadyDone Status = "alreadyDone"
)

// Plan is what one run would do.
type Plan struct {
	SchemaVersion int       `json:"schemaVersion"`
	Run           string    `json:"run"`
	Tenant        string    `json:"tenant"`
	TenantID      string    `json:"tenantId"`
	CreatedAt     time.Time `json:"createdAt"`
	Actions       []Action  `json:"actions"`
	// Violations are the limits that the plan goes beyond.
	Violations []Violation `json:"violations"`
	// Foreseen are the limits and expectations that the plan would go against
	// besides if what is not enabled were; they refuse nothing.
	Foreseen []Violation `json:"foreseen,omitempty"`
	Cost     Cost        `json:"cost"`
	// Effects are what all changes together mean to people, blocked ones aside.
	// None says that nobody is asked for more or for less; absent, that nothing
	// changes or that it is not known.
	Effects []Effect `json:"effects,omitzero"`
}

// SchemaVersion is the version of plan.json.
const SchemaVersion = 1

// Cost is what carrying out the ready actions takes.
type Cost struct {
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"` // at the allowed rate; 0 when unpaced
}

// Action is one change to the tenant.
type Action struct {
	ID      string  `json:"id"` // unique within the plan
	Kind    Kind    `json:"kind"`
	Status  Status  `json:"status"`
	Subject Subject `json:"subject"`
	// Rule is the allowlist entry or escalation, or the baseline key, that
	// asks for the action.
	Rule    string   `json:"rule,omitempty"`
	Reasons []string `json:"reasons"`
	// Risk is what the run saw of the user; the fence compares it with the
	// live user before the write.
	Risk *Risk `json:"risk,omitempty"`
	// Account is what the run saw of the user's account, for an action on it.
	Account *entra.Account `json:"account,omitempty"`
	// Close are the sign-ins that an action on single detections closes.
	Close []SignIn `json:"close,omitempty"`
	// Change is the policy, location or strength change.
	Change *Change `json:"change,omitempty"`
	// ChangedBy says who made the object differ from the baseline.
	ChangedBy *audit.ChangedBy `json:"changedBy,omitempty"`
	// Promotion is the evidence on which a policy is enabled, or what it still
	// waits for.
	Promotion *Promotion `json:"promotion,omitempty"`
}

// Subject is what an action is about.
type Subject struct {
	ID   entra.ID `json:"id,omitempty"` // object id; empty for something not yet created
	Key  string   `json:"key,omitempty"`
	Name string   `json:"name,omitempty"` // UPN or displayName
}

// Risk is the evidence of one user at the time of the plan.
type Risk struct {
	RiskLevel               entra.RiskLevel `json:"riskLevel"`
	RiskState               entra.RiskState `json:"riskState"`
	RiskLastUpdatedDateTime entra.DateTime  `json:"riskLastUpdatedDateTime"`
	// Detections are the user's open detections, sorted by id.
	Detections []SeenDetection `json:"detections"`
}

// SignIn is a sign-in that is closed by itself, with all of its detections.
type SignIn struct {
	RequestID  string   `json:"requestId"`
	Detections []string `json:"detections"`
}

// Closes are the detections that an action closes by themselves.
func (a Action) Closes() (ids []string) {
	for _, s := range a.Close {
		ids = append(ids, s.Detections...)
	}
	return ids
}

// size is how many of a batch's places an action takes.
func (a Action) size() int { return max(1, len(a.Close)) }

// Batch is how many of the first actions of a kind go into one request.
func Batch(kind Kind, actions []Action) (n int) {
	for all := 0; n < len(actions); n++ {
		if all += actions[n].size(); n > 0 && all > kind.Batch() {
			break
		}
	}
	return n
}

// SeenDetection is an open detection as the plan saw it.
type SeenDetection struct {
	ID                  string          `json:"id"`
	RiskEventType       string          `json:"riskEventType"`
	RiskLevel           entra.RiskLevel `json:"riskLevel"`
	RiskState           entra.RiskState `json:"riskState"`
	LastUpdatedDateTime entra.DateTime  `json:"lastUpdatedDateTime"`
	// RequestID is the sign-in that it is about, if it is about one.
	RequestID string `json:"requestId,omitempty"`
}

// Change is one write to a policy, named location or authentication strength.
type Change struct {
	Kind entra.ObjectKind `json:"kind"`
	Key  string           `json:"key"`
	// Before is the whole live object as it was before the write; nil for a
	// create.
	Before entra.Document `json:"before,omitempty"`
	// BeforeHash is the hash of Before's canonical form: the live object must
	// still have it when the write goes out.
	BeforeHash string `json:"beforeHash,omitempty"`
	// Body is what is sent: the whole object for a create, the blocks that
	// differ for an update, nothing for a delete. References to objects that
	// this same plan creates stand as "{{kind:key}}" and are filled in with
	// the new id when it is known.
	Body entra.Document `json:"body,omitempty"`
	// After is the canonical form of the object that the write must leave.
	After entra.Document `json:"after,omitempty"`
	// Differences name each member that changes, in words.
	Differences []policy.Difference `json:"differences,omitempty"`
	// Needs are the keys of changes (kind:key) that must have succeeded first.
	Needs []string `json:"needs,omitempty"`
	// Exclusions are whom an exception puts out of the policy, or no longer
	// keeps out of it. What is sent is the policy as it then stands, with them
	// among its excluded users or without them.
	Exclusions []Exclusion `json:"exclusions,omitempty"`
	// Due says that their time has come.
	Due bool `json:"due,omitempty"`
	// Excepted are the users whom exceptions keep out of the policy: they are
	// no part of what is remembered of it as the baseline's.
	Excepted []entra.ID `json:"excepted,omitempty"`
	// Effects are what the change means to people by itself, all others aside.
	// None says that it means nothing to anybody; absent, that it is not known.
	Effects []Effect `json:"effects,omitzero"`
	// Through names the policies that are not changed themselves and come to
	// mean something else, because they name the location or strength.
	Through []string `json:"through,omitempty"`
}

// Ref is how changes name each other: kind:key.
func Ref(kind entra.ObjectKind, key string) string { return string(kind) + ":" + key }

// Ref is how other changes name the object.
func (c *Change) Ref() string { return Ref(c.Kind, c.Key) }

// PlannedID stands for the id of what the change creates, until it is known. Documents
// of the same plan refer to the object in this form.
func (c *Change) PlannedID() entra.ID { return entra.NewID("{{" + c.Ref() + "}}") }

// Effect is what changes for people.
type Effect struct {
	Change    string   `json:"change"` // such as "demands mfa" or "no longer blocks"
	Users     int      `json:"users"`
	Examples  []string `json:"examples"`
	Situation string   `json:"situation"` // the widest in which it holds
	// Also are the widest of each further policy that changes the same.
	Also   []string `json:"also,omitempty"`
	AtRisk int      `json:"atRisk"` // of the users, those whose risk is open now
}

// Violation is a limit that the plan goes beyond.
type Violation struct {
	Kind  Kind   `json:"kind"`
	Limit string `json:"limit"` // the configuration key: limits.maxDismissals
	// Allowed and Wanted are actions over the trailing 24 hours; Done is how
	// many of Wanted were already carried out.
	Allowed float64 `json:"allowed"`
	Done    int     `json:"done"`
	Wanted  float64 `json:"wanted"`
	Text    string  `json:"text"`
}
