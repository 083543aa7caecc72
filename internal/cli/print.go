package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

// printResults prints what came of the runs, for a person or as JSON.
func (c *command) printResults(form string, a *app.App, results []sweep.Result, errs []error) error {
	if form == "json" {
		type answer struct {
			sweep.Result
			Error string `json:"error,omitempty"`
			Path  string `json:"path,omitempty"`
		}
		all := []answer{}
		for i, r := range results {
			one := answer{Result: r, Path: runPath(r)}
			if err := orErr(errs[i], r.Err); err != nil {
				one.Error = err.Error()
			}
			all = append(all, one)
		}
		return printJSON(c.Out, all)
	}
	for i, r := range results {
		if errs[i] != nil {
			continue // said already
		}
		c.printResult(a, r)
	}
	return nil
}

func orErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// printResult is the summary that a person understands in a few seconds: how
// it ended, what was done or would be, what needs somebody, where the report is.
func (c *command) printResult(a *app.App, r sweep.Result) {
	w := c.Out
	fmt.Fprintf(w, "%s: %s %s in %s\n", r.Tenant, r.Mode, c.paintStatus(r.Status), r.Finished.Sub(r.Started).Round(100*time.Millisecond))
	if r.Err != nil {
		fmt.Fprintf(w, "  %s\n", printable(r.Err.Error()))
	}
	if n := r.Counts; n["users"] > 0 || n["detections"] > 0 {
		fmt.Fprintf(w, "  read     %d detections (%d open), %d risky users (%d at risk)\n", n["detections"], n["detectionsOpen"], n["users"], n["usersAtRisk"])
	}
	c.printUserActions(w, r)
	c.printPolicyActions(w, r)
	if n := r.Counts["needsPerson"]; n > 0 {
		fmt.Fprintf(w, "  people   %d risky users need a person\n", n)
	}
	said := map[string]bool{}
	for _, v := range r.Plan.Violations {
		if !said[v.Text] { // one limit can refuse two kinds
			said[v.Text] = true
			fmt.Fprintf(w, "  %s %s\n", c.paint(red, "refused "), printable(v.Text))
		}
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(w, "  skipped  %s\n", printable(s))
	}
	c.printBad(w, r)
	if r.Stats.Total > 0 {
		fmt.Fprintf(w, "  sent     %d requests, %d throttled", r.Stats.Total, r.Stats.Throttled)
		if r.Mode == sweep.Plan && r.Plan.Cost.Requests > 0 {
			fmt.Fprintf(w, "; an apply would cost about %d more", r.Plan.Cost.Requests)
			if r.Plan.Cost.Seconds > 0 {
				fmt.Fprintf(w, ", %.0f s", r.Plan.Cost.Seconds)
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  report   %s\n", strings.TrimSuffix(a.Store.URL(), "/")+"/"+runPath(r))
	if r.Head != "" && r.Mode == sweep.Apply {
		fmt.Fprintf(w, "  head     %s\n", r.Head)
	}
}

// runPath is the folder of a run in its store.
func runPath(r sweep.Result) string {
	if r.Run == "" {
		return ""
	}
	return strings.Join([]string{r.Tenant, "runs", r.Run[0:4], r.Run[4:6], r.Run[6:8], r.Run}, "/")
}

// shown is how many rows of a table the summary has room for.
const shown = 12

// printUserActions lists what is done, or would be, to users.
func (c *command) printUserActions(w io.Writer, r sweep.Result) {
	words := map[plan.Kind]string{plan.Dismiss: "dismiss", plan.ConfirmCompromised: "confirm compromised", plan.ConfirmSafe: "confirm safe"}
	outcome := outcomes(r)
	for _, kind := range []plan.Kind{plan.Dismiss, plan.ConfirmCompromised, plan.ConfirmSafe} {
		t := newTable("", "", "", "")
		n, counts := 0, map[plan.OutcomeStatus]int{}
		for _, a := range r.Plan.Actions {
			if a.Kind != kind {
				continue
			}
			counts[outcome[a.ID].Status]++
			if n++; n <= shown || c.wide {
				t.row("          "+nameOf(a.Subject), string(outcome[a.ID].Status), a.Rule, first(a.Reasons))
			}
		}
		if n == 0 {
			continue
		}
		fmt.Fprintf(w, "  %s: %s\n", words[kind], countWords(counts))
		t.printRows(w, c.Width)
		if n > shown && !c.wide {
			fmt.Fprintf(w, "          … and %d more in users.csv\n", n-shown)
		}
	}
}

// printPolicyActions shows the policy changes: what is new on one line each,
// what changes member by member.
func (c *command) printPolicyActions(w io.Writer, r sweep.Result) {
	same, foreign, changes := 0, 0, []baseline.Entry{}
	for _, e := range r.Entries {
		switch {
		case e.Status == baseline.InSync:
			same++
		case e.Status == baseline.Unmanaged:
			foreign++
		default:
			changes = append(changes, e)
		}
	}
	if len(r.Entries) > 0 {
		fmt.Fprintf(w, "  policies %d in sync, %d to change, %d not of this baseline\n", same, len(changes), foreign)
	}
	counts, outcome := map[plan.OutcomeStatus]int{}, outcomes(r)
	for _, a := range r.Plan.Actions {
		if a.Kind.OnUser() {
			continue
		}
		counts[outcome[a.ID].Status]++
		if len(r.Entries) == 0 { // an order to delete: there is nothing to compare
			fmt.Fprintf(w, "          %s %s: %s\n", a.Kind, nameOf(a.Subject), outcome[a.ID].Status)
		}
	}
	if len(counts) > 0 {
		fmt.Fprintf(w, "  changes: %s\n", countWords(counts))
	}
	for _, e := range changes {
		text := baseline.RenderDiff(e, c.colour(c.OutTTY))
		if e.Status == baseline.Create && !c.wide && len(e.Reasons) == 0 {
			text, _, _ = strings.Cut(text, "\n")
			text += "\n"
		}
		for line := range strings.Lines(text) {
			fmt.Fprint(w, "          "+line)
		}
	}
}

// printBad names the outcomes that somebody must look at.
func (c *command) printBad(w io.Writer, r sweep.Result) {
	n := 0
	for _, o := range r.Outcomes {
		if !o.Status.Bad() {
			continue
		}
		if n++; n <= shown {
			fmt.Fprintf(w, "  %s %s %s: %s\n", c.paint(red, string(o.Status)), o.Kind, nameOf(o.Subject), printable(o.Detail))
		}
	}
	if n > shown {
		fmt.Fprintf(w, "  … and %d more in actions.csv\n", n-shown)
	}
}

// The colours of a summary.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (c *command) paint(colour, text string) string {
	if !c.colour(c.OutTTY) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (c *command) paintStatus(s sweep.Status) string {
	switch s {
	case sweep.Succeeded:
		return c.paint(green, string(s))
	case sweep.Partial:
		return c.paint(yellow, string(s))
	}
	return c.paint(red, string(s))
}

func outcomes(r sweep.Result) map[string]plan.Outcome {
	out := map[string]plan.Outcome{}
	for _, o := range r.Outcomes {
		out[o.Action] = o
	}
	return out
}

func nameOf(s plan.Subject) string {
	return printable(orElse(s.Name, orElse(s.Key, s.ID)))
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// countWords says "12 done, 1 moved", the most first.
func countWords(counts map[plan.OutcomeStatus]int) string {
	type one struct {
		status plan.OutcomeStatus
		n      int
	}
	var all []one
	for s, n := range counts {
		all = append(all, one{s, n})
	}
	slices.SortFunc(all, func(a, b one) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(string(a.status), string(b.status))
	})
	var words []string
	for _, o := range all {
		words = append(words, fmt.Sprintf("%d %s", o.n, o.status))
	}
	return strings.Join(words, ", ")
}
