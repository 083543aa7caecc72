package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// validate checks files offline: those that are named, else those that the
// tenants of the configuration have. Check says what a file holds.
func (c *command) validate(cmd *cobra.Command, paths []string, what string, of func(config.Tenant) string, check func(path string) (holds string, problems yamldoc.Problems)) error {
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
	for _, path := range paths {
		holds, problems := check(path)
		all = append(all, problems...)
		if problems.Err() == nil {
			fmt.Fprintf(c.Out, "%s: %snothing wrong\n", path, holds)
		}
	}
	for _, w := range all.Warnings() {
		fmt.Fprintln(c.Err, w.Error())
	}
	return all.Err()
}
