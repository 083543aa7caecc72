package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// ErrChanged is a file that is not what its run recorded of it.
var ErrChanged = errors.New("changed since the run; risksweep report verify looks at every file")

// OpenProved opens a file of a run after it has compared it with the run's
// manifest. The error wraps ErrChanged if they differ. A run that has not ended
// has no manifest, and its files are what they are: proved is then false. What
// proves the manifest itself only Verify says.
func (l *Ledger) OpenProved(ctx context.Context, run, name string) (in io.ReadCloser, proved bool, err error) {
	if in, _, err = l.Open(ctx, run, name); err != nil {
		return nil, false, err
	}
	m, _, err := l.manifest(ctx, run)
	if errors.Is(err, blobstore.ErrNotFound) {
		return in, false, nil
	}
	if err != nil {
		return nil, false, errors.Join(err, in.Close())
	}
	for _, f := range m.Files {
		if f.Name != name {
			continue
		}
		if err := errors.Join(proves(in, f.SHA256), in.Close()); err != nil {
			return nil, false, err
		}
		in, _, err = l.Open(ctx, run, name)
		return in, true, err
	}
	return in, false, nil
}

// proves compares what is read with the SHA-256 that it must have.
func proves(in io.Reader, want string) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		return fmt.Errorf("%w: its SHA-256 is %s instead of %s", ErrChanged, got, want)
	}
	return nil
}
