package plan

import (
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
)

// Kind says what an action does.
type Kind string

// The kinds of action. What is to be known of one stands in its row of kinds;
// how it is sent, and how its effect shows, in internal/apply.
const (
	Dismiss            Kind = "dismiss"
	ConfirmCompromised Kind = "confirmCompromised"
	ConfirmSafe        Kind = "confirmSafe"       // one-off orders only, never planned by a rule
	DismissDetections  Kind = "dismissDetections" // of single sign-ins
	SafeDetections     Kind = "confirmSafeDetections"
	RevokeSessions     Kind = "revokeSessions"
	DisableAccount     Kind = "disableAccount"
	EnableAccount      Kind = "enableAccount" // one-off orders only
	// The same of a workload identity.
	DismissServicePrincipal            Kind = "dismissServicePrincipal"
	ConfirmServicePrincipalCompromised Kind = "confirmServicePrincipalCompromised"

	CreateLocation  Kind = "createLocation"
	CreateStrength  Kind = "createStrength"
	CreatePolicy    Kind = "createPolicy"
	UpdateLocation  Kind = "updateLocation"
	UpdateStrength  Kind = "updateStrength"
	UpdatePolicy    Kind = "updatePolicy"
	PromotePolicy   Kind = "promotePolicy" // report-only becomes enabled, on evidence
	DeleteLocation  Kind = "deleteLocation"
	DeleteStrength  Kind = "deleteStrength"
	DeletePolicy    Kind = "deletePolicy"
	BeginException  Kind = "beginException"  // puts users among the excluded ones of a policy
	EndException    Kind = "endException"    // takes them out again
	RestoreLocation Kind = "restoreLocation" // out of the deleted items, under its id
	RestorePolicy   Kind = "restorePolicy"
)

// Enforcement is what apply may do; everything else is planned and reported
// as not enabled.
type Enforcement struct {
	Dismiss            bool `json:"dismiss"`
	ConfirmCompromised bool `json:"confirmCompromised"`
	// DismissDetections allows feedback on single sign-ins.
	DismissDetections bool `json:"dismissDetections"`
	// RevokeSessions and DisableAccount allow what an escalation wants done with
	// the account of a user whom it confirms compromised.
	RevokeSessions bool `json:"revokeSessions"`
	DisableAccount bool `json:"disableAccount"`
	// ServicePrincipals allows risk of workload identities to be dismissed and
	// confirmed.
	ServicePrincipals bool `json:"servicePrincipals"`
	// Policies allows writes to policies, named locations and authentication
	// strengths. What such a write needs besides (allowEnabledPolicies,
	// allowWeakening, prune) the baseline has judged already.
	Policies bool `json:"policies"`
	// Exceptions allows exceptions to begin and to end.
	Exceptions bool `json:"exceptions"`
	// Promote allows policies to be enabled on the evidence that the baseline
	// asks for; it needs Policies as well.
	Promote bool `json:"promote"`
}

// Limits are numbers of actions over the trailing 24 hours of a tenant; zero
// means none at all.
type Limits struct {
	MaxDismissals         int `json:"maxDismissals"`
	MaxConfirmCompromised int `json:"maxConfirmCompromised"`
	// MaxDetectionDismissals counts detections, and not users.
	MaxDetectionDismissals int `json:"maxDetectionDismissals"`
	MaxRevocations         int `json:"maxRevocations"`
	MaxDisables            int `json:"maxDisables"`
	// MaxServicePrincipals counts the service principals that are acted on.
	MaxServicePrincipals int     `json:"maxServicePrincipals"`
	MaxShareOfRiskyUsers float64 `json:"maxShareOfRiskyUsers"`
	MaxPolicyCreates     int     `json:"maxPolicyCreates"`
	MaxPolicyUpdates     int     `json:"maxPolicyUpdates"`
	MaxPolicyDeletes     int     `json:"maxPolicyDeletes"`
	MaxExceptions        int     `json:"maxExceptions"`
	MaxPromotions        int     `json:"maxPromotions"`
}

