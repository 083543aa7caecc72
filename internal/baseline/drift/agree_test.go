package drift_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// members is a policy as it is written and as it is sent.
type members = map[string]any

// change sets members of a policy: each is a path and a value as JSON; an
// empty value takes the member away.
type change [][2]string

func (c change) to(p members) members {
	for _, s := range c {
		o := p
		names := strings.Split(s[0], ".")
		for _, n := range names[:len(names)-1] {
			next, ok := o[n].(members)
			if !ok {
				next = members{}
				o[n] = next
			}
			o = next
		}
		last := names[len(names)-1]
		if s[1] == "" {
			delete(o, last)
			continue
		}
		var v any
		if err := json.Unmarshal([]byte(s[1]), &v); err != nil {
			panic(s[1])
		}
		o[last] = v
	}
	return p
}

func plainPolicy() members {
	return change{{"displayName", `"P"`}, {"state", `"disabled"`}, {"conditions.applications.includeApplications", `["All"]`},
		{"conditions.users.includeUsers", `["All"]`}, {"grantControls", `{"operator": "OR", "builtInControls": ["mfa"]}`}}.to(members{})
}

// verdict is what the offline rules say of a policy.
type verdict struct {
	errors, warnings []string
}

func (v verdict) String() string {
	return fmt.Sprintf("errors %q, warnings %q", v.errors, v.warnings)
}

func offline(p members) verdict {
	data, err := json.Marshal(members{"policies": []any{p}})
	if err != nil {
		panic(err)
	}
	var v verdict
	_, problems := baseline.Parse("p.json", data)
	for _, e := range problems.Errors() {
		v.errors = append(v.errors, e.Message)
	}
	for _, w := range problems.Warnings() {
		v.warnings = append(v.warnings, w.Message)
	}
	return v
}

// post sends a policy to a fresh simulated tenant and gives its refusal.
func post(fatal func(...any), p members) string {
	s := newSimulated(fatal)
	data, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	_, refused := s.w.Serve(&wire.Request{Method: http.MethodPost, Path: paths[entra.KindPolicy], Query: url.Values{}, Header: http.Header{}, Now: s.now, Root: "http://127.0.0.1/v1.0",
		URL: &url.URL{Path: "/v1.0"}, UnknownEnums: true, Roles: []string{"Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"}, Body: data})
	if refused == nil {
		return ""
	}
	return refused.Message
}

var numberOf = regexp.MustCompile(`^\d{4}: `)

// advice are warnings of what the service takes, and a person may still not
// mean: they say nothing of a refusal.
var advice = []string{
	"the policy blocks all users", "enabling it will need acceptLockout", "has an effect beside it", "needs a signInFrequency of everyTime",
	"riskRemediation goes with", "passwordChange and riskRemediation", "isEnabled is missing", "enabling needs at least", "the filter adds none",
	"applies to nobody", "applies to no application", "never applies", "is not needed", "says nothing of workload identities",
	"workload identities can only be blocked", "are included already", "stands for itself", "two policies are recommended",
	"is included and excluded", "there is nothing to exclude from", "needs clientApplications",
}

// disagreement says how the two differ about a policy; empty if they agree: what
// is refused was said to be, and what is said to be refused is. A rule that the
// service is known to have by its number is an error offline and carries the
// same number; one that is only documented is a warning.
func disagreement(v verdict, refusal string) string {
	doubts := slices.DeleteFunc(slices.Clone(v.warnings), func(w string) bool {
		return slices.ContainsFunc(advice, func(a string) bool { return strings.Contains(w, a) })
	})
	switch {
	case refusal != "" && len(v.errors)+len(doubts) == 0:
		return "offline says nothing, and the service refuses"
	case refusal == "" && len(v.errors)+len(doubts) > 0:
		return "offline says that the service refuses it, and it is taken"
	}
	if refusal == "" {
		return ""
	}
	want := numberOf.FindString(refusal)
	for _, e := range v.errors {
		if n := numberOf.FindString(e); n != "" && n != want && len(v.errors)+len(doubts) == 1 {
			return "the numbers differ"
		}
	}
	return ""
}

const (
	everyTime = `{"isEnabled": true, "frequencyInterval": "everyTime"}`
	someID    = "b0000000-0000-0000-0000-00000000000b"
)

