package graphsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// whatIf asks for a user and an application.
func (s *service) whatIf(user, app string) reply {
	s.Helper()
	return s.do("POST", "/v1.0/identity/conditionalAccess/evaluate", fmt.Sprintf(`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":%q},
		"signInContext":{"@odata.type":"#microsoft.graph.applicationContext","includeApplications":[%q]},"signInConditions":{"clientAppType":"browser"}}`, user, app))
}

func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return m
}

// What is put into the directory is what policies are judged by.
func TestWhatIfFollowsTheDirectory(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30})
	add := func(body string) string {
		t.Helper()
		r := s.do("POST", "/_sim/add", body)
		if r.status != 201 {
			t.Fatalf("%s: %d %s", body, r.status, r.body)
		}
		id, _ := r.object(t)["id"].(string)
		return id
	}
	local := add(`{"kind":"user","displayName":"Lo Cal","userPrincipalName":"local@contoso.com","userType":"Guest"}`)
	invited := add(`{"kind":"user","displayName":"In Vited","userPrincipalName":"invited@contoso.com","creationType":"Invitation"}`)
	inner := add(`{"kind":"group","displayName":"Inner","members":["local@contoso.com"]}`)
	outer := add(`{"kind":"group","displayName":"Outer","members":["` + inner + `"]}`)
	app := add(`{"kind":"application","displayName":"Ledger","appId":"77777777-0000-4000-8000-000000000001","customSecurityAttributes":{"Access":{"Needs":["requireMFA"]}}}`)
	if app == "" {
		t.Fatal("no application")
	}
	create := func(users, applications string) {
		t.Helper()
		r := s.do("POST", "/v1.0/identity/conditionalAccess/policies", `{"displayName":"P","state":"enabled","conditions":{"users":`+users+`,"applications":`+applications+`},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`)
		if r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	all := `{"includeApplications":["All"]}`
	create(`{"includeGroups":["`+outer+`"]}`, all)
	create(`{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest"}}`, all)
	create(`{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationMember"}}`, all)
	create(`{"includeRoles":["194ae4cb-b126-40b2-bd5b-6091b380977d"]}`, all)
	create(`{"includeUsers":["All"]}`, `{"includeApplications":[],"applicationFilter":{"mode":"include","rule":"CustomSecurityAttribute.Access_Needs -contains \"requireMFA\""}}`)
	add(`{"kind":"roleAssignment","role":"Security Administrator","userPrincipalName":"invited@contoso.com"}`)
	for _, c := range []struct{ user, app, want string }{
		{local, "77777777-0000-4000-8000-000000000001", "yes yes no no yes"},
		{invited, "00000003-0000-0ff1-ce00-000000000000", "no no yes yes no"},
	} {
		r := s.whatIf(c.user, c.app)
		var got []string
		values, _ := r.object(t)["value"].([]any)
		for _, v := range values {
			got = append(got, map[any]string{true: "yes", false: "no"}[v.(map[string]any)["policyApplies"]])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s: %s", c.user, got, c.want, r.body)
		}
	}
	if r := s.get("/v1.0/users/" + invited + "?$select=userType,creationType,externalUserState"); !strings.Contains(r.body, `"userType":"Member"`) || !strings.Contains(r.body, `"creationType":"Invitation"`) {
		t.Errorf("the invited member: %s", r.body)
	}
	for body, want := range map[string]string{
		`{"kind":"user","displayName":"X","userPrincipalName":"x@elsewhere.example"}`:                  "does not end in",
		`{"kind":"user","displayName":"X","userPrincipalName":"ADA@contoso.com"}`:                      "is taken",
		`{"kind":"user","displayName":"X","userPrincipalName":"x@contoso.com","userType":"Pet"}`:       "is not Member or Guest",
		`{"kind":"user","displayName":"X","userPrincipalName":"x@contoso.com","creationType":"Magic"}`: "is not Invitation",
	} {
		if r := s.do("POST", "/_sim/add", body); r.status != 400 || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	state := s.get("/_sim/state").body
	loaded, err := Load(strings.NewReader(state), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := loaded.State(); err != nil || strings.TrimSpace(string(again)) != strings.TrimSpace(state) {
		t.Errorf("the state does not come back: %v", err)
	}
}
