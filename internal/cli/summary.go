package cli

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// How many rows a summary has room for; -o wide leaves nothing out.
const (
	shown       = 12
	shownPeople = 5
)

// labelWidth is the column that labels of a summary stand in.
const labelWidth = 11

// line prints one line of a summary behind its label, wrapped.
func (c *command) line(label, text string) {
	pad := strings.Repeat(" ", max(1, labelWidth-2-len(label)))
	fmt.Fprintln(c.Out, "  "+label+pad+wrap(text, c.Width, labelWidth))
}

// printResult is the summary that a person understands in a few seconds: how
// it ended and the counts; then what was done, or would be; last who needs a
// person, and where the report is.
func (c *command) printResult(a *app.App, r sweep.Result) {
	w := c.Out
	fmt.Fprintf(w, "%s: %s %s in %s%s\n", r.Tenant, r.Mode, c.paintStatus(r.Status), r.Finished.Sub(r.Started).Round(100*time.Millisecond), c.missed(r))
	c.printExceptions(r, true)
	if r.Err != nil {
		c.line("error", c.paint(red, printable(r.Err.Error())))
		if a, ok := adviceFor(r.Err); ok {
			c.line("means", a.Means)
			c.line("to do", a.Do)
		}
	}
	c.printSummary(strings.TrimSuffix(a.Store.URL(), "/")+"/"+ledger.RunPath(r.Tenant, r.Run)+"/report.html", r)
}

// missed says behind the head line what of an order did not come about.
func (c *command) missed(r sweep.Result) string {
	text := r.Order.Missed(r.Outcomes)
	if r.Mode != sweep.Apply || text == "" {
		return ""
	}
	return ": " + c.paint(red, text)
}

// printSummary is the summary of a run below its head lines, be it of this process
// or stored.
func (c *command) printSummary(page string, r sweep.Result) {
	w := c.Out
	c.printRead(string(r.Kind), r.Order, report.Coverage{Complete: r.Complete, Unread: r.Unread}, r.Counts)
	c.printCounts(r)
	c.printExceptions(r, false)
	c.printRefusals(r)
	if r.Stats.Total > 0 {
		c.line("sent", sentWords(r))
	}
	c.printUserActions(w, r)
	c.printPolicyActions(w, r)
	c.printExceptionActions(r.Plan.Actions, outcomes(r), 2)
	for _, next := range r.Next {
		c.line("then", printable(next))
	}
	if (r.Kind == ledger.KindRollback || r.Kind == ledger.KindRestore) && r.Mode == sweep.Plan && r.Plan.Pending() > 0 {
		c.line("to do", "this is a plan; with --yes it is carried out")
	} else if (r.Kind == ledger.KindRollback || r.Kind == ledger.KindRestore) && r.Mode == sweep.Plan && len(r.Plan.Actions) > 0 {
		c.line("to do", "this is a plan, of which --yes would carry out nothing as things stand; the reasons are above")
	}
	if r.Kind == ledger.KindRollback && r.Err == nil && r.Status == sweep.Succeeded && len(r.Plan.Actions) == 0 {
		c.line("to do", "nothing: what that run wrote is already as it was before")
	}
	c.printBad(r)
	c.printWaiting(waitingUsers, r.NeedsPerson, r.Counts["needsPerson"], fmt.Sprintf("users.csv: risksweep report show %s --file users.csv --tenant %s", r.Run, r.Tenant))
	c.printWaiting(waitingPrincipals, r.Workloads, len(r.Workloads), "report.html")
	c.printCampaigns(r.Campaigns)
	// Not wrapped: they are there to be copied.
	fmt.Fprintf(w, "\n  report   %s\n", page)
	if r.Head != "" {
		fmt.Fprintf(w, "  head     %s\n", r.Head)
	}
}

