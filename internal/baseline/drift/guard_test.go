package drift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

const enforced = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
namedLocations:
  - {key: VPN, displayName: VPN, isTrusted: true, ipRanges: [{cidrAddress: 203.0.113.0/24}, {cidrAddress: 198.51.100.0/25}]}
  - {key: NEAR, displayName: Near, countriesAndRegions: [DE, NO]}
authenticationStrengths:
  - {key: KEYS, displayName: Keys, allowedCombinations: [fido2, windowsHelloForBusiness]}
policies:
  - key: A
    displayName: A
    state: enabled
    conditions:
      applications: {includeApplications: [All]}
      users: {includeUsers: [All], excludeGroups: [Finance]}
      locations: {includeLocations: [All], excludeLocations: [VPN]}
      signInRiskLevels: [high, medium]
    grantControls: {operator: AND, builtInControls: [mfa, compliantDevice]}
    sessionControls: {signInFrequency: {isEnabled: true, type: hours, value: 4}}
  - key: B
    displayName: B
    state: enabled
    conditions:
      applications: {includeApplications: [Office365]}
      users: {includeGroups: [Finance]}
      locations: {includeLocations: [NEAR]}
    grantControls: {operator: OR, authenticationStrength: {id: KEYS}}
  - key: R
    displayName: R
    state: enabledForReportingButNotEnforced
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
`

// TestGuards: what a change of the baseline needs of the switches. "e" is
// allowEnabledPolicies, "w" allowWeakening.
func TestGuards(t *testing.T) {
	for _, c := range []struct{ name, from, to, needs string }{
		{"report-only changes freely", "key: R\n    displayName: R\n    state: enabledForReportingButNotEnforced", "key: R\n    displayName: R\n    state: disabled", ""},
		{"a new name", "displayName: A\n", "displayName: A2\n", ""},
		{"enabling", "key: R\n    displayName: R\n    state: enabledForReportingButNotEnforced", "key: R\n    displayName: R\n    state: enabled", "e"},
		{"disabling", "key: A\n    displayName: A\n    state: enabled", "key: A\n    displayName: A\n    state: disabled", "ew"},
		{"back to report-only", "key: A\n    displayName: A\n    state: enabled", "key: A\n    displayName: A\n    state: enabledForReportingButNotEnforced", "ew"},
		{"one control less", "[mfa, compliantDevice]", "[mfa]", "ew"},
		{"either instead of both", "operator: AND", "operator: OR", "ew"},
		{"one control more", "[mfa, compliantDevice]", "[mfa, compliantDevice, compliantApplication]", "e"},
		{"block instead", "{operator: AND, builtInControls: [mfa, compliantDevice]}", "{operator: OR, builtInControls: [block]}", "e"},
		{"a built-in strength for mfa and a device", "{operator: AND, builtInControls: [mfa, compliantDevice]}", "{operator: OR, authenticationStrength: {id: Phishing-resistant MFA}}", "ew"},
		{"another strength", "{id: KEYS}", "{id: Phishing-resistant MFA}", "ew"},
		{"the grant goes", "    grantControls: {operator: AND, builtInControls: [mfa, compliantDevice]}\n", "", "ew"},
		{"the session goes", "    sessionControls: {signInFrequency: {isEnabled: true, type: hours, value: 4}}\n", "", "ew"},
		{"a longer session", "value: 4}", "value: 5}", "ew"},
		{"a shorter session", "value: 4}", "value: 3}", "e"},
		{"every time", "type: hours, value: 4}", "frequencyInterval: everyTime}", "e"},
		{"persistent browser never", "value: 4}}", "value: 4}, persistentBrowser: {isEnabled: true, mode: never}}", "e"},
		{"persistent browser always", "value: 4}}", "value: 4}, persistentBrowser: {isEnabled: true, mode: always}}", "ew"},
		{"an exclusion more", "excludeGroups: [Finance]", "excludeGroups: [Finance], excludeUsers: [ada@contoso.com]", "ew"},
		{"an exclusion less", ", excludeGroups: [Finance]", "", "e"},
		{"a break-glass exclusion more", "users: [bg1@contoso.com, bg2@contoso.com]}", "users: [bg1@contoso.com, bg2@contoso.com], groups: [CA Break Glass]}", "e"},
		{"some instead of all", "{includeUsers: [All], excludeGroups: [Finance]}", "{includeGroups: [Finance]}", "ew"},
		{"all instead of some", "{includeGroups: [Finance]}", "{includeUsers: [All]}", "e"},
		{"more applications", "[Office365]", "[Office365, MicrosoftAdminPortals]", "e"},
		{"other applications", "[Office365]", "[MicrosoftAdminPortals]", "ew"},
		{"less risk", "[high, medium]", "[high]", "ew"},
		{"more risk", "[high, medium]", "[high, medium, low]", "e"},
		{"any risk", "      signInRiskLevels: [high, medium]\n", "", "e"},
		{"a platform condition", "      signInRiskLevels: [high, medium]\n", "      signInRiskLevels: [high, medium]\n      platforms: {includePlatforms: [iOS]}\n", "ew"},
		{"fewer clients", "      signInRiskLevels: [high, medium]\n", "      signInRiskLevels: [high, medium]\n      clientAppTypes: [browser]\n", "ew"},
		{"a device filter", "      signInRiskLevels: [high, medium]\n", "      signInRiskLevels: [high, medium]\n      devices: {deviceFilter: {mode: exclude, rule: x}}\n", "ew"},
		{"a flow condition", "      signInRiskLevels: [high, medium]\n", "      signInRiskLevels: [high, medium]\n      authenticationFlows: {transferMethods: deviceCodeFlow}\n", "ew"},
		{"no location condition", "      locations: {includeLocations: [All], excludeLocations: [VPN]}\n", "", "e"},
		{"an excluded location grows", "203.0.113.0/24}", "203.0.0.0/16}", "ew"},
		{"an excluded location shrinks", "203.0.113.0/24}", "203.0.113.0/25}", "e"},
		{"an included location grows", "[DE, NO]", "[DE, NO, SE]", "e"},
		{"an included location shrinks", "[DE, NO]", "[DE]", "ew"},
		{"trust goes, AllTrusted unused", "isTrusted: true", "isTrusted: false", "e"},
		{"a strength allows more", "[fido2, windowsHelloForBusiness]", "[fido2, windowsHelloForBusiness, 'password,sms']", "ew"},
		{"a strength allows less", "[fido2, windowsHelloForBusiness]", "[fido2]", "e"},
		{"a strength gets another name", "displayName: Keys", "displayName: Security keys", ""},
		{"a location gets another name", "displayName: Near", "displayName: Neighbours", ""},
		{"a description", "displayName: A\n", "displayName: A\n    description: why\n", ""},
		{"an application excluded", "{includeApplications: [All]}\n      users: {includeUsers: [All], excludeGroups", "{includeApplications: [All], excludeApplications: [Office365]}\n      users: {includeUsers: [All], excludeGroups", "ew"},
		{"applications by a filter besides", "[Office365]}", "[Office365], applicationFilter: {mode: include, rule: x}}", "ew"},
		{"a user action instead of applications", "{includeApplications: [Office365]}", "{includeUserActions: ['urn:user:registersecurityinfo']}", "ew"},
		{"a role excluded", "excludeGroups: [Finance]}", "excludeGroups: [Finance], excludeRoles: [Global Administrator]}", "ew"},
		{"guests excluded", "excludeGroups: [Finance]}", "excludeGroups: [Finance], excludeGuestsOrExternalUsers: {guestOrExternalUserTypes: internalGuest}}", "ew"},
		{"guests included besides", "{includeGroups: [Finance]}", "{includeGroups: [Finance], includeGuestsOrExternalUsers: {guestOrExternalUserTypes: internalGuest}}", "e"},
		{"another group instead", "{includeGroups: [Finance]}", "{includeGroups: [CA Break Glass]}", "ew"},
		{"user risk asked for besides", "      signInRiskLevels: [high, medium]\n", "      signInRiskLevels: [high, medium]\n      userRiskLevels: [high]\n", "ew"},
		{"insider risk asked for", "      signInRiskLevels: [high, medium]\n", "      signInRiskLevels: [high, medium]\n      insiderRiskLevels: elevated\n", "ew"},
		{"terms of use besides", "[mfa, compliantDevice]}", "[mfa, compliantDevice], termsOfUse: [aaaaaaaa-0000-0000-0000-00000000000f]}", "e"},
		{"terms of use as a way around", "{operator: AND, builtInControls: [mfa, compliantDevice]}", "{operator: OR, builtInControls: [mfa, compliantDevice], termsOfUse: [aaaaaaaa-0000-0000-0000-00000000000f]}", "ew"},
		{"a resilient session is not any more", "value: 4}}", "value: 4}, disableResilienceDefaults: true}", "e"},
		{"downloads are blocked", "value: 4}}", "value: 4}, cloudAppSecurity: {isEnabled: true, cloudAppSecurityType: blockDownloads}}", "e"},
		{"days instead of hours", "type: hours, value: 4", "type: days, value: 4", "ew"},
		{"an excluded location by another", "excludeLocations: [VPN]", "excludeLocations: [NEAR]", "ew"},
		{"an excluded location not any more", "includeLocations: [All], excludeLocations: [VPN]", "includeLocations: [All]", "e"},
		{"an included location more", "includeLocations: [NEAR]", "includeLocations: [NEAR, VPN]", "e"},
		{"an included location by another", "includeLocations: [NEAR]", "includeLocations: [VPN]", "ew"},
		{"unknown countries belong to an included location", "[DE, NO]}", "[DE, NO], includeUnknownCountriesAndRegions: true}", "e"},
	} {
		t.Run(c.name, func(t *testing.T) { guarded(t, enforced, c.from, c.to, c.needs) })
	}
	// Policies that name trusted locations as such.
	excluding := strings.Replace(enforced, "excludeLocations: [VPN]", "excludeLocations: [AllTrusted]", 1)
	including := strings.Replace(enforced, "includeLocations: [NEAR]", "includeLocations: [AllTrusted]", 1)
	for _, c := range []struct{ name, base, from, to, needs string }{
		{"trust goes where it is excluded", excluding, "isTrusted: true", "isTrusted: false", "e"},
		{"a trusted location grows where trust is excluded", excluding, "203.0.113.0/24}", "203.0.0.0/16}", "ew"},
		{"a trusted location is made where trust is excluded", excluding, "namedLocations:\n", "namedLocations:\n  - {key: NEW, displayName: New, isTrusted: true, ipRanges: [{cidrAddress: 192.0.2.0/24}]}\n", "ew"},
		{"a location without trust is made", excluding, "namedLocations:\n", "namedLocations:\n  - {key: NEW, displayName: New, ipRanges: [{cidrAddress: 192.0.2.0/24}]}\n", ""},
		{"trust goes where it is included", strings.Replace(including, "excludeLocations: [VPN]", "excludeLocations: [NEAR]", 1), "isTrusted: true", "isTrusted: false", "ew"},
		{"a trusted location is made where trust is included", including, "namedLocations:\n", "namedLocations:\n  - {key: NEW, displayName: New, isTrusted: true, ipRanges: [{cidrAddress: 192.0.2.0/24}]}\n", "e"},
	} {
		t.Run(c.name, func(t *testing.T) { guarded(t, c.base, c.from, c.to, c.needs) })
	}
}

// guarded applies a baseline, changes it, and checks with every setting of the
// switches whether the change is ready.
func guarded(t *testing.T, base, from, to, needs string) {
	t.Helper()
	tn, _ := applied(t, base)
	text := strings.Replace(base, from, to, 1)
	if text == base {
		t.Fatal("the case changes nothing")
	}
	b := load(t, text)
	for _, s := range []struct {
		e, w  bool
		needs string
	}{{false, false, ""}, {true, false, "e"}, {false, true, "w"}, {true, true, "ew"}} {
		want := plan.Ready
		for _, need := range needs {
			if !strings.ContainsRune(s.needs, need) {
				want = plan.NotEnabled
			}
		}
		r := tn.plan(b, drift.Settings{AllowEnabledPolicies: s.e, AllowWeakening: s.w})
		if len(r.Actions) == 0 {
			t.Fatal("no action")
		}
		for _, a := range r.Actions {
			if a.Rule == "R" && len(r.Actions) > 1 {
				continue // report-only, changed along with the others
			}
			if a.Status != want {
				t.Errorf("with %q: %s %s is %s, want %s; %v", s.needs, a.Kind, a.Rule, a.Status, want, a.Reasons)
			}
			for _, reason := range a.Reasons {
				if strings.Contains(reason, "is off") && (strings.Contains(reason, "allowEnabledPolicies") && s.e || strings.Contains(reason, "allowWeakening") && s.w) {
					t.Errorf("with %q: %s", s.needs, reason)
				}
			}
		}
	}
}

func TestGuardsOnCreateAndPrune(t *testing.T) {
	tn, b := newTenant(), load(t, enforced)
	want := []string{"createLocation VPN ready", "createLocation NEAR ready", "createStrength KEYS ready", "createPolicy A notEnabled", "createPolicy B notEnabled", "createPolicy R ready"}
	if d := cmp.Diff(want, shape(tn.plan(b, drift.Settings{}).Actions)); d != "" {
		t.Error(d)
	}
	tn, _ = applied(t, enforced)
	only := load(t, "policies: [{key: R, displayName: R, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeUsers: ["+bg1+", "+bg2+"]}}, grantControls: {builtInControls: [mfa]}}]")
	for _, c := range []struct {
		s    drift.Settings
		b    *baseline.Baseline
		want string
	}{
		{drift.Settings{}, only, "notEnabled"},
		{drift.Settings{Prune: true}, only, "notEnabled"},
		{drift.Settings{Prune: true, AllowEnabledPolicies: true}, only, "notEnabled"},
		{everything, only, "ready"},
		{everything, &baseline.Baseline{}, "blocked"},
	} {
		got := shape(tn.plan(c.b, c.s).Actions)
		if len(got) < 6 || got[0] != "deletePolicy A "+c.want || got[1] != "deletePolicy B "+c.want {
			t.Errorf("%+v: %v, want %s", c.s, got, c.want)
		}
	}
	tn.docs[entra.KindPolicy][string(tn.owned[entra.KindPolicy]["A"].ID)]["state"] = "disabled"
	if got := shape(tn.plan(only, everything).Actions); got[0] != "deletePolicy A blocked" {
		t.Error("a policy changed by hand is pruned:", got)
	}
}

// synced makes a tenant synchronise, by an account that holds roles, or by one
// that is not known.
func synced(unknown string, roles ...string) func(*tenant) {
	return func(tn *tenant) {
		tn.live.Tenant.OnPremisesSynced, tn.live.SyncError = true, unknown
		if len(roles) > 0 {
			tn.live.SyncAccounts = []entra.RoleHolder{{ID: ada, UserPrincipalName: "sync@contoso.com", Roles: entra.NewIDs(roles), Groups: []entra.ID{"e0000000-0000-0000-0000-000000000009"}}}
		}
	}
}

// TestPreconditions: what keeps an enabled policy from being written at all.
func TestPreconditions(t *testing.T) {
	user := func(id string, on *bool) entra.DirectoryObject {
		return entra.DirectoryObject{Kind: entra.KindUser, ID: entra.NewID(id), AccountEnabled: on}
	}
	for _, c := range []struct {
		name   string
		text   string
		change func(*tenant)
		want   string
	}{
		{"all is well", "", func(*tenant) {}, ""},
		{"security defaults on", "", func(tn *tenant) { tn.live.Tenant.SecurityDefaults = yes(true) }, "security defaults are on"},
		{"security defaults unknown", "", func(tn *tenant) { tn.live.Tenant.SecurityDefaults = nil }, "could not be read whether security defaults"},
		{"no P1", "", func(tn *tenant) { tn.live.Tenant.PlanP1 = false }, "Microsoft Entra ID P1"},
		{"no P2", "", func(tn *tenant) { tn.live.Tenant.PlanP2 = false }, "Microsoft Entra ID P2"},
		{"licence unknown", "", func(tn *tenant) { tn.live.Tenant.PlanP2, tn.live.Tenant.PlansUnknown = false, true }, ""},
		{"synchronised, by nobody", "", synced(""), ""},
		{"synchronised", "", synced("", policy.DirectorySyncRole), "exclude the role Directory Synchronization Accounts (d29b2b05"},
		{"synchronised by the newer role", "", synced("", policy.OnPremisesSyncRole), "exclude the role On Premises Directory Sync Account (a92aed5d"},
		{"synchronised and excluded", "excludeRoles: [" + policy.DirectorySyncRole + "], ", synced("", policy.DirectorySyncRole), ""},
		{"synchronised and the newer excluded, written large", "excludeRoles: [A92AED5D-D78A-4D16-B381-09ADB37EB3B0], ", synced("", policy.OnPremisesSyncRole), ""},
		{"synchronised and another role excluded", "excludeRoles: [" + policy.DirectorySyncRole + "], ", synced("", policy.OnPremisesSyncRole), "sync@contoso.com"},
		{"synchronised and one of both roles excluded", "excludeRoles: [" + policy.DirectorySyncRole + "], ", synced("", policy.OnPremisesSyncRole, policy.DirectorySyncRole), ""},
		{"synchronised by whom is unknown", "excludeRoles: [" + policy.DirectorySyncRole + "], ", synced("403"), "not known (403), so it must exclude the role On Premises Directory Sync Account"},
		{"synchronised by whom is unknown, both excluded", "excludeRoles: [" + policy.DirectorySyncRole + ", " + policy.OnPremisesSyncRole + "], ", synced("403"), ""},
		{"synchronised and the account excluded", "excludeUsers: [" + ada + "], ", synced("", policy.OnPremisesSyncRole), ""},
		{"one account disabled", "", func(tn *tenant) { tn.name(entra.KindUser, "bg2@contoso.com", user(bg2, yes(false))) }, "at least 2 enabled break-glass accounts; there are 1"},
		{"one account unknown", "", func(tn *tenant) { tn.name(entra.KindUser, "bg2@contoso.com", user(bg2, nil)) }, "there are 1"},
		{"one account missing", "", func(tn *tenant) { tn.name(entra.KindUser, "bg2@contoso.com") }, `no user is named "bg2@contoso.com"`},
		{"twice the same account", "", func(tn *tenant) { tn.name(entra.KindUser, "bg2@contoso.com", user(bg1, yes(true))) }, "there are 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn := newTenant()
			c.change(tn)
			b := load(t, strings.Replace(enforced, "{includeUsers: [All], excludeGroups", "{includeUsers: [All], "+c.text+"excludeGroups", 1))
			for _, a := range tn.plan(b, everything).Actions {
				if a.Rule != "A" {
					continue
				}
				got := strings.Join(a.Reasons, "; ")
				if (a.Status == plan.Blocked) != (c.want != "") || !strings.Contains(got, c.want) {
					t.Errorf("%s: %s, want %q", a.Status, got, c.want)
				}
			}
		})
	}
}

func (t *tenant) name(kind entra.ObjectKind, name string, objects ...entra.DirectoryObject) {
	ref := entra.Ref{Kind: kind, Name: name}
	t.live.Names[ref] = entra.Resolution{Ref: ref, Objects: objects}
}

func TestBreakGlassGroups(t *testing.T) {
	text := strings.Replace(enforced, "breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}", "breakGlass: {groups: [CA Break Glass]}", 1)
	members := func(n int, on bool) []entra.DirectoryObject {
		var out []entra.DirectoryObject
		for i := range n {
			out = append(out, entra.DirectoryObject{Kind: entra.KindUser, ID: entra.NewID(fmt.Sprintf("b1000000-0000-0000-0000-%012d", i)), AccountEnabled: yes(on)})
		}
		return out
	}
	for _, c := range []struct {
		name          string
		members       []entra.DirectoryObject
		reportOnly, a plan.Status
		problems      int
	}{
		{"two", members(2, true), plan.Ready, plan.Ready, 0},
		{"ten", members(10, true), plan.Ready, plan.Ready, 0},
		{"eleven", members(11, true), plan.Blocked, plan.Blocked, 1},
		{"one", members(1, true), plan.Ready, plan.Blocked, 0},
		{"disabled", members(5, false), plan.Ready, plan.Blocked, 0},
		{"unread", nil, plan.Ready, plan.Blocked, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn := newTenant()
			tn.live.Members = map[entra.ID][]entra.DirectoryObject{}
			if c.members != nil {
				tn.live.Members[bgGroup] = c.members
			}
			r := tn.plan(load(t, text), everything)
			for _, a := range r.Actions {
				if want := map[string]plan.Status{"A": c.a, "R": c.reportOnly}[a.Rule]; want != "" && a.Status != want {
					t.Errorf("%s is %s, want %s: %v", a.Rule, a.Status, want, a.Reasons)
				}
			}
			if len(r.Problems) != c.problems {
				t.Error(r.Problems)
			}
			if len(c.members) < 11 && len(r.BreakGlass) != len(c.members) {
				t.Error(r.BreakGlass)
			}
		})
	}
}

func TestLockoutProof(t *testing.T) {
	const head = "breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}\n"
	written := func(state, more, extra string) string {
		return head + "policies:\n  - {key: X, displayName: X, state: " + state + ", conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}" + more + "}, grantControls: {builtInControls: [block]}" + extra + "}\n"
	}
	for _, c := range []struct {
		name, text string
		want       plan.Status
	}{
		{"accepted", written("enabled", "", ", acceptLockout: true"), plan.Ready},
		{"everywhere but trusted, none trusted", written("enabled", ", locations: {includeLocations: [All], excludeLocations: [AllTrusted]}", ""), plan.Blocked},
		{"the same, report-only", written("enabledForReportingButNotEnforced", ", locations: {includeLocations: [All], excludeLocations: [AllTrusted]}", ""), plan.Ready},
		{"the same with a trusted location", written("enabled", ", locations: {includeLocations: [All], excludeLocations: [AllTrusted]}", "") + "namedLocations: [{displayName: HQ, isTrusted: true, ipRanges: [{cidrAddress: 192.0.2.0/24}]}]\n", plan.Ready},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newTenant().plan(load(t, c.text), everything)
			if a := r.Actions[len(r.Actions)-1]; a.Status != c.want {
				t.Error(a.Status, a.Reasons)
			}
		})
	}
	t.Run("the job's own identity", func(t *testing.T) {
		b := load(t, head+"policies:\n  - {key: W, displayName: W, state: enabled, conditions: {applications: {includeApplications: [All]}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}}, grantControls: {builtInControls: [block]}}\n")
		tn := newTenant()
		a := tn.plan(b, everything).Actions[0]
		if d := cmp.Diff([]string{self}, policy.Strings(a.Change.Body, policy.PathWorkloads+".excludeServicePrincipals")); d != "" || a.Status != plan.Ready {
			t.Error(d, a.Reasons)
		}
		tn.live.Self = entra.DirectoryObject{Kind: entra.KindUser, ID: ada}
		if a := tn.plan(b, everything).Actions[0]; a.Status != plan.Ready || policy.Has(a.Change.Body, policy.PathWorkloads+".excludeServicePrincipals") {
			t.Error("a person is excluded as a workload:", a.Reasons)
		}
		tn.live.Self = entra.DirectoryObject{}
		if a := tn.plan(b, everything).Actions[0]; a.Status != plan.Blocked {
			t.Error(a.Status)
		}
	})
	t.Run("policies not ours only warn", func(t *testing.T) {
		tn := newTenant()
		tn.put(entra.KindPolicy, "", doc(t, `{"displayName":"Theirs","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}},"grantControls":{"builtInControls":["block"]}}`))
		r := tn.plan(load(t, small), drift.Settings{})
		if len(r.Warnings) != 2 || len(r.Problems) != 0 {
			t.Error(r.Warnings, r.Problems)
		}
	})
}

