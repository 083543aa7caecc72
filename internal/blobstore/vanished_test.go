package blobstore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// What is done to a folder behind the back of the run that writes in it is
// seen at its next look at the lease and at its next line in the journal.
func TestAFolderIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do         func(store string) error
		linesGoOn  bool // the journal is where it was
		othersLock bool // another run may take the lease now
	}{
		"removed": {do: os.RemoveAll},
		"moved":   {do: func(s string) error { return os.Rename(s, s+"-old") }},
		"removed and made again": {do: func(s string) error {
			return errors.Join(os.RemoveAll(s), os.MkdirAll(filepath.Join(s, "t"), 0o755))
		}},
		"another in its place": {do: func(s string) error {
			return errors.Join(os.Rename(s, s+"-old"), os.CopyFS(s, os.DirFS(s+"-old")))
		}},
		"the tenant's folder removed": {do: func(s string) error { return os.RemoveAll(filepath.Join(s, "t")) }, othersLock: true},
		"the tenant's folder copied": {do: func(s string) error {
			t := filepath.Join(s, "t")
			return errors.Join(os.Rename(t, t+"-old"), os.CopyFS(t, os.DirFS(t+"-old")))
		}, othersLock: true},
		"the lock removed": {do: func(s string) error { return os.Remove(filepath.Join(s, "t", "lock")) }, linesGoOn: true, othersLock: true},
		"the lock replaced": {do: func(s string) error {
			lock := filepath.Join(s, "t", "lock")
			return errors.Join(os.WriteFile(lock+"2", nil, 0o644), os.Rename(lock+"2", lock))
		}, linesGoOn: true, othersLock: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := filepath.Join(t.TempDir(), "store")
			s, err := blobstore.OpenDir(root)
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			lease, err := s.Lease(ctx, "t/lock", blobstore.Holder{Run: "first"})
			if err != nil {
				t.Fatal(err)
			}
			journal, err := s.Append(ctx, "t/runs/journal.jsonl")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(context.Cause(lease.Context()), journal.Append(ctx, []byte("one\n"))); err != nil {
				t.Fatal(err)
			}
			if err := c.do(root); err != nil {
				t.Fatal(err)
			}
			if err := context.Cause(lease.Context()); !errors.Is(err, blobstore.ErrLeaseLost) {
				t.Errorf("the lease: got %v", err)
			}
			if err := journal.Append(ctx, []byte("two\n")); c.linesGoOn != (err == nil) || err != nil && !errors.Is(err, blobstore.ErrGone) {
				t.Errorf("the journal: got %v", err)
			}
			if err := s.Put(ctx, "t/x", nil); c.othersLock != (err == nil) {
				t.Errorf("a file: got %v", err)
			}
			other, err := s.Lease(ctx, "t/lock", blobstore.Holder{Run: "second"})
			if c.othersLock != (err == nil) {
				t.Errorf("another lease: got %v", err)
			}
			if other != nil && context.Cause(other.Context()) != nil {
				t.Errorf("the other lease: got %v", context.Cause(other.Context()))
			}
			if err := lease.Release(ctx); err != nil {
				t.Errorf("giving back: %v", err)
			}
			if other != nil {
				if err := context.Cause(other.Context()); err != nil {
					t.Errorf("the other lease after the first was given back: %v", err)
				}
			}
		})
	}
}
