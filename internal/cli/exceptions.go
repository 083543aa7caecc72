package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

func (c *command) exceptionsCommand() *cobra.Command {
	root := &cobra.Command{Use: "exceptions", Short: "Check and list the exceptions: who stays out of which policy until when"}
	validate := &cobra.Command{
		Use: "validate [FILE...]", Short: "Check exceptions files offline; those of the configuration if no file is given",
		Long: `Checks exceptions files offline. Those of the configuration are checked with the
baseline of their tenant: keys of policies must be there and take exceptions.
Where the configuration has one tenant, so are files that are named.`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.validateExceptions(cmd, args) },
	}
	list := &cobra.Command{
		Use: "list", Short: "Show who stays out of which policy until when, and what the next apply would change", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listExceptions(cmd) },
	}
	root.AddCommand(validate, list, c.schemaCommand("exceptions", exception.JSONSchema))
	return root
}

// validateExceptions checks files that are named, with the baselines of the
// tenants that use them; those of no tenant are checked for themselves.
func (c *command) validateExceptions(cmd *cobra.Command, files []string) error {
	if _, err := c.form("text", "json"); err != nil {
		return err
	}
	cfg, err := c.loadConfig(cmd, config.ToCheck)
	if err != nil && len(files) == 0 {
		return err
	}
	var tenants []config.Tenant
	if err == nil {
		tenants = cfg.Tenants
	}
	return c.validate(cmd, files, "file of exceptions", func(t config.Tenant) string { return t.Exceptions }, func(name string) (string, yamldoc.Problems) {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", yamldoc.Problems{app.Unreadable(name, err)}
		}
		var all yamldoc.Problems
		known := app.KnownToExceptions(cfg, nil, c.Now())
		used := false
		for _, t := range tenants {
			if t.Exceptions == "" || app.Relative(t.Exceptions) != app.Relative(absolutePath(name)) {
				continue
			}
			used = true
			b, _ := app.Reading(cfg, app.Options{Now: c.Now}).Baseline(t)
			_, problems := exception.Parse(name, data, app.KnownToExceptions(cfg, b, c.Now()))
			for _, p := range problems {
				if !slices.Contains(all, p) {
					all = append(all, p)
				}
			}
		}
		if !used {
			if len(tenants) == 1 {
				b, _ := app.Reading(cfg, app.Options{Now: c.Now}).Baseline(tenants[0])
				known = app.KnownToExceptions(cfg, b, c.Now())
			}
			_, all = exception.Parse(name, data, known)
		}
		return "", all
	})
}

func (c *command) listExceptions(cmd *cobra.Command) error {
	form, err := c.form("table", "json")
	if err != nil {
		return err
	}
	a, err := c.open(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	type answer struct {
		Tenant     string        `json:"tenant"`
		Exceptions []plan.Exempt `json:"exceptions"`
		// Error is why those of the tenant are not known.
		Error string `json:"error,omitempty"`
	}
	answers, failed := []answer{}, c.tenantErrors(a.Config)
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
			answers = append(answers, answer{t.Name, []plan.Exempt{}, err.Error()})
			continue
		}
		answers = append(answers, answer{Tenant: t.Name, Exceptions: orEmpty(compared.Result.Exceptions)})
	}
	if form == "json" {
		if err := printJSON(c.data(), answers); err != nil {
			return err
		}
		return failed.end(ExitDone)
	}
	for _, one := range answers {
		if one.Error != "" {
			continue // said already
		}
		if len(one.Exceptions) == 0 {
			fmt.Fprintf(c.Out, "%s: nobody is out of a policy by an exception\n", one.Tenant)
			continue
		}
		w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "EXCEPTION\tUSER\tPOLICY\tUNTIL\tSTANDS")
		for _, x := range one.Exceptions {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(x.Exception), printable(x.Who()), printable(x.Key), exception.Time(x.Until), printable(x.Words()))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return failed.end(ExitDone)
}

func absolutePath(name string) string {
	abs, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	return abs
}

// printExceptions tells of exceptions: those that are overdue before all else,
// then how many stand how.
func (c *command) printExceptions(r sweep.Result, overdue bool) {
	counts, all := map[plan.ExemptStatus]int{}, 0
	for _, x := range r.Exceptions {
		counts[x.Status]++
		all++
		if text := sweep.OverdueText(x); overdue && text != "" {
			c.line("overdue", c.paint(red, printable(strings.TrimPrefix(text, "overdue: "))))
		}
	}
	if overdue || all == 0 {
		return
	}
	var parts []string
	for _, s := range []struct {
		status plan.ExemptStatus
		words  string
	}{{plan.InForce, "in force"}, {plan.ToBegin, "to begin"}, {plan.ToEnd, "to end"}, {plan.Ended, "ended"}, {plan.NotPut, "not carried out"}, {plan.Redundant, "not needed"}} {
		if n := counts[s.status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.words))
		}
	}
	c.line("policies", "exceptions: "+strings.Join(parts, ", "))
	said := 0
	for _, x := range r.Exceptions {
		if x.Status != plan.NotPut || x.Why == "" {
			continue
		}
		if said++; said <= shown || c.wide {
			c.line("not put", printable(fmt.Sprintf("%s: %s is not out of %s: %s", x.Exception, cmp.Or(x.Who(), "nobody"), x.Key, x.Why)))
		}
	}
	c.printMore(said, min(said, shown), "exceptions in report.json")
}

// printExceptionActions lists the exceptions that begin or end, with what that
// means; became are the outcomes, none for what is only compared.
func (c *command) printExceptionActions(actions []plan.Action, became map[string]plan.Outcome, indent int) {
	for _, a := range actions {
		if a.Change == nil || len(a.Change.Exclusions) == 0 {
			continue
		}
		sign, colour := "+", yellow
		if a.Kind == plan.EndException {
			sign, colour = "-", green
		}
		status := spaced(string(a.Status))
		if o, ok := became[a.ID]; ok {
			status = spaced(string(o.Status))
		}
		text := printable(fmt.Sprintf("%s exception %s: %s of %s: %s", sign, a.Rule, a.Kind.Verb(), nameOf(a.Subject), status))
		fmt.Fprintln(c.Out, strings.Repeat(" ", indent)+c.paint(colour, wrap(text, c.Width, indent+2)))
		for _, r := range a.Reasons {
			c.paragraph(indent+4, "· %s", r)
		}
	}
}
