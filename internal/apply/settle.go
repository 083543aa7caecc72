package apply

import (
	"cmp"
	"context"
	"maps"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Intent is an action of an earlier run whose outcome nobody knows: the answer
// was lost, or the process died.
type Intent struct {
	Run string
	At  time.Time
	// ServiceTime is the service's time of its last answer before it, on which
	// alone what a create made is told from what others did.
	ServiceTime time.Time
	Action      plan.Action
	// Made is the id that a create was answered with, if it was.
	Made string
	// IDs are the ids by "kind:key" that the run knew, to fill in references.
	IDs map[string]string
	// Known are the ids that were listed before the run's first write.
	Known map[entra.ObjectKind]map[string]bool
}

// Settled is what became of an earlier run's action.
type Settled struct {
	Action  plan.Action
	Outcome plan.Outcome
	Made    *Written
}

// Patience says how long effects of earlier intents may take to show.
type Patience struct {
	Now func() time.Time
	// Pending is how long after its intent an action on a user counts as
	// pending while no effect shows.
	Pending time.Duration
	// Visibility is how long policies, locations and strengths are looked for.
	// It counts from now and not from the intent, which another clock may have
	// told. An intent older than Pending is looked for once.
	Visibility time.Duration
}

// Settle reads what became of earlier intents: an effect that shows means
// taken. An action on a user without one stays pending for a while after its
// intent. What an intent on a policy, location or strength may have made is
// looked for until it would have to show, so that nothing is made twice and
// the plan that comes after knows. Nothing is written. Objects that are owned
// already (by id) are no candidates for a lost create.
func Settle(ctx context.Context, reader Reader, intents []Intent, p Patience, owned map[string]bool) ([]Settled, error) {
	var users []plan.Action
	for _, in := range intents {
		if in.Action.Kind.OnUser() {
			users = append(users, in.Action)
		}
	}
	live := map[entra.ID]*Live{}
	if len(users) > 0 {
		var err error
		if live, err = readUsers(ctx, reader, users, time.Time{}); err != nil {
			return nil, err
		}
	}
	out := make([]Settled, len(intents))
	open := map[int]bool{}
	var patience time.Duration
	for i, in := range intents {
		out[i] = Settled{Action: in.Action, Outcome: plan.Outcome{Action: in.Action.ID, Kind: in.Action.Kind, Subject: in.Action.Subject,
			Rule: in.Action.Rule, Run: in.Run}}
		fresh := p.Now().Sub(in.At) < p.Pending
		switch {
		case !in.Action.Kind.OnUser():
			open[i] = true
			if fresh {
				patience = p.Visibility
			}
		case settledUser(in, live[in.Action.Subject.ID]):
			out[i].taken()
		case fresh:
			out[i].Outcome.Status = plan.SettledPending
			out[i].Outcome.Detail = "no effect shows yet; it may still come until " + in.At.Add(p.Pending).UTC().Format(time.RFC3339)
		default:
			out[i].notTaken("no effect showed within " + p.Pending.String())
		}
	}
	err := lookForObjects(ctx, reader, intents, out, open, owned, patience)
	for i := range out {
		if open[i] {
			out[i].notTaken("no effect shows")
		}
		out[i].Outcome.At = p.Now().UTC()
	}
	return out, err
}

func (s *Settled) taken() {
	s.Outcome.Status, s.Outcome.Detail = plan.SettledTaken, "its effect shows in the tenant"
}

func (s *Settled) notTaken(why string) {
	s.Outcome.Status, s.Outcome.Detail = plan.SettledNotTaken, why
}

// lookForObjects settles the open intents whose effect shows, in their order:
// what comes later may refer to what came before.
func lookForObjects(ctx context.Context, reader Reader, intents []Intent, out []Settled, open map[int]bool, owned map[string]bool, patience time.Duration) error {
	look := func() error {
		kinds := map[entra.ObjectKind][]entra.Document{}
		for i, in := range intents {
			if !open[i] {
				continue
			}
			c := in.Action.Change
			if _, ok := kinds[c.Kind]; !ok {
				live, err := reader.Objects(ctx, c.Kind)
				if err != nil {
					return err
				}
				kinds[c.Kind] = live
			}
			made, taken := settledObject(in, kinds[c.Kind], owned)
			if !taken {
				continue
			}
			delete(open, i)
			out[i].Made = made
			out[i].taken()
			if made == nil {
				continue
			}
			out[i].Outcome.Subject.ID = entra.NewID(made.ID)
			owned[made.ID] = true
			if in.IDs != nil && !made.Deleted {
				in.IDs[c.Ref()] = made.ID
			}
		}
		return nil
	}
	err := look()
	for d := range backoff(firstPause, patience) {
		if err != nil || len(open) == 0 {
			break
		}
		if !wait(ctx, d) {
			return context.Cause(ctx)
		}
		err = look()
	}
	return err
}

func settledUser(in Intent, live *Live) bool {
	done, _ := taken(in.Action, live)
	return done
}

// settledObject reports whether the effect of a change shows in a list of its kind.
func settledObject(in Intent, live []entra.Document, owned map[string]bool) (*Written, bool) {
	c, verb := in.Action.Change, in.Action.Kind.Verb()
	after, err := Fill(c.After, in.IDs)
	if err != nil {
		return nil, false // what it refers to was never made, so neither was it
	}
	w := write{action: in.Action, id: cmp.Or(string(in.Action.Subject.ID), in.Made), after: after}
	switch {
	case w.id != "":
	case verb == plan.Create:
		w.id = recognised(in, live, after, owned)
	default: // the run itself has made it
		w.id = in.IDs[c.Ref()]
	}
	var there entra.Document
	for _, d := range live {
		if w.id != "" && d.ID() == w.id {
			there = d
		}
	}
	switch out := entra.Texts(c.Excepted); {
	case verb == plan.Delete:
		return w.made(nil), there == nil
	case there == nil:
		return nil, false
	case verb == plan.Begin, verb == plan.End:
		return nil, exceptionShows(in.Action, there)
	case verb == plan.Create, verb == plan.Restore: // whoever has edited it since
	// An exception that began after it in the same run changes nothing of it.
	case policy.CanonicalOf(c.Kind, there).HashWithout(out) != policy.CanonicalOf(c.Kind, after).HashWithout(out):
		return nil, false
	}
	return w.made(there), true
}

// recognised is the id of what a create has made whose answer nobody has, or
// nothing.
func recognised(in Intent, live []entra.Document, after entra.Document, owned map[string]bool) string {
	known := map[string]bool{}
	maps.Copy(known, in.Known[in.Action.Change.Kind])
	maps.Copy(known, owned)
	found := Recognise(in.Action.Change.Kind, live, after, in.ServiceTime, known)
	if len(found) != 1 {
		return ""
	}
	return found[0].ID()
}
