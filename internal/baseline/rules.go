package baseline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// rules judges the composition of one object: what the service numbers and
// refuses is an error with that number, what is documented or was seen
// without a number is a warning.
func (l *loader) rules(it Item) {
	switch it.Kind {
	case entra.KindLocation:
		if n := len(strsOrObjects(it.Want, "ipRanges")); n > MaxRanges {
			l.Add(node(it, "ipRanges"), "a named location holds at most %d ranges; these are %d", MaxRanges, n)
		}
	case entra.KindPolicy:
		r := rule{l: l, it: it, d: it.Want, broken: l.brokenPaths(it)}
		r.applications()
		r.people()
		r.clients()
		r.grants()
		r.passwordChange()
		r.session()
		r.contradictions()
		r.lockout()
	}
}

func strsOrObjects(d map[string]any, path string) []any {
	items, _ := at(d, path).([]any)
	return items
}

// rule is one policy under judgement. Session controls that are not enabled
// are absent from d already.
type rule struct {
	l  *loader
	it Item
	d  map[string]any
	// broken are the paths of what could not be read. A rule about the same
	// block says nothing: it might only be that mistake once more.
	broken []string
}

func (r rule) fail(path, format string, args ...any) {
	if !r.disturbed(path) {
		r.l.Add(node(r.it, path), format, args...)
	}
}

// warn says nothing while anything is broken: what looks odd may be what could
// not be read.
func (r rule) warn(path, format string, args ...any) {
	if len(r.broken) == 0 {
		r.l.Warn(node(r.it, path), format, args...)
	}
}

// brokenPaths are the places within an item that have a mistake already.
func (l *loader) brokenPaths(it Item) (out []string) {
	root := it.node.Path
	for _, p := range l.Problems().Errors() {
		if rest, ok := strings.CutPrefix(p.Path, root); ok && p.File == it.node.File && (root == "" || rest == "" || rest[0] == '.') {
			out = append(out, strings.TrimPrefix(rest, "."))
		}
	}
	return out
}

// disturbed reports whether the block that a path is in has a mistake, or is
// absent where the object around it has one.
func (r rule) disturbed(path string) bool {
	names := strings.Split(path, ".")
	block := names[0]
	if block == "conditions" && len(names) > 1 {
		block += "." + names[1]
	}
	around, _, _ := strings.Cut(block, ".")
	if around == block {
		around = ""
	}
	absent := node(r.it, block) == node(r.it, around)
	return slices.ContainsFunc(r.broken, func(b string) bool {
		if b == block || strings.HasPrefix(b, block+".") || strings.HasPrefix(b, block+"[") {
			return true
		}
		parent := ""
		if i := strings.LastIndex(b, "."); i > 0 {
			parent = b[:i]
		}
		return absent && (b == "" || b == around || parent == around)
	})
}

const (
	apps    = "conditions.applications"
	incApps = "conditions.applications.includeApplications"
	users   = "conditions.users"
	spns    = "conditions.clientApplications"
	grant   = "grantControls.builtInControls"
)

func (r rule) applications() {
	included := strs(r.d, incApps)
	actions := strs(r.d, apps+".includeUserActions")
	contexts := strs(r.d, apps+".includeAuthenticationContextClassReferences")
	if len(included)+len(actions)+len(contexts) == 0 && !has(r.d, apps+".applicationFilter") && !has(r.d, spns) && len(r.it.AllowUnknown) == 0 {
		r.fail(apps, "1011: the policy includes no application, user action or authentication context")
	}
	if len(included) > 0 && len(actions) > 0 {
		r.fail(apps+".includeUserActions", "1012: includeApplications and includeUserActions cannot stand together")
	}
	if len(contexts) > 0 && len(included)+len(actions) > 0 {
		r.warn(apps+".includeAuthenticationContextClassReferences", "authentication contexts stand instead of applications and user actions; exactly one of the three is expected")
	}
	if slices.Contains(included, entra.WordAll) && text(r.d, apps+".applicationFilter.mode") == "include" {
		r.warn(apps+".applicationFilter", "all applications are included already: the filter adds none")
	}
	if n := len(included) + len(strs(r.d, apps+".excludeApplications")); n > MaxApplications {
		r.warn(apps, "a policy names at most %d applications; these are %d", MaxApplications, n)
	}
	if slices.Contains(actions, "urn:user:registerdevice") {
		for _, c := range strs(r.d, grant) {
			if c != "mfa" {
				r.warn(grant, "the user action urn:user:registerdevice allows only mfa or an authentication strength, not %s", c)
			}
		}
		if !slices.Equal(strs(r.d, "conditions.clientAppTypes"), []string{"all"}) {
			r.warn("conditions.clientAppTypes", "the user action urn:user:registerdevice needs clientAppTypes all")
		}
	}
}

