package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// ErrChanged is a file that is not what its run recorded of it.
var ErrChanged = errors.New("changed since the run; risksweep report verify looks at every file")

// OpenProved opens a file of a run after it has compared it with the run's
// manifest, and compares once more what is read. The error wraps ErrChanged if
// they differ. A run that has not ended has no manifest, and nothing proves its
// files. What proves the manifest itself only Verify says.
func (l *Ledger) OpenProved(ctx context.Context, run, name string) (in io.ReadCloser, proved bool, err error) {
	if _, err = l.Proved(ctx, run, name); err != nil {
		return nil, false, err
	}
	return l.openHashed(ctx, run, name)
}

// openHashed opens a file of a run that is compared with the run's manifest while
// it is read: where it should end, the error wraps ErrChanged if they differ.
func (l *Ledger) openHashed(ctx context.Context, run, name string) (in io.ReadCloser, proved bool, err error) {
	want, err := l.recorded(ctx, run, name)
	if err != nil {
		return nil, false, err
	}
	if in, _, err = l.Open(ctx, run, name); err != nil || want == "" {
		return in, false, err
	}
	return &hashedReader{in, sha256.New(), want}, true, nil
}

// hashedReader reads a file whose hash is known.
type hashedReader struct {
	io.ReadCloser
	sum  hash.Hash
	want string
}

func (r *hashedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		err = cmp.Or(differs(hex.EncodeToString(r.sum.Sum(nil)), r.want), err)
	}
	return n, err
}

func differs(got, want string) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%w: its SHA-256 is %s instead of %s", ErrChanged, got, want)
}

// recorded is the SHA-256 that a run's manifest has of a file; empty if nothing
// proves it.
func (l *Ledger) recorded(ctx context.Context, run, name string) (string, error) {
	m, _, err := l.manifest(ctx, run)
	if err != nil && !errors.Is(err, blobstore.ErrNotFound) {
		return "", err
	}
	for _, f := range m.Files {
		if f.Name == name {
			return f.SHA256, nil
		}
	}
	return "", nil
}

// Proved compares a file of a run with the run's manifest, if that names it.
func (l *Ledger) Proved(ctx context.Context, run, name string) (bool, error) {
	want, err := l.recorded(ctx, run, name)
	if err != nil || want == "" {
		return false, err
	}
	dir, err := l.runDir(run)
	if err == nil {
		err = l.proves(ctx, dir+"/"+name, want)
	}
	return err == nil, err
}

// proves compares a file with the SHA-256 that it must have.
func (l *Ledger) proves(ctx context.Context, name, want string) error {
	_, got, err := l.sumOf(ctx, name)
	if err == nil {
		err = differs(got, want)
	}
	return err
}