// kindLimits are the limits on numbers of actions, each named by the first of
// the kinds that share it. Those on users also share maxShareOfRiskyUsers.
var kindLimits = []struct {
	kind Kind
	key  string
	max  func(Limits) int
}{
	{Dismiss, "limits.maxDismissals", func(l Limits) int { return l.MaxDismissals }},
	{ConfirmCompromised, "limits.maxConfirmCompromised", func(l Limits) int { return l.MaxConfirmCompromised }},
	{DismissDetections, "limits.maxDetectionDismissals", func(l Limits) int { return l.MaxDetectionDismissals }},
	{RevokeSessions, "limits.maxRevocations", func(l Limits) int { return l.MaxRevocations }},
	{DisableAccount, "limits.maxDisables", func(l Limits) int { return l.MaxDisables }},
	{DismissServicePrincipal, "limits.maxServicePrincipals", func(l Limits) int { return l.MaxServicePrincipals }},
	{CreatePolicy, "limits.maxPolicyCreates", func(l Limits) int { return l.MaxPolicyCreates }},
	{UpdatePolicy, "limits.maxPolicyUpdates", func(l Limits) int { return l.MaxPolicyUpdates }},
	{DeletePolicy, "limits.maxPolicyDeletes", func(l Limits) int { return l.MaxPolicyDeletes }},
	{BeginException, "limits.maxExceptions", func(l Limits) int { return l.MaxExceptions }},
	{EndException, "limits.maxExceptions", func(l Limits) int { return l.MaxExceptions }},
	{PromotePolicy, "limits.maxPromotions", func(l Limits) int { return l.MaxPromotions }},
}

// BatchSize is how many users one risk action may name (riskyUser: dismiss),
// and how many one query does.
const BatchSize = 60

// PrincipalBatch is how many service principals one action, and one query, may
// name: fewer than the service takes, for a query joins them by "or".
const PrincipalBatch = 20

// kindRow is all that other packages ask about one kind of action.
type kindRow struct {
	kind  Kind
	words Words
	// batch is how many users one request may name; zero for an action on an
	// object. turn is the place among the actions on users at which it is
	// carried out: who may be compromised comes first.
	batch, turn int
	// verdict is triage's word for it, empty for an action that triage never
	// asks for.
	verdict string
	// account says that it acts on the user's account and not on the user's risk:
	// it clears none, and is counted in no share of the users at risk.
	account bool
	// principal says that it is on the risk of a service principal and not of a
	// user. What is said of users holds of it as well: batch, turn, verdict, record.
	principal bool
	// record is where the state remembers it, for the next runs to judge by.
	record Record
	// object and verb say what is written where it is no user.
	object entra.ObjectKind
	verb   Verb
	// key is the switch that lets a rule have it, allowed its value; without
	// one no rule may.
	key     string
	allowed func(Enforcement) bool
	besides Kind // whose switch it needs as well
	limit   Kind // whose limit counts it; what undoes has none
	// part of a deployment that grants what it needs (internal/doctor).
	part string
}

// Record says how an action on a user is remembered.
type Record int

// The records of actions on users.
const (
	NoRecord     Record = iota
	Dismissal           // it closed the user's risk
	Confirmation        // it raised the user's risk
	Closing             // it closed single detections
	Containment         // it shut the user's account, in part or whole
)

// Verb says what an action on an object does to it.
type Verb string

// The verbs.
const (
	Create Verb = "create"
	Update Verb = "update"
	Delete Verb = "delete"
	// Begin and End change who is excluded from a policy, and nothing else of it.
	Begin Verb = "begin"
	End   Verb = "end"
	// Restore takes an object out of the deleted items, under the id it had.
	Restore Verb = "restore"
)