func (r rule) people() {
	included := 0
	for _, list := range []string{"includeUsers", "includeGroups", "includeRoles"} {
		included += len(strs(r.d, users+"."+list))
	}
	guests := has(r.d, users+".includeGuestsOrExternalUsers")
	if included == 0 && !guests && !r.reachesWorkloads() {
		r.warn(users, "the policy includes no user, group, role, guest or workload identity; the service expects at least one")
	}
	for _, side := range []string{"include", "exclude"} {
		if slices.Contains(strs(r.d, users+"."+side+"Users"), entra.WordGuests) && has(r.d, users+"."+side+"GuestsOrExternalUsers") {
			r.fail(users+"."+side+"GuestsOrExternalUsers", "GuestsOrExternalUsers in %sUsers and the %sGuestsOrExternalUsers object cannot stand together; the service refuses the policy", side, side)
		}
	}
}

// reachesWorkloads reports whether a policy includes workload identities.
func (r rule) reachesWorkloads() bool { return reachesWorkloads(r.d) }

func reachesWorkloads(d entra.Document) bool {
	included := strs(d, spns+".includeServicePrincipals")
	return len(minus(included, []string{entra.WordNone})) > 0 || has(d, spns+".servicePrincipalFilter")
}

func (r rule) clients() {
	n := r.it.node.Get("conditions").Get("clientAppTypes")
	if n != nil && n.Kind == yamldoc.Sequence && saysNothing(n) { // null is absent
		r.fail("conditions.clientAppTypes", "1064: clientAppTypes must not be an empty list; leave it out for all")
	}
}

func (r rule) grants() {
	controls := strs(r.d, grant)
	strength := has(r.d, "grantControls.authenticationStrength")
	n := len(controls) + len(strs(r.d, "grantControls.termsOfUse")) + len(strs(r.d, "grantControls.customAuthenticationFactors"))
	if strength {
		n++
	}
	if n == 0 && !has(r.d, "sessionControls") && !r.keeps("grantControls") && !r.keeps("sessionControls") {
		r.warn("", "the policy has neither a grant control nor an enabled session control; the service needs one")
	}
	if n > 1 && text(r.d, "grantControls.operator") == "" {
		r.warn("grantControls", "operator is missing: AND or OR is needed with %d controls", n)
	}
	if slices.Contains(controls, "mfa") && strength {
		r.warn("grantControls.authenticationStrength", "mfa and an authentication strength cannot stand together")
	}
	if slices.Contains(controls, "block") && (n > 1 || has(r.d, "sessionControls")) {
		r.warn(grant, "block stands alone: no other grant or session control has an effect beside it")
	}
	if slices.Contains(controls, "approvedApplication") {
		r.warn(grant, retired)
	}
	if !slices.Contains(controls, "riskRemediation") {
		return
	}
	if slices.Contains(controls, "passwordChange") {
		r.warn(grant, "passwordChange and riskRemediation cannot stand together")
	}
	if !strength || text(r.d, "grantControls.operator") != "AND" || text(r.d, "sessionControls.signInFrequency.frequencyInterval") != "everyTime" {
		r.warn(grant, "riskRemediation goes with an authentication strength, the operator AND and a signInFrequency of everyTime")
	}
}

const retired = "approvedApplication is retired: policies that use it can no longer be created or changed; use compliantApplication"

func (r rule) keeps(path string) bool { return slices.Contains(r.it.Unmanaged, path) }

func (r rule) passwordChange() {
	if !slices.Contains(strs(r.d, grant), "passwordChange") {
		return
	}
	const who = "passwordChange "
	if !slices.Contains(strs(r.d, grant), "mfa") && !has(r.d, "grantControls.authenticationStrength") || text(r.d, "grantControls.operator") != "AND" {
		r.warn("grantControls", who+"must stand with mfa and the operator AND")
	}
	if len(strs(r.d, "conditions.userRiskLevels")) == 0 {
		r.warn("conditions", who+"needs userRiskLevels")
	}
	if !slices.Equal(strs(r.d, incApps), []string{entra.WordAll}) || len(strs(r.d, apps+".excludeApplications")) > 0 {
		r.warn(apps, who+"needs all applications, without an exclusion")
	}
	for _, c := range furtherConditions(r.d) {
		if c != "userRiskLevels" {
			r.warn("conditions."+c, who+"allows no condition but userRiskLevels")
		}
	}
	if text(r.d, "sessionControls.signInFrequency.frequencyInterval") != "everyTime" {
		r.warn("sessionControls", who+"needs a signInFrequency of everyTime")
	}
}

func (r rule) session() {
	const freq = "sessionControls.signInFrequency"
	if has(r.d, freq) {
		r.frequency(freq)
	}
	if has(r.d, "sessionControls.persistentBrowser") {
		if !slices.Equal(strs(r.d, incApps), []string{entra.WordAll}) {
			r.warn("sessionControls.persistentBrowser", "a persistent browser session needs all applications")
		}
		if text(r.d, "sessionControls.persistentBrowser.mode") == "" {
			r.warn("sessionControls.persistentBrowser", "mode is missing")
		}
	}
	for _, name := range []string{"applicationEnforcedRestrictions", "cloudAppSecurity", "persistentBrowser", "secureSignInSession", "signInFrequency"} {
		n := r.it.node.Get("sessionControls").Get(name)
		if n != nil && len(n.Keys) > 0 && n.Get("isEnabled") == nil {
			r.warn("sessionControls."+name, "isEnabled is missing: the control counts as absent")
		}
	}
}

