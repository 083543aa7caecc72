package drift_test

import (
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

const pasted = `{"displayName":"P","state":"disabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`

// TestFilesOfOtherTools: one line says what a file is that is no baseline, or
// the one policy within it is taken.
func TestFilesOfOtherTools(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
		policies         int
	}{
		{"a wrapper", `{"ExportedAt":"2026-01-01","Assigned":{"Users":[]},"Config":` + pasted + `}`, "warning: Config: only what stands in Config is taken", 1},
		{"a deeper wrapper", `{"a":{"b":` + pasted + `}}`, "warning: a.b: only what stands in a.b is taken", 1},
		{"a wrapper in a list", `[{"meta":1,"policy":` + pasted + `}]`, "only what stands in policy is taken", 1},
		{"a wrapper of several", `{"one":` + pasted + `,"more":[` + pasted + `]}`, "another tool's file with 2 policies", 0},
		{"a template of the service", `{"id":"x","name":"Block","scenarios":"zeroTrust","details":{"conditions":{},"grantControls":{}}}`, "its policy stands in details without displayName and state", 0},
		{"a policy as text", `{"name":"T","Raw":"{\"displayName\":\"P\",\"conditions\":{}}"}`, "its policy stands as text in Raw", 0},
		{"PowerShell's members", `{"Id":"x","DisplayName":"P","State":"disabled","Conditions":{"Users":{"IncludeUsers":["All"]}}}`, "as the PowerShell modules write it", 0},
		{"PowerShell's location", `{"DisplayName":"L","CountriesAndRegions":["DE"]}`, "as the PowerShell modules write it", 0},
		{"a group", `{"displayName":"G","mailEnabled":false,"securityEnabled":true,"groupTypes":[]}`, "this is a group", 0},
		{"groups", `{"value":[{"displayName":"G","securityEnabled":true}]}`, "this is a group", 0},
		{"a table", `{"TenantId":"x","Objects":[{"Id":"y"}]}`, "this is neither a baseline nor a policy", 0},
		{"a location in other words", `{"ipLocations":[{"name":"HQ","isTrusted":true,"ipRanges":["203.0.113.0/24"]}],"geoLocations":[{"name":"Barred","countries":["KP"]}]}`, "what stands in ipLocations has no displayName: write a named location", 0},
		{"a policy in other words", `{"id":"CA901","displayName":"Guests","description":"d","metadata":{"persona":"Guest"},"include":{"users":"guests"},"exclude":{"groups":["G"]},"conditions":{"clientAppTypes":["all"]},"grant":{"builtInControls":["mfa"]}}`, "a policy in another tool's own words (metadata, include, exclude)", 0},
		{"policies in other words", `[{"displayName":"Guests","include":{"users":"guests"},"conditions":{"clientAppTypes":["all"]},"grant":{"builtInControls":["mfa"]}}]`, "a policy in another tool's own words (include, grant)", 0},
		{"a list response", `{"@odata.context":"x","value":[` + pasted + `]}`, "", 1},
		{"a misspelt list", `{"polices":[` + pasted + `]}`, `unknown key (did you mean "policies"?)`, 0},
		{"a policy and a wrapper's key", `{"policies":[` + pasted + `],"other":{}}`, "other: unknown key", 0},
	} {
		b, problems := baseline.Parse("f.json", []byte(c.text))
		if len(problems) > 1 || len(problems) == 1 != (c.want != "") || !strings.Contains(problems.Error(), c.want) && !strings.Contains(problems[0].Error(), c.want) {
			t.Errorf("%s: %d problems\n%s\nwant %q", c.name, len(problems), problems.Error(), c.want)
		}
		if b != nil && len(b.Policies) != c.policies || b == nil && c.policies > 0 {
			t.Errorf("%s: %v", c.name, b)
		}
	}
}

// TestPastedIDsMeanTheObjectsOfTheSet: a policy that names a location or a
// strength of the same files by its old id means the one that is made here.
func TestPastedIDsMeanTheObjectsOfTheSet(t *testing.T) {
	const place, strength = "aaaa0000-0000-0000-0000-0000000000a1", "aaaa0000-0000-0000-0000-0000000000a2"
	set := `
namedLocations: [{id: AAAA0000-0000-0000-0000-0000000000A1, displayName: Office, ipRanges: [{cidrAddress: 203.0.113.0/24}]}]
authenticationStrengths: [{id: ` + strength + `, displayName: Keys, allowedCombinations: [fido2]}]
policies:
  - {displayName: P, state: disabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [All], excludeLocations: [` + place + `]}},
     grantControls: {operator: OR, authenticationStrength: {id: ` + strength + `, displayName: Keys}}}
`
	tn, b := applied(t, set)
	live := tn.docs[entra.KindPolicy][string(tn.owned[entra.KindPolicy]["P"].ID)]
	if got := policy.Strings(live, "conditions.locations.excludeLocations"); len(got) != 1 || got[0] != string(tn.owned[entra.KindLocation]["Office"].ID) {
		t.Errorf("the location is %v", got)
	}
	if got := policy.TextAt(live, "grantControls.authenticationStrength.id"); got != string(tn.owned[entra.KindStrength]["Keys"].ID) {
		t.Errorf("the strength is %v", got)
	}
	for _, e := range tn.plan(b, drift.Settings{}).Entries {
		if e.Status != drift.InSync && e.Status != drift.Unmanaged {
			t.Error(e)
		}
	}
	// Where nothing has the id, neither here nor there, the policy is blocked.
	other := newTenant()
	r := other.plan(load(t, strings.Replace(set, "AAAA0000", "BBBB0000", 1)), drift.Settings{})
	if a := r.Actions[len(r.Actions)-1]; a.Status != "blocked" || !strings.Contains(strings.Join(a.Reasons, " "), "no named location has the id "+place+" (1040)") {
		t.Errorf("%s %v", a.Status, a.Reasons)
	}
}

// TestWordsNewerThanTheProgram: a word that the tenant shows in the same list is
// one, and a name that nothing has is none.
func TestWordsNewerThanTheProgram(t *testing.T) {
	wanted := policyOf("applications: {includeApplications: [AllNewThings]}", "")
	tn, b := newTenant(), load(t, wanted)
	tn.live.Names[entra.Ref{Kind: entra.KindApplication, Name: "AllNewThings"}] = entra.Resolution{}
	r := tn.plan(b, drift.Settings{})
	if a := r.Actions[len(r.Actions)-1]; a.Status != "blocked" || !strings.Contains(strings.Join(a.Reasons, " "), `no application is named "AllNewThings"; it is none of the special words`) {
		t.Errorf("%s %v", a.Status, a.Reasons)
	}
	d := b.Policies[0].Want.Document()
	d["displayName"] = "Made by hand"
	tn.put(entra.KindPolicy, "", d)
	r = tn.plan(b, drift.Settings{})
	if a := r.Actions[len(r.Actions)-1]; a.Status != "ready" || policy.Strings(a.Change.Body, policy.PathIncludeApplications)[0] != "AllNewThings" {
		t.Errorf("%s %v", a.Status, a.Reasons)
	}
}
