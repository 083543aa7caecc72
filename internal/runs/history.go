package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
)

// lookups is how many tenants are asked at the same time.
const lookups = 8

// Run finds a run of the store by id, in one tenant or in all.
func (b *Book) Run(ctx context.Context, tenant, id string) (Run, error) {
	o, err := b.order(ctx, id)
	switch {
	case err == nil && (tenant == "" || tenant == o.Tenant):
		return b.shown(ctx, o)
	case err == nil || errors.Is(err, blobstore.ErrNotFound):
	default:
		return Run{}, err
	}
	name, info, err := b.find(ctx, tenant, id)
	if err != nil {
		return Run{}, err
	}
	return b.show(ctx, name, info)
}

// shown is an ordered run: complete, given up, under way or waiting.
func (b *Book) shown(ctx context.Context, o Order) (Run, error) {
	info, err := b.newest(ctx, o.Tenant, o.Run)
	if err == nil && info.Complete {
		// It may be a later attempt: the order keeps the id it was given.
		r, err := b.show(ctx, o.Tenant, info)
		r.ID = o.Run
		return r, err
	}
	if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		return Run{}, err
	}
	r := Run{ID: o.Run, Tenant: o.Tenant, Mode: o.Mode, Status: Queued, Counts: map[string]int{}}
	if err == nil {
		r.Status, r.StartedAt = Running, moment(info.StartedAt)
	}
	if gone, err := b.gone(ctx, o, r); err != nil {
		return Run{}, err
	} else if gone != "" {
		info, err := b.newest(ctx, o.Tenant, o.Run)
		if err == nil && info.Complete { // it ended while we looked
			return b.shown(ctx, o)
		}
		r.Status, r.Error = Failed, gone
	}
	switch late := b.Now().Sub(o.OrderedAt) > 2*b.Timeout; {
	case o.Error != "":
		r.Status, r.FinishedAt, r.Error = Failed, moment(o.FailedAt), o.Error
	case late:
		r.Status, r.Error = Failed, "the run was ordered long ago and has left no report"
	}
	return r, nil
}

// gone says why nobody carries an order out any more, empty if somebody may: whoever
// does holds the lease of the tenant from before the run begins until it has ended.
func (b *Book) gone(ctx context.Context, o Order, r Run) (string, error) {
	if b.Since.IsZero() || r.Status == Queued && !o.OrderedAt.Before(b.Since) {
		return "", nil
	}
	busy, err := b.Busy(ctx, o.Tenant)
	switch {
	case err != nil || busy:
		return "", err
	case r.Status == Queued:
		return "serve was stopped before the run began; order it again", nil
	}
	return "the run was cut short, for who carried it out has stopped; order it again", nil
}

// newest is the last attempt at a run that is in the store.
func (b *Book) newest(ctx context.Context, tenant, run string) (ledger.RunInfo, error) {
	info, err := b.Ledger(tenant).RunInfo(ctx, run)
	for n := 1; n < maxAttempts && err == nil && !info.Complete; n++ {
		next, nextErr := b.Ledger(tenant).RunInfo(ctx, AttemptID(run, n))
		if errors.Is(nextErr, blobstore.ErrNotFound) {
			break
		}
		info, err = next, nextErr
	}
	return info, err
}

