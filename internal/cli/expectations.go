package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/whatif"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

func (c *command) whatIfTestCommand() *cobra.Command {
	return &cobra.Command{
		Use: "test [FILE...]", Short: "Judge expectations by the live and the planned policies",
		Long: `Judges the expectations of the files that are named, else those that the
tenants of the configuration have. -o junit and -o md are for pipelines. Exit 5
if an expectation does not hold under the planned policies (the live ones where
the tenant has no baseline).`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.whatIfTest(cmd, args) },
	}
}

func (c *command) whatIfTest(cmd *cobra.Command, files []string) error {
	form, err := c.form("text", "json", "junit", "md")
	if err != nil {
		return err
	}
	a, err := c.open(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	var sets []expectation.SetVerdicts
	broken, failed := false, c.tenantErrors(a.Config)
	for _, t := range a.Config.Tenants {
		verdicts, err := c.expected(cmd.Context(), a, t, files)
		if err != nil {
			if err := failed.take(t.Name, err); err != nil {
				return err
			}
			continue
		}
		sets = append(sets, verdicts...)
		for _, v := range verdicts[len(verdicts)-1].Verdicts { // planned, or live where nothing is planned
			broken = broken || !v.Holds
		}
	}
	switch form {
	case "json":
		err = printJSON(c.data(), expectationRows(sets))
	case "junit":
		err = expectation.WriteJUnit(c.Out, sets)
	case "md":
		err = expectation.WriteMarkdown(c.Out, sets)
	default:
		c.printExpectations(sets)
	}
	switch {
	case err != nil:
		return err
	case broken:
		return failed.end(ExitRefused)
	}
	return failed.end(ExitDone)
}

// expected judges the expectations of one tenant: live, and planned last.
func (c *command) expected(ctx context.Context, a *app.App, t config.Tenant, files []string) ([]expectation.SetVerdicts, error) {
	if len(files) == 0 {
		if t.Expectations == "" {
			return nil, usageError{fmt.Errorf("tenant %s has no expectations in the configuration; name a file", t.Name)}
		}
		files = []string{app.Relative(t.Expectations)}
	}
	var list []expectation.Expectation
	var all yamldoc.Problems
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			all = append(all, app.Unreadable(file, err))
			continue
		}
		read, problems := expectation.Parse(file, data)
		list, all = append(list, read...), append(all, problems...)
	}
	if err := all.Err(); err != nil {
		return nil, all
	}
	for _, w := range all.Warnings() {
		fmt.Fprintln(c.Err, printable(w.Error()))
	}
	j, err := c.judged(ctx, a, t, "")
	if err != nil {
		return nil, err
	}
	names, err := j.client.Resolve(ctx, expectation.Refs(list))
	if err != nil {
		return nil, err
	}
	for ref, n := range names {
		if n.Unread != nil {
			return nil, fmt.Errorf("the %s %q could not be looked up: %w", ref.Kind.Noun(), ref.Name, n.Unread)
		}
	}
	e := whatif.Expected{Context: ctx, Facts: whatif.NewFacts(j.client, entra.NewID(j.compared.Live.Tenant.ID)), Names: names}
	if needs, groups := whatif.NeedsPopulation(list, names); needs {
		if e.Population, err = whatif.ReadPopulation(ctx, j.client, j.compared.BreakGlass, groups, j.live, j.set); err != nil {
			return nil, err
		}
	}
	judge := func(policies string, set *access.Set) expectation.SetVerdicts {
		e.Set = set
		return expectation.SetVerdicts{Tenant: t.Name, Policies: policies, Verdicts: expectation.Judge(list, set, e, j.compared.Places)}
	}
	out := []expectation.SetVerdicts{judge(livePolicies, j.live)}
	if j.policies == plannedPolicies {
		out = append(out, judge(plannedPolicies, j.set))
	}
	return out, nil
}

type expectationRow struct {
	Tenant   string   `json:"tenant"`
	Policies string   `json:"policies"`
	Name     string   `json:"name"`
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Holds    bool     `json:"holds"`
	Nobody   bool     `json:"nobody"` // nobody is meant
	Failures []string `json:"failures"`
}

func expectationRows(sets []expectation.SetVerdicts) []expectationRow {
	rows := []expectationRow{}
	for _, s := range sets {
		for _, v := range s.Verdicts {
			rows = append(rows, expectationRow{s.Tenant, s.Policies, v.Name, v.File, v.Line, v.Holds, v.Nobody, orEmpty(v.Failures)})
		}
	}
	return rows
}

func (c *command) printExpectations(sets []expectation.SetVerdicts) {
	for _, s := range sets {
		held, nobody := 0, 0
		for _, v := range s.Verdicts {
			switch {
			case v.Nobody: // proves nothing
				nobody++
				c.paragraph(0, "about nobody, %s: %s (%s:%d)", s.Policies, v.Name, v.File, v.Line)
				continue
			case v.Holds:
				held++
				continue
			}
			c.paragraph(0, "broken, %s: %s (%s:%d)", s.Policies, v.Name, v.File, v.Line)
			for _, f := range v.Failures {
				c.paragraph(2, "%s", f)
			}
		}
		text := fmt.Sprintf("%s, %s policies: %d of %s hold", s.Tenant, s.Policies, held, report.Number(len(s.Verdicts), "expectation"))
		if nobody > 0 {
			text += fmt.Sprintf(", %d about nobody", nobody)
		}
		c.paragraph(0, "%s", text)
	}
}
