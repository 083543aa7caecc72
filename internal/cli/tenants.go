package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// reading is one tenant that a command reads from.
type reading struct {
	tenant config.Tenant
	client *graph.Client
}

// eachTenant calls a reader for every selected tenant and ends the output. One
// that fails does not keep the others from being read.
func (c *command) eachTenant(cmd *cobra.Command, out *rows, read func(reading) error) error {
	cfg, err := c.loadConfig(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	a := c.reading(cfg)
	out.csvForm = askedCSV(cfg)
	var failed error
	if len(cfg.Tenants) > 1 {
		out.heads = append([]string{"tenant"}, out.heads...)
	}
	for _, t := range cfg.Tenants {
		if len(cfg.Tenants) > 1 {
			out.tenant = t.Name
		}
		client, err := a.Graph(t)
		if err == nil {
			err = read(reading{t, client})
		}
		if err != nil {
			c.tenantFailed(t.Name, err)
			failed, out.cut = fmt.Errorf("tenant %s: %w", t.Name, err), true
		}
	}
	if err := out.end(); err != nil {
		return err
	}
	return exitWith(exitCode(failed))
}

// askedCSV is how a list is written as CSV: for a program, as it goes into a
// pipe as a rule, unless a flag of this very command asks for something else.
// report.csv in a file or in the environment is about the files of runs.
func askedCSV(cfg *config.Config) (form report.CSVForm) {
	for _, s := range cfg.Effective() {
		if !strings.HasPrefix(s.Source, "flag ") {
			continue
		}
		switch s.Key {
		case "report.csv.bom":
			form.BOM = cfg.Report.CSV.BOM
		case "report.csv.times":
			form.Excel = cfg.Report.CSV.Times == "excel"
		}
	}
	return form
}

// oneOf checks a flag against its values, whatever the case.
func oneOf(flag, value string, values ...string) (string, error) {
	if value == "" {
		return "", nil
	}
	for _, v := range values {
		if strings.EqualFold(v, value) {
			return v, nil
		}
	}
	err := fmt.Errorf("%s %q is none of %s", flag, value, strings.Join(values, ", "))
	err = didYouMean(err, value, values)
	return "", usageError{err}
}

// joinProblems puts the problems of several tenants' files together, each said
// once.
func joinProblems(errs []error) error {
	var all yamldoc.Problems
	said := map[string]bool{}
	for _, err := range errs {
		problems, ok := err.(yamldoc.Problems)
		if !ok {
			return err
		}
		for _, p := range problems {
			if !said[p.Error()] {
				said[p.Error()] = true
				all = append(all, p)
			}
		}
	}
	return all
}
