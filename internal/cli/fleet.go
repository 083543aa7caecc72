package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// How many lines a fleet has room for; -o wide leaves nothing out.
const (
	shownTenants = 20
	shownDetails = 6
	shownCommon  = 3
)

// tenantErrors goes on with the next tenant where one fails, and keeps the exit
// code of the worst.
type tenantErrors struct {
	c    *command
	many bool // of one tenant alone the error is the command's
	code int
}

func (c *command) tenantErrors(cfg *config.Config) *tenantErrors {
	return &tenantErrors{c: c, many: len(cfg.Tenants) > 1}
}

// take names the tenant that failed. It gives back what ends the command: the
// error of the only tenant.
func (e *tenantErrors) take(tenant string, err error) error {
	if !e.many {
		return err
	}
	e.c.tenantFailed(tenant, err)
	e.code = worse(e.code, exitCode(err))
	return nil
}

// tenantFailed says what went wrong with one of several tenants: mistakes in its
// files one to a line, as those of a single one, anything else as one message.
func (c *command) tenantFailed(tenant string, err error) {
	var problems yamldoc.Problems
	if !errors.As(err, &problems) {
		c.log.Error(err.Error(), "tenant", tenant)
		c.advise(err)
		return
	}
	for _, p := range problems.Errors() {
		c.log.Error(p.Error(), "tenant", tenant)
	}
}

// end is the command's error; code is its exit code as far as no tenant failed.
func (e *tenantErrors) end(code int) error {
	return exitWith(worse(code, e.code))
}

func (c *command) reportFleetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "fleet", Short: "Show all tenants of the store as their last runs left them, the worst first", Args: cobra.NoArgs,
		Long: `Shows all tenants that have a summary in the store, the worst first: the last
success and its age, who is at risk, who needs a person and waits beyond the
SLA, drift, and what several tenants have in common. No report is read for it.

The same is in the store as fleet/index.html and fleet/fleet.json.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.reportFleet(cmd) },
	}
}

func (c *command) reportFleet(cmd *cobra.Command) error {
	form, err := c.form("table", "wide", "json", "html")
	if err != nil {
		return err
	}
	c.wide = form == "wide"
	a, err := c.open(cmd, config.ToRead)
	if err != nil {
		return err
	}
	f, err := a.Fleet(cmd.Context())
	if err != nil {
		return err
	}
	if len(c.tenants) > 0 {
		f = a.FleetOnly(f, a.Config.Tenants)
	}
	switch form {
	case "json":
		return printJSON(c.data(), f)
	case "html":
		return fleet.WriteHTML(c.Out, f, fleet.InStore)
	}
	if len(f.Tenants) == 0 {
		fmt.Fprintln(c.Err, "no run has left a summary yet")
		return nil
	}
	c.printFleet(f)
	return nil
}

// printFleet prints one table, the worst tenant first.
func (c *command) printFleet(f fleet.Fleet) {
	t := f.Total
	fmt.Fprintln(c.Out, wrap(fmt.Sprintf("%s: %d in trouble, %d need somebody; %d users at risk, %d need a person, %d of them beyond the SLA; drift of %d",
		report.Number(t.Tenants, "tenant"), t.Trouble, t.NeedsSomebody, t.AtRisk, t.NeedsPerson, t.BeyondSLA, t.Drift), c.Width, 2))
	for i, common := range f.Campaigns {
		if i == shownCommon && !c.wide {
			fmt.Fprintf(c.Out, "  … and %d more that tenants have in common\n", len(f.Campaigns)-i)
			break
		}
		c.line("shared", printable(fmt.Sprintf("%s %s: %s in %d tenants (%s)", common.Kind, common.Of, report.Number(common.Users, "user"), len(common.Tenants), policy.ShortList(common.Tenants))))
	}
	fmt.Fprintln(c.Out)
	table := newTable("TENANT", "STATUS", "AT RISK", "PERSON", "SLA", "DRIFT", "LAST SUCCESS", "WHAT")
	left, ill := 0, 0
	for i, s := range f.Tenants {
		if !c.wide && (i >= shownTenants || !s.NeedsSomebody() && i >= shownDetails) {
			left++
			if s.NeedsSomebody() {
				ill++
			}
			continue
		}
		atRisk, person, late, differ := "?", "?", "?", "?"
		if n := s.Numbers; n != nil {
			atRisk, person, late, differ = fmt.Sprint(n.AtRisk), fmt.Sprint(n.NeedsPerson), fmt.Sprint(n.BeyondSLA), fmt.Sprint(n.Drift)
		}
		last := "never"
		if !s.LastSuccess.IsZero() {
			last = fleet.AgeWords(s.LastSuccess, f.At) + " ago"
			if f.At.Sub(s.LastSuccess) < time.Minute {
				last = "now"
			}
		}
		table.row(s.Tenant, s.Status, atRisk, person, late, differ, last, s.What())
	}
	table.print(c.Out, c.Width)
	switch {
	case ill > 0:
		fmt.Fprintf(c.Out, "… and %d more tenants, %d of which need somebody; -o wide shows all\n", left, ill)
	case left > 0:
		fmt.Fprintf(c.Out, "… and %d more tenants that need nobody; -o wide shows all\n", left)
	}
}

// detailsOf is what printResult prints.
func (c *command) detailsOf(a *app.App, r sweep.Result) string {
	var b strings.Builder
	one := *c
	one.Out = &b
	one.printResult(a, r)
	return b.String()
}

// printFleetResults prints what came of many runs: the table, then the details
// of those that need somebody, as far as there are any.
func (c *command) printFleetResults(a *app.App, f fleet.Fleet, details map[string]string) {
	c.printFleet(f)
	n := 0
	for _, s := range f.Tenants {
		text := details[s.Tenant]
		if text == "" || !s.Trouble() && len(s.Campaigns) == 0 {
			continue
		}
		if n++; n > shownDetails && !c.wide {
			continue
		}
		fmt.Fprint(c.Out, "\n", text)
	}
	if n > shownDetails && !c.wide {
		fmt.Fprintf(c.Out, "\n… and %d more: risksweep report show --tenant NAME\n", n-shownDetails)
	}
	fmt.Fprintf(c.Out, "\nfleet      %s/%s\n", strings.TrimSuffix(a.Store.URL(), "/"), fleet.Page)
}