// agreements has each rule of a policy once, kept and broken.
var agreements = []struct {
	name  string
	taken bool
	set   change
}{
	{"plain", true, nil},
	{"no displayName", false, change{{"displayName", ""}}},
	{"displayName of 256", true, change{{"displayName", `"` + strings.Repeat("é", 256) + `"`}}},
	{"displayName of 257", false, change{{"displayName", `"` + strings.Repeat("é", 257) + `"`}}},
	{"no state", false, change{{"state", ""}}},
	{"unknown state", false, change{{"state", `"reportOnly"`}}},
	{"unknownFutureValue", false, change{{"conditions.signInRiskLevels", `["unknownFutureValue"]`}}},
	{"report-only", true, change{{"state", `"enabledForReportingButNotEnforced"`}}},
	{"no conditions", false, change{{"conditions", ""}}},
	{"unknown member", false, change{{"conditions.quantum", `true`}}},
	{"unknown member null", false, change{{"conditions.quantum", `null`}}},
	{"text for a list", false, change{{"conditions.users.includeUsers", `"All"`}}},
	{"list for an object", false, change{{"conditions.locations", `["All"]`}}},
	{"null lists", false, change{{"conditions.users.excludeUsers", `null`}, {"conditions.signInRiskLevels", `null`}}},
	{"null objects", true, change{{"conditions.locations", `null`}, {"conditions.platforms", `null`}, {"sessionControls", `null`}}},
	{"no applications", false, change{{"conditions.applications", ""}}},
	{"empty applications", false, change{{"conditions.applications.includeApplications", `[]`}}},
	{"applications None", true, change{{"conditions.applications.includeApplications", `["None"]`}}},
	{"word in small letters", true, change{{"conditions.applications.includeApplications", `["all"]`}, {"conditions.users.includeUsers", `["all"]`}}},
	{"application filter", true, change{{"conditions.applications", `{"applicationFilter": {"mode": "include", "rule": "CustomSecurityAttribute.A_B -eq \"x\""}}`}}},
	{"filter without a rule", false, change{{"conditions.applications.applicationFilter", `{"mode": "exclude"}`}}},
	{"filter with a strange mode", false, change{{"conditions.applications.applicationFilter", `{"mode": "except", "rule": "x"}`}}},
	{"user action", true, change{{"conditions.applications", `{"includeUserActions": ["urn:user:registersecurityinfo"]}`}}},
	{"unknown user action", false, change{{"conditions.applications", `{"includeUserActions": ["urn:user:dance"]}`}}},
	{"user action and applications", false, change{{"conditions.applications.includeUserActions", `["urn:user:registersecurityinfo"]`}}},
	{"register device", true, change{{"conditions.applications", `{"includeUserActions": ["urn:user:registerdevice"]}`}}},
	{"register device, compliant", false, change{{"conditions.applications", `{"includeUserActions": ["urn:user:registerdevice"]}`}, {"grantControls.builtInControls", `["compliantDevice"]`}}},
	{"register device, terms of use", false, change{{"conditions.applications", `{"includeUserActions": ["urn:user:registerdevice"]}`}, {"grantControls.termsOfUse", `["` + someID + `"]`}}},
	{"register device, session alone", false, change{{"conditions.applications", `{"includeUserActions": ["urn:user:registerdevice"]}`}, {"grantControls", `null`}, {"sessionControls.signInFrequency", everyTime}}},
	{"register device, browser", false, change{{"conditions.applications", `{"includeUserActions": ["urn:user:registerdevice"]}`}, {"conditions.clientAppTypes", `["browser"]`}}},
	{"context", true, change{{"conditions.applications", `{"includeAuthenticationContextClassReferences": ["c1"]}`}}},
	{"context and applications", false, change{{"conditions.applications.includeAuthenticationContextClassReferences", `["c1"]`}}},
	{"context and user action", false, change{{"conditions.applications", `{"includeAuthenticationContextClassReferences": ["c1"], "includeUserActions": ["urn:user:registersecurityinfo"]}`}}},
	{"250 applications", true, change{{"conditions.applications.includeApplications", manyIDs(250)}}},
	{"251 applications", false, change{{"conditions.applications.includeApplications", manyIDs(251)}}},
	{"no users", false, change{{"conditions.users", ""}}},
	{"nobody included", false, change{{"conditions.users", `{"excludeUsers": ["` + someID + `"]}`}}},
	{"users None", true, change{{"conditions.users.includeUsers", `["None"]`}}},
	{"guests object", true, change{{"conditions.users", `{"includeGuestsOrExternalUsers": {"guestOrExternalUserTypes": "internalGuest,b2bCollaborationGuest", "externalTenants": {"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all"}}}`}}},
	{"guests object without tenants", true, change{{"conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes": "serviceProvider"}`}}},
	{"guests by word and object", false, change{{"conditions.users.includeUsers", `["GuestsOrExternalUsers"]`}, {"conditions.users.includeGuestsOrExternalUsers", `{"guestOrExternalUserTypes": "internalGuest"}`}}},
	{"unknown guest type", false, change{{"conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes": "guest"}`}}},
	{"enumerated tenants", true, change{{"conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": {"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": ["` + someID + `"]}}`}}},
	{"a tenant that is no id", false, change{{"conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": {"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": ["contoso"]}}`}}},
	{"workload", true, change{{"conditions.users", ""}, {"conditions.clientApplications", `{"includeServicePrincipals": ["ServicePrincipalsInMyTenant"]}`}, {"grantControls.builtInControls", `["block"]`}}},
	{"workload and users None", true, change{{"conditions.users.includeUsers", `["None"]`}, {"conditions.clientApplications", `{"includeServicePrincipals": ["ServicePrincipalsInMyTenant"]}`}, {"grantControls.builtInControls", `["block"]`}}},
	{"workload and users", false, change{{"conditions.clientApplications", `{"includeServicePrincipals": ["ServicePrincipalsInMyTenant"]}`}, {"grantControls.builtInControls", `["block"]`}}},
	{"workload without inclusion", false, change{{"conditions.users", ""}, {"conditions.clientApplications", `{"excludeServicePrincipals": ["` + someID + `"]}`}, {"grantControls.builtInControls", `["block"]`}}},
	{"workload risk", true, change{{"conditions.users", ""}, {"conditions.clientApplications", `{"includeServicePrincipals": ["ServicePrincipalsInMyTenant"]}`}, {"conditions.servicePrincipalRiskLevels", `["high"]`}, {"grantControls.builtInControls", `["block"]`}}},
	{"client types empty", false, change{{"conditions.clientAppTypes", `[]`}}},
	{"all clients in capitals", true, change{{"conditions.clientAppTypes", `["All"]`}}},
	{"client types null", false, change{{"conditions.clientAppTypes", `null`}}},
	{"legacy clients", true, change{{"conditions.clientAppTypes", `["exchangeActiveSync", "other"]`}, {"grantControls.builtInControls", `["block"]`}}},
	{"unknown client type", false, change{{"conditions.clientAppTypes", `["smoke"]`}}},
	{"platforms", true, change{{"conditions.platforms", `{"includePlatforms": ["all"], "excludePlatforms": ["iOS", "linux"]}`}}},
	{"unknown platform", false, change{{"conditions.platforms", `{"includePlatforms": ["beos"]}`}}},
	{"locations", true, change{{"conditions.locations", `{"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]}`}}},
	{"device filter", true, change{{"conditions.devices.deviceFilter", `{"mode": "include", "rule": "device.isCompliant -eq True"}`}}},
	{"flows", true, change{{"conditions.authenticationFlows.transferMethods", `"deviceCodeFlow,authenticationTransfer"`}, {"grantControls.builtInControls", `["block"]`}}},
	{"insider risk", true, change{{"conditions.insiderRiskLevels", `"moderate,elevated"`}}},
	{"sign-in risk", true, change{{"conditions.signInRiskLevels", `["high", "none"]`}}},
	{"user risk none", false, change{{"conditions.userRiskLevels", `["severe"]`}}},
	{"no controls", false, change{{"grantControls", ""}}},
	{"empty grant", false, change{{"grantControls", `{"operator": "OR", "builtInControls": []}`}}},
	{"session alone", true, change{{"grantControls", ""}, {"sessionControls.signInFrequency", everyTime}}},
	{"disabled session alone", false, change{{"grantControls", ""}, {"sessionControls.persistentBrowser", `{"isEnabled": false, "mode": "always"}`}}},
	{"two controls without operator", false, change{{"grantControls", `{"builtInControls": ["mfa", "compliantDevice"]}`}}},
	{"one control without operator", false, change{{"grantControls", `{"builtInControls": ["mfa"]}`}}},
	{"operator XOR", false, change{{"grantControls.operator", `"XOR"`}}},
	{"block and mfa", false, change{{"grantControls", `{"operator": "AND", "builtInControls": ["block", "mfa"]}`}}},
	{"block and session", true, change{{"grantControls", `{"operator": "OR", "builtInControls": ["block"]}`}, {"conditions.clientAppTypes", `["other"]`}, {"sessionControls.signInFrequency", everyTime}}},
	{"unknown control", true, change{{"grantControls.builtInControls", `["MFA"]`}}},
	{"a control that is none", false, change{{"grantControls.builtInControls", `["magic"]`}}},
	{"strength", true, change{{"grantControls", `{"operator": "OR", "builtInControls": [], "authenticationStrength": {"id": "00000000-0000-0000-0000-000000000004"}}`}}},
	{"strength and mfa", false, change{{"grantControls.authenticationStrength", `{"id": "00000000-0000-0000-0000-000000000004"}`}}},
	{"retired control", false, change{{"grantControls.builtInControls", `["approvedApplication"]`}}},
	{"terms of use", true, change{{"grantControls", `{"operator": "OR", "builtInControls": [], "termsOfUse": ["` + someID + `"]}`}}},
	{"password change", true, change{{"conditions.userRiskLevels", `["high"]`}, {"grantControls", `{"operator": "AND", "builtInControls": ["mfa", "passwordChange"]}`}, {"sessionControls.signInFrequency", everyTime}}},
	{"password change alone", false, change{{"conditions.userRiskLevels", `["high"]`}, {"grantControls.builtInControls", `["passwordChange"]`}}},
	{"password change with OR", false, change{{"conditions.userRiskLevels", `["high"]`}, {"grantControls.builtInControls", `["mfa", "passwordChange"]`}}},
	{"password change without risk", false, change{{"grantControls", `{"operator": "AND", "builtInControls": ["mfa", "passwordChange"]}`}}},
	{"password change for one application", false, change{{"conditions.userRiskLevels", `["high"]`}, {"conditions.applications.includeApplications", `["Office365"]`}, {"grantControls", `{"operator": "AND", "builtInControls": ["mfa", "passwordChange"]}`}}},
	{"password change with a client type", false, change{{"conditions.userRiskLevels", `["high"]`}, {"conditions.clientAppTypes", `["browser"]`}, {"grantControls", `{"operator": "AND", "builtInControls": ["mfa", "passwordChange"]}`}}},
	{"password change with a platform", false, change{{"conditions.userRiskLevels", `["high"]`}, {"conditions.platforms.includePlatforms", `["iOS"]`}, {"grantControls", `{"operator": "AND", "builtInControls": ["mfa", "passwordChange"]}`}}},
	{"23 hours", true, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "hours", "value": 23}`}}},
	{"24 hours", false, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "hours", "value": 24}`}}},
	{"0 days", false, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "days", "value": 0}`}}},
	{"365 days", true, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "days", "value": 365}`}}},
	{"366 days", false, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "days", "value": 366}`}}},
	{"no value", false, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "days"}`}}},
	{"unit weeks", false, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "weeks", "value": 1}`}}},
	{"secondary by time", false, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "type": "days", "value": 1, "authenticationType": "secondaryAuthentication"}`}}},
	{"secondary every time", true, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "frequencyInterval": "everyTime", "authenticationType": "secondaryAuthentication"}`}}},
	{"every time with a value", false, change{{"sessionControls.signInFrequency", `{"isEnabled": true, "frequencyInterval": "everyTime", "type": "days", "value": 1}`}}},
	{"every time with restrictions", false, change{{"sessionControls.signInFrequency", everyTime}, {"sessionControls.applicationEnforcedRestrictions", `{"isEnabled": true}`}}},
	{"every time with restrictions off", false, change{{"sessionControls.signInFrequency", everyTime}, {"sessionControls.applicationEnforcedRestrictions", `{"isEnabled": false}`}}},
	{"every time with resilience", false, change{{"sessionControls.signInFrequency", everyTime}, {"sessionControls.disableResilienceDefaults", `true`}}},
	{"persistent browser", true, change{{"sessionControls.persistentBrowser", `{"isEnabled": true, "mode": "never"}`}}},
	{"persistent browser without mode", false, change{{"sessionControls.persistentBrowser", `{"isEnabled": true}`}}},
	{"persistent browser for one application", false, change{{"conditions.applications.includeApplications", `["Office365"]`}, {"sessionControls.persistentBrowser", `{"isEnabled": true, "mode": "never"}`}}},
	{"cloud app security", true, change{{"sessionControls.cloudAppSecurity", `{"isEnabled": true, "cloudAppSecurityType": "monitorOnly"}`}}},
	{"cloud app security without type", false, change{{"sessionControls.cloudAppSecurity", `{"isEnabled": true}`}}},
	{"token protection", true, change{{"sessionControls.secureSignInSession", `{"isEnabled": true}`}}},
	{"beta member off", false, change{{"sessionControls.continuousAccessEvaluation", `{"mode": "disabled"}`}}},
}

func manyIDs(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf(`"b0000000-0000-0000-0000-%012x"`, i+1)
	}
	return "[" + strings.Join(ids, ", ") + "]"
}

// spared are policies that are accepted offline and refused where they are sent
// as they are written, for what is sent is not what is written: see why.
var spared = map[string]string{
	"unknown member null":              "a member that says nothing is left out",
	"one control without operator":     "the one operator that can be meant is added",
	"every time with restrictions off": "a session control that is off is left out",
	"beta member off":                  "a member of the beta version that says nothing is left out",
	"null lists":                       "a list without a value is left out",
	"client types null":                "a list without a value is left out",
	"unknown control":                  "the simulated service takes members of enumerations in any case; a file writes them as the service shows them",
	"every time with a value":          "a period beside everyTime is left out",
}

// TestTheRulesAgreeWithTheService: what is accepted offline the simulated
// service takes, and the other way round, each rule kept and broken. What is
// accepted is taken in its canonical form too.
func TestTheRulesAgreeWithTheService(t *testing.T) {
	for _, c := range agreements {
		t.Run(c.name, func(t *testing.T) {
			p := c.set.to(plainPolicy())
			v, refusal := offline(p), post(t.Fatal, p)
			if c.taken != (refusal == "") {
				t.Errorf("taken: %t: %s", refusal == "", refusal)
			}
			if why := disagreement(v, refusal); why != "" && spared[c.name] == "" {
				t.Errorf("%s\n%v\n%s", why, v, refusal)
			}
			if len(v.errors) > 0 {
				return
			}
			sent := canonical(t, p)
			if why := disagreement(v, post(t.Fatal, sent)); why != "" {
				t.Errorf("in canonical form: %s\n%v\n%s", why, v, post(t.Fatal, sent))
			}
		})
	}
}

// canonical is what an apply sends.
func canonical(tb interface{ Fatal(...any) }, p members) members {
	data, _ := json.Marshal(members{"policies": []any{p}})
	b, problems := baseline.Parse("p.json", data)
	if len(problems.Errors()) > 0 {
		tb.Fatal(problems)
	}
	return b.Policies[0].Want
}

// TestCombinedRulesAgreeWithTheService: several rules at once.
func TestCombinedRulesAgreeWithTheService(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, names := plainPolicy(), []string(nil)
		for range rapid.IntRange(2, 4).Draw(t, "rules") {
			c := rapid.SampledFrom(agreements).Draw(t, "rule")
			if why := spared[c.name]; why == "" {
				p, names = c.set.to(p), append(names, c.name)
			}
		}
		if grant, ok := p["grantControls"].(members); ok && grant["operator"] == nil {
			p = change{{"grantControls.operator", `"OR"`}}.to(p) // which the canonical form adds
		}
		// What is accepted is sent in its canonical form, as an apply does.
		v, sent := offline(p), p
		if len(v.errors) == 0 {
			sent = canonical(t, p)
		}
		refusal := post(t.Fatal, sent)
		if why := disagreement(v, refusal); why != "" {
			text, _ := json.Marshal(p)
			t.Fatalf("%v: %s\n%v\n%s\n%s", names, why, v, refusal, text)
		}
	})
}
