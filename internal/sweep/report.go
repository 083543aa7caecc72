package sweep

import (
	"context"
	"errors"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
)

// keptAddresses bounds the addresses that a result names.
const keptAddresses = 100

// report gathers report.json. The policies are as they were read, and as the
// report may show them.
func (r *publisher) report(ctx context.Context, outcomes, settled []plan.Outcome, policies, shown []report.PolicyRow) (report.Report, error) {
	rep := report.Report{
		Run: r.led.ID(), Tenant: r.Name, TenantID: r.TenantID, Mode: string(r.req.Mode), Kind: string(r.req.Kind()), Order: r.res.Order, Requested: r.res.Requested, Status: string(r.res.Status), ExitCode: r.exitCode(),
		Version: r.Version, StartedAt: r.started, FinishedAt: r.res.Finished,
		Coverage: report.Coverage{Complete: r.snapshot.Complete, Full: r.snapshot.Full, Since: r.snapshot.Since, Unread: r.res.Unread, ServiceTime: r.snapshot.ServiceStart},
		Counts:   r.res.Counts, Enforcement: r.Settings.Enforcement, Limits: r.Settings.Limits, Violations: r.res.Plan.Violations,
		Outcomes: outcomes, Settled: settled, Skipped: r.res.Skipped, Warnings: r.redacted(r.res.Findings), Next: r.redacted(r.res.Next), Breakdown: r.rows.tally, Hold: r.res.Hold,
		Exceptions: r.Output.Redaction.Exempt(r.res.Exceptions), Unexplained: r.Output.Redaction.Unexplained(r.res.Unexplained),
	}
	for _, o := range outcomes {
		if o.Status == plan.OverDismissed {
			rep.OverDismissed = append(rep.OverDismissed, o)
		}
	}
	changes := map[entra.ObjectKind]map[string]*plan.Change{}
	p := r.Output.Redaction.Plan(r.res.Plan)
	rep.Effects = p.Effects
	for _, a := range p.Actions {
		if c := a.Change; c != nil && c.Effects != nil {
			if changes[c.Kind] == nil {
				changes[c.Kind] = map[string]*plan.Change{}
			}
			changes[c.Kind][c.Key] = c
		}
	}
	for _, row := range shown {
		if c := changes[row.Kind][row.Key]; c != nil {
			row.Effects, row.Through = c.Effects, c.Through
		}
		if row.Promotion != nil {
			p := row
			p.Live = nil
			rep.Promotions = append(rep.Promotions, p)
		}
		if row.Status != string(drift.InSync) && row.Status != string(drift.Unmanaged) {
			row.Live = nil
			rep.Drift = append(rep.Drift, row)
		}
	}
	if r.rows.principals != nil {
		rep.ServicePrincipals = r.rows.principals.Shown()
		r.res.Workloads = r.rows.principals.Waiting()
	}
	var betaErr error
	if rep.Beta, betaErr = r.beta(); betaErr != nil {
		return rep, betaErr
	}
	for _, err := range append(append([]error(nil), r.notes.Errors...), r.res.Err) {
		if err != nil {
			rep.Errors = append(rep.Errors, problemOf(err, r.Output.Redaction))
		}
	}
	for _, t := range r.notes.Timings {
		rep.Timings = append(rep.Timings, report.Timing{Part: t.Part, Seconds: t.Elapsed.Seconds()})
	}
	s := r.res.Stats
	rep.Requests = report.Requests{Total: s.Total, Throttled: s.Throttled, Retried: s.Retried, Waited: s.Waited.Seconds(), ByPath: s.ByPath}
	if r.rows.users != nil {
		rep.NeedsPerson = r.rows.users.Waiting(r.Now().Add(r.snapshot.Ahead), r.Output.SLA)
	}
	r.res.NeedsPerson = rep.NeedsPerson
	if !r.req.ordered() {
		rep.Campaigns = r.rows.campaigns.Find()
		r.res.Addresses = r.rows.campaigns.Addresses(keptAddresses)
		r.rows.campaigns = nil // what it has gathered would stay beside the page
	}
	r.res.Campaigns = rep.Campaigns
	rep.BreakGlass = r.Output.Redaction.Glass(r.glass.events)
	r.res.BreakGlass = rep.BreakGlass
	rep.BreakGlassTests = r.Output.Redaction.GlassTests(r.tests)
	r.res.BreakGlassTests = rep.BreakGlassTests
	var err error
	if rep.Difference, err = r.difference(ctx, &rep, policies); err != nil {
		return rep, err
	}
	nameDifference(r.audits, rep.Difference, r.Output.Redaction, everOwned(r.stored.State.Owned))
	if rep.Difference != nil {
		r.res.Drifted = rep.Difference.Drifted
	}
	return rep, nil
}

func (r *publisher) redacted(texts []string) []string {
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

// policyRows are the rows of policies.json.
func (r *publisher) policyRows() []report.PolicyRow {
	live := map[string]entra.Document{}
	for _, kind := range gather.ObjectKinds {
		for _, d := range r.snapshot.Live.List(kind) {
			live[d.ID()] = d
		}
	}
	rows := make([]report.PolicyRow, 0, len(r.drift.Entries))
	for _, e := range r.drift.Entries {
		rows = append(rows, report.PolicyRow{Kind: e.Kind, Key: e.Key, ID: e.ID, DisplayName: e.DisplayName, State: e.State,
			Status: string(e.Status), Differences: e.Differences, Reasons: e.Reasons, Live: live[e.ID], ChangedBy: e.ChangedBy, Promotion: e.Promotion})
	}
	return rows
}
