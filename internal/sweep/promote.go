package sweep

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/impact"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/decide"
	"github.com/risksweep/risksweep/internal/sweep/gather"
)

// promote reads the evidence of the policies that wait for their promotion, and
// compares once more with it. Evidence that is not whole is none.
func (j *job) promote(ctx context.Context, snap gather.Snapshot, d drift.Result) (drift.Result, *impact.Result, error) {
	if len(d.Waiting) == 0 || j.Logs == nil {
		return d, nil, nil
	}
	now := snap.ServiceNow()
	r, why, err := j.evidence(ctx, snap.Live.Policies, d.Waiting, now)
	if err != nil {
		return d, nil, err
	}
	if why != "" {
		for i := range d.Entries {
			if p := d.Entries[i].Promotion; p != nil {
				p.Waits = []string{"the sign-in log was " + why}
			}
		}
		return d, nil, nil
	}
	recent, err := j.Ledger.RecentActions(ctx, now.Add(-day-snap.Ahead), snap.State.Writers)
	if err != nil {
		return d, nil, fmt.Errorf("counting the promotions of the last 24 hours: %w", err)
	}
	settings := j.Settings.Baseline
	settings.Promotions = max(0, j.Settings.Limits.MaxPromotions-recent[plan.PromotePolicy])
	settings.Evidence = map[string]*plan.Promotion{}
	for n, w := range d.Waiting {
		settings.Evidence[w.Key] = promotion(w, r.Policies[n], now)
	}
	return decide.Drift(j.Baseline, snap, settings), &r, nil
}

const day = 24 * time.Hour

// promotion holds what the log shows of a policy against what is asked for.
func promotion(w drift.Waiting, found impact.PolicyResult, now time.Time) *plan.Promotion {
	p := &plan.Promotion{Since: w.Since, Day: int(now.Sub(w.Since) / day), After: int(w.Promote.After / day), From: windowOf(w, now).UTC(), To: now.UTC(),
		SignIns: found.Judged, MinSignIns: w.Promote.MinSignIns, RefusedUsers: found.Refused.Users, MaxRefusedUsers: w.Promote.MaxRefusedUsers,
		AskedUsers: found.Asked.Users, MaxAskedUsers: w.Promote.MaxAskedUsers}
	for n, who := range found.Who {
		if n == 20 {
			break
		}
		p.Who = append(p.Who, who.Name)
	}
	p.Judge()
	if found.Note != "" { // an empty log is no evidence
		p.Holds, p.Waits = false, append(p.Waits, found.Note)
	}
	return p
}

// windowOf is from when on sign-ins count for a policy: from its last change on,
// and no longer than it must have been watched.
func windowOf(w drift.Waiting, now time.Time) time.Time {
	from := now.Add(-w.Promote.After)
	if w.Since.After(from) {
		return w.Since
	}
	return from
}

// evidence counts the sign-ins of the policies that wait; why says that the log is
// not ours to read.
func (j *job) evidence(ctx context.Context, live []entra.Document, waiting []drift.Waiting, now time.Time) (r impact.Result, why string, err error) {
	o := impact.Options{Window: entra.LogWindow{From: now, To: now}}
	for _, w := range waiting {
		from := windowOf(w, now)
		if from.Before(o.Window.From) {
			o.Window.From = from
		}
		p := impact.Policy{Key: w.Key, DisplayName: w.DisplayName, State: policy.StateReportOnly, ID: w.ID, Place: -1, Since: from}
		if at := slices.IndexFunc(live, func(d entra.Document) bool { return entra.NewID(d.ID()) == w.ID }); at >= 0 {
			p.Silent = impact.Silent(live[at], false)
		}
		o.Policies = append(o.Policies, p)
	}
	i := impact.New(o)
	err = j.notes.Timed("signIns", func() error {
		for rows, err := range j.Logs.SignIns(ctx, entra.SignInQuery{LogWindow: o.Window}) {
			if why = NotRead(err); why != "" {
				return nil
			}
			if err != nil {
				return err
			}
			for n := range rows {
				i.Add(&rows[n])
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		// Nothing is promoted on half a reading; the run goes on.
		j.notes.Warn("the sign-in log could not be read: no policy is promoted")
		j.notes.Fail(err)
		return r, "not read to its end", nil
	}
	if why != "" && !slices.ContainsFunc(j.notes.Skipped, func(s string) bool { return s == partLogs+": "+why }) {
		j.notes.Skip(partLogs, why)
	}
	return i.Result(), why, err
}

// putImpact stores what the log shows of the policies that wait.
func (r *publisher) putImpact(ctx context.Context) error {
	if r.rows.impact == nil {
		return nil
	}
	res := *r.rows.impact
	if red := r.Output.Redaction; red.Active() {
		res.Policies = slices.Clone(res.Policies)
		for n := range res.Policies {
			p := &res.Policies[n]
			p.Who = slices.Clone(p.Who)
			for w := range p.Who {
				p.Who[w].Name = red.Text(p.Who[w].Name)
			}
		}
	}
	text, err := report.Indented(res)
	if err != nil {
		return err
	}
	var table bytes.Buffer
	if err := impact.WriteCSV(res, func(columns []string) impact.Table { return report.NewCSV(&table, columns, r.Output.CSV) }); err != nil {
		return err
	}
	if err := r.led.PutFile(ctx, "impact.json", text); err != nil {
		return err
	}
	return r.led.PutFile(ctx, "impact.csv", table.Bytes())
}
