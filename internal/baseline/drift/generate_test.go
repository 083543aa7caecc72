package drift_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"pgregory.net/rapid"
)

// world is a random valid baseline: locations, strengths, and policies that use
// them, by name, in shuffled order and redundant spelling.
func world(policies int) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		locations := []any{
			map[string]any{"key": "VPN", "displayName": "VPN exit", "isTrusted": rapid.Bool().Draw(t, "trusted"), "ipRanges": some(t, "ranges",
				map[string]any{"cidrAddress": "203.0.113.7/24"}, map[string]any{"cidrAddress": "2001:DB8::1/32"}, map[string]any{"cidrAddress": "198.51.100.0/25"})},
			map[string]any{"displayName": "Near", "countriesAndRegions": some(t, "countries", "DE", "no", "US"), "includeUnknownCountriesAndRegions": rapid.Bool().Draw(t, "unknown")},
		}
		strengths := []any{map[string]any{"displayName": "Keys", "allowedCombinations": some(t, "combinations", "fido2", "windowsHelloForBusiness", "password,sms", "temporaryAccessPassOneTime")}}
		var list []any
		for i := range rapid.IntRange(1, policies).Draw(t, "policies") {
			list = append(list, anyPolicy(i).Draw(t, "policy"))
		}
		return map[string]any{"breakGlass": map[string]any{"users": []any{"bg1@contoso.com", "bg2@contoso.com"}, "groups": []any{"CA Break Glass"}},
			"namedLocations": locations, "authenticationStrengths": strengths, "policies": list}
	})
}

// some draws a non-empty part of the values in any order.
func some(t *rapid.T, label string, values ...any) []any {
	order := rapid.Permutation(values).Draw(t, label)
	return order[:rapid.IntRange(1, len(order)).Draw(t, "of "+label)]
}

func maybe(t *rapid.T, label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }

func anyPolicy(i int) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		name := fmt.Sprintf("P%03d", i)
		p := map[string]any{"key": name, "displayName": name + " " + rapid.StringMatching(`[A-Za-z0-9äöé "#:]{0,8}[a-z]`).Draw(t, "name"),
			"state": rapid.SampledFrom([]any{"enabled", "disabled", "enabledForReportingButNotEnforced"}).Draw(t, "state")}
		c := anyConditions().Draw(t, "conditions")
		p["conditions"] = c
		all := c["applications"].(map[string]any)["includeApplications"]
		if maybe(t, "block") {
			p["grantControls"] = map[string]any{"operator": rapid.SampledFrom([]any{"AND", "OR"}).Draw(t, "operator"), "builtInControls": []any{"block"}}
			p["acceptLockout"] = true
			return p
		}
		grant := anyGrant().Draw(t, "grant")
		session := anySession(fmt.Sprint(all) == "[All]").Draw(t, "session")
		if grant == nil && session["signInFrequency"] == nil {
			grant = map[string]any{"operator": "AND", "builtInControls": []any{"mfa"}}
		}
		p["grantControls"] = grant
		if grant == nil {
			p["grantControls"] = nil
		}
		if len(session) > 0 {
			p["sessionControls"] = session
		}
		return p
	})
}

func anyConditions() *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		c := map[string]any{}
		switch rapid.IntRange(0, 4).Draw(t, "what") {
		case 0:
			c["applications"] = map[string]any{"includeApplications": []any{"Office365", "MicrosoftAdminPortals"}}
		case 1:
			c["applications"] = map[string]any{"includeUserActions": []any{"urn:user:registersecurityinfo"}}
		default:
			c["applications"] = map[string]any{"includeApplications": []any{"All"}}
		}
		users := map[string]any{"includeUsers": []any{rapid.SampledFrom([]any{"All", "all"}).Draw(t, "all")}}
		switch rapid.IntRange(0, 3).Draw(t, "who") {
		case 0:
			users = map[string]any{"includeGroups": []any{"Finance"}, "includeRoles": []any{"Global Administrator"}}
		case 1:
			users = map[string]any{"includeGuestsOrExternalUsers": map[string]any{"guestOrExternalUserTypes": "serviceProvider, internalGuest", "externalTenants": rapid.SampledFrom([]any{
				map[string]any{"membershipKind": "all"},
				map[string]any{"membershipKind": "enumerated", "members": []any{"aaaaaaaa-0000-0000-0000-0000000000BB", "aaaaaaaa-0000-0000-0000-0000000000aa"}}}).Draw(t, "tenants")}}
		}
		if maybe(t, "exclude") {
			users["excludeUsers"] = []any{"ada@contoso.com"}
		}
		c["users"] = users
		if maybe(t, "clients") {
			c["clientAppTypes"] = some(t, "clients", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other")
		}
		if maybe(t, "platforms") {
			c["platforms"] = map[string]any{"includePlatforms": []any{"all"}, "excludePlatforms": some(t, "platforms", "iOS", "android", "linux")}
		}
		if maybe(t, "locations") {
			c["locations"] = map[string]any{"includeLocations": []any{"all"}, "excludeLocations": some(t, "locations", "vpn", "Near", "AllTrusted")}
		}
		if maybe(t, "devices") {
			c["devices"] = map[string]any{"deviceFilter": map[string]any{"mode": "exclude", "rule": `device.isCompliant -eq True`}}
		}
		if maybe(t, "risk") {
			c["signInRiskLevels"] = some(t, "risk", "high", "medium", "low")
		}
		if maybe(t, "insider") {
			c["insiderRiskLevels"] = rapid.SampledFrom([]any{"minor", "elevated", nil}).Draw(t, "insider risk")
		}
		if maybe(t, "flows") {
			c["authenticationFlows"] = map[string]any{"transferMethods": rapid.SampledFrom([]any{"deviceCodeFlow", "authenticationTransfer,deviceCodeFlow"}).Draw(t, "flow")}
		}
		return c
	})
}

