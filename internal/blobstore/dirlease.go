package blobstore

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// dirLease is a lock that ends with the process.
type dirLease struct {
	f      *os.File
	ctx    context.Context
	cancel context.CancelCauseFunc
	once   sync.Once
}

func (l *dirLease) Context() context.Context { return l.ctx }

func (l *dirLease) Expires() time.Time { return time.Time{} }

// Release empties the file and gives the lock back. The file stays: to remove
// it would let two processes lock two files of one name.
func (l *dirLease) Release(context.Context) (err error) {
	l.once.Do(func() {
		err = errors.Join(l.f.Truncate(0), l.f.Close())
		l.cancel(errors.New("the lease was given back"))
	})
	return err
}
