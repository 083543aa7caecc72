package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// printStored prints the summary of a stored run.
func (c *command) printStored(ctx context.Context, l *ledger.Ledger, run string) error {
	where := strings.TrimSuffix(l.Store().URL(), "/") + "/"
	in, _, err := l.OpenProved(ctx, run, "report.json")
	if err != nil {
		return fmt.Errorf("report.json of run %s: %w", run, err)
	}
	defer in.Close()
	var r report.Report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("report.json of run %s: %w", run, err)
	}
	res, err := storedResult(ctx, l, r)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s: %s %s, run %s, %s%s\n", r.Tenant, r.Mode, c.paintStatus(sweep.Status(r.Status)), r.Run, r.StartedAt.UTC().Format(time.RFC3339), c.missed(res))
	for _, o := range r.OverDismissed {
		c.line("urgent", c.paint(red, "over-dismissed "+nameOf(o.Subject)+": "+printable(o.Detail)))
	}
	for _, e := range r.Errors {
		c.line("error", c.paint(red, printable(e.Message)))
		if e.Hint != "" {
			c.line("means", printable(e.Hint))
		}
	}
	if q := r.Requested; q != nil && r.Order == nil {
		if text := requestedWords(q); text != "" {
			c.line("asked by", printable(text))
		}
	}
	for _, s := range r.Warnings {
		c.line("warning", printable(s))
	}
	c.printSummary(where+ledger.RunPath(res.Tenant, res.Run)+"/report.html", res)
	return nil
}

// changedWords say what of an object changed, and who did it.
func changedWords(x report.Changed) string {
	text := ""
	if len(x.Paths) > 0 && len(x.Members) == 0 {
		text = ": " + strings.Join(x.Paths, ", ")
	}
	if x.ChangedBy != nil {
		text += "; " + x.ChangedBy.Text()
	}
	return printable(text)
}

// requestedWords say who asked for a run, and why.
func requestedWords(q *plan.Requested) string {
	text := q.By
	if text == "" {
		text = string(q.Through)
	}
	if as := q.SignedInAs.String(); as != "" {
		text += ", signed in as " + as
	}
	if q.Reason != "" {
		text += ": " + q.Reason
	}
	return text
}

// storedResult puts a run together from its files, so that it is shown as it
// showed itself.
func storedResult(ctx context.Context, l *ledger.Ledger, r report.Report) (sweep.Result, error) {
	res := sweep.Result{Run: r.Run, Tenant: r.Tenant, Mode: sweep.Mode(r.Mode), Kind: ledger.RunKind(r.Kind), Status: sweep.Status(r.Status), Outcomes: r.Outcomes, Settled: r.Settled,
		Hold: r.Hold, Skipped: r.Skipped, NeedsPerson: r.NeedsPerson, Campaigns: r.Campaigns, Counts: r.Counts, Order: r.Order, Unread: r.Coverage.Unread, Complete: r.Coverage.Complete,
		Started: r.StartedAt, Finished: r.FinishedAt, Exceptions: r.Exceptions}
	res.Stats.Total, res.Stats.Throttled, res.Stats.Retried = r.Requests.Total, r.Requests.Throttled, r.Requests.Retried
	var err error
	if res.Workloads, err = report.PrincipalsWaiting(r.ServicePrincipals); err != nil {
		return res, fmt.Errorf("report.json of run %s: %w", r.Run, err)
	}
	if res.Plan, err = l.Plan(ctx, r.Run); err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		return res, err
	}
	in, _, err := l.OpenProved(ctx, r.Run, "policies.json")
	if errors.Is(err, blobstore.ErrNotFound) {
		return res, nil
	}
	if err != nil {
		return res, err
	}
	defer in.Close()
	all, err := report.ReadPolicies(in)
	if err != nil {
		return res, fmt.Errorf("policies.json of run %s: %w", r.Run, err)
	}
	for _, row := range all.Objects {
		res.Entries = append(res.Entries, drift.Entry{Kind: row.Kind, Key: row.Key, ID: row.ID, DisplayName: row.DisplayName, State: row.State,
			Status: drift.Status(row.Status), Differences: row.Differences, Reasons: row.Reasons})
	}
	return res, nil
}

// diffRuns says what changed between two stored runs.
func (c *command) diffRuns(cmd *cobra.Command, from, to string) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	a, t, err := c.openOne(cmd, config.ToRead)
	if err != nil {
		return err
	}
	l := a.Ledger(t.Name)
	for _, run := range []string{from, to} {
		if _, err := findRun(cmd, l, run); err != nil {
			return err
		}
	}
	if from > to { // ids sort by their start
		c.log.Warn(fmt.Sprintf("run %s began after run %s, so the comparison goes back in time: name the older run first to see what has changed since", from, to))
	}
	d, err := sweep.CompareRuns(cmd.Context(), l, from, to)
	if errors.Is(err, sweep.ErrNotWhole) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if form == "json" {
		return printJSON(c.data(), d)
	}
	for _, part := range []struct {
		head string
		list []report.Changed
		kind string
	}{{"new risk", d.New, "new"}, {"risk gone", d.Gone, "gone"}, {"risk risen", d.Risen, "risen"}, {"policies", d.Drifted, "drifted"}} {
		fmt.Fprintf(c.Out, "%s: %d\n", part.head, d.Total[part.kind])
		tab := newTable("", "")
		for _, x := range part.list {
			how := strings.TrimSpace(x.Was + " → " + x.Is)
			if x.Was == x.Is {
				how = x.Is + ", changed"
			}
			tab.row("  "+cmp.Or(x.Name, x.ID), how+changedWords(x))
			for _, m := range x.Members {
				tab.row("", "  "+m)
			}
		}
		tab.printRows(c.Out, c.Width)
	}
	if len(d.Between) > 0 {
		fmt.Fprintf(c.Out, "between them: %d\n", len(d.Between))
		tab := newTable("", "", "", "")
		for _, e := range d.Between {
			what := string(e.What)
			if e.What == report.EventAction || e.What == report.EventSettled {
				what = spaced(e.Kind)
			}
			tab.row("  "+e.At.UTC().Format("2006-01-02 15:04Z"), what, cmp.Or(e.Name, e.Key, e.ID), cameTo(e))
		}
		tab.printRows(c.Out, c.Width)
	}
	for _, part := range d.NotCompared {
		fmt.Fprintf(c.Out, "%s: not compared, because one of the runs did not read it\n", part)
	}
	return nil
}
