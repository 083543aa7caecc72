package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/risksweep/risksweep/internal/sweep"
)

func (c *command) baselineHistoryCommand() *cobra.Command {
	var p period
	cmd := &cobra.Command{
		Use: "history KEY", Short: "Say what each run knows of one policy, named location or strength", Args: cobra.ExactArgs(1),
		Long: `Says of one object of the baseline, by its key, name or id, what every run in the
store saw and did: drift, changes, actions and their outcomes; and what the tenant's
audit log says of it for the last 30 days: who changed it, when, and what. Where the log cannot be
read, that is said, and the runs are shown alone; sweep.logs: off asks for no sign-in.`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.showHistory(cmd, args[0], p, true) },
	}
	p.flags(cmd)
	return cmd
}

func (c *command) rollbackCommand() *cobra.Command {
	var yes bool
	var reason string
	cmd := &cobra.Command{
		Use: "rollback RUN [KEY...]", Short: "Bring policies back to what they were before a run", Args: cobra.MinimumNArgs(1),
		Long: `Plans the state that policies, named locations and authentication strengths had
before the writes of a run, all of them or those of the keys that are named. It is
shown and nothing more; --yes carries it out.

It is an order by a person, so enforcement.policies is not asked. All else holds as
for any write: what changes an enabled policy needs allowEnabledPolicies, what
weakens one allowWeakening, the limits count, HOLD stops it, and the run can be
rolled back itself. What the next apply of the baseline would make of it is said.`,
		Example: `  risksweep baseline rollback 20261130T020000Z-1a2b3c
  risksweep baseline rollback 20261130T020000Z-1a2b3c CA010 --yes --reason INC-1234`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.rollback(cmd, sweep.Rollback{Run: args[0], Keys: args[1:]}, yes, reason)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "carry it out, instead of showing it")
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *command) rollback(cmd *cobra.Command, back sweep.Rollback, yes bool, reason string) error {
	a, t, err := c.openForOrder(cmd, yes, reason)
	if err != nil {
		return err
	}
	if _, err := a.Ledger(t.Name).Plan(cmd.Context(), back.Run); err != nil {
		return usageError{fmt.Errorf("there is no run %s with a plan; risksweep report list names them: %w", back.Run, err)}
	}
	req := sweep.Request{Mode: sweep.Plan, Rollback: &back, Reason: reason}
	if yes {
		req.Mode = sweep.Apply
	}
	return c.sweepTenants(cmd.Context(), a, a.Config.Tenants, req, false)
}

func (c *command) restoreCommand() *cobra.Command {
	var yes bool
	var reason string
	cmd := &cobra.Command{
		Use: "restore KEY|ID", Short: "Bring back a policy or named location that was deleted", Args: cobra.ExactArgs(1),
		Long: `Brings a deleted policy or named location back from the deleted items, where the
service keeps it for 30 days: under its id and in the state it had, so that an
enabled policy enforces at once. Where it is not there any more, or the cloud keeps
no deleted items, it is made anew from what the runs have stored of it, under a new
id. Name it by its key in the baseline, its id or its displayName. It is shown and
nothing more; --yes carries it out.

It is an order by a person, so enforcement.policies is not asked. All else holds as
for any write: an enabled policy needs allowEnabledPolicies, limits.maxPolicyCreates
counts it, and HOLD stops it. Where the service lets only persons restore, what a
person can send instead is said. What the next apply of the baseline would make of
it is said too.`,
		Example: `  risksweep baseline restore CA010
  risksweep baseline restore CA010 --yes --reason INC-1234`,
		RunE: func(cmd *cobra.Command, args []string) error { return c.restore(cmd, args[0], yes, reason) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "carry it out, instead of showing it")
	reasonFlag(cmd, &reason)
	return cmd
}

func (c *command) restore(cmd *cobra.Command, what string, yes bool, reason string) error {
	a, t, err := c.openForOrder(cmd, yes, reason)
	if err != nil {
		return err
	}
	s, err := a.Sweeper(t)
	if err != nil {
		return err
	}
	found, names, err := s.FindDeleted(cmd.Context(), what)
	switch {
	case errors.Is(err, sweep.ErrUnknownObject):
		err = didYouMean(err, what, names)
		return usageError{err}
	case err != nil:
		return err
	}
	req := sweep.Request{Mode: sweep.Plan, Restore: &found, Reason: reason}
	if yes {
		req.Mode = sweep.Apply
	}
	return c.sweepTenants(cmd.Context(), a, a.Config.Tenants, req, false)
}
