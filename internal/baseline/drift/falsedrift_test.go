package drift_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// policyOf is a baseline of one policy; the parts that a case does not give are
// all users, all applications and MFA.
func policyOf(conditions, rest string) string {
	if !strings.Contains(conditions, "applications:") {
		conditions += ", applications: {includeApplications: [All]}"
	}
	if !strings.Contains(conditions, "users:") && !strings.Contains(conditions, "clientApplications:") {
		conditions += ", users: {includeUsers: [All]}"
	}
	if !strings.Contains(rest, "grantControls:") {
		rest += ", grantControls: {operator: OR, builtInControls: [mfa]}"
	}
	if !strings.Contains(rest, "state:") {
		rest += ", state: enabledForReportingButNotEnforced"
	}
	return "breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}\n" +
		"namedLocations: [{key: hq, displayName: HQ, ipRanges: [{cidrAddress: 203.0.113.9/24}, {cidrAddress: '2001:DB8:0:0::1/64'}]}, {displayName: Near, countriesAndRegions: [no, DE, NO]}]\n" +
		"policies:\n  - {key: P, displayName: P, conditions: {" + strings.TrimPrefix(conditions, ", ") + "}, " + strings.TrimPrefix(rest, ", ") + "}\n"
}

// everyFour is a sign-in frequency by time.
const everyFour = "sessionControls: {signInFrequency: {isEnabled: true, type: hours, value: 4}}"

