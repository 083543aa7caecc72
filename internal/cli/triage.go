package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/triage"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

func (c *command) triageCommand() *cobra.Command {
	root := &cobra.Command{Use: "triage", Short: "Check and explain the triage rules"}
	validate := &cobra.Command{
		Use: "validate [FILE...]", Short: "Check triage files offline; those of the configuration if no file is given",
		RunE: func(cmd *cobra.Command, args []string) error { return c.validateTriage(cmd, args) },
	}
	explain := &cobra.Command{
		Use: "explain NAME", Short: "Say why a user or a service principal is or is not dismissed, entry by entry", Args: cobra.ExactArgs(1),
		Example: `  risksweep triage explain ada@contoso.com
  risksweep triage explain 'Build Pipeline'`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.explainOne(cmd, args[0]) },
	}
	root.AddCommand(validate, explain)
	return root
}

func (c *command) validateTriage(cmd *cobra.Command, files []string) error {
	return c.validate(cmd, files, "triage file", func(t config.Tenant) string { return t.Triage }, func(name string) (string, yamldoc.Problems) {
		data, err := os.ReadFile(name)
		if err != nil {
			return "", yamldoc.Problems{app.Unreadable(name, err)}
		}
		_, problems := triage.Parse(name, data, c.Now())
		return "", problems
	})
}

func (c *command) explainOne(cmd *cobra.Command, name string) error {
	form, err := c.form("text", "json")
	if err != nil {
		return err
	}
	a, t, err := c.openOne(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	if t.Triage == "" {
		return usageError{fmt.Errorf("tenant %s has no triage file in the configuration", t.Name)}
	}
	s, err := a.Sweeper(t)
	if err != nil {
		return err
	}
	e, err := s.Explain(cmd.Context(), name)
	if err != nil {
		return err
	}
	if form == "json" {
		return printJSON(c.data(), e)
	}
	_, err = fmt.Fprintln(c.Out, printableLines(e.Text()))
	return err
}
