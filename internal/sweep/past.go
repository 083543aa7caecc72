package sweep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// runs are the ids of the runs of the period, newest first. Ids are dated by when
// a run was due, so that a day more is looked at; events are judged by their own
// time.
func (p Past) runs(ctx context.Context) ([]string, error) {
	ids, err := p.Ledger.RunIDs(ctx, 0)
	if err != nil {
		return nil, err
	}
	wide := Period{}
	if !p.Period.Since.IsZero() {
		wide.Since = p.Period.Since.Add(-4 * 24 * time.Hour)
	}
	if !p.Period.Until.IsZero() {
		wide.Until = p.Period.Until.Add(time.Minute)
	}
	return slices.DeleteFunc(ids, func(id string) bool {
		at, err := ledger.StartOf(id)
		return err != nil || !wide.has(at)
	}), nil
}

// read reads what a run says of what the filters let through; a nil filter lets
// nothing through.
func (p Past) read(ctx context.Context, run string, user func(report.UserLine) bool, object func(report.PolicyRow) bool, action func(plan.Outcome, []plan.Exclusion) bool) (t told, err error) {
	if t, err = p.begin(ctx, run); err != nil {
		return t, err
	}
	if user != nil {
		err = p.file(ctx, run, "users.jsonl", func(in io.Reader) error {
			for u, err := range report.ReadLines[report.UserLine](in) {
				if err != nil {
					return err
				}
				if user(u) {
					t.users = append(t.users, u)
				}
			}
			return nil
		})
		if err != nil {
			return t, err
		}
	}
	if object != nil && t.complete && !t.manifest.Kind.Ordered() && !slices.Contains(t.manifest.Unread, report.PartPolicies) {
		err = p.file(ctx, run, "policies.json", func(in io.Reader) error {
			all, err := report.ReadPolicies(in)
			t.policiesR = err == nil
			for _, row := range all.Objects {
				if object(row) {
					t.policies = append(t.policies, row)
				}
			}
			return err
		})
		if err != nil {
			return t, err
		}
	}
	if action != nil {
		t.actions, err = p.actions(ctx, t, action)
	}
	return t, err
}

// file reads a file of a run; one that is not there says nothing.
func (p Past) file(ctx context.Context, run, name string, read func(io.Reader) error) error {
	in, _, err := p.Ledger.OpenProved(ctx, run, name)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = errors.Join(read(in), in.Close())
	}
	if err != nil {
		return fmt.Errorf("%s of run %s: %w", name, run, err)
	}
	return nil
}

// actions are what a run did. One that has no report, because it was cut short,
// says in its journal what it sent. An exception is about its users, too, whom the
// plan names.
func (p Past) actions(ctx context.Context, t told, which func(plan.Outcome, []plan.Exclusion) bool) ([]report.Event, error) {
	var outcomes, settled []plan.Outcome
	var err error
	if t.complete {
		var order *report.Order
		var failed []report.Problem
		err = p.file(ctx, t.run, "report.json", func(in io.Reader) error {
			return report.ReadMembers(in, map[string]any{"order": &order, "outcomes": &outcomes, "settled": &settled, "errors": &failed})
		})
		if len(outcomes) == 0 {
			outcomes = unmet(order, failed, t.manifest.StartedAt)
		}
	} else {
		outcomes, settled, err = p.journaled(ctx, t.run)
	}
	if err != nil {
		return nil, err
	}
	for i := range settled {
		if o := &settled[i]; o.Rule == "" { // the journal of a lost answer alone does not say it
			first, err := p.origin(ctx, o.Run)
			if err != nil {
				return nil, err
			}
			o.Rule = first.planned[o.Action].Rule
		}
	}
	planned := map[string]plan.Action{}
	exceptions := slices.ContainsFunc(outcomes, func(o plan.Outcome) bool { return o.Kind == plan.BeginException || o.Kind == plan.EndException })
	if !exceptions { // else it is not known yet whom they are about
		outcomes = slices.DeleteFunc(outcomes, func(o plan.Outcome) bool { return !which(o, nil) })
	}
	settled = slices.DeleteFunc(settled, func(o plan.Outcome) bool { return !which(o, nil) })
	if len(outcomes) > 0 {
		stored, err := p.Ledger.Plan(ctx, t.run)
		if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			return nil, err
		}
		for _, a := range stored.Actions {
			planned[a.ID] = a
		}
	}
	outcomes = slices.DeleteFunc(outcomes, func(o plan.Outcome) bool {
		var about []plan.Exclusion
		if c := planned[o.Action].Change; c != nil {
			about = c.Exclusions
		}
		return !which(o, about)
	})
	var out []report.Event
	for _, o := range outcomes {
		out = append(out, t.stamp(report.ActionEvent(o, planned[o.Action])))
	}
	for _, o := range settled {
		e, err := p.settled(ctx, t, o)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// settled is what a run found out about an action of an earlier one. The action
// stays that of whoever had the earlier run carried out; which run found it out
// is the event's.
func (p Past) settled(ctx context.Context, t told, o plan.Outcome) (report.Event, error) {
	first, err := p.origin(ctx, o.Run)
	if err != nil {
		return report.Event{}, err
	}
	e := report.ActionEvent(o, first.planned[o.Action])
	e.What = report.EventSettled
	e = t.stamp(e)
	e.By, e.Reason = "", "" // of the run that found it out
	return first.signed(e), nil
}

// origin is who asked for an earlier run, and what it planned.
func (p Past) origin(ctx context.Context, run string) (*origin, error) {
	if o := p.origins[run]; o != nil {
		return o, nil
	}
	o := &origin{planned: map[string]plan.Action{}}
	if p.origins != nil { // where only one run is looked at, nothing is kept
		p.origins[run] = o
	}
	if run == "" {
		return o, nil
	}
	var err error
	if o.told, err = p.begin(ctx, run); err != nil {
		return nil, err
	}
	stored, err := p.Ledger.Plan(ctx, run)
	if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		return nil, err
	}
	for _, a := range stored.Actions {
		o.planned[a.ID] = a
	}
	return o, nil
}

