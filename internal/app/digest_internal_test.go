package app

import (
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/notice"
)

// A digest counts all tenants of its webhook, also those that gave no reason to
// tell of them, and names those that nothing sweeps.
func TestADigestCountsAllTenants(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	var list []fleet.Summary
	var tenants []config.Tenant
	for _, name := range []string{"down", "old", "well", "other"} {
		s := fleet.Summary{Tenant: name, Status: "succeeded", FinishedAt: at, LastSuccess: at}
		switch name {
		case "down":
			s.Status = "failed"
		case "old":
			s.LastSuccess = at.AddDate(0, 0, -10)
		}
		list, tenants = append(list, s), append(tenants, config.Tenant{Name: name})
	}
	f := fleet.Of(list, fleet.View{At: at})
	told := []notice.Event{{Tenant: "down", Status: "failed"}}
	more := unswept(f.Tenants, told)
	if len(more) != 1 || more[0].Tenant != "old" || more[0].Facts[0] != "not swept since 2026-11-20" {
		t.Errorf("%+v", more)
	}
	if more := unswept(f.Tenants, append(told, more...)); len(more) != 0 {
		t.Errorf("told twice: %+v", more)
	}
	who, summary := digestOf(config.Notice{Tenants: []string{"down", "old", "well"}}, append(told, more...), f, tenants)
	if who != "3 tenants" || summary != "1 failed, 1 not swept; 1 in order (3 tenants)" {
		t.Errorf("%s: %s", who, summary)
	}
	if who, summary = digestOf(config.Notice{}, told, fleet.Fleet{}, tenants); who != "1 tenant" || summary != "" {
		t.Errorf("of an unknown fleet: %s: %s", who, summary)
	}
}