// Words say for a person what an action does.
type Words struct {
	// Name is what the command line calls it, Title what a page does.
	Name, Title string
	// Verb, Past and Noun, and what follows the noun, make sentences: "confirm
	// 2 users compromised", "created 3 policies".
	Verb, Past, Noun, End string
	// Order says what it does to users who are named in an order by hand.
	Order string
}

// kinds has one row for each kind of action, in the order in which a person is
// told of them.
var kinds = []kindRow{
	{kind: Dismiss, verdict: "dismiss", batch: BatchSize, turn: 4, record: Dismissal, limit: Dismiss, part: "dismiss",
		key: "enforcement.dismiss", allowed: func(e Enforcement) bool { return e.Dismiss },
		words: Words{"dismiss", "dismiss risk", "dismiss", "dismissed", "user", "", "Dismiss all risk of the users named"}},
	{kind: ConfirmCompromised, verdict: "confirmCompromised", batch: BatchSize, turn: 1, record: Confirmation, limit: ConfirmCompromised, part: "dismiss",
		key: "enforcement.confirmCompromised", allowed: func(e Enforcement) bool { return e.ConfirmCompromised },
		words: Words{"confirm compromised", "confirm compromised", "confirm", "confirmed", "user", " compromised", "Confirm the users named as compromised: their risk becomes high"}},
	{kind: ConfirmSafe, verdict: "confirmSafe", batch: BatchSize, turn: 5, record: Dismissal, limit: Dismiss, part: "dismiss", // both clear a user's risk
		key:   "confirmSafe by rule",
		words: Words{"confirm safe", "confirm safe", "confirm", "confirmed", "user", " safe", "Confirm the users named as safe"}},
	{kind: DismissDetections, verdict: "dismissDetections", batch: BatchSize, turn: 6, record: Closing, limit: DismissDetections, part: "dismissDetections",
		key: "enforcement.dismissDetections", allowed: func(e Enforcement) bool { return e.DismissDetections },
		words: Words{Name: "dismiss detections", Title: "dismiss single detections", Verb: "dismiss detections of", Past: "dismissed detections of", Noun: "user"}},
	{kind: SafeDetections, verdict: "confirmSafeDetections", batch: BatchSize, turn: 7, record: Closing, limit: DismissDetections, part: "dismissDetections",
		key: "enforcement.dismissDetections", allowed: func(e Enforcement) bool { return e.DismissDetections },
		words: Words{Name: "confirm detections safe", Title: "confirm single detections safe", Verb: "confirm detections safe of", Past: "confirmed detections safe of", Noun: "user"}},
	{kind: RevokeSessions, batch: 1, turn: 2, account: true, record: Containment, limit: RevokeSessions, part: "revokeSessions",
		key: "enforcement.revokeSessions", allowed: func(e Enforcement) bool { return e.RevokeSessions },
		words: Words{"revoke", "revoke sessions", "revoke the sessions of", "revoked the sessions of", "user", "", "Revoke all sign-in sessions of the users named"}},
	{kind: DisableAccount, batch: 1, turn: 3, account: true, record: Containment, limit: DisableAccount, part: "disableAccount",
		key: "enforcement.disableAccount", allowed: func(e Enforcement) bool { return e.DisableAccount },
		words: Words{"disable", "disable account", "disable the account of", "disabled the account of", "user", "", "Disable the accounts of the users named"}},
	{kind: EnableAccount, batch: 1, turn: 8, account: true, limit: EnableAccount, part: "disableAccount",
		key:   "enableAccount by rule",
		words: Words{"enable", "enable account", "enable the account of", "enabled the account of", "user", "", "Enable the accounts of the users named again"}},
	onPrincipal(kindRow{kind: DismissServicePrincipal, verdict: "dismiss", turn: 10, record: Dismissal,
		words: Words{"dismiss", "dismiss risk of service principal", "dismiss", "dismissed", "service principal", "", "Dismiss all risk of the service principals named"}}),
	onPrincipal(kindRow{kind: ConfirmServicePrincipalCompromised, verdict: "confirmCompromised", turn: 9, record: Confirmation,
		words: Words{"confirm compromised", "confirm service principal compromised", "confirm", "confirmed", "service principal", " compromised", "Confirm the service principals named as compromised: their risk becomes high"}}),
	onObject(CreateLocation, Create, entra.KindLocation, "location", CreatePolicy),
	onObject(CreateStrength, Create, entra.KindStrength, "strength", CreatePolicy),
	onObject(CreatePolicy, Create, entra.KindPolicy, "policy", CreatePolicy),
	onObject(UpdateLocation, Update, entra.KindLocation, "location", UpdatePolicy),
	onObject(UpdateStrength, Update, entra.KindStrength, "strength", UpdatePolicy),
	onObject(UpdatePolicy, Update, entra.KindPolicy, "policy", UpdatePolicy),
	{kind: PromotePolicy, object: entra.KindPolicy, verb: Update, limit: PromotePolicy, part: "policies",
		key: "enforcement.promote", allowed: func(e Enforcement) bool { return e.Promote }, besides: UpdatePolicy,
		words: Words{Name: "promote policy", Title: "promote policy", Verb: "enable", Past: "enabled", Noun: "policy"}},
	onObject(DeleteLocation, Delete, entra.KindLocation, "location", DeletePolicy),
	onObject(DeleteStrength, Delete, entra.KindStrength, "strength", DeletePolicy),
	onObject(DeletePolicy, Delete, entra.KindPolicy, "policy", DeletePolicy),
	ofException(BeginException, Begin, "began"),
	ofException(EndException, End, "ended"),
	onObject(RestoreLocation, Restore, entra.KindLocation, "location", CreatePolicy),
	onObject(RestorePolicy, Restore, entra.KindPolicy, "policy", CreatePolicy),
}

