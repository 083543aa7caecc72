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
				return printJSON(c.data(), all)
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
		Use: "keys", Short: "List every key with its default and meaning; -o wide adds type, variable and flag",
		RunE: func(*cobra.Command, []string) error {
			form, err := c.form("table", "wide", "json")
			if err != nil {
				return err
			}
			switch form {
			case "json":
				return printJSON(c.data(), config.Reference())
			case "table":
				t := newTable("KEY", "DEFAULT", "")
				for _, k := range config.Reference() {
					t.row(k.Key, k.Default, k.Doc)
				}
				t.print(c.Out, c.Width)
				fmt.Fprintln(c.Err, "store.keepDays is also the flag --store-keep-days and the variable RISKSWEEP_STORE_KEEP_DAYS, and so on; -o wide lists types, variables and flags")
				return nil
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
			form, err := c.form("text", "json")
			if err != nil {
				return err
			}
			checked, err := c.validateConfig(cmd, form)
			return c.checked(form, checked, err)
		},
	}
	root.AddCommand(show, keys, check)
	return root
}

// validateConfig checks the configuration and the files of its tenants.
func (c *command) validateConfig(cmd *cobra.Command, form string) ([]checkedFile, error) {
	cfg, err := c.loadConfig(cmd, config.ToCheck)
	if err != nil {
		return nil, err
	}
	a := c.reading(cfg)
	if !cfg.Store.Credential.Absent {
		if a, err = c.openApp(cmd.Context(), cfg, app.Options{}); err != nil {
			return nil, err
		}
	}
	var broken []error
	for _, t := range cfg.Tenants {
		if err := a.Check(t); err != nil {
			broken = append(broken, err)
		}
	}
	if len(broken) > 0 {
		return nil, joinProblems(broken)
	}
	checked := []checkedFile{}
	for _, t := range cfg.Tenants {
		checked = append(checked, checkedFile{Tenant: t.Name, OK: true})
		if form == "text" {
			fmt.Fprintf(c.Out, "tenant %s: nothing wrong\n", t.Name)
		}
	}
	return checked, nil
}
