package apply

import (
	"context"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// Intent is an action of an earlier run whose outcome nobody knows: the answer
// was lost, or the process died.
type Intent struct {
	Run    string
	At     time.Time
	Action plan.Action
	// IDs are the ids by "kind:key" that the run knew, to fill in references.
	IDs map[string]string
	// Known are the ids that were listed before the run's first write.
	Known map[entra.ObjectKind]map[string]bool
}

// Settled is what became of an earlier run's action.
type Settled struct {
	Action  plan.Action
	Outcome plan.Outcome
	Made    *Made
}

// Settle reads what became of earlier intents: an effect that shows means
// taken; otherwise the action stays pending until wait has gone by since the
// intent, and only then counts as not taken. Nothing is written. Objects that
// are owned already (by id) are no candidates for a lost create.
func Settle(ctx context.Context, reader Reader, intents []Intent, now time.Time, wait time.Duration, owned map[string]bool) ([]Settled, error) {
	var users []plan.Action
	kinds := map[entra.ObjectKind][]entra.Document{}
	for _, in := range intents {
		if in.Action.Kind.OnUser() {
			users = append(users, in.Action)
			continue
		}
		kind := in.Action.Change.Kind
		if _, ok := kinds[kind]; ok {
			continue
		}
		live, err := reader.Objects(ctx, kind)
		if err != nil {
			return nil, err
		}
		kinds[kind] = live
	}
	live := map[string]*Live{}
	if len(users) > 0 {
		var err error
		if live, err = readUsers(ctx, reader, users, time.Time{}); err != nil {
			return nil, err
		}
	}
	out := make([]Settled, 0, len(intents))
	for _, in := range intents {
		s := Settled{Action: in.Action, Outcome: plan.Outcome{Action: in.Action.ID, Kind: in.Action.Kind, Subject: in.Action.Subject,
			Rule: in.Action.Rule, At: now.UTC(), Run: in.Run}}
		var taken bool
		if in.Action.Kind.OnUser() {
			taken = settledUser(in, live[in.Action.Subject.ID])
		} else {
			s.Made, taken = settledObject(in, kinds[in.Action.Change.Kind], owned)
			if s.Made != nil {
				s.Outcome.Subject.ID = s.Made.ID
				owned[s.Made.ID] = true
				if in.IDs != nil && taken && !s.Made.Deleted { // what comes later in the run may refer to it
					in.IDs[keyOf(in.Action.Change)] = s.Made.ID
				}
			}
		}
		switch {
		case taken:
			s.Outcome.Status, s.Outcome.Detail = plan.SettledTaken, "its effect shows in the tenant"
		case now.Sub(in.At) < wait:
			s.Outcome.Status, s.Outcome.Detail = plan.SettledPending, "no effect shows yet; it may still come until "+in.At.Add(wait).UTC().Format(time.RFC3339)
		default:
			s.Outcome.Status, s.Outcome.Detail = plan.SettledNotTaken, "no effect showed within "+wait.String()
		}
		out = append(out, s)
	}
	return out, nil
}

func settledUser(in Intent, live *Live) bool {
	done, _ := taken(in.Action.Kind, in.Action.Risk, live)
	return done
}

func settledObject(in Intent, live []entra.Document, owned map[string]bool) (*Made, bool) {
	c := in.Action.Change
	w := write{action: in.Action, id: in.Action.Subject.ID}
	var byID entra.Document
	for _, d := range live {
		if w.id != "" && d.ID() == w.id {
			byID = d
		}
	}
	after, err := fill(c.After, in.IDs)
	if err != nil {
		return nil, false // what it refers to was never made, so neither was it
	}
	switch in.Action.Kind {
	case plan.DeleteLocation, plan.DeleteStrength, plan.DeletePolicy:
		return w.made(nil), byID == nil
	case plan.CreateLocation, plan.CreateStrength, plan.CreatePolicy:
		known := map[string]bool{}
		for id := range in.Known[c.Kind] {
			known[id] = true
		}
		for id := range owned {
			known[id] = true
		}
		w.after = after
		found := Recognise(c.Kind, live, after, in.At.Add(-clockSkew), known)
		if len(found) != 1 {
			return nil, false
		}
		w.id = found[0].ID()
		return w.made(found[0]), true
	}
	if byID == nil || entra.CanonicalHash(c.Kind, byID) != entra.CanonicalHash(c.Kind, after) {
		return nil, false
	}
	w.after = after
	return w.made(byID), true
}
