package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// Round gathers the notices of runs that were due at the same time, whichever
// process carries them out, so that they are told together.
type Round struct {
	Store blobstore.Store
	// Tenants are all that take part.
	Tenants []string
	// Due is when the runs were due.
	Due time.Time
	// Wait is how long a notice waits at most for runs that have not ended.
	Wait time.Duration
	Now  func() time.Time
	// Holder is who tells.
	Holder blobstore.Holder
	// Laggards, if set, keep from looking through all notices for each one that is
	// kept.
	Laggards *Laggards
}

// Laggards remember of each round a run that it waits for, and until when it does: as
// long as that one has not ended, nobody need look for the others. A process has one.
type Laggards struct{ of sync.Map }

type laggard struct {
	file  string
	until time.Time
}

// The files of rounds: notices that wait, and whose notices were told.
const (
	waitingFolder = "_notices/waiting/"
	toldFolder    = "_notices/told/"
	telling       = "_notices/telling" // the lease of whoever tells
	roundName     = "20060102T150405Z"
	jsonSuffix    = ".json"
)

// keepRounds is how long it is remembered who was told of a round, roundReaders how
// many notices are read at a time.
const (
	keepRounds   = 48 * time.Hour
	roundReaders = 16
)

// toldDoc is who has ended and was told of.
type toldDoc struct {
	SchemaVersion int      `json:"schemaVersion"`
	Tenants       []string `json:"tenants"`
}

func (r Round) folder() string { return waitingFolder + r.Due.UTC().Format(roundName) + "/" }
func (r Round) told() string   { return toldFolder + r.Due.UTC().Format(roundName) + jsonSuffix }

// Keep stores what a run has to say, also if that is nothing: it has ended.
func (r Round) Keep(ctx context.Context, e Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return r.Store.Put(ctx, r.folder()+e.Tenant+jsonSuffix, append(text, '\n'))
}

// Tell gives the notices to post, if all runs have ended or the first of them waits
// for too long, and whatever earlier rounds have left; else it does nothing. While
// somebody tells nobody else does, and whoever tells looks again afterwards. A process
// that dies meanwhile leaves the notices to the next: better told twice than never.
func (r Round) Tell(ctx context.Context, post func(context.Context, []Event)) error {
	for {
		due, err := r.due(ctx)
		if err != nil || len(due) == 0 {
			return err
		}
		lease, err := r.Store.Lease(ctx, telling, r.Holder)
		if errors.Is(err, blobstore.ErrLeaseHeld) {
			return nil
		}
		if err != nil {
			return err
		}
		err = r.tell(lease.Context(), post)
		if err = errors.Join(err, lease.Release(context.WithoutCancel(ctx))); err != nil {
			return err
		}
	}
}

