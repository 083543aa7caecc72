package cli

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/functions"
	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/daemon"
	"github.com/risksweep/risksweep/internal/schedule"
)

// functionsCommand is the custom handler of Azure Functions.
func (c *command) functionsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "functions",
		Short: "Answer the Azure Functions host as its custom handler",
		Long: `Listens on the port in FUNCTIONS_CUSTOMHANDLER_PORT, where the Functions host
sends its calls; without a command, risksweep does this by itself when that
variable is set. The configuration is read at the first call, mostly from app
settings: see local.settings.json.example.

To make a function app: risksweep functions package --out DIR`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.functions(cmd) },
	}
	cmd.AddCommand(c.packageCommand())
	return cmd
}

func (c *command) functions(cmd *cobra.Command) error {
	// Listening comes first: while the host waits, its time limit runs.
	port, err := functions.Port(c.Env)
	if err != nil {
		return usageError{err}
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("listening for the Functions host: %w", err)
	}
	// The host takes stderr for errors and prefixes each line itself.
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(c.logLevel)); err != nil {
		return usageError{err}
	}
	c.log = slog.New(functions.LogHandler(slog.NewJSONHandler(c.Out, &slog.HandlerOptions{Level: level})))
	timeout, err := functions.Timeout(c.Env)
	if err != nil {
		c.log.Error("functionTimeout cannot be read; the shortest default is assumed", "error", err)
		timeout = 5 * time.Minute
	}
	h := functions.New(functions.Options{Timeout: timeout, Now: c.Now, Log: c.log,
		Open: func(ctx context.Context) (*functions.Backend, error) { return c.backend(ctx, cmd) }})
	err = h.Serve(cmd.Context(), l)
	if cmd.Context().Err() != nil {
		// An exit with 0 would tell the host that the handler is not to be
		// started again.
		return exitError{code: ExitCancelled}
	}
	return err
}

// backend is the configuration put to work for the functions.
func (c *command) backend(ctx context.Context, cmd *cobra.Command) (*functions.Backend, error) {
	cfg, err := c.loadConfig(cmd, config.ToSweep)
	if err != nil {
		return nil, err
	}
	a, err := c.openService(ctx, cfg, app.Options{})
	if err != nil {
		return nil, err
	}
	if err := c.checkTenants(a); err != nil {
		return nil, err
	}
	b := &functions.Backend{Book: a.Book(), Tenants: a.Names(), AllowApply: cfg.HTTP.AllowApply, KeepDays: cfg.Store.KeepDays}
	s, err := c.timer()
	switch {
	case err != nil:
		c.log.Warn("the timer's schedule cannot be read; the host's due times are used alone", "error", err)
	case s != nil:
		b.LastDue = func(now time.Time) time.Time { return daemon.LastDue(s, now) }
	}
	return b, nil
}

// timer is the schedule of the timer trigger, nil if it is not known here.
func (c *command) timer() (*schedule.Schedule, error) {
	spec, _ := c.Env(config.EnvNCRONTAB)
	if spec == "" {
		return nil, nil
	}
	zone, _ := c.Env("WEBSITE_TIME_ZONE")
	if zone == "" {
		zone = "UTC"
	}
	s, err := schedule.ParseNCRONTAB(spec, zone)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", config.EnvNCRONTAB, err)
	}
	return s, nil
}
