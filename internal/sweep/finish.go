package sweep

import (
	"bytes"
	"context"
	"encoding/json"
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

// finish writes the report whatever became of the run, then the manifest, the
// state and latest.json. What fails here fails the run.
func (r *run) finish(ctx context.Context, runErr error) {
	ctx, cancel := outliving(ctx, finishWithin)
	defer cancel()
	if errors.Is(runErr, context.Canceled) || errors.Is(runErr, context.DeadlineExceeded) {
		r.Log.Warn("the run is cut short; its report is written", "tenant", r.Name, "run", r.led.ID())
	}
	r.Progress.Stage("report", 0)
	defer r.Progress.Done()
	r.res.Err, r.res.Status = runErr, r.status(runErr)
	r.res.Settled = r.rec.Outcomes()
	r.res.Stats = r.stats()
	r.res.Finished, r.res.Complete = r.Now().UTC(), r.readAll
	r.res.Order, r.res.Unread = r.Sweeper.order(r.req, r.users), r.unread()
	r.dropHalfCounts()
	if r.res.Outcomes == nil && len(r.res.Plan.Actions) > 0 {
		r.res.Outcomes = notAttempted(r.res.Plan, r.Now(), "the run ended before")
	}
	if err := r.store(ctx); err != nil {
		r.res.Err = errors.Join(r.res.Err, fmt.Errorf("storing the report: %w", err))
		r.res.Status = Failed
		r.Log.Error("the report could not be stored", "tenant", r.Name, "run", r.led.ID(), "error", err)
	}
	ends := []any{"tenant", r.Name, "run", r.led.ID(), "mode", r.req.Mode, "status", r.res.Status,
		"requests", r.res.Stats.Total, "throttled", r.res.Stats.Throttled}
	if r.res.Head != "" {
		ends = append(ends, headKeys[r.req.Mode], r.res.Head)
	}
	r.Log.Info("run ends", ends...)
	r.res.Finished = r.Now().UTC()
}

// headKeys name the head of either chain in the log.
var headKeys = map[Mode]string{Apply: "head", Plan: "planHead"}

// stats is what this run sent; the client counts for all runs it served.
func (r *run) stats() entra.RequestStats {
	now, before := r.Reader.Stats(), r.before
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
func (r *run) store(ctx context.Context) error {
	if !r.planned { // what no plan makes this run's own it must not write
		err := r.claim(ctx, plan.Build(plan.Input{Run: r.led.ID(), Tenant: r.Name, TenantID: r.TenantID, CreatedAt: r.Now()}))
		if err != nil {
			return errors.Join(err, r.abortFiles())
		}
	}
	if err := r.closeFiles(ctx); err != nil {
		return err
	}
	if err := r.journalSettled(ctx); err != nil {
		return err
	}
	var actions, policiesJSON, policiesCSV bytes.Buffer
	red := r.Output.Redaction
	outcomes, settled := red.Outcomes(r.res.Outcomes), red.Outcomes(r.rec.Outcomes())
	if err := report.WriteActions(&actions, red.Plan(r.res.Plan), outcomes, settled, r.Output.CSV); err != nil {
		return err
	}
	if err := report.WritePolicies(&policiesJSON, &policiesCSV, red.Policies(r.policyRows()), r.Output.CSV); err != nil {
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
	rep, err := r.report(ctx, outcomes, settled)
	if err != nil {
		return err
	}
	if err := r.writeReport(ctx, rep); err != nil {
		return err
	}
	if err := r.writePage(ctx, rep); err != nil {
		return err
	}
	m := ledger.Manifest{Kind: r.req.Kind(), Unread: r.res.Unread, Version: r.Version, Status: string(r.res.Status), ExitCode: r.exitCode(),
		StartedAt: r.started, FinishedAt: r.res.Finished, Counts: r.res.Counts}
	if r.req.Mode != Apply {
		// It lies in the run's folder, and nobody goes on from it.
		if err := r.dropCheckpoint(ctx, r.checkpoint); err != nil {
			return err
		}
		r.res.Head, err = r.led.Finish(ctx, m, "", "") // in the chain of plan runs
		return err
	}
	if err := r.join(ctx, m); err != nil {
		return err
	}
	return r.saveState(ctx)
}

// join lets the run's manifest join the chain; if the lease ends right then, it
// is taken again, once.
func (r *run) join(ctx context.Context, m ledger.Manifest) (err error) {
	for range 2 {
		if err := r.reclaim(ctx); err != nil {
			return err
		}
		if !r.rec.Read {
			// Where the chain ends, another try may say.
			if s, _, err := r.Ledger.State(ctx); err == nil {
				r.rec.State.Head, r.rec.State.HeadRun = s.Head, s.HeadRun
			}
		}
		head, headRun, err := r.Ledger.Head(ctx, r.rec.State)
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
func (r *run) reclaim(ctx context.Context) error {
	again, err := r.led.Reclaim(ctx)
	if err != nil || !again {
		return err
	}
	r.readAll = false
	r.rec.State, r.rec.Version, err = r.Ledger.State(ctx)
	return err
}

func (r *run) exitCode() int {
	if r.Output.ExitCode == nil {
		return 0
	}
	return r.Output.ExitCode(r.res)
}

// saveState moves the watermark, once the manifest stands: only a run that has
// read everything moves it.
func (r *run) saveState(ctx context.Context) error {
	if r.rec.Read {
		r.rec.State.Head, r.rec.State.HeadRun = r.res.Head, r.led.ID()
		if r.readAll {
			r.rec.State.Watermark = r.serviceStart
			if r.full {
				r.rec.State.LastFull = r.serviceStart
			}
			r.rec.State.GroupMembers = r.directory.groups
		}
		r.rec.State = recovery.WithoutOld(r.rec.State, r.Now())
		if _, err := r.Ledger.SaveState(ctx, r.rec.State, r.rec.Version); err != nil {
			return err
		}
	}
	if r.readAll {
		if err := r.led.Latest(ctx, string(r.res.Status)); err != nil {
			return err
		}
	}
	gone, err := r.Ledger.Prune(ctx, r.rec.State.Unpruned()...)
	if len(gone) > 0 {
		r.Log.Info("deleted runs beyond store.keepDays", "tenant", r.Name, "runs", len(gone))
	}
	return err
}

// claim stores the plan, and with it makes the run this process's own.
func (r *run) claim(ctx context.Context, p plan.Plan) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(p); err != nil {
		return err
	}
	return r.led.Claim(ctx, "plan.json", b.Bytes())
}
