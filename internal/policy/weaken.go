package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Weakening says in what an enabled policy would hold for less or demand less
// than before: its state lowered, its controls weakened, what it includes
// narrowed, exclusions added beyond those that isBreakGlass tells. What cannot be compared
// counts as weaker.
func Weakening(before, want Canonical, isBreakGlass func(id string) bool) []string {
	var out []string
	if !Enabled(want) {
		out = append(out, fmt.Sprintf("state becomes %s", want.Text("state")))
	}
	out = append(out, weakerGrant(ObjectAt(before, "grantControls"), ObjectAt(want, "grantControls"))...)
	out = append(out, weakerSession(ObjectAt(before, "sessionControls"), ObjectAt(want, "sessionControls"))...)
	out = append(out, narrower(before, want, isBreakGlass)...)
	schema := SchemaOf(entra.KindPolicy)
	for _, name := range SortedKeys(union(before, want)) {
		if schema.Lookup(name) == nil && !reflect.DeepEqual(before[name], want[name]) {
			out = append(out, name+" is unknown and changes")
		}
	}
	return out
}

// ways are the sets of controls that a grant is content with.
func ways(g map[string]any) [][]string {
	var each []string
	for _, list := range []string{"builtInControls", "customAuthenticationFactors", "termsOfUse"} {
		each = append(each, Strings(g, list)...)
	}
	if id := TextAt(g, "authenticationStrength.id"); id != "" {
		each = append(each, "strength "+id)
	}
	if TextAt(g, "operator") == "AND" {
		return [][]string{each}
	}
	var out [][]string
	for _, c := range each {
		out = append(out, []string{c})
	}
	return out
}

// implied are the demands that fulfilling a control fulfils too.
func implied(control string) []string {
	switch control {
	case "strength " + StrengthPhishingResistant:
		return []string{control, "strength " + StrengthPasswordless, "strength " + StrengthMFA, "mfa"}
	case "strength " + StrengthPasswordless:
		return []string{control, "strength " + StrengthMFA, "mfa"}
	case "strength " + StrengthMFA:
		return []string{control, "mfa"}
	}
	return []string{control}
}

// weakerGrant reports a grant that can be fulfilled in a way that the one
// before would not have taken.
func weakerGrant(before, want map[string]any) []string {
	demanded := ways(before)
	if len(demanded) == 0 {
		return unknownMembers("grantControls", SchemaOf(entra.KindPolicy).Lookup("grantControls"), before, want)
	}
	var out []string
	offered := ways(want)
	if len(offered) == 0 {
		out = append(out, "its grant controls are removed")
	}
	for _, way := range offered {
		if slices.Contains(way, "block") {
			continue // nobody gets in this way
		}
		var has []string
		for _, c := range way {
			has = append(has, implied(c)...)
		}
		if !slices.ContainsFunc(demanded, func(d []string) bool { return Subset(d, has) }) {
			out = append(out, "access is granted for "+strings.Join(way, " and ")+" alone")
		}
	}
	return append(out, unknownMembers("grantControls", SchemaOf(entra.KindPolicy).Lookup("grantControls"), before, want)...)
}

func unknownMembers(path string, m *Member, before, want map[string]any) []string {
	var out []string
	for _, name := range SortedKeys(union(before, want)) {
		if k := m.Lookup(name); (k == nil || k.Beta) && !reflect.DeepEqual(before[name], want[name]) {
			out = append(out, Join(path, name)+" is unknown and changes")
		}
	}
	return out
}

// weakerSession reports session controls that are gone or milder.
func weakerSession(before, want map[string]any) []string {
	var out []string
	for _, name := range SortedKeys(union(before, want)) {
		a, b := before[name], want[name]
		if reflect.DeepEqual(a, b) || stricterSession(name, a, b) {
			continue
		}
		if b == nil {
			out = append(out, "sessionControls."+name+" is removed")
		} else {
			out = append(out, "sessionControls."+name+" is not stricter than before")
		}
	}
	return out
}

// stricterSession reports whether a session control surely holds more than
// before.
func stricterSession(name string, a, b any) bool {
	bm, _ := b.(map[string]any)
	switch name {
	case "disableResilienceDefaults":
		return b == true
	case "applicationEnforcedRestrictions", "secureSignInSession":
		return a == nil && b != nil
	case "cloudAppSecurity":
		return a == nil || TextAt(bm, "cloudAppSecurityType") == "blockDownloads"
	case "persistentBrowser":
		return TextAt(bm, "mode") == "never"
	case "signInFrequency":
		am, _ := a.(map[string]any)
		x, y := hours(am), hours(bm)
		return y >= 0 && (am == nil || x > y) && (am == nil || TextAt(am, "authenticationType") == TextAt(bm, "authenticationType"))
	}
	return false
}

