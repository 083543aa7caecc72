package runs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
)

// Execute carries an order out unless its run is complete already, which is
// success: the result is then nil.
//
// Errors wrap ErrInvalid, ErrBusy, ErrSame, ErrContinue, or are why no run came
// to be. A run that failed and has its report is no error but a result.
func (b *Book) Execute(ctx context.Context, o Order) (*Result, error) {
	if err := b.Check(o); err != nil {
		return nil, err
	}
	if done, err := b.complete(ctx, o); done || err != nil {
		return nil, err
	}
	lease, err := b.lease(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if err := lease.Release(c); err != nil {
			b.Log.Warn("the lease could not be given back; it ends by itself", "tenant", o.Tenant, "run", o.Run, "error", err)
		}
	}()
	// It may have ended while we waited for the lease.
	if done, err := b.complete(ctx, o); done || err != nil {
		return nil, err
	}
	// Who has lost the lease must stop: somebody else may be at it.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })
	defer stop()
	res, err := b.Sweep(ctx, o)
	switch {
	case errors.Is(err, ledger.ErrRunExists):
		return nil, nil
	case errors.Is(err, blobstore.ErrLeaseHeld):
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	case err != nil:
		return nil, err
	case errors.Is(res.Err, ErrContinue):
		return nil, res.Err
	}
	if done, err := b.complete(context.WithoutCancel(ctx), o); err != nil || !done {
		return &res, errors.Join(ErrIncomplete, res.Err, err)
	}
	return &res, nil
}

func (b *Book) complete(ctx context.Context, o Order) (bool, error) {
	_, err := b.Ledger(o.Tenant).Manifest(ctx, o.Run)
	if errors.Is(err, blobstore.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (b *Book) lease(ctx context.Context, o Order) (blobstore.Lease, error) {
	l, err := b.Store.Lease(ctx, sweeping(o.Tenant), b.holder(o.Run))
	var held *blobstore.LeaseHeldError
	switch {
	case errors.As(err, &held) && held.Holder.Run == o.Run:
		return nil, fmt.Errorf("%w: %w", ErrSame, err)
	case errors.Is(err, blobstore.ErrLeaseHeld):
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	case err != nil:
		return nil, fmt.Errorf("taking the tenant: %w", err)
	}
	return l, nil
}

// Wait carries an order out, waiting as long as d for a tenant that is being
// swept.
func (b *Book) Wait(ctx context.Context, o Order, d time.Duration) (*Result, error) {
	return b.wait(ctx, o, d, 5*time.Second)
}

func (b *Book) wait(ctx context.Context, o Order, d, every time.Duration) (*Result, error) {
	deadline := time.Now().Add(d)
	for {
		res, err := b.Execute(ctx, o)
		if !errors.Is(err, ErrBusy) && !errors.Is(err, ErrSame) || !time.Now().Add(every).Before(deadline) {
			return res, err
		}
		b.Log.Info("waiting for the tenant", "tenant", o.Tenant, "run", o.Run, "reason", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(every):
		}
	}
}
