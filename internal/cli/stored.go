package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
	w := c.Out
	fmt.Fprintf(w, "%s: %s %s, run %s, %s\n", r.Tenant, r.Mode, c.paintStatus(sweep.Status(r.Status)), r.Run, r.StartedAt.UTC().Format(time.RFC3339))
	for _, o := range r.OverDismissed {
		fmt.Fprintf(w, "  %s %s: %s\n", c.paint(red, "over-dismissed"), nameOf(o.Subject), printable(o.Detail))
	}
	for _, e := range r.Errors {
		fmt.Fprintf(w, "  error    %s\n", printable(e.Message))
	}
	fmt.Fprintf(w, "  read     %d detections (%d open), %d risky users (%d at risk)\n", r.Counts["detections"], r.Counts["detectionsOpen"], r.Counts["users"], r.Counts["usersAtRisk"])
	counts := map[plan.OutcomeStatus]int{}
	for _, o := range r.Outcomes {
		counts[o.Status]++
	}
	if len(counts) > 0 {
		fmt.Fprintf(w, "  actions  %s\n", countWords(counts))
	}
	for _, v := range r.Violations {
		fmt.Fprintf(w, "  refused  %s\n", printable(v.Text))
	}
	if len(r.NeedsPerson) > 0 {
		overdue := 0
		for _, n := range r.NeedsPerson {
			if n.Overdue {
				overdue++
			}
		}
		fmt.Fprintf(w, "  people   %d risky users need a person, %d beyond the SLA\n", len(r.NeedsPerson), overdue)
		t := newTable("", "", "", "")
		for i, n := range r.NeedsPerson {
			if i == shown {
				break
			}
			t.row("          "+orElse(n.Name, n.ID), string(n.RiskLevel), age(n.AgeHours), first(n.Reasons))
		}
		t.printRows(w, c.Width)
	}
	for _, d := range r.Drift {
		fmt.Fprintf(w, "  drift    %s %s: %s\n", d.Kind, printable(d.DisplayName), d.Status)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "  skipped  %s\n", printable(s))
	}
	for _, s := range r.Warnings {
		fmt.Fprintf(w, "  warning  %s\n", printable(s))
	}
	return nil
}

// age says how long something waits.
func age(hours float64) string {
	switch {
	case hours >= 48:
		return fmt.Sprintf("%.0f days", hours/24)
	case hours >= 1:
		return fmt.Sprintf("%.0f h", hours)
	}
	return "< 1 h"
}

// diffRuns says what changed between two stored runs.
func (c *command) diffRuns(cmd *cobra.Command, from, to string) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	a, err := c.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	t, err := oneTenant(a.Config)
	if err != nil {
		return err
	}
	d, err := sweep.CompareRuns(cmd.Context(), a.Ledger(t.Name), from, to)
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
			tab.row("  "+orElse(x.Name, x.ID), strings.TrimSpace(x.Was+" → "+x.Is))
		}
		tab.printRows(c.Out, c.Width)
	}
	return nil
}
