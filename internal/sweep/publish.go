package sweep

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// Output says how reports are written.
type Output struct {
	Redaction report.Redaction
	Formats   []string // besides the files that are always written: ocsf
	SLA       report.SLA
	CSV       report.CSVForm
	// ExitCode gives the exit code of a finished run, for the report.
	ExitCode func(Result) int
}

// finishWithin is how long writing the report may take after a cancel, or after
// the run's own time.
const finishWithin = 5 * time.Minute

// publisher writes what became of a run.
type publisher struct {
	*job
	facts
	res     Result
	reached report.Reached
}

// publish writes the report whatever became of the run, then the manifest, the
// state and latest.json. What fails here fails the run.
func (j *job) publish(ctx context.Context, f facts, runErr error) Result {
	ctx, cancel := blobstore.Outliving(ctx, finishWithin)
	defer cancel()
	if errors.Is(runErr, context.Canceled) || errors.Is(runErr, context.DeadlineExceeded) {
		j.log.Warn("the run is cut short; its report is written")
	}
	j.notes.Progress.Stage("report", 0)
	defer j.notes.Progress.Done()
	r := &publisher{job: j, facts: f}
	r.res = Result{Run: j.led.ID(), Tenant: j.Name, Mode: j.req.Mode, Kind: j.req.Kind(), Started: j.started, Finished: j.Now().UTC(),
		Plan: f.plan, Outcomes: f.executed.Outcomes, Settled: f.recovered.Outcomes(), Entries: f.drift.Entries, Exceptions: f.drift.Exceptions, Unexplained: f.drift.Unexplained, Ending: f.ending, Next: f.drift.Next, Findings: j.notes.Warnings,
		Hold: cmp.Or(f.executed.Hold, f.hold), Skipped: j.notes.Skipped, Counts: j.rows.counts, Complete: f.snapshot.Complete,
		Order: j.order(j.req, f.users), Unread: r.unread(), Stats: r.stats(), Err: runErr}
	r.res.Requested = j.requested(j.req, f.snapshot.Start, f.users)
	_, principals := r.res.Counts["riskyServicePrincipals"]
	r.res.Unsure = Unsure{BreakGlass: f.glass.until.IsZero(), Tests: f.glass.last == nil, Workloads: !principals}
	r.res.Exceptions = exceptionsAfter(r.res.Exceptions, f.plan, r.res.Outcomes)
	r.tellOverdue()
	r.res.Status = r.status(runErr)
	if r.res.Outcomes == nil && len(f.plan.Actions) > 0 {
		r.res.Outcomes = notAttempted(f.plan, j.Now(), "the run ended before")
	}
	if j.req.Mode == Apply {
		r.res.Next = nextAfter(r.res.Next, r.res.Outcomes)
	}
	for _, next := range r.res.Next {
		j.notes.Warn(next)
	}
	if missed := j.rows.campaigns.Missed(); missed != "" && !j.req.ordered() {
		j.notes.Warn(missed)
	}
	r.res.Findings = j.notes.Warnings
	settled := j.rows.settle(r.res.Outcomes)
	r.counts()
	r.reached = r.reach()
	if err := errors.Join(settled, r.store(ctx)); err != nil {
		r.res.Err = errors.Join(r.res.Err, fmt.Errorf("storing the report: %w", err))
		r.res.Status = Failed
		r.log.Error("the report could not be stored", "error", err)
	}
	ends := []any{"mode", r.req.Mode, "status", r.res.Status,
		"requests", r.res.Stats.Total, "throttled", r.res.Stats.Throttled}
	if r.res.Head != "" {
		ends = append(ends, headKeys[r.req.Mode], r.res.Head)
	}
	r.log.Info("run ends", ends...)
	r.res.Finished = r.Now().UTC()
	return r.res
}

// headKeys name the head of either chain in the log.
var headKeys = map[Mode]string{Apply: "head", Plan: "planHead"}

// stats is what this run sent; the client counts for all runs it served.
func (r *publisher) stats() entra.RequestStats {
	now, before := r.Reader.Stats(), r.sent
	out := entra.RequestStats{Total: now.Total - before.Total, Throttled: now.Throttled - before.Throttled,
		Retried: now.Retried - before.Retried, Waited: now.Waited - before.Waited, ByPath: map[string]int{}}
	for path, n := range now.ByPath {
		if n -= before.ByPath[path]; n > 0 {
			out.ByPath[path] = n
		}
	}
	return out
}

