package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
)

// carryOut executes the stored plan behind the gate. The run is marked open in
// the state first, so that a crash from here on is found by the next run.
func (r *run) carryOut(ctx context.Context) error {
	if r.res.Plan.Pending() == 0 {
		r.res.Outcomes = apply.Planned(r.res.Plan, r.Now())
		return nil
	}
	if r.res.Hold != "" {
		r.res.Outcomes = notAttempted(r.res.Plan, r.Now(), "HOLD: "+r.res.Hold)
		r.errors = append(r.errors, fmt.Errorf("HOLD is set, nothing was written to the tenant: %s", r.res.Hold))
		return nil
	}
	if err := r.journalSettled(ctx); err != nil {
		return fmt.Errorf("%w (nothing was sent)", err)
	}
	r.state.BeginsToWrite(r.led.ID(), r.Now())
	version, err := r.Ledger.SaveState(ctx, r.state, r.stateVersion)
	if err != nil {
		return fmt.Errorf("marking the run as open (nothing was sent): %w", err)
	}
	r.stateVersion = version
	known := map[entra.ObjectKind]map[string]bool{}
	note := journalDetail{Known: map[entra.ObjectKind][]string{}}
	for kind, docs := range r.lists {
		known[kind] = map[string]bool{}
		for _, d := range docs {
			known[kind][d.ID()] = true
			note.Known[kind] = append(note.Known[kind], d.ID())
		}
	}
	if err := (journal{r}).note(ctx, note); err != nil {
		return fmt.Errorf("writing the journal (nothing was sent): %w", err)
	}
	total := r.res.Plan.Pending()
	r.Progress.Stage("apply", total)
	result, err := apply.Run(ctx, apply.Options{
		Plan: r.res.Plan, Reader: r.Reader, Writer: r.Writer(), Journal: journal{r}, Gate: r.gate, Now: r.Now, ServiceTime: r.serviceTime,
		WriteTimeout: r.Settings.WriteTimeout, ReadBack: r.Settings.ReadBack, Visibility: r.Settings.Visibility,
		IDs: idsOf(r.state), Known: known,
		Progress: func(int, int) { r.Progress.Advance(1) },
	})
	r.res.Outcomes = result.Outcomes
	for _, m := range result.Made {
		r.take(m, r.led.ID())
	}
	actions := map[string]plan.Action{}
	for _, a := range r.res.Plan.Actions {
		actions[a.ID] = a
	}
	open := false
	for _, o := range result.Outcomes {
		r.rememberUser(actions[o.Action], o, r.led.ID())
		open = open || o.Status == plan.Unknown
	}
	if open {
		for _, o := range result.Outcomes {
			if o.Status != plan.Unknown { // it stands in this state already
				r.state.SettledActions = append(r.state.SettledActions, r.led.ID()+"/"+o.Action)
			}
		}
	}
	if !open && err == nil {
		r.state.OpenRuns = slices.DeleteFunc(r.state.OpenRuns, func(id string) bool { return id == r.led.ID() })
	}
	if err != nil {
		return err
	}
	return result.Stopped
}

// gate lets a write go out only if nobody has set HOLD and the run still holds
// its lease for longer than the write may take. The lease is looked at last:
// to look for HOLD may take a while.
func (r *run) gate(ctx context.Context, takes time.Duration) error {
	reason, held, err := r.Ledger.Hold(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("looking for HOLD: %w", err)
	case held:
		r.res.Hold = reason
		return fmt.Errorf("HOLD: %s", reason)
	}
	lease := r.led.Lease()
	if err := context.Cause(lease.Context()); err != nil {
		return fmt.Errorf("the lease is lost: %w", err)
	}
	// Also by the wall clock: a machine that slept shows it there alone.
	ends, then := lease.Expires(), r.Now().Add(takes)
	if !ends.IsZero() && (then.After(ends) || then.Round(0).After(ends.Round(0))) {
		return fmt.Errorf("the lease ends at %s, before a write could", ends.UTC().Format(time.RFC3339))
	}
	return nil
}

// take enters what a write made into the state.
func (r *run) take(m apply.Made, by string) {
	if r.state.Owned == nil {
		r.state.Owned = map[entra.ObjectKind]map[string]ledger.Owned{}
	}
	if m.Deleted {
		if r.state.Owned[m.Kind][m.Key].ID == entra.NewID(m.ID) {
			delete(r.state.Owned[m.Kind], m.Key)
		}
		return
	}
	if r.state.Owned[m.Kind] == nil {
		r.state.Owned[m.Kind] = map[string]ledger.Owned{}
	}
	r.state.Owned[m.Kind][m.Key] = ledger.Owned{ID: entra.NewID(m.ID), Hash: m.Hash, Wanted: m.Wanted, DisplayName: m.DisplayName, Run: by}
}

// notAttempted gives every ready action the outcome of a run that may not
// write.
func notAttempted(p plan.Plan, now time.Time, why string) []plan.Outcome {
	out := apply.Planned(p, now)
	for i := range out {
		if out[i].Status == plan.SkippedPlanMode {
			out[i].Status, out[i].Detail = plan.NotAttempted, "not attempted: "+why
		}
	}
	return out
}

// idsOf are the ids of all owned objects by "kind:key".
func idsOf(s ledger.State) map[string]string {
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

// journal writes what apply tells it into the run's journal.
type journal struct{ r *run }

func (j journal) Intent(ctx context.Context, kind plan.Kind, actions []plan.Action) error {
	now := j.r.Now().UTC()
	detail, err := json.Marshal(journalDetail{ServiceTime: j.r.Reader.ServerTime().UTC()})
	if err != nil {
		return err
	}
	entries := make([]ledger.Entry, len(actions))
	for i, a := range actions {
		entries[i] = ledger.Entry{Type: ledger.EntryIntent, At: now, Run: j.r.led.ID(), Action: a.ID, Kind: kind,
			Subject: j.r.Output.Redaction.Subject(kind, a.Subject)}
		if !kind.OnUser() {
			entries[i].Detail = detail
		}
	}
	return j.r.led.Journal().Append(ctx, entries...)
}

func (j journal) Outcome(ctx context.Context, o plan.Outcome, made *apply.Made) error {
	run := o.Run
	if run == "" {
		run = j.r.led.ID()
	}
	o = j.r.Output.Redaction.Outcomes([]plan.Outcome{o})[0]
	e := ledger.Entry{Type: ledger.EntryOutcome, At: o.At, Run: run, Action: o.Action, Kind: o.Kind, Subject: o.Subject, Outcome: &o}
	if made != nil {
		detail, err := json.Marshal(journalDetail{Made: made})
		if err != nil {
			return err
		}
		e.Detail = detail
	}
	return j.r.led.Journal().Append(ctx, e)
}

func (j journal) note(ctx context.Context, d journalDetail) error {
	detail, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return j.r.led.Journal().Append(ctx, ledger.Entry{Type: ledger.EntryNote, At: j.r.Now().UTC(), Run: j.r.led.ID(), Detail: detail})
}
