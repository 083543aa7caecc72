package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// validate checks files offline: those that are named, else those that the
// tenants of the configuration have. Check says what a file holds.
func (c *command) validate(cmd *cobra.Command, paths []string, what string, of func(config.Tenant) string, check func(path string) (holds string, problems yamldoc.Problems)) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		cfg, err := c.loadConfig(cmd, config.ToCheck)
		if err != nil {
			return err
		}
		for _, t := range cfg.Tenants {
			if path := of(t); path != "" {
				paths = append(paths, app.Relative(path))
			}
		}
		if len(paths) == 0 {
			return usageError{fmt.Errorf("no tenant of the configuration has a %s; name one", what)}
		}
	}
	var all yamldoc.Problems
	checked := []checkedFile{}
	for _, path := range paths {
		holds, problems := check(path)
		all = append(all, problems...)
		checked = append(checked, checkedFile{File: path, OK: problems.Err() == nil, Holds: strings.TrimSuffix(holds, ", ")})
		if problems.Err() == nil && form == "text" {
			fmt.Fprintf(c.Out, "%s: %snothing wrong\n", path, holds)
		}
	}
	if form == "json" {
		return c.checked(form, checked, all)
	}
	for _, w := range all.Warnings() {
		fmt.Fprintln(c.Err, w.Error())
	}
	return all.Err()
}

// checkedFile is a file, or a tenant's files, that was checked.
type checkedFile struct {
	File   string `json:"file,omitempty"`
	Tenant string `json:"tenant,omitempty"`
	OK     bool   `json:"ok"`
	Holds  string `json:"holds,omitempty"` // how much is in it
}

// foundProblem is one mistake as JSON.
type foundProblem struct {
	File       string `json:"file"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	Warning    bool   `json:"warning"`
	Message    string `json:"message"`
	Offending  string `json:"offending,omitempty"`
	Suggestion string `json:"suggestion,omitempty"`
}

// checked ends a check: as JSON it answers what was checked and every mistake in
// it; otherwise the mistakes are the error.
func (c *command) checked(form string, checked []checkedFile, err error) error {
	if form != "json" {
		return err
	}
	var problems yamldoc.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	answer := struct {
		Checked  []checkedFile  `json:"checked"`
		Problems []foundProblem `json:"problems"`
	}{orEmpty(checked), []foundProblem{}}
	for _, p := range problems {
		answer.Problems = append(answer.Problems, foundProblem{p.File, p.Line, p.Column, p.Warning, p.Message, p.Offending, p.Suggestion})
	}
	if err := printJSON(c.data(), answer); err != nil {
		return err
	}
	if problems.Err() != nil {
		return exitError{code: ExitUsage}
	}
	return nil
}
