package daemon

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/risksweep/risksweep/internal/runs"
)

// What a run did not read it does not set to 0: an order, and a run that ended
// before all users were read, leave the gauges as they are.
func TestOnlyAWholeReadSetsOpenRisk(t *testing.T) {
	m := newMetrics(Options{Tenants: []string{"contoso"}, Now: time.Now})
	high := func(want float64) {
		t.Helper()
		if got := testutil.ToFloat64(m.open.WithLabelValues("contoso", "high")); got != want {
			t.Errorf("high is %v, want %v", got, want)
		}
	}
	end := func(counts map[string]int, err error) {
		m.end(runs.Order{Tenant: "contoso", Mode: "plan"}, &runs.Result{Status: "failed", Err: err, Counts: counts}, nil, time.Now())
	}
	end(map[string]int{"users": 3, "usersOpen": 2, "usersOpen.high": 2}, nil)
	high(2)
	for _, counts := range []map[string]int{nil, {}, {"detections": 9}, {"users": 1}} {
		end(counts, nil)
		high(2)
	}
	end(map[string]int{"users": 3, "usersOpen": 1, "usersOpen.high": 1}, errStopped) // failed after the read
	high(1)
	end(map[string]int{"users": 0, "usersOpen": 0}, nil)
	high(0)
}
