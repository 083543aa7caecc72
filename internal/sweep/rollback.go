package sweep

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
	"github.com/risksweep/risksweep/internal/whatif"
)

// Rollback is a person's order to bring policies, named locations and strengths
// back to what they were before a run wrote to them. It stands in for the switch
// enforcement.policies; every other guard, the limits, HOLD, the journal and the
// report hold all the same.
type Rollback struct {
	Run string
	// Keys are of the baseline; none means all that the run has written.
	Keys []string
}

// rollback plans the state before the writes of a run: it is a baseline of its
// own, compared with the tenant like any, so that all guards judge it.
func (j *job) rollback(ctx context.Context, start gather.Start, rec recovery.Recovered) (snap gather.Snapshot, d drift.Result, err error) {
	was, owned, err := j.before(ctx, rec)
	if err != nil {
		return snap, d, err
	}
	source := j.source
	source.Baseline, source.Exceptions = was, j.Exceptions
	if snap, err = source.Compared(ctx, start, rec); err != nil {
		return snap, d, err
	}
	settings := j.Settings.Baseline
	settings.Owned, settings.Exceptions, settings.Prune, settings.Undo = owned, snap.Exceptions, true, true
	d = drift.Compare(was, snap.Live, settings)
	if d.NeedsNames() {
		if snap, err = source.Named(ctx, snap); err != nil {
			return snap, d, err
		}
		d = drift.Compare(was, snap.Live, settings)
	}
	d.Actions = slices.DeleteFunc(d.Actions, func(a plan.Action) bool { return len(a.Change.Exclusions) > 0 })
	d.Entries = slices.DeleteFunc(d.Entries, func(e drift.Entry) bool { return e.Key == "" })
	d.Exceptions, d.Excluded, d.Unexplained = nil, nil, nil
	for i := range d.Actions {
		d.Actions[i].Reasons = append([]string{"as it was before the run " + j.req.Rollback.Run}, d.Actions[i].Reasons...)
	}
	for _, p := range d.Problems {
		j.notes.Warn(p)
		j.notes.Fail(fmt.Errorf("%s", p))
	}
	d.Next, err = j.nextApply(ctx, start, rec, snap, d.Actions)
	return snap, d, err
}

// before is what a run has written as it was before, and what of it is owned.
// What exceptions kept out of a policy then is no part of it: they begin and end
// by themselves.
func (j *job) before(ctx context.Context, rec recovery.Recovered) (*baseline.Baseline, plan.OwnedObjects, error) {
	run, owned := j.req.Rollback.Run, rec.State.Owned
	p, err := j.Ledger.Plan(ctx, run)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the plan of the run %s: %w", run, err)
	}
	sent := map[string]bool{}
	for e, err := range j.Ledger.ReadJournal(ctx, run) {
		if err != nil {
			return nil, nil, err
		}
		switch {
		case e.Run != "" && e.Run != run:
		case e.Type == ledger.EntryIntent:
			sent[e.Action] = true
		case e.Type == ledger.EntryOutcome && e.Outcome != nil:
			sent[e.Action] = e.Outcome.Status.Sent()
		}
	}
	settled, err := j.settledLater(ctx, run, sent, rec)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range settled {
		sent[o.Action] = o.Status.Sent()
	}
	b, ours := &baseline.Baseline{}, plan.OwnedObjects{}
	if j.Baseline != nil {
		b.BreakGlass = j.Baseline.BreakGlass
	}
	found := map[string]bool{}
	var wrote []string
	entries := exceptionsOf(p, sent)
	for _, a := range p.Actions {
		c := a.Change
		if c == nil || len(c.Exclusions) > 0 || !sent[a.ID] || found[c.Ref()] {
			continue
		}
		found[c.Ref()] = true
		wrote = append(wrote, c.Key)
		if len(j.req.Rollback.Keys) > 0 && !slices.Contains(j.req.Rollback.Keys, c.Key) {
			continue
		}
		if o, ok := owned[c.Kind][c.Key]; ok {
			plan.SetOwned(ours, c.Kind, c.Key, o)
		}
		if c.Before == nil {
			continue // the run made it: it is deleted, if it is still ours
		}
		// What the run has deleted comes back under another id: who named the old
		// one means it.
		b.Add(baseline.Item{Kind: c.Kind, Key: c.Key, OldID: string(a.Subject.ID), Want: policy.CanonicalOf(c.Kind, c.Before).WithoutExcluded(entra.Texts(c.Excepted))})
	}
	if len(wrote) == 0 && len(entries) > 0 {
		return nil, nil, fmt.Errorf("the run %s only began or ended exceptions, and wrote to no policy otherwise: there is nothing to roll back; %s", run, byFile(entries))
	}
	if len(wrote) == 0 {
		return nil, nil, fmt.Errorf("the run %s wrote to no policy, location or strength: there is nothing to roll back", run)
	}
	for _, key := range j.req.Rollback.Keys {
		if of := entriesOf(entries, key); !slices.Contains(wrote, key) && len(of) > 0 {
			return nil, nil, fmt.Errorf("of %s the run %s only began or ended exceptions; %s", key, run, byFile(of))
		}
		if !slices.Contains(wrote, key) {
			return nil, nil, fmt.Errorf("the run %s wrote to nothing with the key %s; it wrote to %s", run, key, strings.Join(wrote, ", "))
		}
	}
	return b, ours, nil
}

