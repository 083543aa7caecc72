package generate

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

func TestPopulationIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	a, b := Population(7, 150, 20, now), Population(7, 150, 20, now)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("two tenants of one seed differ:\n%s", diff)
	}
	if other := Population(8, 150, 20, now); other.ID == a.ID || other.People[0].ID == a.People[0].ID {
		t.Error("another seed gives the same ids")
	}
	more := Population(7, 150, 60, now)
	if diff := cmp.Diff(a.People, more.People); diff != "" {
		t.Errorf("more policies change the people:\n%s", diff)
	}
}

func TestPopulation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		users := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 3000)).Draw(t, "users")
		policies := rapid.IntRange(0, 240).Draw(t, "policies")
		x := Population(rapid.Uint64().Draw(t, "seed"), users, policies, now)

		live, ids := 0, map[string]bool{x.Client.ObjectID: true}
		names, upns := map[string]bool{}, map[string]bool{}
		for _, p := range x.People {
			if p.Deleted != !p.DeletedAt.IsZero() || p.CreatedAt.After(now) || p.Guest != strings.Contains(p.UserPrincipalName, "#EXT#") {
				t.Fatalf("person %+v", p)
			}
			if !p.Deleted {
				live++
			}
			if names[p.DisplayName] || upns[p.UserPrincipalName] || ids[p.ID] || uuid.Validate(p.ID) != nil {
				t.Fatalf("%+v is there twice", p)
			}
			names[p.DisplayName], upns[p.UserPrincipalName], ids[p.ID] = true, true, true
		}
		if live != users {
			t.Fatalf("%d users, want %d", live, users)
		}
		for _, sp := range x.ServicePrincipals {
			ids[sp.ID] = true
		}
		for _, g := range x.Groups {
			ids[g.ID] = true
		}
		for _, g := range x.Groups {
			for _, m := range g.Members {
				if !ids[m] {
					t.Fatalf("%s has the member %s that nobody knows", g.DisplayName, m)
				}
			}
		}
		for _, a := range slices.Concat(x.Roles.Active, x.Roles.Eligible) {
			if !ids[a.PrincipalID] || a.Start.After(now) || !slices.ContainsFunc(x.Roles.Templates, func(r RoleTemplate) bool { return r.ID == a.RoleID }) {
				t.Fatalf("assignment %+v", a)
			}
		}
		if len(x.Policies) != policies || (len(x.Locations) == 2) != (policies > 0) {
			t.Fatalf("%d policies and %d locations, want %d policies", len(x.Policies), len(x.Locations), policies)
		}
		titles := map[string]bool{}
		for _, p := range x.Policies {
			var body struct{ DisplayName string }
			if err := json.Unmarshal(p.Body, &body); err != nil || titles[body.DisplayName] {
				t.Fatalf("policy %s: %v", p.Body, err)
			}
			titles[body.DisplayName] = true
		}
	})
}

func TestTheKnownPeople(t *testing.T) {
	t.Parallel()
	for _, users := range []int{12, 13, 16, 30, 200, 5000} {
		x := Population(1, users, 5, now)
		member := func(upn, group string) {
			p, g := x.Person(upn), x.Group(group)
			if p == nil || g == nil || !slices.Contains(g.Members, p.ID) || !p.Enabled {
				t.Errorf("%d users: %s is not an enabled member of %s", users, upn, group)
			}
		}
		member("ada@contoso.com", "VPN Users")
		member("ceo@contoso.com", "Executives")
		member("bg1@contoso.com", "CA Break Glass")
		member("bg2@contoso.com", "CA Break Glass")
		if !slices.Contains(x.Group("VPN Users").Members, x.Group("VPN Contractors").ID) {
			t.Errorf("%d users: VPN Contractors are not in VPN Users", users)
		}
		if g := x.Group("VPN Admins"); !g.RoleAssignable || len(g.Members) == 0 {
			t.Errorf("%d users: VPN Admins %+v", users, g)
		}
		held := map[string]bool{}
		for _, a := range slices.Concat(x.Roles.Active, x.Roles.Eligible) {
			held[a.PrincipalID] = true
		}
		byID := map[string]Person{}
		counts := map[string]int{}
		for _, p := range x.People {
			byID[p.ID] = p
			switch {
			case p.Deleted:
				counts["deleted"]++
			case p.Guest:
				counts["guests"]++
			case !p.Enabled:
				counts["disabled"]++
			}
		}
		ordinary := 0
		for _, id := range x.Group("VPN Users").Members {
			if p, ok := byID[id]; ok && p.Enabled && !p.Guest && !held[id] {
				ordinary++
			}
		}
		if ordinary < 6 || counts["deleted"] == 0 || counts["guests"] == 0 || counts["disabled"] == 0 || len(x.Roles.Active) < 3 || len(x.Roles.Eligible) == 0 {
			t.Errorf("%d users: %d ordinary members of VPN Users, %v, %d active and %d eligible roles", users, ordinary, counts, len(x.Roles.Active), len(x.Roles.Eligible))
		}
	}
}

func TestNamesStayDistinct(t *testing.T) {
	t.Parallel()
	x := Population(3, 60_000, 0, now)
	seen := map[string]bool{}
	for _, p := range x.People {
		if seen[p.UserPrincipalName] || seen[p.DisplayName] {
			t.Fatalf("%s (%s) is there twice", p.DisplayName, p.UserPrincipalName)
		}
		seen[p.UserPrincipalName], seen[p.DisplayName] = true, true
	}
}

func TestPoliciesInManyStates(t *testing.T) {
	t.Parallel()
	states := map[string]int{}
	for _, p := range Population(1, 200, 5, now).Policies {
		var body struct{ State string }
		if err := json.Unmarshal(p.Body, &body); err != nil {
			t.Fatal(err)
		}
		states[body.State]++
	}
	if diff := cmp.Diff(map[string]int{"enabled": 2, "enabledForReportingButNotEnforced": 2, "disabled": 1}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}
