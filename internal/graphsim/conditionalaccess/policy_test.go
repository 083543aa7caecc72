package conditionalaccess

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestACreatedPolicyIsFilledAndCanonical(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	r, e := b.ask(http.MethodPost, policiesAt, edit("grantControls.operator", `"AND"`, "conditions.applications.includeApplications", `["none"]`))
	if e != nil {
		t.Fatal(e)
	}
	id := b.ids(policiesAt)[0]
	if r.Status != 201 || !r.Effect || r.Header.Get("Location") != root+"/identity/conditionalAccess/policies('"+id+"')" {
		t.Errorf("answer %d %v", r.Status, r.Header)
	}
	want := `{"@odata.context":"` + root + `/$metadata#identity/conditionalAccess/policies/$entity","id":"` + id + `","templateId":null,"displayName":"Policy","description":null,` +
		`"createdDateTime":"2026-11-24T08:00:00.1234567Z","modifiedDateTime":null,"state":"disabled","deletedDateTime":null,"sessionControls":null,` +
		`"conditions":{"userRiskLevels":[],"signInRiskLevels":[],"clientAppTypes":["all"],"servicePrincipalRiskLevels":[],"insiderRiskLevels":null,"platforms":null,"locations":null,"devices":null,"clientApplications":null,"authenticationFlows":null,` +
		`"applications":{"includeApplications":["None"],"excludeApplications":[],"includeUserActions":[],"includeAuthenticationContextClassReferences":[],"applicationFilter":null},` +
		`"users":{"includeUsers":["All"],"excludeUsers":[],"includeGroups":[],"excludeGroups":[],"includeRoles":[],"excludeRoles":[],"includeGuestsOrExternalUsers":null,"excludeGuestsOrExternalUsers":null}},` +
		`"grantControls":{"operator":"OR","builtInControls":["mfa"],"customAuthenticationFactors":[],"termsOfUse":[],"authenticationStrength@odata.context":"` + root + `/$metadata#identity/conditionalAccess/policies('` + id + `')/grantControls/authenticationStrength/$entity","authenticationStrength":null}}`
	if got := b.text(http.MethodGet, policiesAt+"/"+id, ""); got != want {
		t.Errorf("policy (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestNormalisations(t *testing.T) {
	t.Parallel()
	strength := `{"id":"00000000-0000-0000-0000-000000000004"}`
	for _, tt := range []struct {
		name   string
		change []string
		path   string
		want   string
	}{
		{"AND of one control is OR", []string{"grantControls.operator", `"AND"`}, "grantControls.operator", `"OR"`},
		{"AND of a strength alone is OR", []string{"grantControls.operator", `"AND"`, "grantControls.builtInControls", `[]`, "grantControls.authenticationStrength", strength}, "grantControls.operator", `"OR"`},
		{"AND of two controls stays", []string{"grantControls.operator", `"AND"`, "grantControls.builtInControls", `["mfa","compliantDevice"]`}, "grantControls.operator", `"AND"`},
		{"AND of a control and a strength stays", []string{"grantControls.operator", `"AND"`, "grantControls.builtInControls", `["compliantDevice"]`, "grantControls.authenticationStrength", strength}, "grantControls.operator", `"AND"`},
		{"an operator in lower case", []string{"grantControls.operator", `"or"`}, "grantControls.operator", `"OR"`},
		{"none is None", []string{"conditions.applications.includeApplications", `["none"]`}, "conditions.applications.includeApplications", `["None"]`},
		{"all is All", []string{"conditions.users.includeUsers", `["ALL"]`}, "conditions.users.includeUsers", `["All"]`},
		{"office365", []string{"conditions.applications.includeApplications", `["office365"]`}, "conditions.applications.includeApplications", `["Office365"]`},
		{"alltrusted", []string{"conditions.locations.includeLocations", `["all"]`, "conditions.locations.excludeLocations", `["alltrusted"]`}, "conditions.locations", `{"excludeLocations":["AllTrusted"],"includeLocations":["All"]}`},
		{"enum members in any case", []string{"conditions.clientAppTypes", `["BROWSER","Other"]`}, "conditions.clientAppTypes", `["browser","other"]`},
		{"an application id in lower case", []string{"conditions.applications.includeApplications", `["797F4846-BA00-4FD7-BA43-DAC1F8F63013"]`}, "conditions.applications.includeApplications", `["797f4846-ba00-4fd7-ba43-dac1f8f63013"]`},
		{"values that are given twice", []string{"conditions.signInRiskLevels", `["high","high","medium"]`}, "conditions.signInRiskLevels", `["high","medium"]`},
		{"flags in their order", []string{"conditions.insiderRiskLevels", `"elevated, minor"`}, "conditions.insiderRiskLevels", `"minor,elevated"`},
		{"session controls that do nothing", []string{"sessionControls.persistentBrowser", `{"isEnabled":false,"mode":null}`, "sessionControls.signInFrequency", `null`}, "sessionControls", `null`},
		{"an empty session block", []string{"sessionControls", `{}`}, "sessionControls", `null`},
		{"resilience defaults that are not disabled", []string{"sessionControls.disableResilienceDefaults", `false`, "sessionControls.applicationEnforcedRestrictions", `{"isEnabled":true}`}, "sessionControls.disableResilienceDefaults", `null`},
		{"resilience defaults alone that are not disabled", []string{"sessionControls.disableResilienceDefaults", `false`}, "sessionControls", `null`},
		{"the frequency's defaults", []string{"sessionControls.signInFrequency", `{"isEnabled":true,"type":"hours","value":8}`}, "sessionControls.signInFrequency", `{"authenticationType":"primaryAndSecondaryAuthentication","frequencyInterval":"timeBased","isEnabled":true,"type":"hours","value":8}`},
		{"client app types that were not given", nil, "conditions.clientAppTypes", `["all"]`},
		{"a part of a block that was not given", []string{"conditions.platforms", `{"includePlatforms":["linux"]}`}, "conditions.platforms", `{"excludePlatforms":[],"includePlatforms":["linux"]}`},
		{"members that are read only", []string{"id", `"x"`, "createdDateTime", `"2020-01-01T00:00:00Z"`, "templateId", `"x"`}, "templateId", `null`},
		{"guests", []string{"conditions.users", `{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider,internalGuest","externalTenants":{"@odata.type":"microsoft.graph.conditionalAccessEnumeratedExternalTenants","membershipKind":"enumerated","members":["5F2222B1-57C3-48BA-8AD5-D4759F1FDE6F"]}}}`}, "conditions.users.includeGuestsOrExternalUsers", `{"externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessEnumeratedExternalTenants","members":["5f2222b1-57c3-48ba-8ad5-d4759f1fde6f"],"membershipKind":"enumerated"},"guestOrExternalUserTypes":"internalGuest,serviceProvider"}`},
	} {
		b := newBench(t, 0, Options{})
		got := b.object(http.MethodPost, policiesAt, edit(tt.change...))
		if diff := cmp.Diff(tt.want, asJSON(at(got, tt.path))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// All external tenants may be meant without naming the type, as
// terraform-provider-azuread does.
func TestAllExternalTenantsNeedNoType(t *testing.T) {
	t.Parallel()
	for _, sent := range []string{
		`{"membershipKind":"all"}`,
		`{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}`,
		`{"@odata.type":"microsoft.graph.conditionalAccessAllExternalTenants"}`,
	} {
		b := newBench(t, 0, Options{})
		made := b.object(http.MethodPost, policiesAt, edit("conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes":"internalGuest,serviceProvider","externalTenants":`+sent+`}`))
		want := `{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}`
		if got := asJSON(at(made, "conditions.users.excludeGuestsOrExternalUsers.externalTenants")); got != want {
			t.Errorf("%s is kept as %s", sent, got)
		}
	}
}

func TestAStrengthIsShownWhole(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	got := b.object(http.MethodPost, policiesAt, edit("grantControls.builtInControls", `[]`, "grantControls.authenticationStrength", `{"id":"00000000-0000-0000-0000-000000000004"}`))
	s := at(got, "grantControls.authenticationStrength")
	if at(s, "displayName") != "Phishing-resistant MFA" || at(s, "policyType") != "builtIn" || at(s, "requirementsSatisfied") != "mfa" || asJSON(at(s, "allowedCombinations")) != `["windowsHelloForBusiness","fido2","x509CertificateMultiFactor"]` {
		t.Errorf("strength %v", s)
	}
}

func TestRefusedPolicies(t *testing.T) {
	t.Parallel()
	const nobody = `"11111111-1111-4111-8111-111111111111"`
	for _, tt := range []struct {
		name   string
		number int
		change []string
	}{
		{"an unknown member", 1007, []string{"colour", `"red"`}},
		{"an unknown member within", 1007, []string{"conditions.times", `null`}},
		{"device states of the beta", 1007, []string{"conditions.deviceStates", `{"includeStates":["All"]}`}},
		{"device states beside devices", 1060, []string{"conditions.deviceStates", `{"includeStates":["All"]}`, "conditions.devices", `{"deviceFilter":{"mode":"include","rule":"device.isCompliant -eq True"}}`}},
		{"a beta session control", 1007, []string{"sessionControls.continuousAccessEvaluation", `{"mode":"disabled"}`}},
		{"a wrong type", 1007, []string{"conditions.signInRiskLevels", `"high"`}},
		{"a wrong state", 1007, []string{"state", `"on"`}},
		{"unknownFutureValue", 1007, []string{"conditions.platforms", `{"includePlatforms":["unknownFutureValue"]}`}},
		{"a null list", 1007, []string{"conditions.users.excludeUsers", `null`}},
		{"null conditions", 1007, []string{"conditions", `null`}},
		{"no name", 1007, []string{"displayName", ""}},
		{"an empty name", 1007, []string{"displayName", `""`}},
		{"no state", 1007, []string{"state", ""}},
		{"no conditions", 1007, []string{"conditions", ""}},
		{"no operator", 1007, []string{"grantControls.operator", ""}},
		{"listed tenants without a type", 1007, []string{"conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes":"internalGuest","externalTenants":{"membershipKind":"enumerated","members":["11111111-1111-4111-8111-111111111111"]}}`}},
		{"members of all tenants", 1007, []string{"conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes":"internalGuest","externalTenants":{"membershipKind":"all","members":[]}}`}},
		{"a kind that is not the type's", 1007, []string{"conditions.users.excludeGuestsOrExternalUsers", `{"guestOrExternalUserTypes":"internalGuest","externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"enumerated"}}`}},
		{"a filter without a rule", 1007, []string{"conditions.devices", `{"deviceFilter":{"mode":"include"}}`}},
		{"a fraction", 1007, []string{"sessionControls.signInFrequency", `{"isEnabled":true,"type":"hours","value":1.5}`}},
		{"no applications", 1011, []string{"conditions.applications", ""}},
		{"an empty list of applications", 1011, []string{"conditions.applications.includeApplications", `[]`}},
		{"an application that is not here", 1011, []string{"conditions.applications.includeApplications", `[` + nobody + `]`}},
		{"an application to exclude that is not here", 1011, []string{"conditions.applications.excludeApplications", `[` + nobody + `]`}},
		{"applications and user actions", 1012, []string{"conditions.applications.includeUserActions", `["urn:user:registersecurityinfo"]`}},
		{"applications and contexts", 1012, []string{"conditions.applications.includeAuthenticationContextClassReferences", `["c1"]`}},
		{"a location that is not here", 1040, []string{"conditions.locations.includeLocations", `[` + nobody + `]`}},
		{"a location to exclude that is not here", 1040, []string{"conditions.locations.includeLocations", `["All"]`, "conditions.locations.excludeLocations", `[` + nobody + `]`}},
		{"no client app types", 1064, []string{"conditions.clientAppTypes", `[]`}},
		{"a second factor by time", 1104, []string{"sessionControls.signInFrequency", `{"isEnabled":true,"type":"hours","value":4,"frequencyInterval":"timeBased","authenticationType":"secondaryAuthentication"}`}},
		{"a user that is not here", noSuchObject, []string{"conditions.users.includeUsers", `[` + nobody + `]`}},
		{"a group that is not here", noSuchObject, []string{"conditions.users.excludeGroups", `[` + nobody + `]`}},
		{"a role that is not here", noSuchObject, []string{"conditions.users.includeRoles", `[` + nobody + `]`}},
		{"terms of use that are not here", noSuchObject, []string{"grantControls.termsOfUse", `[` + nobody + `]`}},
		{"a strength that is not here", noSuchObject, []string{"grantControls.builtInControls", `[]`, "grantControls.authenticationStrength", `{"id":` + nobody + `}`}},
		{"nobody", noAssignment, []string{"conditions.users.includeUsers", `[]`}},
		{"no users", noAssignment, []string{"conditions.users", ""}},
		{"no controls", noControls, []string{"grantControls", `null`}},
		{"no controls that do something", noControls, []string{"grantControls", `null`, "sessionControls.persistentBrowser", `{"isEnabled":false}`}},
		{"guests twice", guestsTwice, []string{"conditions.users.includeUsers", `["GuestsOrExternalUsers"]`, "conditions.users.includeGuestsOrExternalUsers", `{"guestOrExternalUserTypes":"internalGuest"}`}},
		{"block and mfa", badCombination, []string{"grantControls.builtInControls", `["block","mfa"]`}},
		{"mfa and a strength", 1108, []string{"grantControls.authenticationStrength", `{"id":"00000000-0000-0000-0000-000000000002"}`}},
		{"approved applications", retiredControl, []string{"grantControls.builtInControls", `["approvedApplication"]`}},
		{"a password change alone", badPasswordChange, []string{"grantControls.builtInControls", `["passwordChange"]`, "conditions.userRiskLevels", `["high"]`}},
		{"a password change without risk", badPasswordChange, []string{"grantControls.builtInControls", `["passwordChange","mfa"]`, "grantControls.operator", `"AND"`}},
		{"a password change for some applications", badPasswordChange, []string{"grantControls.builtInControls", `["passwordChange","mfa"]`, "grantControls.operator", `"AND"`, "conditions.userRiskLevels", `["high"]`, "conditions.applications.includeApplications", `["Office365"]`}},
		{"a password change for workload identities", badPasswordChange, []string{"grantControls.builtInControls", `["passwordChange","mfa"]`, "grantControls.operator", `"AND"`, "conditions.userRiskLevels", `["high"]`, "conditions.users", "", "conditions.clientApplications", `{"includeServicePrincipals": ["ServicePrincipalsInMyTenant"]}`}},
		{"a password change with another condition", badPasswordChange, []string{"grantControls.builtInControls", `["passwordChange","mfa"]`, "grantControls.operator", `"AND"`, "conditions.userRiskLevels", `["high"]`, "conditions.signInRiskLevels", `["high"]`}},
		{"the registration of devices", badUserAction, []string{"conditions.applications", `{"includeUserActions":["urn:user:registerdevice"]}`, "grantControls.builtInControls", `["compliantDevice"]`}},
		{"another user action", badUserAction, []string{"conditions.applications", `{"includeUserActions":["urn:user:dance"]}`}},
		{"a context above 99", badContext, []string{"conditions.applications", `{"includeAuthenticationContextClassReferences":["c100"]}`}},
		{"an empty frequency", badSession, []string{"sessionControls.signInFrequency", `{"isEnabled":false}`}},
		{"24 hours", badSession, []string{"sessionControls.signInFrequency", `{"isEnabled":true,"type":"hours","value":24}`}},
		{"a frequency without a period", badSession, []string{"sessionControls.signInFrequency", `{"isEnabled":true,"frequencyInterval":"timeBased"}`}},
		{"every time with a period", badSession, []string{"sessionControls.signInFrequency", `{"isEnabled":true,"frequencyInterval":"everyTime","type":"hours","value":1}`}},
		{"every time with app restrictions", badSession, []string{"sessionControls.signInFrequency", `{"isEnabled":true,"frequencyInterval":"everyTime"}`, "sessionControls.applicationEnforcedRestrictions", `{"isEnabled":false}`}},
		{"every time with resilience defaults", badSession, []string{"sessionControls.signInFrequency", `{"isEnabled":true,"frequencyInterval":"everyTime"}`, "sessionControls.disableResilienceDefaults", `false`}},
		{"persistent browsers for some applications", badSession, []string{"sessionControls.persistentBrowser", `{"isEnabled":true,"mode":"never"}`, "conditions.applications.includeApplications", `["Office365"]`}},
		{"users and workload identities", badWorkload, []string{"conditions.clientApplications", `{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`}},
		{"workload identities that are none", badWorkload, []string{"conditions.clientApplications", `{}`, "conditions.users", ""}},
		{"an endless name", tooLong, []string{"displayName", `"` + strings.Repeat("x", 257) + `"`}},
	} {
		b := newBench(t, 0, Options{})
		_, e := b.ask(http.MethodPost, policiesAt, edit(tt.change...))
		wantError(t, tt.name, e, 400, "BadRequest", fmt.Sprintf("%d: ", tt.number))
		if e != nil && !strings.Contains(e.Message, "conditionalaccessroot-post-policies") {
			t.Errorf("%s: the message points nowhere: %s", tt.name, e.Message)
		}
		if n := len(b.ids(policiesAt)); n != 0 {
			t.Errorf("%s: made all the same", tt.name)
		}
		// The same as a change is refused under the page of changes.
		if strings.HasPrefix(tt.name, "no ") || strings.HasPrefix(tt.name, "an empty name") {
			continue
		}
		id := b.id(http.MethodPost, policiesAt, edit())
		before := b.text(http.MethodGet, policiesAt+"/"+id, "")
		_, e = b.ask(http.MethodPatch, policiesAt+"/"+id, edit(tt.change...))
		if e == nil && tt.number != noAssignment && tt.number != badWorkload {
			t.Errorf("%s: not refused as a change", tt.name)
		}
		if e != nil && !strings.Contains(e.Message, "conditionalaccesspolicy-update") {
			t.Errorf("%s: the message of a change: %s", tt.name, e.Message)
		}
		if e != nil && b.text(http.MethodGet, policiesAt+"/"+id, "") != before {
			t.Errorf("%s: changed all the same", tt.name)
		}
	}
	b := newBench(t, 0, Options{})
	_, e := b.ask(http.MethodPost, policiesAt, "")
	wantError(t, "no body", e, 400, "BadRequest", "Empty Payload. JSON content expected.")
	_, e = b.ask(http.MethodPost, policiesAt, "null")
	wantError(t, "a null body", e, 400, "BadRequest", "1007: ")
	_, e = b.ask(http.MethodGet, policiesAt+"/11111111-1111-4111-8111-111111111111", "")
	wantError(t, "an unknown id", e, 404, "ResourceNotFound", "ConditionalAccessPolicy with id 11111111-1111-4111-8111-111111111111 does not exist in the directory.")
	_, e = b.ask(http.MethodPut, policiesAt+"/x", "{}")
	wantError(t, "PUT", e, 405, "BadRequest", "")
}

func TestPatch(t *testing.T) {
	t.Parallel()
	strength := `{"id":"00000000-0000-0000-0000-000000000004"}`
	full := []string{
		"conditions.devices", `{"deviceFilter":{"mode":"include","rule":"device.isCompliant -eq True"}}`, "conditions.users.excludeUsers", `["GuestsOrExternalUsers"]`,
		"conditions.signInRiskLevels", `["high"]`, "sessionControls.signInFrequency", `{"isEnabled":true,"type":"days","value":3}`,
		"sessionControls.applicationEnforcedRestrictions", `{"isEnabled":true}`,
	}
	for _, tt := range []struct {
		name, patch string
		want        map[string]string
	}{
		{"the state alone", `{"state":"enabled"}`, map[string]string{"state": `"enabled"`, "displayName": `"Policy"`, "conditions.signInRiskLevels": `["high"]`}},
		{"one condition", `{"conditions":{"signInRiskLevels":["medium"]}}`, map[string]string{"conditions.signInRiskLevels": `["medium"]`, "conditions.users.includeUsers": `["All"]`, "conditions.devices.deviceFilter.mode": `"include"`}},
		{"a condition cleared by null", `{"conditions":{"devices":null}}`, map[string]string{"conditions.devices": `null`, "conditions.users.includeUsers": `["All"]`}},
		{"a list is replaced", `{"conditions":{"users":{"includeUsers":["None"]}}}`, map[string]string{"conditions.users.includeUsers": `["None"]`, "conditions.users.excludeUsers": `["GuestsOrExternalUsers"]`}},
		{"no grant controls", `{"grantControls":null}`, map[string]string{"grantControls": `null`, "sessionControls.signInFrequency.value": `3`}},
		{"no session controls", `{"sessionControls":null}`, map[string]string{"sessionControls": `null`, "grantControls.builtInControls": `["mfa"]`}},
		{"a session control that is not named stays", `{"sessionControls":{"applicationEnforcedRestrictions":null}}`, map[string]string{"sessionControls.applicationEnforcedRestrictions": `null`, "sessionControls.signInFrequency.value": `3`}},
		{"a strength in place of mfa", `{"grantControls":{"builtInControls":[],"authenticationStrength":` + strength + `}}`, map[string]string{"grantControls.authenticationStrength.displayName": `"Phishing-resistant MFA"`, "grantControls.operator": `"OR"`}},
		{"every time drops the period", `{"sessionControls":{"applicationEnforcedRestrictions":null,"signInFrequency":{"frequencyInterval":"everyTime"}}}`, map[string]string{"sessionControls.signInFrequency": `{"authenticationType":"primaryAndSecondaryAuthentication","frequencyInterval":"everyTime","isEnabled":true,"type":null,"value":null}`}},
		{"to one control", `{"grantControls":{"operator":"AND","builtInControls":["block"]}}`, map[string]string{"grantControls.operator": `"OR"`}},
		{"read-only members", `{"id":"x","createdDateTime":"2001-01-01T00:00:00Z","modifiedDateTime":null,"templateId":"x","displayName":"New"}`, map[string]string{"displayName": `"New"`, "createdDateTime": `"2026-11-24T08:00:00.1234567Z"`, "templateId": `null`}},
	} {
		b := newBench(t, 0, Options{})
		id := b.id(http.MethodPost, policiesAt, edit(full...))
		b.now = b.now.Add(time.Minute)
		r, e := b.ask(http.MethodPatch, policiesAt+"/"+id, tt.patch)
		if e != nil || r.Status != 204 || r.Body != nil || !r.Effect {
			t.Errorf("%s: %+v %v", tt.name, r, e)
			continue
		}
		got := b.object(http.MethodGet, policiesAt+"/"+id, "")
		if got["modifiedDateTime"] != "2026-11-24T08:01:00.1234567Z" {
			t.Errorf("%s: modified %v", tt.name, got["modifiedDateTime"])
		}
		for path, want := range tt.want {
			if have := asJSON(at(got, path)); have != want {
				t.Errorf("%s: %s is %s, want %s", tt.name, path, have, want)
			}
		}
	}
}

func TestWhatAPolicyNamedBeforeMayBeGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	gone := b.tenant.People[10].ID
	id := b.id(http.MethodPost, policiesAt, edit("conditions.users.excludeUsers", `["`+gone+`"]`))
	b.tenant.People[10].Deleted = true
	if _, e := b.ask(http.MethodPatch, policiesAt+"/"+id, `{"conditions":{"users":{"excludeUsers":["`+gone+`"]}}}`); e != nil {
		t.Error(e)
	}
	_, e := b.ask(http.MethodPost, policiesAt, edit("conditions.users.excludeUsers", `["`+gone+`"]`))
	wantError(t, "a deleted user in a new policy", e, 400, "BadRequest", "1901: User with id "+gone)
}

func TestLicenceAndDefaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		license string
		change  []string
		ok      bool
	}{
		{"P2", []string{"conditions.signInRiskLevels", `["high"]`}, true},
		{"P1", nil, true},
		{"P1", []string{"conditions.signInRiskLevels", `["high"]`}, false},
		{"P1", []string{"conditions.userRiskLevels", `["high"]`}, false},
		{"P1", []string{"conditions.users", "", "conditions.clientApplications", `{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`, "grantControls.builtInControls", `["block"]`}, false},
		{"P2", []string{"conditions.users", "", "conditions.clientApplications", `{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`, "grantControls.builtInControls", `["block"]`}, true},
		{"none", nil, false},
	} {
		b := newBench(t, 0, Options{License: tt.license})
		_, e := b.ask(http.MethodPost, policiesAt, edit(tt.change...))
		if (e == nil) != tt.ok {
			t.Errorf("%s %v: %v", tt.license, tt.change, e)
		}
		if e != nil {
			wantError(t, tt.license, e, 403, "AccessDenied", "Your tenant is not licensed for this feature.")
		}
	}
	// A licence that lapsed: what is there can be read and deleted.
	b := newBench(t, 2, Options{License: "none"})
	id := b.ids(policiesAt)[0]
	_, e := b.ask(http.MethodPatch, policiesAt+"/"+id, `{"state":"disabled"}`)
	wantError(t, "a change without licence", e, 403, "AccessDenied", "")
	if _, e := b.ask(http.MethodDelete, policiesAt+"/"+id, ""); e != nil {
		t.Error(e)
	}

	b = newBench(t, 0, Options{})
	if b.w.Enforced() {
		t.Error("an empty tenant enforces something")
	}
	if err := b.dir.Import([]byte(strings.Replace(asJSON(map[string]any{"tenant": b.tenant, "securityDefaults": true}), "\n", "", -1))); err != nil {
		t.Fatal(err)
	}
	_, e = b.ask(http.MethodPost, policiesAt, edit("state", `"enabled"`))
	wantError(t, "enabled beside security defaults", e, 400, "BadRequest", "1910: ")
	if _, e := b.ask(http.MethodPost, policiesAt, edit()); e != nil || b.w.Enforced() {
		t.Error(e)
	}
}

func TestNamesMayRepeatUpToTheLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, 239, Options{})
	b.id(http.MethodPost, policiesAt, edit("displayName", `"Global - Require MFA"`))
	_, e := b.ask(http.MethodPost, policiesAt, edit())
	wantError(t, "policy 241", e, 400, "BadRequest", "1911: ")
	if n := len(b.ids(policiesAt)); n != 240 {
		t.Errorf("%d policies", n)
	}
	if got := b.ids(policiesAt + "?$filter=displayName eq 'Global - Require MFA'"); len(got) != 2 {
		t.Errorf("namesakes %v", got)
	}
	gone := b.ids(policiesAt)[0]
	if _, e := b.ask(http.MethodDelete, policiesAt+"/"+gone, ""); e != nil {
		t.Fatal(e)
	}
	b.id(http.MethodPost, policiesAt, edit())
	_, e = b.ask(http.MethodPost, "identity/conditionalAccess/deletedItems/policies/"+gone+"/restore", "")
	wantError(t, "a restore beyond the limit", e, 400, "BadRequest", "1911: ")
}