func TestTenantMaximum(t *testing.T) {
	tn, b := newTenant(), load(t, small)
	for i := range baseline.MaxPolicies - 2 {
		tn.put(entra.KindPolicy, "", entra.Document{"displayName": fmt.Sprint("P", i)})
	}
	if got := shape(tn.plan(b, drift.Settings{}).Actions); got[2] != "createPolicy CA010 ready" {
		t.Error(got)
	}
	tn.put(entra.KindPolicy, "", entra.Document{"displayName": "one more"})
	if got := shape(tn.plan(b, drift.Settings{}).Actions); got[2] != "createPolicy CA010 blocked" || got[3] != "createPolicy CA020 blocked" {
		t.Error(got)
	}
}

func TestUnmanagedIsCopiedFromLive(t *testing.T) {
	tn, _ := applied(t, small)
	b := load(t, strings.Replace(small, "key: CA010\n", "key: CA010\n    unmanaged: [state, sessionControls, conditions.locations]\n", 1))
	d := tn.docs[entra.KindPolicy][string(tn.owned[entra.KindPolicy]["CA010"].ID)]
	d["state"], d["sessionControls"] = "enabled", map[string]any{"disableResilienceDefaults": true}
	policy.Put(d, "conditions.locations", map[string]any{"includeLocations": []any{"All"}})
	if got := shape(tn.plan(b, drift.Settings{}).Actions); len(got) > 0 {
		t.Error(got)
	}
	policy.Put(d, "conditions.users.excludeGroups", []any{bgGroup})
	r := tn.plan(b, everything)
	if len(r.Actions) != 1 || r.Actions[0].Change.After["state"] != "enabled" || policy.Has(r.Actions[0].Change.Body, "sessionControls") {
		t.Error(shape(r.Actions))
	}
}