// store writes every file that is still missing, the manifest last, then what
// the next run builds on.
func (r *publisher) store(ctx context.Context) error {
	if !r.planned { // what no plan makes this run's own it must not write
		err := r.claim(ctx, plan.Build(plan.Input{Run: r.led.ID(), Tenant: r.Name, TenantID: r.TenantID, CreatedAt: r.Now()}))
		if err != nil {
			return errors.Join(err, r.rows.abort())
		}
	}
	if err := r.rows.drifted(r.Output.Redaction.Policies(r.policyRows())); err != nil {
		return err
	}
	if err := r.rows.close(ctx); err != nil {
		return err
	}
	if r.req.Mode == Apply {
		if _, err := r.journalSettled(ctx, r.recovered.Decided()[r.executed.Journaled:]); err != nil {
			return err
		}
	}
	policies := r.policyRows()
	shown := r.Output.Redaction.Policies(policies)
	var actions, policiesJSON, policiesCSV bytes.Buffer
	red := r.Output.Redaction
	outcomes, settled := red.Outcomes(r.res.Outcomes), red.Outcomes(r.recovered.Outcomes())
	if err := report.WriteActions(&actions, red.Plan(r.res.Plan), outcomes, settled, r.Output.CSV); err != nil {
		return err
	}
	if err := report.WritePolicies(&policiesJSON, &policiesCSV, shown, r.Output.CSV); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		data []byte
	}{{"actions.csv", actions.Bytes()}, {"policies.json", policiesJSON.Bytes()}, {"policies.csv", policiesCSV.Bytes()}} {
		if err := r.led.PutFile(ctx, f.name, f.data); err != nil {
			return err
		}
	}
	if err := r.putImpact(ctx); err != nil {
		return err
	}
	if err := r.writeReached(ctx); err != nil {
		return err
	}
	rep, err := r.report(ctx, outcomes, settled, policies, shown)
	if err != nil {
		return err
	}
	if err := r.writeReport(ctx, rep); err != nil {
		return err
	}
	m := ledger.Manifest{Kind: r.req.Kind(), Unread: r.res.Unread, Version: r.Version, Status: string(r.res.Status), ExitCode: r.exitCode(),
		StartedAt: r.started, FinishedAt: r.res.Finished, Counts: r.res.Counts, Requested: r.res.Requested, ConfigCommit: r.ConfigCommit}
	if err := r.led.Inputs(ctx, r.Inputs, r.Output.Redaction.Active()); err != nil {
		return err
	}
	if r.req.Mode != Apply {
		// It lies in the run's folder, and nobody goes on from it.
		if err := r.snapshot.DropCheckpoint(ctx); err != nil {
			return err
		}
		r.res.Head, err = r.led.Finish(ctx, m, "", "") // in the chain of plan runs
		return err
	}
	if m.CutShort, err = r.Ledger.CutShort(ctx, r.recovered.Found); err != nil {
		return err
	}
	if err := r.join(ctx, m); err != nil {
		return err
	}
	return r.saveState(ctx)
}

// join lets the run's manifest join the chain; if the lease ends right then, it
// is taken again, once.
func (r *publisher) join(ctx context.Context, m ledger.Manifest) (err error) {
	for range 2 {
		if err := r.reclaim(ctx); err != nil {
			return err
		}
		if !r.stored.Read {
			// Where the chain ends, another try may say.
			if s, _, err := r.Ledger.State(ctx); err == nil {
				r.stored.State.Head, r.stored.State.HeadRun = s.Head, s.HeadRun
			}
		}
		head, headRun, err := r.Ledger.Head(ctx, r.stored.State)
		if err != nil {
			return err
		}
		if r.res.Head, err = r.led.Finish(ctx, m, head, headRun); !errors.Is(err, blobstore.ErrLeaseLost) {
			return err
		}
	}
	return fmt.Errorf("the lease ended twice: %w", blobstore.ErrLeaseLost)
}

// reclaim takes a lease that was lost again before the manifest joins the
// chain: another run may have come between, and its state and manifest are the
// ones to go on from. What this run has done it leaves for the next to fold in
// from the journal. While another run is at it, this one stays without a
// manifest.
func (r *publisher) reclaim(ctx context.Context) error {
	again, err := r.led.Reclaim(ctx)
	if err != nil || !again {
		return err
	}
	r.snapshot.Complete = false
	r.stored.State, r.stored.Version, err = r.Ledger.State(ctx)
	return err
}

func (r *publisher) exitCode() int {
	if r.Output.ExitCode == nil {
		return 0
	}
	return r.Output.ExitCode(r.res)
}

// saveState moves the watermark, once the manifest stands: only a run that has
// read everything moves it.
func (r *publisher) saveState(ctx context.Context) error {
	if r.stored.Read {
		r.stored.State.Head, r.stored.State.HeadRun = r.res.Head, r.led.ID()
		if r.snapshot.Complete {
			r.stored.State.Watermark = r.snapshot.ServiceStart
			if r.snapshot.Full {
				r.stored.State.LastFull = r.snapshot.ServiceStart
			}
			r.stored.State.GroupMembers = r.snapshot.Groups()
		}
		r.stored.State = recovery.WithoutOld(r.stored.State, r.Now())
		if _, err := r.Ledger.SaveState(ctx, r.stored.State, r.stored.Version); err != nil {
			return err
		}
	}
	if r.snapshot.Complete {
		if err := r.led.Latest(ctx, string(r.res.Status)); err != nil {
			return err
		}
	}
	gone, err := r.Ledger.Prune(ctx, r.stored.State.Unpruned()...)
	if len(gone) > 0 {
		r.log.Info("deleted runs beyond store.keepDays", "runs", len(gone))
	}
	return err
}

// claim stores the plan, and with it makes the run this process's own.
func (r *job) claim(ctx context.Context, p plan.Plan) error {
	text, err := report.Indented(p)
	if err != nil {
		return err
	}
	return r.led.Claim(ctx, "plan.json", text)
}

// status says how the run ended.
func (r *publisher) status(err error) Status {
	var bad, keptBack bool
	for _, o := range r.res.Outcomes {
		bad, keptBack = bad || o.Status.Bad(), keptBack || o.Status.KeptBack()
	}
	for _, s := range r.recovered.Settled {
		bad = bad || s.Outcome.Status == plan.SettledPending
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case err != nil:
		return Failed
	case len(r.res.Plan.Violations) > 0:
		return Refused
	case keptBack && r.req.ordered() && r.req.Mode == Apply: // what a person ordered and did not get is no success
		return Refused
	case bad || len(r.notes.Errors) > 0:
		return Partial
	}
	return Succeeded
}
