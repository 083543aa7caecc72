package graph_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
)

func text(row map[string]any, member string) string {
	s, _ := row[member].(string)
	return s
}

// Every name of the directory is found, at a request for each twenty.
func TestSimulatedNames(t *testing.T) {
	sim, c, root := tenant(t, graphsim.Options{Seed: 5, Users: 60, Policies: 5})
	list := func(path string) []map[string]any { return rows(t, root, sim.Token(), path) }
	want := map[entra.Ref]map[string]bool{}
	add := func(kind entra.ObjectKind, name, id string) {
		ref := entra.Ref{Kind: kind, Name: name}
		if want[ref] == nil {
			want[ref] = map[string]bool{}
		}
		if id != "" {
			want[ref][id] = true
		}
	}
	for _, u := range list("/users") {
		add(entra.KindUser, text(u, "userPrincipalName"), text(u, "id"))
		add(entra.KindUser, text(u, "id"), text(u, "id"))
	}
	for _, g := range list("/groups") {
		add(entra.KindGroup, text(g, "displayName"), text(g, "id"))
	}
	for _, p := range list("/servicePrincipals") {
		add(entra.KindServicePrincipal, text(p, "displayName"), text(p, "id"))
		add(entra.KindApplication, text(p, "displayName"), text(p, "appId"))
		add(entra.KindApplication, text(p, "appId"), text(p, "appId"))
	}
	for _, r := range list("/directoryRoleTemplates") {
		add(entra.KindRole, text(r, "displayName"), text(r, "id"))
	}
	for _, a := range list("/identityGovernance/termsOfUse/agreements") {
		add(entra.KindAgreement, text(a, "displayName"), text(a, "id"))
	}
	add(entra.KindUser, "nobody@contoso.com", "")
	add(entra.KindUser, "00000000-0000-4000-8000-000000000000", "")
	add(entra.KindGroup, "No ' such & group", "")
	add(entra.KindApplication, "00000000-0000-4000-8000-000000000000", "")
	add(entra.KindRole, "Nobody's Role", "")

	before := sim.Requests()
	var refs []entra.Ref
	lookups, lists := 0, map[entra.ObjectKind]bool{}
	for ref := range want {
		refs = append(refs, ref)
		if ref.Kind == entra.KindRole || ref.Kind == entra.KindAgreement {
			lists[ref.Kind] = true
		} else {
			lookups++
		}
	}
	names, err := c.Resolve(t.Context(), refs)
	if err != nil {
		t.Fatal(err)
	}
	for ref, ids := range want {
		got := map[string]bool{}
		for _, o := range names[ref].Objects {
			got[string(o.ID)] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(ids) || len(names[ref].Objects) != len(ids) {
			t.Errorf("%v is %v, want %v", ref, names[ref].Objects, ids)
		}
	}
	batches := (lookups + len(lists) + 19) / 20
	if got := c.Stats().Total; got != batches {
		t.Errorf("%d requests for %d lookups, want %d (%+v)", got, lookups+len(lists), batches, before)
	}
}

func TestSimulatedMembersAndRoles(t *testing.T) {
	sim, c, root := tenant(t, graphsim.Options{Seed: 5, Users: 80})
	list := func(path string) []map[string]any { return rows(t, root, sim.Token(), path) }
	some := 0
	for _, g := range list("/groups") {
		want := []string{}
		for _, m := range list("/groups/" + text(g, "id") + "/transitiveMembers") {
			if text(m, "@odata.type") == "#microsoft.graph.user" {
				want = append(want, text(m, "id"))
			}
		}
		got, err := c.Members(t.Context(), text(g, "id"))
		if err != nil {
			t.Fatal(err)
		}
		ids := []string{}
		for _, m := range got {
			ids = append(ids, string(m.ID))
			if m.AccountEnabled == nil || m.UserPrincipalName == "" {
				t.Errorf("%+v", m)
			}
		}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			t.Errorf("%s has %v, want %v", text(g, "displayName"), ids, want)
		}
		some += len(ids)
	}
	if some == 0 {
		t.Error("no group has members")
	}

	// Whoever holds a role, or is in a group that does, is privileged.
	p, err := c.Privileged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, set := range []string{"roleAssignments", "roleEligibilityScheduleInstances"} {
		for _, a := range list("/roleManagement/directory/" + set + "?$expand=principal") {
			ids := []string{text(a, "principalId")}
			switch principal, _ := a["principal"].(map[string]any); text(principal, "@odata.type") {
			case "#microsoft.graph.group":
				members, err := c.Members(t.Context(), ids[0])
				if err != nil {
					t.Fatal(err)
				}
				ids = nil
				for _, m := range members {
					ids = append(ids, string(m.ID))
				}
			case "#microsoft.graph.servicePrincipal":
				continue
			}
			for _, id := range ids {
				held++
				if len(p.Users[entra.NewID(id)]) == 0 {
					t.Errorf("%s reaches %s, who is not among the privileged", text(a, "roleDefinitionId"), id)
				}
			}
		}
	}
	if held < 5 {
		t.Errorf("%d roles held", held)
	}
}

func TestSimulatedTenantAndSelf(t *testing.T) {
	for _, tc := range []struct {
		license string
		p1, p2  bool
	}{{"P2", true, true}, {"P1", true, false}, {"none", false, false}} {
		sim, c, root := tenant(t, graphsim.Options{Seed: 5, Users: 10, License: tc.license})
		got, err := c.Tenant(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != sim.TenantID() || got.PlanP1 != tc.p1 || got.PlanP2 != tc.p2 || got.PlansUnknown || got.SecurityDefaults == nil || got.VerifiedDomain == "" {
			t.Errorf("%s: %+v", tc.license, got)
		}
		self, err := c.Self(t.Context())
		if err != nil || self.Kind != entra.KindServicePrincipal || self.AppID != sim.ClientID() || self.ID == "" {
			t.Errorf("self %+v, %v", self, err)
		}
		roles, err := c.TokenRoles(t.Context())
		if err != nil || !slices.Contains(roles, "IdentityRiskyUser.ReadWrite.All") {
			t.Errorf("roles %v, %v", roles, err)
		}
		// Without P2 the service does not say who is eligible.
		if _, err := c.Privileged(t.Context()); tc.p2 != (err == nil) || err != nil && !errors.Is(err, entra.ErrUnlicensed) {
			t.Errorf("%s: %v", tc.license, err)
		}
		poor, err := graph.New(graph.Options{Endpoint: root, Credential: bearer("opaque")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := poor.Tenant(t.Context()); !errors.Is(err, entra.ErrUnauthorized) {
			t.Errorf("foreign token: %v", err)
		}
	}
}
