package graph_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
)

// The logs of a simulated tenant are read whole at their own pace, whatever
// happens to single answers.
func TestSimulatedLogs(t *testing.T) {
	var whole []string
	for _, faults := range []string{
		"",
		"faults: [{match: {path: /auditLogs/signIns, nth: 2}, do: {truncate: 4000}}]",
		"faults: [{match: {path: /auditLogs/signIns, nth: 2}, do: {repeatPage: true}}]",
		"faults: [{match: {path: /auditLogs/signIns, every: 2}, do: {status: 503}}]",
	} {
		bubble(t, graphsim.Options{Seed: 3, Users: 50, Policies: 4, SignIns: 2400, Rate: 1}, 1, func(t *testing.T, sim *graphsim.Tenant, c *graph.Client) {
			if faults != "" {
				if err := sim.SetFaults("faults", []byte(faults)); err != nil {
					t.Fatal(err)
				}
			}
			now := time.Now()
			var ids []string
			for rows, err := range c.SignIns(t.Context(), entra.SignInQuery{LogWindow: entra.LogWindow{From: now.Add(-28 * 24 * time.Hour), To: now}}) {
				if err != nil {
					t.Fatalf("%s: %v", faults, err)
				}
				for i := range rows {
					s := &rows[i]
					if s.UserID == "" || s.AppID == "" || s.ClientApp == "" || !s.PoliciesShown || len(s.Policies) != 5 || s.CorrelationID == "" {
						t.Fatalf("%+v", s)
					}
					ids = append(ids, strings.Clone(s.ID))
				}
			}
			slices.Sort(ids)
			if len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids) < 2400 {
				t.Errorf("%s: %d rows, twice or not at all", faults, len(ids))
			}
			if whole == nil {
				whole = ids
			}
			if !slices.Equal(ids, whole) {
				t.Errorf("%s: %d rows, want %d", faults, len(ids), len(whole))
			}
			if n := sim.Requests().Throttled; n != 0 {
				t.Errorf("%d requests throttled", n)
			}
		})
	}
}

// An audit says who did what to which policy.
func TestSimulatedAudits(t *testing.T) {
	sim, c, root := tenant(t, graphsim.Options{Seed: 3, Users: 50, Policies: 4})
	admin := rows(t, root, sim.Token(), "/users?$filter=startswith(userPrincipalName,'bg')")
	if len(admin) == 0 {
		t.Fatal("the tenant has no break-glass account")
	}
	policy := rows(t, root, sim.Token(), "/identity/conditionalAccess/policies")[0]
	who := text(admin[0], "userPrincipalName")
	status, body, err := sim.Act(t.Context(), graphsim.Act{UserPrincipalName: who, Method: "PATCH", Path: "/identity/conditionalAccess/policies/" + text(policy, "id"), Body: []byte(`{"displayName":"Renamed"}`)})
	if err != nil || status >= 300 {
		t.Fatalf("%d %s %v", status, body, err)
	}
	var found []entra.Audit
	now := time.Now().Add(time.Minute)
	for list, err := range c.Audits(t.Context(), entra.AuditQuery{LogWindow: entra.LogWindow{From: now.Add(-time.Hour), To: now},
		Services: []string{entra.ServiceConditionalAccess, entra.ServiceIdentityProtection}, Targets: []entra.ID{"11111111-2222-3333-4444-555555555555"}}) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, list...)
	}
	if len(found) != 1 || found[0].By.UserPrincipalName != who || string(found[0].Targets[0].ID) != text(policy, "id") ||
		found[0].Targets[0].Changed[0].Old == nil || !strings.Contains(*found[0].Targets[0].Changed[0].New, "Renamed") {
		t.Errorf("%+v", found)
	}
}
