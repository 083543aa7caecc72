package blobstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Lease locks a file for as long as the process lives; its text is the holder.
func (d *Dir) Lease(ctx context.Context, name string, holder Holder) (Lease, error) {
	p, err := d.path(name)
	if err != nil {
		return nil, err
	}
	for range 10 {
		l, err := d.lock(ctx, p, holder)
		if !errors.Is(err, ErrGone) || d.present() != nil {
			return l, err
		}
		// The file was removed between opening and locking it.
	}
	return nil, fmt.Errorf("%s is removed again and again while it is taken: %w", name, ErrGone)
}

func (d *Dir) lock(ctx context.Context, p string, holder Holder) (Lease, error) {
	if err := d.makeFor(p); err != nil {
		return nil, err
	}
	lock := flock.New(p, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o644))
	got, err := lock.TryLock()
	for held, tries := 0, 0; held < 3 && tries < 500 && err == nil && !got && ctx.Err() == nil; tries++ {
		// A lock that can be shared has no holder: somebody just looks at it.
		var shared bool
		if shared, err = lock.TryRLock(); err == nil && shared {
			err = lock.Unlock()
		} else {
			held++
		}
		time.Sleep(time.Millisecond + rand.N(9*time.Millisecond)) // two that take turns must not meet again
		if err == nil {
			got, err = lock.TryLock()
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	f, err := os.OpenFile(p, os.O_RDWR, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w", err, ErrGone)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if !got {
		held := heldBy(ctx, func() ([]byte, error) { return io.ReadAll(io.NewSectionReader(f, holderAt(), 4096)) })
		return nil, errors.Join(held, f.Close(), lock.Close())
	}
	l := &dirLease{d: d, path: p, f: f, lock: lock}
	if l.info, err = lock.Stat(); err == nil {
		err = l.proved()
	}
	var text []byte
	if err == nil {
		text, err = json.Marshal(holder)
	}
	if err == nil {
		err = l.write(text)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), lock.Close())
	}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	return l, nil
}

// Leased looks for the holder's text, which a release takes away. Only where
// there is one, that of a holder or of a process that was killed, it tries for
// an instant whether the lock can be shared, which Lease passes over.
func (d *Dir) Leased(ctx context.Context, name string) (bool, error) {
	p, err := d.path(name)
	if err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	st, err := os.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return false, d.present()
	}
	if err != nil || st.Size() <= holderAt() {
		return false, err
	}
	lock := flock.New(p, flock.SetFlag(os.O_RDONLY))
	shared, err := lock.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return false, d.present()
	}
	return err == nil && !shared, errors.Join(err, lock.Close())
}

// holderAt is where in the file the holder stands: on Windows the lock is on
// its first byte, which nobody else may read then.
func holderAt() int64 {
	if runtime.GOOS == "windows" {
		return 1
	}
	return 0
}

// dirLease is a lock that ends with the process, or when its file no longer is
// the one that others would lock.
type dirLease struct {
	d      *Dir
	path   string
	f      *os.File // the text beside the lock
	lock   *flock.Flock
	info   fs.FileInfo // the file that is locked
	ctx    context.Context
	cancel context.CancelCauseFunc
	once   sync.Once
}

func (l *dirLease) write(text []byte) error {
	if err := l.f.Truncate(holderAt()); err != nil || len(text) == 0 {
		return err
	}
	_, err := l.f.WriteAt(text, holderAt())
	return err
}

// proved is nil while the path leads to the locked file, which is open twice.
func (l *dirLease) proved() error {
	st, err := l.f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(st, l.info) {
		return fmt.Errorf("%s was replaced while it was taken: %w", l.path, ErrGone)
	}
	return l.d.leadsTo(l.path, l.info)
}

// Context is that of the lease. Each look at it proves that the lock's file is
// still in its place: without it another run takes a lock beside this one.
func (l *dirLease) Context() context.Context {
	if l.ctx.Err() == nil {
		if err := l.proved(); err != nil && l.ctx.Err() == nil {
			l.cancel(fmt.Errorf("%w: %w", ErrLeaseLost, err))
		}
	}
	return l.ctx
}

func (l *dirLease) Expires() time.Time { return time.Time{} }

// Release empties the file and gives the lock back. The file stays: to remove
// it would let two processes lock two files of one name.
func (l *dirLease) Release(context.Context) (err error) {
	l.once.Do(func() {
		l.cancel(errors.New("the lease was given back"))
		err = errors.Join(l.write(nil), l.f.Close(), l.lock.Close())
	})
	return err
}
