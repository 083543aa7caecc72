package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// ErrChanged is a file that is not what its run recorded of it.
var ErrChanged = errors.New("changed since the run; risksweep report verify looks at every file")

// OpenProved opens a file of a run after it has compared it with the run's
// manifest. The error wraps ErrChanged if they differ. A run that has not ended
// has no manifest, and nothing proves its files. What proves the manifest itself
// only Verify says.
func (l *Ledger) OpenProved(ctx context.Context, run, name string) (in io.ReadCloser, proved bool, err error) {
	if proved, err = l.Proved(ctx, run, name); err != nil {
		return nil, false, err
	}
	in, _, err = l.Open(ctx, run, name)
	return in, proved, err
}

// Proved compares a file of a run with the run's manifest, if that names it.
func (l *Ledger) Proved(ctx context.Context, run, name string) (bool, error) {
	m, _, err := l.manifest(ctx, run)
	if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		return false, err
	}
	for _, f := range m.Files {
		if f.Name != name {
			continue
		}
		dir, err := l.runDir(run)
		if err == nil {
			err = l.proves(ctx, dir+"/"+name, f.SHA256)
		}
		return err == nil, err
	}
	return false, nil
}

// proves compares a file with the SHA-256 that it must have.
func (l *Ledger) proves(ctx context.Context, name, want string) error {
	_, got, err := l.sumOf(ctx, name)
	if err == nil && got != want {
		err = fmt.Errorf("%w: its SHA-256 is %s instead of %s", ErrChanged, got, want)
	}
	return err
}
