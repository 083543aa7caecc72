package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/schedule"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// takeTurn waits until the tenant may be at work, of those that
// sweep.maxConcurrent lets work at the same time; in the order of asking.
func (a *App) takeTurn(ctx context.Context) (leave func(), err error) {
	if a.turns == nil {
		return func() {}, nil
	}
	select {
	case a.turns <- struct{}{}:
		return func() { <-a.turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for its turn (sweep.maxConcurrent): %w", context.Cause(ctx))
	}
}

// Summary is what the fleet keeps of a run, or of the error for which none came
// to be.
func (a *App) Summary(tenant string, r sweep.Result, err error, red report.Redaction) fleet.Summary {
	s := fleet.Summary{SchemaVersion: fleet.SchemaVersion, Tenant: tenant, Run: r.Run, Mode: string(r.Mode), Status: string(r.Status),
		StartedAt: r.Started, FinishedAt: r.Finished, Hold: r.Hold != ""}
	if err != nil {
		s.Status = string(sweep.Failed)
	}
	if s.FinishedAt.IsZero() {
		s.FinishedAt = a.opt.Now().UTC()
	}
	if a.opt.ExitCode != nil && err == nil {
		s.ExitCode = a.opt.ExitCode(r)
	}
	for _, e := range []error{err, r.Err} {
		if e != nil {
			s.Failures = append(s.Failures, fleet.Failure{Kind: failureKind(e), Text: red.Sentence(e.Error())})
		}
	}
	said := map[string]bool{}
	for _, v := range r.Plan.Violations {
		if !said[v.Text] {
			said[v.Text] = true
			s.Failures = append(s.Failures, fleet.Failure{Kind: "limits", Text: v.Text})
		}
	}
	bad := 0
	for _, o := range r.Outcomes {
		if o.Status.Bad() {
			bad++
		}
	}
	if bad > 0 {
		s.Failures = append(s.Failures, fleet.Failure{Kind: "outcomes", Text: report.Number(bad, "action") + " did not end as planned"})
	}
	s.Failures = s.Failures[:min(len(s.Failures), fleet.MaxFailures)]
	if !r.Complete {
		return s
	}
	n := fleet.Numbers{Run: r.Run, AtRisk: r.Counts["usersAtRisk"], NeedsPerson: max(r.Counts["needsPerson"], len(r.NeedsPerson)), ServicePrincipals: len(r.Workloads)}
	for _, w := range r.NeedsPerson {
		if w.Overdue {
			n.BeyondSLA++
		}
	}
	for _, e := range r.Entries {
		if e.Status != drift.InSync && e.Status != drift.Unmanaged {
			n.Drift++
		}
	}
	if gaps, judged := r.Counts["usersUncovered"]; judged {
		n.CoverageGaps = &gaps
	}
	s.Numbers = &n
	for _, c := range r.Campaigns {
		if c.Kind == report.ByNearMiss || len(s.Campaigns) == fleet.MaxCampaigns {
			continue // a near miss says something of the allowlist
		}
		s.Campaigns = append(s.Campaigns, fleet.Campaign{Kind: c.Kind, Of: c.Of, Users: c.Total, Summary: c.Summary})
	}
	for _, seen := range r.Addresses[:min(len(r.Addresses), fleet.MaxAddresses)] {
		s.Addresses = append(s.Addresses, fleet.Address{Address: seen.Address, Users: seen.Users})
	}
	s.Trend = []fleet.Point{{At: r.Started, Open: r.Counts["usersOpen"]}}
	return s
}

// failureKind is what kind of trouble an error is.
func failureKind(err error) string {
	var problems yamldoc.Problems
	var network net.Error
	switch {
	case errors.Is(err, entra.ErrUnauthorized), errors.Is(err, entra.ErrForbidden):
		return "access"
	case errors.As(err, &problems):
		return "configuration"
	case errors.Is(err, blobstore.ErrGone), errors.Is(err, blobstore.ErrThrottled), errors.Is(err, blobstore.ErrLeaseLost):
		return "store"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &network):
		return "network"
	}
	return "failed"
}

// The page of a fleet reads the summaries of all tenants. It is written after each
// run over a small fleet; of a larger one at most once in pageEvery for each thousand
// tenants, by whichever process.
const (
	smallFleet = 50
	pageEvery  = time.Minute
)

// pageWait is how long the page of a fleet stands at least.
func (a *App) pageWait() time.Duration {
	n := len(a.Config.Tenants) + len(a.Config.Others)
	if n <= smallFleet {
		return 0
	}
	return time.Duration((n+999)/1000) * pageEvery
}

