package blobstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// The contract of leases, and of a store that is taken away.

func testLease(t *testing.T, o opened) {
	ctx := t.Context()
	holder := blobstore.Holder{Run: "20261124T020000Z-0a1b2c", Host: "here", PID: 7, Since: time.Now().UTC().Truncate(time.Second)}
	leased := func(want bool) {
		t.Helper()
		for _, s := range []blobstore.Store{o.A, o.B} {
			if is, err := s.Leased(ctx, "t/lock"); err != nil || is != want {
				t.Errorf("leased: %t, %v, want %t", is, err, want)
			}
		}
	}
	leased(false)
	_, err := o.A.Leased(ctx, "../lock")
	wants(t, err, blobstore.ErrName)
	l, err := o.A.Lease(ctx, "t/lock", holder)
	must(t, err)
	leased(true)
	if l.Context().Err() != nil {
		t.Errorf("a lease that was just taken is lost: %v", context.Cause(l.Context()))
	}
	if at := l.Expires(); !at.IsZero() && time.Until(at) < 5*time.Second {
		t.Errorf("it ends at %s", at)
	}
	_, err = o.B.Lease(ctx, "t/lock", blobstore.Holder{Run: "other"})
	var held *blobstore.LeaseHeldError
	if !errors.As(err, &held) || !errors.Is(err, blobstore.ErrLeaseHeld) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff(holder, held.Holder); diff != "" {
		t.Errorf("the holder (-want +got)\n%s", diff)
	}
	other, err := o.B.Lease(ctx, "t/lock2", holder)
	must(t, err)
	must(t, other.Release(ctx))
	must(t, l.Release(ctx))
	must(t, l.Release(ctx))
	leased(false)
	if l.Context().Err() == nil {
		t.Error("a lease that was given back goes on")
	}
	l, err = o.B.Lease(ctx, "t/lock", blobstore.Holder{Run: "next"})
	must(t, err)
	must(t, l.Release(ctx))
}

// Of several who ask at the same instant, one gets it.
func testLeaseRace(t *testing.T, o opened) {
	for range 10 {
		var got atomic.Int32
		var wg sync.WaitGroup
		leases := make(chan blobstore.Lease, 8)
		for i := range 8 {
			s := []blobstore.Store{o.A, o.B}[i%2]
			wg.Go(func() {
				l, err := s.Lease(t.Context(), "lock", blobstore.Holder{Run: fmt.Sprint(i)})
				switch {
				case err == nil:
					got.Add(1)
					leases <- l
				case !errors.Is(err, blobstore.ErrLeaseHeld):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(leases)
		if got.Load() != 1 {
			t.Fatalf("%d got it", got.Load())
		}
		for l := range leases {
			must(t, l.Release(t.Context()))
		}
	}
}

// Of a store that was taken away nothing can be known: what is not found in it
// is not "not there", and no write to it succeeds.
func testVanished(t *testing.T, o opened) {
	ctx := t.Context()
	must(t, o.A.Put(ctx, "t/state.json", []byte("{}")))
	journal, err := o.A.Append(ctx, "t/journal.jsonl")
	must(t, err)
	must(t, journal.Append(ctx, []byte("before\n")))
	file, err := o.A.Create(ctx, "t/report.json")
	must(t, err)
	_, err = io.WriteString(file, "{}")
	must(t, err)
	must(t, o.Vanish())

	_, _, err = o.A.Get(ctx, "t/HOLD")
	gone := []error{err}
	_, _, err = o.A.Peek(ctx, "t/HOLD", 8)
	gone = append(gone, err)
	_, _, err = o.A.Open(ctx, "t/HOLD")
	gone = append(gone, err, o.A.Put(ctx, "t/x", nil), o.A.PutNew(ctx, "t/y", nil))
	_, err = o.A.PutIf(ctx, "t/z", nil, "")
	gone = append(gone, err)
	_, err = o.A.ListDirs(ctx, "t")
	gone = append(gone, err)
	for _, err = range o.A.List(ctx, "t/") {
		gone = append(gone, err)
	}
	a, err := o.A.Append(ctx, "t/other.jsonl")
	if err == nil { // a container says so at the first line
		err = a.Append(ctx, []byte("x\n"))
	}
	gone = append(gone, err)
	for i, err := range gone {
		if !errors.Is(err, blobstore.ErrGone) || errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("%d: got %v", i, err)
		}
	}
	if err := journal.Append(ctx, []byte("after\n")); err == nil {
		t.Error("a line went into a journal that is no more")
	}
	if err := file.Commit(ctx); err == nil {
		t.Error("a file was committed into a store that is no more")
	}
}
