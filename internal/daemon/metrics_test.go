package daemon

import (
	"context"
	"errors"
	"strings"
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

// The numbers of the fleet are shown by tenant; of a tenant that no run has read there
// are none, and if the store cannot be read, none at all.
func TestNumbersOfTheFleet(t *testing.T) {
	var failed error
	m := newMetrics(Options{Tenants: []string{"contoso", "fabrikam", "new"}, Now: time.Now, Numbers: func(context.Context) (map[string]Numbers, error) {
		return map[string]Numbers{"contoso": {AtRisk: 7, NeedsPerson: 3, BeyondSLA: 1, Drift: 2, CampaignUsers: 9}, "fabrikam": {Trouble: true, Unread: true, LastSuccess: time.Unix(1000, 0)}, "gone": {AtRisk: 9}}, failed
	}})
	const want = `
# HELP risksweep_at_risk_users Users at risk, at the last run that read the whole tenant.
# TYPE risksweep_at_risk_users gauge
risksweep_at_risk_users{tenant="contoso"} 7
# HELP risksweep_beyond_sla_users Those of them who wait for longer than report.sla allows.
# TYPE risksweep_beyond_sla_users gauge
risksweep_beyond_sla_users{tenant="contoso"} 1
# HELP risksweep_campaign_users Users of the largest group whose risk belongs together, at the last run that read the whole tenant; 0 without one.
# TYPE risksweep_campaign_users gauge
risksweep_campaign_users{tenant="contoso"} 9
# HELP risksweep_drifted_objects Policies and locations that are not as the baseline says, at the last run that read the whole tenant.
# TYPE risksweep_drifted_objects gauge
risksweep_drifted_objects{tenant="contoso"} 2
# HELP risksweep_in_trouble 1 if the tenant's last run did not do all it should, may not write, or is too long ago.
# TYPE risksweep_in_trouble gauge
risksweep_in_trouble{tenant="contoso"} 0
risksweep_in_trouble{tenant="fabrikam"} 1
# HELP risksweep_last_success_timestamp_seconds End of the last run that succeeded; 0 if there was none.
# TYPE risksweep_last_success_timestamp_seconds gauge
risksweep_last_success_timestamp_seconds{tenant="contoso"} 0
risksweep_last_success_timestamp_seconds{tenant="fabrikam"} 1000
risksweep_last_success_timestamp_seconds{tenant="new"} 0
# HELP risksweep_needs_person_users Users whom no rule settles, at the last run that read the whole tenant.
# TYPE risksweep_needs_person_users gauge
risksweep_needs_person_users{tenant="contoso"} 3
`
	names := []string{"risksweep_at_risk_users", "risksweep_beyond_sla_users", "risksweep_campaign_users", "risksweep_drifted_objects", "risksweep_in_trouble", "risksweep_needs_person_users"}
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), append(names, "risksweep_last_success_timestamp_seconds")...); err != nil {
		t.Error(err)
	}
	failed = errors.New("the store is down")
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(""), names...); err != nil {
		t.Error(err)
	}
}
