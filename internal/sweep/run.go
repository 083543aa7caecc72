package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// Run sweeps the tenant once. The error is set if no run came to be: the lease
// is held, the store cannot be written. Whatever happens later is in the
// result and in the report, which is written also after a failure.
func (s *Sweeper) Run(ctx context.Context, req Request) (Result, error) {
	given := req.Order
	req.Order = s.shown(given, nil)
	led, err := s.Ledger.Begin(ctx, ledger.BeginOptions{
		Mode: string(req.Mode), Run: req.Run,
		Holder: blobstore.Holder{Run: req.Run, Host: s.Host, PID: s.PID, Since: s.Now().UTC()},
	})
	if err != nil {
		s.tell(ctx, Result{Tenant: s.Name, Mode: req.Mode, Kind: req.Kind(), Order: s.order(req, nil)}, err)
		return Result{}, err
	}
	j := s.newJob(req, led)
	j.given = given
	defer j.close(ctx)
	j.log.Info("run begins", "mode", req.Mode)
	f, err := j.stages(ctx)
	if f.goesOn(ctx, req) {
		j.log.Info("the run goes on later from its checkpoint")
		return Result{Run: led.ID(), Tenant: s.Name, Mode: req.Mode, Kind: req.Kind(), Started: j.started, Counts: j.rows.counts,
			Plan: f.plan, Hold: f.hold, Err: errors.Join(ErrContinue, j.rows.abort(), f.snapshot.LeaveCheckpoint())}, nil
	}
	res := j.publish(ctx, f, err)
	if err := f.snapshot.LeaveCheckpoint(); err != nil {
		j.log.Warn("the checkpoint could not be closed", "error", err)
	}
	j.close(ctx) // whoever is told may begin the next run
	s.tell(ctx, res, nil)
	return res, nil
}

// facts are what the stages have returned, as far as the run came.
type facts struct {
	stored    recovery.Stored // the state, as of the last stage that gave a new one
	hold      string
	recovered recovery.Recovered
	snapshot  gather.Snapshot
	users     []plan.Action // on users
	drift     drift.Result
	audits    *audit.Log // nil: not read
	glass     watchedGlass
	tests     []report.GlassTest
	ending    []plan.Exclusion // told for the first time that they end soon
	plan      plan.Plan
	planned   bool // plan.json is stored
	executed  executed
}

// stages recovers, gathers, decides, plans and executes. Its error ends the run;
// the facts are what was done until then.
func (j *job) stages(ctx context.Context) (f facts, err error) {
	if err = j.rows.open(ctx); err != nil {
		return f, err
	}
	if f.stored, err = recovery.Read(ctx, j.Ledger); err != nil {
		return f, err
	}
	if f.hold, _, err = j.Ledger.Hold(ctx); err != nil {
		return f, err
	}
	if err = j.notes.Timed("tenant", func() (err error) { f.snapshot.Start, err = j.source.Begin(ctx); return err }); err != nil {
		return f, err
	}
	j.rows.asked(j.requested(j.req, f.snapshot.Start, nil))
	err = j.notes.Timed("settle", func() (err error) { f.recovered, err = j.recover(ctx, f.stored); return err })
	f.stored = f.recovered.Stored
	if err != nil {
		return f, fmt.Errorf("settling what earlier runs left open: %w", err)
	}
	if !j.req.ordered() {
		if err = j.notes.Timed("audits", func() (err error) {
			f.audits, err = j.audits(ctx, j.notes, f.snapshot.ServiceNow())
			return err
		}); err != nil {
			return f, fmt.Errorf("reading the audit log: %w", err)
		}
	}
	known, err := j.pinned(j.req, f.recovered)
	if err != nil {
		return f, err
	}
	if f.snapshot, f.users, f.drift, err = j.decide(ctx, f.snapshot.Start, known, f.audits); err != nil {
		return f, err
	}
	if j.pins(j.req) {
		f.stored.State.Owned = drift.Known(f.snapshot.State.Owned, f.stored.State.Owned)
	}
	nameChanges(f.audits, &f.drift, f.snapshot)
	if !j.req.ordered() {
		if err = j.notes.Timed("breakGlassWatch", func() (err error) { f.glass, err = j.watchGlass(ctx, f.snapshot); return err }); err != nil {
			return f, fmt.Errorf("watching the break-glass accounts: %w", err)
		}
		if !f.glass.until.IsZero() {
			f.stored.State.BreakGlassWatched = f.glass.until.UTC()
		}
		if seen := f.glass.last; seen != nil {
			last := rememberedGlass(f.stored.State.BreakGlassSignIns, seen, f.snapshot)
			f.stored.State.BreakGlassSignIns, f.tests = last, j.glassTests(last, f.snapshot)
		}
	}
	if !j.req.ordered() && (f.drift.Excluded != nil || f.snapshot.Exceptions != nil) {
		f.ending, f.drift.Excluded = tellOnce(f.drift.Excluded, f.snapshot.ServiceNow())
		f.stored.State = recovery.Excluding(f.stored.State, j.Output.Redaction.Exclusions(f.drift.Excluded))
	}
	if f.plan, f.planned, err = j.plan(ctx, f.snapshot, f.users, f.drift.Actions); err != nil {
		return f, err
	}
	_ = f.snapshot.DropCheckpoint(ctx) // ignored: a stale checkpoint is rejected by the watermark check
	if j.req.Mode == Plan {
		f.executed.Outcomes = apply.Planned(f.plan, j.Now())
		return f, nil
	}
	err = j.notes.Timed("apply", func() (err error) { f.executed, err = j.execute(ctx, f.plan, f.snapshot, f.stored, f.hold); return err })
	f.stored = f.executed.Stored
	return f, err
}

// goesOn reports whether a run that was stopped by its deadline is to be
// continued from its checkpoint: nothing was planned, and this turn has brought
// something.
func (f facts) goesOn(ctx context.Context, req Request) bool {
	return req.Continue && !f.planned && f.snapshot.KeptMore() && errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// recover takes in what earlier runs left.
func (j *job) recover(ctx context.Context, stored recovery.Stored) (recovery.Recovered, error) {
	scope := recovery.Users
	if j.req.Mode == Apply {
		scope = recovery.All
	}
	rec, err := j.recovered(ctx, stored, scope)
	for _, s := range rec.Settled {
		j.Log.Info("settled", "run", s.Outcome.Run, "action", s.Outcome.Action, "kind", s.Outcome.Kind,
			"subject", nameOf(s.Outcome.Subject), "status", s.Outcome.Status, "detail", s.Outcome.Detail, "tenant", j.Name)
	}
	return rec, err
}

// recovered is what a run, and whoever only looks, goes on from.
func (s *Sweeper) recovered(ctx context.Context, stored recovery.Stored, scope recovery.Scope) (recovery.Recovered, error) {
	return recovery.Recover(ctx, recovery.Options{Ledger: s.Ledger, Reader: s.Reader, Scope: scope,
		Patience: apply.Patience{Now: s.Now, Pending: s.Settings.Settle, Visibility: s.Settings.Visibility}}, stored)
}
