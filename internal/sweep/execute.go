package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// executed is what came of a stored plan.
type executed struct {
	Outcomes  []plan.Outcome
	Stored    recovery.Stored // the state with what was done
	Journaled int             // of what was settled, how much stands in the journal
	Hold      string
}

// execute carries the stored plan out behind the gate. The run is marked open in
// the state first, so that a crash from here on is found by the next run.
func (j *job) execute(ctx context.Context, p plan.Plan, snap gather.Snapshot, stored recovery.Stored, hold string) (out executed, err error) {
	out = executed{Stored: stored, Hold: hold}
	if p.Pending() == 0 {
		out.Outcomes = apply.Planned(p, j.Now())
		return out, nil
	}
	if hold != "" {
		out.Outcomes = notAttempted(p, j.Now(), "HOLD: "+hold)
		j.notes.Fail(fmt.Errorf("HOLD is set, nothing was written to the tenant: %s", hold))
		return out, nil
	}
	if out.Journaled, err = j.journalSettled(ctx, snap.Decided()); err != nil {
		return out, fmt.Errorf("%w (nothing was sent)", err)
	}
	out.Stored.State = recovery.Begun(stored.State, j.led.ID(), j.Now())
	version, err := j.Ledger.SaveState(ctx, out.Stored.State, stored.Version)
	if err != nil {
		return out, fmt.Errorf("marking the run as open (nothing was sent): %w", err)
	}
	out.Stored.Version = version
	known, listed := map[entra.ObjectKind]map[string]bool{}, map[entra.ObjectKind][]string{}
	for _, kind := range gather.ObjectKinds {
		known[kind] = map[string]bool{}
		for _, d := range snap.Live.List(kind) {
			known[kind][d.ID()] = true
			listed[kind] = append(listed[kind], d.ID())
		}
	}
	if err := j.journal().Known(ctx, listed, j.requested(j.req, snap.Start, nil)); err != nil {
		return out, fmt.Errorf("writing the journal (nothing was sent): %w", err)
	}
	j.notes.Progress.Stage("apply", p.Pending())
	result, err := apply.Run(ctx, apply.Options{
		Plan: p, Reader: j.Reader, Writer: j.Writer(), Journal: j.journal(), Now: j.Now,
		Gate:         func(ctx context.Context, takes time.Duration) error { return j.gate(ctx, takes, &out.Hold) },
		ServiceTime:  func() time.Time { return j.source.ServiceTime(snap.Start) },
		WriteTimeout: j.Settings.WriteTimeout, ReadBack: j.Settings.ReadBack, Visibility: j.Settings.Visibility,
		IDs: recovery.IDs(out.Stored.State), Known: known,
		Progress: func(int, int) { j.notes.Progress.Advance(1) },
	})
	out.Outcomes = result.Outcomes
	out.Stored.State = recovery.Ended(out.Stored.State, j.led.ID(), p.Actions, result, err == nil)
	if err != nil {
		return out, err
	}
	return out, result.Stopped
}

// journalSettled writes down what was settled, once the run is this process's
// own, and says how much of it stands in the journal.
func (j *job) journalSettled(ctx context.Context, settled []apply.Settled) (int, error) {
	for n, s := range settled {
		if err := j.journal().Outcome(ctx, s.Outcome, s.Made); err != nil {
			return n, fmt.Errorf("writing the journal: %w", err)
		}
	}
	return len(settled), nil
}

// gate lets a write go out only if nobody has set HOLD and the run still holds
// its lease for longer than the write may take. The lease is looked at last:
// to look for HOLD may take a while.
func (j *job) gate(ctx context.Context, takes time.Duration, hold *string) error {
	reason, held, err := j.Ledger.Hold(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("looking for HOLD: %w", err)
	case held:
		*hold = reason
		return fmt.Errorf("HOLD: %s", reason)
	}
	lease := j.led.Lease()
	if err := context.Cause(lease.Context()); err != nil {
		return fmt.Errorf("the lease is lost: %w", err)
	}
	// Also by the wall clock: a machine that slept shows it there alone.
	ends, then := lease.Expires(), j.Now().Add(takes)
	if !ends.IsZero() && (then.After(ends) || then.Round(0).After(ends.Round(0))) {
		return fmt.Errorf("the lease ends at %s, too early to finish a write", ends.UTC().Format(time.RFC3339))
	}
	return nil
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