// excepting is an exception that a run has begun or ended for a policy.
type excepting struct{ entry, key, text string }

// exceptionsOf are the exceptions that a run has begun or ended.
func exceptionsOf(p plan.Plan, sent map[string]bool) (out []excepting) {
	for _, a := range p.Actions {
		if a.Change == nil || len(a.Change.Exclusions) == 0 || !sent[a.ID] {
			continue
		}
		var who []string
		for _, x := range a.Change.Exclusions {
			who = append(who, x.Who())
		}
		out = append(out, excepting{a.Rule, a.Change.Key, fmt.Sprintf("it %s %s for %s (%s)", a.Kind.Words().Past, a.Rule, a.Change.Key, policy.ShortList(who))})
	}
	return out
}

func entriesOf(all []excepting, key string) (out []excepting) {
	for _, e := range all {
		if e.key == key {
			out = append(out, e)
		}
	}
	return out
}

// byFile says what to edit where exceptions are not to stand as a run left them.
func byFile(all []excepting) string {
	var texts, entries []string
	for _, e := range all {
		texts = append(texts, e.text)
		if !slices.Contains(entries, e.entry) {
			entries = append(entries, e.entry)
		}
	}
	return fmt.Sprintf("%s; exceptions begin and end by the file of exceptions (exceptions.yaml): edit there the entry %s, and apply", strings.Join(texts, ", "), strings.Join(entries, ", "))
}

// settledLater is what later runs, or this one, found out about actions that a run
// may have sent. It counts more than what the run says itself: a run that lost its
// lease may have taken for its own what another one did meanwhile. What it did not
// come to is not undone, for another run may have made it since.
func (j *job) settledLater(ctx context.Context, run string, sent map[string]bool, rec recovery.Recovered) ([]plan.Outcome, error) {
	if !slices.Contains(slices.Collect(maps.Values(sent)), true) {
		return nil, nil
	}
	began, err := ledger.StartOf(run)
	if err != nil {
		return nil, err
	}
	past := Past{Ledger: j.Ledger, Period: Period{Since: began}}
	ids, err := past.runs(ctx)
	if err != nil {
		return nil, err
	}
	found := rec.Outcomes()
	for _, id := range ids {
		_, settled, err := past.journaled(ctx, id)
		if err != nil {
			return nil, err
		}
		found = append(found, settled...)
	}
	return slices.DeleteFunc(found, func(o plan.Outcome) bool { return o.Run != run || !sent[o.Action] }), nil
}

