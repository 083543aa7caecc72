package conditionalaccess

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStrengths(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	if diff := cmp.Diff([]string{"00000000-0000-0000-0000-000000000002", "00000000-0000-0000-0000-000000000003", "00000000-0000-0000-0000-000000000004"}, b.ids(strengthAt)); diff != "" {
		t.Errorf("built in (-want +got):\n%s", diff)
	}
	r, e := b.ask(http.MethodPost, strengthAt, `{"displayName":"Keys","description":"Only keys","policyType":"custom","allowedCombinations":["sms,password","fido2","x509CertificateMultiFactor","fido2"]}`)
	if e != nil || r.Status != 201 {
		t.Fatal(e)
	}
	id := b.ids(strengthAt + "?$filter=policyType eq 'custom'")[0]
	want := `{"@odata.context":"` + root + `/$metadata#policies/authenticationStrengthPolicies/$entity","id":"` + id + `","createdDateTime":"2026-11-24T08:00:00.1234567Z","modifiedDateTime":"2026-11-24T08:00:00.1234567Z","displayName":"Keys","description":"Only keys","policyType":"custom","requirementsSatisfied":"mfa","allowedCombinations":["password,sms","fido2","x509CertificateMultiFactor"],` +
		`"combinationConfigurations@odata.context":"` + root + `/$metadata#policies/authenticationStrengthPolicies('` + id + `')/combinationConfigurations","combinationConfigurations":[]}`
	if got := b.text(http.MethodGet, strengthAt+"/"+id, ""); got != want {
		t.Errorf("strength (-want +got):\n%s", cmp.Diff(want, got))
	}
	// The other name of the same collection.
	if got := b.ids("identity/conditionalAccess/authenticationStrength/policies?$filter=displayName eq 'keys'"); len(got) != 1 || got[0] != id {
		t.Errorf("by the other path: %v", got)
	}
	if r, e := b.ask(http.MethodPatch, strengthAt+"/"+id, `{"displayName":"Hardware keys"}`); e != nil || r.Status != 204 {
		t.Error(e)
	}
	_, e = b.ask(http.MethodPatch, strengthAt+"/"+id, `{"allowedCombinations":["fido2"]}`)
	wantError(t, "combinations by PATCH", e, 400, "BadRequest", "1930: ")
	got := b.text(http.MethodPost, strengthAt+"/"+id+"/updateAllowedCombinations", `{"allowedCombinations":["windowsHelloForBusiness","fido2"]}`)
	if want := `{"@odata.context":"` + root + `/$metadata#microsoft.graph.updateAllowedCombinationsResult","additionalInformation":"","conditionalAccessReferences":[],"currentCombinations":["fido2","windowsHelloForBusiness"],"previousCombinations":["password,sms","fido2","x509CertificateMultiFactor"]}`; got != want {
		t.Errorf("result (-want +got):\n%s", cmp.Diff(want, got))
	}
	policy := b.id(http.MethodPost, policiesAt, edit("grantControls.builtInControls", `[]`, "grantControls.authenticationStrength", `{"id":"`+strings.ToUpper(id)+`"}`))
	usage := b.object(http.MethodGet, strengthAt+"/"+id+"/usage", "")
	if used, _ := usage["mfa"].([]any); len(used) != 1 || at(used[0], "id") != policy || asJSON(usage["none"]) != "[]" {
		t.Errorf("usage %v", usage)
	}
	_, e = b.ask(http.MethodPost, strengthAt+"/"+id+"/updateAllowedCombinations", `{"allowedCombinations":["password"]}`)
	wantError(t, "a strength in use made weak", e, 400, "BadRequest", "1931: ")
	_, e = b.ask(http.MethodDelete, strengthAt+"/"+id, "")
	wantError(t, "a strength in use", e, 400, "BadRequest", "1931: ")
	if _, e := b.ask(http.MethodDelete, policiesAt+"/"+policy, ""); e != nil {
		t.Fatal(e)
	}
	if r, e := b.ask(http.MethodDelete, strengthAt+"/"+id, ""); e != nil || r.Status != 204 {
		t.Error(e)
	}
	_, e = b.ask(http.MethodGet, strengthAt+"/"+id, "")
	wantError(t, "a deleted strength", e, 404, "ResourceNotFound", "")
}

