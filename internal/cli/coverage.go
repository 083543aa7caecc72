package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
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
	cov := people.People(j.set, whatif.Everybody).Coverage(names)
	reached := report.Reached{Policies: j.policies, Scope: gather.CoverageFull, Coverage: &cov}
	if reached.Risky, err = atRisk(ctx, j, people, names); err != nil {
		if ctx.Err() != nil || !entra.Unavailable(err) {
			return err
		}
		c.log.Warn("risky users could not be read: nobody's open risk is judged", "error", err)
	}
	reached.Sort()
	switch form {
	case "json":
		return report.WriteReached(c.data(), io.Discard, reached, report.CSVForm{})
	case "csv":
		return report.WriteReached(io.Discard, c.data(), reached, report.CSVForm{})
	}
	c.printCoverage(reached)
	return nil
}

// atRisk says of each user whose risk is open which policies would meet it.
func atRisk(ctx context.Context, j judged, people *whatif.Population, names access.Names) (list []report.RiskyReach, err error) {
	reacher := j.set.NewReacher(names)
	for page, err := range j.client.RiskyUsers(ctx, entra.RiskyUserQuery{Open: true}) {
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			u := &page.Items[i]
			if !u.RiskState.Open() || u.IsDeleted != nil && *u.IsDeleted {
				continue
			}
			person := people.Person(u.ID, u.UserPrincipalName)
			list = append(list, report.RiskyReach{ID: string(u.ID), Name: strings.Clone(u.UserPrincipalName), RiskLevel: u.RiskLevel, Privileged: len(person.Roles) > 0,
				BreakGlass: people.BreakGlass[u.ID], Reach: reacher.Of(whatif.AtRisk(person, u.RiskLevel, netip.Addr{}, ""))})
		}
	}
	return list, nil
}

// names gives the display names of what the policies refer to.
func (j judged) names(ctx context.Context) (access.Names, error) {
	objects, _ := objectsOf(j.compared)
	return whatif.ReadNames(ctx, j.client, objects, j.compared.Result.Actions, slices.Concat(j.set.Groups(), j.set.Apps())...)
}

func (c *command) printCoverage(cov report.Reached) {
	fmt.Fprintf(c.Out, "%s in %s that the %s policies treat alike\n\n", report.Number(cov.Users, "user"), report.Number(cov.Classes, "group"), cov.Policies)
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
	c.printAtRisk(cov)
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

// printAtRisk says of how many the open risk is met, and who is not reached.
func (c *command) printAtRisk(cov report.Reached) {
	if len(cov.Risky) == 0 {
		return
	}
	met := 0
	for _, u := range cov.Risky {
		if u.Covered() {
			met++
		}
	}
	fmt.Fprintf(c.Out, "%s at risk: an enabled policy would meet the risk of %d\n", report.Number(len(cov.Risky), "user"), met)
	for i, u := range cov.Risky {
		if u.Covered() {
			break // those who are not reached come first
		}
		if i == 10 {
			fmt.Fprintf(c.Out, "and %d more; -o json shows all\n", len(cov.Risky)-met-i)
			break
		}
		what := "no enabled policy meets the risk of"
		if u.Unknown {
			what = "it is not known whether a policy meets the risk of"
		}
		c.paragraph(0, "! %s %s (%s): %s", what, cmp.Or(u.Name, u.ID), u.RiskLevel, cmp.Or(report.UnmetText(u.NotReached), "there is none that asks for it"))
	}
	fmt.Fprintln(c.Out)
}
