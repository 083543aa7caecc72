package directory

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

var now = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

const root = "http://127.0.0.1:8890/v1.0"

func start(users int, opt Options) (*Workload, *generate.Tenant) {
	if opt.License == "" {
		opt.License = "P2"
	}
	t := generate.Population(1, users, 3, now)
	return New(t, func() time.Time { return now }, opt), t
}

var everyRole = []string{"Directory.Read.All", "RoleManagement.Read.Directory", "RoleEligibilitySchedule.Read.Directory", "Policy.Read.All", "Policy.ReadWrite.SecurityDefaults", "Agreement.Read.All", "Organization.Read.All"}

// ask sends one call; a path's keys are given as segments.
func ask(t *testing.T, w *Workload, method, target, content string, eventual bool, roles ...string) (*wire.Response, *wire.Error) {
	t.Helper()
	path, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s, err = url.PathUnescape(s); err != nil {
			t.Fatal(err)
		}
		segments = append(segments, s)
	}
	if !w.Claims(segments) {
		t.Fatalf("%s is nobody's path", path)
	}
	if roles == nil {
		roles = everyRole
	}
	return w.Serve(&wire.Request{
		Method: method, Path: segments, Query: values, Header: http.Header{}, Body: []byte(content), Now: now, Root: root,
		URL: &url.URL{Path: "/v1.0/" + path, RawQuery: query}, Roles: roles, Eventual: eventual,
	})
}

type answer struct {
	Context  string           `json:"@odata.context"`
	Count    *int             `json:"@odata.count"`
	NextLink string           `json:"@odata.nextLink"`
	Value    []map[string]any `json:"value"`
}

