package recovery

import (
	"maps"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// keepDismissals is how long dismissals are remembered: a user dismissed three
// times in 30 days goes to a person.
const keepDismissals = 31 * 24 * time.Hour

// clone copies what the functions here change, so that a state that is handed
// on stays as it was.
func clone(s ledger.State) ledger.State {
	owned := map[entra.ObjectKind]map[string]ledger.Owned{}
	for kind, byKey := range s.Owned {
		owned[kind] = maps.Clone(byKey)
	}
	if s.Owned != nil {
		s.Owned = owned
	}
	s.Dismissals, s.Confirmations = slices.Clone(s.Dismissals), slices.Clone(s.Confirmations)
	s.OpenRuns, s.SettledActions, s.Writers = slices.Clone(s.OpenRuns), slices.Clone(s.SettledActions), slices.Clone(s.Writers)
	return s
}

// Begun is the state with a run marked as open and as a writer.
func Begun(s ledger.State, run string, now time.Time) ledger.State {
	s = clone(s)
	s.BeginsToWrite(run, now)
	return s
}

// Ended is the state with what a run has done. If an outcome is not known, or
// the journal could not be written, the run stays open.
func Ended(s ledger.State, run string, actions []plan.Action, result apply.Result, journaled bool) ledger.State {
	s = clone(s)
	for _, m := range result.Made {
		Own(&s, m, run)
	}
	byID := map[string]plan.Action{}
	for _, a := range actions {
		byID[a.ID] = a
	}
	open := false
	for _, o := range result.Outcomes {
		RememberUser(&s, byID[o.Action], o, run)
		open = open || o.Status == plan.Unknown
	}
	if open {
		for _, o := range result.Outcomes {
			if o.Status != plan.Unknown { // it stands in this state already
				s.SettledActions = append(s.SettledActions, run+"/"+o.Action)
			}
		}
	}
	if !open && journaled {
		s.OpenRuns = slices.DeleteFunc(s.OpenRuns, func(id string) bool { return id == run })
	}
	return s
}

// WithoutOld is the state without what is too old to matter.
func WithoutOld(s ledger.State, now time.Time) ledger.State {
	s = clone(s)
	edge := now.Add(-keepDismissals)
	s.Dismissals = slices.DeleteFunc(s.Dismissals, func(d ledger.Dismissal) bool { return d.At.Before(edge) })
	s.Confirmations = slices.DeleteFunc(s.Confirmations, func(c ledger.Confirmation) bool { return c.At.Before(edge) })
	s.SettledActions = slices.DeleteFunc(s.SettledActions, func(a string) bool {
		return !slices.ContainsFunc(s.OpenRuns, func(run string) bool { return len(a) > len(run) && a[:len(run)+1] == run+"/" })
	})
	return s
}

// Own enters into the state what a write made of an object.
func Own(s *ledger.State, m apply.Made, by string) {
	if m.Deleted {
		if s.Owned[m.Kind][m.Key].ID == entra.NewID(m.ID) {
			delete(s.Owned[m.Kind], m.Key)
		}
		return
	}
	if s.Owned == nil {
		s.Owned = map[entra.ObjectKind]map[string]ledger.Owned{}
	}
	if s.Owned[m.Kind] == nil {
		s.Owned[m.Kind] = map[string]ledger.Owned{}
	}
	s.Owned[m.Kind][m.Key] = ledger.Owned{ID: entra.NewID(m.ID), Hash: m.Hash, Wanted: m.Wanted, DisplayName: m.DisplayName, Run: by}
}

// RememberUser enters what became of an action on a user into the state.
func RememberUser(s *ledger.State, a plan.Action, o plan.Outcome, run string) {
	if o.Status == plan.SettledNotTaken { // it never came about: no reason not to try again
		forgetUser(s, o.Subject.ID, run)
	}
	if !o.Kind.OnUser() || a.Risk == nil || !o.Status.Sent() {
		return
	}
	var ids []string
	for _, d := range a.Risk.Detections {
		ids = append(ids, d.ID)
	}
	switch o.Kind.Record() {
	case plan.Dismissal:
		d := ledger.Dismissal{UserID: o.Subject.ID, At: o.At, Run: run, RiskLastUpdatedDateTime: a.Risk.RiskLastUpdatedDateTime,
			Detections: ids, Outcome: string(o.Status)}
		s.Dismissals = slices.DeleteFunc(s.Dismissals, func(old ledger.Dismissal) bool {
			return old.UserID == d.UserID && old.Run == d.Run
		})
		s.Dismissals = append(s.Dismissals, d)
	case plan.Confirmation:
		c := ledger.Confirmation{UserID: o.Subject.ID, At: o.At, Run: run, RiskLastUpdatedDateTime: a.Risk.RiskLastUpdatedDateTime,
			Detections: ids, Outcome: string(o.Status)}
		s.Confirmations = slices.DeleteFunc(s.Confirmations, func(old ledger.Confirmation) bool {
			return old.UserID == c.UserID && old.Run == c.Run
		})
		s.Confirmations = append(s.Confirmations, c)
	}
}

// forgetUser takes an order of a run on a user out of the state.
func forgetUser(s *ledger.State, user entra.ID, run string) {
	s.Dismissals = slices.DeleteFunc(s.Dismissals, func(d ledger.Dismissal) bool { return d.UserID == user && d.Run == run })
	s.Confirmations = slices.DeleteFunc(s.Confirmations, func(c ledger.Confirmation) bool { return c.UserID == user && c.Run == run })
}

// Past are the dismissals and confirmations of a user as triage wants them.
func (r Recovered) Past(user entra.ID) (dismissals, confirmations []triage.Past) {
	for _, d := range r.State.Dismissals {
		if d.UserID == user {
			dismissals = append(dismissals, past(d))
		}
	}
	for _, c := range r.State.Confirmations {
		if c.UserID == user {
			confirmations = append(confirmations, past(ledger.Dismissal(c)))
		}
	}
	return dismissals, confirmations
}

func past(d ledger.Dismissal) triage.Past {
	status := plan.OutcomeStatus(d.Outcome)
	return triage.Past{At: d.At, RiskLastUpdated: d.RiskLastUpdatedDateTime, Detections: d.Detections,
		Pending: status.Pending(), Effective: status.Effective()}
}

// Owned is the record of owned objects as the baseline wants it.
func Owned(s ledger.State) drift.OwnedObjects {
	out := drift.OwnedObjects{}
	for kind, byKey := range s.Owned {
		out[kind] = map[string]drift.Owned{}
		for key, o := range byKey {
			out[kind][key] = drift.Owned{ID: string(o.ID), Hash: o.Hash, Wanted: o.Wanted, DisplayName: o.DisplayName, Run: o.Run}
		}
	}
	return out
}

// SetOwned enters a record of owned objects into a state.
func SetOwned(s *ledger.State, objects drift.OwnedObjects) {
	s.Owned = nil
	for kind, byKey := range objects {
		for key, o := range byKey {
			Own(s, apply.Made{Kind: kind, Key: key, ID: o.ID, Hash: o.Hash, Wanted: o.Wanted, DisplayName: o.DisplayName}, o.Run)
		}
	}
}

// IDs are the ids of all owned objects by "kind:key".
func IDs(s ledger.State) map[string]string {
	out := map[string]string{}
	for kind, owned := range s.Owned {
		for key, o := range owned {
			out[string(kind)+":"+key] = string(o.ID)
		}
	}
	return out
}

func ownedIDs(s ledger.State) map[string]bool {
	out := map[string]bool{}
	for _, owned := range s.Owned {
		for _, o := range owned {
			out[string(o.ID)] = true
		}
	}
	return out
}
