package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/doctor"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/schedule"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/zones"
)

// doctorCommand looks for what keeps a sweep from working.
func (c *command) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find out what is missing for a sweep, and how to mend it",
		Long: `Signs in to every tenant, compares the token's app roles with what the
configuration uses, tries each endpoint once, and looks at licences, clock,
break-glass accounts, store, lease and schedule. Nothing is written to a tenant.

Exits 0 if nothing is broken, 12 if sign-in or permission is, else 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.doctor(cmd) },
	}
}

func (c *command) doctor(cmd *cobra.Command) error {
	form, err := c.form("table", "wide", "json")
	if err != nil {
		return err
	}
	cfg, err := c.loadConfig(cmd, config.ToSweep)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	checks := []doctor.Check{c.checkSchedule(cfg), checkHTTP(cfg)}
	var overdue []doctor.Check // before all else
	a, err := app.Open(ctx, cfg, app.Options{Now: c.Now, Log: c.log, Version: Version()})
	if err != nil {
		checks = append(checks, doctor.Check{Name: "store", Status: doctor.Fail, Detail: err.Error(), Fix: storeFix(cfg, err)})
		a = c.reading(cfg)
	} else {
		checks = append(checks, c.checkStore(ctx, a)...)
	}
	examined, late := make([][]doctor.Check, len(cfg.Tenants)), make([][]doctor.Check, len(cfg.Tenants))
	var g errgroup.Group
	g.SetLimit(doctorsAtWork) // one that does not answer keeps no other waiting
	for i, t := range cfg.Tenants {
		g.Go(func() error {
			late[i], examined[i] = checkOverdue(ctx, a, t), c.examine(ctx, a, t)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range cfg.Tenants {
		overdue, checks = append(overdue, late[i]...), append(checks, examined[i]...)
	}
	checks = append(overdue, checks...)
	shown := checks
	if form == "table" && len(cfg.Tenants) > app.FewTenants {
		shown = worstChecks(checks)
	}
	if err := c.printChecks(form, shown); err != nil {
		return err
	}
	code := ExitDone
	for _, k := range checks {
		switch {
		case k.Status == doctor.Fail && k.Access:
			code = ExitAccess
		case k.Status == doctor.Fail && code == ExitDone:
			code = ExitFailed
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return exitWith(code)
}

// doctorsAtWork is how many tenants are looked at side by side.
const doctorsAtWork = 16

// worstChecks are the checks of many tenants for a person: those of the whole
// configuration, then of each tenant what is not in order, the worst tenant first.
// A warning that several tenants share to the letter is one line, and so is a
// tenant of which nothing else is to be said.
func worstChecks(checks []doctor.Check) []doctor.Check {
	type tally struct{ fails, warns, all int }
	of, order := map[string]*tally{}, []string{}
	alike := map[doctor.Check][]string{} // the tenants of a warning
	same := func(k doctor.Check) doctor.Check { k.Tenant = ""; return k }
	for _, k := range checks {
		if k.Tenant != "" && k.Status == doctor.Warn {
			alike[same(k)] = append(alike[same(k)], k.Tenant)
		}
	}
	var out, shared []doctor.Check
	for _, k := range checks {
		if k.Tenant == "" {
			out = append(out, k)
			continue
		}
		n := of[k.Tenant]
		if n == nil {
			n = &tally{}
			of[k.Tenant] = n
			order = append(order, k.Tenant)
		}
		n.all++
		switch who := alike[same(k)]; {
		case k.Status == doctor.Fail:
			n.fails++
		case k.Status == doctor.Warn && len(who) <= app.FewTenants:
			n.warns++
		case k.Status == doctor.Warn && who[0] == k.Tenant:
			k.Tenant, k.Detail = report.Number(len(who), "tenant"), k.Detail+" ("+policy.ShortList(who)+")"
			shared = append(shared, k)
		}
	}
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Or(of[b].fails-of[a].fails, of[b].warns-of[a].warns)
	})
	quiet := "nothing to mend; -o wide shows them"
	if len(shared) > 0 {
		quiet = "nothing but what several tenants share; -o wide shows them"
	}
	for _, t := range order {
		n := of[t]
		for _, status := range []doctor.Status{doctor.Fail, doctor.Warn} {
			for _, k := range checks {
				if k.Tenant == t && k.Status == status && (status == doctor.Fail || len(alike[same(k)]) <= app.FewTenants) {
					out = append(out, k)
				}
			}
		}
		if n.fails+n.warns == 0 {
			out = append(out, shared...)
			shared = nil
			out = append(out, doctor.Check{Tenant: t, Name: "all", Status: doctor.OK, Detail: report.Number(n.all, "check") + ", " + quiet})
		}
	}
	return append(out, shared...)
}

// checkOverdue names the exceptions that are over and were not taken back.
func checkOverdue(ctx context.Context, a *app.App, t config.Tenant) (checks []doctor.Check) {
	list, err := a.Overdue(ctx, t.Name)
	if err != nil {
		return nil // the store has a check of its own, and every run says what is wrong with the state
	}
	fix := "risksweep apply"
	if !a.Config.Enforcement.Exceptions {
		fix += " --enforcement-exceptions"
	}
	for _, x := range list {
		checks = append(checks, doctor.Check{Tenant: t.Name, Name: "exception " + x.Exception, Status: doctor.Fail, Detail: sweep.StillOutText(x), Fix: fix})
	}
	return checks
}

// examine looks at one tenant.
func (c *command) examine(ctx context.Context, a *app.App, t config.Tenant) []doctor.Check {
	parts := []doctor.Part{doctor.Read}
	if t.Triage != "" {
		parts = append(parts, doctor.Triage)
	}
	rules, triageProblems := a.Triage(t)
	if a.Config.Sweep.ServicePrincipals == "true" || a.Config.Enforcement.ServicePrincipals || rules != nil && rules.DecidesPrincipals() {
		parts = append(parts, doctor.ServicePrincipals)
	}
	if a.Config.Sweep.Beta {
		parts = append(parts, doctor.Agents)
	}
	if a.Config.Sweep.Logs != "off" {
		parts = append(parts, doctor.Logs)
	}
	for _, kind := range plan.Kinds() {
		if a.Config.Enforcement.Allows(kind) && (kind.OnUser() || kind.OnPrincipal() || t.Baseline != "") {
			parts = append(parts, doctor.Part(kind.Part()))
		}
	}
	var emergency *doctor.BreakGlass
	var checks []doctor.Check
	if t.Baseline != "" {
		parts = append(parts, doctor.Baseline)
		base, problems := a.Baseline(t)
		if err := problems.Err(); err != nil {
			checks = append(checks, doctor.Check{Tenant: t.Name, Name: "baseline", Status: doctor.Fail, Detail: problems[0].Error(), Fix: "risksweep baseline validate"})
		} else if base != nil {
			if base.NamesTermsOfUse() {
				parts = append(parts, doctor.TermsOfUse)
			}
			emergency = &doctor.BreakGlass{Users: base.BreakGlass.Users, Groups: base.BreakGlass.Groups}
		}
	}
	if t.Exceptions != "" && t.Triage == "" {
		parts = append(parts, doctor.Triage) // who is put out must not be privileged
	}
	if problems := a.CheckExceptions(t); problems.Err() != nil {
		checks = append(checks, doctor.Check{Tenant: t.Name, Name: "exceptions", Status: doctor.Fail, Detail: problems[0].Error(), Fix: "risksweep exceptions validate"})
	}
	if triageProblems.Err() != nil {
		checks = append(checks, doctor.Check{Tenant: t.Name, Name: "triage", Status: doctor.Fail, Detail: triageProblems[0].Error(), Fix: "risksweep triage validate"})
	}
	client, err := a.Graph(t)
	if err != nil {
		return append(checks, doctor.Check{Tenant: t.Name, Name: "sign-in", Status: doctor.Fail, Detail: err.Error(), Fix: "check tenants[].credential", Access: true})
	}
	return append(checks, doctor.Examine(ctx, doctor.Patient{Name: t.Name, Reader: client, Graph: app.GraphAddress(t), Parts: parts, BreakGlass: emergency,
		Promote: t.Baseline != "" && a.Config.Enforcement.Allows(plan.PromotePolicy), Now: c.Now})...)
}

// checkStore writes to the store and looks at each tenant's lease.
func (c *command) checkStore(ctx context.Context, a *app.App) []doctor.Check {
	if err := a.ProbeStore(ctx); err != nil {
		return []doctor.Check{{Name: "store", Status: doctor.Fail, Detail: err.Error(), Fix: storeFix(a.Config, err)}}
	}
	checks := []doctor.Check{{Name: "store", Status: doctor.OK, Detail: "a file was written, read and deleted in " + a.Store.URL()}}
	for _, t := range a.Config.Tenants {
		k := doctor.Check{Tenant: t.Name, Name: "lease", Status: doctor.OK, Detail: "it is free"}
		err := tryLease(ctx, a.Ledger(t.Name), blobstore.NewHolder("doctor", c.Now()))
		switch {
		case errors.Is(err, blobstore.ErrLeaseHeld):
			k.Status, k.Detail, k.Fix = doctor.Warn, err.Error(), "wait for that run; the lease of a process that died ends within a minute"
		case err != nil:
			k.Status, k.Detail, k.Fix = doctor.Fail, err.Error(), storeFix(a.Config, err)
		}
		checks = append(checks, k)
		reason, held, err := a.Ledger(t.Name).Hold(ctx)
		if err == nil && held {
			checks = append(checks, doctor.Check{Tenant: t.Name, Name: "HOLD", Status: doctor.Warn, Detail: "nothing is written to this tenant: " + reason,
				Fix: "delete " + t.Name + "/HOLD from the store when its reason is gone"})
		}
	}
	return checks
}

// tryLease says who holds a tenant's lease, or else whether one can be taken. A
// run that begins meanwhile does not notice.
func tryLease(ctx context.Context, l *ledger.Ledger, holder blobstore.Holder) error {
	held, err := l.Locked(ctx)
	if err != nil {
		return err
	}
	if !held {
		return l.TryLease(ctx, holder)
	}
	lease, err := l.Lock(ctx, holder) // is refused, and says who holds it
	if err != nil {
		return err
	}
	return lease.Release(ctx) // it has ended since
}

// storeFix is what to do about a store that does not work. What a container
// refuses says it itself.
func storeFix(cfg *config.Config, err error) string {
	var refused *blobstore.AccessError
	switch {
	case errors.As(err, &refused) && strings.Contains(refused.Fix, "Storage Blob Data Contributor"):
		return refused.Fix + `:
  az role assignment create --role "Storage Blob Data Contributor" --assignee OBJECT_ID_OF_THE_IDENTITY --scope ID_OF_THE_STORAGE_ACCOUNT`
	case errors.As(err, &refused):
		return refused.Fix
	case strings.HasPrefix(cfg.Store.URL, "file:"):
		return "make the folder writable for this user, or name another in store.url"
	}
	return "check store.url and store.credential"
}

// checkSchedule says when the next run is due, by serve and by the timer.
func (c *command) checkSchedule(cfg *config.Config) doctor.Check {
	k := doctor.Check{Name: "schedule", Status: doctor.OK}
	s, err := scheduleOf(cfg.Schedule)
	switch {
	case err != nil:
		k.Status, k.Detail, k.Fix = doctor.Fail, err.Error(), "mend schedule.cron or schedule.timeZone"
		return k
	case s == nil:
		k.Status, k.Detail = doctor.Skip, "schedule.cron is empty: serve sweeps when it is asked to"
	default:
		k.Detail = fmt.Sprintf("%s in %s, mode %s; next: %s", cfg.Schedule.Cron, cfg.Schedule.TimeZone, cfg.Schedule.Mode, s.Next(c.Now()).Format(time.RFC3339))
	}
	if data := zones.Current(); data.Older() && k.Status == doctor.OK {
		of := "of no known release"
		if data.Version != "" {
			of = data.Version
		}
		k.Status = doctor.Warn
		k.Detail += fmt.Sprintf("; the time zone data in use (%s, from %s) is older than the program's own (%s)", of, data.From, zones.Version)
		k.Fix = "unset ZONEINFO, so that the program takes the newest data there is"
	}
	if spec, _ := c.Env(config.EnvNCRONTAB); spec != "" {
		if _, err := c.timer(); err != nil {
			k.Status, k.Detail = doctor.Fail, err.Error()
			k.Fix = "set " + config.EnvNCRONTAB + " to six fields"
			if want, err := schedule.NCRONTAB(cfg.Schedule.Cron); err == nil {
				k.Fix += ", for example " + want
			}
		}
	}
	return k
}

func checkHTTP(cfg *config.Config) doctor.Check {
	auth, err := authOf(cfg.HTTP)
	switch {
	case err != nil:
		return doctor.Check{Name: "API", Status: doctor.Skip, Detail: "serve would not start: " + err.Error()}
	case auth.Weak():
		return doctor.Check{Name: "API", Status: doctor.Warn, Detail: "http.token is shorter than 16 characters", Fix: "openssl rand -hex 32"}
	}
	return doctor.Check{Name: "API", Status: doctor.OK, Detail: "guarded by a token, at " + cfg.HTTP.Listen}
}

func (c *command) printChecks(form string, checks []doctor.Check) error {
	if form == "json" {
		return printJSON(c.data(), checks)
	}
	t := newTable("STATUS", "TENANT", "CHECK", "DETAIL")
	for _, k := range checks {
		t.row(string(k.Status), k.Tenant, k.Name, k.Detail)
	}
	t.print(c.Out, c.Width)
	for _, k := range checks {
		if k.Fix == "" {
			continue
		}
		of := k.Name
		if k.Tenant != "" {
			of = k.Tenant + ": " + k.Name
		}
		if _, err := fmt.Fprintf(c.Out, "\n%s\n  %s\n", printable(of), printableLines(k.Fix)); err != nil {
			return err
		}
	}
	return nil
}
