package sweep

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
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
		t, err := p.read(ctx, id, func(u report.UserLine) bool { return s.is(string(u.ID), u.Name, "") }, object,
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
			if settled := e.What == report.EventSettled; settled && id != from || !settled && id != to {
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