// onPrincipal fills in what the actions on service principals have in common.
func onPrincipal(row kindRow) kindRow {
	row.principal, row.batch, row.limit, row.part = true, PrincipalBatch, DismissServicePrincipal, "servicePrincipalRisk"
	row.key, row.allowed = "enforcement.servicePrincipals", func(e Enforcement) bool { return e.ServicePrincipals }
	return row
}

// ofException is the row of a change of who is excluded from a policy by an
// exception. Each direction has the limit for itself.
func ofException(kind Kind, verb Verb, past string) kindRow {
	v := string(verb)
	return kindRow{kind: kind, object: entra.KindPolicy, verb: verb, limit: kind, part: "policies",
		key: "enforcement.exceptions", allowed: func(e Enforcement) bool { return e.Exceptions },
		words: Words{Name: v + " exception", Title: v + " exception", Verb: v, Past: past, Noun: "exception"}}
}

// onObject is the row of a write to a policy or to what policies refer to.
func onObject(kind Kind, verb Verb, object entra.ObjectKind, noun string, limit Kind) kindRow {
	v := string(verb)
	return kindRow{kind: kind, object: object, verb: verb, limit: limit, part: "policies",
		key: "enforcement.policies", allowed: func(e Enforcement) bool { return e.Policies },
		words: Words{Name: v + " " + noun, Title: v + " " + noun, Verb: v, Past: v + "d", Noun: noun}}
}

// row is the row of a kind; of one that is not known, a row that allows
// nothing.
func (k Kind) row() kindRow {
	if i := k.Rank(); i >= 0 {
		return kinds[i]
	}
	return kindRow{kind: k, words: Words{Name: string(k), Title: string(k)}}
}

// Kinds are all kinds of action, in the order in which a person is told.
func Kinds() []Kind {
	out := make([]Kind, len(kinds))
	for i, row := range kinds {
		out[i] = row.kind
	}
	return out
}

// UserKinds are the kinds of action on users, in the order in which a person
// is told.
func UserKinds() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !k.OnUser() || k.OnPrincipal() })
}

