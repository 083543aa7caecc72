package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

func (c *command) baselineCommand() *cobra.Command {
	root := &cobra.Command{Use: "baseline", Short: "Check, compare, export and adopt the Conditional Access baseline"}
	validate := &cobra.Command{
		Use: "validate [PATH...]", Short: "Check baselines offline; those of the configuration if no path is given",
		RunE: func(cmd *cobra.Command, args []string) error { return c.validateBaselines(cmd, args) },
	}
	var exitOnDrift bool
	diff := &cobra.Command{
		Use: "diff", Short: "Show where the live tenant differs from the baseline; nothing is stored or written",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.diffBaseline(cmd, exitOnDrift) },
	}
	diff.Flags().BoolVar(&exitOnDrift, "exit-code", false, "exit 4 when the tenant differs")
	var out string
	export := &cobra.Command{
		Use: "export", Short: "Write the live tenant as a baseline",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.exportBaseline(cmd, out) },
	}
	export.Flags().StringVar(&out, "out", "", "file to write, instead of stdout; it must not exist")
	var byName, write, yes bool
	adoption := &cobra.Command{
		Use: "adopt [KEY=ID...]", Short: "Take live policies into ownership",
		Long: `Records which live objects stand for which keys of the baseline. Nothing is
written to the tenant; the next plan shows what would change.

With --by-name every object of the baseline that nothing stands for yet takes
the one live object of the same displayName.

With --write the id of every owned object is put beside its key in the baseline's
files, which stay as they are otherwise. Such a baseline can be planned without
the store.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !byName && !write {
				return usageError{errors.New("name KEY=ID, or use --by-name; --write puts into the files what is owned already")}
			}
			return c.adoptBaseline(cmd, adopt.Order{Pairs: args, ByName: byName, Write: write})
		},
	}
	adoption.Flags().BoolVar(&byName, "by-name", false, "match by displayName")
	adoption.Flags().BoolVar(&write, "write", false, "put each id beside its key in the baseline's files")
	var reason string
	destroy := &cobra.Command{
		Use: "destroy", Short: "Delete exactly what this baseline owns in the tenant",
		Long: `Deletes exactly what this baseline owns: policies, then strengths, then named
locations. It shows them and asks before; --yes answers. What the baseline made goes
by that alone. An enabled policy that was adopted protected the tenant before: deleting
it needs enforcement.allowEnabledPolicies and enforcement.allowWeakening besides, and
without them it stays.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.destroyBaseline(cmd, yes, reason) },
	}
	destroy.Flags().BoolVar(&yes, "yes", false, "do not ask")
	reasonFlag(destroy, &reason)
	root.AddCommand(validate, diff, export, c.schemaCommand("baseline", baseline.JSONSchema), adoption, destroy, c.baselineHistoryCommand(), c.rollbackCommand(), c.restoreCommand())
	return root
}

func (c *command) validateBaselines(cmd *cobra.Command, paths []string) error {
	return c.validate(cmd, paths, "baseline", func(t config.Tenant) string { return t.Baseline }, func(path string) (string, yamldoc.Problems) {
		b, problems := baseline.Load(app.Disk{}, path)
		if problems.Err() != nil {
			return "", problems
		}
		return fmt.Sprintf("%s, %s, %s, ", report.Number(len(b.Policies), "policy"), report.Number(len(b.Locations), "named location"), report.Number(len(b.Strengths), "authentication strength")), problems
	})
}

// needsBaseline is the error of a tenant without one.
func needsBaseline(t config.Tenant) error {
	if t.Baseline == "" {
		return usageError{fmt.Errorf("tenant %s has no baseline in the configuration", t.Name)}
	}
	return nil
}