func (r rule) frequency(freq string) {
	if text(r.d, freq+".frequencyInterval") == "everyTime" {
		for _, name := range []string{"applicationEnforcedRestrictions", "disableResilienceDefaults"} {
			if has(r.d, "sessionControls."+name) {
				r.warn("sessionControls."+name, "%s cannot stand with a signInFrequency of everyTime", name)
			}
		}
		return
	}
	if a := text(r.d, freq+".authenticationType"); a != "primaryAndSecondaryAuthentication" {
		r.fail(freq+".authenticationType", "1104: a signInFrequency by time supports only primaryAndSecondaryAuthentication, not %s", a)
	}
	unit := text(r.d, freq+".type")
	number, _ := at(r.d, freq+".value").(json.Number)
	value, err := strconv.Atoi(string(number))
	most := map[string]int{"hours": 23, "days": 365}[unit]
	switch {
	case unit == "" || err != nil:
		r.warn(freq, "a signInFrequency by time needs type and value")
	case most > 0 && (value < 1 || value > most):
		r.warn(freq+".value", "a signInFrequency in %s goes from 1 to %d", unit, most)
	}
}

// lockout judges a policy that blocks everybody from everything.
func (r rule) lockout() {
	if len(r.broken) > 0 {
		return // what is broken may be what narrows it
	}
	if !blocksEveryone(r.d, nil) {
		if r.it.AcceptLockout {
			r.warn("acceptLockout", "acceptLockout is not needed: the policy does not block all users on all applications")
		}
		return
	}
	what := "the policy " + lockoutText(r.d, nil) + "; "
	switch {
	case r.it.AcceptLockout:
	case text(r.d, "state") == entra.PolicyEnabled:
		r.fail(grant, "%s", what+"say acceptLockout: true if that is meant")
	default:
		r.warn(grant, "%s", what+"enabling it will need acceptLockout: true")
	}
}

// lockoutText says what a policy blocks that blocks everyone, and what it
// leaves out without being judged milder for it. Who is spared is not counted.
func lockoutText(d map[string]any, spared func(id string) bool) string {
	left := func(path, one, many string) (out []string) {
		ids := 0
		for _, s := range strs(d, path) {
			switch {
			case s == entra.WordGuests:
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
	people := slices.Concat(left(users+".excludeUsers", "user", "users"), left(users+".excludeGroups", "group", "groups"), left(users+".excludeRoles", "role", "roles"))
	if has(d, users+".excludeGuestsOrExternalUsers") {
		people = append(people, "kinds of guest")
	}
	but := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return " but " + few(list)
	}
	targets := left(apps+".excludeApplications", "application", "applications")
	if text(d, apps+".applicationFilter.mode") == "exclude" {
		targets = append(targets, "those of a filter")
	}
	s := "blocks all users" + but(people) + " on all applications" + but(targets) + " without a further condition"
	if len(people)+len(targets) > 0 {
		s += " (what it leaves out is not counted: for all others nothing is left)"
	}
	return s
}

// blocksEveryone reports whether a policy blocks all users on all applications
// without a further condition. Exclusions of single users do not count: they
// are what is left. A block everywhere but at trusted locations is one without
// a condition while no location is trusted; trusted is nil where that is not
// known.
func blocksEveryone(d map[string]any, trusted *bool) bool {
	if !slices.Contains(strs(d, grant), "block") || !slices.Contains(strs(d, incApps), entra.WordAll) ||
		!slices.Contains(strs(d, users+".includeUsers"), entra.WordAll) {
		return false
	}
	for _, c := range furtherConditions(d) {
		if c == "locations" && trusted != nil && !*trusted && slices.Contains(strs(d, "conditions.locations.includeLocations"), entra.WordAll) &&
			slices.Equal(strs(d, "conditions.locations.excludeLocations"), []string{entra.WordAllTrusted}) {
			continue
		}
		return false
	}
	return true
}

// furtherConditions names the conditions besides applications and users that
// narrow a policy. One that takes everything in does not.
func furtherConditions(d map[string]any) []string {
	var out []string
	c := obj(d, "conditions")
	everything := map[string]bool{
		"applications": true, "users": true,
		"clientAppTypes":   takesAll(strs(c, "clientAppTypes"), "all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other"),
		"platforms":        !has(c, "platforms.excludePlatforms") && takesAll(strs(c, "platforms.includePlatforms"), "all"),
		"locations":        !has(c, "locations.excludeLocations") && takesAll(strs(c, "locations.includeLocations"), entra.WordAll),
		"signInRiskLevels": takesAll(strs(c, "signInRiskLevels"), "", "low", "medium", "high", "none"),
		"userRiskLevels":   takesAll(strs(c, "userRiskLevels"), "", "low", "medium", "high", "none"),
	}
	schema := entra.SchemaOf(entra.KindPolicy).Lookup("conditions")
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
	return len(each) > 0 && subset(each, list)
}