// remember stores the summary of a run, and writes the page of the fleet. Nothing of it fails a run.
func (a *App) remember(ctx context.Context, tenant string, r sweep.Result, err error, red report.Redaction) {
	if errors.Is(err, blobstore.ErrLeaseHeld) || r.Kind != "" && r.Kind != ledger.KindSweep {
		return // the run that holds it will; an order says nothing of the whole tenant
	}
	log := runs.Log(ctx, a.opt.Log)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := fleet.Put(ctx, a.Store, a.Summary(tenant, r, err, red)); err != nil {
		log.Warn("the tenant's summary for the fleet could not be stored", "tenant", tenant, "error", err)
		return
	}
	if err := a.publishInTurn(ctx, log); err != nil {
		log.Warn("the page of the fleet could not be written", "error", err)
	}
}

// publishInTurn writes the page of the fleet, now or when its time has come: what the
// last run of a night has found is on it too.
func (a *App) publishInTurn(ctx context.Context, log *slog.Logger) error {
	every := a.pageWait()
	a.mu.Lock()
	if a.later {
		a.mu.Unlock()
		return nil
	}
	wait := every - a.opt.Now().Sub(a.published)
	if wait <= 0 {
		a.published = a.opt.Now()
	}
	a.mu.Unlock()
	if wait <= 0 && every > 0 { // another process may have written it
		at, err := fleet.PublishedAt(ctx, a.Store)
		if err != nil {
			return err
		}
		wait = every - a.opt.Now().Sub(at)
	}
	if wait <= 0 {
		return a.PublishFleet(ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.later {
		return nil
	}
	a.later = true
	time.AfterFunc(min(wait, every), func() {
		a.mu.Lock()
		a.later = false
		a.published = a.opt.Now()
		a.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pageEvery)
		defer cancel()
		if err := a.PublishFleet(ctx); err != nil {
			log.Warn("the page of the fleet could not be written", "error", err)
		}
	})
	return nil
}

// TellFailed tells by a notice that no run over a tenant came to be.
func (a *App) TellFailed(ctx context.Context, t config.Tenant, mode sweep.Mode, err error) {
	if !a.hears(t.Name) {
		return
	}
	e := event(t.Name, sweep.Result{Tenant: t.Name, Mode: mode}, err, a.Redaction(t))
	e.At = a.opt.Now().UTC()
	if !a.gather(e) {
		a.send(ctx, e)
	}
}

// Failed keeps for the fleet that no run over a tenant came to be.
func (a *App) Failed(ctx context.Context, t config.Tenant, mode sweep.Mode, err error) {
	a.remember(ctx, t.Name, sweep.Result{Tenant: t.Name, Mode: mode}, err, a.Redaction(t))
}

// FleetOf writes the page of the fleet, and gives these tenants of it.
func (a *App) FleetOf(ctx context.Context, tenants []config.Tenant) (fleet.Fleet, error) {
	f, err := a.Fleet(ctx)
	if err != nil {
		return f, err
	}
	if err := fleet.Publish(ctx, a.Store, f); err != nil {
		return f, err
	}
	return a.FleetOnly(f, tenants), nil
}

// FleetOnly gives these tenants of a fleet.
func (a *App) FleetOnly(f fleet.Fleet, tenants []config.Tenant) fleet.Fleet {
	view := a.view()
	view.At = f.At
	return fleet.Of(fleet.Only(f.Tenants, names(tenants)), view)
}

// Fleet puts together what the last runs over all tenants of the store found.
func (a *App) Fleet(ctx context.Context) (fleet.Fleet, error) {
	return fleet.Read(ctx, a.Store, a.view())
}

// view knows which tenants there are, and how often each should be swept.
func (a *App) view() fleet.View {
	v := fleet.View{At: a.opt.Now(), Tenants: append(names(a.Config.Tenants), names(a.Config.Others)...)}
	if s, err := schedule.Parse(a.Config.Schedule.Cron, a.Config.Schedule.TimeZone); err == nil && a.Config.Schedule.Cron != "" {
		v.Next = s.Next
	}
	return v
}

func names(tenants []config.Tenant) []string {
	out := make([]string, 0, len(tenants))
	for _, t := range tenants {
		out = append(out, t.Name)
	}
	return out
}

// PublishFleet writes fleet/index.html and fleet/fleet.json.
func (a *App) PublishFleet(ctx context.Context) error {
	f, err := a.Fleet(ctx)
	if err != nil {
		return err
	}
	return fleet.Publish(ctx, a.Store, f)
}

// WatchedFleet is Fleet for who asks again and again: that of a large fleet is read
// no more often than its page is written.
func (a *App) WatchedFleet(ctx context.Context) (fleet.Fleet, error) {
	return a.watched.get(a.pageWait(), a.opt.Now, func() (fleet.Fleet, error) { return a.Fleet(ctx) })
}

// FleetPage writes the page with links into the API.
func (a *App) FleetPage(ctx context.Context, w io.Writer) error {
	f, err := a.WatchedFleet(ctx)
	if err != nil {
		return err
	}
	return fleet.WriteHTML(w, f, fleet.InAPI)
}
