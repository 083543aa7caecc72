// Package expectation reads what an organisation expects of its Conditional
// Access policies and judges it: "a leaked password leads to a new password".
// It is pure.
package expectation

import (
	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// Expectation is one sign-in and what shall become of it.
type Expectation struct {
	Name         string
	File         string
	Line, Column int

	Subject Subject
	App     string // a name, an application id, or All for any that no policy names
	Action  string
	Context string
	When    access.SignIn // conditions alone
	// WithReportOnly judges as if all report-only policies were enabled.
	WithReportOnly bool

	Outcome     access.Result // empty: not asked
	Demands     []access.Demand
	Policies    []string // keys or display names that must apply
	NotPolicies []string // and those that must not
}

// Kind is whom an expectation is about.
type Kind string

// The kinds of subjects, by the member that names them.
const (
	OneUser          Kind = "user"
	GroupMembers     Kind = "group"
	RoleHolders      Kind = "role"
	Guests           Kind = "guests"
	Everyone         Kind = "everyone" // break-glass accounts aside
	ServicePrincipal Kind = "servicePrincipal"
)

// Subject is whom an expectation is about.
type Subject struct {
	Kind Kind
	Name string // of a user, group, role or service principal
}

// Ref is the name to resolve, false if there is none.
func (s Subject) Ref() (entra.Ref, bool) {
	kinds := map[Kind]entra.ObjectKind{OneUser: entra.KindUser, GroupMembers: entra.KindGroup, RoleHolders: entra.KindRole, ServicePrincipal: entra.KindServicePrincipal}
	kind, ok := kinds[s.Kind]
	return entra.Ref{Kind: kind, Name: s.Name}, ok
}

// Refs are the names that judging needs resolved, each once.
func Refs(list []Expectation) []entra.Ref {
	var out []entra.Ref
	seen := map[entra.Ref]bool{}
	add := func(r entra.Ref) {
		if !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	for _, e := range list {
		if r, ok := e.Subject.Ref(); ok {
			add(r)
		}
		if e.App != "" && e.App != "All" {
			add(entra.Ref{Kind: entra.KindApplication, Name: e.App})
		}
	}
	return out
}
