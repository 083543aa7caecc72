package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// period are the flags that bound which runs are looked at.
type period struct{ since, until string }

func (p *period) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.since, "since", "", "only from then on: a time, date or age: 2026-11-01, 2026-11-01T06:00:00Z, 24h, 7d")
	cmd.Flags().StringVar(&p.until, "until", "", "only until then; a date is its end")
}

func (p *period) parse(now time.Time) (out sweep.Period, err error) {
	if out.Since, err = timeFlag("--since", p.since, now); err != nil {
		return out, err
	}
	if out.Until, err = timeFlag("--until", p.until, now); err != nil {
		return out, err
	}
	if _, err := time.Parse(time.DateOnly, p.until); err == nil {
		out.Until = out.Until.Add(24*time.Hour - time.Nanosecond)
	}
	if !out.Until.IsZero() && out.Until.Before(out.Since) {
		return out, usageError{fmt.Errorf("--until %s is before --since %s", p.until, p.since)}
	}
	return out, nil
}

func (c *command) historyCommand() *cobra.Command {
	var p period
	cmd := &cobra.Command{
		Use: "history USER|POLICY", Args: cobra.ExactArgs(1),
		Short: "Say what all runs decided, did and saw of one user or policy",
		Long: `Says what the runs in the store decided, did and saw of one user or object: each
decision with its rule and reasons, each action with its outcome and who had it
done, each exception of a user, and each time an object left the baseline or came
back to it.

USER is a user principal name or an object id. POLICY is a policy, named location
or authentication strength: its key in the baseline, its display name or its id.
The table puts equal decisions of runs that follow each other on one line.`,
		Example: `  risksweep report history ada@contoso.com --since 30d
  risksweep report history CA010 -o csv`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.showHistory(cmd, args[0], p, false) },
	}
	p.flags(cmd)
	return cmd
}

func (c *command) actionsCommand() *cobra.Command {
	var p period
	var f sweep.ActionFilter
	var kind string
	cmd := &cobra.Command{
		Use: "actions", Short: "List the actions of all runs, with outcome, rule, reasons and who had them done",
		Long: `Lists what runs did, or tried to do, oldest first. What was planned alone, because
the run was a plan or the configuration does not enable it, is added by --planned.`,
		Example: `  risksweep report actions --since 7d
  risksweep report actions --rule corp-vpn -o csv
  risksweep report actions --user ada@contoso.com --kind dismiss`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listActions(cmd, f, kind, p) },
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&f.Rule, "rule", "", "only of this allowlist entry, escalation or key of the baseline")
	cmd.Flags().StringVar(&f.User, "user", "", "only on this user: user principal name or object id")
	cmd.Flags().StringVar(&kind, "kind", "", "only of this kind: dismiss, confirmCompromised, updatePolicy, …")
	cmd.Flags().BoolVar(&f.Planned, "planned", false, "also what was planned alone")
	return cmd
}

// past is the store of the one tenant that is asked about.
func (c *command) past(cmd *cobra.Command, p period) (past sweep.Past, tenant string, form report.CSVForm, err error) {
	if past.Period, err = p.parse(c.Now()); err != nil {
		return past, "", form, err
	}
	a, t, err := c.openOne(cmd, config.ToRead)
	if err != nil {
		return past, "", form, err
	}
	past.Ledger = a.Ledger(t.Name)
	past.Redacted = a.Redaction(t).Text
	return past, t.Name, askedCSV(a.Config), nil
}

// showHistory prints what the runs say of a user or object, and with audits also
// what the tenant's audit log does.
func (c *command) showHistory(cmd *cobra.Command, of string, p period, audits bool) error {
	form, err := c.form("table", "wide", "json", "csv")
	if err != nil {
		return err
	}
	past, tenant, csv, err := c.past(cmd, p)
	if err != nil {
		return err
	}
	events, names, err := past.History(cmd.Context(), of)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		err := fmt.Errorf("no run of tenant %s says anything of %q", tenant, of)
		if p.since != "" || p.until != "" {
			return usageError{fmt.Errorf("%w in that time", err)} // it may well be there in another
		}
		err = didYouMean(err, of, names)
		return usageError{err}
	}
	if audits {
		events = append(events, c.audited(cmd, events, past.Period)...)
		slices.SortStableFunc(events, func(a, b report.Event) int { return a.At.Compare(b.At) })
	}
	return c.printEvents(events, form, csv, true)
}

// signInWithin bounds how long a look at the audit log may take.
const signInWithin = time.Minute

// audited is what the audit log says of the objects of events. Where it cannot be
// read, that is said, and what the runs know is all there is.
func (c *command) audited(cmd *cobra.Command, about []report.Event, period sweep.Period) []report.Event {
	ctx, cancel := context.WithTimeout(cmd.Context(), signInWithin)
	defer cancel()
	events, why, err := func() ([]report.Event, string, error) {
		a, t, err := c.openOne(cmd, config.ToSweep)
		if err != nil {
			return nil, "", err
		}
		s, err := a.Sweeper(t)
		if err != nil {
			return nil, "", err
		}
		return s.Audited(ctx, about, period)
	}()
	if err != nil {
		why = err.Error()
	}
	if why != "" {
		c.log.Warn("the audit log is left out: " + printable(why))
	}
	return events
}

func (c *command) listActions(cmd *cobra.Command, f sweep.ActionFilter, kind string, p period) error {
	form, err := c.form("table", "wide", "json", "csv")
	if err != nil {
		return err
	}
	if kind, err = oneOf("--kind", kind, kindNames()...); err != nil {
		return err
	}
	f.Kind = plan.Kind(kind)
	past, tenant, csv, err := c.past(cmd, p)
	if err != nil {
		return err
	}
	events, err := past.Actions(cmd.Context(), f)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		if err := knownNames(cmd.Context(), past, tenant, f); err != nil {
			return err
		}
	}
	if len(events) == 0 && (form == "table" || form == "wide") {
		fmt.Fprintln(c.Err, "no action found")
		return nil
	}
	return c.printEvents(events, form, csv, false)
}

