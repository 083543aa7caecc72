package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
)

// knownEnv are RISKSWEEP_ variables that the process itself reads.
var knownEnv = []string{"RISKSWEEP_LOG_LEVEL", "RISKSWEEP_LOG_FORMAT", envCommit}

// envCommit names the commit that the configuration was taken from, for the
// manifests of runs.
const envCommit = "RISKSWEEP_CONFIG_COMMIT"

var commitName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._/-]{0,99}$`)

// configCommit is the commit that the environment names.
func (c *command) configCommit() string {
	v, _ := c.Env(envCommit)
	if v = strings.TrimSpace(v); v == "" || commitName.MatchString(v) {
		return v
	}
	c.log.Warn(envCommit + " names no commit and is not recorded: it must be a hash or a name of letters, digits and . _ / - of at most 100 characters")
	return ""
}

// keyFlags gives every scalar key of the configuration a flag. They are many,
// so help shows them only with the keys (risksweep config keys).
func keyFlags(f *pflag.FlagSet) {
	for _, k := range config.Reference() {
		if k.Flag == "" {
			continue
		}
		f.String(k.Flag, "", k.Doc)
		if k.Type == "boolean" {
			f.Lookup(k.Flag).NoOptDefVal = "true" // --enforcement-dismiss alone says yes
		}
		if err := f.MarkHidden(k.Flag); err != nil {
			panic(err) // the flag was defined one line above
		}
	}
}

// loadConfig reads the configuration that flags, environment and file make.
// Its warnings are logged; its errors come back all at once.
func (c *command) loadConfig(cmd *cobra.Command, use config.Use) (*config.Config, error) {
	given := map[string]string{}
	for _, k := range config.Reference() {
		if k.Flag == "" {
			continue
		}
		if f := cmd.Flags().Lookup(k.Flag); f != nil && f.Changed {
			given[k.Key] = f.Value.String()
		}
	}
	_, fromEnv := c.Env(config.EnvConfig)
	cfg, problems := config.Load(config.LoadOptions{
		File: c.configFile, Explicit: cmd.Flags().Changed("config") || fromEnv,
		Env: c.Env, Environ: os.Environ(), KnownEnv: knownEnv, Flags: given, Tenants: c.tenants, Use: use,
	})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	for _, w := range problems.Warnings() {
		if text := w.Error(); !c.warned[text] { // a command may read the configuration twice
			if c.warned == nil {
				c.warned = map[string]bool{}
			}
			c.warned[text] = true
			c.log.Warn(text)
		}
	}
	return cfg, nil
}

// open reads the configuration and opens its store.
func (c *command) open(cmd *cobra.Command, use config.Use) (*app.App, error) {
	cfg, err := c.loadConfig(cmd, use)
	if err != nil {
		return nil, err
	}
	if path, is := strings.CutPrefix(cfg.Store.URL, "file:"); is && use == config.ToRead {
		// Opening would make it, and then report that nothing is wrong with it.
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, usageError{fmt.Errorf("store.url: the folder %s does not exist: no run has written to it", path)}
		}
	}
	return c.openApp(cmd.Context(), cfg, app.Options{})
}

func (c *command) openApp(ctx context.Context, cfg *config.Config, opt app.Options) (*app.App, error) {
	opt.ConfigCommit = c.configCommit()
	opt.Now, opt.Log, opt.Version, opt.Progress, opt.ExitCode = c.Now, c.log, Version(), c.progress(), statusCode
	return app.Open(ctx, cfg, opt)
}

// reading wires a configuration without its store.
func (c *command) reading(cfg *config.Config) *app.App {
	return app.Reading(cfg, app.Options{Now: c.Now, Log: c.log, Version: Version()})
}

// openOne is open for a command that works on one tenant.
func (c *command) openOne(cmd *cobra.Command, use config.Use) (*app.App, config.Tenant, error) {
	a, err := c.open(cmd, use)
	if err != nil {
		return nil, config.Tenant{}, err
	}
	t, err := oneTenant(a.Config)
	return a, t, err
}

// openForOrder is openOne for an order by a person, whose report is to say why it
// was given.
func (c *command) openForOrder(cmd *cobra.Command, yes bool, reason string) (*app.App, config.Tenant, error) {
	if _, err := c.runForm(); err != nil {
		return nil, config.Tenant{}, err
	}
	a, t, err := c.openOne(cmd, config.ToSweep)
	switch {
	case err != nil || !yes || reason != "":
	case a.Config.Enforcement.RequireReason:
		err = usageError{errors.New("the order gives no reason, and enforcement.requireReason asks for one: nothing was done; --reason TEXT gives it")}
	default:
		c.log.Warn("the order gives no reason: --reason TEXT would say in the report why")
	}
	return a, t, err
}

// oneTenant picks the tenant for commands that work on one.
func oneTenant(cfg *config.Config) (config.Tenant, error) {
	if len(cfg.Tenants) != 1 {
		return config.Tenant{}, usageError{fmt.Errorf("the configuration has %d tenants; name one with --tenant", len(cfg.Tenants))}
	}
	return cfg.Tenants[0], nil
}
