package access

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/risksweep/risksweep/internal/entra"
)

// Small vocabularies, so that policies meet each other often.
var (
	someUsers  = []string{"u1", "u2", "u3"}
	someGroups = []string{"g1", "g2"}
	someApps   = []string{"a1", "a2", "Office365"}
	somePlaces = []string{"p1", "p2", "AllTrusted"}
)

func subset(t *rapid.T, of []string, label string) []any {
	var out []any
	for _, s := range of {
		if rapid.IntRange(0, 2).Draw(t, label) == 0 {
			out = append(out, s)
		}
	}
	return out
}

// asked are all things that the policies of a tenant may ask of a sign-in. Those
// of one tenant ask few of them, so that every combination of values is soon judged.
var asked = []string{"actions", "contexts", "clients", "platforms", "places", "countries", "signInRisk", "userRisk", "insiderRisk", "flow", "device", "strange", "guests", "roles", "workload", "appFilter", "portals"}

const mostAsked = 4

func anyAsked(t *rapid.T) map[string]bool {
	out := map[string]bool{}
	for range mostAsked {
		out[rapid.SampledFrom(asked).Draw(t, "asked")] = true
	}
	return out
}

// anyPolicy draws a policy over the small vocabularies.
func anyPolicy(t *rapid.T, i int, asks map[string]bool) Policy {
	chance := func(label string, n int) bool { return rapid.IntRange(1, n).Draw(t, label) == 1 }
	orAll := func(list []any) []any {
		if len(list) == 0 {
			return []any{"All"}
		}
		return list
	}
	atLeast := func(list []any, v any) []any {
		if len(list) == 0 {
			return []any{v}
		}
		return list
	}
	words := func(list []any) string {
		var out []string
		for _, w := range list {
			out = append(out, fmt.Sprint(w))
		}
		return strings.Join(out, ",")
	}
	users := map[string]any{
		"includeUsers": orAll(subset(t, someUsers, "include users")), "excludeUsers": subset(t, someUsers[:1], "exclude users"),
		"includeGroups": subset(t, someGroups, "include groups"), "excludeGroups": subset(t, someGroups, "exclude groups"),
	}
	apps := map[string]any{"includeApplications": orAll(subset(t, someApps, "include apps")), "excludeApplications": subset(t, someApps, "exclude apps")}
	cond := map[string]any{"users": users, "applications": apps}
	filter := func(rules ...string) map[string]any {
		return map[string]any{"mode": rapid.SampledFrom([]string{"include", "exclude"}).Draw(t, "mode"), "rule": rapid.SampledFrom(rules).Draw(t, "rule")}
	}
	add := map[string]func(){
		"clients": func() {
			cond["clientAppTypes"] = orAll(subset(t, []string{"browser", "other", "exchangeActiveSync"}, "clients"))
		},
		"platforms": func() {
			cond["platforms"] = map[string]any{"includePlatforms": orAll(subset(t, []string{"iOS", "linux"}, "platforms")), "excludePlatforms": subset(t, []string{"iOS"}, "not platforms")}
		},
		"places": func() {
			cond["locations"] = map[string]any{"includeLocations": orAll(subset(t, somePlaces, "places")), "excludeLocations": subset(t, somePlaces, "not places")}
		},
		"countries": func() {
			of := []string{"p1", "c1", "c2"}
			cond["locations"] = map[string]any{"includeLocations": orAll(subset(t, of, "countries")), "excludeLocations": subset(t, of, "not countries")}
		},
		"signInRisk": func() { cond["signInRiskLevels"] = subset(t, []string{"low", "medium", "high"}, "risks") },
		"userRisk":   func() { cond["userRiskLevels"] = subset(t, []string{"low", "medium", "high"}, "user risks") },
		"insiderRisk": func() {
			cond["insiderRiskLevels"] = words(atLeast(subset(t, []string{"minor", "moderate"}, "insider risks"), "elevated"))
		},
		"flow": func() {
			cond["authenticationFlows"] = map[string]any{"transferMethods": words(atLeast(subset(t, []string{"deviceCodeFlow"}, "flows"), "authenticationTransfer"))}
		},
		"device": func() {
			cond["devices"] = map[string]any{"deviceFilter": filter(`device.model -eq "x"`, `device.model -ne "x"`, "nonsense")}
		},
		"strange":   func() { cond["times"] = map[string]any{"includedRanges": []any{"x"}} },
		"appFilter": func() { apps["applicationFilter"] = filter(`CustomSecurityAttribute.Ops_Tier -eq "one"`) },
		"portals":   func() { apps["includeApplications"] = []any{"MicrosoftAdminPortals"} },
		"actions":   func() { cond["applications"] = map[string]any{"includeUserActions": []any{"urn:user:registerdevice"}} },
		"contexts": func() {
			cond["applications"] = map[string]any{"includeAuthenticationContextClassReferences": atLeast(subset(t, []string{"c1", "c2"}, "contexts"), "c1")}
		},
		"roles": func() {
			users["includeUsers"], users["includeRoles"], users["excludeRoles"] = []any{"None"}, []any{"r1"}, subset(t, []string{"r2"}, "exclude roles")
		},
		"guests": func() {
			tenants := map[string]any{"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all"}
			if chance("one tenant", 2) {
				tenants = map[string]any{"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": []any{"t1"}}
			}
			of := map[string]any{"guestOrExternalUserTypes": words(atLeast(subset(t, []string{"internalGuest", "b2bCollaborationMember"}, "guests"), "b2bCollaborationGuest")), "externalTenants": tenants}
			switch rapid.IntRange(0, 2).Draw(t, "guests") {
			case 0:
				users["includeUsers"], users["includeGuestsOrExternalUsers"] = []any{"None"}, of
			case 1:
				users["excludeGuestsOrExternalUsers"] = of
			default:
				users["includeUsers"] = []any{"GuestsOrExternalUsers"}
			}
		},
		"workload": func() {
			delete(cond, "users")
			cond["clientApplications"] = map[string]any{"includeServicePrincipals": []any{"ServicePrincipalsInMyTenant"}}
		},
	}
	for _, kind := range asked {
		if asks[kind] && !chance("leaves out "+kind, 3) {
			add[kind]()
		}
	}
	controls := rapid.SampledFrom([][]any{{"mfa"}, {"block"}, {"mfa", "compliantDevice"}, nil}).Draw(t, "controls")
	state := rapid.SampledFrom([]string{"enabled", "enabled", "enabledForReportingButNotEnforced", "disabled"}).Draw(t, "state")
	return Policy{Document: entra.Document{
		"id": fmt.Sprint("policy", i), "displayName": fmt.Sprint("P", i), "state": state, "conditions": cond,
		"grantControls": map[string]any{"operator": "OR", "builtInControls": controls},
	}}
}

