package sweep

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/decide"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// decide gathers what the request needs and lets decide judge it: of users while
// they are read, of policies when all are known.
func (j *job) decide(ctx context.Context, start gather.Start, rec recovery.Recovered, log *audit.Log) (snap gather.Snapshot, users []plan.Action, d drift.Result, err error) {
	switch {
	case j.req.Order != nil && j.req.Order.Kind.OnPrincipal():
		snap, users, err = j.orderPrincipals(ctx, start, rec)
	case j.req.Order != nil:
		snap, users, err = j.decideOrder(ctx, start, rec)
	case j.req.Destroy:
		if err = j.notes.Timed("baseline", func() (err error) { snap, err = j.source.Owned(ctx, start, rec); return err }); err != nil {
			return snap, nil, d, fmt.Errorf("reading what the baseline owns: %w", err)
		}
		d = decide.Destroy(snap, j.Settings.Baseline)
	case j.req.Rollback != nil:
		if err = j.notes.Timed("baseline", func() (err error) { snap, d, err = j.rollback(ctx, start, rec); return err }); err != nil {
			return snap, nil, d, fmt.Errorf("planning the way back: %w", err)
		}
		j.sayNext(d.Next)
	case j.req.Restore != nil:
		if err = j.notes.Timed("baseline", func() (err error) { snap, d, err = j.restore(ctx, start, rec); return err }); err != nil {
			return snap, nil, d, fmt.Errorf("planning the restore: %w", err)
		}
		j.sayNext(d.Next)
	default:
		snap, err = j.source.Sweep(ctx, start, rec, func(k gather.Known, u *entra.RiskyUser) (bool, error) {
			row, actions := decide.User(k, u)
			users = append(users, actions...)
			row.ChangedBy = settledBy(log, u)
			return len(actions) > 0, j.rows.user(row, len(actions) > 0, k.ServiceNow())
		}, func(k gather.Known, p *gather.ServicePrincipal) error {
			row, action := decide.ServicePrincipal(k, p)
			u := p.AsUser()
			row.ChangedBy = settledBy(log, &u)
			if action != nil {
				users = append(users, *action)
			}
			return j.rows.principal(row, action != nil, k.ServiceNow())
		})
		if err != nil {
			break
		}
		for _, t := range j.rows.unknownTypes() {
			j.notes.Warn(fmt.Sprintf("riskEventType %s is not known to this version: it is allow-listed only where an entry says unknownRiskAccepted", t))
		}
		if err = j.notes.Timed("baseline", func() (err error) { snap, d, err = j.compareBaseline(ctx, snap); return err }); err != nil {
			err = fmt.Errorf("comparing the baseline: %w", err)
		}
	}
	if err == nil {
		users, err = j.accounts(ctx, users)
	}
	return snap, decide.OnUsers(snap, users), d, err
}

// orderPrincipals gathers what an order for service principals needs, and makes
// its actions.
func (j *job) orderPrincipals(ctx context.Context, start gather.Start, rec recovery.Recovered) (snap gather.Snapshot, actions []plan.Action, err error) {
	o := j.req.Order
	var read []gather.ServicePrincipal
	var names []entra.RiskyUser
	snap, err = j.source.OrderPrincipals(ctx, start, rec, o.Users, !o.Privileged, func(_ gather.Known, p *gather.ServicePrincipal) error {
		read, names = append(read, *p), append(names, entra.RiskyUser{UserDisplayName: p.DisplayName})
		return nil
	})
	o = j.shown(j.given, names)
	j.req.Order = o
	j.rows.asked(j.requested(j.req, start, nil))
	var unmeant []string
	for i := range read {
		row, a, how := decide.OrderedPrincipal(snap.Known, o.Kind, o.Reason, o.Privileged, &read[i])
		actions = append(actions, a)
		if how != "" {
			unmeant = append(unmeant, nameOf(a.Subject)+" "+how)
		}
		if err := j.rows.principal(row, true, snap.ServiceNow()); err != nil {
			return snap, actions, err
		}
	}
	if err == nil {
		err = j.mayOrder(snap.Known, unmeant, actions)
	}
	return snap, actions, err
}

// decideOrder reads the users whom an order names, and then makes the actions: the
// reason may name any of them.
func (j *job) decideOrder(ctx context.Context, start gather.Start, rec recovery.Recovered) (snap gather.Snapshot, users []plan.Action, err error) {
	o := j.req.Order
	var read []entra.RiskyUser
	snap, err = j.source.Order(ctx, start, rec, o.Kind, o.Users, o.Kind.GuardsRoles() && !o.Privileged, func(_ gather.Known, u *entra.RiskyUser) (bool, error) {
		read = append(read, *u)
		return true, nil
	})
	o = j.shown(j.given, read)
	j.req.Order = o
	j.rows.asked(j.requested(j.req, start, nil))
	var unmeant []string
	for i := range read {
		row, a, how := decide.Ordered(snap.Known, o.Kind, o.Reason, &read[i])
		users = append(users, a)
		if how != "" {
			unmeant = append(unmeant, nameOf(a.Subject)+" "+how)
		}
		if err := j.rows.user(row, true, snap.ServiceNow()); err != nil {
			return snap, users, err
		}
	}
	if err == nil {
		err = j.mayOrder(snap.Known, unmeant, users)
	}
	return snap, users, err
}

