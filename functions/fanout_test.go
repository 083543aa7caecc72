package functions_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/risksweep/risksweep/functions"
	"github.com/risksweep/risksweep/functions/hosttest"
	"github.com/risksweep/risksweep/internal/runs"
)

// Two hundred tenants, several handlers, calls repeated, messages copied,
// processes killed: every tenant has exactly one complete run per due time.
func TestFanOut(t *testing.T) {
	const tenantCount, processes = 200, 4
	queues, store := hosttest.NewQueues(), t.TempDir()
	env := []string{"TEST_STORE=" + store, "TEST_TENANTS=200", "TEST_SWEEP=2ms", "TEST_WAIT=20s"}
	dir := app(t)
	hosts := make([]*hosttest.Host, processes)
	for i := range hosts {
		hosts[i] = hosttest.Start(t, hosttest.Options{Dir: dir, Env: env, Queues: queues})
	}
	due := time.Now().UTC().Truncate(time.Second).Add(-time.Second)
	for _, h := range hosts[:2] { // the timer is delivered twice
		if err := h.Timer("Nightly", hosttest.Time(due), false); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range queues.Texts(functions.Queue)[:20] { // and so are messages
		queues.Put(functions.Queue, text)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	kills := make(chan struct{}, processes)
	for range processes {
		kills <- struct{}{}
	}
	var wg sync.WaitGroup
	for _, h := range hosts {
		killAfter := 5 + rng.IntN(20)
		wg.Go(func() {
			for n := 0; queues.Len(functions.Queue) > 0; n++ {
				if n == killAfter {
					select {
					case <-kills:
						go h.Kill()
					default:
					}
				}
				if _, err := h.Deliver("SweepTenant"); err != nil && !h.Alive() {
					h.Restart()
				}
			}
		})
	}
	wg.Wait()
	if n := queues.Len(functions.Queue + "-poison"); n != 0 {
		t.Errorf("%d messages were given up: %s", n, queues.Texts(functions.Queue + "-poison")[0])
	}
	starts := 0
	for _, h := range hosts {
		starts += h.Starts
	}
	if starts < processes+2 {
		t.Errorf("%d starts: too few processes were killed to prove anything", starts)
	}
	w := world{store: store}
	for i := range tenantCount {
		tenant := tenantName(i)
		infos := w.complete(t, tenant)
		if len(infos) != 1 || infos[0].ID != runs.ScheduledID(tenant, due, 0) {
			t.Errorf("%s: complete runs %+v", tenant, infos)
			continue
		}
		v, err := w.ledger(t, tenant).Verify(t.Context(), "")
		if err != nil || len(v.Problems)+len(v.Incomplete) > 0 {
			t.Errorf("%s: %+v, %v", tenant, v, err)
		}
	}
}
