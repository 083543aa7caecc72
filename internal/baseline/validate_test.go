package baseline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// one is a policy with conditions and the rest filled in by a case.
func one(conditions, rest string) string {
	if conditions == "" {
		conditions = "applications: {includeApplications: [All]}, users: {includeUsers: [All]}"
	}
	return "policies:\n  - {key: P, displayName: P, state: enabledForReportingButNotEnforced,\n     conditions: {" + conditions + "},\n     " + rest + "}\n"
}

const std = "applications: {includeApplications: [All]}, users: {includeUsers: [All]}"

func TestValidate(t *testing.T) {
	const mfa = "grantControls: {builtInControls: [mfa]}"
	with := func(c string) string { return std + ", " + c }
	for _, c := range []struct{ name, text, want string }{
		{"well", one("", mfa), ""},
		{"nothing", "", ""},
		{"unknown top key", "policys: []\n", `b.yaml:1:1: policys: unknown key (did you mean "policies"?)`},
		{"unknown member", one(with("signinRiskLevel: [high]"), mfa), `unknown member (did you mean "signInRiskLevels"?)`},
		{"newer member", one(with("quantumState: {a: 1}"), mfa), "conditions.quantumState: unknown member; the service would refuse it (1007). Remove it; a comment is written with #"},
		{"a note", one("", mfa+", note: 'ask Ada'"), "note: unknown member; the service would refuse it (1007). Remove it; a comment is written with #"},
		{"trust of a country", "namedLocations: [{displayName: L, countriesAndRegions: [US], isTrusted: true}]\n", "isTrusted: unknown member; the service would refuse it (1007). It belongs to ipNamedLocation, which this is not: remove it"},
		{"countries of addresses", "namedLocations: [{displayName: L, ipRanges: [{cidrAddress: 203.0.113.0/24}], includeUnknownCountriesAndRegions: true}]\n", "It belongs to countryNamedLocation, which this is not: remove it"},
		{"newer member allowed", one(with("quantumState: {a: 1}"), mfa+", allowUnknown: [conditions.quantumState]"), ""},
		{"newer member empty", one(with("quantumState: null"), mfa), ""},
		{"beta member", one(with("times: {x: y}"), mfa), "exists in the beta version of Graph only"},
		{"beta member null", one(with("times: null, deviceStates: null"), mfa), ""},
		{"beta member empty inside", one(with("agents: {includeAgentUsers: [], agentFilter: null}, deviceStates: {includeStates: [null]}"), mfa), ""},
		{"beta control not enabled", one("", mfa+", sessionControls: {globalSecureAccessFilteringProfile: {isEnabled: false, profileId: x}}"), ""},
		{"beta condition of agents", one(with("agentContext: {includeAgentContexts: [x]}"), mfa), "exists in the beta version of Graph only; v1.0 refuses it (1007). Leave the policy out"},
		{"beta members of applications", one("applications: {includeApplications: [All], networkAccess: {includeTrafficProfiles: m365}}, users: {includeUsers: [All]}", mfa), "conditions.applications.networkAccess: exists in the beta version"},
		{"beta members of workloads", one("applications: {includeApplications: [All]}, clientApplications: {includeAgentIdServicePrincipals: [All]}", "grantControls: {builtInControls: [block]}"), "conditions.clientApplications.includeAgentIdServicePrincipals: exists in the beta version"},
		{"beta member allowed", one(with("agentIdRiskLevels: high"), mfa+", allowUnknown: [conditions.agentIdRiskLevels]"), "warning: policies[0].conditions.agentIdRiskLevels: is known of the beta version of Graph only"},
		{"the only control is beta's", one("", "sessionControls: {continuousAccessEvaluation: {mode: strictLocation}, signInFrequency: null}"), "takes no policy that is nothing without it. Leave the policy out of the baseline"},
		{"a control of beta beside another", one("", "sessionControls: {continuousAccessEvaluation: {mode: strictLocation}, disableResilienceDefaults: true}"), "or only this if the policy means the same without it"},
		{"a control of beta beside a grant", one("", mfa+", sessionControls: {continuousAccessEvaluation: {mode: strictLocation}}"), "or only this if the policy means the same without it"},
		{"all applications are beta's", one("applications: {includeApplications: [], networkAccess: {includeTrafficProfiles: m365}}, users: {includeUsers: [All]}", mfa), "takes no policy that is nothing without it. Leave the policy out of the baseline"},
		{"beta word for applications", one("applications: {includeApplications: [allagentidresources]}, users: {includeUsers: [All]}", mfa), `"allagentidresources" exists in the beta version of Graph only`},
		{"beta word for users", one("applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeUsers: [AllAgentIdUsers]}", mfa), `"AllAgentIdUsers" exists in the beta version of Graph only`},
		{"advertised actions", one(with("'#microsoft.graph.x': {title: x}"), mfa+", '#microsoft.graph.restore': {title: x, target: y}"), ""},
		{"advertised actions of a strength", one("", "grantControls: {authenticationStrength: {id: x, '#microsoft.graph.usage': {title: x}}}"), ""},
		{"an answer with advertised actions", "{\"#microsoft.graph.x\": {}, \"value\": []}", ""},
		{"null lists", one("applications: {includeApplications: [All], excludeApplications: null}, users: {includeUsers: [All, null], excludeGroups: null, includeGuestsOrExternalUsers: {guestOrExternalUserTypes: null, externalTenants: {members: null}}}, signInRiskLevels: null, clientAppTypes: null", mfa), ""},
		{"null filter", one(with("devices: {deviceFilter: {mode: null, rule: null}}, authenticationFlows: {transferMethods: null}"), "grantControls: {builtInControls: [mfa], authenticationStrength: {'@odata.type': x, id: null}}"), ""},
		{"half a filter", one(with("devices: {deviceFilter: {mode: null, rule: 'device.x -eq 1'}}"), mfa), "deviceFilter.mode: must be a string, but has no value"},
		{"a misspelt member that is null", one(with("devices: {deviceFilter: {mod: null}}"), mfa), `unknown member (did you mean "mode"?)`},
		{"a word that YAML reads as true", "policies: [{displayName: P, state: true, conditions: {" + std + "}, " + mfa + "}]\n", `state: "true" is not one of enabled, disabled, enabledForReportingButNotEnforced`},
		{"the displayName as the key", "policies: [{key: 'MFA = {all}', displayName: 'MFA = {all}', state: disabled, conditions: {" + std + "}, " + mfa + "}]\n", ""},
		{"a key with a control character", "policies: [{key: \"a\\u0007\", displayName: P, state: disabled, conditions: {" + std + "}, " + mfa + "}]\n", "key: must be a name without braces, = and control characters"},
		{"null where something must be", "policies: [{displayName: P, state: null, conditions: {" + std + "}, " + mfa + "}]\n", "state: must be a string, but has no value"},
		{"flags as a list", one(with("authenticationFlows: {transferMethods: [deviceCodeFlow]}"), mfa), "transferMethods: must be one string, with commas between the values, not a list"},
		{"a list of nulls where something must be", "namedLocations: [{displayName: L, ipRanges: [null]}]\n", "ipRanges: must not be empty"},
		{"the compliant network", "namedLocations: [{'@odata.type': '#microsoft.graph.compliantNetworkNamedLocation', id: 3d46dbda-8382-466a-856d-eb00cbc6b910, displayName: All Compliant Network locations, compliantNetworkType: allTenantCompliantNetworks, isTrusted: true}]\n", "warning: namedLocations[0]: every tenant has this location"},
		{"a location that only beta has", "namedLocations: [{'@odata.type': '#microsoft.graph.serviceNamedLocation', displayName: X}]\n", "#microsoft.graph.serviceNamedLocation is no type that v1.0 of Graph takes here"},
		{"workloads instead of nobody", one("applications: {includeApplications: [All]}, users: {includeUsers: [None]}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}", "grantControls: {builtInControls: [block]}"), ""},
		{"neither workloads nor anybody", one("applications: {includeApplications: [All]}, users: {includeUsers: [None]}, clientApplications: {includeServicePrincipals: [None]}", "grantControls: {builtInControls: [block]}"), "None: the policy applies to nobody"},
		{"deviceStates", one(with("deviceStates: {includeStates: [All]}"), mfa), "(1060 and 1007)"},
		{"unknownFutureValue", one("", "grantControls: {builtInControls: [unknownFutureValue]}"), "the service refuses it (1007)"},
		{"enum", one("", "grantControls: {builtInControls: [MFA]}"), `"MFA" is not one of`},
		{"enum allowed", one("", "grantControls: {builtInControls: [quantum]}, allowUnknown: [grantControls.builtInControls]"), ""},
		{"flags", one(with("insiderRiskLevels: 'minor,hgh'"), mfa), `"hgh" is not one of minor, moderate, elevated`},
		{"state missing", "policies: [{displayName: P, conditions: {}}]\n", "policies[0]: state is missing"},
		{"wrong type", one(with("signInRiskLevels: high"), mfa), "must be a list"},
		{"bool", one("", "sessionControls: {disableResilienceDefaults: 'yes'}"), "must be true or false"},
		{"placeholder", one("applications: {includeApplications: ['{{x}}']}, users: {includeUsers: [All]}", mfa), "must not contain {{"},
		{"1011", one("users: {includeUsers: [All]}", mfa), "1011: the policy includes no application"},
		{"1012", one("applications: {includeApplications: [All], includeUserActions: ['urn:user:registerdevice']}, users: {includeUsers: [All]}", mfa), "1012: includeApplications and includeUserActions"},
		{"1064", one(with("clientAppTypes: []"), mfa), "1064: clientAppTypes must not be an empty list"},
		{"1104", one("", "sessionControls: {signInFrequency: {isEnabled: true, type: hours, value: 1, authenticationType: secondaryAuthentication}}"), "1104: a signInFrequency by time supports only"},
		{"1104 not for a control that is off", one("", mfa+", sessionControls: {signInFrequency: {isEnabled: false, authenticationType: secondaryAuthentication}}"), ""},
		{"guests twice", one("applications: {includeApplications: [All]}, users: {includeUsers: [GuestsOrExternalUsers], includeGuestsOrExternalUsers: {guestOrExternalUserTypes: internalGuest}}", mfa), "cannot stand together; the service refuses"},
		{"context and apps", one("applications: {includeApplications: [All], includeAuthenticationContextClassReferences: [c1]}, users: {includeUsers: [All]}", mfa), "warning: policies[0].conditions.applications.includeAuthenticationContextClassReferences: authentication contexts stand instead"},
		{"nobody", one("applications: {includeApplications: [All]}, users: {}", mfa), "warning: policies[0].conditions.users: the policy includes no user"},
		{"no control", one("", "grantControls: null"), "warning: policies[0]: the policy has neither a grant control"},
		{"operator", one("", "grantControls: {builtInControls: [mfa, compliantDevice]}"), "warning: policies[0].grantControls: operator is missing"},
		{"mfa and strength", one("", "grantControls: {operator: AND, builtInControls: [mfa], authenticationStrength: {id: x}}"), "mfa and an authentication strength cannot stand together"},
		{"block and more", one(with("signInRiskLevels: [high]"), "grantControls: {operator: OR, builtInControls: [block, mfa]}"), "block stands alone"},
		{"retired", one("", "grantControls: {builtInControls: [approvedApplication]}"), "approvedApplication is retired"},
		{"password change", one(with("signInRiskLevels: [high]"), "grantControls: {operator: OR, builtInControls: [passwordChange]}"), "passwordChange allows no condition but userRiskLevels"},
		{"register device", one("applications: {includeUserActions: ['urn:user:registerdevice']}, users: {includeUsers: [All]}", "grantControls: {builtInControls: [compliantDevice]}"), "allows only mfa or an authentication strength"},
		{"hours", one("", "sessionControls: {signInFrequency: {isEnabled: true, type: hours, value: 24}}"), "from 1 to 23"},
		{"every time and resilience", one("", "sessionControls: {disableResilienceDefaults: true, signInFrequency: {isEnabled: true, frequencyInterval: everyTime}}"), "cannot stand with a signInFrequency of everyTime"},
		{"persistent browser", one("applications: {includeApplications: [Office365]}, users: {includeUsers: [All]}", "sessionControls: {persistentBrowser: {isEnabled: true, mode: never}}"), "needs all applications"},
		{"risk remediation", one("", "grantControls: {builtInControls: [riskRemediation]}"), "riskRemediation goes with"},
		{"in and out", one("applications: {includeApplications: [All]}, users: {includeGroups: [g, h], excludeGroups: [g]}", mfa), "g is included and excluded"},
		{"all in and out", one("applications: {includeApplications: [All]}, users: {includeGroups: [g], excludeGroups: [g]}", mfa), "the policy never applies"},
		{"all locations out", one(with("locations: {includeLocations: [AllTrusted], excludeLocations: [All]}"), mfa), "all locations are excluded"},
		{"nothing to exclude from", one(with("platforms: {excludePlatforms: [iOS]}"), mfa), "includePlatforms is empty"},
		{"all and more", one("applications: {includeApplications: [All, Office365]}, users: {includeUsers: [All]}", mfa), "All stands for itself"},
		{"both risks", one(with("signInRiskLevels: [high], userRiskLevels: [high]"), mfa), "two policies are recommended"},
		{"workload risk for people", one(with("servicePrincipalRiskLevels: [high]"), mfa), "needs clientApplications"},
		{"workload with mfa", one("applications: {includeApplications: [All]}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}", mfa), "can only be blocked"},
		{"lock-out", strings.Replace(one("", "grantControls: {builtInControls: [block]}"), "enabledForReportingButNotEnforced", "enabled", 1), "say acceptLockout: true if that is meant"},
		{"lock-out through every client", strings.Replace(one(with("clientAppTypes: [browser, mobileAppsAndDesktopClients, exchangeActiveSync, other], locations: {includeLocations: [All]}"), "grantControls: {builtInControls: [block]}"), "enabledForReportingButNotEnforced", "enabled", 1), "say acceptLockout: true if that is meant"},
		{"lock-out to come", one("", "grantControls: {builtInControls: [block]}"), "warning: policies[0].grantControls.builtInControls: the policy blocks all users"},
		{"lock-out accepted", one("", "acceptLockout: true, grantControls: {builtInControls: [block]}"), ""},
		{"break-glass missing", strings.Replace(one("", mfa), "enabledForReportingButNotEnforced", "enabled", 1), "enabling needs at least 2 enabled break-glass accounts"},
		{"unmanaged users", one("", mfa+", unmanaged: [conditions.users]"), "cannot be unmanaged"},
		{"unmanaged typo", one("", mfa+", unmanaged: [sessionControl]"), `did you mean "sessionControls"?`},
		{"key twice", "policies: [" + strings.Repeat("{key: A, displayName: A, state: disabled, conditions: {"+std+"}, "+mfa+"}, ", 2) + "]\n", `the key "A" stands already in b.yaml:1`},
		{"name twice", "policies: [{key: A, displayName: X, state: disabled, conditions: {" + std + "}, " + mfa + "}, {key: B, displayName: x, state: disabled, conditions: {" + std + "}, " + mfa + "}]\n", `the displayName "x" stands already`},
		{"bare address", "namedLocations: [{displayName: L, ipRanges: [{cidrAddress: 192.0.2.1}]}]\n", "needs a prefix length"},
		{"too large", "namedLocations: [{displayName: L, ipRanges: [{cidrAddress: 10.0.0.0/8}]}]\n", "only prefixes longer than /8"},
		{"country", "namedLocations: [{displayName: L, countriesAndRegions: [DEU]}]\n", `1048: "DEU" is no two-letter country code of ISO 3166-1 (did you mean "DE"?)`},
		{"a code for another country's", "namedLocations: [{displayName: L, countriesAndRegions: [DE, uk]}]\n", `1048: "uk" is no two-letter country code of ISO 3166-1 (did you mean "GB"?)`},
		{"no country", "namedLocations: [{displayName: L, countriesAndRegions: [EU]}]\n", `1048: "EU" is no two-letter country code`},
		{"countries in any case", "namedLocations: [{displayName: L, countriesAndRegions: [xk, No]}]\n", ""},
		{"neither kind", "namedLocations: [{displayName: L}]\n", "needs ipRanges, countriesAndRegions, or an @odata.type"},
		{"combination", "authenticationStrengths: [{displayName: S, allowedCombinations: ['password,smss']}]\n", `did you mean "sms"?`},
		{"no user name", one("applications: {includeApplications: [All]}, users: {includeUsers: [Alll]}", mfa), `"Alll" is neither a user principal name nor an object id nor a special word (did you mean "All"?)`},
		{"special word in any case", one("applications: {includeApplications: [all]}, users: {includeUsers: [ALL]}", mfa), ""},
		{"break-glass by display name", "breakGlass: {users: [Break Glass 1]}\n", "is neither a user principal name"},
		{"break-glass tested never", "breakGlass: {users: [a@b.c], testEvery: soon}\n", "1:41: breakGlass.testEvery: \"soon\" is no time such as 14d or 336h"},
		{"break-glass tested by the hour", "breakGlass: {users: [a@b.c], testEvery: 12h}\n", "\"12h\" must be from 1d to 365d"},
		{"break-glass tested every other year", "breakGlass: {users: [a@b.c], testEvery: 730d}\n", "\"730d\" must be from 1d to 365d"},
		{"break-glass tested every what", "breakGlass: {users: [a@b.c], testEvery: 90}\n", "testEvery: must be a time such as 14d or 336h"},
		{"break-glass misspelt", "breakGlass: {users: [a@b.c], testevery: 90d}\n", "did you mean"},
		{"break-glass twice", "breakGlass: {users: [a@b.c, A@b.c]}\n", "stands here twice"},
		{"half a list", `{"value": [], "@odata.nextLink": "x"}`, "one page of a longer list"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, problems := Parse("b.yaml", []byte(c.text))
			if (b == nil) != (problems.Err() != nil) {
				t.Fatalf("baseline %v with %v", b, problems)
			}
			if c.want == "" && len(problems) > 0 || !strings.Contains(problems.Error(), c.want) {
				t.Errorf("got\n%s\nwant %q", problems.Error(), c.want)
			}
		})
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	_, problems := Parse("b.yaml", []byte(`breakGlas: {}
policies:
  - displayName: 5
    state: on
    conditions: {applications: {includeApplications: All}, users: {includeUsers: [All], excludeusers: [x]}, clientAppTypes: [browsr]}
    grantControls: {operator: XOR, builtInControls: [mfa]}
namedLocations:
  - {ipRanges: [{cidrAddress: x}]}
`))
	want := `b.yaml:1:1: breakGlas: unknown key (did you mean "breakGlass"?)
b.yaml:3:18: policies[0].displayName: must be a string, not a number 5; put it in quotes
b.yaml:4:12: policies[0].state: "on" is not one of enabled, disabled, enabledForReportingButNotEnforced (did you mean "enabled"?)
b.yaml:5:54: policies[0].conditions.applications.includeApplications: must be a list, not "All"
b.yaml:5:89: policies[0].conditions.users.excludeusers: unknown member (did you mean "excludeUsers"?)
b.yaml:5:126: policies[0].conditions.clientAppTypes[0]: "browsr" is not one of all, browser, mobileAppsAndDesktopClients, exchangeActiveSync, easSupported, other (did you mean "browser"?)
b.yaml:6:31: policies[0].grantControls.operator: "XOR" is not one of AND, OR (did you mean "OR"?)
b.yaml:8:5: namedLocations[0]: displayName is missing
b.yaml:8:31: namedLocations[0].ipRanges[0].cidrAddress: "x" is no address range`
	if d := cmp.Diff(want, problems.Error()); d != "" {
		t.Error(d)
	}
}

