package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/doctor"
)

func TestOfManyTenantsTheWorstComeFirst(t *testing.T) {
	check := func(tenant, name string, s doctor.Status) doctor.Check {
		return doctor.Check{Tenant: tenant, Name: name, Status: s}
	}
	checks := []doctor.Check{check("", "schedule", doctor.OK)}
	for _, tenant := range []string{"well", "slow", "down"} {
		checks = append(checks, check(tenant, "lease", doctor.OK), check(tenant, "part", doctor.Skip))
	}
	checks = append(checks, check("slow", "clock", doctor.Warn), check("down", "clock", doctor.Warn), check("down", "sign-in", doctor.Fail))
	for _, tenant := range []string{"well", "slow", "down", "fine"} {
		checks = append(checks, check(tenant, "licence", doctor.Warn))
	}
	var got []string
	for _, k := range worstChecks(checks) {
		got = append(got, string(k.Status)+" "+k.Tenant+" "+k.Name)
	}
	if d := cmp.Diff([]string{"ok  schedule", "fail down sign-in", "warn down clock", "warn slow clock", "warn 4 tenants licence", "ok well all", "ok fine all"}, got); d != "" {
		t.Error(d)
	}
}
