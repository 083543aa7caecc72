package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"sort"
	"sync"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// BeginOptions say what run begins.
type BeginOptions struct {
	// Mode is plan or apply. An apply run takes the tenant's lease.
	Mode string
	// Run is the id to run under; empty makes a new one.
	Run    string
	Holder blobstore.Holder
}

// ErrRunExists says that a run of this id is complete already.
var ErrRunExists = errors.New("the run is complete already")

// ErrRunTaken says that another process carries this very run out.
var ErrRunTaken = errors.New("another process has taken this run up")

// Run is one run while it goes on.
type Run struct {
	l       *Ledger
	id, dir string
	mode    string
	started time.Time
	holder  blobstore.Holder
	lease   blobstore.Lease

	mu      sync.Mutex
	files   map[string]File
	inputs  []Input
	journal *Journal
	head    string
}

// Begin begins a run: an apply run takes the lease first, and a run id that is
// complete already is refused with ErrRunExists. *blobstore.LeaseHeldError
// says who else is writing.
func (l *Ledger) Begin(ctx context.Context, o BeginOptions) (*Run, error) {
	started := l.opt.Now().UTC()
	id := o.Run
	if id == "" {
		var err error
		if id, err = NewRunID(started); err != nil {
			return nil, err
		}
	}
	dir, err := l.runDir(id)
	if err != nil {
		return nil, err
	}
	r := &Run{l: l, id: id, dir: dir, mode: o.Mode, started: started, files: map[string]File{}}
	if o.Mode == "apply" {
		o.Holder.Run = id
		r.holder = o.Holder
		if r.lease, err = l.store.Lease(ctx, l.name("lock"), o.Holder); err != nil {
			if errors.Is(err, blobstore.ErrLeaseHeld) {
				return nil, err
			}
			return nil, fmt.Errorf("taking the lease: %w", err)
		}
	}
	if err := r.open(ctx); err != nil {
		return nil, errors.Join(err, r.Close(context.WithoutCancel(ctx)))
	}
	return r, nil
}

// open makes sure that the run is new, or was cut short, and opens its journal.
func (r *Run) open(ctx context.Context) error {
	if _, _, err := r.l.manifest(ctx, r.id); err == nil {
		return fmt.Errorf("run %s: %w", r.id, ErrRunExists)
	} else if !errors.Is(err, blobstore.ErrNotFound) {
		return err
	}
	if r.mode != "apply" { // better said now than when all is read
		if _, _, err := r.l.Plans(ctx); err != nil {
			return err
		}
	}
	a, err := r.l.store.Append(ctx, r.dir+"/journal.jsonl")
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	r.journal = &Journal{file: a}
	return nil
}

// ID is the run's id.
func (r *Run) ID() string { return r.id }

// Dir is the run's folder in the store.
func (r *Run) Dir() string { return r.dir }

// Lease is that of an apply run; nil in a plan run.
func (r *Run) Lease() blobstore.Lease { return r.lease }

// Reclaim takes the lease again if it was lost and nobody else holds it, and
// says whether it had to.
func (r *Run) Reclaim(ctx context.Context) (bool, error) {
	ends := r.lease.Expires()
	if context.Cause(r.lease.Context()) == nil && (ends.IsZero() || r.l.opt.Now().Before(ends)) {
		return false, nil
	}
	lease, err := r.l.store.Lease(ctx, r.l.name("lock"), r.holder)
	if err != nil {
		return true, fmt.Errorf("taking the lease again: %w", err)
	}
	r.lease = lease
	return true, nil
}

// Journal is the run's journal.
func (r *Run) Journal() *Journal { return r.journal }

// FileWriter streams one file of the run and counts what the manifest says of
// it.
type FileWriter struct {
	w    blobstore.Writer
	r    *Run
	name string
	sum  hash.Hash
	size int64
}

// File begins a file of the run; it shows when it is committed.
func (r *Run) File(ctx context.Context, name string) (*FileWriter, error) {
	w, err := r.l.store.Create(ctx, r.dir+"/"+name)
	if err != nil {
		return nil, err
	}
	return &FileWriter{w: w, r: r, name: name, sum: sha256.New()}, nil
}

func (f *FileWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.sum.Write(p[:n])
	f.size += int64(n)
	return n, err
}

// Commit ends the file and enters it into the manifest.
func (f *FileWriter) Commit(ctx context.Context) error {
	if err := f.w.Commit(ctx); err != nil {
		return fmt.Errorf("storing %s: %w", f.name, err)
	}
	f.r.enter(File{Name: f.name, Size: f.size, SHA256: hex.EncodeToString(f.sum.Sum(nil))})
	return nil
}

// Abort gives the file up.
func (f *FileWriter) Abort() error { return f.w.Abort() }

// PutFile stores a small file of the run.
func (r *Run) PutFile(ctx context.Context, name string, data []byte) error {
	f, err := r.File(ctx, name)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit(ctx)
}

