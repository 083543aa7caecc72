package runs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
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
	if _, done, err := b.attempt(ctx, o); done || err != nil {
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
			Log(ctx, b.Log).Warn("the lease could not be given back; it ends by itself", "tenant", o.Tenant, "run", o.Run, "error", err)
		}
	}()
	// It may have ended while we waited for the lease.
	run, done, err := b.attempt(ctx, o)
	if done || err != nil {
		return nil, err
	}
	if run != o.Run {
		Log(ctx, b.Log).Warn("the run was cut short after it began to write; another takes it up", "tenant", o.Tenant, "run", o.Run, "attempt", run)
		o.Run = run
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
	case errors.Is(res.Err, ledger.ErrRunTaken):
		return nil, fmt.Errorf("%w: %w", ErrSame, res.Err)
	}
	if done, err := b.complete(context.WithoutCancel(ctx), o); err != nil || !done {
		return &res, errors.Join(ErrIncomplete, res.Err, err)
	}
	return &res, nil
}

// maxAttempts bounds how often a run that was cut short is taken up.
const maxAttempts = 50

// AttemptID is the id under which a run is taken up again that was cut short
// after it began to write; attempt 0 is the run itself.
func AttemptID(run string, attempt int) string {
	start, err := ledger.StartOf(run)
	if attempt == 0 || err != nil {
		return run
	}
	h := sha256.Sum256([]byte("attempt\x00" + run + "\x00" + strconv.Itoa(attempt)))
	return ledger.RunID(start, [3]byte(h[:3]))
}

// attempt finds the id to carry an order out under, or that it is done. A run
// without a plan has sent nothing and is begun anew in its own folder. One that
// has a plan keeps it, and its journal, as they are, for the next run to settle
// what it left open: it gets a successor. The process that wrote the plan may
// only be slow.
func (b *Book) attempt(ctx context.Context, o Order) (run string, done bool, err error) {
	for n := range maxAttempts {
		run = AttemptID(o.Run, n)
		one := o
		one.Run = run
		if done, err := b.complete(ctx, one); done || err != nil {
			return run, done, err
		}
		written, err := b.written(ctx, o.Tenant, run)
		if err != nil {
			return "", false, err
		}
		if !written {
			return run, false, nil
		}
	}
	return "", false, fmt.Errorf("run %s of tenant %s was cut short %d times", o.Run, o.Tenant, maxAttempts)
}

// written reports whether a run has stored its plan, or its journal holds
// anything, be it half a line.
func (b *Book) written(ctx context.Context, tenant, run string) (bool, error) {
	for _, file := range [...]struct {
		name  string
		least int64
	}{{"plan.json", 0}, {"journal.jsonl", 1}} {
		in, info, err := b.Ledger(tenant).Open(ctx, run, file.name)
		if errors.Is(err, blobstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("looking at %s of run %s: %w", file.name, run, err)
		}
		if err := in.Close(); err != nil || info.Size >= file.least {
			return true, err
		}
	}
	return false, nil
}

func (b *Book) complete(ctx context.Context, o Order) (bool, error) {
	_, err := b.Ledger(o.Tenant).Manifest(ctx, o.Run)
	if errors.Is(err, blobstore.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (b *Book) lease(ctx context.Context, o Order) (blobstore.Lease, error) {
	l, err := b.Store.Lease(ctx, sweeping(o.Tenant), blobstore.NewHolder(o.Run, b.Now()))
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
		Log(ctx, b.Log).Info("waiting for the tenant", "tenant", o.Tenant, "run", o.Run, "reason", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(every):
		}
	}
}