// PrincipalKinds are those on service principals.
func PrincipalKinds() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !k.OnPrincipal() })
}

// OrderKinds are the kinds of action on users that a person may order. All of
// those on service principals may be ordered.
func OrderKinds() []Kind {
	return slices.DeleteFunc(UserKinds(), func(k Kind) bool { return k.Words().Order == "" })
}

// UserTurns are the kinds of action on users and service principals in the order
// in which they are carried out.
func UserTurns() []Kind {
	turns := append(UserKinds(), PrincipalKinds()...)
	slices.SortFunc(turns, func(a, b Kind) int { return a.row().turn - b.row().turn })
	return turns
}

// KindOf is the kind of action that does something to an object.
func KindOf(verb Verb, object entra.ObjectKind) Kind {
	for _, row := range kinds {
		if row.verb == verb && row.object == object {
			return row.kind
		}
	}
	return ""
}

// OnVerdict is the kind of action on a user that a verdict of triage asks for,
// empty if it asks for none.
func OnVerdict(verdict string) Kind {
	for _, row := range kinds {
		if row.verdict != "" && row.verdict == verdict && !row.principal {
			return row.kind
		}
	}
	return ""
}

// OnPrincipalVerdict is OnVerdict for a service principal.
func OnPrincipalVerdict(verdict string) Kind {
	for _, row := range kinds {
		if row.principal && row.verdict == verdict {
			return row.kind
		}
	}
	return ""
}

// Verdict is triage's word for an action on a user or a service principal.
func (k Kind) Verdict() string { return k.row().verdict }

// Rank is the place of a kind in the order in which a person is told, -1 for
// one that is not known.
func (k Kind) Rank() int {
	return slices.IndexFunc(kinds, func(row kindRow) bool { return row.kind == k })
}

// OnUser reports whether the action is on somebody and on no object of the
// baseline: on a user's risk or account, or on the risk of a service principal
// (OnPrincipal), which is carried out, journaled and settled in the same way.
func (k Kind) OnUser() bool { return k.row().batch > 0 }

// OnPrincipal reports whether the action is on the risk of a service principal.
func (k Kind) OnPrincipal() bool { return k.row().principal }

// onRisk reports whether the action is on a user's risk.
func (k Kind) onRisk() bool { return k.OnUser() && !k.OnAccount() && !k.OnPrincipal() }

// OnDetections reports whether the action closes single detections of a user.
func (k Kind) OnDetections() bool { return k.row().record == Closing }

// OnAccount reports whether the action is on a user's account.
func (k Kind) OnAccount() bool { return k.row().account }

// Batch is how many users one request may name.
func (k Kind) Batch() int { return k.row().batch }

// Record says how the state remembers an action on a user.
func (k Kind) Record() Record { return k.row().record }

// GuardsRoles reports whether an order of it takes a word of its own where it
// names somebody who holds a directory role.
func (k Kind) GuardsRoles() bool { return k.ClosesRisk() || k.OnAccount() }

// ClosesRisk reports whether the action closes the risk of a user.
func (k Kind) ClosesRisk() bool { return k.Record() == Dismissal }

// Verb is what an action does to an object, empty for one on a user.
func (k Kind) Verb() Verb { return k.row().verb }

// Words say for a person what the action does.
func (k Kind) Words() Words { return k.row().words }

// Part is the part of a deployment that grants what the action needs.
func (k Kind) Part() string { return k.row().part }

// Allows reports whether a rule may have an action of a kind carried out.
func (e Enforcement) Allows(k Kind) bool {
	return len(e.off(k)) == 0
}

// off are the switches that keep a rule from having an action of a kind carried
// out, all of them.
func (e Enforcement) off(k Kind) (keys []string) {
	row := k.row()
	if row.allowed == nil || !row.allowed(e) {
		keys = append(keys, row.key)
	}
	if row.besides != "" {
		keys = append(keys, e.off(row.besides)...)
	}
	return keys
}
