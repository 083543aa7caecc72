package baseline

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/policy"
)

// pairs are the lists of which one takes out what the other lets in.
var pairs = []struct{ include, exclude string }{
	{policy.PathUsers + ".includeUsers", policy.PathUsers + ".excludeUsers"},
	{policy.PathUsers + ".includeGroups", policy.PathUsers + ".excludeGroups"},
	{policy.PathUsers + ".includeRoles", policy.PathUsers + ".excludeRoles"},
	{policy.PathIncludeApplications, policy.PathApplications + ".excludeApplications"},
	{policy.PathWorkloads + ".includeServicePrincipals", policy.PathWorkloads + ".excludeServicePrincipals"},
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
		in, out := policy.Strings(r.d, p.include), policy.Strings(r.d, p.exclude)
		twice := policy.Both(in, out)
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
		in, out := policy.Strings(r.d, "conditions."+p+".include"+upper), policy.Strings(r.d, "conditions."+p+".exclude"+upper)
		if len(in) == 0 && len(out) > 0 {
			r.warn("conditions."+p, "include%s is empty: there is nothing to exclude from", upper)
		}
		for _, all := range []string{"all", policy.WordAll} {
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
		if include[:len(policy.PathUsers)] == policy.PathUsers && p.include != include && len(policy.Strings(r.d, p.include)) > 0 {
			return false
		}
	}
	return !policy.Has(r.d, policy.PathUsers+".includeGuestsOrExternalUsers") || include[:len(policy.PathUsers)] != policy.PathUsers
}

func (r rule) redundant() {
	for _, c := range []struct{ path, all string }{
		{policy.PathUsers + ".includeUsers", policy.WordAll}, {policy.PathUsers + ".includeUsers", policy.WordNone}, {policy.PathIncludeApplications, policy.WordAll}, {policy.PathIncludeApplications, policy.WordNone},
		{"conditions.clientAppTypes", "all"}, {"conditions.platforms.includePlatforms", "all"},
		{"conditions.locations.includeLocations", policy.WordAll}, {policy.PathWorkloads + ".includeServicePrincipals", policy.WordOwnTenant},
	} {
		if list := policy.Strings(r.d, c.path); len(list) > 1 && slices.Contains(list, c.all) {
			r.warn(c.path, "%s stands for itself; %s beside it contradicts it or adds nothing", c.all, strings.Join(policy.Minus(list, []string{c.all}), ", "))
		}
	}
	if slices.Contains(policy.Strings(r.d, policy.PathUsers+".includeUsers"), policy.WordAll) {
		for _, p := range []string{"includeGroups", "includeRoles"} {
			if len(policy.Strings(r.d, policy.PathUsers+"."+p)) > 0 {
				r.warn(policy.PathUsers+"."+p, "all users are included already")
			}
		}
	}
}

func (r rule) unreachable() {
	if slices.Equal(policy.Strings(r.d, policy.PathUsers+".includeUsers"), []string{policy.WordNone}) && r.only(policy.PathUsers+".includeUsers") && !policy.ReachesWorkloads(r.d) && len(r.it.AllowUnknown) == 0 {
		r.warn(policy.PathUsers+".includeUsers", "None: the policy applies to nobody")
	}
	if slices.Equal(policy.Strings(r.d, policy.PathIncludeApplications), []string{policy.WordNone}) {
		r.warn(policy.PathIncludeApplications, "None: the policy applies to no application")
	}
	for _, c := range []struct{ path, bad string }{
		{"conditions.signInRiskLevels", "hidden"}, {"conditions.userRiskLevels", "hidden"}, {"conditions.userRiskLevels", "none"},
		{"conditions.servicePrincipalRiskLevels", "hidden"}, {"conditions.servicePrincipalRiskLevels", "none"},
	} {
		if slices.Contains(policy.Strings(r.d, c.path), c.bad) {
			r.warn(c.path, "%s is no level that a policy can ask for here", c.bad)
		}
	}
	if len(policy.Strings(r.d, "conditions.signInRiskLevels")) > 0 && len(policy.Strings(r.d, "conditions.userRiskLevels")) > 0 {
		r.warn("conditions.userRiskLevels", "a policy with both sign-in and user risk applies only when both are met; two policies are recommended")
	}
}

// workloads judges policies for workload identities.
func (r rule) workloads() {
	if !policy.Has(r.d, policy.PathWorkloads) {
		if len(policy.Strings(r.d, "conditions.servicePrincipalRiskLevels")) > 0 {
			r.warn("conditions.servicePrincipalRiskLevels", "the risk of workload identities needs clientApplications")
		}
		return
	}
	if policy.ForPeople(r.d) {
		r.warn(policy.PathWorkloads, "users and clientApplications stand together: a policy is for people or for workload identities")
	}
	for _, p := range []string{"signInRiskLevels", "userRiskLevels", "platforms", "devices"} {
		if policy.Has(r.d, "conditions."+p) {
			r.warn("conditions."+p, "%s says nothing of workload identities", p)
		}
	}
	if g := policy.Strings(r.d, policy.PathGrant); !slices.Equal(g, []string{"block"}) {
		r.warn("grantControls", "workload identities can only be blocked")
	}
}
