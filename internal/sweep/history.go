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

// Period is from when to when runs are looked at; zero times are open ends.
type Period struct{ Since, Until time.Time }

// has reports whether a time is within the period.
func (p Period) has(at time.Time) bool {
	return (p.Since.IsZero() || !at.Before(p.Since)) && (p.Until.IsZero() || !at.After(p.Until))
}

// Past is what the stored runs of a tenant say.
type Past struct {
	Ledger *ledger.Ledger
	Period Period
	// Redacted is how a name stands in reports; nil where as it is.
	Redacted func(string) string

	origins map[string]*origin // of actions that were settled later
}

// told is what one run says.
type told struct {
	run       string
	manifest  ledger.Manifest
	complete  bool
	users     []report.UserLine
	policies  []report.PolicyRow
	policiesR bool // the run read them to their end
	actions   []report.Event
}

// stamp fills in what all events of a run have in common.
func (t told) stamp(e report.Event) report.Event {
	e.Run, e.Mode = t.run, t.manifest.Mode
	if e.At.IsZero() {
		e.At = t.manifest.StartedAt
	}
	return t.signed(e)
}

// signed says who asked for the run of an event, and why.
func (t told) signed(e report.Event) report.Event {
	if q := t.manifest.Requested; q != nil {
		e.By, e.Reason = q.By, q.Reason
		if e.By == "" {
			e.By = string(q.Through)
		}
	}
	return e
}

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
	e.What = report.WhatSettled
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

// carried reports whether an outcome is of an action that a run carried out or
// tried to, and not one that was planned alone.
func carried(o plan.Outcome) bool {
	return o.Status != plan.SkippedPlanMode && o.Status != plan.SkippedEnforce
}

// ActionFilter chooses actions. Empty members choose all.
type ActionFilter struct {
	Rule, User string
	Kind       plan.Kind
	// Planned adds what was planned alone, because the run was a plan or the
	// configuration does not enable it.
	Planned bool
}

