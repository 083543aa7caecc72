package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// ForPeople reports whether a policy may hold for somebody: it has conditions on
// users, and does not say that it includes none of them and workload
// identities instead. An include that this version does not know may mean people.
func ForPeople(d map[string]any) bool {
	conditions := ObjectAt(d, PathUsers)
	if conditions == nil {
		return false
	}
	if !ReachesWorkloads(d) {
		return true
	}
	for name, v := range conditions {
		if !strings.HasPrefix(name, "include") || isNothing(v) {
			continue
		}
		if name != "includeUsers" || !slices.Equal(Strings(d, PathUsers+".includeUsers"), []string{WordNone}) {
			return true
		}
	}
	return false
}

// Enabled reports whether a policy is in force.
func Enabled(d map[string]any) bool { return TextAt(d, "state") == StateEnabled }

// Effect is the hash of a policy without its texts.
func Effect(d Canonical) string {
	d = maps.Clone(d)
	delete(d, "displayName")
	delete(d, "description")
	return d.Hash()
}

// Where the conditions and controls stand that most judgements ask for.
const (
	PathApplications        = "conditions.applications"
	PathIncludeApplications = "conditions.applications.includeApplications"
	PathUsers               = "conditions.users"
	PathWorkloads           = "conditions.clientApplications"
	PathGrant               = "grantControls.builtInControls"
)

// ReachesWorkloads reports whether a policy includes workload identities.
func ReachesWorkloads(d map[string]any) bool {
	included := Strings(d, PathWorkloads+".includeServicePrincipals")
	return len(Minus(included, []string{WordNone})) > 0 || Has(d, PathWorkloads+".servicePrincipalFilter")
}

// LockoutText says what a policy blocks that blocks everyone, and what it
// leaves out without being judged milder for it. Who is spared is not counted.
func LockoutText(d map[string]any, spared func(id string) bool) string {
	left := func(path, one, many string) (out []string) {
		ids := 0
		for _, s := range Strings(d, path) {
			switch {
			case s == WordGuests:
				out = append(out, "guests")
			case one == "application" && !entra.IsID(s): // a name, or a word such as Office365
				out = append(out, s)
			case spared == nil || !spared(s):
				ids++
			}
		}
		switch {
		case ids == 1:
			out = append(out, "1 "+one)
		case ids > 1:
			out = append(out, fmt.Sprintf("%d %s", ids, many))
		}
		return out
	}
	people := slices.Concat(left(PathUsers+".excludeUsers", "user", "users"), left(PathUsers+".excludeGroups", "group", "groups"), left(PathUsers+".excludeRoles", "role", "roles"))
	if Has(d, PathUsers+".excludeGuestsOrExternalUsers") {
		people = append(people, "kinds of guest")
	}
	but := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return " but " + ShortList(list)
	}
	targets := left(PathApplications+".excludeApplications", "application", "applications")
	if TextAt(d, PathApplications+".applicationFilter.mode") == "exclude" {
		targets = append(targets, "those of a filter")
	}
	s := "blocks all users" + but(people) + " on all applications" + but(targets) + " without a further condition"
	if len(people)+len(targets) > 0 {
		s += " (what it leaves out is not counted: for all others nothing is left)"
	}
	return s
}

// BlocksEveryone reports whether a policy blocks all users on all applications
// without a further condition. Exclusions of single users do not count: they
// are what is left. A block everywhere but at trusted locations is one without
// a condition while no location is trusted; trusted is nil where that is not
// known.
func BlocksEveryone(d map[string]any, trusted *bool) bool {
	if !slices.Contains(Strings(d, PathGrant), "block") || !slices.Contains(Strings(d, PathIncludeApplications), WordAll) ||
		!slices.Contains(Strings(d, PathUsers+".includeUsers"), WordAll) {
		return false
	}
	for _, c := range FurtherConditions(d) {
		if c == "locations" && trusted != nil && !*trusted && slices.Contains(Strings(d, "conditions.locations.includeLocations"), WordAll) &&
			slices.Equal(Strings(d, "conditions.locations.excludeLocations"), []string{WordAllTrusted}) {
			continue
		}
		return false
	}
	return true
}

// FurtherConditions names the conditions besides applications and users that
// narrow a policy. One that takes everything in does not.
func FurtherConditions(d map[string]any) []string {
	var out []string
	c := ObjectAt(d, "conditions")
	everything := map[string]bool{
		"applications": true, "users": true,
		"clientAppTypes":   takesAll(Strings(c, "clientAppTypes"), "all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other"),
		"platforms":        !Has(c, "platforms.excludePlatforms") && takesAll(Strings(c, "platforms.includePlatforms"), "all"),
		"locations":        !Has(c, "locations.excludeLocations") && takesAll(Strings(c, "locations.includeLocations"), WordAll),
		"signInRiskLevels": takesAll(Strings(c, "signInRiskLevels"), "", "low", "medium", "high", "none"),
		"userRiskLevels":   takesAll(Strings(c, "userRiskLevels"), "", "low", "medium", "high", "none"),
	}
	schema := SchemaOf(entra.KindPolicy).Lookup("conditions")
	for name := range c {
		// Of a condition that we do not know nobody can say that it narrows.
		if m := schema.Lookup(name); m != nil && !m.Beta && !everything[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// takesAll reports whether a list holds the word for everything, or everything
// one by one.
func takesAll(list []string, word string, each ...string) bool {
	if word != "" && slices.Contains(list, word) {
		return true
	}
	return len(each) > 0 && Subset(each, list)
}
