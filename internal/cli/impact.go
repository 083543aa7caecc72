package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/impact"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/whatif"
)

func (c *command) impactCommand() *cobra.Command {
	var policies string
	var days int
	cmd := &cobra.Command{
		Use: "impact [KEY...]", Short: "Say whom policies would refuse or ask if they were enabled, from the sign-in log",
		Long: `Counts what policies would have done to the sign-ins of the last days: a live
report-only policy by what the service noted beside each sign-in, a new or
changed one by judging each sign-in anew. What the log does not say is counted
as unknown. The log has interactive sign-ins only.

Without KEY: all policies that are report-only, new or changed.`,
		RunE: func(cmd *cobra.Command, keys []string) error { return c.impact(cmd, keys, days, policies) },
	}
	cmd.Flags().IntVar(&days, "days", 14, "how many days of the log, at most 30")
	cmd.Flags().StringVar(&policies, "policies", "", "live, or planned: as after the baseline's writes (default: planned if the tenant has a baseline)")
	return cmd
}

func (c *command) impact(cmd *cobra.Command, keys []string, days int, policies string) error {
	form, err := c.form("table", "json", "csv", "md")
	if err != nil {
		return err
	}
	if policies, err = oneOf("--policies", policies, livePolicies, plannedPolicies); err != nil {
		return err
	}
	if days < 1 || days > 30 {
		return usageError{fmt.Errorf("--days %d: the log keeps 30 days; choose 1 to 30", days)}
	}
	a, t, err := c.openOne(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	if a.Config.Sweep.Logs == "off" {
		return usageError{errors.New("sweep.logs is off in the configuration: the sign-in log is not read")}
	}
	ctx := cmd.Context()
	j, err := c.judged(ctx, a, t, policies)
	if err != nil {
		return err
	}
	chosen, strange := impact.Choose(j.set, j.compared.Live.Policies, keys)
	if len(strange) > 0 {
		return usageError{fmt.Errorf("no policy of the %s set has the key, name or id %s", j.policies, strings.Join(strange, ", "))}
	}
	r, err := c.replay(ctx, j, chosen, days)
	if err != nil {
		return err
	}
	answer := struct {
		Tenant string `json:"tenant"`
		Set    string `json:"set"`
		impact.Result
	}{t.Name, j.policies, r}
	switch form {
	case "json":
		return printJSON(c.data(), answer)
	case "csv":
		return impact.WriteCSV(r, func(columns []string) impact.Table { return report.NewCSV(c.data(), columns, report.CSVForm{}) })
	case "md":
		_, err := fmt.Fprint(c.Out, printableLines(impact.Markdown(r)))
		return err
	}
	c.printImpact(r)
	return nil
}

// replay reads the log, and people where somebody must be judged anew.
func (c *command) replay(ctx context.Context, j judged, chosen []impact.Policy, days int) (impact.Result, error) {
	now := j.client.ServerTime()
	if now.IsZero() {
		now = time.Now()
	}
	o := impact.Options{Window: entra.LogWindow{From: now.AddDate(0, 0, -days), To: now}, TenantID: entra.NewID(j.compared.Live.Tenant.ID), Set: j.set, Policies: chosen}
	for _, p := range chosen {
		if p.Place >= 0 && o.People == nil {
			people, err := whatif.ReadPopulation(ctx, j.client, j.compared.BreakGlass, nil, j.set)
			if err != nil {
				return impact.Result{}, err
			}
			o.People = people.UsersByID()
		}
	}
	i := impact.New(o)
	for rows, err := range j.client.SignIns(ctx, entra.SignInQuery{LogWindow: o.Window}) {
		if why := sweep.NotRead(err); why != "" {
			return impact.Result{}, fmt.Errorf("the sign-in log is %s: %w", why, err)
		}
		if err != nil {
			return impact.Result{}, err
		}
		for n := range rows {
			i.Add(&rows[n])
		}
	}
	return i.Result(), nil
}

func (c *command) printImpact(r impact.Result) {
	c.paragraph(0, "%s in %s up to %s; %s", report.Number(r.Read, "sign-in"), report.Number(r.Days, "day"), r.To.Format("2006-01-02 15:04 UTC"), r.Note)
	for _, w := range r.Warnings {
		c.paragraph(0, "! %s", w)
	}
	if len(r.Policies) == 0 {
		fmt.Fprintln(c.Out, "no policy is report-only, new or changed")
		return
	}
	fmt.Fprintln(c.Out)
	t := newTable("POLICY", "BY", "SIGN-INS", "APPLIES", "REFUSED", "ASKED", "UNKNOWN")
	some := func(g impact.Group) string {
		if g.SignIns == 0 {
			return "0"
		}
		return fmt.Sprintf("%d (%s)", g.SignIns, report.Number(g.Users, "user"))
	}
	for _, p := range r.Policies {
		t.row(p.DisplayName, p.By, strconv.Itoa(p.Judged), strconv.Itoa(p.Applied), some(p.Refused), some(p.Asked), some(p.Unknown))
	}
	t.print(c.Out, c.Width)
	for _, p := range r.Policies {
		if len(p.Who) == 0 && len(p.Why) == 0 && p.Note == "" {
			continue
		}
		fmt.Fprintf(c.Out, "\n%s\n", printable(p.DisplayName))
		if p.Note != "" {
			c.paragraph(2, "! %s", p.Note)
		}
		for n, w := range p.Who {
			if n == shown && !c.wide {
				fmt.Fprintf(c.Out, "  … and %d more; -o json shows all\n", p.Refused.Users-n)
				break
			}
			c.paragraph(2, "refused: %s, %s, last %s, %s", printable(cmp.Or(w.Name, w.ID)), report.Number(w.SignIns, "sign-in"), w.Last.Format(time.DateOnly), printable(strings.Join(w.Applications, ", ")))
		}
		for why, n := range p.Why {
			c.paragraph(2, "unknown: %s, because the log does not say %s", report.Number(n, "sign-in"), why)
		}
	}
}
