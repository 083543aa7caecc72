package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// oneForm are the commands whose answer has one form, and why: they take no -o.
var oneForm = map[string]string{
	"demo": "it is a walk-through for people; the reports that it leaves are the data",
	"help": "it is help",
}

// onlyJSON are the commands whose answer is JSON in any case: a JSON Schema, the line
// with the address of what serves, or a log.
var onlyJSON = []string{"baseline schema", "exceptions schema", "whatif schema", "serve", "sim", "functions"}

// checkForm refuses -o where a command has one form, instead of passing over it.
func (c *command) checkForm(cmd *cobra.Command) error {
	if c.output == "" {
		return nil
	}
	path := pathOf(cmd)
	if why, one := oneForm[path]; one {
		return usageError{fmt.Errorf("-o: %s takes none: %s", cmd.CommandPath(), why)}
	}
	if cmd.Parent() != nil && cmd.Parent().Name() == "completion" {
		return usageError{fmt.Errorf("-o: %s takes none: its answer is a script for a shell", cmd.CommandPath())}
	}
	if slices.Contains(onlyJSON, path) {
		_, err := c.form("json")
		return err
	}
	return nil
}

// runForm checks -o for a command that ends in runs, before it does or asks anything.
func (c *command) runForm() (string, error) { return c.form("text", "wide", "json") }

// pathOf is what is typed after risksweep to call a command.
func pathOf(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return ""
	}
	if up := pathOf(cmd.Parent()); up != "" {
		return up + " " + cmd.Name()
	}
	return cmd.Name()
}