// A mistake in one block of a policy hides no rule about another, and is not
// said twice.
func TestRulesBesideMistakes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"state and 1012", "policies: [{displayName: P, state: report-only, conditions: {applications: {includeApplications: [All], includeUserActions: ['urn:user:registerdevice']}, users: {includeUsers: [All]}}}]",
			`b.yaml:1:36: policies[0].state: "report-only" is not one of enabled, disabled, enabledForReportingButNotEnforced (did you mean "enabledForReportingButNotEnforced"?)
b.yaml:1:125: policies[0].conditions.applications.includeUserActions: 1012: includeApplications and includeUserActions cannot stand together`},
		{"promote without a log", "policies: [{displayName: P, state: enabled, promote: {after: 14d}, conditions: {applications: {includeUserActions: ['urn:user:registersecurityinfo']}, users: {includeUsers: [All]}}, grantControls: {operator: OR, builtInControls: [mfa]}}]",
			`b.yaml:1:36: warning: policies[0].state: enabling needs at least 2 enabled break-glass accounts; breakGlass names 0, so apply will block every change that leaves a policy enabled
b.yaml:1:54: policies[0].promote: the policy is for user actions, which report-only does not judge: the sign-in log never has evidence of it; take promote out and set its state by hand`},
		{"users and 1064", one("applications: {includeApplications: [All]}, users: {includeUser: [All]}, clientAppTypes: []", ""),
			`b.yaml:3:71: policies[0].conditions.users.includeUser: unknown member (did you mean "includeUsers"?)
b.yaml:3:108: policies[0].conditions.clientAppTypes: 1064: clientAppTypes must not be an empty list; leave it out for all`},
		{"no 1011 for a member that is misspelt", one("applications: {includeApplication: [All]}, users: {includeUsers: [All]}", ""),
			`b.yaml:3:34: policies[0].conditions.applications.includeApplication: unknown member (did you mean "includeApplications"?)`},
		{"no 1011 for a block that is misspelt", one("aplications: {includeApplications: [All]}, users: {includeUsers: [All]}", ""),
			`b.yaml:3:19: policies[0].conditions.aplications: unknown member (did you mean "applications"?)`},
		{"no 1011 without conditions", "policies: [{displayName: P, state: disabled}]", "b.yaml:1:12: policies[0]: conditions is missing"},
		{"1011 beside another mistake", "policies: [{displayName: P, state: disabled, conditions: {users: {includeUsers: [All], excludeRole: [x]}}}]",
			`b.yaml:1:58: policies[0].conditions: 1011: the policy includes no application, user action or authentication context
b.yaml:1:88: policies[0].conditions.users.excludeRole: unknown member (did you mean "excludeRoles"?)`},
		{"no lock-out while the condition is misspelt", "breakGlass: {groups: [Emergency]}\n" + strings.Replace(one(std+", signInRiskLevel: [high]", "grantControls: {builtInControls: [block]}"), "enabledForReportingButNotEnforced", "enabled", 1),
			`b.yaml:4:93: policies[0].conditions.signInRiskLevel: unknown member (did you mean "signInRiskLevels"?)`},
		{"break-glass that cannot be read is not missing", "breakGlass: {users: [Emergency]}\n" + strings.Replace(one("", "grantControls: {builtInControls: [mfa]}"), "enabledForReportingButNotEnforced", "enabled", 1),
			`b.yaml:1:22: breakGlass.users[0]: "Emergency" is neither a user principal name nor an object id`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := Parse("b.yaml", []byte(c.text))
			if d := cmp.Diff(c.want, problems.Error()); d != "" {
				t.Error(d)
			}
		})
	}
}

