package recovery

import (
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
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
	if s.Owned != nil {
		s.Owned = plan.CloneOwned(s.Owned)
	}
	s.Exclusions = slices.Clone(s.Exclusions)
	s.Dismissals, s.Confirmations, s.Containments = slices.Clone(s.Dismissals), slices.Clone(s.Confirmations), slices.Clone(s.Containments)
	s.Closings = slices.Clone(s.Closings)
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
		RememberException(&s, byID[o.Action], o)
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
	s.ForgetBefore(now.Add(-keepDismissals))
	s.SettledActions = slices.DeleteFunc(s.SettledActions, func(a string) bool {
		return !slices.ContainsFunc(s.OpenRuns, func(run string) bool { return len(a) > len(run) && a[:len(run)+1] == run+"/" })
	})
	return s
}

// Own enters into the state what a write made of an object.
func Own(s *ledger.State, m apply.Written, by string) {
	if m.Key == "" { // nothing of the baseline stands for it
		return
	}
	if m.Deleted {
		if s.Owned[m.Kind][m.Key].ID == entra.NewID(m.ID) {
			delete(s.Owned[m.Kind], m.Key)
		}
		return
	}
	if s.Owned == nil {
		s.Owned = plan.OwnedObjects{}
	}
	was := s.Owned[m.Kind][m.Key]
	plan.SetOwned(s.Owned, m.Kind, m.Key, plan.Owned{ID: entra.NewID(m.ID), Hash: m.Hash, Wanted: m.Wanted, DisplayName: m.DisplayName, Run: by,
		Adopted: was.Adopted && was.ID == entra.NewID(m.ID)})
}

// RememberUser enters what became of an action on a user into the state.
func RememberUser(s *ledger.State, a plan.Action, o plan.Outcome, run string) {
	if o.Status == plan.SettledNotTaken { // it never came about: no reason not to try again
		s.Forget(o.Kind, o.Subject.ID, run)
	}
	if !o.Kind.OnUser() || a.Risk == nil || !o.Status.Sent() {
		return
	}
	p := ledger.PastAction{UserID: o.Subject.ID, At: o.At, Run: run, RiskLastUpdatedDateTime: a.Risk.RiskLastUpdatedDateTime, Outcome: o.Status}
	if a.Kind.OnDetections() {
		p.Detections = a.Closes()
	} else {
		for _, d := range a.Risk.Detections {
			p.Detections = append(p.Detections, d.ID)
		}
	}
	s.Remember(o.Kind, p)
}

// Closed are the earlier closings of single detections of a user.
func (r Recovered) Closed(user entra.ID) []triage.Past { return past(r.State.Closings, user) }

// Contained are the earlier actions on a user's account, by what they did.
func (r Recovered) Contained(user entra.ID) map[string][]triage.Past {
	out := map[string][]triage.Past{}
	for _, kind := range []plan.Kind{plan.RevokeSessions, plan.DisableAccount} {
		of := slices.DeleteFunc(slices.Clone(r.State.Containments), func(p ledger.PastAction) bool { return p.Kind != kind })
		if list := past(of, user); len(list) > 0 {
			out[string(kind)] = list
		}
	}
	return out
}

// Past are the dismissals and confirmations of a user as triage wants them.
func (r Recovered) Past(user entra.ID) (dismissals, confirmations []triage.Past) {
	return past(r.State.Dismissals, user), past(r.State.Confirmations, user)
}

func past(actions []ledger.PastAction, user entra.ID) []triage.Past {
	var out []triage.Past
	for _, p := range actions {
		if p.UserID == user {
			out = append(out, triage.Past{At: p.At, RiskLastUpdated: p.RiskLastUpdatedDateTime, Detections: p.Detections,
				Pending: p.Outcome.Pending(), Effective: p.Outcome.Effective()})
		}
	}
	return out
}

// IDs are the ids of all owned objects by "kind:key".
func IDs(s ledger.State) map[string]string {
	out := map[string]string{}
	for kind, owned := range s.Owned {
		for key, o := range owned {
			out[plan.Ref(kind, key)] = string(o.ID)
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