// hours is how long a sign-in lasts; 0 is every time, -1 not known.
func hours(f map[string]any) int64 {
	if TextAt(f, "frequencyInterval") == "everyTime" {
		return 0
	}
	n, _ := At(f, "value").(json.Number)
	v, err := n.Int64()
	switch unit := TextAt(f, "type"); {
	case err != nil || v <= 0:
		return -1
	case unit == "hours":
		return v
	case unit == "days":
		return 24 * v
	}
	return -1
}

// wide are the words that stand for everything in a list of what is included.
var wide = []string{WordAll, "all", WordOwnTenant}

// narrower reports conditions that let fewer sign-ins be held by the policy.
func narrower(before, want Canonical, isBreakGlass func(id string) bool) []string {
	b, w := ObjectAt(before, "conditions"), ObjectAt(want, "conditions")
	var out []string
	for _, name := range SortedKeys(union(b, w)) {
		if reflect.DeepEqual(b[name], w[name]) {
			continue
		}
		path := "conditions." + name
		switch name {
		case "applications", "users", "clientApplications":
			bm, _ := b[name].(map[string]any)
			wm, _ := w[name].(map[string]any)
			out = append(out, narrowerLists(path, bm, wm, isBreakGlass, false)...)
		case "platforms", "locations":
			bm, _ := b[name].(map[string]any)
			wm, _ := w[name].(map[string]any)
			if wm != nil {
				out = append(out, narrowerLists(path, bm, wm, isBreakGlass, true)...)
			}
		case "clientAppTypes", "signInRiskLevels", "userRiskLevels", "servicePrincipalRiskLevels":
			if bl, wl := Strings(b, name), Strings(w, name); len(wl) > 0 && !slices.Contains(wl, "all") && (len(bl) == 0 || !Subset(bl, wl)) {
				out = append(out, path+" takes in less")
			}
		case "insiderRiskLevels":
			if TextAt(w, name) != "" && !Subset(strings.Split(TextAt(b, name), ","), strings.Split(TextAt(w, name), ",")) {
				out = append(out, path+" takes in less")
			}
		case "authenticationFlows":
			methods := func(m map[string]any) []string {
				return strings.Split(TextAt(m, "authenticationFlows.transferMethods"), ",")
			}
			if w[name] != nil && !Subset(methods(b), methods(w)) {
				out = append(out, path+" takes in less")
			}
		default: // devices, and what we do not know
			if w[name] != nil || SchemaOf(entra.KindPolicy).At(path) == nil {
				out = append(out, path+" may take in less")
			}
		}
	}
	return out
}

// narrowerLists judges the include and exclude members of one condition. With
// open, an absent condition took in everything.
func narrowerLists(path string, b, w map[string]any, isBreakGlass func(id string) bool, open bool) []string {
	var out []string
	everybody := slices.Contains(Strings(w, "includeUsers"), WordAll)
	for _, name := range SortedKeys(union(b, w)) {
		if reflect.DeepEqual(b[name], w[name]) || everybody && strings.HasPrefix(name, "include") {
			continue
		}
		p, bl, wl := Join(path, name), Strings(b, name), Strings(w, name)
		_, isList := cmp.Or(b[name], w[name]).([]any)
		switch {
		case strings.HasPrefix(name, "include") && isList:
			all := slices.ContainsFunc(wl, func(v string) bool { return slices.Contains(wide, v) })
			if lost := Minus(bl, append([]string{WordNone}, wl...)); !all && (len(lost) > 0 || open && b == nil) {
				out = append(out, p+" takes in less")
			}
		case strings.HasPrefix(name, "exclude") && isList:
			more := slices.DeleteFunc(Minus(wl, bl), isBreakGlass)
			if len(more) > 0 {
				out = append(out, fmt.Sprintf("%s excludes %d more", p, len(more)))
			}
		case name == "includeGuestsOrExternalUsers":
			if !guestsWithin(b[name], w[name]) {
				out = append(out, p+" takes in less")
			}
		case name == "excludeGuestsOrExternalUsers":
			if !guestsWithin(w[name], b[name]) {
				out = append(out, p+" excludes more")
			}
		default: // filters, and what we do not know
			out = append(out, p+" may take in less")
		}
	}
	return out
}

// guestsWithin reports whether the guests of a are surely among those of b.
func guestsWithin(a, b any) bool {
	am, _ := a.(map[string]any)
	bm, _ := b.(map[string]any)
	if am == nil {
		return true
	}
	if bm == nil || !Subset(strings.Split(TextAt(am, "guestOrExternalUserTypes"), ","), strings.Split(TextAt(bm, "guestOrExternalUserTypes"), ",")) {
		return false
	}
	if reflect.DeepEqual(am["externalTenants"], bm["externalTenants"]) || TextAt(bm, "externalTenants.membershipKind") == "all" {
		return true
	}
	return Has(am, "externalTenants.members") && Has(bm, "externalTenants.members") &&
		Subset(Strings(am, "externalTenants.members"), Strings(bm, "externalTenants.members"))
}
