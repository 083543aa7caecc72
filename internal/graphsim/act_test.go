package graphsim

import (
	"fmt"
	"strings"
	"testing"
)

// A person may do what the person's roles allow, and is the one who did it.
func TestAct(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30, Detections: 60})
	act := func(upn, method, path, body string) reply {
		t.Helper()
		if body == "" {
			body = "null"
		}
		return s.do("POST", "/_sim/act", fmt.Sprintf(`{"userPrincipalName":%q,"ipAddress":"203.0.113.7","method":%q,"path":%q,"body":%s}`, upn, method, path, body))
	}
	risky := s.all("/v1.0/identityProtection/riskyUsers?$filter=riskState%20eq%20'atRisk'%20and%20isDeleted%20eq%20false")[0]["id"].(string)
	dismiss := fmt.Sprintf(`{"userIds":[%q]}`, risky)
	if r := act("ada@contoso.com", "POST", "/identityProtection/riskyUsers/dismiss", dismiss); r.status != 403 {
		t.Errorf("ordinary staff dismissed: %d %s", r.status, r.body)
	}
	if r := act("ada@contoso.com", "", "/me?$select=userPrincipalName", ""); r.status != 200 || !strings.Contains(r.body, `"userPrincipalName":"ada@contoso.com"`) {
		t.Errorf("me: %d %s", r.status, r.body)
	}
	before := s.get("/_sim/requests").body
	if r := s.do("POST", "/_sim/add", `{"kind":"roleAssignment","role":"Security Administrator","userPrincipalName":"ada@contoso.com"}`); r.status != 201 {
		t.Fatal(r.body)
	}
	if r := act("ada@contoso.com", "POST", "/v1.0/identityProtection/riskyUsers/dismiss", dismiss); r.status != 204 || r.body != "" {
		t.Errorf("the administrator: %d %s", r.status, r.body)
	}
	if after := s.get("/_sim/requests").body; after != before || s.get("/_sim/journal").body != "[]" {
		t.Errorf("counted: %s, then %s", before, after)
	}
	ada := s.all("/v1.0/users?$filter=userPrincipalName%20eq%20'ada@contoso.com'&$select=id")[0]["id"].(string)
	if r := s.get("/v1.0/identityProtection/riskyUsers/" + risky + "/history"); !strings.Contains(r.body, `"initiatedBy":"`+ada+`"`) {
		t.Errorf("nobody remembers who did it: %s", r.body)
	}
	for body, want := range map[string]string{
		`{"userPrincipalName":"nobody@contoso.com","path":"/users"}`:                 "there is no user",
		`{"userPrincipalName":"ada@contoso.com"}`:                                    "is not a path",
		`{"userPrincipalName":"ada@contoso.com","path":"/users","method":"BREW"}`:    "is not GET",
		`{"userPrincipalName":"ada@contoso.com","path":"/users","ipAddress":"here"}`: "is no address",
		`{"userPrincipalName":"ada@contoso.com","path":"/$batch","method":"POST"}`:   "one by one",
		`{"userPrincipalName":"ada@contoso.com","path":"/users","colour":"red"}`:     "colour",
	} {
		if r := s.do("POST", "/_sim/act", body); r.status != 400 || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s, want %s", body, r.status, r.body, want)
		}
	}
	if r := act("ada@contoso.com", "GET", "/users/x/messages", ""); r.status != 400 || !strings.Contains(r.body, "messages") {
		t.Errorf("an unknown path: %d %s", r.status, r.body)
	}
}

// A person signs in when somebody says so, also where nobody else does.
func TestSignInByOrder(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30})
	for body, want := range map[string]string{
		`{"userPrincipalName":"nobody@contoso.com"}`:                "there is no user",
		`{"userPrincipalName":"bg1@contoso.com","ipAddress":"x"}`:   "is no address",
		`{"userPrincipalName":"bg1@contoso.com","password":"1234"}`: "password",
	} {
		if r := s.do("POST", "/_sim/signins", body); r.status != 400 || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s", body, r.status, r.body)
		}
	}
	if r := s.do("POST", "/_sim/signins", `{"userPrincipalName":"bg1@contoso.com","ipAddress":"198.51.100.7"}`); r.status != 201 {
		t.Fatal(r.body)
	}
	if r := s.do("POST", "/_sim/signins", `{"userPrincipalName":"ada@contoso.com","wrongPassword":true}`); r.status != 201 {
		t.Fatal(r.body)
	}
	rows := map[string]string{}
	for _, r := range s.all("/v1.0/auditLogs/signIns") {
		rows[r["userPrincipalName"].(string)] = fmt.Sprintf("%v %v %v", r["ipAddress"], r["status"].(map[string]any)["errorCode"], r["location"].(map[string]any)["city"])
	}
	if len(rows) != 2 || rows["bg1@contoso.com"] != "198.51.100.7 0 Seattle" || !strings.Contains(rows["ada@contoso.com"], "50126") {
		t.Errorf("rows %v", rows)
	}
}
