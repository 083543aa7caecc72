package drift_test

import (
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// TestCompliantNetworkIsKnown: the location that every tenant has is named by
// its id or its name, without an object of it in the tenant's list.
func TestCompliantNetworkIsKnown(t *testing.T) {
	for _, name := range []string{policy.CompliantNetwork, strings.ToUpper(policy.CompliantNetwork), "all compliant network locations"} {
		_, b := applied(t, policyOf("locations: {includeLocations: [All], excludeLocations: ["+name+"]}", ""))
		tn := newTenant()
		r := tn.plan(b, drift.Settings{})
		e := r.Entries[2]
		if got := policy.Strings(r.Actions[2].Change.Body, "conditions.locations.excludeLocations"); len(got) != 1 || got[0] != policy.CompliantNetwork {
			t.Errorf("%s is sent as %v", name, got)
		}
		if e.Status != drift.Create || !strings.Contains(e.Summary, "outside compliant networks") {
			t.Errorf("%s: %s, %q, %v", name, e.Status, e.Summary, e.Reasons)
		}
	}
	tn := newTenant()
	tn.put(entra.KindLocation, "d0000000-0000-0000-0000-0000000000aa", entra.Document{"@odata.type": policy.TypeIPLocation, "displayName": policy.CompliantNetworkName})
	r := tn.plan(load(t, policyOf("locations: {includeLocations: [All], excludeLocations: [All Compliant Network locations]}", "")), drift.Settings{})
	if got := policy.Strings(r.Actions[2].Change.Body, "conditions.locations.excludeLocations"); len(got) != 1 || got[0] == policy.CompliantNetwork {
		t.Errorf("a location of the tenant of that name is sent as %v", got)
	}
}

// TestRetiredControlIsBlockedAtThePlan: the service refuses whatever makes or
// changes a policy with approvedApplication, and leaves one alone that is
// there.
func TestRetiredControlIsBlockedAtThePlan(t *testing.T) {
	text := policyOf("", "grantControls: {operator: OR, builtInControls: [approvedApplication, mfa]}")
	tn, b := newTenant(), load(t, text)
	blocked := func(what string, want bool) {
		t.Helper()
		for _, e := range tn.plan(b, everything).Entries {
			if e.Kind != entra.KindPolicy {
				continue
			}
			if is := e.Status == drift.Blocked && strings.Contains(strings.Join(e.Reasons, "\n"), "(1909)"); is != want || !want && e.Status == drift.Blocked {
				t.Errorf("%s: %s %v", what, e.Status, e.Reasons)
			}
		}
	}
	blocked("a create", true)
	id := tn.put(entra.KindPolicy, "", b.Policies[0].Want.Document())
	policy.Put(tn.docs[entra.KindPolicy][id], "conditions.users.excludeUsers", []any{bg1, bg2})
	tn.owned[entra.KindPolicy]["P"] = plan.Owned{ID: entra.NewID(id), DisplayName: "P"}
	blocked("unchanged", false)
	b = load(t, strings.Replace(text, "enabledForReportingButNotEnforced", "disabled", 1))
	blocked("another state", true)
	b = load(t, policyOf("", ""))
	blocked("replaced by mfa", false)
}