// TestNothingReadsAsDriftThatIsNone: what the service makes of a policy, and what
// it shows of it in another way, is no difference. Each case is one that makes
// other clients plan a change on every run.
func TestNothingReadsAsDriftThatIsNone(t *testing.T) {
	reversed := func(d entra.Document) { reverseLists(map[string]any(d)) }
	set := func(path string, v any) func(entra.Document) {
		return func(d entra.Document) { policy.Put(d, path, v) }
	}
	for _, c := range []struct {
		name string
		text string
		// shows is how the service may show the applied policy besides.
		shows func(entra.Document)
	}{
		// What the service normalises.
		{"AND with one control is stored as OR", policyOf("", "grantControls: {operator: AND, builtInControls: [mfa]}"), nil},
		{"one control without an operator", policyOf("", "grantControls: {builtInControls: [mfa]}"), nil},
		{"AND with a strength alone", policyOf("", "grantControls: {operator: AND, authenticationStrength: {id: Phishing-resistant MFA}}"), nil},
		{"AND with terms of use alone", policyOf("", "grantControls: {operator: AND, termsOfUse: [aaaaaaaa-0000-0000-0000-00000000000F]}"), nil},
		{"special words in another case", policyOf("applications: {includeApplications: [none]}, users: {includeUsers: [ALL]}, locations: {includeLocations: [all], excludeLocations: [alltrusted]}", ""), nil},
		{"ids in capitals", policyOf("users: {includeUsers: [All], excludeUsers: [AAAAAAAA-0000-0000-0000-0000000000AA]}", ""), nil},
		{"session controls that are all off", policyOf("", "sessionControls: {persistentBrowser: {isEnabled: false, mode: always}, cloudAppSecurity: {isEnabled: false, cloudAppSecurityType: monitorOnly}, applicationEnforcedRestrictions: {isEnabled: false}}"), nil},
		{"a session control without isEnabled", policyOf("", "sessionControls: {secureSignInSession: {}}"), nil},
		{"one session control on, another off", policyOf("", "sessionControls: {persistentBrowser: {isEnabled: true, mode: never}, cloudAppSecurity: {isEnabled: false, cloudAppSecurityType: monitorOnly}}"), nil},
		{"resilience defaults not disabled", policyOf("", "sessionControls: {disableResilienceDefaults: false}"), nil},
		{"resilience defaults come back as false", policyOf("", everyFour), set("sessionControls.disableResilienceDefaults", false)},
		{"resilience defaults come back as null", policyOf("", everyFour), set("sessionControls.disableResilienceDefaults", nil)},
		{"lists in another order", policyOf("signInRiskLevels: [high, low, medium], clientAppTypes: [other, browser], platforms: {includePlatforms: [windows, iOS, android]}, users: {includeRoles: [Security Administrator, Global Administrator, Exchange Administrator]}", "grantControls: {operator: OR, builtInControls: [mfa, compliantDevice, domainJoinedDevice]}"), reversed},
		{"the same name twice in a list", policyOf("users: {includeUsers: [All], excludeGroups: [Finance, Finance, CA Break Glass]}, signInRiskLevels: [high, high]", ""), nil},
		{"missing, null and empty lists", policyOf("signInRiskLevels: [], userRiskLevels: [], platforms: null, devices: null, users: {includeUsers: [All], includeGroups: [], excludeRoles: []}", "sessionControls: null"), nil},
		{"objects with nothing in them", policyOf("platforms: {includePlatforms: [], excludePlatforms: []}, locations: {}, devices: {deviceFilter: null}", "sessionControls: {}"), nil},
		{"annotations and read-only members", policyOf("", ""), func(d entra.Document) {
			d["@odata.context"], d["@odata.etag"], d["modifiedDateTime"], d["templateId"] = "x", `W/"1"`, "2026-11-24T00:00:00.1234567Z", "c7503427-338e-4c5e-902d-abe252abfb43"
			policy.Put(d, "grantControls.authenticationStrength@odata.context", "x")
			policy.Put(d, "conditions.users.includeGuestsOrExternalUsers@odata.context", "x")
		}},
		{"a strength comes back whole", policyOf("", "grantControls: {authenticationStrength: {id: Phishing-resistant MFA}}"), set("grantControls.authenticationStrength.allowedCombinations", []any{"fido2", "somethingNew"})},
		{"a strength by its name", policyOf("", "grantControls: {authenticationStrength: {displayName: Phishing-resistant MFA}}"), nil},
		{"flags in another order", policyOf("authenticationFlows: {transferMethods: 'authenticationTransfer, deviceCodeFlow'}, insiderRiskLevels: 'elevated,minor'", ""),
			set("conditions.authenticationFlows.transferMethods", "authenticationTransfer,deviceCodeFlow")},
		{"transfer methods none", policyOf("authenticationFlows: {transferMethods: none}", ""), nil},
		{"guest types in another order", policyOf("users: {includeGuestsOrExternalUsers: {guestOrExternalUserTypes: 'serviceProvider, internalGuest', externalTenants: {membershipKind: enumerated, members: [bbbbbbbb-0000-0000-0000-000000000001, aaaaaaaa-0000-0000-0000-000000000001]}}}", ""),
			func(d entra.Document) {
				policy.Put(d, "conditions.users.includeGuestsOrExternalUsers.guestOrExternalUserTypes", "serviceProvider,internalGuest")
				policy.Put(d, "conditions.users.includeGuestsOrExternalUsers.externalTenants.members@odata.type", "#Collection(String)")
				reversed(d)
			}},
		{"client app types left out", policyOf("", ""), nil},
		{"client app types all", policyOf("clientAppTypes: [all]", ""), nil},
		{"a frequency without its defaults", policyOf("", everyFour), nil},
		{"a frequency with its defaults", policyOf("", "sessionControls: {signInFrequency: {isEnabled: true, type: hours, value: 4, frequencyInterval: timeBased, authenticationType: primaryAndSecondaryAuthentication}}"), nil},
		{"every time shows a value", policyOf("", "sessionControls: {signInFrequency: {isEnabled: true, frequencyInterval: everyTime}}"), func(d entra.Document) {
			policy.Put(d, "sessionControls.signInFrequency.type", "hours")
			policy.Put(d, "sessionControls.signInFrequency.value", json.Number("1"))
		}},
		{"a number as a fraction", policyOf("", everyFour), set("sessionControls.signInFrequency.value", json.Number("4.0"))},
		{"an empty description", policyOf("", "description: ''"), nil},
		{"members of a newer service that are null", policyOf("", ""), func(d entra.Document) {
			policy.Put(d, "conditions.quantumState", nil)
			policy.Put(d, "conditions.moreRiskLevels", []any{})
			d["newBlock"] = map[string]any{"list": []any{}}
		}},
		{"members of the beta version that are null", policyOf("times: null, deviceStates: null", ""), set("conditions.times", nil)},
		{"members of the beta version that ask for nothing", policyOf("agents: {includeAgentUsers: [], agentFilter: null}", "sessionControls: {globalSecureAccessFilteringProfile: {isEnabled: false, profileId: null}}"),
			func(d entra.Document) {
				policy.Put(d, "sessionControls.continuousAccessEvaluation", map[string]any{"isEnabled": false})
				policy.Put(d, "conditions.clientApplications.agentIdServicePrincipalFilter", map[string]any{"mode": nil})
			}},
		{"advertised actions", policyOf("", "'#microsoft.graph.restore': {title: x}, grantControls: {authenticationStrength: {id: Phishing-resistant MFA, '#microsoft.graph.usage': {title: x}}}"), func(d entra.Document) {
			d["#microsoft.graph.restore"] = map[string]any{"title": "x", "target": "y"}
			policy.Put(d, "conditions.users.#microsoft", map[string]any{"target": "y"})
		}},
		{"nulls within lists and filters", policyOf("devices: {deviceFilter: {mode: null, rule: null}}, users: {includeUsers: [All, null], excludeGroups: null}", ""), nil},
		{"a condition for workload identities", policyOf("clientApplications: {includeServicePrincipals: [serviceprincipalsinmytenant]}, servicePrincipalRiskLevels: [high]", "grantControls: {builtInControls: [block]}"), nil},
		{"a location by name in another case", policyOf("locations: {includeLocations: [All], excludeLocations: [HQ, near, hq]}", ""), nil},
		{"the legacy trusted addresses", policyOf("locations: {includeLocations: [All], excludeLocations: ['"+policy.LegacyTrustedIPs+"']}", ""), nil},
		{"user actions in capitals", policyOf("applications: {includeUserActions: ['urn:user:RegisterSecurityInfo']}", ""), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, b := newSimulated(t.Fatal), load(t, c.text)
			s.apply(t, s.plan(b).Actions)
			nothing := func(what string) {
				t.Helper()
				r := s.plan(b)
				for _, e := range r.Entries {
					if e.Status != drift.InSync {
						t.Errorf("%s: %s", what, e)
					}
				}
			}
			nothing("after the apply")
			s.shows = func(kind entra.ObjectKind, d entra.Document) {
				if kind == entra.KindPolicy && c.shows != nil {
					c.shows(d)
				}
			}
			nothing("shown otherwise")
			if c.shows == nil {
				return
			}
			// A real difference still shows through.
			s.shows = func(kind entra.ObjectKind, d entra.Document) {
				if kind == entra.KindPolicy {
					c.shows(d)
					d["state"] = "disabled"
				}
			}
			if r := s.plan(b); len(r.Actions) != 1 || len(r.Actions[0].Change.Differences) != 1 {
				t.Error("drift is not seen:", shape(r.Actions))
			}
		})
	}
}

