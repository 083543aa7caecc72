// Package ledger keeps what must survive a crash: the state of a tenant, the
// lease, the folder of each run with its journal and manifest, the chain of
// manifests, and how long runs are kept.
//
// It knows files and their order, not what a run decides, and it never talks to
// the tenant.
package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// Options are the numbers of a ledger.
type Options struct {
	Now func() time.Time
	// KeepDays is how long runs are kept; 0 keeps all.
	KeepDays int
	// ImmutableDays is how long the files of a run are kept from change and
	// deletion, in a store that offers it; 0 keeps none.
	ImmutableDays int
}

// Ledger is the part of a store that belongs to one tenant.
type Ledger struct {
	store  blobstore.Store
	tenant string
	opt    Options
}

// New gives the ledger of a tenant. Nothing is read.
func New(store blobstore.Store, tenant string, opt Options) *Ledger {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Ledger{store: store, tenant: tenant, opt: opt}
}

// Tenant is the name of the tenant.
func (l *Ledger) Tenant() string { return l.tenant }

// Store is where the ledger is kept.
func (l *Ledger) Store() blobstore.Store { return l.store }

func (l *Ledger) name(parts ...string) string {
	return strings.Join(append([]string{l.tenant}, parts...), "/")
}

// runID is "20261124T020000Z-0a1b2c": ids sort by start time.
var runID = regexp.MustCompile(`^(\d{8}T\d{6}Z)-[0-9a-f]{6}$`)

const runTime = "20060102T150405Z"

// NewRunID makes a run id of a start time: its milliseconds, so that ids sort
// by start within a second too, and a random end.
func NewRunID(start time.Time) (string, error) {
	var b [3]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	ms := start.UTC().Nanosecond() / 1e6
	b[0], b[1] = byte(ms>>4), byte(ms<<4)|b[1]&0x0f
	return RunID(start, b), nil
}

// RunID makes the run id of a start time and three given bytes.
func RunID(start time.Time, end [3]byte) string {
	return start.UTC().Format(runTime) + "-" + hex.EncodeToString(end[:])
}

// StartOf gives the start time in a run id; the error says what a run id looks
// like.
func StartOf(id string) (time.Time, error) {
	m := runID.FindStringSubmatch(id)
	if m == nil {
		return time.Time{}, fmt.Errorf("%q is no run id (20261124T020000Z-0a1b2c): %w", id, blobstore.ErrNotFound)
	}
	t, err := time.Parse(runTime, m[1])
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no run id: %w", id, errors.Join(err, blobstore.ErrNotFound))
	}
	return t, nil
}

// runDir is the folder of a run below the tenant's.
func (l *Ledger) runDir(id string) (string, error) {
	if _, err := StartOf(id); err != nil {
		return "", err
	}
	return RunPath(l.tenant, id), nil
}

// RunPath is the folder of a run in its store; empty for what is no run id.
func RunPath(tenant, run string) string {
	start, err := StartOf(run)
	if err != nil {
		return ""
	}
	return strings.Join([]string{tenant, "runs", start.Format("2006/01/02"), run}, "/")
}

// Open opens a file of a run.
func (l *Ledger) Open(ctx context.Context, run, file string) (io.ReadCloser, blobstore.Info, error) {
	dir, err := l.runDir(run)
	if err != nil {
		return nil, blobstore.Info{}, err
	}
	if strings.ContainsAny(file, "/\\") || strings.HasPrefix(file, ".") {
		return nil, blobstore.Info{}, fmt.Errorf("%q is not a file of a run: %w", file, blobstore.ErrNotFound)
	}
	in, info, err := l.store.Open(ctx, dir+"/"+file)
	if errors.Is(err, blobstore.ErrName) {
		err = fmt.Errorf("%q is not a file of a run: %w", file, blobstore.ErrNotFound)
	}
	return in, info, err
}

// RunInfo is one run in a list.
type RunInfo struct {
	ID         string    `json:"id"`
	Mode       string    `json:"mode,omitempty"`
	Kind       RunKind   `json:"kind,omitempty"`
	Status     string    `json:"status,omitempty"`
	Complete   bool      `json:"complete"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt,omitzero"`
}

