package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// prunedRuns is pruned.json: the runs of the chain that retention has deleted,
// with the hashes of their manifests.
type prunedRuns struct {
	SchemaVersion int         `json:"schemaVersion"`
	Runs          []prunedRun `json:"runs"`
}

type prunedRun struct {
	Run    string    `json:"run"`
	SHA256 string    `json:"sha256,omitempty"`
	At     time.Time `json:"at"`
}

func (l *Ledger) readPruned(ctx context.Context) (prunedRuns, string, error) {
	p := prunedRuns{SchemaVersion: 1}
	data, version, err := l.store.Get(ctx, l.name("pruned.json"))
	switch {
	case errors.Is(err, blobstore.ErrNotFound):
		return p, "", nil
	case err != nil:
		return p, "", err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, "", corrupt(l.name("pruned.json"), err)
	}
	return p, version, nil
}

// pruned gives the manifest hashes of deleted runs.
func (l *Ledger) pruned(ctx context.Context) (map[string]string, error) {
	p, _, err := l.readPruned(ctx)
	out := map[string]string{}
	for _, r := range p.Runs {
		out[r.Run] = r.SHA256
	}
	return out, err
}

// Prune deletes whole runs that are older than the retention allows, and
// records them first. It never deletes the newest complete run, nor one that
// keep names: runs that still have something to settle.
func (l *Ledger) Prune(ctx context.Context, keep ...string) ([]string, error) {
	if l.opt.KeepDays <= 0 {
		return nil, nil
	}
	edge := l.opt.Now().Add(-time.Duration(l.opt.KeepDays) * 24 * time.Hour)
	for _, id := range keep { // the chain loses its oldest part only
		if start, err := StartOf(id); err == nil && start.Before(edge) {
			edge = start
		}
	}
	ids, err := l.runsBefore(ctx, edge)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	newest := map[string]string{} // mode -> the newest complete old run
	left := leftInputs{named: map[string]bool{}}
	var old []prunedRun
	err = inOrder(ctx, ids, l.stored, func(id string, r storedRun) error {
		if !r.exists {
			return nil
		}
		if r.complete {
			newest[r.Mode] = id
		}
		old = append(old, prunedRun{Run: id, SHA256: r.sum, At: l.opt.Now().UTC()})
		left.by(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := l.leaveOutFollowed(ctx, newest, edge); err != nil {
		return nil, err
	}
	slices.Reverse(old) // the newest first
	old = slices.DeleteFunc(old, func(r prunedRun) bool {
		return slices.Contains(slices.Collect(maps.Values(newest)), r.Run)
	})
	if len(old) == 0 {
		return nil, nil
	}
	p, version, err := l.readPruned(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, r := range p.Runs {
		known[r.Run] = true
	}
	for _, r := range old {
		if !known[r.Run] {
			p.Runs = append(p.Runs, r)
		}
	}
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	if _, err := l.store.PutIf(ctx, l.name("pruned.json"), append(data, '\n'), version); err != nil {
		return nil, fmt.Errorf("recording what retention deletes: %w", err)
	}
	var gone []string
	for _, r := range old {
		if err := l.deleteRun(ctx, r.Run); err != nil {
			return gone, fmt.Errorf("deleting run %s: %w", r.Run, err)
		}
		gone = append(gone, r.Run)
	}
	if err := l.pruneInputs(ctx, left); err != nil {
		return gone, fmt.Errorf("deleting the inputs of deleted runs: %w", err)
	}
	return gone, nil
}

// storedRun is what stands in the store of a run.
type storedRun struct {
	exists   bool // it has any file
	complete bool // it has a manifest that can be read
	sum      string
	Manifest
}

// stored reads what stands in the store of a run.
func (l *Ledger) stored(ctx context.Context, id string) (r storedRun, err error) {
	r.Manifest, r.sum, err = l.manifest(ctx, id)
	switch {
	case err == nil:
		r.exists, r.complete = true, true
	case errors.Is(err, blobstore.ErrNotFound):
		r.exists, err = l.exists(ctx, id)
	case isCorrupt(err):
		r.exists, err = true, nil
	}
	return r, err
}

// leaveOutFollowed leaves out of the newest old runs those of whose mode there is
// a younger complete one among the last manyRuns of the store. Of a mode that
// none of them has, one run more than needed may be kept.
func (l *Ledger) leaveOutFollowed(ctx context.Context, newest map[string]string, edge time.Time) error {
	looked := 0
	for id, err := range l.walk(ctx, newestFirst) {
		if err != nil {
			return err
		}
		if start, err := StartOf(id); err != nil || start.Before(edge) || len(newest) == 0 || looked == manyRuns {
			break
		}
		looked++
		r, err := l.stored(ctx, id)
		if err != nil {
			return err
		}
		if r.complete {
			delete(newest, r.Mode)
		}
	}
	return nil
}

// protector is a store that can keep a file from change and deletion for a time.
type protector interface {
	Protect(ctx context.Context, name string, until time.Time) error
}

// protect gives a file of the run its retention policy. The time counts from the
// start of the run, as Prune counts.
func (r *Run) protect(ctx context.Context, name string) error {
	return r.protectName(ctx, r.dir+"/"+name)
}

// protectName does so for a file anywhere in the store.
func (r *Run) protectName(ctx context.Context, name string) error {
	if r.l.opt.ImmutableDays <= 0 {
		return nil
	}
	p, ok := r.l.store.(protector)
	if !ok {
		return fmt.Errorf("the store %s offers no retention policies", r.l.store.URL())
	}
	start, err := StartOf(r.id)
	if err != nil {
		return err
	}
	until := start.Add(time.Duration(r.l.opt.ImmutableDays) * 24 * time.Hour)
	if !until.After(r.l.opt.Now()) {
		return nil
	}
	if err := p.Protect(ctx, name, until); err != nil {
		return fmt.Errorf("the retention policy of %s: %w", name, err)
	}
	return nil
}

// deleteRun deletes a run's files, the manifest first: a run that is deleted
// half shows as incomplete, not as damaged.
func (l *Ledger) deleteRun(ctx context.Context, id string) error {
	dir, err := l.runDir(id)
	if err != nil {
		return err
	}
	if err := l.store.Delete(ctx, dir+"/manifest.json"); err != nil {
		return err
	}
	var names []string
	for info, err := range l.store.List(ctx, dir+"/") {
		if err != nil {
			return err
		}
		names = append(names, info.Name)
	}
	for _, name := range names {
		if err := l.store.Delete(ctx, name); err != nil {
			return err
		}
	}
	if f, ok := l.store.(folderStore); ok {
		return f.DeleteEmptyDir(ctx, dir)
	}
	return nil
}

// folderStore is a store whose folders may stay when their last file is gone.
type folderStore interface {
	DeleteEmptyDir(ctx context.Context, dir string) error
}
