package blobstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/lease"
	"github.com/google/uuid"
)

// Lease takes a lease on a lock blob and renews it at a third of its time. The
// blob's text is the holder, for the next one who asks.
func (a *Azure) Lease(ctx context.Context, name string, holder Holder) (Lease, error) {
	if err := a.PutNew(ctx, name, nobody); err != nil && !errors.Is(err, ErrExists) {
		// A lock blob under somebody's lease cannot be written at all.
		if _, _, readErr := a.Get(ctx, name); readErr != nil {
			return nil, err
		}
	}
	full, err := a.blob(name)
	if err != nil {
		return nil, err
	}
	file := a.client.NewBlockBlobClient(full)
	client, err := lease.NewBlobClient(file, &lease.BlobClientOptions{LeaseID: to.Ptr(uuid.NewString())})
	if err != nil {
		return nil, err
	}
	asked, err := a.acquire(ctx, client)
	if err != nil {
		if !bloberror.HasCode(err, bloberror.LeaseAlreadyPresent) {
			return nil, a.say(name, err)
		}
		return nil, heldBy(ctx, func() ([]byte, error) {
			data, _, err := a.Get(ctx, name)
			return data, err
		})
	}
	leaseCtx, lost := context.WithCancelCause(context.WithoutCancel(ctx))
	l := &azureLease{a: a, client: client, file: file, ctx: leaseCtx, lost: lost, expires: asked.Add(a.leaseFor), stop: make(chan struct{}), ended: make(chan struct{})}
	text, err := json.Marshal(holder)
	if err == nil {
		err = l.name(ctx, text)
	}
	go l.keep()
	if err != nil {
		return nil, errors.Join(a.say(name, err), l.Release(ctx))
	}
	return l, nil
}

// Leased asks for the state of a lease.
func (a *Azure) Leased(ctx context.Context, name string) (bool, error) {
	full, err := a.blob(name)
	if err != nil {
		return false, err
	}
	p, err := a.client.NewBlobClient(full).GetProperties(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return false, nil
	}
	if err != nil {
		return false, a.say(name, err)
	}
	switch deref(p.LeaseState) {
	case lease.StateTypeLeased, lease.StateTypeBreaking:
		return true, nil
	}
	return false, nil
}

// acquire takes a lease and says when it was asked for. If the account throttled,
// that may be long ago: to ask again, under the same id, renews it.
func (a *Azure) acquire(ctx context.Context, client *lease.BlobClient) (asked time.Time, err error) {
	for {
		asked = time.Now()
		_, err = client.AcquireLease(ctx, int32(a.leaseFor/time.Second), nil)
		if err != nil || time.Since(asked) < a.leaseFor/2 {
			return asked, err
		}
	}
}

// nobody is the text of a lock that no one holds.
var nobody = []byte("{}")

// name writes the holder into the lock, which only the holder can.
func (l *azureLease) name(ctx context.Context, text []byte) error {
	_, err := l.file.Upload(ctx, streaming.NopCloser(bytes.NewReader(text)), &blockblob.UploadOptions{
		AccessConditions: &blob.AccessConditions{LeaseAccessConditions: &blob.LeaseAccessConditions{LeaseID: l.client.LeaseID()}}})
	return err
}

// azureLease is a lease that a goroutine renews until it is given back or lost.
type azureLease struct {
	a      *Azure
	client *lease.BlobClient
	file   *blockblob.Client
	ctx    context.Context
	lost   context.CancelCauseFunc
	once   sync.Once
	stop   chan struct{}
	ended  chan struct{}

	mu      sync.Mutex
	expires time.Time
}

func (l *azureLease) Context() context.Context { return l.ctx }

// Expires counts from when the last renewal was asked for, so that the
// service's own end is never earlier.
func (l *azureLease) Expires() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.expires
}

// keep renews at a third of the time. A refusal loses the lease at once; a
// renewal that does not get through loses it when two thirds are gone.
func (l *azureLease) keep() {
	defer close(l.ended)
	every := l.a.leaseFor / 3
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-timer.C:
		}
		asked := time.Now()
		c, cancel := context.WithTimeout(l.ctx, every/2)
		_, err := l.client.RenewLease(c, nil)
		cancel()
		var refused *azcore.ResponseError
		switch {
		case err == nil:
			l.mu.Lock()
			l.expires = asked.Add(l.a.leaseFor)
			l.mu.Unlock()
			timer.Reset(every)
			continue
		case errors.As(err, &refused) && refused.StatusCode < 500 && refused.StatusCode != 408 && refused.StatusCode != 429,
			time.Now().Add(every).After(l.Expires()):
			l.lost(fmt.Errorf("%w: %v", ErrLeaseLost, l.a.say("lease", err)))
			return
		}
		timer.Reset(every / 4)
	}
}

// Release gives the lease back.
func (l *azureLease) Release(ctx context.Context) (err error) {
	l.once.Do(func() {
		close(l.stop)
		<-l.ended
		gone := context.Cause(l.ctx)
		l.lost(errors.New("the lease was given back"))
		if gone != nil {
			return // lost: there is nothing to give back
		}
		c, cancel := l.a.call(context.WithoutCancel(ctx))
		defer cancel()
		_ = l.name(c, nobody) // it names a run that has ended, no more
		_, err = l.client.ReleaseLease(c, nil)
		err = l.a.say("lease", err)
	})
	return err
}
