package drift

import (
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Unreadable says why the list of a kind could not be read; empty if it was.
func (l Live) Unreadable(kind entra.ObjectKind) string {
	for _, u := range l.Unread {
		if u.Kind == kind {
			return "the tenant's list of kind " + string(kind) + " could not be read: " + u.Reason
		}
	}
	return ""
}

// unreadLists warns of every list that could not be read. What needs it is
// blocked where it is met.
func (p *planner) unreadLists() {
	for _, kind := range policy.Kinds {
		if why := p.live.Unreadable(kind); why != "" {
			p.warnings = append(p.warnings, why+"; what needs it is blocked")
		}
	}
}

// unseen is a recorded object that is no longer in the baseline, of a kind whose
// list could not be read: nothing is concluded.
func (p *planner) unseen(e *entry, why string) {
	e.Status = Blocked
	e.note("no longer in the baseline; %s", why)
	p.problems = append(p.problems, string(e.Kind)+" "+e.Key+": "+why)
}

// builtInStrengths are in every tenant.
var builtInStrengths = []string{"00000000-0000-0000-0000-000000000002", "00000000-0000-0000-0000-000000000003", "00000000-0000-0000-0000-000000000004"}

// alwaysThere reports whether every tenant has an object of an id.
func alwaysThere(kind entra.ObjectKind, id string) bool {
	return kind == entra.KindLocation && policy.IsFixedLocation(id) || kind == entra.KindStrength && slices.Contains(builtInStrengths, id)
}
