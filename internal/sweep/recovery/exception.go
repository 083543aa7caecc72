package recovery

import (
	"slices"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// Excluding is the state with the exclusions by exceptions that a run has seen.
func Excluding(s ledger.State, seen []plan.Exclusion) ledger.State {
	s = clone(s)
	s.Exclusions = slices.Clone(seen)
	return s
}

// RememberException enters what became of the beginning or the end of an
// exception. One that may have begun is remembered: that nobody was put out
// shows in the tenant, and who was must be taken back.
func RememberException(s *ledger.State, a plan.Action, o plan.Outcome) {
	if a.Change == nil || len(a.Change.Exclusions) == 0 {
		return
	}
	begins := a.Kind == plan.BeginException && o.Status.Sent()
	if !begins && (a.Kind != plan.EndException || !o.Status.Effective()) {
		return
	}
	for _, x := range a.Change.Exclusions {
		if x.PolicyID == "" {
			x.PolicyID = s.Owned[a.Change.Kind][a.Change.Key].ID
		}
		s.Exclusions = slices.DeleteFunc(s.Exclusions, x.Same)
		if begins {
			s.Exclusions = append(s.Exclusions, x)
		}
	}
}
