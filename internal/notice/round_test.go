package notice

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// rounds is a store with a clock that can be set ahead of its times.
type rounds struct {
	store   blobstore.Store
	ahead   time.Duration
	tenants []string
	known   *Laggards // of the one process

	mu     sync.Mutex
	posted []string
}

func (w *rounds) round(due time.Time) Round {
	return Round{Store: w.store, Tenants: w.tenants, Due: due, Wait: 15 * time.Minute, Holder: blobstore.Holder{Run: "notices"}, Laggards: w.known,
		Now: func() time.Time { return time.Now().Add(w.ahead) }}
}

// ends is a run that has something to say, or nothing.
func (w *rounds) ends(t *testing.T, due time.Time, tenant, fact string) {
	t.Helper()
	e := Event{SchemaVersion: 1, Tenant: tenant, Status: "succeeded"}
	if fact != "" {
		e.Facts = []string{fact}
	}
	r := w.round(due)
	if err := r.Keep(t.Context(), e); err != nil {
		t.Error(err)
	}
	w.tell(t, due)
}

func (w *rounds) tell(t *testing.T, due time.Time) {
	t.Helper()
	err := w.round(due).Tell(t.Context(), func(_ context.Context, events []Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		var said []string
		for _, e := range events {
			said = append(said, e.Tenant+" "+strings.Join(e.Facts, " "))
		}
		slices.Sort(said)
		w.posted = append(w.posted, strings.Join(said, ", "))
	})
	if err != nil {
		t.Error(err)
	}
}

func (w *rounds) left(t *testing.T) (files []string) {
	t.Helper()
	for f, err := range w.store.List(t.Context(), waitingFolder) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f.Name)
	}
	return files
}

func TestRound(t *testing.T) {
	due := time.Now().Add(-time.Minute).Truncate(time.Second)
	for _, c := range []struct {
		name string
		do   func(t *testing.T, w *rounds)
		want []string
	}{
		{"told together when the last has ended", func(t *testing.T, w *rounds) {
			w.ends(t, due, "a", "fire")
			w.ends(t, due, "b", "")
			w.tell(t, due)
			w.ends(t, due, "c", "smoke")
		}, []string{"a fire, c smoke"}},
		{"nothing to say", func(t *testing.T, w *rounds) {
			for _, tenant := range w.tenants {
				w.ends(t, due, tenant, "")
			}
		}, nil},
		{"one that does not end keeps back nothing for long", func(t *testing.T, w *rounds) {
			w.ends(t, due, "a", "fire")
			w.ahead = 16 * time.Minute
			w.tell(t, due)
			w.ends(t, due, "b", "")
			w.ahead = 0
			w.ends(t, due, "c", "late")
		}, []string{"a fire", "c late"}},
		{"again after it was told", func(t *testing.T, w *rounds) {
			for _, tenant := range w.tenants {
				w.ends(t, due, tenant, "fire")
			}
			w.ends(t, due, "a", "given up")
		}, []string{"a fire, b fire, c fire", "a given up"}},
		{"what an earlier round left comes with the next", func(t *testing.T, w *rounds) {
			w.ends(t, due.Add(-24*time.Hour), "a", "yesterday")
			w.ahead = 16 * time.Minute
			w.ends(t, due, "b", "today")
		}, []string{"a yesterday, b today"}},
		{"a file that cannot be read is told of", func(t *testing.T, w *rounds) {
			if err := w.store.Put(t.Context(), w.round(due).folder()+"a.json", []byte("{")); err != nil {
				t.Fatal(err)
			}
			w.ends(t, due, "b", "")
			w.ends(t, due, "c", "")
		}, []string{fmt.Sprintf("a the notice %sa.json cannot be read; see the tenant's last report", Round{Due: due}.folder())}},
	} {
		folder, err := blobstore.OpenDir(t.TempDir()) // which lists names alone
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range []*rounds{{store: blobstore.NewMemory()}, {store: folder, known: new(Laggards)}} {
			t.Run(c.name, func(t *testing.T) {
				w.tenants = []string{"a", "b", "c"}
				c.do(t, w)
				if !slices.Equal(w.posted, c.want) {
					t.Errorf("told %q, want %q", w.posted, c.want)
				}
				if left := w.left(t); len(left) > 0 {
					t.Errorf("left %q", left)
				}
			})
		}
	}
}

// Whoever ends, wherever: each notice is told once, and none is lost.
func TestRoundOfManyProcesses(t *testing.T) {
	due := time.Now().Add(-time.Minute).Truncate(time.Second)
	w := &rounds{store: blobstore.NewMemory(), known: new(Laggards)}
	for i := range 40 {
		w.tenants = append(w.tenants, fmt.Sprintf("t%02d", i))
	}
	var all sync.WaitGroup
	for _, tenant := range w.tenants {
		all.Go(func() { w.ends(t, due, tenant, "fire") })
	}
	all.Wait()
	said := strings.Join(w.posted, ", ")
	for _, tenant := range w.tenants {
		if n := strings.Count(said, tenant+" fire"); n != 1 {
			t.Errorf("%s is told %d times in %q", tenant, n, w.posted)
		}
	}
	if left := w.left(t); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}

// listed counts how often waiting notices are listed.
type listed struct {
	blobstore.Store
	n int
}

func (l *listed) List(ctx context.Context, prefix string) iter.Seq2[blobstore.Info, error] {
	if strings.HasPrefix(prefix, waitingFolder) {
		l.n++
	}
	return l.Store.List(ctx, prefix)
}

// What one run costs does not grow with the number of those that it is told with.
func TestARoundIsNotListedForEachRun(t *testing.T) {
	due := time.Now().Add(-time.Minute).Truncate(time.Second)
	store := &listed{Store: blobstore.NewMemory()}
	w := &rounds{store: store, known: new(Laggards)}
	for i := range 200 {
		w.tenants = append(w.tenants, fmt.Sprintf("t%03d", i))
	}
	for _, tenant := range w.tenants {
		w.ends(t, due, tenant, "fire")
	}
	if len(w.posted) != 1 {
		t.Errorf("told %d times", len(w.posted))
	}
	if store.n > 10 {
		t.Errorf("%d lists of waiting notices for %d runs", store.n, len(w.tenants))
	}
}
