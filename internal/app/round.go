package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/notice"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/sweep"
)

// FewTenants is how many tenants are told of one by one; more are a fleet.
const FewTenants = 3

// RoundWait is how long a notice of a scheduled run waits at most for the other
// tenants' runs, to be told in one with theirs.
const RoundWait = 15 * time.Minute

// tellWithin bounds the storing and the telling of gathered notices.
const tellWithin = 5 * time.Minute

type dueKey struct{}

// inRound marks a run as one of several that were due at the same time.
func (a *App) inRound(ctx context.Context, o runs.Order) context.Context {
	if o.Source != runs.Schedule || o.Due.IsZero() || len(a.Config.Tenants) <= FewTenants {
		return ctx
	}
	return context.WithValue(ctx, dueKey{}, o.Due)
}

func dueOf(ctx context.Context) (time.Time, bool) {
	due, ok := ctx.Value(dueKey{}).(time.Time)
	return due, ok
}

func (a *App) round(due time.Time) notice.Round {
	r := notice.Round{Store: a.Store, Laggards: &a.laggards, Due: due, Wait: RoundWait, Now: a.opt.Now, Holder: blobstore.NewHolder("notices", a.opt.Now())}
	for _, t := range a.Config.Tenants {
		if a.hears(t.Name) {
			r.Tenants = append(r.Tenants, t.Name)
		}
	}
	return r
}

// gatherRound keeps a notice for those of the other runs that were due with it, and
// tells them together where it is the last. What cannot be kept is told at once.
func (a *App) gatherRound(ctx context.Context, due time.Time, e notice.Event) {
	if missed, ok := a.missed.LoadAndDelete(e.Tenant); ok && missed == due {
		e.Facts = slices.Concat(missedFacts(due), e.Facts)
	}
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
	defer cancel()
	if err := a.round(due).Keep(c, e); err != nil {
		runs.Log(ctx, a.opt.Log).Warn("a notice could not be kept for the digest and is sent by itself", "tenant", e.Tenant, "error", err)
		a.send(ctx, e)
		return
	}
	a.TellRound(c, due)
}

// TellRound sends the notices of the runs that were due at a time in one, if all have
// ended or the first of them waits for RoundWait.
func (a *App) TellRound(ctx context.Context, due time.Time) {
	if len(a.Config.Tenants) <= FewTenants || len(a.Config.Notices) == 0 {
		return
	}
	err := a.round(due).Tell(ctx, func(ctx context.Context, events []notice.Event) {
		f, err := a.Fleet(ctx)
		if err != nil {
			runs.Log(ctx, a.opt.Log).Warn("the order of the tenants in a notice is not known", "error", err)
			f = fleet.Fleet{}
		}
		a.tellAll(ctx, events, f)
	})
	if err != nil {
		runs.Log(ctx, a.opt.Log).Warn("gathered notices could not be sent; the next run sends them", "due", due, "error", err)
	}
}

// errTold marks an error that a run has told of already.
type errTold struct{ error }

func (e errTold) Unwrap() error { return e.error }

// gaveUp tells that no run came of a scheduled order.
func (a *App) gaveUp(ctx context.Context, o runs.Order, err error) {
	t, ok := a.Tenant(o.Tenant)
	if !ok || o.Source != runs.Schedule || errors.As(err, new(errTold)) || !a.hears(t.Name) {
		return
	}
	e := event(t.Name, sweep.Result{Tenant: t.Name, Mode: sweep.Mode(o.Mode)}, err, a.Redaction(t))
	e.At = a.opt.Now().UTC()
	if due, ok := dueOf(a.inRound(ctx, o)); ok {
		a.gatherRound(ctx, due, e)
		return
	}
	a.send(ctx, e)
}

// Redaction is how the reports of a tenant hide names.
func (a *App) Redaction(t config.Tenant) report.Redaction {
	return report.NewRedaction(a.Config.Report.Redact, []byte(t.TenantID))
}

func missedFacts(due time.Time) []string {
	return []string{"the run that was due at " + due.UTC().Format(time.RFC3339) + " did not happen; it is made up for now"}
}