func (c *command) diffBaseline(cmd *cobra.Command, exitOnDrift bool) error {
	form, err := c.form("text", "json", "markdown")
	if err != nil {
		return err
	}
	a, err := c.open(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	type answer struct {
		Tenant   string        `json:"tenant"`
		Entries  []drift.Entry `json:"entries"`
		Problems []string      `json:"problems"`
		Warnings []string      `json:"warnings"`
		// Exceptions are who stays out of which policy until when.
		Exceptions []plan.Exempt `json:"exceptions"`
		// Effects is null where people could not be read.
		Effects []plan.Effect `json:"effects"`
		// Changes are what each change means by itself.
		Changes []changeEffects `json:"changes"`
		// Error is why the tenant could not be compared.
		Error string `json:"error,omitempty"`
	}
	answers := []answer{}
	differs, blocked, failed := false, false, c.tenantErrors(a.Config)
	for _, t := range a.Config.Tenants {
		var compared sweep.Compared
		err := needsBaseline(t)
		if err == nil {
			compared, err = a.Compare(cmd.Context(), t)
		}
		if err != nil {
			if err := failed.take(t.Name, err); err != nil {
				return err
			}
			answers = append(answers, answer{Tenant: t.Name, Entries: []drift.Entry{}, Problems: []string{}, Warnings: []string{}, Exceptions: []plan.Exempt{}, Changes: []changeEffects{}, Error: err.Error()})
			continue
		}
		r := compared.Result
		explained, unread := c.effects(cmd.Context(), a, t, compared)
		one := answer{Tenant: t.Name, Entries: orEmpty(r.Entries), Problems: orEmpty(r.Problems), Warnings: orEmpty(r.Warnings), Exceptions: orEmpty(r.Exceptions), Effects: orEmpty(explained.Effects), Changes: changesOf(explained)}
		if unread != nil {
			one.Effects = nil
			explained = plan.Plan{}
			one.Warnings = append(one.Warnings, "what the changes mean to people is not known: "+unread.Error())
		}
		answers = append(answers, one)
		for _, e := range r.Entries {
			differs = differs || e.Drift()
			blocked = blocked || e.Status == drift.Blocked
		}
		blocked = blocked || len(r.Problems) > 0
		if form == "markdown" {
			r.Warnings = one.Warnings
			c.markdownDiff(t.Name, r, explained.Effects)
		}
		if form == "text" {
			r.Warnings = one.Warnings
			c.printEntries(t.Name, r, explained)
			c.printExceptionActions(r.Actions, nil, 0)
			for _, text := range c.effectsOfAll(explained) {
				c.paragraph(0, "effect: %s", text)
			}
		}
	}
	if form == "json" {
		if err := printJSON(c.data(), answers); err != nil {
			return err
		}
	}
	switch {
	case blocked:
		return failed.end(ExitPartial)
	case differs && exitOnDrift:
		return failed.end(ExitPending)
	}
	return failed.end(ExitDone)
}

// changeEffects is what one change means by itself.
type changeEffects struct {
	Kind    entra.ObjectKind `json:"kind"`
	Key     string           `json:"key"`
	Effects []plan.Effect    `json:"effects"`
	Through []string         `json:"through,omitempty"`
}

func changesOf(p plan.Plan) []changeEffects {
	out := []changeEffects{}
	for _, a := range p.Actions {
		if a.Change != nil && a.Change.Effects != nil {
			out = append(out, changeEffects{a.Change.Kind, a.Change.Key, a.Change.Effects, a.Change.Through})
		}
	}
	return out
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// printEntries shows what differs, and counts the rest.
func (c *command) printEntries(tenant string, r drift.Result, explained plan.Plan) {
	same, foreign := 0, 0
	var differ []drift.Entry
	for _, e := range r.Entries {
		switch {
		case e.Status == drift.InSync && len(e.Reasons) == 0 && e.Promotion == nil:
			same++
		case e.Status == drift.Unmanaged && len(e.Reasons) == 0:
			foreign++
		default:
			differ = append(differ, e)
		}
	}
	for _, alike := range alikeEntries(differ, false) {
		fmt.Fprint(c.Out, renderAlike(alike, c.colour(c.OutTTY)))
		c.printEffectsOf(explained, alike, 4)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(c.Out, "! "+printable(p))
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(c.Out, "· "+printable(w))
	}
	fmt.Fprintf(c.Out, "%s: %d in sync, %d in the tenant but not of this baseline\n", tenant, same, foreign)
}

func (c *command) exportBaseline(cmd *cobra.Command, out string) error {
	form, err := c.form("yaml", "json")
	if err != nil {
		return err
	}
	if out != "" {
		if _, err := os.Lstat(out); err == nil {
			return usageError{fmt.Errorf("--out: %s exists already", out)}
		}
	}
	a, t, err := c.openOne(cmd, config.ToExport)
	if err != nil {
		return err
	}
	exported, err := a.Export(cmd.Context(), t)
	if err != nil {
		return err
	}
	if form == "json" {
		if exported.Text, err = c.withoutComments(exported); err != nil {
			return err
		}
	}
	if out == "" {
		_, err = c.data().Write(exported.Text)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return usageError{fmt.Errorf("--out: %w", err)}
	}
	file, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return usageError{fmt.Errorf("--out: %w", err)}
	}
	_, err = file.Write(exported.Text)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	c.sayExported(exported)
	return nil
}

// sayExported says how many objects an export holds, and which are comments in it.
func (c *command) sayExported(e adopt.Exported) {
	if len(e.Left) == 0 {
		fmt.Fprintf(c.Err, "%d written, none left out\n", e.Written)
		return
	}
	fmt.Fprintln(c.Err, wrap(printable(fmt.Sprintf("%d written, %d left out: %s", e.Written, len(e.Left), strings.Join(e.Left, "; "))), c.ErrWidth, 2))
}

// withoutComments is an export as JSON. What stands in it as a comment is counted.
func (c *command) withoutComments(e adopt.Exported) ([]byte, error) {
	n, problems := yamldoc.Parse("export", e.Text)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if left := len(e.Left); left > 0 {
		c.log.Warn("JSON has no comments: the YAML export shows what is left out, and why", "leftOut", left)
	}
	var b bytes.Buffer
	err := printJSON(&b, n.JSON())
	return b.Bytes(), err
}

func (c *command) adoptBaseline(cmd *cobra.Command, o adopt.Order) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	a, t, err := c.openOne(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	if err := needsBaseline(t); err != nil {
		return err
	}
	adopted, problems, err := a.Adopt(cmd.Context(), t, o)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		for _, p := range problems {
			fmt.Fprintln(c.Err, "risksweep: "+printable(p))
		}
		return exitError{code: ExitUsage}
	}
	if form == "json" {
		return printJSON(c.data(), orEmpty(adopted))
	}
	taken, written := 0, map[string]int{}
	for _, d := range adopted {
		if d.New {
			taken++
			fmt.Fprintf(c.Out, "adopted %s %s: %s (%s)\n", d.Kind, printable(d.Key), printable(d.DisplayName), d.ID)
		}
		if d.File != "" {
			written[d.File]++
		}
	}
	for _, file := range slices.Sorted(maps.Keys(written)) {
		fmt.Fprintf(c.Out, "%s: %s written\n", printable(file), report.Number(written[file], "id"))
	}
	fmt.Fprintf(c.Out, "%d adopted; risksweep plan shows what would change\n", taken)
	return nil
}

