package graphsim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func (s *service) idOf(upn string) string {
	s.Helper()
	id, _ := s.get("/v1.0/users/" + upn + "?$select=id").object(s.T)["id"].(string)
	return id
}

// act sends a person's request.
func (s *service) act(upn, method, path, body string) reply {
	s.Helper()
	return s.do("POST", "/_sim/act", fmt.Sprintf(`{"userPrincipalName":%q,"method":%q,"path":%q,"body":%s}`, upn, method, path, body))
}

func (s *service) want(r reply, status int, text string) {
	s.Helper()
	if r.status != status || !strings.Contains(r.body, text) {
		s.Errorf("%d %s, want %d with %s", r.status, r.body, status, text)
	}
}

// The bin gives back to persons alone, unless it is said otherwise.
func TestRestore(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30})
	id, _ := s.do("POST", "/v1.0/identity/conditionalAccess/policies", plainPolicy).object(t)["id"].(string)
	s.do("DELETE", "/v1.0/identity/conditionalAccess/policies/"+id, "")
	at := "/identity/conditionalAccess/deletedItems/policies/" + id
	s.want(s.get("/v1.0"+at), 200, `"deletedDateTime":"2026-`)
	s.want(s.do("POST", "/v1.0"+at+"/restore", ""), 403, "AccessDenied")
	s.do("POST", "/_sim/add", `{"kind":"roleAssignment","role":"Conditional Access Administrator","userPrincipalName":"ada@contoso.com"}`)
	s.want(s.act("ada@contoso.com", "POST", at+"/restore", "null"), 200, `"deletedDateTime":null`)
	s.want(s.get("/v1.0/identity/conditionalAccess/policies/"+id), 200, `"state":"enabled"`)
	s.want(s.get(audited("activityDisplayName eq 'Restore conditional access policy'")), 200, `"userPrincipalName":"ada@contoso.com"`)

	s = world(t, Options{Seed: 1, Users: 30, AppRestore: true})
	id, _ = s.do("POST", "/v1.0/identity/conditionalAccess/policies", plainPolicy).object(t)["id"].(string)
	s.do("DELETE", "/v1.0/identity/conditionalAccess/policies/"+id, "")
	s.want(s.do("POST", "/v1.0/identity/conditionalAccess/deletedItems/policies/"+id+"/restore", ""), 200, id)
}

func TestContainment(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30, SignIns: 600})
	ada := s.idOf("ada@contoso.com")
	s.want(s.do("POST", "/v1.0/users/"+ada+"/revokeSignInSessions", ""), 200, `#Edm.Boolean","value":true}`)
	s.want(s.get("/v1.0/users/"+ada+"?$select=signInSessionsValidFromDateTime"), 200, `"signInSessionsValidFromDateTime":"2026-11-24T12:00:00Z"`)
	s.want(s.do("POST", "/v1.0/users/nobody@contoso.com/revokeSignInSessions", ""), 404, "Request_ResourceNotFound")
	s.want(s.get("/v1.0/users/"+ada+"/revokeSignInSessions"), 405, "")

	s.want(s.do("PATCH", "/v1.0/users/"+ada, `{"accountEnabled":false}`), 204, "")
	s.want(s.get("/v1.0/users/"+ada+"?$select=accountEnabled"), 200, `"accountEnabled":false`)
	s.want(s.act("ada@contoso.com", "GET", "/me", "null"), 400, "is disabled")
	s.want(s.do("PATCH", "/v1.0/users/"+ada, `{"accountEnabled":"no"}`), 400, "Edm.Boolean")
	s.want(s.do("PATCH", "/v1.0/users/"+ada, `{"displayName":"Eve"}`), 403, "Authorization_RequestDenied")
	s.want(s.do("PATCH", "/v1.0/users/bg1@contoso.com", `{"accountEnabled":false}`), 403, "Authorization_RequestDenied")
	s.want(s.get(audited("activityDisplayName eq 'Disable account'")), 200, `"displayName":"AccountEnabled","oldValue":"[true]","newValue":"[false]"`)
	s.do("POST", "/_sim/add", `{"kind":"roleAssignment","role":"Privileged Authentication Administrator","principal":"risk-sweeper"}`)
	s.want(s.do("PATCH", "/v1.0/users/bg1@contoso.com", `{"accountEnabled":false}`), 204, "")

	s.tenant.Advance(7 * 24 * time.Hour)
	codes := map[bool]map[string]int{false: {}, true: {}}
	for _, row := range s.pages(signedIn("userId eq '" + ada + "'")) {
		when, _ := row["createdDateTime"].(string)
		codes[when > "2026-11-24T12:00:00Z"][fmt.Sprint(at(row, "status.errorCode"))]++
	}
	if codes[false]["50057"] != 0 || codes[true]["50057"] == 0 || len(codes[true]) != 1 {
		t.Errorf("error codes before and after: %v", codes)
	}
	s = world(t, Options{Seed: 1, Users: 30, Roles: []string{"User.EnableDisableAccount.All", "User.ReadBasic.All"}})
	s.want(s.do("PATCH", "/v1.0/users/ada@contoso.com", `{"accountEnabled":false}`), 403, "")
	s.want(s.do("POST", "/v1.0/users/ada@contoso.com/revokeSignInSessions", ""), 403, "")
}

