package policy

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"pgregory.net/rapid"
)

func doc(t testing.TB, text string) entra.Document {
	t.Helper()
	d, err := entra.ParseDocument([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return d
}

// full is a policy as the service answers it, every member filled in.
const full = `{"id":"11111111-1111-1111-1111-111111111111","templateId":null,"displayName":"CA010","createdDateTime":"2026-01-01T00:00:00Z",
"modifiedDateTime":null,"deletedDateTime":null,"description":null,"state":"enabledForReportingButNotEnforced","sessionControls":null,
"conditions":{"userRiskLevels":[],"signInRiskLevels":["medium","high"],"servicePrincipalRiskLevels":[],"insiderRiskLevels":null,"clientApplications":null,
 "clientAppTypes":["all"],"platforms":null,"locations":null,"devices":null,"authenticationFlows":null,
 "applications":{"includeApplications":["All"],"excludeApplications":[],"includeUserActions":[],"includeAuthenticationContextClassReferences":[],"applicationFilter":null},
 "users":{"includeUsers":["All"],"excludeUsers":["BBBBBBBB-0000-0000-0000-000000000002","aaaaaaaa-0000-0000-0000-000000000001"],"includeGroups":[],"excludeGroups":[],
  "includeRoles":[],"excludeRoles":[],"includeGuestsOrExternalUsers":null,"excludeGuestsOrExternalUsers":null}},
"grantControls":{"operator":"OR","builtInControls":["mfa"],"customAuthenticationFactors":[],"termsOfUse":[],
 "authenticationStrength@odata.context":"https://graph.microsoft.com/v1.0/$metadata#x","authenticationStrength":null}}`

func TestCanonicalPolicyEqual(t *testing.T) {
	policy := func(conditions, rest string) string {
		return `{"displayName":"P","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}` + conditions + `}` + rest + `}`
	}
	mfa := `,"grantControls":{"operator":"OR","builtInControls":["mfa"]}`
	for _, c := range []struct{ name, a, b string }{
		{"every member filled in", full, `{"displayName":"CA010","state":"enabledForReportingButNotEnforced","conditions":{"signInRiskLevels":["high","medium"],
			"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"],"excludeUsers":["aaaaaaaa-0000-0000-0000-000000000001","bbbbbbbb-0000-0000-0000-000000000002"]}},
			"grantControls":{"operator":"AND","builtInControls":["mfa"]}}`},
		{"AND with one control is OR", policy("", mfa), policy("", `,"grantControls":{"operator":"AND","builtInControls":["mfa"]}`)},
		{"no operator with one control is OR", policy("", mfa), policy("", `,"grantControls":{"builtInControls":["mfa"]}`)},
		{"special words in any case", policy("", mfa), `{"displayName":"P","state":"enabled","conditions":{"applications":{"includeApplications":["all"]},"users":{"includeUsers":["ALL"]}},"grantControls":{"builtInControls":["mfa"]}}`},
		{"session controls not enabled", policy("", mfa), policy("", mfa+`,"sessionControls":{"persistentBrowser":{"isEnabled":false,"mode":"always"},"signInFrequency":{"isEnabled":null},"cloudAppSecurity":null}`)},
		{"disableResilienceDefaults false", policy("", mfa), policy("", mfa+`,"sessionControls":{"disableResilienceDefaults":false}`)},
		{"grant block without a control", policy("", `,"grantControls":null`), policy("", `,"grantControls":{"operator":"OR","builtInControls":[]}`)},
		{"flags in another order and spacing", policy(`,"authenticationFlows":{"transferMethods":"deviceCodeFlow,authenticationTransfer"},"insiderRiskLevels":"minor,elevated"`, mfa),
			policy(`,"authenticationFlows":{"transferMethods":"authenticationTransfer, deviceCodeFlow"},"insiderRiskLevels":"elevated, minor"`, mfa)},
		{"transferMethods none", policy("", mfa), policy(`,"authenticationFlows":{"transferMethods":"none"}`, mfa)},
		{"strength by its id only", policy("", `,"grantControls":{"operator":"AND","authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004"}}`),
			policy("", `,"grantControls":{"operator":"OR","builtInControls":[],"authenticationStrength@odata.context":"x","authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004","displayName":"Phishing-resistant MFA","allowedCombinations":["fido2"],"combinationConfigurations":[]}}`)},
		{"platforms in another order", policy(`,"platforms":{"includePlatforms":["iOS","android"],"excludePlatforms":[]}`, mfa), policy(`,"platforms":{"includePlatforms":["android","iOS"]}`, mfa)},
		{"empty objects", policy("", mfa), policy(`,"platforms":{"includePlatforms":[],"excludePlatforms":[]},"locations":{},"devices":{"deviceFilter":null}`, mfa)},
		{"client app types by default", policy("", mfa), policy(`,"clientAppTypes":["all"]`, mfa)},
		{"guests with annotations", policy(`,"devices":null`, mfa), policy(``, mfa)},
		{"frequency defaults", policy("", `,"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":4}}`),
			policy("", `,"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":4.0,"frequencyInterval":"timeBased","authenticationType":"primaryAndSecondaryAuthentication"},"disableResilienceDefaults":null}`)},
		{"every time has no value", policy("", `,"sessionControls":{"signInFrequency":{"isEnabled":true,"frequencyInterval":"everyTime"}}`),
			policy("", `,"sessionControls":{"signInFrequency":{"isEnabled":true,"frequencyInterval":"everyTime","type":"hours","value":1,"authenticationType":"primaryAndSecondaryAuthentication"}}`)},
		{"a new member of the service that is null", policy("", mfa), policy(`,"newCondition":null,"newList":[]`, mfa+`,"newBlock":{"a":null}`)},
		{"an empty description", policy("", mfa), policy("", mfa+`,"description":""`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := CanonicalOf(entra.KindPolicy, doc(t, c.a)), CanonicalOf(entra.KindPolicy, doc(t, c.b))
			if d := cmp.Diff(a, b); d != "" {
				t.Error(d)
			}
			if CanonicalHash(entra.KindPolicy, doc(t, c.a)) != CanonicalHash(entra.KindPolicy, doc(t, c.b)) {
				t.Error("hashes differ")
			}
		})
	}
}

func TestCanonicalPolicyDiffers(t *testing.T) {
	base := func() entra.Document { return doc(t, full) }
	set := func(path []string, v any) func() entra.Document {
		return func() entra.Document {
			d := base()
			m := map[string]any(d)
			for _, p := range path[:len(path)-1] {
				m = m[p].(map[string]any)
			}
			m[path[len(path)-1]] = v
			return d
		}
	}
	for name, change := range map[string]func() entra.Document{
		"state":                 set([]string{"state"}, "enabled"),
		"displayName":           set([]string{"displayName"}, "ca010"),
		"exclusion removed":     set([]string{"conditions", "users", "excludeUsers"}, []any{}),
		"nobody is not empty":   set([]string{"conditions", "users", "includeUsers"}, []any{"None"}),
		"unknown member":        set([]string{"conditions", "somethingNew"}, map[string]any{"x": false}),
		"beta member":           set([]string{"conditions", "times"}, map[string]any{"x": "y"}),
		"unknown enum value":    set([]string{"grantControls", "builtInControls"}, []any{"mfa", "quantum"}),
		"control added":         set([]string{"grantControls", "builtInControls"}, []any{"mfa", "compliantDevice"}),
		"strength":              set([]string{"grantControls", "authenticationStrength"}, map[string]any{"id": StrengthMFA}),
		"resilience":            set([]string{"sessionControls"}, map[string]any{"disableResilienceDefaults": true}),
		"guests":                set([]string{"conditions", "users", "includeGuestsOrExternalUsers"}, map[string]any{"guestOrExternalUserTypes": "internalGuest"}),
		"risk":                  set([]string{"conditions", "signInRiskLevels"}, []any{"high"}),
		"device filter":         set([]string{"conditions", "devices"}, map[string]any{"deviceFilter": map[string]any{"mode": "include", "rule": "x"}}),
		"custom factor":         set([]string{"grantControls", "customAuthenticationFactors"}, []any{"Duo"}),
		"client applications":   set([]string{"conditions", "clientApplications"}, map[string]any{"includeServicePrincipals": []any{"ServicePrincipalsInMyTenant"}}),
		"a session we know not": set([]string{"sessionControls"}, map[string]any{"newControl": map[string]any{"isEnabled": true}}),
	} {
		if CanonicalHash(entra.KindPolicy, base()) == CanonicalHash(entra.KindPolicy, change()) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestCanonicalGuests(t *testing.T) {
	got := CanonicalOf(entra.KindPolicy, doc(t, `{"conditions":{"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider,internalGuest",
		"externalTenants":{"membershipKind":"enumerated","members@odata.context":"x","members":["BBBBBBBB-0000-0000-0000-000000000002","aaaaaaaa-0000-0000-0000-000000000001"]}},
		"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest","externalTenants":{"membershipKind":"all"}}}}}`))
	want := doc(t, `{"conditions":{"clientAppTypes":["all"],"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest,serviceProvider",
		"externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessEnumeratedExternalTenants","membershipKind":"enumerated","members":["aaaaaaaa-0000-0000-0000-000000000001","bbbbbbbb-0000-0000-0000-000000000002"]}},
		"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest","externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}}}}}`)
	if d := cmp.Diff(Canonical(want), got); d != "" {
		t.Error(d)
	}
}

func TestCanonicalLocation(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"ip: type, host bits and default", `{"id":"x","displayName":"HQ","createdDateTime":"2026-01-01T00:00:00Z","modifiedDateTime":"2026-01-01T00:00:00Z",
			"ipRanges":[{"cidrAddress":"2001:DB8:0::/32"},{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"12.34.221.11/22"}]}`,
			`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"HQ","isTrusted":false,"ipRanges":[
			{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"12.34.220.0/22"},{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"2001:db8::/32"}]}`},
		{"ip: a wrong range type", `{"@odata.type":"microsoft.graph.ipNamedLocation","displayName":"HQ","isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"::1/128"},{"lowerAddress":"10.0.0.1","upperAddress":"10.0.0.9"}]}`,
			`{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"HQ","isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4Range","lowerAddress":"10.0.0.1","upperAddress":"10.0.0.9"},{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"::1/128"}]}`},
		{"country", `{"displayName":"Near","countriesAndRegions":["us","DE","US"],"countryLookupMethod":null}`,
			`{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"Near","countriesAndRegions":["DE","US"],"countryLookupMethod":"clientIpAddress","includeUnknownCountriesAndRegions":false}`},
		{"a type we do not know", `{"id":"x","createdDateTime":"2026-01-01T00:00:00Z","@odata.type":"#microsoft.graph.compliantNetworkNamedLocation","displayName":"Net","compliantNetworkType":"allTenantCompliantNetworks"}`,
			`{"@odata.type":"#microsoft.graph.compliantNetworkNamedLocation","displayName":"Net","compliantNetworkType":"allTenantCompliantNetworks"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(Canonical(doc(t, c.want)), CanonicalOf(entra.KindLocation, doc(t, c.in))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCanonicalStrength(t *testing.T) {
	got := CanonicalOf(entra.KindStrength, doc(t, `{"id":"x","displayName":"S","description":"","policyType":"custom","requirementsSatisfied":"mfa","createdDateTime":"z","modifiedDateTime":"z",
		"allowedCombinations":["x509CertificateMultiFactor","sms,password","fido2"],"combinationConfigurations@odata.context":"c","combinationConfigurations":[]}`))
	want := doc(t, `{"displayName":"S","allowedCombinations":["fido2","password,sms","x509CertificateMultiFactor"]}`)
	if d := cmp.Diff(Canonical(want), got); d != "" {
		t.Error(d)
	}
}

func TestCanonicalOtherKinds(t *testing.T) {
	if d := cmp.Diff(Canonical(doc(t, `{"id":"x"}`)), CanonicalOf(entra.KindUser, doc(t, `{"@odata.context":"c","id":"x","mail":null}`))); d != "" {
		t.Error(d)
	}
	if CanonicalOf(entra.KindPolicy, nil) != nil || CanonicalHash(entra.KindPolicy, nil) != "" {
		t.Error("a nil document has a form")
	}
}

// anyJSON makes documents whose members are sometimes those of the schema, of
// right and wrong types.
func anyJSON(m *Member, depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.SampledFrom([]any{"", "x", "All", "all", "none", true, false, json.Number("1.0"), "AAAAAAAA-0000-0000-0000-000000000001", "10.1.2.3/8", "b,a,B"}).Draw(t, "scalar")
		}
		if depth == 0 {
			return "deep"
		}
		if m.List && rapid.Bool().Draw(t, "list") {
			single := *m
			single.List = false
			return rapid.SliceOfN(anyJSON(&single, depth-1), 0, 3).Draw(t, "items")
		}
		if len(m.Types) > 0 {
			c := rapid.SampledFrom(m.Types).Draw(t, "type")
			m = &Member{Shape: Object, Members: c.Members}
		}
		if m.Shape != Object {
			if len(m.Values) > 0 {
				return rapid.SampledFrom(m.Values).Draw(t, "value")
			}
			return rapid.SampledFrom([]any{"x", true, json.Number("4")}).Draw(t, "value")
		}
		out := map[string]any{}
		for i := range m.Members {
			if rapid.Bool().Draw(t, m.Members[i].Name) {
				out[m.Members[i].Name] = anyJSON(&m.Members[i], depth-1).Draw(t, "of "+m.Members[i].Name)
			}
		}
		if rapid.IntRange(0, 4).Draw(t, "strange") == 0 {
			out["strange"] = anyJSON(&Member{Shape: Object}, depth-1).Draw(t, "strangeness")
		}
		return out
	})
}

func TestCanonicalIsItsOwnCanonicalForm(t *testing.T) {
	for _, kind := range []entra.ObjectKind{entra.KindPolicy, entra.KindLocation, entra.KindStrength} {
		t.Run(string(kind), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				in, ok := anyJSON(SchemaOf(kind), 6).Draw(t, "doc").(map[string]any)
				if !ok {
					in = map[string]any{}
				}
				before := entra.Document(in).Clone()
				once := CanonicalOf(kind, in)
				if d := cmp.Diff(before, entra.Document(in)); d != "" {
					t.Fatalf("the document was changed: %s", d)
				}
				if d := cmp.Diff(once, CanonicalOf(kind, once.Document())); d != "" {
					t.Fatalf("not stable: %s", d)
				}
				text, err := json.Marshal(once)
				if err != nil {
					t.Fatal(err)
				}
				stored, err := entra.ParseDocument(text)
				if err != nil {
					t.Fatal(err)
				}
				if CanonicalHash(kind, stored) != CanonicalHash(kind, in) {
					t.Fatal("storage changes the hash")
				}
			})
		})
	}
}
