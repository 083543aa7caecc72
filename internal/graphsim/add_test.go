package graphsim

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is added is found by Graph, named by policies, saved, and gone after a
// reset.
func TestAdd(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30})
	add := func(body string) map[string]any {
		t.Helper()
		r := s.do("POST", "/_sim/add", body)
		var v map[string]any
		if err := json.Unmarshal([]byte(r.body), &v); err != nil || r.status != 201 {
			t.Fatalf("%s: %d %s %v", body, r.status, r.body, err)
		}
		return v
	}
	holds := func(path, want string) {
		t.Helper()
		if r := s.get("/v1.0" + path); r.status != 200 || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %.400s, want %s", path, r.status, r.body, want)
		}
	}
	add(`{"kind":"user","displayName":"Nina New","userPrincipalName":"nina@contoso.com"}`)
	if r := s.do("POST", "/_sim/detections", `{"userPrincipalName":"nina@contoso.com","riskEventType":"passwordSpray","riskLevel":"high"}`); r.status >= 300 {
		t.Errorf("risk of a new user: %d %s", r.status, r.body)
	}
	holds("/identityProtection/riskyUsers?$filter=userPrincipalName%20eq%20'nina@contoso.com'", `"Nina New"`)
	group := add(`{"kind":"group","displayName":"Tier 0","isAssignableToRole":true}`)
	if group["@odata.type"] != "#microsoft.graph.group" || group["isAssignableToRole"] != true {
		t.Errorf("group %v", group)
	}
	id, _ := group["id"].(string)
	holds("/groups/"+id, `"Tier 0"`)
	add(`{"kind":"membership","groupId":"` + id + `","userPrincipalName":"ada@contoso.com"}`)
	holds("/groups/"+id+"/members?$select=userPrincipalName", `ada@contoso.com`)
	given := add(`{"kind":"roleAssignment","roleDefinitionId":"On Premises Directory Sync Account","principal":"Tier 0"}`)
	if given["principalId"] != id || given["roleDefinitionId"] != "a92aed5d-d78a-4d16-b381-09adb37eb3b0" || given["directoryScopeId"] != "/" {
		t.Errorf("assignment %v", given)
	}
	holds("/roleManagement/directory/roleAssignments", id)
	holds("/users/ada@contoso.com/transitiveMemberOf", `"On Premises Directory Sync Account"`)
	add(`{"kind":"eligibility","role":"62e90394-69f5-4237-9190-012177145e10","userPrincipalName":"ada@contoso.com","endDateTime":"2027-01-01T00:00:00Z"}`)
	holds("/roleManagement/directory/roleEligibilityScheduleInstances?$expand=principal", `ada@contoso.com`)
	may := add(`{"kind":"eligibility","group":"Tier 0","userPrincipalName":"ceo@contoso.com"}`)
	if may["groupId"] != id || may["accessId"] != "member" {
		t.Errorf("eligibility %v", may)
	}
	holds("/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances?$filter=groupId%20eq%20'"+id+"'&$expand=principal", `ceo@contoso.com`)
	holds("/identityGovernance/privilegedAccess/group/assignmentScheduleInstances?$filter=groupId%20eq%20'"+id+"'&$expand=principal", `ada@contoso.com`)
	also := add(`{"kind":"eligibility","group":"Tier 0","userPrincipalName":"bg1@contoso.com"}`)
	if also["id"] == may["id"] {
		t.Errorf("two eligibilities have the id %v", may["id"])
	}
	add(`{"kind":"ownership","group":"Tier 0","userPrincipalName":"ada@contoso.com"}`)
	holds("/groups/"+id+"/owners?$select=userPrincipalName", `ada@contoso.com`)
	holds("/groups/"+id+"?$expand=owners", `ada@contoso.com`)
	for _, access := range []string{"member", "owner"} {
		holds("/identityGovernance/privilegedAccess/group/assignmentScheduleInstances?$filter=groupId%20eq%20'"+id+"'%20and%20accessId%20eq%20'"+access+"'&$expand=principal", `ada@contoso.com`)
	}
	if r := s.get("/v1.0/identityGovernance/privilegedAccess/group/eligibilityScheduleInstances"); r.status != 400 {
		t.Errorf("without a filter: %d", r.status)
	}
	held := add(`{"kind":"appRoleAssignment","principal":"Build Pipeline","appRole":"Mail.Send"}`)
	if held["appRoleId"] != "b633e1c5-b582-4048-a93e-9f11b44c7e96" || held["resourceDisplayName"] != "Microsoft Graph" {
		t.Errorf("app role %v", held)
	}
	pipeline, _ := held["principalId"].(string)
	holds("/servicePrincipals/"+pipeline+"/appRoleAssignments", `"principalDisplayName":"Build Pipeline"`)
	holds("/servicePrincipals/"+pipeline+"?$expand=appRoleAssignments", `"b633e1c5-b582-4048-a93e-9f11b44c7e96"`)
	holds("/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')?$select=appRoles", `"value":"Mail.Send"`)
	app := add(`{"kind":"application","displayName":"Payments","appId":"0a1b2c3d-0000-4000-8000-000000000001","servicePrincipalNames":["https://payments.contoso.com"]}`)
	holds("/servicePrincipals(appId='0a1b2c3d-0000-4000-8000-000000000001')", app["id"].(string))
	holds("/applications(appId='0a1b2c3d-0000-4000-8000-000000000001')", `"Payments"`)
	terms := add(`{"kind":"agreement","displayName":"Visitors"}`)
	holds("/identityGovernance/termsOfUse/agreements", `"Visitors"`)
	policy := `{"displayName":"x","state":"disabled","conditions":{"applications":{"includeApplications":["0a1b2c3d-0000-4000-8000-000000000001"]},"users":{"includeGroups":["` + id + `"]}},"grantControls":{"operator":"OR","termsOfUse":["` + terms["id"].(string) + `"]}}`
	if r := s.do("POST", "/v1.0/identity/conditionalAccess/policies", policy); r.status != 201 {
		t.Errorf("a policy that names what was added: %d %s", r.status, r.body)
	}
	for body, want := range map[string]string{
		`{"kind":"grup"}`:  "one of user, group, application, agreement, membership, roleAssignment, eligibility, ownership, appRoleAssignment can",
		`{"kind":"group"}`: "group: displayName is missing",
		`{"kind":"group","displayName":"x","colour":1}`:                                                        "colour",
		`{"kind":"group","displayName":"x","id":"7"}`:                                                          "is not an id",
		`{"kind":"group","displayName":"x","id":"` + id + `"}`:                                                 "is taken",
		`{"kind":"membership","groupId":"` + id + `","userPrincipalName":"ada@contoso.com"}`:                   "a member of \\\"Tier 0\\\" already",
		`{"kind":"membership","group":"Tier 0","principal":"VPN Users"}`:                                       "can have no groups",
		`{"kind":"membership","group":"All Employees","userPrincipalName":"ada@contoso.com"}`:                  "follow from its rule",
		`{"kind":"membership","group":"Nobody","userPrincipalName":"ada@contoso.com"}`:                         "there is no group",
		`{"kind":"membership","group":"Tier 0"}`:                                                               "is missing",
		`{"kind":"membership","group":"Tier 0","principal":"a","member":"b"}`:                                  "give one",
		`{"kind":"roleAssignment","role":"Emperor","userPrincipalName":"ada@contoso.com"}`:                     "there is no directory role",
		`{"kind":"roleAssignment","role":"Global Reader","principal":"VPN Users"}`:                             "is not assignable to roles",
		`{"kind":"roleAssignment","role":"Global Reader","userPrincipalName":"nobody@contoso.com"}`:            "there is no user",
		`{"kind":"application","displayName":"Graph again","appId":"00000003-0000-0000-c000-000000000000"}`:    "is taken",
		`{"kind":"eligibility","group":"Tier 0","role":"Global Reader","userPrincipalName":"ada@contoso.com"}`: "not for both",
		`{"kind":"eligibility","group":"Tier 0","userPrincipalName":"ceo@contoso.com"}`:                        "already",
		`{"kind":"eligibility","group":"Tier 0","userPrincipalName":"ada@contoso.com","accessId":"guest"}`:     "is not member or owner",
		`{"kind":"ownership","group":"Tier 0","userPrincipalName":"ada@contoso.com"}`:                          "owns \\\"Tier 0\\\" already",
		`{"kind":"ownership","group":"Tier 0","principal":"VPN Users"}`:                                        "a group cannot own",
		`{"kind":"application","displayName":"x","servicePrincipalType":"Robot"}`:                              "is not Application",
		`{"kind":"eligibility","role":"Global Administrator","userPrincipalName":"ada@contoso.com"}`:           "already",
	} {
		if r := s.do("POST", "/_sim/add", body); r.status != 400 || !strings.Contains(r.body, want) {
			t.Errorf("%s: %d %s, want %s", body, r.status, r.body, want)
		}
	}
	state := s.get("/_sim/state").body
	again, err := Load(strings.NewReader(state), Options{Now: noon, Clock: still})
	if err != nil {
		t.Fatal(err)
	}
	if saved, err := again.State(); err != nil || strings.TrimSpace(string(saved)) != state {
		t.Errorf("what was added is not loaded again: %v", err)
	}
	if r := s.do("POST", "/_sim/reset", ""); r.status != 204 {
		t.Fatal(r.status)
	}
	if r := s.get("/v1.0/groups/" + id); r.status != 404 {
		t.Errorf("after a reset: %d", r.status)
	}
}
