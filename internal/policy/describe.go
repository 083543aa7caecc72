package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Describe says in one sentence what an object in canonical form does, for a
// person who decides whether it may be made. What it does not put into words it
// counts, and never leaves out.
func Describe(kind entra.ObjectKind, d Canonical, n Names) string {
	switch kind {
	case entra.KindLocation:
		return describeLocation(d)
	case entra.KindStrength:
		return oneOf(Strings(d, "allowedCombinations"))
	}
	s := describeGrant(d, n)
	if ObjectAt(d, PathWorkloads) != nil {
		s += " for " + listed(d, PathWorkloads+".includeServicePrincipals", plainWorkloads, n)
		s += except(d, n, PathWorkloads+".excludeServicePrincipals")
	} else {
		s += " for " + describePeople(d, n)
	}
	s += describeTargets(d, n)
	if c := describeConditions(d, n); len(c) > 0 {
		s += ", if " + strings.Join(c, " and ")
	}
	if c := describeSession(d); len(c) > 0 {
		s += "; " + strings.Join(c, ", ")
	}
	return s
}

func describeLocation(d Canonical) string {
	var parts []string
	for _, r := range ListAt(d, "ipRanges") {
		parts = append(parts, word(r, nil))
	}
	parts = append(parts, Strings(d, "countriesAndRegions")...)
	if d["includeUnknownCountriesAndRegions"] == true {
		parts = append(parts, "unknown countries")
	}
	s := ShortList(parts)
	if d["isTrusted"] == true {
		s += ", trusted"
	}
	return s
}

// The plain words for special ones.
var (
	plainControls = map[string]string{"mfa": "MFA", "compliantDevice": "a compliant device", "domainJoinedDevice": "a hybrid joined device",
		"approvedApplication": "an approved app", "compliantApplication": "an app with a protection policy", "passwordChange": "a password change",
		"riskRemediation": "risk remediation"}
	plainUsers        = map[string]string{WordAll: "all users", WordNone: "nobody", WordGuests: "guests"}
	plainExcepted     = map[string]string{WordGuests: "guests"}
	plainWorkloads    = map[string]string{WordOwnTenant: "all workload identities of the tenant"}
	plainApplications = map[string]string{WordAll: "all applications", WordNone: "no application"}
	plainActions      = map[string]string{"urn:user:registersecurityinfo": "registers security information", "urn:user:registerdevice": "registers a device"}
	plainPlatforms    = map[string]string{"all": "any", "*": "any"}
	plainLocations    = map[string]string{WordAll: "anywhere", WordAllTrusted: "trusted locations",
		LegacyTrustedIPs: "the MFA trusted addresses", CompliantNetwork: "compliant networks", "*": "anywhere"}
)

// shownNames is how many names a sentence takes before it counts the rest.
const shownNames = 4

// ShortList joins names, and counts those beyond the first few.
func ShortList(names []string) string {
	if len(names) <= shownNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shownNames-1], ", "), len(names)-shownNames+1)
}

func oneOf(names []string) string { return strings.Join(names, " or ") }