func anySet(t *rapid.T) *Set {
	places := []entra.Document{
		{"@odata.type": "#microsoft.graph.ipNamedLocation", "id": "p1", "isTrusted": true, "ipRanges": []any{map[string]any{"cidrAddress": "198.51.100.0/24"}}},
		{"@odata.type": "#microsoft.graph.countryNamedLocation", "id": "c1", "countriesAndRegions": []any{"DE", "FR"}},
		{"@odata.type": "#microsoft.graph.countryNamedLocation", "id": "c2", "countriesAndRegions": []any{"FR"}, "includeUnknownCountriesAndRegions": true},
		{"@odata.type": "#microsoft.graph.ipNamedLocation", "id": "p2", "ipRanges": []any{map[string]any{"cidrAddress": "198.51.100.128/25"}, map[string]any{"cidrAddress": "192.0.2.0/24"}}},
	}
	asks := anyAsked(t)
	var policies []Policy
	for i := range rapid.IntRange(0, 6).Draw(t, "policies") {
		policies = append(policies, anyPolicy(t, i, asks))
	}
	return NewSet(policies, places, nil, MicrosoftAppGroups())
}

func noNames(entra.ObjectKind, entra.ID) string { return "" }

// Every combination of values is judged one after the other: it is open to a
// user exactly when it lies in one of the gaps of the user's class.
func TestGapsAreAllOpenSituations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySet(t)
		people := []Person{{ID: "u1", Name: "u1"}, {ID: "u2", Name: "u2"}, {ID: "u3", Name: "u3"}, {ID: "u4", Name: "u4"}}
		for i := range people {
			u := &people[i]
			switch rapid.IntRange(0, 5).Draw(t, "guest") {
			case 0:
				u.Guest, u.GuestKind = "internalGuest", Yes
			case 1:
				u.Guest, u.HomeTenant, u.GuestKind = "b2bCollaborationGuest", entra.ID(rapid.SampledFrom([]string{"t1", "t2", ""}).Draw(t, "home")), Yes
			case 2:
				u.GuestKind = Unknown
			}
			for _, role := range []entra.ID{"r1", "r2"} {
				if rapid.IntRange(0, 2).Draw(t, "role") == 0 {
					u.Roles = append(u.Roles, role)
				}
			}
		}
		p := s.NewPeople(people)
		groups := map[entra.ID][]entra.ID{}
		for _, g := range someGroups {
			for _, u := range people {
				if rapid.Bool().Draw(t, g+" holds "+u.Name) {
					groups[u.ID] = append(groups[u.ID], entra.ID(g))
					p.Members(entra.ID(g), []entra.ID{u.ID})
				}
			}
		}
		g := s.newGrid(noNames)
		axes := s.axes(noNames)
		cellOf := make([][]int, len(axes))
		for d, a := range axes {
			for _, v := range a.values {
				sp := s.span(a.of, v.in)
				cellOf[d] = append(cellOf[d], slices.IndexFunc(g[d].cells, func(c cell) bool {
					i := slices.IndexFunc(g[d].cells, func(e cell) bool { return &e.values[0] == &c.values[0] })
					for q := range s.policies {
						if g[d].must[q].has(i) != sp.must.has(q) || g[d].may[q].has(i) != sp.may.has(q) {
							return false
						}
					}
					return true
				}))
			}
		}
		alike := map[string]int{} // gap -> how many have it
		for i, u := range people {
			reach := &reach{span: p.span(&p.list[i], p.held[i])}
			gaps, more := g.open(s.demanding(reach, false))
			if more {
				t.Fatalf("more gaps than are kept: %d; such small sets must be compared whole", len(gaps))
			}
			for _, b := range gaps {
				alike[b.key()]++
			}
			point := make([]int, len(axes))
			var walk func(d int, in SignIn)
			walk = func(d int, in SignIn) {
				if d < len(axes) {
					for c := range g[d].cells { // one of its values
						var of []int
						for k := range cellOf[d] {
							if cellOf[d][k] == c {
								of = append(of, k)
							}
						}
						point[d] = c
						walk(d+1, merge(in, axes[d].values[of[(i+c)%len(of)]].in))
					}
					return
				}
				in.User = &User{ID: u.ID, Groups: groups[u.ID], Roles: u.Roles, Guest: u.Guest, GuestUnknown: u.GuestKind == Unknown, HomeTenant: u.HomeTenant}
				j := s.Judge(in)
				open := true
				may := slices.Clone(j.sum.may)
				may.and(s.enabled)
				may.each(func(q int) { open = open && len(s.policies[q].controls.demands) == 0 })
				inGap := slices.ContainsFunc(gaps, func(b box) bool {
					for d, c := range point {
						if !b[d].has(c) {
							return false
						}
					}
					return true
				})
				if open != inGap {
					t.Fatalf("%s at %v: open %v, in a gap %v", u.Name, describe(g, point), open, inGap)
				}
			}
			walk(0, SignIn{})
			for a := range gaps {
				for b := range gaps {
					if a != b && gaps[a].within(gaps[b]) {
						t.Fatalf("a gap is part of another one")
					}
				}
			}
		}
		var counted []int
		for _, gap := range p.Coverage(noNames).Gaps {
			counted = append(counted, gap.Users)
		}
		want := slices.Sorted(maps.Values(alike))
		if slices.Sort(counted); len(want) <= mostGaps && !slices.Equal(counted, want) {
			t.Fatalf("gaps of so many users: %v, want %v", counted, want)
		}
	})
}

