package drift_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

const small = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com], groups: [CA Break Glass]}
namedLocations:
  - {key: VPN, displayName: Corporate VPN, isTrusted: true, ipRanges: [{cidrAddress: 203.0.113.7/24}]}
authenticationStrengths:
  - {displayName: Keys only, allowedCombinations: [fido2]}
policies:
  - key: CA010
    displayName: CA010 Risky sign-in requires MFA
    state: enabledForReportingButNotEnforced
    conditions: {signInRiskLevels: [high, medium], applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeGroups: [Finance]}}
    grantControls: {operator: AND, builtInControls: [mfa]}
  - key: CA020
    displayName: CA020 Keys outside
    state: enabledForReportingButNotEnforced
    conditions: {applications: {includeApplications: [All]}, users: {includeRoles: [Global Administrator]}, locations: {includeLocations: [All], excludeLocations: [vpn]}}
    grantControls: {operator: OR, authenticationStrength: {id: keys only}}
`

func TestPlanCreatesAndThenNothing(t *testing.T) {
	tn, b := newTenant(), load(t, small)
	r := tn.plan(b, drift.Settings{})
	want := []string{"createLocation VPN ready", "createStrength Keys only ready", "createPolicy CA010 ready", "createPolicy CA020 ready"}
	if d := cmp.Diff(want, shape(r.Actions)); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff([]string{"authenticationStrength:Keys only", "namedLocation:VPN"}, r.Actions[3].Change.Needs); d != "" {
		t.Error(d)
	}
	users := r.Actions[2].Change.Body["conditions"].(map[string]any)["users"]
	if d := cmp.Diff(map[string]any{"includeUsers": []any{"All"}, "excludeUsers": []any{bg1, bg2}, "excludeGroups": []any{finance, bgGroup}}, users); d != "" {
		t.Error(d)
	}
	if len(r.Problems)+len(r.Warnings) > 0 {
		t.Error(r.Problems, r.Warnings)
	}
	tn.apply(t, r.Actions)
	again := tn.plan(b, drift.Settings{})
	if d := cmp.Diff([]string{}, shape(again.Actions)); d != "" {
		t.Error(d)
		for _, e := range again.Entries {
			t.Log(e)
		}
	}
	for _, e := range again.Entries {
		if e.Status != drift.InSync {
			t.Error(e)
		}
	}
}

func applied(t *testing.T, text string) (*tenant, *baseline.Baseline) {
	t.Helper()
	tn, b := newTenant(), load(t, text)
	tn.apply(t, tn.plan(b, everything).Actions)
	if left := tn.plan(b, everything).Actions; len(left) > 0 {
		t.Fatalf("left after applying: %v %v", shape(left), left[0].Reasons)
	}
	return tn, b
}

func TestPlanMendsDrift(t *testing.T) {
	tn, b := applied(t, small)
	id := string(tn.owned[entra.KindPolicy]["CA010"].ID)
	policy.Put(tn.docs[entra.KindPolicy][id], "conditions.users.excludeGroups", []any{finance})
	policy.Put(tn.docs[entra.KindPolicy][id], "conditions.platforms", map[string]any{"includePlatforms": []any{"iOS"}, "excludePlatforms": []any{}})
	r := tn.plan(b, drift.Settings{})
	if d := cmp.Diff([]string{"updatePolicy CA010 ready"}, shape(r.Actions)); d != "" {
		t.Fatal(d)
	}
	c := r.Actions[0].Change
	var texts []string
	for _, d := range c.Differences {
		texts = append(texts, d.Text)
	}
	if d := cmp.Diff([]string{`conditions.platforms.includePlatforms: removed "iOS"`, `conditions.users.excludeGroups: added "CA Break Glass"`}, texts); d != "" {
		t.Error(d)
	}
	want := entra.Document{"conditions": map[string]any{
		"applications":   map[string]any{"includeApplications": []any{"All"}, "applicationFilter": nil},
		"clientAppTypes": []any{"all"}, "signInRiskLevels": []any{"high", "medium"},
		"users": map[string]any{"includeUsers": []any{"All"}, "excludeUsers": []any{bg1, bg2}, "excludeGroups": []any{finance, bgGroup},
			"includeGuestsOrExternalUsers": nil, "excludeGuestsOrExternalUsers": nil},
		"authenticationFlows": nil, "clientApplications": nil, "devices": nil, "insiderRiskLevels": nil, "locations": nil, "platforms": nil,
	}}
	if d := cmp.Diff(want, c.Body); d != "" {
		t.Error(d)
	}
	tn.apply(t, r.Actions)
	if left := tn.plan(b, drift.Settings{}).Actions; len(left) > 0 {
		t.Error(shape(left))
	}
}

func TestUpdateBody(t *testing.T) {
	live := entra.Document{"displayName": "P", "state": "enabled", "description": "x", "id": "1",
		"conditions":    map[string]any{"clientAppTypes": []any{"all"}, "users": map[string]any{"includeUsers": []any{"All"}, "excludeUsers": []any{ada}, "excludeGroups": []any{}}},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []any{}, "authenticationStrength@odata.context": "c", "authenticationStrength": map[string]any{"id": policy.StrengthMFA, "displayName": "MFA"}, "termsOfUse": []any{}},
		"sessionControls": map[string]any{"signInFrequency": map[string]any{"isEnabled": true, "type": "hours", "value": "4", "frequencyInterval": "timeBased", "authenticationType": "primaryAndSecondaryAuthentication"},
			"disableResilienceDefaults": nil, "applicationEnforcedRestrictions": nil, "persistentBrowser": map[string]any{"isEnabled": true, "mode": "never"}},
	}
	for _, c := range []struct {
		name   string
		change func(entra.Document)
		want   entra.Document
	}{
		{"a name only", func(d entra.Document) { d["displayName"] = "Q" }, entra.Document{"displayName": "Q"}},
		{"a description cleared", func(d entra.Document) { delete(d, "description") }, entra.Document{"description": nil}},
		{"an exclusion cleared", func(d entra.Document) { policy.Put(d, "conditions.users.excludeUsers", nil) },
			entra.Document{"conditions": map[string]any{"clientAppTypes": []any{"all"}, "users": map[string]any{"includeUsers": []any{"All"}, "excludeUsers": []any{}}}}},
		{"mfa for a strength", func(d entra.Document) {
			d["grantControls"] = map[string]any{"operator": "OR", "builtInControls": []any{"mfa"}}
		},
			entra.Document{"grantControls": map[string]any{"operator": "OR", "builtInControls": []any{"mfa"}, "authenticationStrength": nil}}},
		{"no session controls", func(d entra.Document) { delete(d, "sessionControls") }, entra.Document{"sessionControls": nil}},
		{"every time", func(d entra.Document) {
			d["sessionControls"] = map[string]any{"signInFrequency": map[string]any{"isEnabled": true, "frequencyInterval": "everyTime"}}
		}, entra.Document{"sessionControls": map[string]any{"persistentBrowser": nil,
			"signInFrequency": map[string]any{"isEnabled": true, "frequencyInterval": "everyTime", "authenticationType": "primaryAndSecondaryAuthentication", "type": nil, "value": nil}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := policy.CanonicalOf(entra.KindPolicy, live)
			want := before.Document()
			c.change(want)
			if d := cmp.Diff(c.want, policy.UpdateBody(entra.KindPolicy, before, policy.CanonicalOf(entra.KindPolicy, want), live)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	reason := func(r drift.Result, key string) string {
		for _, e := range r.Entries {
			if e.Key == key {
				return string(e.Status) + ": " + strings.Join(e.Reasons, "; ")
			}
		}
		return "no entry"
	}
	id := func(tn *tenant) string { return string(tn.owned[entra.KindPolicy]["CA010"].ID) }
	for _, c := range []struct {
		name   string
		change func(*tenant)
		want   []string
		reason string
	}{
		{"a namesake blocks", func(tn *tenant) { delete(tn.owned[entra.KindPolicy], "CA010") }, []string{"createPolicy CA010 blocked"}, "blocked: \"CA010 Risky sign-in requires MFA\" exists already (d0000000-0000-0000-0000-000000000003) and is not ours; take it into ownership, which would change nothing: risksweep baseline adopt CA010=d0000000-0000-0000-0000-000000000003"},
		{"two namesakes are named", func(tn *tenant) {
			tn.put(entra.KindPolicy, "", tn.docs[entra.KindPolicy][id(tn)])
			delete(tn.owned[entra.KindPolicy], "CA010")
		}, []string{"createPolicy CA010 blocked"}, "blocked: 2 objects named"},
		{"recorded for another key", func(tn *tenant) {
			tn.owned[entra.KindPolicy]["OLD"] = tn.owned[entra.KindPolicy]["CA010"]
			delete(tn.owned[entra.KindPolicy], "CA010")
		}, []string{"createPolicy CA010 blocked", "deletePolicy OLD blocked"}, "blocked: \"CA010 Risky sign-in requires MFA\" exists already"},
		{"recorded twice", func(tn *tenant) {
			tn.owned[entra.KindPolicy]["CA020"] = tn.owned[entra.KindPolicy]["CA010"]
		}, []string{"updatePolicy CA010 blocked", "updatePolicy CA020 blocked"}, "blocked: the id d0000000-0000-0000-0000-000000000003 is recorded for the keys CA010, CA020"},
		{"renamed by hand", func(tn *tenant) { tn.docs[entra.KindPolicy][id(tn)]["displayName"] = "Mine" }, []string{"updatePolicy CA010 ready"}, `renamed: renamed by hand from "CA010 Risky sign-in requires MFA" to "Mine"`},
		{"deleted by hand, in the bin", func(tn *tenant) { tn.live.Deleted[id(tn)] = true; delete(tn.docs[entra.KindPolicy], id(tn)) }, []string{"createPolicy CA010 ready"}, "create: deleted by hand; d0000000-0000-0000-0000-000000000003 is among the deleted items"},
		{"deleted by hand for good", func(tn *tenant) { tn.live.Deleted[id(tn)] = false; delete(tn.docs[entra.KindPolicy], id(tn)) }, []string{"createPolicy CA010 ready"}, "create: deleted by hand: d0000000"},
		{"not looked for", func(tn *tenant) { delete(tn.docs[entra.KindPolicy], id(tn)) }, []string{"createPolicy CA010 blocked"}, "blocked: the recorded object d0000000-0000-0000-0000-000000000003 is not in the list and was not looked for"},
		{"deleted, and a namesake made by hand", func(tn *tenant) {
			d := tn.docs[entra.KindPolicy][id(tn)]
			tn.live.Deleted[id(tn)] = true
			delete(tn.docs[entra.KindPolicy], id(tn))
			tn.put(entra.KindPolicy, "", d)
		}, []string{"createPolicy CA010 blocked"}, "blocked: deleted by hand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn, b := applied(t, small)
			c.change(tn)
			r := tn.plan(b, everything)
			if d := cmp.Diff(c.want, shape(r.Actions)); d != "" {
				t.Error(d)
			}
			if got := reason(r, "CA010"); !strings.HasPrefix(got, c.reason) {
				t.Errorf("got %q, want %q", got, c.reason)
			}
		})
	}
}

// TestDoublesAreWarnedOf: whoever made it, what has the name of ours is said.
func TestDoublesAreWarnedOf(t *testing.T) {
	tn, b := applied(t, small)
	double := tn.put(entra.KindPolicy, "", tn.docs[entra.KindPolicy][string(tn.owned[entra.KindPolicy]["CA010"].ID)])
	r := tn.plan(b, everything)
	if len(r.Actions) != 0 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], double) {
		t.Error(shape(r.Actions), r.Warnings)
	}
}

func TestUnresolvedNamesBlockOneEntry(t *testing.T) {
	for _, c := range []struct{ change, reason string }{
		{"excludeGroups: [Nobody]", `excludeGroups: no group is named "Nobody"`},
		{"excludeGroups: [Twice]", `excludeGroups: 2 objects of kind group are named "Twice" (x1, x2); give the id`},
		{"excludeGroups: [Unasked]", `excludeGroups: the group "Unasked" was not looked up`},
	} {
		text := strings.Replace(small, "excludeGroups: [Finance]", c.change, 1)
		tn := newTenant()
		r := tn.plan(load(t, text), drift.Settings{})
		want := []string{"createLocation VPN ready", "createStrength Keys only ready", "createPolicy CA010 blocked", "createPolicy CA020 ready"}
		if d := cmp.Diff(want, shape(r.Actions)); d != "" {
			t.Error(d)
		}
		if a := r.Actions[2]; len(a.Reasons) != 1 || a.Reasons[0] != "b.yaml:11:141: "+c.reason || a.Change.Body != nil {
			t.Errorf("got %v, want %q; body %v", a.Reasons, c.reason, a.Change.Body)
		}
	}
	text := strings.Replace(small, "excludeLocations: [vpn]", "excludeLocations: [Corporate VPM]", 1)
	r := newTenant().plan(load(t, text), drift.Settings{})
	if a := r.Actions[3]; a.Status != plan.Blocked || !strings.Contains(a.Reasons[0], `no named location is named "Corporate VPM"`) {
		t.Error(a.Status, a.Reasons)
	}
}

func TestLearnedValuesNeverLoop(t *testing.T) {
	tn, b := applied(t, small)
	id := string(tn.owned[entra.KindPolicy]["CA010"].ID)
	policy.Put(tn.docs[entra.KindPolicy][id], "conditions.insiderRiskLevels", "minor") // the service's own default
	if got := shape(tn.plan(b, drift.Settings{}).Actions); len(got) != 1 {
		t.Fatalf("drift is not seen: %v", got)
	}
	o := tn.owned[entra.KindPolicy]["CA010"]
	o.Hash = policy.CanonicalHash(entra.KindPolicy, tn.docs[entra.KindPolicy][id])
	tn.owned[entra.KindPolicy]["CA010"] = o
	if got := shape(tn.plan(b, drift.Settings{}).Actions); len(got) != 0 {
		t.Errorf("what the service made of our write loops: %v", got)
	}
	other := load(t, strings.Replace(small, "[high, medium]", "[high]", 1))
	if got := shape(tn.plan(other, drift.Settings{}).Actions); len(got) != 1 {
		t.Errorf("a change of the baseline is hidden: %v", got)
	}
	policy.Put(tn.docs[entra.KindPolicy][id], "conditions.users.excludeUsers", []any{bg1})
	o.Hash = policy.CanonicalHash(entra.KindPolicy, tn.docs[entra.KindPolicy][id])
	tn.owned[entra.KindPolicy]["CA010"] = o
	if got := shape(tn.plan(b, drift.Settings{}).Actions); len(got) != 1 {
		t.Errorf("a lost break-glass exclusion was learned: %v", got)
	}
}
