package conditionalaccess

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// draw makes a random policy that the service takes.
func draw(t *rapid.T, b *bench, place, strength string) map[string]any {
	some := func(label string, values ...string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(values), 1, len(values), rapid.ID[string]).Draw(t, label)
	}
	flip := func(label string) bool { return rapid.Bool().Draw(t, label) }
	people := []string{}
	for _, p := range b.tenant.People[:10] {
		people = append(people, p.ID)
	}
	groups := []string{}
	for _, g := range b.tenant.Groups {
		groups = append(groups, g.ID)
	}
	users := map[string]any{}
	switch rapid.IntRange(0, 3).Draw(t, "who") {
	case 0:
		users["includeUsers"] = []string{rapid.SampledFrom([]string{"All", "all", "None", "GuestsOrExternalUsers"}).Draw(t, "word")}
	case 1:
		users["includeUsers"] = some("users", people...)
	case 2:
		users["includeRoles"] = some("roles", "62e90394-69f5-4237-9190-012177145e10", "194ae4cb-b126-40b2-bd5b-6091b380977d")
	default:
		guests := map[string]any{"guestOrExternalUserTypes": "b2bCollaborationGuest,internalGuest"}
		if flip("tenants") {
			guests["externalTenants"] = map[string]any{"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": []string{b.tenant.ID}}
		}
		users["includeGuestsOrExternalUsers"] = guests
	}
	if flip("exclude groups") {
		users["excludeGroups"] = some("groups", groups...)
	}
	conditions := map[string]any{"users": users}
	apps := map[string]any{}
	onAll := false
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		apps["includeApplications"], onAll = []string{"All"}, true
		if flip("exclude apps") {
			apps["excludeApplications"] = some("apps", b.tenant.ServicePrincipals[0].AppID, b.tenant.ServicePrincipals[1].AppID, "Office365")
		}
	case 1:
		apps["includeUserActions"] = []string{registerInfo}
	default:
		apps["includeAuthenticationContextClassReferences"] = some("contexts", "c1", "c2", "c99")
	}
	conditions["applications"] = apps
	if flip("client apps") {
		conditions["clientAppTypes"] = some("client app types", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other")
	}
	if flip("risk") {
		conditions["signInRiskLevels"] = some("levels", "low", "medium", "high", "none")
	}
	if flip("platforms") {
		conditions["platforms"] = map[string]any{"includePlatforms": []string{"all"}, "excludePlatforms": some("platforms", "android", "iOS", "linux", "macOS")}
	}
	if flip("locations") {
		conditions["locations"] = map[string]any{"includeLocations": []string{"all"}, "excludeLocations": some("places", "AllTrusted", place, trustedIPs)}
	}
	if flip("devices") {
		conditions["devices"] = map[string]any{"deviceFilter": map[string]any{"mode": "exclude", "rule": "device.isCompliant -eq True"}}
	}
	if flip("insider") {
		conditions["insiderRiskLevels"] = rapid.SampledFrom([]string{"minor", "elevated,minor", "moderate"}).Draw(t, "insider levels")
	}
	if flip("flows") {
		conditions["authenticationFlows"] = map[string]any{"transferMethods": rapid.SampledFrom([]string{"deviceCodeFlow", "authenticationTransfer,deviceCodeFlow"}).Draw(t, "methods")}
	}
	grant := map[string]any{"operator": rapid.SampledFrom([]string{"AND", "OR"}).Draw(t, "operator")}
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		grant["builtInControls"] = []string{"block"}
	case 1:
		grant["builtInControls"] = some("controls", "mfa", "compliantDevice", "domainJoinedDevice", "compliantApplication", "riskRemediation")
		if flip("terms") {
			grant["termsOfUse"] = []string{b.tenant.Agreements[0].ID}
		}
	default:
		grant["authenticationStrength"] = map[string]any{"id": strength}
	}
	session := map[string]any{}
	if flip("frequency") {
		session["signInFrequency"] = rapid.SampledFrom([]map[string]any{
			{"isEnabled": true, "type": "hours", "value": 4}, {"isEnabled": true, "type": "days", "value": 90, "frequencyInterval": "timeBased"},
			{"isEnabled": false, "type": "days", "value": 1},
		}).Draw(t, "how often")
	}
	if flip("browser") {
		session["persistentBrowser"] = map[string]any{"isEnabled": onAll, "mode": "never"}
	}
	if flip("resilience") {
		session["disableResilienceDefaults"] = flip("disabled")
	}
	if flip("cloud apps") {
		session["cloudAppSecurity"] = map[string]any{"isEnabled": true, "cloudAppSecurityType": "blockDownloads"}
	}
	return map[string]any{
		"displayName":   rapid.StringMatching(`[A-Za-z0-9 <>&'"äß-]{1,40}`).Draw(t, "name"),
		"state":         rapid.SampledFrom([]string{"enabled", "disabled", "enabledForReportingButNotEnforced"}).Draw(t, "state"),
		"conditions":    conditions,
		"grantControls": grant, "sessionControls": session,
	}
}