// Claim stores the file that makes the run this process's own: of two that
// carry out one run, because the first was taken for dead, the second to store
// it gets ErrRunTaken and must leave the run's folder alone.
func (r *Run) Claim(ctx context.Context, name string, data []byte) error {
	err := r.l.store.PutNew(ctx, r.dir+"/"+name, data)
	if errors.Is(err, blobstore.ErrExists) {
		return fmt.Errorf("run %s: %w", r.id, ErrRunTaken)
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	r.enter(File{Name: name, Size: int64(len(data)), SHA256: hashOf(data)})
	return nil
}

func (r *Run) enter(f File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[f.Name] = f
}

// Finish closes the journal and writes the manifest, the last file of the run.
// The manifest of an apply run carries the hash of the one before it, which is
// given; that of a plan run the head of the chain of plan runs, which it enters.
// It returns the new head of the chain. A run whose lease ends meanwhile is
// blobstore.ErrLeaseLost: the chain may have gone on without it. Files, run,
// tenant, mode and the link are filled in here.
func (r *Run) Finish(ctx context.Context, m Manifest, head, headRun string) (string, error) {
	if err := r.closeJournal(ctx); err != nil {
		return "", err
	}
	m.SchemaVersion, m.Run, m.Tenant, m.Mode = ManifestVersion, r.id, r.l.tenant, r.mode
	if m.StartedAt.IsZero() {
		m.StartedAt = r.started
	}
	m.Files = make([]File, 0, len(r.files))
	for _, f := range r.files {
		m.Files = append(m.Files, f)
	}
	m.Inputs = r.inputs
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Name < m.Files[j].Name })
	if r.mode == "apply" && head != "" {
		m.Previous = &Link{Run: headRun, SHA256: head}
	}
	for _, f := range m.Files {
		if err := r.protect(ctx, f.Name); err != nil {
			return "", err
		}
	}
	if err := r.protectInputs(ctx); err != nil {
		return "", err
	}
	data, err := encodeManifest(m)
	if r.mode != "apply" {
		data, err = r.l.announce(ctx, m)
	}
	if err != nil {
		return "", err
	}
	c, cancel, err := r.whileLeased(ctx)
	if err != nil {
		return "", fmt.Errorf("storing the manifest: %w", err)
	}
	defer cancel()
	if err := r.l.store.PutNew(c, r.dir+"/manifest.json", data); err != nil {
		if c.Err() != nil && ctx.Err() == nil {
			err = errors.Join(err, blobstore.ErrLeaseLost)
		}
		return "", fmt.Errorf("storing the manifest: %w", err)
	}
	r.head = hashOf(data)
	head = r.head
	if r.mode != "apply" {
		if head, err = r.l.enter(ctx, Link{Run: r.id, SHA256: r.head}); err != nil {
			return "", fmt.Errorf("entering the chain of plan runs: %w", err)
		}
	}
	return head, r.protect(ctx, "manifest.json")
}

// whileLeased gives a context that ends with the lease: after that another run
// may have followed the manifest that this one was to follow.
func (r *Run) whileLeased(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if r.lease == nil {
		return ctx, func() {}, nil
	}
	if err := context.Cause(r.lease.Context()); err != nil {
		return nil, nil, err
	}
	ends := r.lease.Expires()
	if ends.IsZero() {
		return ctx, func() {}, nil
	}
	c, cancel := context.WithTimeout(ctx, ends.Sub(r.l.opt.Now()))
	return c, cancel, nil
}

// closeJournal ends the journal and enters it into the manifest.
func (r *Run) closeJournal(ctx context.Context) error {
	if r.journal == nil {
		return nil
	}
	if err := r.journal.file.Close(); err != nil {
		return err
	}
	size, sum, err := r.l.sumOf(ctx, r.dir+"/journal.jsonl")
	if err != nil {
		return fmt.Errorf("reading the journal back: %w", err)
	}
	r.journal = nil
	r.enter(File{Name: "journal.jsonl", Size: size, SHA256: sum})
	return nil
}

// Latest points latest.json at this run.
func (r *Run) Latest(ctx context.Context, status string) error {
	data, err := json.MarshalIndent(Latest{SchemaVersion: 1, Run: r.id, Path: r.dir[len(r.l.tenant)+1:], Status: status,
		FinishedAt: r.l.opt.Now().UTC(), ManifestHash: r.head}, "", "  ")
	if err != nil {
		return err
	}
	return r.l.store.Put(ctx, r.l.name("latest.json"), append(data, '\n'))
}

// Close gives the lease back.
func (r *Run) Close(ctx context.Context) error {
	var err error
	if r.journal != nil {
		err = r.journal.file.Close()
		r.journal = nil
	}
	if r.lease != nil {
		err = errors.Join(err, r.lease.Release(ctx))
	}
	return err
}
