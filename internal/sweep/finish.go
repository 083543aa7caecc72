package sweep

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
)

// Output says how reports are written.
type Output struct {
	Redaction report.Redaction
	Formats   []string // besides the files that are always written: ocsf
	SLA       report.SLA
	// ExitCode gives the exit code of a finished run, for the report.
	ExitCode func(Result) int
}

// finishWithin is how long writing the report may take after a cancel.
const finishWithin = 5 * time.Minute

// files are the row files of a run, open while it reads.
type files struct {
	detections *report.Detections
	users      *report.Users
	open       []*ledger.FileWriter
	closed     bool
}

// openFiles begins the row files.
func (r *run) openFiles(ctx context.Context) error {
	names := [...]string{"detections.jsonl", "detections.csv", "users.jsonl", "users.csv"}
	w := make([]io.Writer, len(names))
	for i, name := range names {
		f, err := r.led.File(ctx, name)
		if err != nil {
			return fmt.Errorf("storing %s: %w", name, err)
		}
		r.files.open = append(r.files.open, f)
		w[i] = f
	}
	r.files.detections = report.NewDetections(w[0], w[1], r.Output.Redaction)
	r.files.users = report.NewUsers(w[2], w[3], r.Output.Redaction)
	if !slices.Contains(r.Output.Formats, "ocsf") {
		return nil
	}
	f, err := r.led.File(ctx, "ocsf.jsonl")
	if err != nil {
		return fmt.Errorf("storing ocsf.jsonl: %w", err)
	}
	r.files.open = append(r.files.open, f)
	o := report.NewOCSF(f, report.OCSFSource{Version: r.Version, Run: r.led.ID(), TenantID: r.TenantID, At: r.started.UTC()}, r.Output.Redaction)
	r.files.detections.Also(o)
	r.files.users.Also(o)
	return nil
}

// closeFiles ends the row files; they hold what was read, be it all or not.
func (r *run) closeFiles(ctx context.Context) error {
	if r.files.closed || len(r.files.open) == 0 {
		return nil
	}
	r.files.closed = true
	if r.files.users == nil { // the store took some of them only
		return errors.Join(errors.New("the files of the run could not be begun"), r.abortFiles())
	}
	err := errors.Join(r.files.detections.Flush(), r.files.users.Flush())
	for _, f := range r.files.open {
		if err != nil {
			err = errors.Join(err, f.Abort())
			continue
		}
		err = f.Commit(ctx)
	}
	return err
}

// abortFiles gives the row files up.
func (r *run) abortFiles() (err error) {
	r.files.closed = true
	for _, f := range r.files.open {
		err = errors.Join(err, f.Abort())
	}
	return err
}