// Actions are the actions of all runs of the period, the oldest first.
func (p Past) Actions(ctx context.Context, f ActionFilter) ([]report.Event, error) {
	ids, err := p.runs(ctx)
	if err != nil {
		return nil, err
	}
	p.origins = map[string]*origin{}
	slices.Reverse(ids)
	s := p.subject(f.User)
	out := []report.Event{}
	for _, id := range ids {
		t, err := p.read(ctx, id, nil, nil, func(o plan.Outcome, about []plan.Exclusion) bool {
			return (f.Planned || carried(o)) && (f.Rule == "" || hasRule(o.Rule, f.Rule)) && (f.Kind == "" || o.Kind == f.Kind) &&
				(f.User == "" || o.Kind.OnUser() && s.is(string(o.Subject.ID), o.Subject.Name, "") || s.among(about))
		})
		if err != nil {
			return nil, err
		}
		for _, e := range t.actions {
			if p.Period.has(e.At) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// hasRule reports whether a rule is among those that asked for an action.
func hasRule(rules, rule string) bool {
	return rules == rule || slices.Contains(strings.Split(rules, ","), rule)
}

// subject is one user or object that somebody names. What its names and ids are
// shows while runs are read.
type subject struct {
	want string
	also map[string]bool // ids, keys and how its name is redacted
	near map[string]bool // names of others
}

func (p Past) subject(want string) *subject {
	s := &subject{want: want, also: map[string]bool{}, near: map[string]bool{}}
	if p.Redacted != nil {
		if hidden := p.Redacted(want); hidden != "" {
			s.also[strings.ToLower(hidden)] = true
		}
	}
	return s
}

// maxNear bounds the names that are kept to tell what was probably meant.
const maxNear = 20_000

// is reports whether a row is about the subject, and learns its id and key.
func (s *subject) is(id, name, key string) bool {
	mine := false
	for _, n := range []string{id, name, key} {
		mine = mine || n != "" && (strings.EqualFold(n, s.want) || s.also[strings.ToLower(n)])
	}
	switch {
	case mine:
		for _, n := range []string{id, key} {
			if n != "" {
				s.also[strings.ToLower(n)] = true
			}
		}
	case len(s.near) < maxNear:
		for _, n := range []string{name, key} {
			if n != "" {
				s.near[n] = true
			}
		}
	}
	return mine
}

// among reports whether the subject is one of whom an exception puts out of a
// policy, or no longer does.
func (s *subject) among(list []plan.Exclusion) bool {
	return slices.ContainsFunc(list, func(x plan.Exclusion) bool { return s.is(string(x.UserID), x.Name, "") })
}

// History is every decision, action, drift and mend of all runs of the period
// about one user or object, the oldest first. Names are other names that the runs
// know, for one that was misspelt.
func (p Past) History(ctx context.Context, of string) (events []report.Event, names []string, err error) {
	ids, err := p.runs(ctx)
	if err != nil {
		return nil, nil, err
	}
	p.origins = map[string]*origin{}
	s := p.subject(of)
	object := func(r report.PolicyRow) bool { return s.is(r.ID, r.DisplayName, r.Key) }
	if strings.Contains(of, "@") {
		object = nil // it is a userPrincipalName
	}
	var all []told
	for _, id := range ids { // the newest first: that is what the name is of
		t, err := p.read(ctx, id, func(u report.UserLine) bool { return s.is(u.ID, u.Name, "") }, object,
			func(o plan.Outcome, about []plan.Exclusion) bool {
				return carried(o) && (s.is(string(o.Subject.ID), o.Subject.Name, o.Subject.Key) || s.among(about))
			})
		if err != nil {
			return nil, nil, err
		}
		all = append(all, t)
	}
	slices.Reverse(all)
	events = []report.Event{}
	stood := standing{}
	for _, t := range all {
		for _, u := range t.users {
			e, err := u.Event()
			if err != nil {
				return nil, nil, fmt.Errorf("users.jsonl of run %s: %w", t.run, err)
			}
			events = append(events, t.stamp(e))
		}
		events = append(events, stood.step(t)...)
		events = append(events, t.actions...)
	}
	events = slices.DeleteFunc(events, func(e report.Event) bool { return !p.Period.has(e.At) })
	for n := range s.near {
		names = append(names, n)
	}
	slices.Sort(names)
	return events, names, nil
}

// standing is how objects stood in the last run that read them.
type standing map[string]report.PolicyRow

// step tells how they stand otherwise in the next run.
func (s standing) step(t told) (events []report.Event) {
	if !t.policiesR {
		return nil
	}
	seen := map[string]bool{}
	for _, row := range t.policies {
		id := row.Identity()
		seen[id] = true
		var was *report.PolicyRow
		if w, known := s[id]; known {
			was = &w
		}
		if e := report.Transition(was, &row); e != nil {
			events = append(events, t.stamp(*e))
		}
		s[id] = row
	}
	for id, was := range s {
		if !seen[id] {
			events = append(events, t.stamp(*report.Transition(&was, nil)))
			delete(s, id)
		}
	}
	return events
}

// between is what happened from what one run read to what another one did: what
// was sent to the tenant, and of objects that did not stay as they became each
// step. A run writes after it has read, so that what the first one sent is among
// it, and what the last one sent is not; what either settled it did before.
func between(ctx context.Context, l *ledger.Ledger, from, to string) ([]report.Event, error) {
	if from > to { // ids sort by their start
		from, to = to, from
	}
	p := Past{Ledger: l, origins: map[string]*origin{}}
	ids, err := p.runs(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(ids)
	stood := standing{}
	var out []report.Event
	steps := map[string][]report.Event{}
	for _, id := range ids {
		if id < from || id > to {
			continue
		}
		t, err := p.read(ctx, id, nil, func(report.PolicyRow) bool { return true }, func(o plan.Outcome, _ []plan.Exclusion) bool { return o.Status.Sent() })
		if err != nil {
			return nil, err
		}
		moved := stood.step(t)
		for _, e := range t.actions {
			if settled := e.What == report.WhatSettled; settled && id != from || !settled && id != to {
				out = append(out, e)
			}
		}
		if id == from {
			continue
		}
		for _, e := range moved {
			name := e.Kind + "/" + e.Key
			if e.Key == "" {
				name = e.Kind + "/" + e.ID
			}
			steps[name] = append(steps[name], e)
		}
	}
	for _, list := range steps {
		if len(list) > 1 {
			out = append(out, list...)
		}
	}
	slices.SortStableFunc(out, func(a, b report.Event) int { return a.At.Compare(b.At) })
	return out, nil
}