// knownNames refuses a rule or a user that no run knows: that nothing was found
// would look as if nothing had been done.
func knownNames(ctx context.Context, past sweep.Past, tenant string, f sweep.ActionFilter) error {
	past.Period = sweep.Period{}
	unknown := func(flag, name string, names []string) error {
		err := fmt.Errorf("no run of tenant %s knows %s %q", tenant, flag, name)
		err = didYouMean(err, name, names)
		return usageError{err}
	}
	if f.Rule != "" {
		rules, err := past.Rules(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(rules, f.Rule) {
			return unknown("--rule", f.Rule, rules)
		}
	}
	if f.User != "" {
		events, names, err := past.History(ctx, f.User)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(events, func(e report.Event) bool { return e.Kind == string(entra.KindUser) || plan.Kind(e.Kind).OnUser() }) {
			return unknown("--user", f.User, names)
		}
	}
	return nil
}

// printEvents prints events in the form that was asked for; about one subject, the
// table does not name it in each line.
func (c *command) printEvents(events []report.Event, form string, csvForm report.CSVForm, one bool) error {
	switch form {
	case "json":
		return printJSON(c.data(), events)
	case "csv":
		csv := report.NewCSV(c.data(), report.EventColumns, csvForm)
		for _, e := range events {
			if err := csv.Row(e.Cells()); err != nil {
				return err
			}
		}
		return csv.Flush()
	}
	heads := []string{"TIME", "WHAT", "", "BY", "RUN", "WHY"}
	if !one {
		heads = []string{"TIME", "ACTION", "ON", "OUTCOME", "RULE", "BY", "RUN", "WHY"}
	}
	t := newTable(heads...)
	for i := 0; i < len(events); i++ {
		e, same := events[i], 1
		for one && e.What == report.EventDecision && i+1 < len(events) && sameDecision(e, events[i+1]) {
			i++
			same++
		}
		at := e.At.UTC().Format("2006-01-02 15:04Z")
		if !one {
			t.row(at, spaced(e.Kind), cmp.Or(e.Name, e.Key, e.ID), plan.OutcomeStatus(e.Is).Words(), e.Rule, e.By, e.Run, whyOf(withoutRule(e)))
			continue
		}
		what := string(e.What)
		if e.What == report.EventAction || e.What == report.EventSettled {
			what = spaced(e.Kind)
		}
		if k := plan.Kind(e.Kind); k == plan.BeginException || k == plan.EndException {
			what += " of " + cmp.Or(e.Key, e.Name) // which is another than a user who is asked about
		}
		run := e.Run
		if same > 1 {
			run = fmt.Sprintf("%s and %d more until %s", e.Run, same-1, events[i].At.UTC().Format("2006-01-02"))
		}
		t.row(at, what, cameTo(e), e.By, run, whyOf(e))
	}
	if form == "wide" { // all of each cell, whatever the width of the terminal
		t.print(c.Out, 0)
		return nil
	}
	t.print(c.Out, c.Width)
	return nil
}

// withoutRule is an event whose rule stands elsewhere.
func withoutRule(e report.Event) report.Event {
	e.Rule = ""
	return e
}

// sameDecision reports whether a run decided as the one before it did.
func sameDecision(a, b report.Event) bool {
	return a.What == b.What && a.Is == b.Is && a.Rule == b.Rule && a.Risk == b.Risk && a.By == b.By && a.ChangedBy.Text() == b.ChangedBy.Text() && strings.Join(a.Reasons, "\n") == strings.Join(b.Reasons, "\n")
}

// cameTo says in a few words what an event came to.
func cameTo(e report.Event) string {
	switch e.What {
	case report.EventDecision:
		return strings.Trim(cmp.Or(e.Is, "no decision")+", "+e.Risk, ", ")
	case report.EventAction, report.EventSettled:
		return plan.OutcomeStatus(e.Is).Words()
	case report.EventAudit:
		return e.Is // in the log's own words
	}
	switch {
	case e.Was == "" || e.Was == e.Is:
		return spaced(e.Is)
	case e.Is == "":
		return "was " + spaced(e.Was)
	}
	return spaced(e.Was) + " → " + spaced(e.Is)
}

// whyOf are the reasons of an event, the members that changed, and what a person
// gave as the reason.
func whyOf(e report.Event) string {
	var parts []string
	if e.Rule != "" {
		parts = append(parts, "rule "+e.Rule)
	}
	for _, list := range [][]string{e.Changes, e.Reasons, {e.Detail, e.Reason, e.ChangedBy.Text()}} {
		for _, s := range list {
			said := func(before string) bool { return before == s || strings.HasSuffix(before, ": "+s) }
			if s != "" && !slices.ContainsFunc(parts, said) {
				parts = append(parts, s)
			}
		}
	}
	return strings.Join(parts, "; ")
}

var errNoTime = errors.New("is no time (2026-11-01T06:00:00Z), date (2026-11-01) or age (24h, 7d)")

// timeFlag reads a time, a date or an age out of a flag.
func timeFlag(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	age := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err == nil && fmt.Sprint(n) == days {
			age = fmt.Sprintf("%dh", 24*n)
		}
	}
	if d, err := time.ParseDuration(age); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, usageError{fmt.Errorf("%s %q %w", flag, text, errNoTime)}
}
