package drift_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

func TestDifferencesInWords(t *testing.T) {
	n := policy.Names{finance: "Finance", ada: "ada@contoso.com"}
	before := policy.Canonical(doc(t, `{"state":"enabled","conditions":{"users":{"includeUsers":["`+ada+`"],"excludeGroups":["`+finance+`"]},"clientAppTypes":["all"]},
		"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":4}},"ipRanges":[{"cidrAddress":"192.0.2.0/24"}]}`))
	after := policy.Canonical(doc(t, `{"state":"disabled","conditions":{"users":{"includeUsers":["All"],"excludeGroups":["`+finance+`","{{group:New}}"]},"clientAppTypes":["all"]},
		"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":8}},"description":"x","ipRanges":[{"cidrAddress":"198.51.100.0/24"},{"lowerAddress":"10.0.0.1","upperAddress":"10.0.0.9"}]}`))
	want := []string{
		`conditions.users.excludeGroups: added "New (new)"`,
		`conditions.users.includeUsers: added "All", removed "ada@contoso.com"`,
		`description: set to "x"`,
		`ipRanges: added 10.0.0.1-10.0.0.9, 198.51.100.0/24, removed 192.0.2.0/24`,
		`sessionControls.signInFrequency.value: 4 becomes 8`,
		`state: "enabled" becomes "disabled"`,
	}
	var got []string
	for _, d := range policy.Differences(before, after, n) {
		got = append(got, d.Text)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got := policy.Differences(before, policy.Canonical(before.Document()), n); got != nil {
		t.Error(got)
	}
}

// TestDescribe: what a new object does, in a sentence.
func TestDescribe(t *testing.T) {
	n := policy.Names{finance: "Finance", ada: "ada@contoso.com", bg1: "bg1@contoso.com", bg2: "bg2@contoso.com", "c0000000-0000-0000-0000-000000000001": "Global Administrator",
		policy.StrengthPhishingResistant: "Phishing-resistant MFA", "d0000000-0000-0000-0000-000000000001": "Berlin"}
	for _, c := range []struct {
		kind     entra.ObjectKind
		in, want string
	}{
		{entra.KindPolicy, `{"conditions":{"signInRiskLevels":["high","medium"],"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"],"excludeUsers":["` + bg2 + `","` + bg1 + `"],"excludeGroups":["` + finance + `"]}},"grantControls":{"builtInControls":["mfa"]}}`,
			"requires MFA for all users except bg1@contoso.com, bg2@contoso.com, Finance to all applications, if the sign-in risk is high or medium"},
		{entra.KindPolicy, `{"conditions":{"clientAppTypes":["exchangeActiveSync","other"],"applications":{"includeApplications":["Office365"]},"users":{"includeGroups":["` + finance + `"],"includeRoles":["c0000000-0000-0000-0000-000000000001"]}},"grantControls":{"builtInControls":["block"]}}`,
			"blocks access for members of Finance and holders of Global Administrator to Office365, if the client is exchangeActiveSync or other"},
		{entra.KindPolicy, `{"conditions":{"applications":{"includeUserActions":["urn:user:registersecurityinfo"]},"users":{"includeUsers":["` + ada + `"]},"locations":{"includeLocations":["All"],"excludeLocations":["d0000000-0000-0000-0000-000000000001","{{namedLocation:hq}}"]}},
			"grantControls":{"operator":"AND","builtInControls":["compliantDevice","mfa"]},"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":4},"persistentBrowser":{"isEnabled":true,"mode":"never"}}}`,
			"requires a compliant device and MFA for ada@contoso.com who registers security information, if it comes from outside Berlin, hq (new); keeps browser sessions never, signs in anew every 4 hours"},
		{entra.KindPolicy, `{"conditions":{"userRiskLevels":["high"],"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"],"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest"}},"platforms":{"includePlatforms":["iOS"],"excludePlatforms":["android"]},"devices":{"deviceFilter":{"mode":"exclude","rule":"x"}},"authenticationFlows":{"transferMethods":"deviceCodeFlow"},"strange":{"a":1}},
			"grantControls":{"authenticationStrength":{"id":"` + policy.StrengthPhishingResistant + `"}},"sessionControls":{"signInFrequency":{"isEnabled":true,"frequencyInterval":"everyTime"}}}`,
			"requires Phishing-resistant MFA for all users and guests (internalGuest) to all applications, if the user risk is high and the platform is iOS and is not android and the device does not match a filter and it uses deviceCodeFlow and strange holds; signs in anew every time"},
		{entra.KindPolicy, `{"conditions":{"applications":{"includeApplications":["All"]},"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]},"servicePrincipalRiskLevels":["high"]},"grantControls":{"builtInControls":["block"]}}`,
			"blocks access for all workload identities of the tenant to all applications, if the workload's risk is high"},
		{entra.KindPolicy, `{"conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["None"]}},"sessionControls":{"disableResilienceDefaults":true}}`,
			"limits sessions for nobody to all applications; ends sessions in an outage"},
		{entra.KindLocation, `{"isTrusted":true,"ipRanges":[{"cidrAddress":"192.0.2.0/24"}]}`, "192.0.2.0/24, trusted"},
		{entra.KindLocation, `{"countriesAndRegions":["DE","GB","IE","US","NO"],"includeUnknownCountriesAndRegions":true}`, "DE, GB, IE and 3 more"},
		{entra.KindStrength, `{"allowedCombinations":["fido2","password,sms"]}`, "fido2 or password,sms"},
	} {
		if d := cmp.Diff(c.want, policy.Describe(c.kind, policy.CanonicalOf(c.kind, doc(t, c.in)), n)); d != "" {
			t.Error(d)
		}
	}
}

// TestAnAdoptionSaysWhatItWouldChange: what stands in the way of a create is shown with what
// would become of it.
func TestAnAdoptionSaysWhatItWouldChange(t *testing.T) {
	tn, b := applied(t, small)
	delete(tn.owned[entra.KindPolicy], "CA010")
	delete(tn.owned[entra.KindPolicy], "CA020")
	delete(tn.owned[entra.KindLocation], "VPN") // which CA020 refers to
	for _, d := range tn.docs[entra.KindPolicy] {
		if strings.HasPrefix(d.DisplayName(), "CA010") {
			policy.Put(d, "conditions.signInRiskLevels", []any{"high"})
		}
	}
	r := tn.plan(b, everything)
	if !r.NeedsNames() {
		t.Error("the differences of what could be adopted need no names")
	}
	var got []string
	for _, e := range r.Entries {
		if e.Status != drift.Unmanaged && e.Status != drift.InSync && e.Kind == entra.KindPolicy {
			got = append(got, string(e.Status)+": "+e.DisplayName)
			got = append(got, e.Reasons...)
			for _, d := range e.Differences {
				got = append(got, d.Text)
			}
		}
	}
	want := []string{
		"blocked: CA010 Risky sign-in requires MFA",
		`"CA010 Risky sign-in requires MFA" exists already (d0000000-0000-0000-0000-000000000003) and is not ours; take it into ownership, which would change conditions.signInRiskLevels: risksweep baseline adopt CA010=d0000000-0000-0000-0000-000000000003`,
		`conditions.signInRiskLevels: added "medium"`,
		"blocked: CA020 Keys outside",
		`"CA020 Keys outside" exists already (d0000000-0000-0000-0000-000000000004) and is not ours; take it into ownership, which would change nothing: risksweep baseline adopt CA020=d0000000-0000-0000-0000-000000000004`,
		"needs namedLocation:VPN, which is blocked",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDirectoryIDsAreThoseNotNamedYet(t *testing.T) {
	tn := newTenant()
	tn.put(entra.KindPolicy, "", doc(t, `{"displayName":"P","conditions":{"users":{"includeUsers":["All","`+strings.ToUpper(ada)+`"],"excludeGroups":["f0000000-0000-0000-0000-000000000001"],"includeRoles":["`+policy.DirectorySyncRole+`"]}}}`))
	if d := cmp.Diff([]string{"f0000000-0000-0000-0000-000000000001"}, policy.DirectoryIDs(tn.read().Policies, tn.live.Names)); d != "" {
		t.Error(d)
	}
}

func TestRefs(t *testing.T) {
	want := []entra.Ref{{Kind: entra.KindGroup, Name: "CA Break Glass"}, {Kind: entra.KindGroup, Name: "Finance"},
		{Kind: entra.KindRole, Name: "Global Administrator"}, {Kind: entra.KindUser, Name: "bg1@contoso.com"}, {Kind: entra.KindUser, Name: "bg2@contoso.com"}}
	if d := cmp.Diff(want, load(t, small).Refs()); d != "" {
		t.Error(d)
	}
}