// destroyed is what an order to destroy deletes, in numbers.
type destroyed struct{ enabled, adopted, kept int }

// listOwned shows what an order to destroy deletes, for whoever is asked.
func (c *command) listOwned(compared sweep.Compared) (n destroyed) {
	t := newTable("", "", "", "")
	t.indent = 2
	for _, a := range compared.Result.Actions {
		if a.Kind.Verb() != plan.Delete {
			continue
		}
		state, d := "", policy.CanonicalOf(a.Change.Kind, a.Change.Before)
		if a.Change.Kind == entra.KindPolicy {
			state = d.Text("state")
		}
		if a.Change.Kind == entra.KindPolicy && policy.Enabled(d) {
			n.enabled++
		}
		if compared.State.Owned[a.Change.Kind][a.Change.Key].Adopted {
			n.adopted++
			state = strings.TrimPrefix(state+", adopted", ", ")
		}
		if a.Status != plan.Ready {
			n.kept++
			state += ": stays, " + strings.Join(a.Reasons, "; ")
		}
		t.row(a.Change.Kind.Noun(), cmp.Or(nameOf(a.Subject), a.Change.Key), string(a.Subject.ID), printable(state))
	}
	t.printRows(c.Err, c.ErrWidth)
	return n
}

// askDestroy shows what an order to destroy deletes and what that means to
// people, and asks.
func (c *command) askDestroy(ctx context.Context, a *app.App, t config.Tenant, owned int) error {
	s, err := a.Sweeper(t)
	if err != nil {
		return err
	}
	compared, err := s.CompareDestroy(ctx)
	if err != nil {
		return err
	}
	n := c.listOwned(compared)
	explained, err := c.effects(ctx, a, t, compared)
	if err != nil {
		fmt.Fprintln(c.Err, "  effect: what this means to people is not known: "+printable(err.Error()))
	}
	for _, text := range c.effectsOfAll(explained) {
		fmt.Fprintln(c.Err, "  effect: "+printable(text))
	}
	text := fmt.Sprintf("%d enabled, %d adopted and not made by this baseline", n.enabled, n.adopted)
	if n.kept > 0 {
		text += fmt.Sprintf("; %d of them stay", n.kept)
	}
	return c.ask(fmt.Sprintf("Delete the %d policies, named locations and strengths that this baseline owns in tenant %s (%s)?", owned, t.Name, text))
}

func (c *command) destroyBaseline(cmd *cobra.Command, yes bool, reason string) error {
	form, err := c.runForm()
	if err != nil {
		return err
	}
	a, t, err := c.openForOrder(cmd, yes, reason)
	if err != nil {
		return err
	}
	state, _, err := a.Ledger(t.Name).State(cmd.Context())
	if err != nil {
		return err
	}
	n := 0
	for _, byKey := range state.Owned {
		n += len(byKey)
	}
	if n == 0 && form == "json" {
		return printJSON(c.Out, []sweep.Result{})
	}
	if n == 0 {
		fmt.Fprintf(c.Out, "%s: this baseline owns nothing in the tenant\n", t.Name)
		return nil
	}
	if !yes {
		if err := c.askDestroy(cmd.Context(), a, t, n); err != nil {
			return err
		}
		if err := c.askReason(&reason); err != nil {
			return err
		}
	}
	return c.sweepTenants(cmd.Context(), a, a.Config.Tenants, sweep.Request{Mode: sweep.Apply, Destroy: true, Reason: reason}, false)
}