// find looks for a run by id. Two tenants may have a run of one id; the first
// in the order of the configuration is meant unless one is named.
func (b *Book) find(ctx context.Context, tenant, id string) (string, ledger.RunInfo, error) {
	tenants := b.Tenants
	if tenant != "" {
		tenants = []string{tenant}
	}
	found := make([]*ledger.RunInfo, len(tenants))
	var g errgroup.Group
	g.SetLimit(lookups)
	for i, name := range tenants {
		g.Go(func() error {
			info, err := b.Ledger(name).RunInfo(ctx, id)
			if errors.Is(err, blobstore.ErrNotFound) {
				return nil
			}
			found[i] = &info
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return "", ledger.RunInfo{}, err
	}
	for i, info := range found {
		if info != nil {
			return tenants[i], *info, nil
		}
	}
	return "", ledger.RunInfo{}, fmt.Errorf("run %s: %w", id, ErrNotFound)
}

// show turns what the ledger knows into what the API shows.
func (b *Book) show(ctx context.Context, tenant string, info ledger.RunInfo) (Run, error) {
	r := Run{ID: info.ID, Tenant: tenant, Mode: info.Mode, StartedAt: moment(info.StartedAt), Counts: map[string]int{}}
	if !info.Complete {
		r.Status = Running
		if _, err := b.Ledger(tenant).RunInfo(ctx, AttemptID(info.ID, 1)); err == nil {
			r.Status, r.Error = Failed, "the run was cut short; "+AttemptID(info.ID, 1)+" took it up"
			return r, nil
		}
		if info.Status != "" || b.Now().Sub(info.StartedAt) > b.Timeout {
			r.Status, r.Error = Failed, "the run was cut short and has no report"
		}
		return r, nil
	}
	m, err := b.Ledger(tenant).Manifest(ctx, info.ID)
	if err != nil {
		return r, err
	}
	report := "/api/runs/" + info.ID + "/files/report.json"
	r.Status, r.FinishedAt, r.Report = status(m.Status), moment(m.FinishedAt), &report
	r.Kind, r.Unread = string(m.Kind), m.Unread
	if m.Counts != nil {
		r.Counts = m.Counts
	}
	return r, nil
}

// status is a manifest's status in the words of the API.
func status(s string) string {
	switch s {
	case Succeeded, Partial, Refused:
		return s
	}
	return Failed // failed, cancelled, and what we do not know
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Runs lists the runs of one tenant or all, newest first, with those ordered
// that have not begun. Only the runs that are shown are read.
func (b *Book) Runs(ctx context.Context, tenant string, limit int) ([]Run, error) {
	tenants := b.Tenants
	if tenant != "" {
		tenants = []string{tenant}
	}
	var mu sync.Mutex
	var all []place
	var g errgroup.Group
	g.SetLimit(lookups)
	for _, name := range tenants {
		g.Go(func() error {
			ids, err := b.Ledger(name).RunIDs(ctx, limit)
			if err != nil {
				return fmt.Errorf("tenant %s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range ids {
				all = append(all, place{name, id})
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	sortPlaces(all)
	waiting, err := b.waiting(ctx, tenant, all, limit)
	if err != nil {
		return nil, err
	}
	all = append(all, waiting...)
	sortPlaces(all)
	return b.showAll(ctx, all[:min(limit, len(all))])
}

// place is where a run is.
type place struct{ tenant, run string }

// sortPlaces puts the newest run first.
func sortPlaces(all []place) {
	sort.Slice(all, func(i, j int) bool {
		if all[i].run != all[j].run {
			return all[i].run > all[j].run
		}
		return all[i].tenant < all[j].tenant
	})
}

// showAll reads the runs at their places, in the same order.
func (b *Book) showAll(ctx context.Context, places []place) ([]Run, error) {
	found := make([]*Run, len(places))
	var g errgroup.Group
	g.SetLimit(lookups)
	for i, p := range places {
		g.Go(func() error {
			r, err := b.one(ctx, p)
			if errors.Is(err, blobstore.ErrNotFound) {
				return nil // deleted while we looked
			}
			if err != nil {
				return fmt.Errorf("tenant %s: %w", p.tenant, err)
			}
			found[i] = &r
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []Run
	for _, r := range found {
		if r != nil {
			out = append(out, *r)
		}
	}
	return out, nil
}

// one reads a run, which may be an order that has not begun.
func (b *Book) one(ctx context.Context, p place) (Run, error) {
	info, err := b.Ledger(p.tenant).RunInfo(ctx, p.run)
	if err == nil {
		return b.listed(ctx, p.tenant, info)
	}
	if !errors.Is(err, blobstore.ErrNotFound) {
		return Run{}, err
	}
	o, err := b.order(ctx, p.run)
	if err != nil {
		return Run{}, err
	}
	return b.shown(ctx, o)
}

// listed is a run of the store; what is not complete may be an ordered run,
// whose record knows more.
func (b *Book) listed(ctx context.Context, tenant string, info ledger.RunInfo) (Run, error) {
	if !info.Complete {
		o, err := b.order(ctx, info.ID)
		if err == nil && o.Tenant == tenant {
			return b.shown(ctx, o)
		}
		if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			return Run{}, err
		}
	}
	return b.show(ctx, tenant, info)
}

// waiting are the orders whose run is not in the store yet: those of late that
// no folder stands for. They are looked for from the newest to the oldest that
// a list of so many runs, newest first, can hold.
func (b *Book) waiting(ctx context.Context, tenant string, begun []place, limit int) ([]place, error) {
	seen := make(map[place]bool, len(begun))
	ids := make(map[string]bool, len(begun))
	oldest := b.Now().Add(-2 * b.Timeout).UTC().Format(orderTime)
	for i, p := range begun {
		seen[p], ids[p.run] = true, true
		if i == limit-1 {
			oldest = max(oldest, p.run)
		}
	}
	var out []place
	// A clock elsewhere may be ahead of ours, and it is tomorrow there.
	for day := b.Now().UTC().AddDate(0, 0, 1); day.Format("20060102") >= oldest[:8]; day = day.AddDate(0, 0, -1) {
		var late []string
		for file, err := range b.Store.List(ctx, "_orders/"+day.Format("20060102")) {
			if err != nil {
				return nil, err
			}
			if id, ok := orderID(file.Name); ok && id >= oldest && (!ids[id] || len(b.Tenants) > 1) {
				late = append(late, id)
			}
		}
		for _, id := range slices.Backward(late) {
			o, err := b.order(ctx, id)
			if errors.Is(err, blobstore.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if p := (place{o.Tenant, id}); (tenant == "" || o.Tenant == tenant) && !seen[p] {
				if out = append(out, p); len(out) == limit {
					return out, nil
				}
			}
		}
	}
	return out, nil
}

// orderTime is how the id of an order begins.
const orderTime = "20060102T150405Z"

func orderID(name string) (string, bool) {
	const prefix, suffix = "_orders/", ".json"
	if len(name) <= len(prefix)+len(suffix) || name[len(name)-len(suffix):] != suffix {
		return "", false
	}
	id := name[len(prefix) : len(name)-len(suffix)]
	_, err := ledger.StartOf(id)
	return id, err == nil
}

// File opens a file of a complete run, or of one that was cut short.
func (b *Book) File(ctx context.Context, tenant, id, name string) (io.ReadCloser, int64, error) {
	if tenant == "" {
		o, err := b.order(ctx, id)
		switch {
		case err == nil:
			tenant = o.Tenant
		case !errors.Is(err, blobstore.ErrNotFound):
			return nil, 0, err
		default:
			if tenant, _, err = b.find(ctx, "", id); err != nil {
				return nil, 0, err
			}
		}
	}
	l := b.Ledger(tenant)
	if _, err := l.Proved(ctx, id, name); err != nil {
		return nil, 0, fmt.Errorf("%s of run %s: %w", name, id, err)
	}
	content, info, err := l.Open(ctx, id, name)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, 0, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return content, info.Size, err
}

// LastRun is when the last run began that did what a scheduled run does, and
// ended by itself; zero if there was none.
func (b *Book) LastRun(ctx context.Context, tenant string) (time.Time, error) {
	info, err := b.last(ctx, tenant, func(i ledger.RunInfo) bool {
		return i.Status != cancelled && (b.ScheduledMode != "apply" || i.Mode == "apply")
	})
	return info.StartedAt, err
}

// LastSuccess is the end of the last run that did all it should; zero if there
// was none among the last ones.
func (b *Book) LastSuccess(ctx context.Context, tenant string) (time.Time, error) {
	info, err := b.last(ctx, tenant, func(i ledger.RunInfo) bool { return i.Status == Succeeded })
	return info.FinishedAt, err
}

// lastRuns is how far back is looked.
const lastRuns = 100

// last is the newest complete run that passes; the zero RunInfo if none does.
func (b *Book) last(ctx context.Context, tenant string, passes func(ledger.RunInfo) bool) (ledger.RunInfo, error) {
	ids, err := b.Ledger(tenant).RunIDs(ctx, lastRuns)
	if err != nil {
		return ledger.RunInfo{}, err
	}
	for _, id := range ids {
		info, err := b.Ledger(tenant).RunInfo(ctx, id)
		if errors.Is(err, blobstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return ledger.RunInfo{}, err
		}
		if info.Complete && passes(info) {
			return info, nil
		}
	}
	return ledger.RunInfo{}, nil
}

// Prune deletes the records of orders that are older than days; 0 keeps all.
func (b *Book) Prune(ctx context.Context, days int) error {
	if days <= 0 {
		return nil
	}
	before := b.Now().AddDate(0, 0, -days).UTC().Format(orderTime)
	for file, err := range b.Store.List(ctx, "_orders/") {
		if err != nil {
			return err
		}
		id, ok := orderID(file.Name)
		if !ok || id >= before {
			continue
		}
		if err := b.Store.Delete(ctx, file.Name); err != nil {
			return err
		}
	}
	return nil
}