func anyGrant() *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		operator := rapid.SampledFrom([]any{"AND", "OR"}).Draw(t, "operator")
		switch rapid.IntRange(0, 4).Draw(t, "grant") {
		case 0:
			return nil
		case 1:
			return map[string]any{"operator": operator, "authenticationStrength": map[string]any{"id": rapid.SampledFrom([]any{"Keys", "Phishing-resistant MFA", policy.StrengthPhishingResistant}).Draw(t, "strength")}}
		case 2:
			return map[string]any{"operator": operator, "builtInControls": some(t, "controls", "compliantDevice", "domainJoinedDevice"), "authenticationStrength": map[string]any{"id": "keys"}}
		}
		return map[string]any{"operator": operator, "builtInControls": some(t, "controls", "mfa", "compliantDevice", "domainJoinedDevice", "compliantApplication")}
	})
}

func anySession(allApps bool) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		s := map[string]any{}
		every := rapid.Bool().Draw(t, "every time")
		if rapid.Bool().Draw(t, "frequency") {
			if f := map[string]any{"isEnabled": true, "frequencyInterval": "everyTime"}; every {
				s["signInFrequency"] = f
			} else {
				s["signInFrequency"] = map[string]any{"isEnabled": true, "type": "hours", "value": json.Number(fmt.Sprint(rapid.IntRange(1, 23).Draw(t, "hours")))}
			}
		}
		if allApps && maybe(t, "browser") {
			s["persistentBrowser"] = map[string]any{"isEnabled": true, "mode": "never"}
		}
		if maybe(t, "off") {
			s["cloudAppSecurity"] = map[string]any{"isEnabled": false, "cloudAppSecurityType": "monitorOnly"}
		}
		if !every && maybe(t, "resilience") {
			s["disableResilienceDefaults"] = rapid.Bool().Draw(t, "disabled")
		}
		return s
	})
}

// baselineOf reads a world; it must be valid.
func baselineOf(t *rapid.T, w map[string]any) *baseline.Baseline {
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	b, problems := baseline.Parse("world.json", text)
	if b == nil {
		t.Fatalf("%v\nin %s", problems, text)
	}
	return b
}

func TestAppliedBaselinePlansNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tn := newTenant()
		tn.merge = rapid.Bool().Draw(rt, "merge")
		for range 3 { // each time another baseline of the same keys: creates, updates, deletes
			b := baselineOf(rt, world(4).Draw(rt, "world"))
			r := tn.plan(b, everything)
			for _, a := range r.Actions {
				if a.Status != "ready" {
					rt.Fatalf("%s %s: %v", a.Kind, a.Rule, a.Reasons)
				}
			}
			tn.apply(t, r.Actions)
			if left := tn.plan(b, everything); len(left.Actions) > 0 {
				rt.Fatalf("%v: %s", shape(left.Actions), left.Actions[0].Change.Differences)
			}
			export, err := adopt.Export(tn.read(), nil)
			if err != nil {
				rt.Fatal(err)
			}
			x, problems := baseline.Parse("export", export.Text)
			if x == nil {
				rt.Fatal(problems)
			}
			owned, _, trouble := adopt.Adopt(x, tn.read(), plan.OwnedObjects{}, adopt.Order{ByName: true})
			if len(trouble) > 0 {
				rt.Fatal(trouble)
			}
			if left := drift.Compare(x, answered(x, tn.read()), drift.Settings{Owned: owned}); len(left.Actions) > 0 {
				rt.Fatalf("export: %v: %v\n%s", shape(left.Actions), left.Actions[0].Change.Differences, export.Text)
			}
		}
	})
}