func describe(g grid, point []int) string {
	var out []string
	for d, c := range point {
		out = append(out, g[d].name+" "+g[d].cells[c].values[0])
	}
	return strings.Join(out, ", ")
}

func merge(a, b SignIn) SignIn {
	if b.Target != (Target{}) {
		a.Target = b.Target
	}
	a.Platform += b.Platform
	a.Client += b.Client
	a.Country += b.Country
	a.SignInRisk += b.SignInRisk
	a.UserRisk += b.UserRisk
	a.InsiderRisk += b.InsiderRisk
	a.Flow += b.Flow
	if b.IP.IsValid() {
		a.IP = b.IP
	}
	if b.Compliant != nil {
		a.Compliant = b.Compliant
	}
	if b.Device != nil {
		a.Device = b.Device
	}
	return a
}

// For each demand: some combination of values is demanded after and not before
// exactly when an effect says so, and the other way round.
func TestEffectsAreAllDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		asks := anyAsked(t)
		draw := func() State {
			var s State
			s.Locations = []entra.Document{{"@odata.type": "#microsoft.graph.ipNamedLocation", "id": "p1", "isTrusted": rapid.Bool().Draw(t, "trusted"), "ipRanges": []any{map[string]any{"cidrAddress": rapid.SampledFrom([]string{"198.51.100.0/24", "192.0.2.0/24"}).Draw(t, "range")}}}}
			for i := range rapid.IntRange(0, 3).Draw(t, "policies") {
				s.Policies = append(s.Policies, anyPolicy(t, i, asks))
			}
			return s
		}
		before, after := draw(), draw()
		c := NewChange(before, after, MicrosoftAppGroups(), noNames)
		effects := map[string]bool{}
		for _, e := range c.Effects(c.Set().NewPeople([]Person{{ID: "u1", Name: "u1"}})) {
			effects[e.Change] = true
		}
		r := &reach{span: c.set.NewPeople([]Person{{ID: "u1"}}).classes()[0].reach.span}
		var demanded []Demand
		for i, p := range c.set.policies { // what others demand is implied where it changes
			if c.before.has(i) != c.after.has(i) && c.set.enabled.has(i) {
				demanded = append(demanded, p.controls.demands...)
			}
		}
		want := map[string]bool{}
		point := make(box, len(c.grid))
		var walk func(d int)
		walk = func(d int) {
			if d < len(c.grid) {
				for i := range c.grid[d].cells {
					point[d] = newFlags(len(c.grid[d].cells))
					point[d].set(i)
					walk(d + 1)
				}
				return
			}
			for _, demand := range demanded {
				var sure, maybe [2]bool
				for i, p := range c.set.policies {
					if !c.set.enabled.has(i) || len(p.controls.demands) == 0 {
						continue
					}
					must, may := r.must.has(i) && !c.set.doubtful.has(i), r.may.has(i)
					for d := range c.grid {
						must = must && point[d].within(c.grid[d].must[i])
						may = may && point[d].within(c.grid[d].may[i])
					}
					for side, in := range [2]flags{c.before, c.after} {
						sure[side] = sure[side] || in.has(i) && must && c.set.Demands(i, demand)
						maybe[side] = maybe[side] || in.has(i) && may && (c.set.Demands(i, demand) || p.controls.blocks())
					}
				}
				words := [2]string{"no longer demands " + demand.String(), "demands " + demand.String()}
				if demand[0] == block {
					words = [2]string{"no longer blocks", "blocks"}
				}
				for side := range 2 {
					if sure[side] && !maybe[1-side] {
						want[words[side]] = true
					}
				}
			}
		}
		walk(0)
		for change := range want {
			if !effects[change] {
				t.Fatalf("%q is missing in %v", change, effects)
			}
		}
		for change := range effects {
			if !want[change] {
				t.Fatalf("%q is not so: %v", change, want)
			}
		}
	})
}
