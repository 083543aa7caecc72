package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/schedule"
)

// sleepUntil lets the bubble's clock reach a time.
func sleepUntil(t *testing.T, text string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(at))
	synctest.Wait()
}

// clocked starts a schedule without the API.
func clocked(t *testing.T, w *world, spec, zone string) (stop func()) {
	t.Helper()
	s, err := schedule.Parse(spec, zone)
	if err != nil {
		t.Fatal(err)
	}
	o := withDefaults(w.options(t))
	o.Schedule = s
	m := newMetrics(o)
	e := newExecutor(context.Background(), o, m)
	c := newClock(o, e)
	c.start(e.ctx, m)
	synctest.Wait()
	return func() { c.stop(); e.stop(time.Second) }
}

// One schedule means one run per local day, also on the days of the clock
// change.
func TestARunADayInSpringAndAutumn(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		want     []string
	}{
		"spring": {"2027-03-27T00:00:00Z", "2027-03-29T12:00:00Z", []string{"2027-03-27T01:00:00Z", "2027-03-28T01:00:00Z", "2027-03-29T00:00:00Z"}},
		"autumn": {"2027-10-29T12:00:00Z", "2027-11-01T12:00:00Z", []string{"2027-10-30T00:00:00Z", "2027-10-31T00:00:00Z", "2027-11-01T01:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sleepUntil(t, c.from)
				w := newWorld("contoso")
				stop := clocked(t, w, "0 2 * * *", "Europe/Berlin")
				sleepUntil(t, c.to)
				stop()
				var want []string
				for _, due := range c.want {
					want = append(want, "contoso "+due)
				}
				if diff := cmp.Diff(want, w.began()); diff != "" {
					t.Errorf("runs (-want +got)\n%s", diff)
				}
			})
		})
	}
}

func TestMissedRunsAreMadeUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(t, "2026-11-20T12:00:00Z")
		w := newWorld("contoso", "new")
		first := w.Scheduled("contoso", time.Now().Add(-10*time.Hour))
		if _, err := w.Wait(t.Context(), first, 0); err != nil {
			t.Fatal(err)
		}
		sleepUntil(t, "2026-11-24T09:00:00Z") // four nights later
		stop := clocked(t, w, "0 2 * * *", "UTC")
		want := []string{"contoso 2026-11-20T02:00:00Z", "contoso 2026-11-24T02:00:00Z"}
		if diff := cmp.Diff(want, w.began()); diff != "" {
			t.Errorf("after the start (-want +got)\n%s", diff)
		}
		stop()
		stop = clocked(t, w, "0 2 * * *", "UTC") // nothing is missed any more
		sleepUntil(t, "2026-11-25T01:00:00Z")
		if diff := cmp.Diff(want, w.began()); diff != "" {
			t.Errorf("after another start (-want +got)\n%s", diff)
		}
		sleepUntil(t, "2026-11-25T03:00:00Z")
		stop()
		got := w.began()[2:]
		slices.Sort(got)
		if diff := cmp.Diff([]string{"contoso 2026-11-25T02:00:00Z", "new 2026-11-25T02:00:00Z"}, got); diff != "" {
			t.Errorf("the next night (-want +got)\n%s", diff)
		}
	})
}

func TestACancelledRunIsMadeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(t, "2026-11-23T12:00:00Z")
		w := newWorld("contoso")
		if _, err := w.Wait(t.Context(), w.Scheduled("contoso", time.Now().Add(-10*time.Hour)), 0); err != nil {
			t.Fatal(err)
		}
		w.during = func(ctx context.Context, _ runs.Order) (string, error) {
			<-ctx.Done()
			return "cancelled", context.Cause(ctx)
		}
		stop := clocked(t, w, "0 2 * * *", "UTC")
		sleepUntil(t, "2026-11-24T02:30:00Z")
		stop() // in the middle of the run
		w.during = nil
		stop = clocked(t, w, "0 2 * * *", "UTC")
		sleepUntil(t, "2026-11-24T03:00:00Z")
		stop()
		infos, err := w.Ledger("contoso").Runs(t.Context(), 0)
		var got []string
		for _, i := range infos {
			got = append(got, i.Status)
		}
		slices.Sort(got)
		if diff := cmp.Diff([]string{"cancelled", "succeeded", "succeeded"}, got); diff != "" || err != nil {
			t.Errorf("runs (-want +got)\n%s%v", diff, err)
		}
	})
}

func TestNoOverlapOfATenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(t, "2026-11-24T00:30:00Z")
		w := newWorld("slow", "quick")
		var mu sync.Mutex
		at := map[string]int{}
		w.during = func(ctx context.Context, o runs.Order) (string, error) {
			mu.Lock()
			at[o.Tenant]++
			if at[o.Tenant] > 1 {
				t.Errorf("%s is swept twice at the same time", o.Tenant)
			}
			mu.Unlock()
			if o.Tenant == "slow" {
				select {
				case <-time.After(145 * time.Minute):
				case <-ctx.Done():
				}
			}
			mu.Lock()
			at[o.Tenant]--
			mu.Unlock()
			return "succeeded", nil
		}
		stop := clocked(t, w, "@hourly", "UTC")
		sleepUntil(t, "2026-11-24T06:45:00Z")
		var slow, quick []string
		for _, s := range w.began() {
			if due, ok := strings.CutPrefix(s, "slow "); ok {
				slow = append(slow, due)
			} else {
				quick = append(quick, s)
			}
		}
		stop()
		// The slow one keeps the last that came due meanwhile.
		if diff := cmp.Diff([]string{"2026-11-24T01:00:00Z", "2026-11-24T03:00:00Z", "2026-11-24T05:00:00Z"}, slow); diff != "" {
			t.Errorf("slow (-want +got)\n%s", diff)
		}
		if len(quick) != 6 {
			t.Errorf("quick ran %d times: %v", len(quick), quick)
		}
	})
}

func TestALateStoreIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(t, "2026-11-23T12:00:00Z")
		w := newWorld("contoso")
		if _, err := w.Wait(t.Context(), w.Scheduled("contoso", time.Now().Add(-10*time.Hour)), 0); err != nil {
			t.Fatal(err)
		}
		sleepUntil(t, "2026-11-24T09:00:00Z")
		up := time.Now().Add(3 * time.Minute)
		w.store.Fault = func(op, _ string) error {
			if time.Now().Before(up) {
				return fmt.Errorf("%s: the store is down", op)
			}
			return nil
		}
		stop := clocked(t, w, "0 2 * * *", "UTC")
		sleepUntil(t, "2026-11-24T09:10:00Z")
		stop()
		if diff := cmp.Diff([]string{"contoso 2026-11-23T02:00:00Z", "contoso 2026-11-24T02:00:00Z"}, w.began()); diff != "" {
			t.Errorf("runs (-want +got)\n%s", diff)
		}
	})
}