// What is copied from the live policy is a copy: our own exclusion is a
// difference although the rest of the member is the tenant's.
func TestUnmanagedWorkloadsAreStillSpared(t *testing.T) {
	const workloads = `breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
policies:
  - key: W
    displayName: W
    unmanaged: [conditions.clientApplications]
    state: enabledForReportingButNotEnforced
    conditions: {clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}, applications: {includeApplications: [All]}}
    grantControls: {operator: OR, builtInControls: [block]}
`
	tn, b := applied(t, workloads)
	d := tn.docs[entra.KindPolicy][string(tn.owned[entra.KindPolicy]["W"].ID)]
	if got := policy.Strings(d, policy.PathWorkloads+".excludeServicePrincipals"); len(got) != 1 {
		t.Fatalf("our own service principal is not excluded: %v", got)
	}
	policy.Put(d, policy.PathWorkloads+".excludeServicePrincipals", []any{})
	if got := shape(tn.plan(b, everything).Actions); len(got) != 1 {
		t.Errorf("the missing exclusion is not seen: %v", got)
	}
}

// A policy that holds for workload identities alone has nobody to spare:
// exclusions that it does not need would be a difference that other tools take
// out again.
func TestBreakGlassIsNotExcludedWhereNobodyIsIncluded(t *testing.T) {
	for include, want := range map[string]bool{
		"users: {includeUsers: [None]}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}": false,
		"users: {includeUsers: [none]}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}": false,
		"users: {includeUsers: []}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}":     false,
		"users: {includeUsers: [None]}, clientApplications: {includeServicePrincipals: [None]}":                        true,
		"users: {includeUsers: [None]}": true,
		"users: {includeUsers: [None], includeGroups: [Finance]}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}": true,
		"users: {includeUsers: [All]}, clientApplications: {includeServicePrincipals: [ServicePrincipalsInMyTenant]}":                            true,
	} {
		b := load(t, `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
policies:
  - {key: W, displayName: W, state: disabled, grantControls: {operator: OR, builtInControls: [block]}, conditions: {applications: {includeApplications: [All]}, `+include+`}}
`)
		tn := newTenant()
		tn.live.Self = entra.DirectoryObject{Kind: entra.KindServicePrincipal, ID: "5e1f0000-0000-0000-0000-000000000001"}
		a := tn.plan(b, everything).Actions[0]
		if got := len(policy.Strings(a.Change.Body, policy.PathUsers+".excludeUsers")) > 0; got != want {
			t.Errorf("%s: break-glass excluded: %v, want %v (%v)", include, got, want, a.Reasons)
		}
	}
}