func TestConfigurationsOfCombinations(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	const config = `{"@odata.type":"#microsoft.graph.fido2CombinationConfiguration","appliesToCombinations":["fido2"],"allowedAAGUIDs":["de1e552d-db1d-4423-a619-566b625cdc84"]}`
	made := b.object(http.MethodPost, strengthAt, `{"displayName":"Keys","allowedCombinations":["fido2"],"combinationConfigurations":[`+config+`]}`)
	id, _ := made["id"].(string)
	list := b.object(http.MethodGet, strengthAt+"/"+id+"/combinationConfigurations", "")
	if diff := cmp.Diff(asJSON(made["combinationConfigurations"]), asJSON(list["value"])); diff != "" || at(list["value"].([]any)[0], "id") == nil {
		t.Errorf("configurations %v (-made +listed):\n%s", list, diff)
	}
	if _, e := b.ask(http.MethodPatch, strengthAt+"/"+id, b.text(http.MethodGet, strengthAt+"/"+id, "")); e != nil {
		t.Errorf("sent back as it was read: %v", e)
	}
	_, e := b.ask(http.MethodPatch, strengthAt+"/"+id, `{"combinationConfigurations":[]}`)
	wantError(t, "configurations taken away with the strength", e, 400, "BadRequest", "1930: ")
	_, e = b.ask(http.MethodPost, strengthAt, `{"displayName":"Others","allowedCombinations":["password,sms"],"combinationConfigurations":[`+config+`]}`)
	wantError(t, "a configuration for what is not allowed", e, 400, "BadRequest", "1930: ")
	saved, err := b.w.Export()
	if err != nil {
		t.Fatal(err)
	}
	other := newBench(t, 0, Options{})
	if err := other.w.Import(saved); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.text(http.MethodGet, strengthAt, ""), other.text(http.MethodGet, strengthAt, "")); diff != "" {
		t.Errorf("changed on its way:\n%s", diff)
	}
}

func TestRefusedStrengths(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	for _, tt := range []struct{ name, method, target, content, prefix string }{
		{"no name", "POST", strengthAt, `{"allowedCombinations":["fido2"]}`, "1007: "},
		{"no combinations", "POST", strengthAt, `{"displayName":"x"}`, "1007: "},
		{"an empty list", "POST", strengthAt, `{"displayName":"x","allowedCombinations":[]}`, "1930: "},
		{"an unknown method", "POST", strengthAt, `{"displayName":"x","allowedCombinations":["knock"]}`, "1007: "},
		{"an unknown member", "POST", strengthAt, `{"displayName":"x","allowedCombinations":["fido2"],"colour":1}`, "1007: "},
		{"a name that is taken", "POST", strengthAt, `{"displayName":"passwordless mfa","allowedCombinations":["fido2"]}`, "1930: "},
		{"a built-in one changed", "PATCH", strengthAt + "/00000000-0000-0000-0000-000000000002", `{"displayName":"x"}`, "1932: "},
		{"a built-in one deleted", "DELETE", strengthAt + "/00000000-0000-0000-0000-000000000002", ``, "1932: "},
		{"a built-in one's combinations", "POST", strengthAt + "/00000000-0000-0000-0000-000000000002/updateAllowedCombinations", `{"allowedCombinations":["fido2"]}`, "1932: "},
	} {
		_, e := b.ask(tt.method, tt.target, tt.content)
		wantError(t, tt.name, e, 400, "BadRequest", tt.prefix)
	}
	for i := range 15 {
		b.id(http.MethodPost, strengthAt, fmt.Sprintf(`{"displayName":"Strength %d","allowedCombinations":["password"]}`, i))
	}
	_, e := b.ask(http.MethodPost, strengthAt, `{"displayName":"one more","allowedCombinations":["password"]}`)
	wantError(t, "strength 16", e, 400, "BadRequest", "1911: ")
}
