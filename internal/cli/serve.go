package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/daemon"
	"github.com/risksweep/risksweep/internal/httpapi"
	"github.com/risksweep/risksweep/internal/schedule"
	"github.com/risksweep/risksweep/internal/telemetry"
)

// serveCommand runs the schedule and the API until it is stopped.
func (c *command) serveCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Sweep on a schedule and answer the HTTP API until stopped",
		Long: `Sweeps every tenant when schedule.cron says, and answers the API at http.listen:
POST /api/runs, GET /api/runs, GET /api/runs/{id}, GET /api/runs/{id}/files/{name},
and for probes /healthz, /readyz and /metrics.

The API wants a bearer token: http.token (RISKSWEEP_HTTP_TOKEN), or tokens of
Microsoft Entra ID (http.issuer, http.audience, http.role). A run that was missed
while nothing served is made up once at the start.

SIGTERM or Ctrl-C: nothing new begins, the action under way ends, reports are
written, and the exit code is 0. When it is ready it prints one JSON line with
its address. Traces go where OTEL_EXPORTER_OTLP_ENDPOINT says.`,
		Example: `  RISKSWEEP_HTTP_TOKEN=$(openssl rand -hex 32) risksweep serve
  risksweep serve --http-listen 127.0.0.1:0 --schedule-cron @hourly`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return c.checkServe(cmd)
			}
			return c.serve(cmd)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "ask the serve that listens at http.listen whether it is alive, and exit 0 or 1")
	return cmd
}

// checkServe is the health check of an image that has no other program.
func (c *command) checkServe(cmd *cobra.Command) error {
	cfg, err := c.loadConfig(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(cfg.HTTP.Listen)
	if err != nil {
		return usageError{err}
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 4*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("serve does not answer: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("serve is not well: %s", res.Status)
	}
	return nil
}

func (c *command) serve(cmd *cobra.Command) error {
	ctx := cmd.Context()
	cfg, err := c.loadConfig(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	auth, err := authOf(cfg.HTTP)
	if err != nil {
		return usageError{err}
	}
	s, err := scheduleOf(cfg.Schedule)
	if err != nil {
		return usageError{err}
	}
	traces, endTraces, err := telemetry.Start(ctx, telemetry.Options{Env: c.Env, Version: Version(), Log: c.log})
	if err != nil {
		return err
	}
	defer func() {
		if err := endTraces(ctx); err != nil {
			c.log.Warn("the last traces were not sent", "error", err)
		}
	}()
	opt := app.Options{}
	if telemetry.Enabled(c.Env) {
		opt.Transport = telemetry.Transport(traces, app.Transport(cfg))
	}
	a, err := c.openService(ctx, cfg, opt)
	if err != nil {
		return err
	}
	if err := c.checkTenants(a); err != nil {
		return err
	}
	book := a.Book()
	book.Since = c.Now()
	return daemon.Run(ctx, daemon.Options{
		Listen: cfg.HTTP.Listen, Auth: auth, Book: book, Tenants: a.Names(), AllowApply: cfg.HTTP.AllowApply,
		Schedule: s, Timeout: cfg.Sweep.Timeout, KeepDays: cfg.Store.KeepDays, Ready: a.Ready, Missed: a.Missed, Overdue: a.CountOverdue, Fleet: a.FleetPage,
		Numbers: numbersOf(a), Digest: a.TellRound, DigestAfter: app.RoundWait,
		Version: Version(), Now: c.Now, Log: c.log, Tracer: traces,
		Listening: func(at net.Addr) { fmt.Fprintf(c.Out, "{\"api\":\"http://%s\"}\n", at) },
	})
}

// numbersOf gives what the last runs counted, for /metrics.
func numbersOf(a *app.App) func(context.Context) (map[string]daemon.Numbers, error) {
	return func(ctx context.Context) (map[string]daemon.Numbers, error) {
		f, err := a.WatchedFleet(ctx)
		out := map[string]daemon.Numbers{}
		for _, s := range f.Tenants {
			n := daemon.Numbers{Trouble: s.Trouble(), LastSuccess: s.LastSuccess, Unread: s.Numbers == nil, CampaignUsers: s.CampaignUsers()}
			if s.Numbers != nil {
				n.AtRisk, n.NeedsPerson, n.BeyondSLA, n.Drift = s.Numbers.AtRisk, s.Numbers.NeedsPerson, s.Numbers.BeyondSLA, s.Numbers.Drift
			}
			out[s.Tenant] = n
		}
		return out, err
	}
}

// openService opens the app for a process without a person in front of it.
func (c *command) openService(ctx context.Context, cfg *config.Config, opt app.Options) (*app.App, error) {
	opt.Now, opt.Log, opt.Version, opt.ExitCode = c.Now, c.log, Version(), statusCode
	return app.Open(ctx, cfg, opt)
}

// checkTenants reads every triage and baseline file before anything begins.
// A tenant whose files are broken does not keep the others from being swept.
func (c *command) checkTenants(a *app.App) error {
	var broken []error
	for _, err := range a.CheckAll(a.Config.Tenants) {
		if err != nil {
			broken = append(broken, err)
		}
	}
	if len(broken) > 0 && len(broken) == len(a.Config.Tenants) {
		return joinProblems(broken)
	}
	for _, err := range broken {
		c.log.Error("a tenant cannot be swept until its files are mended", "error", err)
	}
	return nil
}

func authOf(h config.HTTP) (*httpapi.Auth, error) {
	return httpapi.NewAuth(httpapi.AuthOptions{Token: h.Token.Reveal(), NewToken: h.Token.Reveal, Issuer: h.Issuer, Audience: h.Audience, Role: h.Role})
}

// scheduleOf parses the schedule; nil if there is none.
func scheduleOf(s config.Schedule) (*schedule.Schedule, error) {
	if s.Cron == "" {
		return nil, nil
	}
	parsed, err := schedule.Parse(s.Cron, s.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("schedule.cron: %w", err)
	}
	return parsed, nil
}