// finish writes the report whatever became of the run, then the manifest, the
// state and latest.json. What fails here fails the run.
func (r *run) finish(ctx context.Context, runErr error) {
	ctx, cancel := detached(ctx, finishWithin)
	defer cancel()
	if errors.Is(runErr, context.Canceled) || errors.Is(runErr, context.DeadlineExceeded) {
		r.Log.Warn("the run is cut short; its report is written", "tenant", r.Name, "run", r.led.ID())
	}
	r.Progress.Stage("report", 0)
	defer r.Progress.Done()
	r.res.Err, r.res.Status = runErr, r.status(runErr)
	r.res.Stats = r.stats()
	r.res.Finished, r.res.Complete = r.Now().UTC(), r.readAll
	if r.res.Outcomes == nil && len(r.res.Plan.Actions) > 0 {
		r.res.Outcomes = notAttempted(r.res.Plan, r.Now(), "the run ended before")
	}
	if err := r.store(ctx); err != nil {
		r.res.Err = errors.Join(r.res.Err, fmt.Errorf("storing the report: %w", err))
		r.res.Status = Failed
		r.Log.Error("the report could not be stored", "tenant", r.Name, "run", r.led.ID(), "error", err)
	}
	r.Log.Info("run ends", "tenant", r.Name, "run", r.led.ID(), "mode", r.req.Mode, "status", r.res.Status,
		"head", r.res.Head, "requests", r.res.Stats.Total, "throttled", r.res.Stats.Throttled)
	r.res.Finished = r.Now().UTC()
}

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
	outcomes, settled := red.Outcomes(r.res.Outcomes), red.Outcomes(outcomesOf(r))
	if err := report.WriteActions(&actions, red.Plan(r.res.Plan), outcomes, settled); err != nil {
		return err
	}
	if err := report.WritePolicies(&policiesJSON, &policiesCSV, red.Policies(r.policyRows())); err != nil {
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
	m := ledger.Manifest{Version: r.Version, Status: string(r.res.Status), ExitCode: r.exitCode(),
		StartedAt: r.started, FinishedAt: r.res.Finished, Counts: r.res.Counts}
	if r.req.Mode != Apply {
		// It lies in the run's folder, and nobody goes on from it.
		if err := r.dropCheckpoint(ctx, r.checkpoint); err != nil {
			return err
		}
		r.res.Head, err = r.led.Finish(ctx, m, "", "")
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
		if !r.stateRead {
			// Where the chain ends, another try may say.
			if s, _, err := r.Ledger.State(ctx); err == nil {
				r.state.Head, r.state.HeadRun = s.Head, s.HeadRun
			}
		}
		head, headRun, err := r.Ledger.Head(ctx, r.state)
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
	r.state, r.stateVersion, err = r.Ledger.State(ctx)
	return err
}

func outcomesOf(r *run) []plan.Outcome {
	out := make([]plan.Outcome, 0, len(r.settled))
	for _, s := range r.settled {
		out = append(out, s.Outcome)
	}
	return out
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
	if r.stateRead {
		r.state.Head, r.state.HeadRun = r.res.Head, r.led.ID()
		if r.readAll {
			r.state.Watermark = r.serviceStart
			if r.full {
				r.state.LastFull = r.serviceStart
			}
			r.state.GroupMembers = r.directory.groups
		}
		r.forgetOld()
		if _, err := r.Ledger.SaveState(ctx, r.state, r.stateVersion); err != nil {
			return err
		}
	}
	if r.readAll {
		if err := r.led.Latest(ctx, string(r.res.Status)); err != nil {
			return err
		}
	}
	gone, err := r.Ledger.Prune(ctx, r.state.OpenRuns...)
	if len(gone) > 0 {
		r.Log.Info("deleted runs beyond store.keepDays", "tenant", r.Name, "runs", len(gone))
	}
	return err
}

// report gathers report.json.
func (r *run) report(ctx context.Context, outcomes, settled []plan.Outcome) (report.Report, error) {
	rep := report.Report{
		Run: r.led.ID(), Tenant: r.Name, TenantID: r.TenantID, Mode: string(r.req.Mode), Status: string(r.res.Status), ExitCode: r.exitCode(),
		Version: r.Version, StartedAt: r.started, FinishedAt: r.res.Finished,
		Coverage: report.Coverage{Complete: r.readAll, Full: r.full, Since: r.since, ServiceTime: r.serviceStart},
		Counts:   r.res.Counts, Enforcement: r.Settings.Enforcement, Limits: r.Settings.Limits, Violations: r.res.Plan.Violations,
		Outcomes: outcomes, Settled: settled, Skipped: r.res.Skipped, Warnings: r.redacted(r.res.Findings), Breakdown: r.tally,
	}
	if r.held {
		rep.Hold = r.hold
	}
	for _, o := range outcomes {
		if o.Status == plan.OverDismissed {
			rep.OverDismissed = append(rep.OverDismissed, o)
		}
	}
	for _, row := range r.Output.Redaction.Policies(r.policyRows()) {
		if row.Status != string(baseline.InSync) && row.Status != string(baseline.Unmanaged) {
			row.Live = nil
			rep.Drift = append(rep.Drift, row)
		}
	}
	for _, sp := range r.servicePrincipals {
		raw, err := r.Output.Redaction.Document(sp.Raw)
		if err != nil {
			return rep, err
		}
		rep.ServicePrincipals = append(rep.ServicePrincipals, raw)
	}
	for _, err := range append(append([]error(nil), r.errors...), r.res.Err) {
		if err != nil {
			rep.Errors = append(rep.Errors, problemOf(err, r.Output.Redaction))
		}
	}
	for _, t := range r.timings {
		rep.Timings = append(rep.Timings, report.Timing{Part: t.Part, Seconds: t.Elapsed.Seconds()})
	}
	s := r.res.Stats
	rep.Requests = report.Requests{Total: s.Total, Throttled: s.Throttled, Retried: s.Retried, Waited: s.Waited.Seconds(), ByPath: s.ByPath}
	users, err := r.reopen(ctx, "users.jsonl")
	if err != nil {
		return rep, err
	}
	rep.NeedsPerson, err = report.WaitingFor(users, r.serviceNow(), r.Output.SLA)
	if err = errors.Join(err, users.Close()); err != nil {
		return rep, err
	}
	r.res.NeedsPerson = rep.NeedsPerson
	rep.Difference, err = r.difference(ctx, &rep)
	return rep, err
}

func (r *run) redacted(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = r.Output.Redaction.Sentence(t)
	}
	return out
}

