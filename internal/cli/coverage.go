package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/whatif"
)

func (c *command) coverageCommand() *cobra.Command {
	var policies string
	cmd := &cobra.Command{
		Use: "coverage", Short: "Show who is reached by which demands, and where somebody gets in with nothing demanded",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.coverage(cmd, policies) },
	}
	cmd.Flags().StringVar(&policies, "policies", "", "live, or planned: as after the baseline's writes (default: planned if the tenant has a baseline)")
	return cmd
}

func (c *command) coverage(cmd *cobra.Command, policies string) error {
	form, err := c.form("table", "json", "csv")
	if err != nil {
		return err
	}
	if policies, err = oneOf("--policies", policies, livePolicies, plannedPolicies); err != nil {
		return err
	}
	a, t, err := c.openOne(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	j, err := c.judged(ctx, a, t, policies)
	if err != nil {
		return err
	}
	people, err := whatif.ReadPopulation(ctx, j.client, j.compared.BreakGlass, nil, j.set)
	if err != nil {
		return err
	}
	names, err := j.names(ctx)
	if err != nil {
		return err
	}
	cov := struct {
		Policies string `json:"policies"`
		access.Coverage
	}{j.policies, people.People(j.set, whatif.Everybody).Coverage(names)}
	switch form {
	case "json":
		return printJSON(c.data(), cov)
	case "csv":
		return writeCoverageCSV(c, cov.Coverage)
	}
	c.printCoverage(cov.Policies, cov.Coverage)
	return nil
}

// names gives the display names of what the policies refer to.
func (j judged) names(ctx context.Context) (access.Names, error) {
	objects, _ := objectsOf(j.compared)
	return whatif.ReadNames(ctx, j.client, objects, j.compared.Result.Actions, slices.Concat(j.set.Groups(), j.set.Apps())...)
}

func (c *command) printCoverage(policies string, cov access.Coverage) {
	fmt.Fprintf(c.Out, "%s in %s that the %s policies treat alike\n\n", report.Number(cov.Users, "user"), report.Number(cov.Classes, "group"), policies)
	t := newTable("WHO", "USERS", "NOTHING DEMANDED", "DEMANDS")
	for _, g := range cov.Groups {
		t.row(g.Group, strconv.Itoa(g.Users), strconv.Itoa(g.Nothing), report.DemandCounts(g.Demands))
	}
	t.print(c.Out, c.Width)
	for _, g := range cov.Groups {
		for _, f := range g.Fewer {
			c.paragraph(0, "! %s", f)
		}
	}
	fmt.Fprintln(c.Out)
	t = newTable("DEMAND", "WITH", "WITHOUT", "BECAUSE")
	for _, d := range cov.Demands {
		t.row(d.Demand, strconv.Itoa(d.With), strconv.Itoa(d.Without), report.BecauseText(d.Because))
	}
	t.print(c.Out, c.Width)
	fmt.Fprintln(c.Out)
	if len(cov.Gaps) == 0 {
		fmt.Fprintln(c.Out, "no gap: something is demanded in every situation")
	}
	for i, g := range cov.Gaps {
		if i == 10 {
			fmt.Fprintf(c.Out, "and %s; -o json shows all\n", report.Number(len(cov.Gaps)-i, "further gap"))
			break
		}
		c.paragraph(0, "gap: %s (%s) get in with nothing demanded %s", report.Number(g.Users, "user"), strings.Join(g.Examples, ", "), access.SituationText(g.Situation))
		for _, n := range g.Nearest {
			c.paragraph(5, "nearest: %s, but %s", n.DisplayName, n.Lacks)
		}
	}
	if cov.More {
		fmt.Fprintln(c.Out, "there are more and narrower gaps")
	}
	for _, u := range cov.Unknown {
		c.paragraph(0, "? not judged: %s", u)
	}
}

// writeCoverageCSV has one row for each gap.
func writeCoverageCSV(c *command, cov access.Coverage) error {
	w := report.NewCSV(c.data(), []string{"users", "privileged", "examples", "situation", "nearest"}, report.CSVForm{})
	for _, g := range cov.Gaps {
		var nearest []string
		for _, n := range g.Nearest {
			nearest = append(nearest, n.DisplayName+": "+n.Lacks)
		}
		if err := w.Row([]string{strconv.Itoa(g.Users), strconv.Itoa(g.Privileged), strings.Join(g.Examples, "; "), access.SituationText(g.Situation), strings.Join(nearest, "; ")}); err != nil {
			return err
		}
	}
	return w.Flush()
}
