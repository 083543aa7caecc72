package plan

import (
	"cmp"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Exclusion is a user whom an exception keeps out of a policy until a time.
type Exclusion struct {
	// Key and PolicyID are of the policy.
	Key      string   `json:"key"`
	PolicyID entra.ID `json:"policyId,omitempty"`
	UserID   entra.ID `json:"userId"`
	Name     string   `json:"userPrincipalName,omitempty"`
	// Exception is the id of the entry.
	Exception string `json:"exception"`
	// Since is when it was first planned, Until when it ends.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Told says that it was told of that it ends soon.
	Told bool `json:"told,omitempty"`
}

// Who names the user.
func (e Exclusion) Who() string { return cmp.Or(e.Name, string(e.UserID)) }

// Same reports whether two exclusions are of the same user and policy.
func (e Exclusion) Same(o Exclusion) bool { return e.Key == o.Key && e.UserID == o.UserID }

// Weight is how much of its limit an action takes: an exception that begins, or
// ends early, counts once for each user. One whose time has come takes nothing:
// its end was ordered when it began.
func (a Action) Weight() int {
	switch {
	case a.Change == nil || len(a.Change.Exclusions) == 0:
		return 1
	case a.Change.Due:
		return 0
	}
	return len(a.Change.Exclusions)
}

// Excluded are the ids of the users whom an action puts out of a policy, or
// takes back.
func (a Action) Excluded() []string {
	ids := make([]string, 0, len(a.Change.Exclusions))
	for _, e := range a.Change.Exclusions {
		ids = append(ids, string(e.UserID))
	}
	return ids
}

// Excepted is a policy, in canonical form, after an exception has begun or
// ended.
func (a Action) Excepted(before policy.Canonical) policy.Canonical {
	if a.Kind == EndException {
		return before.WithoutExcluded(a.Excluded())
	}
	return before.WithExcluded(a.Excluded())
}

// ExemptStatus says how an exclusion by an exception stands.
type ExemptStatus string

// How exclusions stand.
const (
	InForce   ExemptStatus = "inForce"   // the user is out of the policy
	ToBegin   ExemptStatus = "toBegin"   // the user is to be put out of it
	ToEnd     ExemptStatus = "toEnd"     // its time has come, or its entry is gone
	Ended     ExemptStatus = "ended"     // this run has taken the user back
	NotPut    ExemptStatus = "blocked"   // the user is not put out of it; Why says why
	Redundant ExemptStatus = "redundant" // the baseline excludes the user anyway
)

// Exempt is one user whom an exception keeps out of a policy, or is to.
type Exempt struct {
	Exclusion
	Policy string       `json:"policy,omitempty"` // displayName
	Status ExemptStatus `json:"status"`
	// Overdue says that the end has passed and the user is still out.
	Overdue bool `json:"overdue,omitempty"`
	// EndedLate says that it was so when the run began, which has taken the user
	// back.
	EndedLate bool   `json:"endedLate,omitempty"`
	Why       string `json:"why,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Owner     string `json:"owner,omitempty"`
	Ticket    string `json:"ticket,omitempty"`
}

// Ending reports whether an exclusion ends soon.
func (x Exempt) Ending(now time.Time) bool {
	return x.Status == InForce && x.Until.Sub(now) <= Soon
}

// Words say for a person how an exclusion stands.
func (x Exempt) Words() string {
	words := map[ExemptStatus]string{InForce: "out of the policy", ToBegin: "to be put out", ToEnd: "to be taken back", Ended: "taken back", NotPut: "not put out", Redundant: "excluded by the baseline"}[x.Status]
	if x.Overdue {
		words = "overdue, to be taken back"
	}
	if x.Why != "" {
		words += ": " + x.Why
	}
	return words
}

// Soon is how long before its end an exception is told of.
const Soon = 3 * 24 * time.Hour

// MostUnexplained is how many members of one group are named.
const MostUnexplained = 50

// Unexplained are the members of a group that a policy excludes whom no
// exception explains.
type Unexplained struct {
	Key     string   `json:"key"`
	Policy  string   `json:"policy"` // displayName
	GroupID entra.ID `json:"groupId"`
	Group   string   `json:"group"`
	// Total is how many there are, Members the first of them.
	Total   int       `json:"total"`
	Members []Subject `json:"members"`
	// Unread says that the members could not be read.
	Unread bool `json:"unread,omitempty"`
}