func raw(t *testing.T, r *wire.Response, e *wire.Error) string {
	t.Helper()
	if e != nil {
		t.Fatal(e)
	}
	if s, ok := r.Body.(string); ok {
		return s
	}
	b, err := json.Marshal(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t *testing.T, w *Workload, target string, eventual bool) answer {
	t.Helper()
	r, e := ask(t, w, http.MethodGet, target, "", eventual)
	var a answer
	if err := json.Unmarshal([]byte(raw(t, r, e)), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func column(a answer, member string) []string {
	var out []string
	for _, v := range a.Value {
		s, _ := v[member].(string)
		out = append(out, s)
	}
	return out
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w, x := start(250, Options{})
	seen := map[string]bool{}
	target := "users?$select=id,userPrincipalName"
	pages := 0
	for target != "" {
		a := list(t, w, target, false)
		pages++
		for _, id := range column(a, "id") {
			seen[id] = true
		}
		target = strings.TrimPrefix(a.NextLink, root+"/")
		target = strings.ReplaceAll(target, "+", "%20")
	}
	if len(seen) != 250 || pages != 3 {
		t.Errorf("%d users on %d pages, want 250 on 3", len(seen), pages)
	}
	if got := raw1(t, w, "users/$count", true); got != "250" {
		t.Errorf("count %s", got)
	}
	ada := x.Person("ada@contoso.com")
	want := `{"@odata.context":"` + root + `/$metadata#users/$entity","businessPhones":[],"displayName":"Ada Lovelace","givenName":"Ada","jobTitle":"Principal Engineer","mail":"ada@contoso.com","mobilePhone":null,"officeLocation":"Berlin","preferredLanguage":null,"surname":"Lovelace","userPrincipalName":"ada@contoso.com","id":"` + ada.ID + `"}`
	if got := raw1(t, w, "users/ADA@contoso.com", false); got != want {
		t.Errorf("by name:\n%s\nwant\n%s", got, want)
	}
	want = `{"@odata.context":"` + root + `/$metadata#users(id,accountEnabled)/$entity","accountEnabled":true,"id":"` + ada.ID + `"}`
	if got := raw1(t, w, "users/"+strings.ToUpper(ada.ID)+"?$select=id,accountEnabled", false); !sameMembers(t, got, want) {
		t.Errorf("by id:\n%s\nwant\n%s", got, want)
	}
	if got := column(list(t, w, "users?$filter=userPrincipalName eq 'ada@contoso.com'", false), "displayName"); !slices.Equal(got, []string{"Ada Lovelace"}) {
		t.Errorf("filtered by name: %v", got)
	}
	a := list(t, w, "users?$filter=userType ne 'Member'&$count=true&$orderby=displayName desc&$top=3&$select=displayName,userType", true)
	if a.Count == nil || *a.Count == 0 || len(a.Value) != 3 || a.Context != root+"/$metadata#users(displayName,userType)" {
		t.Errorf("advanced query: %+v", a)
	}
	if got := column(list(t, w, "users?$search=\"displayName:lovel\"", true), "userPrincipalName"); !slices.Equal(got, []string{"ada@contoso.com"}) {
		t.Errorf("search: %v", got)
	}
	for _, p := range x.People {
		_, e := ask(t, w, http.MethodGet, "users/"+url.PathEscape(p.UserPrincipalName), "", false)
		if (e != nil) != p.Deleted {
			t.Errorf("%s (deleted %v): %v", p.UserPrincipalName, p.Deleted, e)
		}
	}
}

func raw1(t *testing.T, w *Workload, target string, eventual bool) string {
	t.Helper()
	r, e := ask(t, w, http.MethodGet, target, "", eventual)
	return raw(t, r, e)
}

func sameMembers(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return cmp.Equal(x, y)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w, x := start(30, Options{License: "P1"})
	group := x.Group("VPN Users").ID
	for _, tt := range []struct {
		method, target, content string
		eventual                bool
		status                  int
		code, message           string
	}{
		{"GET", "users/nobody@contoso.com", "", false, 404, "Request_ResourceNotFound", "Resource 'nobody@contoso.com' does not exist or one of its queried reference-property objects are not present."},
		{"GET", "groups/vpn", "", false, 400, "Request_BadRequest", "Invalid object identifier 'vpn'."},
		{"GET", "groups/00000000-0000-4000-8000-000000000000", "", false, 404, "Request_ResourceNotFound", "Resource '00000000-0000-4000-8000-000000000000' does not exist or one of its queried reference-property objects are not present."},
		{"GET", "users?$filter=displayname eq", "", false, 400, "Request_BadRequest", ""},
		{"GET", "users?$filter=colour eq 'red'", "", false, 400, "Request_BadRequest", "Invalid filter clause: Could not find a property named 'colour' on type 'microsoft.graph.user'."},
		{"GET", "users?$filter=userType ne 'Guest'", "", false, 400, "Request_UnsupportedQuery", ""},
		{"GET", "users?$filter=userType ne 'Guest'&$count=true", "", false, 400, "Request_UnsupportedQuery", ""},
		{"GET", "users?$filter=userType ne 'Guest'", "", true, 400, "Request_UnsupportedQuery", ""},
		{"GET", "users?$filter=startswith(displayName,'A')&$orderby=displayName", "", false, 400, "Request_UnsupportedQuery", "Sorting not supported for current query."},
		{"GET", "users?$filter=contains(displayName,'A')&$count=true", "", true, 400, "Request_UnsupportedQuery", "Unsupported property filter clause operator 'ContainsMatch'."},
		{"GET", "users?$search=\"displayName:a\"", "", false, 400, "Request_UnsupportedQuery", "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'"},
		{"GET", "users?$top=1000", "", false, 400, "Request_BadRequest", "Invalid page size specified: '1000'. Must be between 1 and 999 inclusive."},
		{"GET", "users?$skip=5", "", false, 400, "Request_UnsupportedQuery", ""},
		{"GET", "users/$count", "", false, 400, "Request_BadRequest", "$count is not currently supported."},
		{"GET", "groups/" + group + "/transitiveMembers/microsoft.graph.user", "", false, 400, "Request_BadRequest", ""},
		{"GET", "directoryRoleTemplates?$top=2", "", false, 400, "Request_UnsupportedQuery", ""},
		{"GET", "roleManagement/directory/roleEligibilityScheduleInstances", "", false, 400, "AadPremiumLicenseRequired", "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."},
		{"POST", "users", "{}", false, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."},
		{"DELETE", "groups/" + group, "", false, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."},
		{"POST", "directoryObjects/getByIds", `{"ids":["x"]}`, false, 400, "Request_BadRequest", "Invalid GUID:x"},
		{"PATCH", "policies/identitySecurityDefaultsEnforcementPolicy", `{"isEnabled":"yes"}`, false, 400, "BadRequest", "Cannot convert a value to target type 'Edm.Boolean'."},
	} {
		_, e := ask(t, w, tt.method, tt.target, tt.content, tt.eventual)
		if e == nil {
			t.Errorf("%s %s: no refusal", tt.method, tt.target)
			continue
		}
		if e.Status != tt.status || e.Code != tt.code || tt.message != "" && e.Message != tt.message {
			t.Errorf("%s %s: %d %s, want %d %s %s", tt.method, tt.target, e.Status, e, tt.status, tt.code, tt.message)
		}
	}
}

func TestMembers(t *testing.T) {
	t.Parallel()
	w, x := start(60, Options{})
	vpn, contractors := x.Group("VPN Users"), x.Group("VPN Contractors")
	direct := column(list(t, w, "groups/"+vpn.ID+"/members?$select=id", false), "id")
	if diff := cmp.Diff(vpn.Members, direct); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	all := list(t, w, "groups/"+vpn.ID+"/transitiveMembers?$select=id,displayName,userPrincipalName,accountEnabled&$top=999", false)
	want := slices.Concat(vpn.Members, contractors.Members)
	if diff := cmp.Diff(want, column(all, "id")); diff != "" {
		t.Errorf("transitive members (-want +got):\n%s", diff)
	}
	if kinds := column(all, "@odata.type"); kinds[0] != "#microsoft.graph.user" || !slices.Contains(kinds, "#microsoft.graph.group") {
		t.Errorf("types %v", kinds)
	}
	if all.Value[0]["accountEnabled"] != true || all.Value[0]["userPrincipalName"] != "ada@contoso.com" {
		t.Errorf("the first is %v", all.Value[0])
	}
	users := list(t, w, "groups/"+vpn.ID+"/transitiveMembers/microsoft.graph.user?$count=true&$select=id", true)
	if users.Count == nil || *users.Count != len(want)-1 {
		t.Errorf("cast to users: %+v, want %d", users, len(want)-1)
	}
	if n := raw1(t, w, "groups/"+vpn.ID+"/transitiveMembers/$count", true); n == "0" {
		t.Error("no members counted")
	}
	// A token that may read memberships alone sees no more than ids.
	r, e := ask(t, w, http.MethodGet, "groups/"+contractors.ID+"/members?$select=id,displayName", "", false, "GroupMember.Read.All")
	var a answer
	if err := json.Unmarshal([]byte(raw(t, r, e)), &a); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"@odata.type": "#microsoft.graph.user", "id": contractors.Members[0]}, a.Value[0]); diff != "" {
		t.Errorf("outline (-want +got):\n%s", diff)
	}
	guest := contractors.Members[0]
	if got := column(list(t, w, "users/"+guest+"/transitiveMemberOf", false), "displayName"); !slices.Contains(got, "VPN Users") || !slices.Contains(got, "VPN Contractors") {
		t.Errorf("groups of a contractor: %v", got)
	}
	if got := column(list(t, w, "users/"+guest+"/memberOf", false), "displayName"); slices.Contains(got, "VPN Users") {
		t.Errorf("direct groups of a contractor: %v", got)
	}
	admin := x.Group("VPN Admins").Members[0]
	if got := column(list(t, w, "users/"+admin+"/transitiveMemberOf", false), "displayName"); !slices.Contains(got, "Authentication Administrator") {
		t.Errorf("roles of an administrator by group: %v", got)
	}
	r, e = ask(t, w, http.MethodPost, "users/"+guest+"/checkMemberGroups", `{"groupIds":["`+vpn.ID+`","`+x.Group("Executives").ID+`"]}`, false)
	if got, want := raw(t, r, e), `{"@odata.context":"`+root+`/$metadata#Collection(Edm.String)","value":["`+vpn.ID+`"]}`; got != want {
		t.Errorf("checkMemberGroups: %s", got)
	}
}

func TestGetByIDsAndServicePrincipals(t *testing.T) {
	t.Parallel()
	w, x := start(30, Options{})
	vpn := x.Group("VPN Users").ID
	ids := []string{x.People[0].ID, vpn, x.Client.ObjectID, "00000000-0000-4000-8000-000000000000", x.People[len(x.People)-1].ID, x.People[0].ID}
	content, err := json.Marshal(map[string]any{"ids": ids, "types": []string{"user", "group", "servicePrincipal"}})
	if err != nil {
		t.Fatal(err)
	}
	r, e := ask(t, w, http.MethodPost, "directoryObjects/getByIds", string(content), false)
	var a answer
	if err := json.Unmarshal([]byte(raw(t, r, e)), &a); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ids[:3], column(a, "id")); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"#microsoft.graph.user", "#microsoft.graph.group", "#microsoft.graph.servicePrincipal"}, column(a, "@odata.type")); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if got := raw1(t, w, "servicePrincipals/appId='00000003-0000-0000-c000-000000000000'?$select=displayName", false); !strings.Contains(got, `"displayName":"Microsoft Graph"`) {
		t.Errorf("by appId: %s", got)
	}
	if got := column(list(t, w, "servicePrincipals?$filter=appId eq '"+x.Client.AppID+"'&$select=id", false), "id"); !slices.Equal(got, []string{x.Client.ObjectID}) {
		t.Errorf("the client: %v", got)
	}
	if _, e := ask(t, w, http.MethodGet, "servicePrincipals/appId='00000000-0000-4000-8000-000000000000'", "", false); e == nil || e.Status != 404 {
		t.Errorf("an unknown app: %v", e)
	}
}