// reverseLists turns every list around.
func reverseLists(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			reverseLists(e)
		}
	case []any:
		slices.Reverse(v)
		for _, e := range v {
			reverseLists(e)
		}
	}
}

// TestEveryChangeIsOneRequest: whatever changes between two baselines is one
// PATCH of whole blocks, after which nothing is left, whether the service merges
// blocks or replaces them.
func TestEveryChangeIsOneRequest(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{"the state alone", policyOf("", "state: disabled"), policyOf("", "")},
		{"a condition is cleared", policyOf("devices: {deviceFilter: {mode: include, rule: 'device.isCompliant -eq True'}}", ""), policyOf("", "")},
		{"a list is emptied", policyOf("users: {includeUsers: [All], excludeGroups: [Finance]}", ""), policyOf("users: {includeUsers: [All]}", "")},
		{"a risk condition is cleared", policyOf("signInRiskLevels: [high]", ""), policyOf("", "")},
		{"platforms are cleared, locations are set", policyOf("platforms: {includePlatforms: [iOS]}", ""), policyOf("locations: {includeLocations: [All], excludeLocations: [hq]}", "")},
		{"all users instead of guests", policyOf("users: {includeGuestsOrExternalUsers: {guestOrExternalUserTypes: internalGuest, externalTenants: {membershipKind: all}}}", ""), policyOf("", "")},
		{"all tenants instead of some", policyOf("users: {includeGuestsOrExternalUsers: {guestOrExternalUserTypes: internalGuest, externalTenants: {membershipKind: enumerated, members: [aaaaaaaa-0000-0000-0000-000000000001]}}}", ""),
			policyOf("users: {includeGuestsOrExternalUsers: {guestOrExternalUserTypes: internalGuest, externalTenants: {membershipKind: all}}}", "")},
		{"user actions instead of applications", policyOf("", ""), policyOf("applications: {includeUserActions: ['urn:user:registersecurityinfo']}", "")},
		{"client app types back to all", policyOf("clientAppTypes: [browser]", ""), policyOf("", "")},
		{"flows and insider risk are cleared", policyOf("authenticationFlows: {transferMethods: deviceCodeFlow}, insiderRiskLevels: minor", ""), policyOf("", "")},
		{"a strength instead of mfa", policyOf("", ""), policyOf("", "grantControls: {authenticationStrength: {id: Phishing-resistant MFA}}")},
		{"mfa instead of a strength", policyOf("", "grantControls: {authenticationStrength: {id: Phishing-resistant MFA}}"), policyOf("", "")},
		{"two controls become one", policyOf("", "grantControls: {operator: AND, builtInControls: [mfa, compliantDevice]}"), policyOf("", "")},
		{"terms of use are dropped", policyOf("", "grantControls: {operator: AND, builtInControls: [mfa], termsOfUse: [aaaaaaaa-0000-0000-0000-00000000000f]}"), policyOf("", "")},
		{"the grant goes, a session control stays", policyOf("", everyFour), policyOf("", "grantControls: null, "+everyFour)},
		{"all session controls go", policyOf("", everyFour), policyOf("", "")},
		{"one of two session controls goes", policyOf("", "sessionControls: {signInFrequency: {isEnabled: true, type: hours, value: 4}, persistentBrowser: {isEnabled: true, mode: never}}"), policyOf("", everyFour)},
		{"a session control is turned off", policyOf("", everyFour), policyOf("", "sessionControls: {signInFrequency: {isEnabled: false}}")},
		{"every time instead of hours", policyOf("", everyFour), policyOf("", "sessionControls: {signInFrequency: {isEnabled: true, frequencyInterval: everyTime}}")},
		{"hours instead of every time", policyOf("", "sessionControls: {signInFrequency: {isEnabled: true, frequencyInterval: everyTime}}"), policyOf("", everyFour)},
		{"every time, with restrictions dropped", policyOf("applications: {includeApplications: [Office365]}", "sessionControls: {applicationEnforcedRestrictions: {isEnabled: true}}"),
			policyOf("applications: {includeApplications: [Office365]}", "sessionControls: {signInFrequency: {isEnabled: true, frequencyInterval: everyTime}}")},
		{"resilience defaults are disabled", policyOf("", ""), policyOf("", "sessionControls: {disableResilienceDefaults: true}")},
		{"resilience defaults again", policyOf("", "sessionControls: {disableResilienceDefaults: true}"), policyOf("", "")},
		{"a name and a description", policyOf("", ""), strings.Replace(policyOf("", "description: why"), "displayName: P,", "displayName: Q,", 1)},
		{"the description goes", policyOf("", "description: why"), policyOf("", "")},
		{"workload identities instead of people", policyOf("", "grantControls: {builtInControls: [block]}, acceptLockout: true"),
			policyOf("clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}", "grantControls: {builtInControls: [block]}")},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, to := load(t, c.from), load(t, c.to)
			for _, merge := range []bool{true, false} {
				tn := newTenant()
				tn.merge = merge
				tn.apply(t, tn.plan(from, everything).Actions)
				if writes := tn.apply(t, tn.plan(to, everything).Actions); writes != 1 {
					t.Errorf("%d writes, merging %t", writes, merge)
				}
				if left := tn.plan(to, everything).Actions; len(left) > 0 {
					t.Errorf("left, merging %t: %v %v", merge, shape(left), left[0].Change.Differences)
				}
			}
			s := newSimulated(t.Fatal)
			s.apply(t, s.plan(from).Actions)
			s.writes = nil
			s.apply(t, s.plan(to).Actions)
			if len(s.writes) != 1 || s.writes[0] != http.MethodPatch {
				t.Errorf("sent %v", s.writes)
			}
			if left := s.plan(to).Actions; len(left) > 0 {
				t.Errorf("left in the simulated tenant: %v %v", shape(left), left[0].Change.Differences)
			}
		})
	}
}
