package functions_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/risksweep/risksweep/functions/hosttest"
	"github.com/risksweep/risksweep/internal/runs"
)

func TestARunOfSeveralMessages(t *testing.T) {
	w := start(t, hosttest.Options{}, "TEST_SWEEP=parts", "TEST_TENANTS=1")
	if err := w.Timer("Nightly", hosttest.Time(time.Now().Add(-time.Second)), false); err != nil {
		t.Fatal(err)
	}
	for part := range 3 {
		if n := w.Queues.Len(queue); n != 1 {
			t.Fatalf("part %d: %d messages", part, n)
		}
		if _, err := w.Deliver("SweepTenant"); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Queues.Len(queue); n != 0 || len(w.complete(t, "tenant000")) != 1 {
		t.Errorf("%d messages, runs %+v", n, w.complete(t, "tenant000"))
	}
}

// A call ends before the host's limit: past it the host kills the process and
// whatever else runs in it.
func TestEveryCallEndsBeforeTheHostsLimit(t *testing.T) {
	for how, want := range map[string]string{"hang": "functionTimeout is near", "stuck": "not done within functionTimeout"} {
		t.Run(how, func(t *testing.T) {
			w := start(t, hosttest.Options{Timeout: 2 * time.Second}, "TEST_SWEEP="+how, "TEST_TENANTS=1")
			w.Queues.Put(queue, message("tenant000", nil))
			begin := time.Now()
			_, err := w.Deliver("SweepTenant")
			var f *hosttest.Failure
			if !errors.As(err, &f) || f.Hung || !strings.Contains(f.Reason, want) {
				t.Errorf("got %v after %s", err, time.Since(begin))
			}
			if time.Since(begin) > 1900*time.Millisecond {
				t.Errorf("it took %s", time.Since(begin))
			}
			if how == "hang" && len(w.complete(t, "tenant000")) != 1 {
				t.Error("the run has no report")
			}
		})
	}
}

func TestDeliveriesAtTheSameTime(t *testing.T) {
	w := start(t, hosttest.Options{}, "TEST_SWEEP=300ms", "TEST_TENANTS=1", "TEST_WAIT=1ms")
	m := []byte(hosttest.QueuePayload("run", "binary", message("tenant000", nil), 1))
	var wg sync.WaitGroup
	errs := make([]error, 5)
	for i := range errs {
		wg.Go(func() { _, errs[i] = w.Post("/SweepTenant", m) })
	}
	wg.Wait()
	var ok int
	for _, err := range errs {
		if err == nil {
			ok++
		} else if !strings.Contains(err.Error(), runs.ErrSame.Error()) && !strings.Contains(err.Error(), runs.ErrBusy.Error()) {
			t.Errorf("a copy failed with %v", err)
		}
	}
	// A copy that came before the holder's name was written went back to the
	// queue, which is a success as well.
	if ok < 1 || len(w.complete(t, "tenant000")) != 1 {
		t.Errorf("%d deliveries succeeded, runs %+v", ok, w.complete(t, "tenant000"))
	}
	// Another run of the tenant waits its turn without using up its tries.
	go func() {
		_, _ = w.Post("/SweepTenant", []byte(hosttest.QueuePayload("run", "binary", message("tenant000", func(o *runs.Order) { o.Run = "20261124T020001Z-0a1b2c" }), 1)))
	}()
	time.Sleep(100 * time.Millisecond)
	w.Queues.Put(queue, message("tenant000", func(o *runs.Order) { o.Run = "20261124T020002Z-0a1b2c" }))
	if errs := w.drain(t, "SweepTenant"); errs != nil {
		t.Error(errs)
	}
	if n := len(w.complete(t, "tenant000")); n != 3 {
		t.Errorf("%d runs, want 3", n)
	}
}

// The handler is killed in the middle of a run; the message comes back.
func TestKilledInTheMiddle(t *testing.T) {
	w := start(t, hosttest.Options{}, "TEST_SWEEP=400ms", "TEST_TENANTS=1")
	w.Queues.Put(queue, message("tenant000", nil))
	go func() { time.Sleep(150 * time.Millisecond); w.Kill() }()
	if _, err := w.Deliver("SweepTenant"); err == nil || !strings.Contains(err.Error(), "prematurely") {
		t.Fatalf("got %v", err)
	}
	if n := len(w.complete(t, "tenant000")); n != 0 {
		t.Fatalf("%d runs", n)
	}
	w.Restart()
	if errs := w.drain(t, "SweepTenant"); errs != nil {
		t.Fatal(errs)
	}
	if infos, err := w.ledger(t, "tenant000").Runs(t.Context(), 0); err != nil || len(infos) != 1 || !infos[0].Complete {
		t.Errorf("runs %+v, %v", infos, err)
	}
}

func TestPostWhileATenantIsSwept(t *testing.T) {
	w := start(t, hosttest.Options{}, "TEST_SWEEP=400ms")
	w.Queues.Put(queue, message("tenant000", nil))
	done := make(chan error)
	go func() { _, err := w.Deliver("SweepTenant"); done <- err }()
	time.Sleep(150 * time.Millisecond)
	for tenant, want := range map[string]int{"tenant000": 409, "tenant001": 202} {
		r, err := w.Do("POST", "/api/runs", `{"tenant":"`+tenant+`","mode":"plan"}`, nil)
		if err != nil || r.Status != want {
			t.Errorf("%s: %+v, %v, want %d", tenant, r, err, want)
		}
	}
	if r, err := w.Do("POST", "/api/runs", `{"tenant":"tenant000","mode":"pln"}`, nil); err != nil || r.Status != 400 {
		t.Errorf("a bad order while busy: %+v, %v", r, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