// TestGetByIDsAnswersWhole: as many ids as are taken are answered on one page.
func TestGetByIDsAnswersWhole(t *testing.T) {
	t.Parallel()
	w, x := start(300, Options{})
	var ids []string
	for _, p := range x.People {
		ids = append(ids, p.ID)
	}
	content, err := json.Marshal(map[string]any{"ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	r, e := ask(t, w, http.MethodPost, "directoryObjects/getByIds", string(content), false)
	text := raw(t, r, e)
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatal(err)
	}
	if n := len(column(a, "id")); n < 250 || strings.Contains(text, "nextLink") {
		t.Errorf("%d of %d on a page with more: %t", n, len(ids), strings.Contains(text, "nextLink"))
	}
	// Other lists of objects have the pages that they had.
	if _, e := ask(t, w, http.MethodGet, "groups/"+x.Group("VPN Users").ID+"/members?$top=1000", "", false); e == nil {
		t.Error("a page of 1000 members is not refused")
	}
}

func TestRolesAreRead(t *testing.T) {
	t.Parallel()
	w, x := start(60, Options{})
	if got := column(list(t, w, "directoryRoleTemplates", false), "displayName"); !slices.Contains(got, "Global Administrator") || len(got) != len(x.Roles.Templates) {
		t.Errorf("templates %v", got)
	}
	bg := x.Person("bg1@contoso.com").ID
	a := list(t, w, "roleManagement/directory/roleAssignments?$filter=principalId eq '"+bg+"'&$expand=principal", false)
	if len(a.Value) != 1 || a.Value[0]["roleDefinitionId"] != "62e90394-69f5-4237-9190-012177145e10" {
		t.Fatalf("assignments %+v", a)
	}
	principal, _ := a.Value[0]["principal"].(map[string]any)
	if principal["@odata.type"] != "#microsoft.graph.user" || principal["userPrincipalName"] != "bg1@contoso.com" {
		t.Errorf("principal %v", principal)
	}
	if got := list(t, w, "roleManagement/directory/roleEligibilityScheduleInstances", false); len(got.Value) != len(x.Roles.Eligible) {
		t.Errorf("%d eligible, want %d", len(got.Value), len(x.Roles.Eligible))
	}
	if got := list(t, w, "roleManagement/directory/roleAssignmentScheduleInstances?$filter=principalId eq '"+bg+"'", false); len(got.Value) != 1 || got.Value[0]["assignmentType"] != "Assigned" {
		t.Errorf("assignment instances %+v", got)
	}
	members := column(list(t, w, "directoryRoles/roleTemplateId='62e90394-69f5-4237-9190-012177145e10'/members", false), "userPrincipalName")
	if !slices.Equal(members, []string{"bg1@contoso.com", "bg2@contoso.com"}) {
		t.Errorf("global administrators %v", members)
	}
}

func TestTenantAndLicences(t *testing.T) {
	t.Parallel()
	for license, want := range map[string][]string{"P2": {"AAD_PREMIUM_P2", "Workload_Identities_P2", "EXCHANGESTANDARD"}, "P1": {"AAD_PREMIUM", "EXCHANGESTANDARD"}, "none": {"EXCHANGESTANDARD"}} {
		w, x := start(20, Options{License: license})
		if diff := cmp.Diff(want, column(list(t, w, "subscribedSkus", false), "skuPartNumber")); diff != "" {
			t.Errorf("%s: products (-want +got):\n%s", license, diff)
		}
		a := list(t, w, "organization", false)
		if len(a.Value) != 1 || a.Value[0]["id"] != x.ID || a.Value[0]["onPremisesSyncEnabled"] != nil {
			t.Errorf("organization %+v", a)
		}
		plans, _ := json.Marshal(a.Value[0]["assignedPlans"])
		if strings.Contains(string(plans), "eec0eb4f-6444-4f95-aba0-50c24d67f998") != (license == "P2") {
			t.Errorf("%s: plans %s", license, plans)
		}
	}
}

func TestSecurityDefaults(t *testing.T) {
	t.Parallel()
	w, _ := start(20, Options{})
	const path = "policies/identitySecurityDefaultsEnforcementPolicy"
	if got := raw1(t, w, path+"?$select=id,isEnabled", false); got != `{"@odata.context":"`+root+`/$metadata#policies/identitySecurityDefaultsEnforcementPolicy(id,isEnabled)/$entity","id":"00000000-0000-0000-0000-000000000005","isEnabled":false}` {
		t.Errorf("policy %s", got)
	}
	w.Guard(func() bool { return true })
	if _, e := ask(t, w, http.MethodPatch, path, `{"isEnabled":true}`, false); e == nil || e.Status != 400 {
		t.Errorf("turned on beside Conditional Access: %v", e)
	}
	w.Guard(func() bool { return false })
	r, e := ask(t, w, http.MethodPatch, path, `{"isEnabled":true}`, false)
	if e != nil || r.Status != 204 || !r.Effect || !w.SecurityDefaults() {
		t.Errorf("turned on: %+v %v", r, e)
	}
	saved, err := w.Export()
	if err != nil {
		t.Fatal(err)
	}
	other, _ := start(5, Options{})
	if err := other.Import(saved); err != nil {
		t.Fatal(err)
	}
	again, err := other.Export()
	if err != nil || string(again) != string(saved) || !other.SecurityDefaults() || !other.HasUser(w.t.People[19].ID) {
		t.Errorf("the state changed on its way: %v", err)
	}
	for _, bad := range []string{`[]`, `{}`, `{"tenant":{}}`, `nonsense`} {
		if other.Import(json.RawMessage(bad)) == nil {
			t.Errorf("%s was taken as a state", bad)
		}
	}
}

func TestDeletedAndAgreements(t *testing.T) {
	t.Parallel()
	w, x := start(30, Options{})
	a := list(t, w, "directory/deletedItems/microsoft.graph.user?$select=id,deletedDateTime", false)
	if len(a.Value) == 0 || a.Value[0]["deletedDateTime"] == nil {
		t.Errorf("deleted users %+v", a)
	}
	if got := raw1(t, w, "directory/deletedItems/"+x.People[len(x.People)-1].ID, false); !strings.Contains(got, "#microsoft.graph.user") {
		t.Errorf("a deleted user: %s", got)
	}
	if got := column(list(t, w, "identityGovernance/termsOfUse/agreements", false), "displayName"); !slices.Contains(got, "Guest Access Terms") {
		t.Errorf("agreements %v", got)
	}
	if !w.HasAgreement(x.Agreements[0].ID) || w.HasAgreement("x") || w.HasUser(x.People[len(x.People)-1].ID) || !w.HasApplication(x.Client.AppID) || !w.OwnsServicePrincipal(x.Client.ObjectID) || !w.HasRole("62E90394-69f5-4237-9190-012177145e10") || !w.HasGroup(x.Groups[0].ID) || !w.HasServicePrincipal(x.Client.ObjectID) {
		t.Error("the directory does not know its own")
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	w, _ := start(0, Options{})
	for _, tt := range []struct {
		method, path, role string
		want               bool
	}{
		{"GET", "users", "User.Read.All", true}, {"GET", "users", "Group.Read.All", false},
		{"GET", "groups", "Group.Read.All", true}, {"GET", "groups/x/transitiveMembers", "GroupMember.Read.All", true}, {"GET", "groups", "User.Read.All", false},
		{"GET", "servicePrincipals", "Application.Read.All", true}, {"GET", "directoryRoleTemplates", "RoleManagement.Read.Directory", true},
		{"GET", "roleManagement/directory/roleEligibilityScheduleInstances", "RoleEligibilitySchedule.Read.Directory", true},
		{"GET", "roleManagement/directory/roleAssignments", "RoleEligibilitySchedule.Read.Directory", false},
		{"GET", "policies/identitySecurityDefaultsEnforcementPolicy", "Policy.Read.All", true}, {"PATCH", "policies/identitySecurityDefaultsEnforcementPolicy", "Policy.Read.All", false},
		{"GET", "organization", "Organization.Read.All", true}, {"GET", "identityGovernance/termsOfUse/agreements", "Directory.Read.All", false},
	} {
		anyOf, e := w.Needs(tt.method, strings.Split(tt.path, "/"))
		got := slices.ContainsFunc(anyOf, func(set []string) bool { return slices.Equal(set, []string{tt.role}) })
		if got != tt.want || e.Status != 403 || e.Code != "Authorization_RequestDenied" {
			t.Errorf("%s %s with %s: %v, %v", tt.method, tt.path, tt.role, got, e)
		}
	}
}
