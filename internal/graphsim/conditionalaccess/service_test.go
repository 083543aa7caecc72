package conditionalaccess

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
)

func TestLists(t *testing.T) {
	t.Parallel()
	b := newBench(t, 5, Options{})
	all := b.ids(policiesAt)
	for query, want := range map[string][]string{
		"$filter=state eq 'enabled'":                                 {all[0], all[1]},
		"$filter=id eq '" + all[2] + "'":                             {all[2]},
		"$filter=state ne 'enabled' and startswith(displayName,'G')": {all[2], all[3], all[4]},
		"$filter=conditions/clientAppTypes/any(c:c eq 'other')":      {all[1]},
		"$top=2&$skip=1": {all[1], all[2]},
		"$top=999":       all,
		"$orderby=displayName&$filter=state eq 'enabled'&$select=id":   {all[1], all[0]},
		"$orderby=displayName desc&$filter=state eq 'enabled'":         {all[0], all[1]},
		"$filter=createdDateTime gt 2030-01-01T00:00:00Z":              {},
		"$filter=displayName eq 'it''s not there'":                     {},
		"$filter=conditions/users/includeUsers/any(u:u eq 'all')":      {all[0], all[1], all[3], all[4]},
		"$filter=modifiedDateTime eq null or modifiedDateTime ne null": all,
	} {
		if diff := cmp.Diff(want, b.ids(policiesAt+"?"+query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	page := b.object(http.MethodGet, policiesAt+"?$top=2&$count=true&$select=id,displayName", "")
	next, _ := page["@odata.nextLink"].(string)
	if page["@odata.count"] != float64(5) || page["@odata.context"] != root+"/$metadata#identity/conditionalAccess/policies(id,displayName)" || !strings.Contains(next, "$skiptoken=") {
		t.Errorf("page %v", page)
	}
	if first, _ := page["value"].([]any); len(first[0].(map[string]any)) != 2 {
		t.Errorf("selected %v", first[0])
	}
	if got := b.ids(strings.TrimPrefix(next, root+"/")); !slices.Equal(got, all[2:4]) {
		t.Errorf("second page %v", got)
	}
	if got := b.text(http.MethodGet, policiesAt+"/$count", ""); got != "5" {
		t.Errorf("count %s", got)
	}
	if !slices.Equal(b.ids("policies/conditionalAccessPolicies"), all) {
		t.Error("the older path shows others")
	}
	one := b.text(http.MethodGet, policiesAt+"/"+all[0]+"?$select=state", "")
	if want := `{"@odata.context":"` + root + `/$metadata#identity/conditionalAccess/policies(state)/$entity","state":"enabled"}`; one != want {
		t.Errorf("selected: %s", one)
	}
	for _, query := range []string{"$filter=colour eq 1", "$top=0", "$top=1000", "$orderby=conditions", "$expand=conditions", "$search=x", "$select=colour", "$filter=state eq 'on'"} {
		_, e := b.ask(http.MethodGet, policiesAt+"?"+query, "")
		wantError(t, query, e, 400, "BadRequest", "")
	}
	_, e := b.ask(http.MethodGet, policiesAt+"/"+all[0]+"?$filter=id eq 'x'", "")
	wantError(t, "a filter on one", e, 400, "BadRequest", "")
}

func TestUnknownMembersOfEnumsAreHidden(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	id := b.id(http.MethodPost, policiesAt, edit("conditions.platforms.includePlatforms", `["android","linux"]`, "grantControls.builtInControls", `["riskRemediation"]`, "conditions.userRiskLevels", `["high"]`))
	b.plainEnums = true
	got := b.object(http.MethodGet, policiesAt+"/"+id, "")
	if asJSON(at(got, "conditions.platforms.includePlatforms")) != `["android","unknownFutureValue"]` || asJSON(at(got, "grantControls.builtInControls")) != `["unknownFutureValue"]` {
		t.Errorf("shown %v", got)
	}
	b.plainEnums = false
	if got := b.object(http.MethodGet, policiesAt+"/"+id, ""); asJSON(at(got, "conditions.platforms.includePlatforms")) != `["android","linux"]` {
		t.Errorf("shown %v", got)
	}
}

func TestSoftDelete(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	const bin = "identity/conditionalAccess/deletedItems/"
	for _, tt := range []struct{ at, bin, content string }{
		{policiesAt, bin + "policies", edit()},
		{placesAt, bin + "namedLocations", abroad},
	} {
		id := b.id(http.MethodPost, tt.at, tt.content)
		before := b.text(http.MethodGet, tt.at+"/"+id, "")
		if r, e := b.ask(http.MethodDelete, tt.at+"/"+id, ""); e != nil || r.Status != 204 || !r.Effect {
			t.Fatal(e)
		}
		_, e := b.ask(http.MethodGet, tt.at+"/"+id, "")
		wantError(t, "a deleted object", e, 404, "ResourceNotFound", "")
		_, e = b.ask(http.MethodPatch, tt.at+"/"+id, `{}`)
		wantError(t, "a change of a deleted object", e, 404, "ResourceNotFound", "")
		_, e = b.ask(http.MethodDelete, tt.at+"/"+id, "")
		wantError(t, "a second delete", e, 404, "ResourceNotFound", "")
		if got := b.object(http.MethodGet, tt.bin+"/"+id, ""); got["deletedDateTime"] != "2026-11-24T08:00:00.1234567Z" || got["@odata.context"] != root+"/$metadata#"+tt.bin+"/$entity" {
			t.Errorf("in the bin: %v", got)
		}
		if got := b.ids(tt.bin); !slices.Equal(got, []string{id}) {
			t.Errorf("the bin holds %v", got)
		}
		r, e := b.ask(http.MethodPost, tt.bin+"/"+id+"/restore", "")
		if e != nil || r.Status != 200 || !r.Effect {
			t.Fatal(e)
		}
		if after := b.text(http.MethodGet, tt.at+"/"+id, ""); after != before {
			t.Errorf("restored (-want +got):\n%s", cmp.Diff(before, after))
		}
		_, e = b.ask(http.MethodPost, tt.bin+"/"+id+"/restore", "")
		wantError(t, "a second restore", e, 404, "ResourceNotFound", "")
		if _, e := b.ask(http.MethodDelete, tt.at+"/"+id, ""); e != nil {
			t.Fatal(e)
		}
		if r, e := b.ask(http.MethodDelete, tt.bin+"/"+id, ""); e != nil || r.Status != 204 {
			t.Fatal(e)
		}
		_, e = b.ask(http.MethodGet, tt.bin+"/"+id, "")
		wantError(t, "an object deleted for good", e, 404, "ResourceNotFound", "")
		// After 30 days what lies there is gone by itself.
		old := b.id(http.MethodPost, tt.at, tt.content)
		if _, e := b.ask(http.MethodDelete, tt.at+"/"+old, ""); e != nil {
			t.Fatal(e)
		}
		b.now = b.now.Add(30*24*time.Hour + time.Second)
		if got := b.ids(tt.bin); len(got) != 0 {
			t.Errorf("after 30 days: %v", got)
		}
		_, e = b.ask(http.MethodPost, tt.bin+"/"+old+"/restore", "")
		wantError(t, "a restore after 30 days", e, 404, "ResourceNotFound", "")
		b.now = b.now.Add(-30*24*time.Hour - time.Second)
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{Lag: 10 * time.Second})
	place := b.id(http.MethodPost, placesAt, abroad)
	onPlace := edit("conditions.locations.includeLocations", `["`+place+`"]`)
	_, e := b.ask(http.MethodGet, placesAt+"/"+place, "")
	wantError(t, "a fresh location", e, 404, "ResourceNotFound", "")
	_, e = b.ask(http.MethodPost, policiesAt, onPlace)
	wantError(t, "a policy on a fresh location", e, 400, "BadRequest", "1040: NamedLocation with id "+place+" does not exist in the directory.")
	b.now = b.now.Add(10 * time.Second)
	policy := b.id(http.MethodPost, policiesAt, onPlace)
	_, e = b.ask(http.MethodGet, policiesAt+"/"+policy, "")
	wantError(t, "a fresh policy", e, 404, "ResourceNotFound", "")
	if got := b.ids(policiesAt); len(got) != 0 {
		t.Errorf("the list shows %v at once", got)
	}
	b.now = b.now.Add(10 * time.Second)
	stale := b.text(http.MethodGet, policiesAt+"/"+policy, "")
	if _, e := b.ask(http.MethodPatch, policiesAt+"/"+policy, `{"displayName":"New"}`); e != nil {
		t.Fatal(e)
	}
	b.now = b.now.Add(3 * time.Second)
	if _, e := b.ask(http.MethodPatch, policiesAt+"/"+policy, `{"description":"Newer"}`); e != nil {
		t.Fatal(e)
	}
	if got := b.text(http.MethodGet, policiesAt+"/"+policy, ""); got != stale {
		t.Errorf("a read after the change:\n%s", got)
	}
	saved, err := b.w.Export()
	if err != nil {
		t.Fatal(err)
	}
	other := newBench(t, 0, Options{Lag: 10 * time.Second})
	if err := other.w.Import(saved); err != nil {
		t.Fatal(err)
	}
	for _, x := range []*bench{b, other} {
		at := b.now
		x.now = at.Add(7 * time.Second)
		if got := x.object(http.MethodGet, policiesAt+"/"+policy, ""); got["displayName"] != "New" || got["description"] != nil {
			t.Errorf("between the changes: %v", got)
		}
		x.now = at.Add(10 * time.Second)
		if got := x.object(http.MethodGet, policiesAt+"/"+policy, ""); got["displayName"] != "New" || got["description"] != "Newer" {
			t.Errorf("after the changes: %v", got)
		}
		if _, e := x.ask(http.MethodDelete, policiesAt+"/"+policy, ""); e != nil {
			t.Fatal(e)
		}
		if got := x.ids(policiesAt); len(got) != 1 {
			t.Errorf("right after the delete: %v", got)
		}
		x.now = x.now.Add(10 * time.Second)
		if got := x.ids(policiesAt); len(got) != 0 {
			t.Errorf("after the delete: %v", got)
		}
		b.now = at
	}
}

func TestTheStateTravels(t *testing.T) {
	t.Parallel()
	for _, cloud := range []string{"global", "china", "usgov"} {
		b := newBench(t, 60, Options{Cloud: cloud})
		if got := b.ids(policiesAt); len(got) != 60 {
			t.Errorf("%s: %d policies, want 60", cloud, len(got))
		}
		if got := b.ids(placesAt); len(got) != 2 {
			t.Errorf("%s: %d locations, want 2", cloud, len(got))
		}
		b.id(http.MethodPost, strengthAt, `{"displayName":"Keys","allowedCombinations":["fido2"]}`)
		if _, e := b.ask(http.MethodDelete, policiesAt+"/"+b.ids(policiesAt)[3], ""); e != nil {
			t.Fatal(e)
		}
		saved, err := b.w.Export()
		if err != nil {
			t.Fatal(err)
		}
		other := newBench(t, 0, Options{Cloud: cloud})
		if err := other.w.Import(saved); err != nil {
			t.Fatal(err)
		}
		again, err := other.w.Export()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(saved), string(again)); diff != "" {
			t.Errorf("%s: the state changed on its way:\n%s", cloud, diff)
		}
		for _, target := range []string{policiesAt, placesAt, strengthAt, "identity/conditionalAccess/authenticationContextClassReferences"} {
			if diff := cmp.Diff(b.text(http.MethodGet, target, ""), other.text(http.MethodGet, target, "")); diff != "" {
				t.Errorf("%s: %s changed on its way:\n%s", cloud, target, diff)
			}
		}
		if id := b.id(http.MethodPost, policiesAt, edit()); id != other.id(http.MethodPost, policiesAt, edit()) {
			t.Errorf("%s: the next id differs", cloud)
		}
	}
	b := newBench(t, 0, Options{})
	for _, bad := range []string{
		`nonsense`, `{"policies":[{"id":""}]}`, `{"policies":[{"id":"a","versions":[{"body":{"colour":1}}]}]}`,
		`{"policies":[{"id":"a","versions":[{"body":{}}]},{"id":"A","versions":[{"body":{}}]}]}`,
		`{"namedLocations":[{"id":"a","versions":[{"body":{}}]}]}`,
		`{"policies":[{"id":"a","versions":[{"body":{},"visibleDateTime":"2026-01-02T00:00:00Z"},{"body":{},"visibleDateTime":"2026-01-01T00:00:00Z"}]}]}`,
	} {
		if b.w.Import(json.RawMessage(bad)) == nil {
			t.Errorf("%s was taken as a state", bad)
		}
	}
}

func TestGeneratedPoliciesAreValid(t *testing.T) {
	t.Parallel()
	source := generate.Population(1, 30, 120, time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC))
	b := newBench(t, 120, Options{})
	for i, p := range source.Policies {
		b.now = b.now.Add(time.Second)
		body := b.text(http.MethodGet, policiesAt+"/"+p.ID, "")
		if _, e := b.ask(http.MethodPatch, policiesAt+"/"+p.ID, body); e != nil {
			t.Errorf("policy %d: %v\n%s", i, e, p.Body)
		}
	}
}

func TestClouds(t *testing.T) {
	t.Parallel()
	risky := edit("conditions.signInRiskLevels", `["high"]`)
	_, e := newBench(t, 0, Options{Cloud: "china"}).ask(http.MethodPost, policiesAt, risky)
	wantError(t, "risk in China", e, 400, "BadRequest", "1007: ")
	_, e = newBench(t, 0, Options{Cloud: "china"}).ask(http.MethodPost, policiesAt, edit("grantControls.authenticationStrength", `{"id":"00000000-0000-0000-0000-000000000002"}`))
	wantError(t, "a strength in China", e, 400, "BadRequest", "1007: ")
	_, e = newBench(t, 0, Options{Cloud: "usgov"}).ask(http.MethodPost, policiesAt, edit("grantControls", `{"operator":"AND","builtInControls":["mfa","passwordChange"]}`, "conditions.userRiskLevels", `["high"]`))
	wantError(t, "a password change for the government", e, 400, "BadRequest", "1007: ")
	for _, cloud := range []string{"usgov", "usgovdod", "china"} {
		b := newBench(t, 1, Options{Cloud: cloud})
		if b.w.Claims(strings.Split("identity/conditionalAccess/deletedItems/policies", "/")) || b.w.Claims(strings.Split("identity/conditionalAccess/deletedItems", "/")) {
			t.Errorf("%s keeps deleted items", cloud)
		}
		got := b.object(http.MethodGet, policiesAt+"/"+b.ids(policiesAt)[0], "")
		if _, there := got["deletedDateTime"]; there {
			t.Errorf("%s: %v", cloud, got)
		}
		conditions, _ := got["conditions"].(map[string]any)
		if _, there := conditions["signInRiskLevels"]; there != (cloud != "china") {
			t.Errorf("%s: conditions %v", cloud, conditions)
		}
	}
}

func TestTemplatesContextsAndModes(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	const templatesAt, contextPath = "identity/conditionalAccess/templates", "identity/conditionalAccess/authenticationContextClassReferences"
	all := b.ids(templatesAt)
	protect := b.ids(templatesAt + "?$filter=scenarios has 'protectAdmins'")
	if len(all) < 8 || len(protect) == 0 || len(protect) == len(all) {
		t.Errorf("%d templates, %d for administrators", len(all), len(protect))
	}
	for _, id := range all {
		got := b.object(http.MethodGet, templatesAt+"/"+id, "")
		if at(got, "details.conditions.users.includeUsers") == nil || got["scenarios"] == "" {
			t.Errorf("template %v", got)
		}
	}
	if got := b.object(http.MethodGet, templatesAt+"?$select=name,id", ""); len(got["value"].([]any)[0].(map[string]any)) != 2 {
		t.Errorf("selected %v", got)
	}
	for _, query := range []string{"$top=2", "$count=true", "$skip=1"} {
		_, e := b.ask(http.MethodGet, templatesAt+"?"+query, "")
		wantError(t, query, e, 400, "BadRequest", "")
	}
	_, e := b.ask(http.MethodDelete, templatesAt+"/"+all[0], "")
	wantError(t, "a template deleted", e, 405, "BadRequest", "")

	if r, e := b.ask(http.MethodPatch, contextPath+"/c9", `{"displayName":"Payroll","description":"","isAvailable":true}`); e != nil || r.Status != 204 {
		t.Error(e)
	}
	if got := b.ids(contextPath + "?$filter=isAvailable eq true"); !slices.Equal(got, []string{"c1", "c2", "c9"}) {
		t.Errorf("contexts %v", got)
	}
	b.id(http.MethodPost, policiesAt, edit("conditions.applications", `{"includeAuthenticationContextClassReferences":["c9"]}`))
	_, e = b.ask(http.MethodDelete, contextPath+"/c9", "")
	wantError(t, "a context in use", e, 400, "BadRequest", "")
	if _, e := b.ask(http.MethodDelete, contextPath+"/c3", ""); e != nil {
		t.Error(e)
	}
	_, e = b.ask(http.MethodPost, contextPath, `{"id":"c100"}`)
	wantError(t, "context c100", e, 400, "BadRequest", "")

	if got := b.object(http.MethodGet, "identity/conditionalAccess/authenticationStrength/authenticationMethodModes/fido2", ""); got["displayName"] != "FIDO2 security key" {
		t.Errorf("mode %v", got)
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0, Options{})
	for _, tt := range []struct {
		method, path string
		roles        []string
		want         bool
	}{
		{"GET", policiesAt, []string{"Policy.Read.All"}, true},
		{"GET", policiesAt, []string{"Policy.ReadWrite.ConditionalAccess"}, false},
		{"POST", policiesAt, []string{"Policy.ReadWrite.ConditionalAccess"}, false},
		{"POST", policiesAt, []string{"Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"}, true},
		{"PATCH", placesAt + "/x", []string{"Policy.Read.All"}, false},
		{"DELETE", policiesAt + "/x", []string{"Application.Read.All", "Policy.ReadWrite.ConditionalAccess"}, true},
		{"POST", strengthAt, []string{"Policy.ReadWrite.AuthenticationMethod"}, true},
		{"GET", strengthAt, []string{"Policy.Read.All"}, true},
	} {
		anyOf, e := b.w.Needs(tt.method, strings.Split(tt.path, "/"))
		got := slices.ContainsFunc(anyOf, func(set []string) bool {
			return !slices.ContainsFunc(set, func(r string) bool { return !slices.Contains(tt.roles, r) })
		})
		if got != tt.want || e.Status != 403 || e.Code != "AccessDenied" || e.Message != "You cannot perform the requested operation, required scopes are missing in the token." {
			t.Errorf("%s %s with %v: %v, %v", tt.method, tt.path, tt.roles, got, e)
		}
	}
	for _, path := range []string{"identity/other", "users", "identity/conditionalAccess/policies/x/y", "policies/other"} {
		if b.w.Claims(strings.Split(path, "/")) {
			t.Errorf("%s is claimed", path)
		}
	}
}