// printRead says what a person ordered, what was read, and what was not.
func (c *command) printRead(kind string, o *report.Order, coverage report.Coverage, n map[string]int) {
	if o != nil {
		c.line("order", printable(orderWords(o)))
	}
	if n["users"] > 0 || n["detections"] > 0 {
		c.line("read", readWords(n))
	}
	if text := report.UnreadText(kind, coverage); text != "" {
		c.line("not read", text)
	}
}

func orderWords(o *report.Order) string {
	text := o.Title()
	if o.By != "" {
		text += ", by " + o.By
	}
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// readWords counts what was read; a number of the whole tenant is not said
// where a run did not read the whole.
func readWords(n map[string]int) string {
	part := func(all int, noun, of, word string) string {
		text := report.Number(all, noun)
		if some, known := n[of]; known {
			text += fmt.Sprintf(" (%d %s)", some, word)
		}
		return text
	}
	return part(n["detections"], "detection", "detectionsOpen", "open") + ", " + part(n["users"], "risky user", "usersAtRisk", "at risk")
}

func sentWords(r sweep.Result) string {
	text := fmt.Sprintf("%s, %d throttled", report.Number(r.Stats.Total, "request"), r.Stats.Throttled)
	if r.Mode == sweep.Plan && r.Plan.Cost.Requests > 0 {
		text += fmt.Sprintf("; an apply would cost about %d more", r.Plan.Cost.Requests)
		if r.Plan.Cost.Seconds > 0 {
			text += fmt.Sprintf(", %.0f s", r.Plan.Cost.Seconds)
		}
	}
	return text
}

// printCounts says how many users and policies are concerned.
func (c *command) printCounts(r sweep.Result) {
	outcome := outcomes(r)
	byKind, changes := map[plan.Kind]map[plan.OutcomeStatus]int{}, map[plan.OutcomeStatus]int{}
	for _, a := range r.Plan.Actions {
		if !a.Kind.OnUser() {
			changes[outcome[a.ID].Status]++
			continue
		}
		if byKind[a.Kind] == nil {
			byKind[a.Kind] = map[plan.OutcomeStatus]int{}
		}
		byKind[a.Kind][outcome[a.ID].Status]++
	}
	var users []string
	for _, k := range plan.UserKinds() {
		if n := byKind[k]; n != nil {
			users = append(users, k.Words().Name+": "+countWords(n))
		}
	}
	if len(users) > 0 {
		c.line("users", strings.Join(users, "; "))
	}
	c.printPrincipals(r, byKind)
	c.printBeta(r)
	same, foreign, change := standing(r.Entries)
	var policies []string
	if len(r.Entries) > 0 {
		policies = append(policies, fmt.Sprintf("%d in sync, %d to change, %d not of this baseline", same, len(change), foreign))
	}
	if len(changes) > 0 {
		policies = append(policies, "changes: "+countWords(changes))
	}
	if len(policies) > 0 {
		c.line("policies", strings.Join(policies, "; "))
	}
	for _, e := range r.Entries {
		if e.Promotion != nil {
			c.line("promote", printable(e.DisplayName+" "+e.Promotion.Text()))
		}
	}
}

// printPrincipals says how many service principals are concerned; nothing where
// none is at risk.
func (c *command) printPrincipals(r sweep.Result, byKind map[plan.Kind]map[plan.OutcomeStatus]int) {
	var said []string
	if n := r.Counts["servicePrincipalsNeedPerson"]; n == 1 {
		said = append(said, "1 needs a person")
	} else if n > 1 {
		said = append(said, fmt.Sprintf("%d need a person", n))
	}
	for _, k := range plan.PrincipalKinds() {
		if n := byKind[k]; n != nil {
			said = append(said, k.Words().Name+": "+countWords(n))
		}
	}
	if at := r.Counts["servicePrincipalsAtRisk"]; at > 0 || len(said) > 0 {
		text := strings.Join(append([]string{fmt.Sprintf("%d at risk", at)}, said...), "; ")
		if r.Kind == ledger.KindOrder { // which read no others
			text = strings.Join(said, "; ")
		}
		c.line("workload", text)
	}
}

// printBeta says what only the beta version shows; nothing where it shows nothing.
func (c *command) printBeta(r sweep.Result) {
	var said []string
	if n := r.Counts["riskyAgents"]; n > 0 {
		said = append(said, report.Number(n, "risky agent"))
	}
	if n := r.Counts["hiddenPolicies"]; n > 0 {
		said = append(said, report.Number(n, "policy")+" that v1.0 hides")
	}
	if len(said) > 0 {
		c.line("beta", strings.Join(said, "; ")+": only reported")
	}
}

// standing counts the objects that are as they should be and those that are not
// ours, and gives the others.
func standing(entries []drift.Entry) (same, foreign int, change []drift.Entry) {
	for _, e := range entries {
		switch e.Status {
		case drift.InSync:
			same++
		case drift.Unmanaged:
			foreign++
		default:
			change = append(change, e)
		}
	}
	return same, foreign, change
}

// printRefusals says what stops the run as a whole, what the limits refused and
// what was left out.
func (c *command) printRefusals(r sweep.Result) {
	for _, g := range r.BreakGlass {
		c.line("ALARM", c.paint(red, printable(g.Text())))
	}
	for _, t := range report.GlassTestsDue(r.BreakGlassTests) {
		c.line("test due", c.paint(yellow, printable(t.Text())))
	}
	if r.Hold != "" {
		c.line("HOLD", c.paint(red, printable(r.Hold)+"; nothing is written while the file HOLD is there"))
	}
	said := map[string]bool{}
	for _, v := range r.Plan.Violations {
		if !said[v.Text] { // one limit can refuse two kinds
			said[v.Text] = true
			c.line("refused", c.paint(red, printable(v.Text)))
			if do := raised(v); do != "" {
				c.line("to do", do)
			}
		}
	}
	c.printSwitches(r)
	if r.Mode == sweep.Plan {
		for _, text := range r.Plan.ForeseenTexts() {
			c.line("foreseen", printable(text))
		}
	}
	c.printHeldBack(r)
	for _, s := range r.Skipped {
		c.line("skipped", printable(s))
	}
}

// printSwitches names all switches that changes of policies lack, with the number
// of changes that lack each.
func (c *command) printSwitches(r sweep.Result) {
	n, keys := map[string]int{}, []string{}
	for _, a := range r.Plan.Actions {
		if a.Kind.OnUser() || a.Status != plan.NotEnabled && a.Status != plan.Blocked {
			continue
		}
		for _, key := range a.Switches() {
			if n[key]++; n[key] == 1 {
				keys = append(keys, key)
			}
		}
	}
	if len(keys) == 0 {
		return
	}
	slices.Sort(keys)
	for i, key := range keys {
		keys[i] = fmt.Sprintf("%s (%s)", key, report.Number(n[key], "change"))
	}
	c.line("lacks", strings.Join(keys, ", "))
}

// raised says how a limit is raised for one run, once somebody has looked at what
// the plan would do.
func raised(v plan.Violation) string {
	if !strings.HasPrefix(v.Limit, "limits.") || v.Wanted == 0 {
		return ""
	}
	to := fmt.Sprintf("%.0f", v.Wanted+float64(v.Done))
	if v.Limit == "limits.maxShareOfRiskyUsers" { // the share holds what is done already
		to = fmt.Sprintf("%.4g", math.Min(1, math.Ceil(v.Wanted*100)/100))
	}
	return fmt.Sprintf("look at the plan; if all of it is meant, allow it for one run: --%s %s", config.FlagName(v.Limit), to)
}

// printHeldBack names the users on whom an order of an earlier run may still
// take effect: nothing is ordered for them in this run.
func (c *command) printHeldBack(r sweep.Result) {
	var names []string
	noun := "user"
	for _, o := range r.Settled {
		if o.Kind.OnPrincipal() {
			noun = "user or service principal"
		}
		if o.Status == plan.SettledPending {
			names = append(names, nameOf(o.Subject))
		}
	}
	if len(names) == 0 {
		return
	}
	list := names
	if len(names) > shownPeople && !c.wide {
		list = append(names[:shownPeople:shownPeople], fmt.Sprintf("and %d more", len(names)-shownPeople))
	}
	c.line("held back", printable(fmt.Sprintf("%s, because an order of an earlier run may still take effect: %s", report.Number(len(names), noun), strings.Join(list, ", "))))
}

// printUserActions lists what is done, or would be, to users and service
// principals.
func (c *command) printUserActions(w io.Writer, r sweep.Result) {
	outcome := outcomes(r)
	c.printActionsOf(w, r, "USER", "users.csv", plan.UserKinds(), outcome)
	c.printActionsOf(w, r, "SERVICE PRINCIPAL", "serviceprincipals.csv", plan.PrincipalKinds(), outcome)
}

func (c *command) printActionsOf(w io.Writer, r sweep.Result, head, file string, kinds []plan.Kind, outcome map[string]plan.Outcome) {
	t := newTable(head, "ACTION", "OUTCOME", "RULE", "WHY")
	t.indent = 2
	n := 0
	for _, k := range kinds {
		for _, a := range r.Plan.Actions {
			if a.Kind != k {
				continue
			}
			if n++; n <= shown || c.wide {
				t.row(nameOf(a.Subject), k.Words().Name, spaced(string(outcome[a.ID].Status)), a.Rule, first(a.Reasons))
			}
		}
	}
	if n == 0 {
		return
	}
	fmt.Fprintln(w)
	t.print(w, c.Width)
	c.printMore(n, len(t.rows), file)
}

// printMore says what was left out, and where it is.
func (c *command) printMore(all, printed int, where string) {
	if all > printed {
		fmt.Fprintf(c.Out, "  … and %d more, see %s\n", all-printed, where)
	}
}

// printPolicyActions shows the policy changes: what is new on one line each,
// what changes member by member.
func (c *command) printPolicyActions(w io.Writer, r sweep.Result) {
	_, _, change := standing(r.Entries)
	if len(change) > 0 {
		fmt.Fprintln(w)
	}
	n, printed := 0, 0
	for _, alike := range alikeEntries(change, c.wide) {
		if printed == shown && !c.wide {
			break
		}
		printed++
		n += len(alike)
		e := alike[0]
		text := renderAlike(alike, c.colour(c.OutTTY))
		if e.Status == drift.Create && !c.wide && len(e.Reasons) == 0 {
			text, _, _ = strings.Cut(text, "\n")
			text += "\n"
		}
		for line := range strings.Lines(text) {
			fmt.Fprintln(w, clip("  "+strings.TrimSuffix(line, "\n"), c.Width))
		}
		c.printEffectsOf(r.Plan, alike, 6)
	}
	c.printMore(len(change), n, "policies.csv")
	for _, text := range c.effectsOfAll(r.Plan) {
		c.line("effect", printable(text))
	}
	if len(r.Entries) > 0 { // else an order to delete: there is nothing to compare
		return
	}
	outcome := outcomes(r)
	for _, a := range r.Plan.Actions {
		if !a.Kind.OnUser() {
			fmt.Fprintln(w, clip(fmt.Sprintf("  %s %s: %s", spaced(string(a.Kind)), nameOf(a.Subject), spaced(string(outcome[a.ID].Status))), c.Width))
		}
	}
}

// printBad names the outcomes that somebody must look at.
func (c *command) printBad(r sweep.Result) {
	n, printed := 0, 0
	for _, o := range r.Outcomes {
		if !o.Status.Bad() {
			continue
		}
		if n++; n > shown && !c.wide {
			continue
		}
		if printed++; printed == 1 {
			fmt.Fprintln(c.Out)
		}
		fmt.Fprintln(c.Out, "  "+wrap(fmt.Sprintf("%s %s %s: %s", c.paint(red, spaced(string(o.Status))), spaced(string(o.Kind)), nameOf(o.Subject), printable(o.Detail)), c.Width, 4))
	}
	c.printMore(n, printed, "actions.csv")
}