// due are the files of this round that are to be told.
func (r Round) due(ctx context.Context) ([]string, error) {
	if waits, err := r.waits(ctx); err != nil || waits {
		return nil, err
	}
	names := map[string]bool{}
	var first time.Time
	for file, err := range r.Store.List(ctx, r.folder()) {
		if err != nil {
			return nil, err
		}
		at, err := r.keptAt(ctx, file)
		if errors.Is(err, blobstore.ErrNotFound) {
			continue // told meanwhile
		}
		if err != nil {
			return nil, err
		}
		names[file.Name] = true
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	all := slices.Sorted(maps.Keys(names))
	if len(names) == 0 || r.Now().Sub(first) >= r.Wait {
		return all, nil
	}
	before, err := r.before(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range before.Tenants {
		names[r.folder()+t+jsonSuffix] = true
	}
	for _, t := range slices.Backward(r.Tenants) { // the last of the list is likely to end last
		if file := r.folder() + t + jsonSuffix; !names[file] {
			if r.Laggards != nil {
				r.Laggards.of.Store(r.folder(), laggard{file, first.Add(r.Wait)})
			}
			return nil, nil
		}
	}
	return all, nil
}

// keptAt is when a notice was kept, which not every store lists.
func (r Round) keptAt(ctx context.Context, file blobstore.Info) (time.Time, error) {
	if !file.Modified.IsZero() {
		return file.Modified, nil
	}
	body, info, err := r.Store.Open(ctx, file.Name)
	if err != nil {
		return time.Time{}, err
	}
	return info.Modified, body.Close()
}

// waits reports whether a run is known that the round waits for.
func (r Round) waits(ctx context.Context) (bool, error) {
	if r.Laggards == nil {
		return false, nil
	}
	known, ok := r.Laggards.of.Load(r.folder())
	if !ok {
		return false, nil
	}
	if l := known.(laggard); r.Now().Before(l.until) {
		_, _, err := r.Store.Get(ctx, l.file)
		if errors.Is(err, blobstore.ErrNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	r.Laggards.of.Delete(r.folder())
	return false, nil
}

func (r Round) before(ctx context.Context) (told toldDoc, err error) {
	data, _, err := r.Store.Get(ctx, r.told())
	if errors.Is(err, blobstore.ErrNotFound) {
		return told, nil
	}
	if err == nil && json.Unmarshal(data, &told) != nil {
		told = toldDoc{} // damaged: the wait ends it
	}
	return told, err
}

// tell posts what is due, and what earlier rounds have left.
func (r Round) tell(ctx context.Context, post func(context.Context, []Event)) error {
	due, err := r.due(ctx) // another may have told meanwhile
	if err != nil || len(due) == 0 {
		return err
	}
	for file, err := range r.Store.List(ctx, waitingFolder) {
		if err != nil {
			return err
		}
		if strings.HasPrefix(file.Name, r.folder()) {
			continue
		}
		at, err := r.keptAt(ctx, file)
		if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
			return err
		}
		if err == nil && r.Now().Sub(at) >= r.Wait {
			due = append(due, file.Name)
		}
	}
	events := make([]*Event, len(due))
	var g errgroup.Group
	g.SetLimit(roundReaders)
	for i, name := range due {
		g.Go(func() error {
			data, _, err := r.Store.Get(ctx, name)
			if errors.Is(err, blobstore.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			var e Event
			if json.Unmarshal(data, &e) != nil {
				tenant := strings.TrimSuffix(name[strings.LastIndex(name, "/")+1:], jsonSuffix)
				e = Event{SchemaVersion: 1, Tenant: tenant, Status: "failed", At: r.Now().UTC(), Facts: []string{fmt.Sprintf("the notice %s cannot be read; see the tenant's last report", name)}}
			}
			events[i] = &e
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var worth []Event
	told, err := r.before(ctx)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, t := range told.Tenants {
		known[t] = true
	}
	for i, e := range events {
		if e != nil && e.Worth() {
			worth = append(worth, *e)
		}
		if e != nil && strings.HasPrefix(due[i], r.folder()) && !known[e.Tenant] {
			told.Tenants = append(told.Tenants, e.Tenant)
		}
	}
	if len(worth) > 0 {
		post(ctx, worth)
	}
	told.SchemaVersion = 1
	text, err := json.Marshal(told)
	if err != nil {
		return err
	}
	if err := r.Store.Put(ctx, r.told(), append(text, '\n')); err != nil {
		return err
	}
	for _, name := range due {
		if err := r.Store.Delete(ctx, name); err != nil {
			return err
		}
	}
	return r.forget(ctx)
}

// forget deletes who was told of rounds of long ago.
func (r Round) forget(ctx context.Context) error {
	for file, err := range r.Store.List(ctx, toldFolder) {
		if err != nil {
			return err
		}
		due, err := time.Parse(roundName, strings.TrimSuffix(strings.TrimPrefix(file.Name, toldFolder), jsonSuffix))
		if err == nil && r.Now().Sub(due) > keepRounds {
			if err := r.Store.Delete(ctx, file.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
