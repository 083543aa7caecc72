package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
)

func (c *command) configCommand() *cobra.Command {
	root := &cobra.Command{Use: "config", Short: "Show the configuration"}
	show := &cobra.Command{
		Use: "show", Short: "Print the effective values and where each came from; secrets are not printed",
		RunE: func(cmd *cobra.Command, _ []string) error {
			form, err := c.form("table", "json")
			if err != nil {
				return err
			}
			cfg, err := c.loadConfig(cmd, config.ToCheck)
			if err != nil {
				return err
			}
			if form == "json" {
				type setting struct {
					Key    string `json:"key"`
					Value  string `json:"value"`
					Source string `json:"source"`
				}
				all := []setting{}
				for _, s := range cfg.Effective() {
					all = append(all, setting(s))
				}
				return printJSON(c.Out, all)
			}
			t := newTable("KEY", "VALUE", "SOURCE")
			for _, s := range cfg.Effective() {
				t.row(s.Key, s.Value, s.Source)
			}
			t.print(c.Out, c.Width)
			return nil
		},
	}
	keys := &cobra.Command{
		Use: "keys", Short: "List every key with its type, default, variable and flag",
		RunE: func(*cobra.Command, []string) error {
			form, err := c.form("table", "json")
			if err != nil {
				return err
			}
			if form == "json" {
				return printJSON(c.Out, config.Reference())
			}
			t := newTable("KEY", "TYPE", "DEFAULT", "ENVIRONMENT", "FLAG", "")
			for _, k := range config.Reference() {
				flag := ""
				if k.Flag != "" {
					flag = "--" + k.Flag
				}
				t.row(k.Key, k.Type, k.Default, k.Env, flag, k.Doc)
			}
			t.print(c.Out, c.Width)
			return nil
		},
	}
	check := &cobra.Command{
		Use: "validate", Short: "Check the configuration, the baseline and the triage file of every tenant, offline",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig(cmd, config.ToCheck)
			if err != nil {
				return err
			}
			a := c.reading(cfg)
			if !cfg.Store.Credential.Absent {
				if a, err = c.openApp(cmd.Context(), cfg, app.Options{}); err != nil {
					return err
				}
			}
			var broken []error
			for _, t := range cfg.Tenants {
				if err := a.Check(t); err != nil {
					broken = append(broken, err)
				}
			}
			if len(broken) > 0 {
				return joinProblems(broken)
			}
			for _, t := range cfg.Tenants {
				fmt.Fprintf(c.Out, "tenant %s: nothing wrong\n", t.Name)
			}
			return nil
		},
	}
	root.AddCommand(show, keys, check)
	return root
}