// Runs lists the runs, newest first; limit 0 is all.
func (l *Ledger) Runs(ctx context.Context, limit int) ([]RunInfo, error) {
	for most := limit; ; most *= 2 {
		ids, err := l.runIDs(ctx, most)
		if err != nil {
			return nil, err
		}
		out := make([]RunInfo, 0, len(ids))
		for _, id := range ids {
			info, err := l.RunInfo(ctx, id)
			if errors.Is(err, blobstore.ErrNotFound) {
				continue // a folder without files
			}
			if err != nil {
				return nil, err
			}
			if out = append(out, info); len(out) == limit {
				return out, nil
			}
		}
		if most == 0 || len(ids) < most {
			return out, nil
		}
	}
}

// RunInfo describes one run; blobstore.ErrNotFound if there is none.
func (l *Ledger) RunInfo(ctx context.Context, id string) (RunInfo, error) {
	start, err := StartOf(id)
	if err != nil {
		return RunInfo{}, err
	}
	info := RunInfo{ID: id, StartedAt: start}
	m, _, err := l.manifest(ctx, id)
	switch {
	case err == nil:
		info.Mode, info.Kind, info.Status, info.Complete, info.StartedAt, info.FinishedAt = m.Mode, m.Kind, m.Status, true, m.StartedAt, m.FinishedAt
	case errors.Is(err, blobstore.ErrNotFound):
		exists, err := l.exists(ctx, id)
		if err == nil && !exists {
			err = fmt.Errorf("run %s: %w", id, blobstore.ErrNotFound)
		}
		return info, err
	case isCorrupt(err):
		info.Status = "corrupt"
	default:
		return info, err
	}
	return info, nil
}

// exists reports whether a run has any file: accounts with a hierarchical
// namespace keep a folder when its last file is gone.
func (l *Ledger) exists(ctx context.Context, id string) (bool, error) {
	dir, err := l.runDir(id)
	if err != nil {
		return false, err
	}
	for _, err := range l.store.List(ctx, dir+"/") {
		return err == nil, err
	}
	return false, nil
}

// Latest is latest.json: the last complete run.
type Latest struct {
	SchemaVersion int       `json:"schemaVersion"`
	Run           string    `json:"run"`
	Path          string    `json:"path"`
	Status        string    `json:"status"`
	FinishedAt    time.Time `json:"finishedAt"`
	ManifestHash  string    `json:"manifestSha256"`
}

// LatestRun reads latest.json; blobstore.ErrNotFound before the first run.
func (l *Ledger) LatestRun(ctx context.Context) (Latest, error) {
	var latest Latest
	data, _, err := l.store.Get(ctx, l.name("latest.json"))
	if err != nil {
		return latest, err
	}
	if err := json.Unmarshal(data, &latest); err != nil {
		return latest, corrupt(l.name("latest.json"), err)
	}
	if !runID.MatchString(latest.Run) {
		return latest, corrupt(l.name("latest.json"), fmt.Errorf("%q is no run id", latest.Run))
	}
	return latest, nil
}

// errCorrupt marks a file of ours that cannot be read as what it is.
var errCorrupt = errors.New("is damaged")

func corrupt(name string, err error) error { return fmt.Errorf("%s %w: %w", name, errCorrupt, err) }

func isCorrupt(err error) bool { return errors.Is(err, errCorrupt) }

// Locked says whether somebody holds the tenant's lease, and keeps nobody from
// taking it.
func (l *Ledger) Locked(ctx context.Context) (bool, error) {
	return l.store.Leased(ctx, l.name("lock"))
}

// TryLease takes a lease beside the tenant's and gives it back: whether the store
// offers them, without keeping a run from its own.
func (l *Ledger) TryLease(ctx context.Context, holder blobstore.Holder) error {
	name := l.name("trial")
	lease, err := l.store.Lease(ctx, name, holder)
	if errors.Is(err, blobstore.ErrLeaseHeld) {
		return nil // another tries too
	}
	if err != nil {
		return err
	}
	return errors.Join(lease.Release(ctx), l.store.Delete(ctx, name))
}

// Lock takes the tenant's lease without a run, for a change of the state alone.
func (l *Ledger) Lock(ctx context.Context, holder blobstore.Holder) (blobstore.Lease, error) {
	return l.store.Lease(ctx, l.name("lock"), holder)
}
