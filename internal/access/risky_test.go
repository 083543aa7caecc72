package access_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// What a user's risk meets, and in the policies' own words why it does not.
func TestRiskReached(t *testing.T) {
	const vip, role = "33333333-0000-4000-8000-000000000001", "62e90394-69f5-4237-9190-012177145e10"
	policy := func(id, state, users, conditions, control string) string {
		return `{"id":"` + id + `","displayName":"` + id + `","state":"` + state + `","conditions":{"users":{` + users + `},"applications":{"includeApplications":["All"]}` + conditions + `},"grantControls":{"operator":"OR","builtInControls":["` + control + `"]}}`
	}
	all, high := `"includeUsers":["All"]`, `,"userRiskLevels":["high"]`
	name := func(kind entra.ObjectKind, id entra.ID) string {
		return map[entra.ObjectKind]map[entra.ID]string{entra.KindGroup: {vip: "VIPs"}, entra.KindRole: {role: "Global Administrator"}}[kind][id]
	}
	for what, c := range map[string]struct {
		policies []string
		groups   []entra.ID
		roles    []entra.ID
		in       access.SignIn
		reached  []string
		why      []string
		unknown  bool
	}{
		"by risk first":              {policies: []string{policy("mfa", "enabled", all, "", "mfa"), policy("risk", "enabled", all, high, "block")}, reached: []string{"risk", "mfa"}},
		"report-only":                {policies: []string{policy("risk", "enabledForReportingButNotEnforced", all, high, "block")}, why: []string{"risk: it is report-only"}},
		"disabled":                   {policies: []string{policy("risk", "disabled", all, high, "block")}, why: []string{"risk: it is disabled"}},
		"a group":                    {policies: []string{policy("risk", "enabled", all+`,"excludeGroups":["`+vip+`"]`, high, "block")}, groups: []entra.ID{vip}, why: []string{`risk: it excludes group "VIPs"`}},
		"a role":                     {policies: []string{policy("risk", "enabled", all+`,"excludeRoles":["`+role+`"]`, high, "block")}, roles: []entra.ID{role}, why: []string{`risk: it excludes directory role "Global Administrator"`}},
		"by name":                    {policies: []string{policy("risk", "enabled", all+`,"excludeUsers":["`+ada+`"]`, high, "block")}, why: []string{"risk: it excludes the user by name"}},
		"not included":               {policies: []string{policy("risk", "enabled", `"includeGroups":["`+vip+`"]`, high, "block")}, why: []string{"risk: it does not include the user"}},
		"another level":              {policies: []string{policy("risk", "enabled", all, `,"userRiskLevels":["low"]`, "block")}, why: []string{"risk: the user risk high is not one that it asks for"}},
		"platforms":                  {policies: []string{policy("risk", "enabled", all, high+`,"platforms":{"includePlatforms":["iOS"]}`, "block")}, why: []string{"risk: it is for certain platforms only"}, unknown: true},
		"report-only and excluded":   {policies: []string{policy("risk", "enabledForReportingButNotEnforced", all+`,"excludeUsers":["`+ada+`"]`, high, "block")}, why: []string{"risk: it is report-only, and it excludes the user by name"}},
		"covered: only risk is told": {policies: []string{policy("mfa", "enabled", all, "", "mfa"), policy("other", "enabled", `"includeGroups":["`+vip+`"]`, "", "block"), policy("risk", "disabled", all, high, "block")}, reached: []string{"mfa"}, why: []string{"risk: it is disabled"}},
		"members not known":          {policies: []string{policy("risk", "enabled", all+`,"excludeGroups":["`+vip+`"]`, high, "block")}, in: access.SignIn{User: &access.User{ID: ada, GroupsUnknown: true}}, why: []string{"risk: whether the user is in a group or role of the policy is not known"}, unknown: true},
		"the address of the risk":    {policies: []string{policy("risk", "enabled", all, high+`,"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`, "block")}, in: access.SignIn{IP: netip.MustParseAddr("198.51.100.7")}, why: []string{"risk: the location is excluded"}},
		"anywhere":                   {policies: []string{policy("risk", "enabled", all, high+`,"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`, "block")}, in: access.SignIn{Country: access.Anywhere}, reached: []string{"risk"}},
		"nothing":                    {},
	} {
		t.Run(what, func(t *testing.T) {
			var policies []access.Policy
			for _, p := range c.policies {
				policies = append(policies, access.Policy{Document: doc(t, p)})
			}
			places := []entra.Document{location(t, headOffice, "198.51.100.0/24", true)}
			in := c.in
			in.AsGiven, in.Target, in.Client, in.UserRisk, in.SignInRisk = true, access.Target{App: &access.App{}}, "browser", "high", "high"
			if in.User == nil {
				in.User = &access.User{ID: ada, Groups: c.groups, Roles: c.roles}
			}
			r := access.NewSet(policies, places, nil, access.MicrosoftAppGroups()).NewReacher(name).Of(in)
			var reached, why []string
			for _, m := range r.ReachedBy {
				reached = append(reached, m.DisplayName)
			}
			for _, u := range r.NotReached {
				why = append(why, u.DisplayName+": "+u.Why)
			}
			if diff := cmp.Diff([]any{c.reached, c.why, c.unknown}, []any{reached, why, r.Unknown}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
