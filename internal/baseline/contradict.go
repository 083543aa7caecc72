package baseline

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// pairs are the lists of which one takes out what the other lets in.
var pairs = []struct{ include, exclude string }{
	{users + ".includeUsers", users + ".excludeUsers"},
	{users + ".includeGroups", users + ".excludeGroups"},
	{users + ".includeRoles", users + ".excludeRoles"},
	{incApps, apps + ".excludeApplications"},
	{spns + ".includeServicePrincipals", spns + ".excludeServicePrincipals"},
	{"conditions.platforms.includePlatforms", "conditions.platforms.excludePlatforms"},
	{"conditions.locations.includeLocations", "conditions.locations.excludeLocations"},
}

// contradictions warns of a policy that can never apply, or whose conditions
// say the same thing twice or against each other. The service may take it; it
// is hardly what was meant.
func (r rule) contradictions() {
	r.excludedAgain()
	r.redundant()
	r.unreachable()
	r.workloads()
}

func (r rule) excludedAgain() {
	for _, p := range pairs {
		in, out := strs(r.d, p.include), strs(r.d, p.exclude)
		twice := both(in, out)
		switch {
		case len(twice) == 0:
		case len(twice) == len(in) && r.only(p.include):
			r.warn(p.exclude, "everything that is included is excluded again (%s): the policy never applies", strings.Join(twice, ", "))
		default:
			r.warn(p.exclude, "%s is included and excluded; the exclusion wins", strings.Join(twice, ", "))
		}
	}
	for _, p := range []string{"platforms", "locations"} {
		upper := map[string]string{"platforms": "Platforms", "locations": "Locations"}[p]
		in, out := strs(r.d, "conditions."+p+".include"+upper), strs(r.d, "conditions."+p+".exclude"+upper)
		if len(in) == 0 && len(out) > 0 {
			r.warn("conditions."+p, "include%s is empty: there is nothing to exclude from", upper)
		}
		for _, all := range []string{"all", entra.WordAll} {
			if slices.Contains(out, all) && !slices.Contains(in, all) {
				r.warn("conditions."+p+".exclude"+upper, "all %s are excluded: the policy never applies", p)
			}
		}
	}
}

// only reports whether a list is the only one of its kind that includes
// anything.
func (r rule) only(include string) bool {
	for _, p := range pairs[:3] {
		if include[:len(users)] == users && p.include != include && len(strs(r.d, p.include)) > 0 {
			return false
		}
	}
	return !has(r.d, users+".includeGuestsOrExternalUsers") || include[:len(users)] != users
}

func (r rule) redundant() {
	for _, c := range []struct{ path, all string }{
		{users + ".includeUsers", entra.WordAll}, {users + ".includeUsers", entra.WordNone}, {incApps, entra.WordAll}, {incApps, entra.WordNone},
		{"conditions.clientAppTypes", "all"}, {"conditions.platforms.includePlatforms", "all"},
		{"conditions.locations.includeLocations", entra.WordAll}, {spns + ".includeServicePrincipals", entra.WordOwnTenant},
	} {
		if list := strs(r.d, c.path); len(list) > 1 && slices.Contains(list, c.all) {
			r.warn(c.path, "%s stands for itself; %s beside it contradicts it or adds nothing", c.all, strings.Join(minus(list, []string{c.all}), ", "))
		}
	}
	if slices.Contains(strs(r.d, users+".includeUsers"), entra.WordAll) {
		for _, p := range []string{"includeGroups", "includeRoles"} {
			if len(strs(r.d, users+"."+p)) > 0 {
				r.warn(users+"."+p, "all users are included already")
			}
		}
	}
}

func (r rule) unreachable() {
	if slices.Equal(strs(r.d, users+".includeUsers"), []string{entra.WordNone}) && r.only(users+".includeUsers") && !r.reachesWorkloads() && len(r.it.AllowUnknown) == 0 {
		r.warn(users+".includeUsers", "None: the policy applies to nobody")
	}
	if slices.Equal(strs(r.d, incApps), []string{entra.WordNone}) {
		r.warn(incApps, "None: the policy applies to no application")
	}
	for _, c := range []struct{ path, bad string }{
		{"conditions.signInRiskLevels", "hidden"}, {"conditions.userRiskLevels", "hidden"}, {"conditions.userRiskLevels", "none"},
		{"conditions.servicePrincipalRiskLevels", "hidden"}, {"conditions.servicePrincipalRiskLevels", "none"},
	} {
		if slices.Contains(strs(r.d, c.path), c.bad) {
			r.warn(c.path, "%s is no level that a policy can ask for here", c.bad)
		}
	}
	if len(strs(r.d, "conditions.signInRiskLevels")) > 0 && len(strs(r.d, "conditions.userRiskLevels")) > 0 {
		r.warn("conditions.userRiskLevels", "a policy with both sign-in and user risk applies only when both are met; two policies are recommended")
	}
}

// workloads judges policies for workload identities.
func (r rule) workloads() {
	if !has(r.d, spns) {
		if len(strs(r.d, "conditions.servicePrincipalRiskLevels")) > 0 {
			r.warn("conditions.servicePrincipalRiskLevels", "the risk of workload identities needs clientApplications")
		}
		return
	}
	if included := strs(r.d, users+".includeUsers"); has(r.d, users) && !slices.Equal(included, []string{entra.WordNone}) {
		r.warn(spns, "users and clientApplications stand together: a policy is for people or for workload identities")
	}
	for _, p := range []string{"signInRiskLevels", "userRiskLevels", "platforms", "devices"} {
		if has(r.d, "conditions."+p) {
			r.warn("conditions."+p, "%s says nothing of workload identities", p)
		}
	}
	if g := strs(r.d, grant); !slices.Equal(g, []string{"block"}) {
		r.warn("grantControls", "workload identities can only be blocked")
	}
}
