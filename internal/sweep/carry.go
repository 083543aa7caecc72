package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
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
	r.rec.State = recovery.Begun(r.rec.State, r.led.ID(), r.Now())
	version, err := r.Ledger.SaveState(ctx, r.rec.State, r.rec.Version)
	if err != nil {
		return fmt.Errorf("marking the run as open (nothing was sent): %w", err)
	}
	r.rec.Version = version
	known, listed := map[entra.ObjectKind]map[string]bool{}, map[entra.ObjectKind][]string{}
	for kind, docs := range r.lists {
		known[kind] = map[string]bool{}
		for _, d := range docs {
			known[kind][d.ID()] = true
			listed[kind] = append(listed[kind], d.ID())
		}
	}
	if err := r.journal().Known(ctx, listed); err != nil {
		return fmt.Errorf("writing the journal (nothing was sent): %w", err)
	}
	total := r.res.Plan.Pending()
	r.Progress.Stage("apply", total)
	result, err := apply.Run(ctx, apply.Options{
		Plan: r.res.Plan, Reader: r.Reader, Writer: r.Writer(), Journal: r.journal(), Gate: r.gate, Now: r.Now, ServiceTime: r.serviceTime,
		WriteTimeout: r.Settings.WriteTimeout, ReadBack: r.Settings.ReadBack, Visibility: r.Settings.Visibility,
		IDs: recovery.IDs(r.rec.State), Known: known,
		Progress: func(int, int) { r.Progress.Advance(1) },
	})
	r.res.Outcomes = result.Outcomes
	r.rec.State = recovery.Ended(r.rec.State, r.led.ID(), r.res.Plan.Actions, result, err == nil)
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