// nextApply says what the next apply of the baseline would make of what is rolled
// back, so that nobody is surprised.
func (j *job) nextApply(ctx context.Context, start gather.Start, rec recovery.Recovered, snap gather.Snapshot, actions []plan.Action) ([]string, error) {
	if j.Baseline == nil || len(actions) == 0 {
		return nil, nil
	}
	real, err := j.source.Compared(ctx, start, rec)
	if err != nil {
		return nil, err
	}
	owned := plan.CloneOwned(rec.State.Owned)
	concerned := map[string]bool{}
	for _, a := range actions {
		c := a.Change
		concerned[c.Ref()] = true
		switch a.Kind.Verb() {
		case plan.Create:
			plan.SetOwned(owned, c.Kind, c.Key, plan.Owned{ID: c.PlannedID()})
		case plan.Restore:
			plan.SetOwned(owned, c.Kind, c.Key, plan.Owned{ID: a.Subject.ID})
		case plan.Delete:
			delete(owned[c.Kind], c.Key)
		}
	}
	_, after := whatif.States(snap.Objects(), nil, actions)
	live := real.Live
	live.Policies, live.Locations, live.Strengths = nil, after.Locations, after.Strengths
	for _, p := range after.Policies {
		live.Policies = append(live.Policies, p.Document)
	}
	settings := j.Settings.Baseline
	settings.Owned, settings.Exceptions = owned, real.Exceptions
	return nextWords(drift.Compare(j.Baseline, live, settings).Entries, func(e drift.Entry) bool { return concerned[plan.Ref(e.Kind, e.Key)] }), nil
}

// sayNext says before anything is sent what the next apply of the baseline would make
// of it; what holds afterwards is a warning of the report.
func (j *job) sayNext(next []string) {
	for _, text := range next {
		if j.req.Mode == Apply {
			j.log.Warn("once it is carried out: " + text)
		}
	}
}

// nextAfter is what is true of next, which supposes that all actions are carried
// out, when some were not.
func nextAfter(next []string, outcomes []plan.Outcome) []string {
	met, all := plan.Met(outcomes)
	switch {
	case len(next) == 0 || met == all:
		return next
	case met == 0:
		return []string{"nothing of it is known to be carried out: risksweep plan says what the next apply of the baseline would change"}
	}
	out := []string{"not all of it is known to be carried out, and what follows supposes that: risksweep plan says what the next apply of the baseline would change"}
	return append(out, next...)
}

// nextWords say of the concerned objects what an apply would make of them: those
// that differ are changed, and those that wait for their promotion are as the
// baseline has them, and still do not stay so.
func nextWords(entries []drift.Entry, concerned func(drift.Entry) bool) (out []string) {
	for _, e := range entries {
		if e.Key == "" || !concerned(e) {
			continue
		}
		if !e.Drift() && e.Promotion != nil {
			out = append(out, fmt.Sprintf("the %s %s has promote in the baseline: it will be enabled again when its evidence holds, after %s at the earliest; take promote out of the baseline and set its state to %s there, or put HOLD into the tenant's folder",
				e.Kind.Noun(), e.Key, report.Number(e.Promotion.After, "day"), policy.StateReportOnly))
		}
		if !e.Drift() {
			continue
		}
		text := fmt.Sprintf("the next apply of the baseline would change this again: %s of the %s %s", e.Status, e.Kind.Noun(), e.Key)
		var paths []string
		for _, x := range e.Differences {
			paths = append(paths, x.Path)
		}
		if len(paths) > 0 {
			text += " (" + policy.ShortList(paths) + ")"
		}
		out = append(out, text+"; change the baseline, or put HOLD into the tenant's folder")
	}
	if len(out) == 0 {
		out = append(out, "the baseline says the same: its next apply leaves this as it is")
	}
	return out
}
