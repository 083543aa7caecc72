package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/sweep"
)

// Names are the tenants of the configuration.
func (a *App) Names() []string {
	return names(a.Config.Tenants)
}

// Book keeps the runs that are ordered through the API, the schedule and the
// queue, and carries them out with this app's sweepers.
func (a *App) Book() *runs.Book {
	return runs.NewBook(runs.Options{
		Store: a.Store, Tenants: a.Names(), Ledger: a.Ledger, Sweep: a.sweepOrder,
		ScheduledMode: a.Config.Schedule.Mode, AllowApply: a.Config.HTTP.AllowApply, Timeout: a.Config.Sweep.Timeout,
		GaveUp: a.gaveUp, Now: a.opt.Now, Log: a.opt.Log,
	})
}

// ways are how the sources of orders are called in reports.
var ways = map[string]plan.Way{runs.API: plan.ByAPI, runs.Schedule: plan.BySchedule}

// sweepOrder carries one order out.
func (a *App) sweepOrder(ctx context.Context, o runs.Order) (runs.Result, error) {
	t, ok := a.Tenant(o.Tenant)
	if !ok {
		return runs.Result{}, fmt.Errorf("there is no tenant %q in the configuration", o.Tenant)
	}
	leave, err := a.takeTurn(ctx)
	if err != nil {
		return runs.Result{}, err
	}
	defer leave()
	s, err := a.Sweeper(t)
	if err != nil {
		a.Failed(ctx, t, sweep.Mode(o.Mode), err)
		return runs.Result{}, err
	}
	s.Log = runs.Log(ctx, s.Log)
	r, err := s.Run(a.inRound(ctx, o), sweep.Request{Mode: sweep.Mode(o.Mode), Run: o.Run, Through: ways[o.Source], By: o.By, Reason: o.Reason, Continue: runs.InTurns(ctx)})
	if errors.Is(err, blobstore.ErrLeaseHeld) {
		return runs.Result{}, err
	}
	if err != nil {
		return runs.Result{}, errTold{err}
	}
	if errors.Is(r.Err, sweep.ErrContinue) {
		return runs.Result{}, fmt.Errorf("%w: %w", runs.ErrContinue, r.Err)
	}
	return runs.Result{
		Status: string(r.Status), Err: r.Err, Counts: r.Counts, Outcomes: countOutcomes(r.Outcomes),
		Requests: r.Stats.Total, Throttled: r.Stats.Throttled, Retried: r.Stats.Retried, Started: r.Started, Finished: r.Finished,
	}, nil
}

// countOutcomes counts outcomes by kind and end.
func countOutcomes(outcomes []plan.Outcome) []runs.Outcome {
	var out []runs.Outcome
	at := map[[2]string]int{}
	for _, o := range outcomes {
		key := [2]string{string(o.Kind), string(o.Status)}
		i, seen := at[key]
		if !seen {
			i = len(out)
			at[key] = i
			out = append(out, runs.Outcome{Kind: key[0], Status: key[1]})
		}
		out[i].N++
	}
	return out
}

// Ready tests what every run needs: that the store takes a file, and that the
// sign-in works. That of one tenant keeps no other from being swept: only if none
// works is it an error, and the others are logged.
func (a *App) Ready(ctx context.Context) error {
	if err := a.ProbeStore(ctx); err != nil {
		return err
	}
	failed := make([]error, len(a.Config.Tenants))
	var g errgroup.Group
	g.SetLimit(signIns)
	for i, t := range a.Config.Tenants {
		g.Go(func() error {
			failed[i] = a.signsIn(ctx, t)
			return nil
		})
	}
	_ = g.Wait() // each keeps its own error
	if !slices.Contains(failed, nil) {
		return errors.Join(failed...)
	}
	for i, err := range failed {
		if err != nil {
			a.opt.Log.Warn("a tenant cannot be signed in to; the others go on", "tenant", a.Config.Tenants[i].Name, "error", err)
		}
	}
	return nil
}

// signsIn tests the sign-in to a tenant.
func (a *App) signsIn(ctx context.Context, t config.Tenant) error {
	client, err := a.Graph(t)
	if err != nil {
		return err
	}
	if _, err := client.TokenRoles(ctx); err != nil && !errors.Is(err, entra.ErrOpaqueToken) {
		return fmt.Errorf("tenant %s: %w", t.Name, err)
	}
	return nil
}

// signIns is how many tenants are signed in to at the same time.
const signIns = 16

// ProbeStore writes, reads and deletes a file of the store.
func (a *App) ProbeStore(ctx context.Context) error {
	here := blobstore.NewHolder("", a.opt.Now())
	name := fmt.Sprintf("_probe/%s-%d", here.Host, here.PID)
	want := []byte(a.opt.Now().UTC().Format(time.RFC3339Nano) + "\n")
	if err := a.Store.Put(ctx, name, want); err != nil {
		return fmt.Errorf("writing to the store: %w", err)
	}
	got, _, err := a.Store.Get(ctx, name)
	if err != nil {
		return fmt.Errorf("reading from the store: %w", err)
	}
	if string(got) != string(want) {
		return errors.New("the store gives back something else than was written")
	}
	if err := a.Store.Delete(ctx, name); err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		return fmt.Errorf("deleting from the store: %w", err)
	}
	return nil
}