// origin is a run by who asked for it and what it planned.
type origin struct {
	told
	planned map[string]plan.Action
}

// begin is what a run says of itself. One without a manifest was cut short: its
// journal says who asked for it, and only a run that applies has one.
func (p Past) begin(ctx context.Context, run string) (t told, err error) {
	t.run = run
	t.manifest, err = p.Ledger.Manifest(ctx, run)
	if err == nil {
		t.complete = true
		return t, nil
	}
	if !errors.Is(err, blobstore.ErrNotFound) {
		return t, err
	}
	start, err := ledger.StartOf(run)
	if err != nil {
		return t, err
	}
	t.manifest = ledger.Manifest{Run: run, StartedAt: start}
	for e, err := range p.Ledger.ReadJournal(ctx, run) {
		if errors.Is(err, blobstore.ErrNotFound) {
			break // the run is deleted
		}
		if err != nil {
			return t, err
		}
		t.manifest.Mode = string(Apply)
		if by := recovery.RequestedBy(e); by != nil {
			t.manifest.Requested = by
			break
		}
	}
	return t, nil
}

// unmet are the outcomes of an order of which nothing was planned, because it was
// refused or failed as a whole.
func unmet(o *report.Order, failed []report.Problem, at time.Time) (out []plan.Outcome) {
	if o == nil || o.Action == "" {
		return nil
	}
	why := make([]string, len(failed))
	for i, f := range failed {
		why[i] = f.Message
	}
	for _, u := range o.Users {
		out = append(out, plan.Outcome{Kind: o.Action, Subject: plan.Subject{ID: entra.NewID(u.ID), Name: u.Name}, Rule: "order", Status: plan.NotAttempted,
			At: at, Detail: strings.Join(why, "; ")})
	}
	return out
}

// journaled is what the journal of a run says of its actions: one that has an
// intent alone may have been sent.
func (p Past) journaled(ctx context.Context, run string) (own, settled []plan.Outcome, err error) {
	from, err := p.origin(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	open := map[string]int{}
	for e, err := range p.Ledger.ReadJournal(ctx, run) {
		if err != nil {
			return nil, nil, err
		}
		switch {
		case e.Type == ledger.EntryIntent:
			open[e.Action] = len(own)
			own = append(own, plan.Outcome{Action: e.Action, Kind: e.Kind, Subject: e.Subject, Rule: from.planned[e.Action].Rule, Status: plan.Unknown, At: e.At,
				Detail: "the run was cut short; a later one looks what became of it"})
		case e.Type == ledger.EntryOutcome && e.Outcome != nil && e.Run != run:
			settled = append(settled, *e.Outcome)
		case e.Type == ledger.EntryOutcome && e.Outcome != nil:
			if i, intended := open[e.Action]; intended {
				own[i] = *e.Outcome
			} else {
				own = append(own, *e.Outcome)
			}
		}
	}
	return own, settled, nil
}
