package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// Restore is a person's order to bring back a policy or named location that was
// deleted: out of the service's deleted items, under its id, or made anew from
// what a run has stored of it. FindDeleted makes one. It stands in for the switch
// enforcement.policies; every other guard, the limits, HOLD, the journal and the
// report hold all the same.
type Restore struct {
	Kind entra.ObjectKind
	// Key is that of the baseline, empty where the baseline has none for it.
	Key  string
	ID   entra.ID
	Name string
	// Last is its last form that a run has stored, and Run that run; nil where
	// none has.
	Last entra.Document
	Run  string
}

// named is what the order calls it.
func (r Restore) named() string { return cmp.Or(r.Key, string(r.ID)) }

// String says for a person what it is.
func (r Restore) String() string {
	return strings.TrimSpace(fmt.Sprintf("the %s %s (%s)", r.Kind.Noun(), cmp.Or(r.Key, quoted(r.Name)), r.ID))
}

func quoted(s string) string { return `"` + s + `"` }

// restore plans to bring back what was deleted: a baseline of that alone is
// compared with the tenant like any, so that all guards judge it.
func (j *job) restore(ctx context.Context, start gather.Start, rec recovery.Recovered) (snap gather.Snapshot, d drift.Result, err error) {
	w := *j.req.Restore
	doc, err := j.Reader.DeletedObject(ctx, w.Kind, string(w.ID))
	var why string
	switch {
	case err == nil:
	case errors.Is(err, entra.ErrUnsupported) && w.Kind == entra.KindStrength:
		why = "the service keeps no deleted authentication strengths"
	case errors.Is(err, entra.ErrUnsupported):
		why = "this cloud keeps no deleted items"
	case errors.Is(err, entra.ErrNotFound):
		why = "it is not among the deleted items, where it stays for 30 days"
	default:
		return snap, d, fmt.Errorf("looking for %s among the deleted items: %w", w, err)
	}
	inBin := err == nil
	was := &baseline.Baseline{}
	if j.Baseline != nil {
		was.BreakGlass = j.Baseline.BreakGlass
	}
	form := doc
	if !inBin {
		form = w.Last
	}
	key := w.named()
	if form != nil {
		was.Add(baseline.Item{Kind: w.Kind, Key: key, Want: policy.CanonicalOf(w.Kind, form)})
	}
	source := j.source
	source.Baseline, source.Exceptions = was, nil
	if snap, err = source.Compared(ctx, start, rec); err != nil {
		return snap, d, err
	}
	if err := mayReturn(w, form, why, snap.Live); err != nil {
		return snap, d, err
	}
	settings := j.Settings.Baseline
	settings.Owned, settings.Exceptions, settings.Prune = nil, nil, false
	d = drift.Compare(was, snap.Live, settings)
	d.Entries = slices.DeleteFunc(d.Entries, func(e drift.Entry) bool { return e.Key != key })
	d.Exceptions, d.Excluded, d.Unexplained = nil, nil, nil
	if len(d.Actions) != 1 {
		return snap, d, fmt.Errorf("%s cannot be planned: %d actions instead of one", w, len(d.Actions))
	}
	if o, taken := rec.State.Owned[w.Kind][w.Key]; taken && o.ID != w.ID && snap.Live.ByID(w.Kind, string(o.ID)) != nil {
		j.notes.Warn(fmt.Sprintf("the key %s stands for another %s (%s), so that what comes back is not the baseline's", w.Key, w.Kind.Noun(), o.ID))
		w.Key = ""
	}
	a := &d.Actions[0]
	a.Rule, a.Subject.Key, a.Change.Key, a.Change.Differences = w.Key, w.Key, w.Key, nil
	if inBin {
		fromBin(a, w.ID, doc)
	} else {
		a.Reasons = append([]string{fmt.Sprintf("%s, so that it is made anew, as the run %s has stored it: it gets a new id, and whatever names the id %s does not find it", why, w.Run, w.ID)}, a.Reasons...)
	}
	for i := range d.Entries { // of it alone
		e := &d.Entries[i]
		if e.Key, e.Reasons = w.Key, a.Reasons; inBin && e.Status == drift.Create {
			e.Status = drift.Restore
		}
		if inBin { // and not what a new one would be
			e.Summary = policy.Describe(w.Kind, policy.CanonicalOf(w.Kind, doc), drift.NewNamer(snap.Live))
		}
		if a.Status == plan.Blocked {
			e.Status = drift.Blocked
		}
	}
	for _, p := range d.Problems {
		j.notes.Warn(p)
		j.notes.Fail(fmt.Errorf("%s", p))
	}
	if w.Key == "" {
		d.Next = []string{"the baseline has no key for it: its applies leave it as it is"}
		return snap, d, nil
	}
	d.Next, err = j.nextApply(ctx, start, rec, snap, d.Actions)
	return snap, d, err
}

// mayReturn says why nothing can be brought back, or nothing.
func mayReturn(w Restore, form entra.Document, why string, live drift.Live) error {
	for _, u := range live.Unread {
		if u.Kind == w.Kind {
			return fmt.Errorf("whether %s is in the tenant is not known: %s", w, u.Reason)
		}
	}
	if live.ByID(w.Kind, string(w.ID)) != nil {
		return fmt.Errorf("%s is in the tenant: there is nothing to restore", w)
	}
	if form == nil {
		return fmt.Errorf("%s cannot be restored: %s, and no run has stored what it was", w, why)
	}
	for _, o := range live.List(w.Kind) {
		if strings.EqualFold(o.DisplayName(), form.DisplayName()) {
			return fmt.Errorf("the tenant has another %s named %q (%s): two of one name cannot be told apart; delete or rename that one first", w.Kind.Noun(), o.DisplayName(), o.ID())
		}
	}
	return nil
}

// fromBin turns the create of an object, as the guards have judged it, into its
// way back out of the deleted items. It comes back as it was, and not with what
// the guards would add to a new one.
func fromBin(a *plan.Action, id entra.ID, doc entra.Document) {
	c := a.Change
	was := policy.CanonicalOf(c.Kind, doc)
	wanted := policy.CanonicalOf(c.Kind, c.After)
	state := "as it was"
	if c.Kind == entra.KindPolicy {
		state = "in the state it had, " + was.Text("state")
	}
	text := "it comes back from the deleted items under its id, " + state
	if at := doc.Text("deletedDateTime"); at != "" {
		text += "; deleted at " + at
	}
	a.Reasons = append([]string{text}, a.Reasons...)
	if c.After != nil {
		if lacks := policy.DifferentPaths(was, wanted); len(lacks) > 0 && policy.Enabled(was) {
			a.Status = plan.Blocked
			a.Reasons = append(a.Reasons, "it would enforce at once, and without what every enabled policy must have here: "+policy.ShortList(lacks)+
				"; a person can restore it in the portal and set it right there")
		} else if len(lacks) > 0 {
			a.Reasons = append(a.Reasons, "it comes back without what a new one would have: "+policy.ShortList(lacks))
		}
	}
	a.Kind = plan.KindOf(plan.Restore, c.Kind)
	a.Subject.ID = id
	c.Body, c.Needs, c.After, c.BeforeHash = nil, nil, was.Document(), was.Hash()
}