// coded is an error that knows the service's code and request id.
type coded interface {
	error
	ServiceCode() string
	ServiceRequestID() string
}

func problemOf(err error, red report.Redaction) report.Problem {
	p := report.Problem{Message: red.Sentence(err.Error())}
	var c coded
	if errors.As(err, &c) {
		p.Code, p.RequestID = c.ServiceCode(), c.ServiceRequestID()
	}
	if a, ok := entra.AdviceFor(err); ok {
		p.Hint = a.String()
	}
	return p
}

// reopen reads a committed file of this run.
func (r *run) reopen(ctx context.Context, name string) (io.ReadCloser, error) {
	in, _, err := r.Ledger.Open(ctx, r.led.ID(), name)
	return in, err
}

// difference compares this run with the last complete one; nil without one.
func (r *run) difference(ctx context.Context, rep *report.Report) (*report.Difference, error) {
	latest, err := r.Ledger.LatestRun(ctx)
	if errors.Is(err, blobstore.ErrNotFound) || r.req.ordered() || !r.readAll {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rep.Previous = latest.Run
	var after report.Policies
	after.Objects = r.policyRows()
	d, err := compareRuns(ctx, r.Ledger, latest.Run, r.led.ID(), &after)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, nil // the last run was deleted
	}
	if err != nil {
		return nil, fmt.Errorf("comparing with run %s: %w", latest.Run, err)
	}
	return &d, nil
}

// CompareRuns says what changed between two stored runs.
func CompareRuns(ctx context.Context, l *ledger.Ledger, from, to string) (report.Difference, error) {
	return compareRuns(ctx, l, from, to, nil)
}

func compareRuns(ctx context.Context, l *ledger.Ledger, from, to string, after *report.Policies) (d report.Difference, err error) {
	var open []io.Closer
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	file := func(run, name string) (io.Reader, error) {
		in, _, err := l.Open(ctx, run, name)
		if err == nil {
			open = append(open, in)
		}
		return in, err
	}
	usersBefore, err := file(from, "users.jsonl")
	if err != nil {
		return d, err
	}
	usersAfter, err := file(to, "users.jsonl")
	if err != nil {
		return d, err
	}
	policies := func(run string) (report.Policies, error) {
		in, err := file(run, "policies.json")
		if err != nil {
			return report.Policies{}, err
		}
		return report.ReadPolicies(in)
	}
	before, err := policies(from)
	if err != nil {
		return d, err
	}
	if after == nil {
		p, err := policies(to)
		if err != nil {
			return d, err
		}
		after = &p
	}
	return report.Compare(from, to, usersBefore, usersAfter, before, *after)
}

// writeReport writes report.json .
func (r *run) writeReport(ctx context.Context, rep report.Report) error {
	users, err := r.reopen(ctx, "users.jsonl")
	if err != nil {
		return err
	}
	defer users.Close()
	f, err := r.led.File(ctx, "report.json")
	if err != nil {
		return err
	}
	if err := report.WriteReport(f, rep, report.Decisions(users, r.serviceNow())); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit(ctx)
}

// policyRows are the rows of policies.json.
func (r *run) policyRows() []report.PolicyRow {
	live := map[string]entra.Document{}
	for _, docs := range r.lists {
		for _, d := range docs {
			live[d.ID()] = d
		}
	}
	rows := make([]report.PolicyRow, 0, len(r.drift.Entries))
	for _, e := range r.drift.Entries {
		rows = append(rows, report.PolicyRow{Kind: e.Kind, Key: e.Key, ID: e.ID, DisplayName: e.DisplayName, State: e.State,
			Status: string(e.Status), Differences: e.Differences, Reasons: e.Reasons, Live: live[e.ID]})
	}
	return rows
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
