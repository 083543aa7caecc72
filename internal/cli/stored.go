package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// printStored prints the summary of a stored run.
func (c *command) printStored(ctx context.Context, l *ledger.Ledger, run string) error {
	in, _, err := l.Open(ctx, run, "report.json")
	if err != nil {
		return fmt.Errorf("report.json of run %s: %w", run, err)
	}
	defer in.Close()
	var r report.Report
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("report.json of run %s: %w", run, err)
	}
	fmt.Fprintf(c.Out, "%s: %s %s, run %s, %s\n", r.Tenant, r.Mode, c.paintStatus(sweep.Status(r.Status)), r.Run, r.StartedAt.UTC().Format(time.RFC3339))
	for _, o := range r.OverDismissed {
		c.line("urgent", c.paint(red, "over-dismissed "+nameOf(o.Subject)+": "+printable(o.Detail)))
	}
	for _, e := range r.Errors {
		c.line("error", c.paint(red, printable(e.Message)))
		if e.Hint != "" {
			c.line("means", printable(e.Hint))
		}
	}
	c.printRead(r.Kind, r.Order, r.Coverage, r.Counts)
	counts := map[plan.OutcomeStatus]int{}
	for _, o := range r.Outcomes {
		counts[o.Status]++
	}
	if len(counts) > 0 {
		c.line("actions", countWords(counts))
	}
	for _, v := range r.Violations {
		c.line("refused", c.paint(red, printable(v.Text)))
	}
	for _, d := range r.Drift {
		c.line("drift", fmt.Sprintf("%s %s: %s", d.Kind, printable(d.DisplayName), d.Status))
	}
	for _, s := range r.Skipped {
		c.line("skipped", printable(s))
	}
	for _, s := range r.Warnings {
		c.line("warning", printable(s))
	}
	c.printWaiting(r.NeedsPerson, r.Counts["needsPerson"])
	c.printCampaigns(r.Campaigns)
	return nil
}

// changedWords say what of an object changed, and who did it.
func changedWords(x report.Changed) string {
	text := ""
	if len(x.Paths) > 0 {
		text = ": " + strings.Join(x.Paths, ", ")
	}
	if x.ChangedBy != nil {
		text += "; " + x.ChangedBy.Text()
	}
	return printable(text)
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
	d, err := sweep.CompareRuns(cmd.Context(), l, from, to)
	if errors.Is(err, sweep.ErrNotWhole) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if form == "json" {
		return printJSON(c.Out, d)
	}
	for _, part := range []struct {
		head string
		list []report.Changed
		kind string
	}{{"new risk", d.New, "new"}, {"risk gone", d.Gone, "gone"}, {"risk risen", d.Risen, "risen"}, {"policies", d.Drifted, "drifted"}} {
		fmt.Fprintf(c.Out, "%s: %d\n", part.head, d.Total[part.kind])
		tab := newTable("", "")
		for _, x := range part.list {
			tab.row("  "+orElse(x.Name, x.ID), strings.TrimSpace(x.Was+" → "+x.Is)+changedWords(x))
		}
		tab.printRows(c.Out, c.Width)
	}
	for _, part := range d.NotCompared {
		fmt.Fprintf(c.Out, "%s: not compared, for one of the runs did not read them\n", part)
	}
	return nil
}
