package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/notice"
	"github.com/risksweep/risksweep/internal/report"
)

// digest gathers the notices of many runs.
type digest struct {
	mu     sync.Mutex
	events []notice.Event
}

// GatherNotices makes the notices of the runs that follow one for each webhook,
// not one for each tenant. SendDigest sends it.
func (a *App) GatherNotices() { a.digest = &digest{} }

// gather keeps an event for the digest, where there is one.
func (a *App) gather(e notice.Event) bool {
	if a.digest == nil {
		return false
	}
	a.digest.mu.Lock()
	defer a.digest.mu.Unlock()
	if e.Worth() {
		a.digest.events = append(a.digest.events, e)
	}
	return true
}

// SendDigest sends to each webhook what needs a person in its tenants, in the
// order of the fleet: the worst first.
func (a *App) SendDigest(ctx context.Context, f fleet.Fleet) {
	if a.digest == nil {
		return
	}
	a.tellAll(ctx, a.digest.events, f)
	a.digest = nil
}

// tellAll sends events of many tenants to each webhook in one.
func (a *App) tellAll(ctx context.Context, events []notice.Event, f fleet.Fleet) {
	rank := map[string]int{}
	for i, s := range f.Tenants {
		rank[s.Tenant] = i
	}
	events = append(slices.Clone(events), unswept(a.FleetOnly(f, a.Config.Tenants).Tenants, events)...)
	slices.SortStableFunc(events, func(x, y notice.Event) int { return rank[x.Tenant] - rank[y.Tenant] })
	var g errgroup.Group
	for _, n := range a.Config.Notices {
		var of []notice.Event
		for _, e := range events {
			if isOf(n, e.Tenant) {
				of = append(of, e)
			}
		}
		var e notice.Event
		switch len(of) {
		case 0:
			continue
		case 1:
			e = of[0]
		default:
			e = notice.Digest(of)
			e.Tenant, e.Summary = digestOf(n, of, f, a.Config.Tenants)
			e.Report = strings.TrimSuffix(a.Store.URL(), "/") + "/" + fleet.Page
			here := map[string]bool{}
			for _, t := range e.Tenants {
				here[t] = true
			}
			for _, c := range f.Campaigns {
				if within := slices.DeleteFunc(slices.Clone(c.Tenants), func(t string) bool { return !here[t] }); len(within) > 1 {
					e.Groups = append(e.Groups, fmt.Sprintf("%s %s in %d tenants: %s", c.Kind, c.Of, len(within), strings.Join(within, ", ")))
				}
			}
		}
		g.Go(func() error { a.post(ctx, n, e); return nil })
	}
	_ = g.Wait() // nothing of it fails a run
}

// unswept are notices of the tenants that nothing has swept for too long, and of
// which no run tells.
func unswept(list []fleet.Summary, told []notice.Event) []notice.Event {
	var out []notice.Event
	known := map[string]bool{}
	for _, e := range told {
		known[e.Tenant] = true
	}
	for _, s := range list {
		if !s.NotSweptSince.IsZero() && !known[s.Tenant] {
			out = append(out, notice.Event{Tenant: s.Tenant, Mode: s.Mode, Status: "missed", Facts: []string{s.What()}, At: s.NotSweptSince})
		}
	}
	return out
}

// digestOf says of how many tenants of a webhook a digest speaks, and how they are:
// also of those that gave no reason to tell of them.
func digestOf(n config.Notice, events []notice.Event, f fleet.Fleet, tenants []config.Tenant) (who, summary string) {
	var of []string
	for _, t := range tenants {
		if isOf(n, t.Name) {
			of = append(of, t.Name)
		}
	}
	list := fleet.Only(f.Tenants, of)
	if len(list) < len(events) { // the fleet is not known
		return report.Number(len(events), "tenant"), ""
	}
	return report.Number(len(list), "tenant"), fleet.Headline(list)
}
