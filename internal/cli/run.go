package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

func (c *command) planCommand() *cobra.Command {
	var exitOnPending bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Sweep without writing to the tenant; the report says what would be done",
		Long: `Reads risk and policies, decides, and stores a report of what an apply would do.
Nothing is written to the tenant.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.sweepAll(cmd, sweep.Request{Mode: sweep.Plan}, exitOnPending)
		},
	}
	cmd.Flags().BoolVar(&exitOnPending, "exit-code", false, "exit 4 when changes are pending")
	return cmd
}

func (c *command) applyCommand() *cobra.Command {
	var stored, reason string
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Sweep and carry out what enforcement allows",
		Long: `Reads risk and policies, decides, stores the plan, and carries out those of its
actions that the enforcement section of the configuration allows. Each is
compared with the live tenant right before it is sent, and read back after.

With --plan only the actions of that stored plan are carried out, and of these
only the ones that still hold.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.apply(cmd, stored, reason)
		},
	}
	reasonFlag(cmd, &reason)
	cmd.Flags().StringVar(&stored, "plan", "", "carry out only what this run has planned")
	return cmd
}

func (c *command) apply(cmd *cobra.Command, stored, reason string) error {
	if _, err := c.runForm(); err != nil {
		return err
	}
	req := sweep.Request{Mode: sweep.Apply, Reason: reason}
	if stored == "" {
		return c.sweepAll(cmd, req, false)
	}
	a, t, err := c.openOne(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	p, err := a.Ledger(t.Name).Plan(cmd.Context(), stored)
	if err != nil {
		return usageError{fmt.Errorf("--plan %s: %w", stored, err)}
	}
	req.Stored = &p
	return c.sweepTenants(cmd.Context(), a, []config.Tenant{t}, req, false)
}

// sweepAll sweeps every selected tenant.
func (c *command) sweepAll(cmd *cobra.Command, req sweep.Request, exitOnPending bool) error {
	if _, err := c.runForm(); err != nil {
		return err
	}
	a, err := c.open(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	return c.sweepTenants(cmd.Context(), a, a.Config.Tenants, req, exitOnPending)
}

// sweepTenants sweeps tenants side by side, each at its own pace; one that
// fails does not stop another. The exit code is that of the worst.
func (c *command) sweepTenants(ctx context.Context, a *app.App, tenants []config.Tenant, req sweep.Request, exitOnPending bool) error {
	form, err := c.runForm()
	if err != nil {
		return err
	}
	c.wide = form == "wide"
	req.Through, req.By = plan.ByCommandLine, c.User
	results := make([]sweep.Result, len(tenants))
	errs := a.CheckAll(tenants) // before anything is sent
	var broken []error
	for _, err := range errs {
		var problems yamldoc.Problems
		if errors.As(err, &problems) || err != nil && len(tenants) == 1 {
			broken = append(broken, err)
		}
	}
	if len(broken) == len(tenants) {
		return joinProblems(broken)
	}
	if len(tenants) > app.FewTenants {
		a.GatherNotices()
	}
	for i, t := range tenants { // what is wrong with one stops no other
		if errs[i] != nil {
			a.Failed(ctx, t, req.Mode, errs[i])
			a.TellFailed(ctx, t, req.Mode, errs[i])
		}
	}
	asFleet := len(tenants) > app.FewTenants && form != "json"
	var g errgroup.Group
	if n := a.Config.Sweep.MaxConcurrent; n > 0 {
		g.SetLimit(n)
	}
	codes, details := make([]int, len(tenants)), make([]string, len(tenants))
	for i := range tenants {
		if errs[i] != nil {
			continue
		}
		g.Go(func() error {
			sweepCtx, cancel := context.WithTimeoutCause(ctx, a.Config.Sweep.Timeout, errTimeout)
			defer cancel()
			s, err := a.Sweeper(tenants[i])
			if err != nil { // its files have changed since
				errs[i] = err
				a.Failed(ctx, tenants[i], req.Mode, err)
				a.TellFailed(ctx, tenants[i], req.Mode, err)
				return nil
			}
			results[i], errs[i] = s.Run(sweepCtx, req)
			if errs[i] == nil {
				codes[i] = c.resultCode(results[i], exitOnPending)
			}
			if r := results[i]; asFleet { // whose memory is not to grow with the tenants that are done
				if codes[i] != ExitDone || r.Hold != "" || len(r.Campaigns) > 0 {
					details[i] = c.detailsOf(a, r)
				}
				results[i] = sweep.Result{Tenant: r.Tenant, Err: r.Err}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	code := ExitDone
	for i, r := range results {
		one := codes[i]
		switch {
		case errs[i] != nil:
			one = exitCode(errs[i])
			c.tenantFailed(tenants[i].Name, errs[i])
		case errors.Is(r.Err, entra.ErrPrivileged): // an answer to what was typed
			c.log.Error(printable(r.Err.Error()), "tenant", tenants[i].Name)
		}
		code = worse(code, one)
	}
	if len(tenants) > app.FewTenants {
		f, err := a.FleetOf(context.WithoutCancel(ctx), tenants)
		a.SendDigest(ctx, f) // without an order, if it is not known
		if err != nil {
			return err
		}
		if asFleet {
			said := map[string]string{}
			for i, t := range tenants {
				said[t.Name] = details[i]
			}
			c.printFleetResults(a, f, said)
		}
	}
	if !asFleet {
		if err := c.printResults(form, a, results, errs); err != nil {
			return err
		}
	}
	return exitWith(code)
}

// resultCode is the exit code of one finished run.
func (c *command) resultCode(r sweep.Result, exitOnPending bool) int {
	code := statusCode(r)
	if code == ExitDone && exitOnPending && pending(r) {
		return ExitPending
	}
	return code
}

var errTimeout = errors.New("sweep.timeout has passed")

// pending reports whether a plan has something to do, be it enabled or not.
func pending(r sweep.Result) bool {
	for _, a := range r.Plan.Actions {
		if a.Status == plan.Ready || a.Status == plan.NotEnabled {
			return true
		}
	}
	return false
}

// worse picks the exit code that a caller must not miss.
func worse(a, b int) int {
	order := []int{ExitDone, ExitPending, ExitPartial, ExitLocked, ExitRefused, ExitUsage, ExitAccess, ExitFailed, ExitCancelled}
	rank := func(code int) int {
		if i := slices.Index(order, code); i >= 0 {
			return i
		}
		return len(order) // what is not known is worse than all
	}
	if rank(a) >= rank(b) {
		return a
	}
	return b
}