// listed names what a list holds, special words in plain ones.
func listed(d map[string]any, path string, plain map[string]string, n Names) string {
	var out []string
	for _, v := range ListAt(d, path) {
		s, is := v.(string)
		if !is {
			continue
		}
		if w, ok := plain[s]; ok {
			s = w
		}
		out = append(out, n.Name(s))
	}
	if len(out) > 1 {
		slices.SortFunc(out, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	}
	return ShortList(out)
}

func except(d map[string]any, n Names, paths ...string) string {
	var parts []string
	for _, p := range paths {
		if s := listed(d, p, plainExcepted, n); s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " except " + strings.Join(parts, ", ")
}

func describeGrant(d Canonical, n Names) string {
	var controls []string
	for _, c := range Strings(d, PathGrant) {
		switch w := plainControls[c]; {
		case c == "block":
			return "blocks access"
		case w != "":
			c = w
			fallthrough
		default:
			controls = append(controls, c)
		}
	}
	if id := TextAt(d, "grantControls.authenticationStrength.id"); id != "" {
		controls = append(controls, n.Name(id))
	}
	controls = append(controls, Strings(d, "grantControls.customAuthenticationFactors")...)
	for _, id := range Strings(d, "grantControls.termsOfUse") {
		controls = append(controls, "the terms "+n.Name(id))
	}
	if len(controls) == 0 {
		return "limits sessions"
	}
	joint := " or "
	if TextAt(d, "grantControls.operator") == "AND" {
		joint = " and "
	}
	return "requires " + strings.Join(controls, joint)
}

func describePeople(d Canonical, n Names) string {
	var who []string
	add := func(format, s string) {
		if s != "" {
			who = append(who, fmt.Sprintf(format, s))
		}
	}
	add("%s", listed(d, PathUsers+".includeUsers", plainUsers, n))
	add("members of %s", listed(d, PathUsers+".includeGroups", nil, n))
	if roles := Strings(d, PathUsers+".includeRoles"); len(roles) > shownNames {
		add("%s", fmt.Sprintf("holders of %d roles", len(roles)))
	} else {
		add("holders of %s", listed(d, PathUsers+".includeRoles", nil, n))
	}
	add("guests (%s)", TextAt(d, PathUsers+".includeGuestsOrExternalUsers.guestOrExternalUserTypes"))
	if len(who) == 0 {
		who = []string{"nobody"}
	}
	s := strings.Join(who, " and ") + except(d, n, PathUsers+".excludeUsers", PathUsers+".excludeGroups", PathUsers+".excludeRoles")
	if g := TextAt(d, PathUsers+".excludeGuestsOrExternalUsers.guestOrExternalUserTypes"); g != "" {
		s += " except guests (" + g + ")"
	}
	return s
}

func describeTargets(d Canonical, n Names) string {
	var what []string
	if s := listed(d, PathIncludeApplications, plainApplications, n); s != "" {
		what = append(what, "to "+s+except(d, n, PathApplications+".excludeApplications"))
	}
	if s := listed(d, PathApplications+".includeUserActions", plainActions, n); s != "" {
		what = append(what, "who "+s)
	}
	if s := listed(d, PathApplications+".includeAuthenticationContextClassReferences", nil, n); s != "" {
		what = append(what, "to authentication context "+s)
	}
	all := slices.Contains(Strings(d, PathIncludeApplications), WordAll)
	switch mode := TextAt(d, PathApplications+".applicationFilter.mode"); {
	case mode == "":
	case mode == "exclude" && len(what) > 0:
		what[0] += " except those that a filter matches"
	case mode == "exclude":
		what = append(what, "to the applications that a filter does not match")
	case !all: // all are more than what a filter adds
		what = append(what, "to the applications that a filter matches")
	}
	if len(what) == 0 {
		return ""
	}
	return " " + strings.Join(what, " and ")
}

func describeConditions(d Canonical, n Names) (out []string) {
	add := func(format string, v string) {
		if v != "" {
			out = append(out, fmt.Sprintf(format, v))
		}
	}
	add("the sign-in risk is %s", oneOf(Strings(d, "conditions.signInRiskLevels")))
	add("the user risk is %s", oneOf(Strings(d, "conditions.userRiskLevels")))
	add("the workload's risk is %s", oneOf(Strings(d, "conditions.servicePrincipalRiskLevels")))
	add("the insider risk is %s", strings.ReplaceAll(TextAt(d, "conditions.insiderRiskLevels"), ",", " or "))
	if clients := Strings(d, "conditions.clientAppTypes"); !slices.Equal(clients, []string{"all"}) {
		add("the client is %s", oneOf(clients))
	}
	sides := func(name, what, in, outside string, plain map[string]string) {
		if ObjectAt(d, "conditions."+name) == nil {
			return
		}
		upper := strings.ToUpper(name[:1]) + name[1:]
		included := listed(d, "conditions."+name+".include"+upper, plain, n)
		excluded := listed(d, "conditions."+name+".exclude"+upper, plain, n)
		switch {
		case excluded == "":
			add(what+" "+in+" %s", included)
		case included == plain["*"]:
			add(what+" "+outside+" %s", excluded)
		default:
			add(what+" "+in+" %s", included+" and "+outside+" "+excluded)
		}
	}
	sides("platforms", "the platform", "is", "is not", plainPlatforms)
	sides("locations", "it comes from", "", "outside", plainLocations)
	switch TextAt(d, "conditions.devices.deviceFilter.mode") {
	case "":
	case "exclude":
		add("the device does not match %s", "a filter")
	default:
		add("the device matches %s", "a filter")
	}
	add("it uses %s", strings.ReplaceAll(TextAt(d, "conditions.authenticationFlows.transferMethods"), ",", " or "))
	schema := SchemaOf(entra.KindPolicy).Lookup("conditions")
	for _, name := range SortedKeys(ObjectAt(d, "conditions")) {
		if m := schema.Lookup(name); m == nil || m.Beta {
			add("%s holds", name)
		}
	}
	for i, s := range out {
		out[i] = strings.ReplaceAll(s, "  ", " ")
	}
	return out
}

func describeSession(d Canonical) (out []string) {
	s := ObjectAt(d, "sessionControls")
	for _, name := range SortedKeys(s) {
		switch name {
		case "signInFrequency":
			if hours(ObjectAt(s, name)) == 0 {
				out = append(out, "signs in anew every time")
			} else {
				out = append(out, fmt.Sprintf("signs in anew every %s %s", string(raw(At(s, name+".value"))), TextAt(s, name+".type")))
			}
		case "persistentBrowser":
			out = append(out, "keeps browser sessions "+TextAt(s, name+".mode"))
		case "cloudAppSecurity":
			out = append(out, "app control "+TextAt(s, name+".cloudAppSecurityType"))
		case "secureSignInSession":
			out = append(out, "protects tokens")
		case "disableResilienceDefaults":
			out = append(out, "ends sessions in an outage")
		case "applicationEnforcedRestrictions":
			out = append(out, "restrictions of the application")
		default:
			out = append(out, name)
		}
	}
	return out
}
