package baseline

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// rules judges the composition of one object: what the service numbers and
// refuses is an error with that number, what is documented or was seen
// without a number is a warning.
func (l *loader) rules(it Item) {
	switch it.Kind {
	case entra.KindLocation:
		if n := len(policy.ListAt(it.Want, "ipRanges")); n > MaxRanges {
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

// rule is one policy under judgement. Session controls that are not enabled
// are absent from d already.
type rule struct {
	l  *loader
	it Item
	d  map[string]any
	// broken are the paths of what could not be read. A rule about the same block
	// is not applied: it would only tell the same mistake again.
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

func (r rule) applications() {
	included := policy.Strings(r.d, policy.PathIncludeApplications)
	actions := policy.Strings(r.d, policy.PathApplications+".includeUserActions")
	contexts := policy.Strings(r.d, policy.PathApplications+".includeAuthenticationContextClassReferences")
	if len(included)+len(actions)+len(contexts) == 0 && !policy.Has(r.d, policy.PathApplications+".applicationFilter") && !policy.Has(r.d, policy.PathWorkloads) && len(r.it.AllowUnknown) == 0 {
		r.fail(policy.PathApplications, "1011: the policy includes no application, user action or authentication context")
	}
	if len(included) > 0 && len(actions) > 0 {
		r.fail(policy.PathApplications+".includeUserActions", "1012: includeApplications and includeUserActions cannot stand together")
	}
	if len(contexts) > 0 && len(included)+len(actions) > 0 {
		r.warn(policy.PathApplications+".includeAuthenticationContextClassReferences", "authentication contexts stand instead of applications and user actions; exactly one of the three is expected")
	}
	if slices.Contains(included, policy.WordAll) && policy.TextAt(r.d, policy.PathApplications+".applicationFilter.mode") == "include" {
		r.warn(policy.PathApplications+".applicationFilter", "all applications are included already: the filter adds none")
	}
	if n := len(included) + len(policy.Strings(r.d, policy.PathApplications+".excludeApplications")); n > MaxApplications {
		r.warn(policy.PathApplications, "a policy names at most %d applications; these are %d", MaxApplications, n)
	}
	if slices.Contains(actions, "urn:user:registerdevice") {
		if len(policy.Strings(r.d, "grantControls.termsOfUse")) > 0 {
			r.warn("grantControls.termsOfUse", "the user action urn:user:registerdevice allows only mfa or an authentication strength, not terms of use")
		}
		if len(policy.Strings(r.d, policy.PathGrant)) == 0 && !policy.Has(r.d, "grantControls.authenticationStrength") && !r.keeps("grantControls") {
			r.warn("grantControls", "the user action urn:user:registerdevice needs mfa or an authentication strength")
		}
		for _, c := range policy.Strings(r.d, policy.PathGrant) {
			if c != "mfa" {
				r.warn(policy.PathGrant, "the user action urn:user:registerdevice allows only mfa or an authentication strength, not %s", c)
			}
		}
		if !slices.Equal(policy.Strings(r.d, "conditions.clientAppTypes"), []string{"all"}) {
			r.warn("conditions.clientAppTypes", "the user action urn:user:registerdevice needs clientAppTypes all")
		}
	}
}

func (r rule) people() {
	included := 0
	for _, list := range []string{"includeUsers", "includeGroups", "includeRoles"} {
		included += len(policy.Strings(r.d, policy.PathUsers+"."+list))
	}
	guests := policy.Has(r.d, policy.PathUsers+".includeGuestsOrExternalUsers")
	if included == 0 && !guests && !policy.ReachesWorkloads(r.d) {
		r.warn(policy.PathUsers, "the policy includes no user, group, role, guest or workload identity; the service expects at least one")
	}
	for _, side := range []string{"include", "exclude"} {
		if slices.Contains(policy.Strings(r.d, policy.PathUsers+"."+side+"Users"), policy.WordGuests) && policy.Has(r.d, policy.PathUsers+"."+side+"GuestsOrExternalUsers") {
			r.fail(policy.PathUsers+"."+side+"GuestsOrExternalUsers", "GuestsOrExternalUsers in %sUsers and the %sGuestsOrExternalUsers object cannot stand together; the service refuses the policy", side, side)
		}
	}
}

func (r rule) clients() {
	n := r.it.node.Get("conditions").Get("clientAppTypes")
	if n != nil && n.Kind == yamldoc.Sequence && saysNothing(n) { // null is absent
		r.fail("conditions.clientAppTypes", "1064: clientAppTypes must not be an empty list; leave it out for all")
	}
}

func (r rule) grants() {
	controls := policy.Strings(r.d, policy.PathGrant)
	strength := policy.Has(r.d, "grantControls.authenticationStrength")
	n := len(controls) + len(policy.Strings(r.d, "grantControls.termsOfUse")) + len(policy.Strings(r.d, "grantControls.customAuthenticationFactors"))
	if strength {
		n++
	}
	if n == 0 && !policy.Has(r.d, "sessionControls") && !r.keeps("grantControls") && !r.keeps("sessionControls") {
		r.warn("", "the policy has neither a grant control nor an enabled session control; the service needs one")
	}
	if n > 1 && policy.TextAt(r.d, "grantControls.operator") == "" {
		r.warn("grantControls", "operator is missing: AND or OR is needed with %d controls", n)
	}
	if slices.Contains(controls, "mfa") && strength {
		r.warn("grantControls.authenticationStrength", "mfa and an authentication strength cannot stand together")
	}
	switch {
	case !slices.Contains(controls, "block"):
	case n > 1:
		r.warn(policy.PathGrant, "block stands alone: it cannot be combined with another grant control")
	case policy.Has(r.d, "sessionControls"):
		r.warn(policy.PathGrant, "block stands alone: no session control has an effect beside it")
	}
	if slices.Contains(controls, "approvedApplication") {
		r.warn(policy.PathGrant, RetiredControl)
	}
	if !slices.Contains(controls, "riskRemediation") {
		return
	}
	if slices.Contains(controls, "passwordChange") {
		r.warn(policy.PathGrant, "passwordChange and riskRemediation cannot stand together")
	}
	if !strength || policy.TextAt(r.d, "grantControls.operator") != "AND" || policy.TextAt(r.d, "sessionControls.signInFrequency.frequencyInterval") != "everyTime" {
		r.warn(policy.PathGrant, "riskRemediation goes with an authentication strength, the operator AND and a signInFrequency of everyTime")
	}
}

// RetiredControl says what is wrong with a control that the service retired.
const RetiredControl = "approvedApplication is retired: policies that use it can no longer be created or changed; use compliantApplication"

func (r rule) keeps(path string) bool { return slices.Contains(r.it.Unmanaged, path) }

func (r rule) passwordChange() {
	if !slices.Contains(policy.Strings(r.d, policy.PathGrant), "passwordChange") {
		return
	}
	const who = "passwordChange "
	if !slices.Contains(policy.Strings(r.d, policy.PathGrant), "mfa") && !policy.Has(r.d, "grantControls.authenticationStrength") || policy.TextAt(r.d, "grantControls.operator") != "AND" {
		r.warn("grantControls", who+"must stand with mfa and the operator AND")
	}
	if len(policy.Strings(r.d, "conditions.userRiskLevels")) == 0 {
		r.warn("conditions", who+"needs userRiskLevels")
	}
	if !slices.Equal(policy.Strings(r.d, policy.PathIncludeApplications), []string{policy.WordAll}) || len(policy.Strings(r.d, policy.PathApplications+".excludeApplications")) > 0 {
		r.warn(policy.PathApplications, who+"needs all applications, without an exclusion")
	}
	for _, c := range policy.FurtherConditions(r.d) {
		if c != "userRiskLevels" {
			r.warn("conditions."+c, who+"allows no condition but userRiskLevels")
		}
	}
	if policy.TextAt(r.d, "sessionControls.signInFrequency.frequencyInterval") != "everyTime" {
		r.warn("sessionControls", who+"needs a signInFrequency of everyTime")
	}
}

func (r rule) session() {
	const freq = "sessionControls.signInFrequency"
	if policy.Has(r.d, freq) {
		r.frequency(freq)
	}
	if policy.Has(r.d, "sessionControls.persistentBrowser") {
		if !slices.Equal(policy.Strings(r.d, policy.PathIncludeApplications), []string{policy.WordAll}) {
			r.warn("sessionControls.persistentBrowser", "a persistent browser session needs all applications")
		}
		if policy.TextAt(r.d, "sessionControls.persistentBrowser.mode") == "" {
			r.warn("sessionControls.persistentBrowser", "mode is missing")
		}
	}
	if policy.Has(r.d, "sessionControls.cloudAppSecurity") && policy.TextAt(r.d, "sessionControls.cloudAppSecurity.cloudAppSecurityType") == "" {
		r.warn("sessionControls.cloudAppSecurity", "cloudAppSecurityType is missing")
	}
	for _, name := range []string{"applicationEnforcedRestrictions", "cloudAppSecurity", "persistentBrowser", "secureSignInSession", "signInFrequency"} {
		n := r.it.node.Get("sessionControls").Get(name)
		if n != nil && len(n.Keys) > 0 && n.Get("isEnabled") == nil {
			r.warn("sessionControls."+name, "isEnabled is missing: the control counts as absent")
		}
	}
}

func (r rule) frequency(freq string) {
	if policy.TextAt(r.d, freq+".frequencyInterval") == "everyTime" {
		for _, name := range []string{"applicationEnforcedRestrictions", "disableResilienceDefaults"} {
			if policy.Has(r.d, "sessionControls."+name) {
				r.warn("sessionControls."+name, "%s cannot stand with a signInFrequency of everyTime", name)
			}
		}
		return
	}
	if a := policy.TextAt(r.d, freq+".authenticationType"); a != "primaryAndSecondaryAuthentication" {
		r.fail(freq+".authenticationType", "1104: a signInFrequency by time supports only primaryAndSecondaryAuthentication, not %s", a)
	}
	unit := policy.TextAt(r.d, freq+".type")
	number, _ := policy.At(r.d, freq+".value").(json.Number)
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
	if !policy.BlocksEveryone(r.d, nil) {
		if r.it.AcceptLockout {
			r.warn("acceptLockout", "acceptLockout is not needed: the policy does not block all users on all applications")
		}
		return
	}
	what := "the policy " + policy.LockoutText(r.d, nil) + "; "
	switch {
	case r.it.AcceptLockout:
	case policy.TextAt(r.d, "state") == policy.StateEnabled:
		r.fail(policy.PathGrant, "%s", what+"say acceptLockout: true if that is meant")
	default:
		r.warn(policy.PathGrant, "%s", what+"enabling it will need acceptLockout: true")
	}
}
