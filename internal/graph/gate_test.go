package graph

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// bucket is the service's own rule: a bucket of one token that fills in a
// second.
type bucket struct {
	mu   sync.Mutex
	full time.Time
	hits int
	over int
}

func (b *bucket) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hits++
	if now := time.Now(); now.Before(b.full) {
		b.over++
		return false
	}
	b.full = time.Now().Add(time.Second)
	return true
}

// pagesOf answers a collection of n pages of one row each.
func pagesOf(n int, before func(w http.ResponseWriter) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if before != nil && !before(w) {
			return
		}
		page := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("$skiptoken"), "t_%d", &page)
		next := ""
		if page+1 < n {
			next = fmt.Sprintf("%s%s?$skiptoken=t_%d", "http://127.0.0.1", r.URL.Path, page+1)
		}
		answerJSON(w, 200, list(next, fmt.Sprintf(`{"id":"row-%d"}`, page)))
	}
}

// At the service's rate no request of ours is refused, and little time is lost.
func TestPaceCausesNoThrottle(t *testing.T) {
	for _, latency := range []time.Duration{0, 30 * time.Millisecond, 900 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			var b bucket
			const n = 60
			handler := pagesOf(n, func(w http.ResponseWriter) bool {
				if !b.take() {
					refuseWith(w, 429, "TooManyRequests", "Too many requests.")
					return false
				}
				time.Sleep(latency)
				return true
			})
			bubble(t, handler, Options{RequestsPerSecond: 1}, func(t *testing.T, c *Client) {
				begin := time.Now()
				rows := 0
				for page, err := range c.Detections(ctx(t), entra.DetectionQuery{}) {
					if err != nil {
						t.Fatal(err)
					}
					rows += len(page.Items)
					time.Sleep(700 * time.Millisecond) // the consumer works meanwhile
				}
				took := time.Since(begin)
				if rows != n || b.over != 0 || b.hits != n {
					t.Errorf("%d rows, %d requests, %d refused", rows, b.hits, b.over)
				}
				ideal := (n-1)*time.Second + latency + 700*time.Millisecond
				if took > ideal*105/100 {
					t.Errorf("took %v, more than 1.05 of %v", took, ideal)
				}
			})
		})
	}
}

// Calls from many goroutines share the one line; other parts of the service
// are not held up by it.
func TestPaceIsShared(t *testing.T) {
	var b bucket
	handler := func(w http.ResponseWriter, r *http.Request) {
		if paced(r.URL.Path[len("/v1.0"):]) {
			if !b.take() {
				refuseWith(w, 429, "TooManyRequests", "Too many requests.")
				return
			}
		}
		answerJSON(w, 200, list(""))
	}
	bubble(t, handler, Options{RequestsPerSecond: 1}, func(t *testing.T, c *Client) {
		begin := time.Now()
		if _, err := c.Members(ctx(t), "g"); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				kind := entra.KindPolicy
				if i%2 == 0 {
					kind = entra.KindLocation
				}
				if i%5 == 0 {
					kind = entra.KindStrength
				}
				time.Sleep(time.Duration(rand.IntN(900)) * time.Millisecond)
				if _, err := c.Objects(ctx(t), kind); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); b.hits != 24 || b.over != 0 || took > 26*time.Second {
			t.Errorf("%d paced requests, %d refused, in %v", b.hits, b.over, took)
		}
	})
}

func TestUnpaced(t *testing.T) {
	bubble(t, pagesOf(100, nil), Options{}, func(t *testing.T, c *Client) {
		begin := time.Now()
		for _, err := range c.Detections(ctx(t), entra.DetectionQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// When somebody else uses up the tenant's rate, everything of ours waits, not
// only the call that was refused.
func TestThrottleHoldsTheLine(t *testing.T) {
	var calm, early atomic.Int64
	handler := func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().UnixNano()
		switch {
		case calm.Load() == 0:
			calm.Store(now + int64(1200*time.Millisecond))
			refuseWith(w, 429, "TooManyRequests", "Too many requests.")
			return
		case now < calm.Load():
			early.Add(1)
		}
		answerJSON(w, 200, list(""))
	}
	bubble(t, handler, Options{RequestsPerSecond: 10}, func(t *testing.T, c *Client) {
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := c.Objects(ctx(t), entra.KindPolicy); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := early.Load(); n != 0 {
			t.Errorf("%d requests during the back-off", n)
		}
		if s := c.Stats(); s.Throttled != 1 || s.Retried != 1 || s.Waited == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// net/http sends a read again by itself when a kept connection turns out dead.
// That one is counted and waits its turn like any other.
func TestTransportsOwnRepeatIsPaced(t *testing.T) {
	var b bucket
	n := 0
	handler := func(w http.ResponseWriter, _ *http.Request) {
		if !b.take() {
			refuseWith(w, 429, "TooManyRequests", "Too many requests.")
			return
		}
		if n++; n == 2 {
			drop(w)
			return
		}
		answerJSON(w, 200, list(""))
	}
	bubble(t, handler, Options{RequestsPerSecond: 1}, func(t *testing.T, c *Client) {
		for range 3 {
			if _, err := c.Objects(ctx(t), entra.KindPolicy); err != nil {
				t.Fatal(err)
			}
		}
		if b.hits != 4 || b.over != 0 || c.Stats().Total != 4 {
			t.Errorf("%d requests, %d refused, %d counted", b.hits, b.over, c.Stats().Total)
		}
	})
}

// A write on a kept connection that breaks is not sent again by anybody.
func TestTransportDoesNotRepeatWrites(t *testing.T) {
	n := 0
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			answerJSON(w, 200, list(""))
			return
		}
		n++
		drop(w)
	}
	for name, call := range map[string]func(context.Context, *Client) error{"dismiss": dismissUser, "update": updatePolicy, "delete": deletePolicy} {
		n = 0
		bubble(t, handler, Options{RequestsPerSecond: 1}, func(t *testing.T, c *Client) {
			if _, err := c.Objects(ctx(t), entra.KindPolicy); err != nil {
				t.Fatal(err)
			}
			if err := call(ctx(t), c); !errors.Is(err, entra.ErrUnknownOutcome) || n != 1 {
				t.Errorf("%s: %v after %d requests", name, err, n)
			}
		})
	}
}
