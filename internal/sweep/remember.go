package sweep

import (
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// keepDismissals is how long dismissals are remembered: a user dismissed three
// times in 30 days goes to a person.
const keepDismissals = 31 * 24 * time.Hour

// rememberUser enters what became of an action on a user into the state.
func (r *run) rememberUser(a plan.Action, o plan.Outcome, run string) {
	if o.Status == plan.SettledNotTaken { // it never came about: no reason not to try again
		r.forgetUser(o, run)
	}
	if !o.Kind.OnUser() || a.Risk == nil || !reached(o.Status) {
		return
	}
	var ids []string
	for _, d := range a.Risk.Detections {
		ids = append(ids, d.ID)
	}
	switch o.Kind {
	case plan.Dismiss, plan.ConfirmSafe:
		d := ledger.Dismissal{UserID: o.Subject.ID, At: o.At, Run: run, RiskLastUpdatedDateTime: a.Risk.RiskLastUpdatedDateTime,
			Detections: ids, Outcome: string(o.Status)}
		r.state.Dismissals = slices.DeleteFunc(r.state.Dismissals, func(old ledger.Dismissal) bool {
			return old.UserID == d.UserID && old.Run == d.Run
		})
		r.state.Dismissals = append(r.state.Dismissals, d)
	case plan.ConfirmCompromised:
		c := ledger.Confirmation{UserID: o.Subject.ID, At: o.At, Run: run, RiskLastUpdatedDateTime: a.Risk.RiskLastUpdatedDateTime,
			Detections: ids, Outcome: string(o.Status)}
		r.state.Confirmations = slices.DeleteFunc(r.state.Confirmations, func(old ledger.Confirmation) bool {
			return old.UserID == c.UserID && old.Run == c.Run
		})
		r.state.Confirmations = append(r.state.Confirmations, c)
	}
}

// forgetUser takes an order of a run on a user out of the state.
func (r *run) forgetUser(o plan.Outcome, run string) {
	r.state.Dismissals = slices.DeleteFunc(r.state.Dismissals, func(d ledger.Dismissal) bool {
		return d.UserID == o.Subject.ID && d.Run == run
	})
	r.state.Confirmations = slices.DeleteFunc(r.state.Confirmations, func(c ledger.Confirmation) bool {
		return c.UserID == o.Subject.ID && c.Run == run
	})
}

// reached reports whether an order with this outcome has, or may have, reached
// the user.
func reached(s plan.OutcomeStatus) bool {
	switch s {
	case plan.Done, plan.Processing, plan.NotTaken, plan.OverDismissed, plan.Unknown, plan.SettledTaken, plan.SettledPending:
		return true
	}
	return false
}

// forgetOld drops what is too old to matter.
func (r *run) forgetOld() {
	edge := r.Now().Add(-keepDismissals)
	r.state.Dismissals = slices.DeleteFunc(r.state.Dismissals, func(d ledger.Dismissal) bool { return d.At.Before(edge) })
	r.state.Confirmations = slices.DeleteFunc(r.state.Confirmations, func(c ledger.Confirmation) bool { return c.At.Before(edge) })
	r.state.SettledActions = slices.DeleteFunc(r.state.SettledActions, func(s string) bool {
		return !slices.ContainsFunc(r.state.OpenRuns, func(run string) bool { return len(s) > len(run) && s[:len(run)+1] == run+"/" })
	})
}

// past is a dismissal as triage wants to know it.
func past(d ledger.Dismissal) triage.Past {
	status := plan.OutcomeStatus(d.Outcome)
	return triage.Past{At: d.At, RiskLastUpdated: d.RiskLastUpdatedDateTime, Detections: d.Detections,
		Pending:   status == plan.Unknown || status == plan.SettledPending || status == plan.Processing,
		Effective: status == plan.Done || status == plan.OverDismissed || status == plan.SettledTaken}
}

func pastConfirmation(c ledger.Confirmation) triage.Past {
	return past(ledger.Dismissal{UserID: c.UserID, At: c.At, RiskLastUpdatedDateTime: c.RiskLastUpdatedDateTime,
		Detections: c.Detections, Outcome: c.Outcome})
}

// owned is the record of owned objects as the baseline wants it.
func owned(s ledger.State) drift.OwnedObjects {
	out := drift.OwnedObjects{}
	for kind, byKey := range s.Owned {
		out[kind] = map[string]drift.Owned{}
		for key, o := range byKey {
			out[kind][key] = drift.Owned{ID: string(o.ID), Hash: o.Hash, Wanted: o.Wanted, DisplayName: o.DisplayName, Run: o.Run}
		}
	}
	return out
}

// Owned is the record of owned objects as the baseline wants it.
func Owned(s ledger.State) drift.OwnedObjects { return owned(s) }

// Own enters a record of owned objects into a state.
func Own(s *ledger.State, objects drift.OwnedObjects) {
	s.Owned = nil
	for kind, byKey := range objects {
		for key, o := range byKey {
			if s.Owned == nil {
				s.Owned = map[entra.ObjectKind]map[string]ledger.Owned{}
			}
			if s.Owned[kind] == nil {
				s.Owned[kind] = map[string]ledger.Owned{}
			}
			s.Owned[kind][key] = ledger.Owned{ID: entra.NewID(o.ID), Hash: o.Hash, Wanted: o.Wanted, DisplayName: o.DisplayName, Run: o.Run}
		}
	}
}