// exportedPolicy is what Graph Explorer shows of one policy.
const exportedPolicy = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#identity/conditionalAccess/policies/$entity","id":"11111111-1111-1111-1111-111111111111",
"templateId":null,"displayName":"P1","createdDateTime":"2026-01-01T00:00:00Z","modifiedDateTime":null,"state":"disabled","partialEnablementStrategy":null,
"conditions":{"userRiskLevels":[],"signInRiskLevels":[],"clientAppTypes":["all"],"times":null,"deviceStates":null,"devices":null,"applications":{"includeApplications":["All"],"excludeApplications":[],"includeUserActions":[]},
"users":{"includeUsers":["All"],"excludeUsers":[],"includeGroups":[],"excludeGroups":[],"includeRoles":[],"excludeRoles":[],"includeGuestsOrExternalUsers":null}},
"sessionControls":null,"grantControls":{"operator":"OR","builtInControls":[],"termsOfUse":[],"authenticationStrength@odata.context":"x",
"authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004","displayName":"Phishing-resistant MFA","createdDateTime":"2021-12-01T00:00:00Z","allowedCombinations":["fido2"],"combinationConfigurations@odata.context":"y","combinationConfigurations":[]}}}`

func TestPastedExports(t *testing.T) {
	parsed, err := entra.ParseDocument([]byte(exportedPolicy))
	if err != nil {
		t.Fatal(err)
	}
	loc := `{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"2","displayName":"L","modifiedDateTime":"x","isTrusted":false,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"192.0.2.0/24"}]}`
	for name, text := range map[string]string{
		"a policy":          exportedPolicy,
		"a list":            `{"@odata.context":"x","@odata.count":2,"value":[` + exportedPolicy + "," + loc + "]}",
		"an array":          "[" + exportedPolicy + "]",
		"a list as section": `{"policies":{"@odata.context":"x","value":[` + exportedPolicy + `]},"namedLocations":[` + loc + "]}",
		"YAML around it":    "policies:\n  - " + strings.ReplaceAll(exportedPolicy, "\n", "\n    ") + "\n",
	} {
		b, problems := Parse("b.json", []byte(text))
		if len(problems) > 0 || b == nil {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		if d := cmp.Diff(policy.CanonicalOf(entra.KindPolicy, parsed), b.Policies[0].Want); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestLoad(t *testing.T) {
	fsys := fstest.MapFS{
		"b/10-locations.yaml":   {Data: []byte("namedLocations: [{displayName: L, ipRanges: [{cidrAddress: 192.0.2.0/24}]}]\n")},
		"b/20/policy.json":      {Data: []byte(exportedPolicy)},
		"b/README.md":           {Data: []byte("no")},
		"b/.git/x.yaml":         {Data: []byte("::")},
		"b/glass.yml":           {Data: []byte("breakGlass: {users: [a@b.c]}\n")},
		"twice/a.yaml":          {Data: []byte("breakGlass: {users: [a@b.c]}\n")},
		"twice/b.yaml":          {Data: []byte("breakGlass: {users: [b@b.c]}\npolicies: [{}]\n")},
		"empty/README.md":       {Data: []byte("no")},
		"across/a.yaml":         {Data: []byte(one("", "grantControls: {builtInControls: [mfa]}"))},
		"across/b.yaml":         {Data: []byte(one("", "grantControls: {builtInControls: [mfa]}"))},
		"commented/policy.yaml": {Data: []byte("policies:\n# - x\n")},
	}
	for _, c := range []struct{ path, want string }{
		{"b", ""}, {"b/20/policy.json", ""}, {"commented", ""},
		{"twice", "twice/b.yaml:1:13: breakGlass: breakGlass stands already in twice/a.yaml:1\ntwice/b.yaml:2:12: policies[0]: displayName is missing\ntwice/b.yaml:2:12: policies[0]: state is missing\ntwice/b.yaml:2:12: policies[0]: conditions is missing"},
		{"empty", "empty: holds no *.yaml, *.yml or *.json file"},
		{"nowhere", "nowhere: cannot be read: file does not exist"},
		{"across", "across/b.yaml:2:11: policies[0].key: the key \"P\" stands already in across/a.yaml:2"},
	} {
		b, problems := Load(fsys, c.path)
		if !strings.HasPrefix(problems.Error(), c.want) || (c.want == "") != (b != nil) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.path, problems.Error(), c.want)
		}
		if c.path == "b" && b != nil && (len(b.Policies) != 1 || len(b.Locations) != 1 || len(b.BreakGlass.Users) != 1) {
			t.Errorf("%+v", b)
		}
	}
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("real/p.yaml", one("", "grantControls: {builtInControls: [mfa]}"))
	write("real/baseline.schema.json", string(JSONSchema()))
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"real", "link"} {
		if b, problems := Load(os.DirFS(dir), path); b == nil || len(b.Policies) != 1 {
			t.Errorf("%s: %v", path, problems)
		}
	}
	if b, problems := Load(os.DirFS(dir), "."); b != nil || !strings.Contains(problems.Error(), "is a link to a folder") {
		t.Error(b, problems)
	}
	if b, problems := Load(os.DirFS(dir), "none.yaml"); b != nil || !strings.Contains(problems.Error(), "cannot be read") {
		t.Error(b, problems)
	}
}

// TestLockoutSaysWhatItCounts: what a policy leaves out is named, and is said
// not to be counted.
func TestLockoutSaysWhatItCounts(t *testing.T) {
	for _, c := range []struct{ apps, users, want string }{
		{"", "", "the policy blocks all users on all applications without a further condition; enabling it"},
		{", excludeApplications: [Office365]", "", "blocks all users on all applications but Office365 without a further condition (what it leaves out is not counted"},
		{"", ", excludeGroups: [Finance], excludeUsers: [ada@contoso.com, bg1@contoso.com]", "blocks all users but 2 users, 1 group on all applications without"},
		{", applicationFilter: {mode: exclude, rule: x}", ", excludeUsers: [GuestsOrExternalUsers]", "blocks all users but guests on all applications but those of a filter without"},
	} {
		text := "applications: {includeApplications: [All]" + c.apps + "}, users: {includeUsers: [All]" + c.users + "}"
		_, problems := Parse("b.yaml", []byte(one(text, "grantControls: {operator: OR, builtInControls: [block]}")))
		if !strings.Contains(problems.Error(), c.want) {
			t.Errorf("%s\nwant %s", problems, c.want)
		}
	}
}