// mayOrder refuses an order as a whole that closes the risk of somebody who holds
// a directory role, and says which: that takes a word of its own. If roles cannot
// be read, nobody is known to hold none.
func (j *job) mayOrder(k gather.Known, unmeant []string, users []plan.Action) error {
	if len(unmeant) > 0 {
		return fmt.Errorf("%w: %s; nothing was done: give --privileged if that is meant", entra.ErrPrivileged, strings.Join(unmeant, "; "))
	}
	if k.RolesUnknown == "" {
		return nil
	}
	var names []string
	for _, a := range users {
		if a.Status == plan.Blocked {
			names = append(names, nameOf(a.Subject))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%w: whether %s holds a directory role could not be read, so nothing was done: %s; --privileged orders it without knowing", entra.ErrPrivileged, strings.Join(names, ", "), k.RolesUnknown)
}

// accounts reads the accounts that actions are about.
func (j *job) accounts(ctx context.Context, users []plan.Action) ([]plan.Action, error) {
	ids := decide.Accounts(users)
	if len(ids) == 0 {
		return users, nil
	}
	accounts, err := j.Reader.Accounts(ctx, ids)
	if err != nil && ctx.Err() != nil {
		return users, err
	}
	if err != nil {
		j.notes.Fail(fmt.Errorf("reading accounts: %w", err))
	}
	return decide.OnAccounts(users, accounts, err), nil
}

// compareBaseline lets the baseline plan what differs, and says what of it a
// person should know.
func (j *job) compareBaseline(ctx context.Context, snap gather.Snapshot) (gather.Snapshot, drift.Result, error) {
	if j.Baseline == nil {
		j.notes.Skip("baseline", "no baseline is configured")
		return snap.Whole(), drift.Result{}, nil
	}
	snap, err := j.source.Policies(ctx, snap)
	if err != nil {
		return snap, drift.Result{}, err
	}
	if snap, err = j.confirmed(snap); err != nil {
		return snap, drift.Result{}, err
	}
	snap, d, err := j.drift(ctx, j.source, snap)
	if err != nil {
		return snap, d, err
	}
	if d, j.rows.impact, err = j.promote(ctx, snap, d); err != nil {
		return snap, d, err
	}
	for _, p := range d.Problems {
		j.notes.Warn(p)
		j.notes.Fail(errors.New(p))
	}
	for _, w := range d.Warnings {
		j.notes.Warn(w)
	}
	j.tellExceptions(snap, d)
	// Else a comparison of runs would take the tenant's own locations for gone.
	if slices.ContainsFunc(snap.Live.Unread, func(u drift.Unread) bool { return u.Kind == entra.KindLocation }) {
		return snap.Whole(), d, nil
	}
	return snap.Whole(report.PartPolicies), d, nil
}

// drift compares the baseline with a snapshot, again with names where there is a
// difference to put into words.
func (s *Sweeper) drift(ctx context.Context, source gather.Source, snap gather.Snapshot) (gather.Snapshot, drift.Result, error) {
	d := decide.Drift(s.Baseline, snap, s.Settings.Baseline)
	if d.NeedsNames() {
		var err error
		if snap, err = source.Named(ctx, snap); err != nil {
			return snap, drift.Result{}, err
		}
		d = decide.Drift(s.Baseline, snap, s.Settings.Baseline)
	}
	return snap, d, s.effectsOfExceptions(ctx, snap, &d)
}

// plan builds the plan, narrows it to a stored one if asked, and stores it: a
// plan that cannot be stored is not carried out.
func (j *job) plan(ctx context.Context, snap gather.Snapshot, users, objects []plan.Action) (p plan.Plan, stored bool, err error) {
	recent, err := j.Ledger.RecentActions(ctx, j.Now().Add(-24*time.Hour), snap.State.Writers)
	if err != nil {
		return p, false, fmt.Errorf("counting the actions of the last 24 hours: %w", err)
	}
	in := plan.Input{
		Run: j.led.ID(), Tenant: j.Name, TenantID: j.TenantID, CreatedAt: j.Now(), Actions: append(append([]plan.Action{}, users...), objects...),
		Enforcement: j.Settings.Enforcement, Ordered: j.req.ordered(), Limits: j.Settings.Limits,
		Recent: recent, AtRisk: snap.AtRisk, PrincipalsAtRisk: snap.PrincipalsAtRisk, RequestsPerSecond: j.Settings.RequestsPerSecond,
		Foresee: j.req.Mode == Plan,
	}
	if j.req.Destroy { // bound by ownership and the question, not by numbers
		in.Limits.MaxPolicyDeletes, in.Limits.MaxPolicyUpdates = math.MaxInt, math.MaxInt
	}
	p = plan.Build(in)
	if j.req.Stored != nil {
		for _, gone := range p.Keep(*j.req.Stored) {
			j.notes.Warn(fmt.Sprintf("%s %s of plan %s no longer holds and is not carried out", gone.Kind, nameOf(gone.Subject), j.req.Stored.Run))
		}
	}
	j.guardExpectations(ctx, &p, snap)
	for _, text := range p.ForeseenTexts() {
		j.notes.Warn(text)
	}
	j.explain(ctx, &p, snap)
	if err := j.claim(ctx, j.Output.Redaction.Plan(p)); err != nil {
		return p, false, fmt.Errorf("storing the plan (nothing was sent): %w", err)
	}
	return p, true, nil
}