func TestMembersOfGroups(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30})
	ceo, ada := s.idOf("ceo@contoso.com"), s.idOf("ada@contoso.com")
	group := func(name string) string {
		t.Helper()
		id, _ := s.all("/v1.0/groups?$filter=displayName%20eq%20'" + strings.ReplaceAll(name, " ", "%20") + "'")[0]["id"].(string)
		return id
	}
	link := func(id string) string {
		return `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/` + id + `"}`
	}
	members := "/v1.0/groups/" + group("VPN Users") + "/members/"
	s.want(s.do("POST", members+"$ref", link(ceo)), 204, "")
	s.want(s.do("POST", members+"$ref", link(ceo)), 400, "added object references already exist for the following modified properties: 'members'.")
	s.want(s.do("POST", members+"$ref", link("00000000-0000-4000-8000-000000000000")), 404, "Request_ResourceNotFound")
	s.want(s.do("DELETE", members+ceo, ""), 403, "Authorization_RequestDenied")
	s.want(s.do("DELETE", members+ceo+"/$ref", ""), 204, "")
	s.want(s.do("DELETE", members+ceo+"/$ref", ""), 400, "removed object references do not exist for the following modified properties: 'members'.")
	s.want(s.do("PATCH", strings.TrimSuffix(members, "/members/"), `{"members@odata.bind":["https://graph.microsoft.com/v1.0/directoryObjects/`+ceo+`"]}`), 204, "")
	s.want(s.do("POST", "/v1.0/groups/"+group("All Employees")+"/members/$ref", link(ceo)), 400, "dynamic")
	s.want(s.do("POST", "/v1.0/groups/"+group("VPN Admins")+"/members/$ref", link(ceo)), 403, "")
	s.want(s.get(members+"$ref"), 400, "$ref")
	s.want(s.get(audited("activityDisplayName eq 'Remove member from group'")), 200, `"category":"GroupManagement"`)
	if got := s.all(audited("loggedByService eq 'Core Directory' and activityDisplayName eq 'Add member to group' and targetResources/any(t: t/id eq '" + ceo + "')")); len(got) != 2 {
		t.Errorf("%d records", len(got))
	}
	// Who forgets $ref and may delete users deletes the user.
	s = world(t, Options{Seed: 1, Users: 30, Roles: append(AllRoles(), "User.ReadWrite.All")})
	s.want(s.do("DELETE", "/v1.0/groups/"+group("VPN Users")+"/members/"+ada, ""), 204, "")
	s.want(s.get("/v1.0/users/"+ada), 404, "")
	s.want(s.get("/v1.0/directory/deletedItems/"+ada), 200, ada)
}

func TestFeedbackOnSignIns(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30, SignIns: 40})
	raise := func(kind string) map[string]any {
		t.Helper()
		r := s.do("POST", "/_sim/detections", `{"userPrincipalName":"ada@contoso.com","riskEventType":"`+kind+`","riskLevel":"medium","ipAddress":"203.0.113.7"}`)
		return s.get("/v1.0/identityProtection/riskDetections/" + fmt.Sprint(r.object(t)["id"])).object(t)
	}
	first, second := raise("unfamiliarFeatures"), raise("anonymizedIPAddress")
	ask := func(action, id string) reply {
		t.Helper()
		return s.do("POST", "/v1.0/auditLogs/signIns/"+action, `{"requestIds":["`+id+`"]}`)
	}
	again := func(d map[string]any) map[string]any {
		return s.get("/v1.0/identityProtection/riskDetections/" + fmt.Sprint(d["id"])).object(t)
	}
	row := s.get(signInsAt + "/" + fmt.Sprint(first["requestId"]))
	s.want(row, 200, `"riskLevelAggregated":"medium","riskLevelDuringSignIn":"medium","riskState":"atRisk","riskEventTypes":["unfamiliarFeatures"]`)
	s.want(row, 200, `"ipAddress":"203.0.113.7"`)
	s.want(row, 200, fmt.Sprintf(`"correlationId":%q`, first["correlationId"]))
	user := "/v1.0/identityProtection/riskyUsers/" + s.idOf("ada@contoso.com")
	s.want(ask("dismiss", fmt.Sprint(first["requestId"])), 204, "")
	if d := again(first); d["riskState"] != "dismissed" {
		t.Errorf("the dismissed one: %v", d)
	}
	if d := again(second); d["riskState"] != "atRisk" {
		t.Errorf("the other one: %v", d)
	}
	s.want(s.get(user), 200, `"riskState":"atRisk"`)
	s.want(ask("dismiss", fmt.Sprint(first["requestId"])), 400, "These requestIds do not exist in your tenant or they are not risky")
	s.want(ask("confirmSafe", fmt.Sprint(second["requestId"])), 204, "")
	s.want(s.get(user, "Prefer", allEnums), 200, `"riskLevel":"none","riskState":"confirmedSafe","riskDetail":"adminConfirmedSigninSafe"`)
	s.want(ask("confirmSafe", "00000000-0000-4000-8000-000000000000"), 400, "not risky")
	known, _ := s.all(signInsAt)[0]["id"].(string)
	s.want(ask("confirmSafe", known), 204, "")
	s.want(ask("dismiss", known), 400, "not risky")
	third := raise("unfamiliarFeatures")
	s.want(ask("confirmCompromised", fmt.Sprint(third["requestId"])), 204, "")
	s.want(s.get(user), 200, `"riskLevel":"high","riskState":"confirmedCompromised","riskDetail":"adminConfirmedSigninCompromised"`)
	s.want(ask("approve", known), 400, "approve")
	s = world(t, Options{Seed: 1, Users: 30, Roles: []string{"IdentityRiskyUser.ReadWrite.All", "AuditLog.Read.All"}})
	s.want(ask("dismiss", known), 403, "Forbidden")
}
