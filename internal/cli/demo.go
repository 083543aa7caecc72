package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	assets "github.com/risksweep/risksweep"
	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// demoLag is how long a write takes to become visible in the demo's tenant.
const demoLag = time.Second

func (c *command) demoCommand() *cobra.Command {
	var out string
	opt := graphsim.Options{Lag: demoLag}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a whole run on an embedded tenant; needs no account and no file",
		Long: `Starts a simulated tenant that speaks Microsoft Graph over HTTP, runs one full
apply of the example configuration against it, and then a second one that shows
that nothing is left to do. Reports and the configuration it used are left in
--out to look at.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.demo(cmd.Context(), out, opt) },
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "risksweep-demo", "folder for the configuration and the reports")
	f.IntVar(&opt.Users, "users", 200, "number of users in the tenant")
	f.IntVar(&opt.Detections, "detections", 500, "number of risk detections in the tenant")
	f.Uint64Var(&opt.Seed, "seed", 1, "what the tenant is generated from")
	return cmd
}

func (c *command) demo(ctx context.Context, out string, opt graphsim.Options) error {
	opt.Policies = min(5, opt.Users)
	tenant, err := graphsim.New(opt)
	if err != nil {
		return usageError{err}
	}
	if err := emptyOrOurs(out); err != nil {
		return usageError{err}
	}
	begun := false
	defer func() {
		if begun {
			if err := recordDemo(out); err != nil {
				c.log.Warn("what the demo wrote is not recorded; a further one will ask for another folder", "error", err)
			}
		}
	}()
	simCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	ready, ended := make(chan graphsim.Ready, 1), make(chan error, 1)
	go func() {
		ended <- graphsim.Serve(simCtx, tenant, graphsim.ServeOptions{Listen: "127.0.0.1:0"}, func(r graphsim.Ready) { ready <- r })
	}()
	defer func() { stop(); <-ended }()
	var at graphsim.Ready
	select {
	case at = <-ready:
	case err := <-ended:
		ended <- nil
		return fmt.Errorf("starting the embedded tenant: %w", err)
	}
	fmt.Fprintf(c.Out, "A simulated tenant with %s and %s answers at %s\n", report.Number(opt.Users, "user"), report.Number(opt.Detections, "risk detection"), at.Graph)

	dir := filepath.Join(out, "configuration")
	begun = true
	if err := writeExample(dir); err != nil {
		return fmt.Errorf("writing the example configuration: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "exceptions.yaml"), demoExceptions(c.Now()), 0o644); err != nil {
		return fmt.Errorf("writing the example configuration: %w", err)
	}
	if err := demoTriage(filepath.Join(dir, "triage.yaml")); err != nil {
		return fmt.Errorf("writing the example configuration: %w", err)
	}
	cfg, err := c.demoConfig(dir, out, at)
	if err != nil {
		return err
	}
	a, err := c.openApp(ctx, cfg, app.Options{ReadBack: 20 * time.Second, Visibility: 20 * time.Second})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "\nFirst run: apply\n\n")
	code := exitCode(c.sweepTenants(ctx, a, cfg.Tenants, sweep.Request{Mode: sweep.Apply}, false))
	if code == ExitCancelled || code == ExitFailed {
		return exitError{code: code}
	}
	fmt.Fprintf(c.Out, "\nSecond run: apply again, to see that nothing is left to do\n\n")
	second, err := c.demoAgain(ctx, a, cfg)
	if err != nil {
		return err
	}
	if err := c.demoExpectations(ctx, a, cfg.Tenants[0]); err != nil {
		return err
	}
	c.demoEnd(out, cfg, second)
	if code != ExitDone {
		return exitError{code: code}
	}
	if n := second.Plan.Pending(); n != 0 {
		return fmt.Errorf("the second run still found %d actions", n)
	}
	return nil
}

// demoExceptions is a file with one exception, which lives for a week from now.
func demoExceptions(now time.Time) []byte {
	return []byte(fmt.Sprintf(`# Who stays out of which policy until when; see docs/exceptions.md. Each ends by
# itself: after "until" the next run takes its users back.
exceptions:
  - id: travel-1234
    users: [ada@contoso.com]
    policies: [CA005]
    until: %s
    reason: Visits a customer abroad
    owner: secops@contoso.com
    ticket: INC-1234
`, now.UTC().AddDate(0, 0, 7).Format(time.DateOnly)))
}

// demoTriage adds to the example's rules one that closes single sign-ins.
func demoTriage(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, after, found := bytes.Cut(data, []byte("escalate:\n"))
	if !found {
		return fmt.Errorf("%s has no escalate", file)
	}
	return os.WriteFile(file, slices.Concat(before, []byte(`  # Where something else of the user is open, nothing may be dismissed as a whole:
  # the sign-ins from the VPN are closed one by one, and the rest stays open.
  - id: corp-vpn-sign-ins
    groups: [VPN Users]
    groupRiskAccepted: true
    scope: detections
    when:
      riskEventTypes: [anonymizedIPAddress, unfamiliarFeatures]
      maxRiskLevel: medium
      ipRanges: [203.0.113.0/24]
    reason: The egress of the corporate VPN is on anonymizer lists
    owner: secops@contoso.com
    expires: 2027-12-31

escalate:
`), after), 0o644)
}

// demoAgain sweeps once more and returns what it found.
func (c *command) demoAgain(ctx context.Context, a *app.App, cfg *config.Config) (sweep.Result, error) {
	s, err := a.Sweeper(cfg.Tenants[0])
	if err != nil {
		return sweep.Result{}, err
	}
	r, err := s.Run(ctx, sweep.Request{Mode: sweep.Apply})
	if err != nil {
		return r, err
	}
	if err := c.printResults("text", a, []sweep.Result{r}, []error{nil}); err != nil {
		return r, err
	}
	return r, r.Err
}

// demoExpectations judges what is expected of the policies that now stand.
func (c *command) demoExpectations(ctx context.Context, a *app.App, t config.Tenant) error {
	sets, err := c.expected(ctx, a, t, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "\nWhat the policies mean: expectations.yaml\n\n")
	c.printExpectations(sets[len(sets)-1:])
	return nil
}

// demoEnd says where to look.
func (c *command) demoEnd(out string, cfg *config.Config, r sweep.Result) {
	run := filepath.Join(out, cfg.Tenants[0].Name, "runs", r.Started.UTC().Format("2006/01/02"))
	fmt.Fprintf(c.Out, `
Look at what it left in %s:
  configuration/         the configuration, the triage rules and the baseline that were used
  contoso/latest.json    which run was the last
  contoso/state.json     what the next run must know
  %s/
                         one folder a run: report.html for people, report.json, users.csv,
                         detections.csv, policies.csv, actions.csv, journal.jsonl, manifest.json

In its configuration folder, report list, report show and report verify read these runs.
Next: risksweep sim starts the same tenant as a server, docs/tutorial.md leads to your own.
`, out, mustRel(out, run))
}

func mustRel(base, path string) string {
	rel, err := filepath.Rel(base, path)
	if err != nil {
		return path
	}
	return rel
}

// writeExample lays the shipped example configuration out, with the demo's own
// folder as its store.
func writeExample(dir string) error {
	root, err := fs.Sub(assets.Examples, "examples")
	if err != nil {
		return err
	}
	return fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		data, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		data = bytes.Replace(data, []byte("url: file:./reports\n"), []byte("url: file:..\n"), 1)
		return os.WriteFile(to, data, 0o644)
	})
}

// demoConfig loads the example configuration with what is different in a demo:
// where the tenant is, where reports go, no pace, and everything switched on.
func (c *command) demoConfig(dir, out string, at graphsim.Ready) (*config.Config, error) {
	abs, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	const token = "RISKSWEEP_DEMO_TOKEN"
	cfg, problems := config.Load(config.LoadOptions{
		File: filepath.Join(dir, "risksweep.yaml"), Explicit: true, KnownEnv: []string{token},
		Env: func(name string) (string, bool) {
			switch name {
			case token:
				return at.Token, true
			case config.EnvTenants:
				return fmt.Sprintf("[{name: contoso, tenantId: %s, credential: {kind: static, token: {env: %s}}, "+
					"graphEndpoint: %q, baseline: %q, triage: %q, exceptions: %q, expectations: %q}]", at.TenantID, token, at.Graph,
					filepath.Join(dir, "baseline"), filepath.Join(dir, "triage.yaml"), filepath.Join(dir, "exceptions.yaml"), filepath.Join(dir, "expectations.yaml")), true
			}
			return "", false
		},
		Flags: map[string]string{
			"store.url": "file:" + abs, "sweep.requestsPerSecond": "0",
			"enforcement.dismiss": "true", "enforcement.confirmCompromised": "true", "enforcement.dismissDetections": "true", "enforcement.policies": "true", "enforcement.exceptions": "true",
		},
	})
	return cfg, problems.Err()
}