// A policy that is sent back as it was read stays as it was, but for the time
// of its change.
func TestWhatIsReadCanBeSentBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, 0, Options{})
		place := b.id(http.MethodPost, placesAt, abroad)
		strength := b.id(http.MethodPost, strengthAt, `{"displayName":"Keys","allowedCombinations":["fido2"]}`)
		sent := asJSON(draw(t, b, place, strength))
		id := b.id(http.MethodPost, policiesAt, sent)
		first := b.text(http.MethodGet, policiesAt+"/"+id, "")
		b.now = b.now.Add(time.Second)
		if _, e := b.ask(http.MethodPatch, policiesAt+"/"+id, first); e != nil {
			t.Fatalf("%v\nsent %s\nread %s", e, sent, first)
		}
		want, got := b.object(http.MethodGet, policiesAt+"/"+id, ""), map[string]any(nil)
		if want["modifiedDateTime"] == nil {
			t.Fatal("no time of change")
		}
		if _, e := b.ask(http.MethodPatch, policiesAt+"/"+id, sent); e != nil {
			t.Fatalf("%v\nsent %s again", e, sent)
		}
		got = b.object(http.MethodGet, policiesAt+"/"+id, "")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("what was sent again changed the policy (-want +got):\n%s", diff)
		}
		want["modifiedDateTime"] = nil
		if diff := cmp.Diff(asJSON(want), asJSON(b.parse(first))); diff != "" {
			t.Fatalf("what was read changed the policy (-want +got):\n%s", diff)
		}
	})
}

// No body makes the service fail in another way than by its refusals.
func FuzzPolicyBodies(f *testing.F) {
	f.Add(edit())
	f.Add(edit("conditions.clientAppTypes", `[]`))
	f.Add(`{"conditions":{"users":{"includeGuestsOrExternalUsers":{"externalTenants":{"@odata.type":"x"}}}}}`)
	f.Add(`{"@odata.type":"#microsoft.graph.ipNamedLocation","ipRanges":[{"@odata.type":"#microsoft.graph.iPv4Range"}]}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, content string) {
		b := newBench(t, 1, Options{})
		id := b.ids(policiesAt)[0]
		for _, target := range []struct{ method, at string }{
			{http.MethodPost, policiesAt}, {http.MethodPatch, policiesAt + "/" + id}, {http.MethodPost, placesAt},
			{http.MethodPatch, placesAt + "/" + b.ids(placesAt)[0]}, {http.MethodPost, strengthAt},
		} {
			r, e := b.ask(target.method, target.at, content)
			if (r == nil) == (e == nil) {
				t.Fatalf("%s %s: %v and %v", target.method, target.at, r, e)
			}
			if e != nil && e.Status != 400 && e.Status != 403 {
				t.Fatalf("%s %s: %d %v", target.method, target.at, e.Status, e)
			}
		}
		if _, err := b.w.Export(); err != nil {
			t.Fatal(err)
		}
	})
}
