package graphsim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

const auditsAt = "/v1.0/auditLogs/directoryAudits"

func audited(filter string) string { return auditsAt + "?$filter=" + url.QueryEscape(filter) }

// at follows a dotted path through objects and the first of each list.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

const plainPolicy = `{"displayName":"Audited","state":"enabled","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`

// Every write to Conditional Access is told twice, with who did it and the whole
// object before and after.
func TestAuditsOfConditionalAccess(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30})
	act := func(method, path, body string) {
		t.Helper()
		if r := s.do("POST", "/_sim/act", fmt.Sprintf(`{"userPrincipalName":"ada@contoso.com","ipAddress":"203.0.113.7","method":%q,"path":%q,"body":%s}`, method, path, body)); r.status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
		}
	}
	r := s.do("POST", "/v1.0/identity/conditionalAccess/policies", plainPolicy)
	id, _ := r.object(t)["id"].(string)
	s.tenant.Advance(time.Hour)
	s.do("POST", "/_sim/add", `{"kind":"roleAssignment","role":"Conditional Access Administrator","userPrincipalName":"ada@contoso.com"}`)
	act("PATCH", "/identity/conditionalAccess/policies/"+id, `{"state":"disabled"}`)
	s.tenant.Advance(time.Hour)
	act("DELETE", "/identity/conditionalAccess/policies/"+id, `null`)

	rows := s.all(audited("loggedByService eq 'Conditional Access' and targetResources/any(t: t/id eq '" + id + "')"))
	if len(rows) != 3 {
		t.Fatalf("%d records: %v", len(rows), rows)
	}
	for i, want := range []map[string]any{
		{"activityDisplayName": "Delete conditional access policy", "operationType": "Delete", "initiatedBy.user.userPrincipalName": "ada@contoso.com", "targetResources.modifiedProperties.newValue": nil},
		{"activityDisplayName": "Update conditional access policy", "category": "Policy", "initiatedBy.user.ipAddress": "203.0.113.7", "initiatedBy.app": nil, "result": "success", "targetResources.displayName": "Audited"},
		{"activityDisplayName": "Add conditional access policy", "initiatedBy.user": nil, "initiatedBy.app.appId": s.tenant.ClientID(), "initiatedBy.app.displayName": "risk-sweeper", "targetResources.modifiedProperties.oldValue": nil, "additionalDetails.key": "Category"},
	} {
		for path, v := range want {
			if got := at(rows[i], path); got != v {
				t.Errorf("record %d: %s is %v, want %v", i, path, got, v)
			}
		}
	}
	for member, state := range map[string]string{"oldValue": "enabled", "newValue": "disabled"} {
		text, _ := at(rows[1], "targetResources.modifiedProperties."+member).(string)
		var p map[string]any
		if err := json.Unmarshal([]byte(text), &p); err != nil || p["state"] != state || p["id"] != id || strings.Contains(text, "null") {
			t.Errorf("%s is %s", member, text)
		}
		if !strings.Contains(text, `"builtInControls":["MFA"]`) {
			t.Errorf("the controls in %s", text)
		}
	}
	twins := s.all(audited("loggedByService eq 'Core Directory' and activityDisplayName eq 'Update policy'"))
	if len(twins) != 1 || at(twins[0], "targetResources.modifiedProperties.displayName") != "PolicyDetail" || at(twins[0], "correlationId") != at(rows[1], "correlationId") || at(twins[0], "activityDateTime").(string) >= at(rows[1], "activityDateTime").(string) {
		t.Errorf("the twin: %v", twins)
	}
	one, _ := rows[0]["id"].(string)
	if r := s.get(auditsAt + "/" + one); r.status != 200 || at(r.object(t), "id") != one || !strings.Contains(r.body, `#auditLogs/directoryAudits/$entity"`) {
		t.Errorf("one record: %d %s", r.status, r.body)
	}
	// What a client asks: since when, in what order, page by page.
	since := at(rows[1], "activityDateTime").(string)
	if got := s.all(audited("activityDateTime ge "+since) + "&$orderby=activityDateTime&$top=1"); len(got) != 3 || at(got[0], "id") != at(rows[1], "id") {
		t.Errorf("since %s: %v", since, got)
	}
	for filter, want := range map[string]int{
		"category eq 'Policy' and initiatedBy/user/userPrincipalName eq 'ada@contoso.com'": 4,
		"initiatedBy/app/appId eq '" + s.tenant.ClientID() + "'":                           2,
		"startswith(activityDisplayName,'delete')":                                         2,
	} {
		if got := s.all(audited(filter)); len(got) != want {
			t.Errorf("%s: %d records", filter, len(got))
		}
	}
	if r := s.get(audited("resultReason eq 'x'")); r.status != 400 {
		t.Errorf("a filter that the service does not have: %d", r.status)
	}
	if r := s.do("POST", auditsAt, "{}"); r.status != 405 {
		t.Errorf("POST: %d %s", r.status, r.body)
	}
	s.tenant.Advance(29*24*time.Hour + 23*time.Hour + 30*time.Minute)
	if got := s.all(audited("loggedByService eq 'Conditional Access'")); len(got) != 1 {
		t.Errorf("%d records after a month", len(got))
	}
}

func TestAuditsOfTheRest(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30, Detections: 60})
	do := func(method, path, body string) {
		t.Helper()
		if r := s.do(method, path, body); r.status >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, r.status, r.body)
		}
	}
	risky := s.all("/v1.0/identityProtection/riskyUsers?$filter=riskState%20eq%20'atRisk'%20and%20isDeleted%20eq%20false")
	first, second := risky[0]["id"].(string), risky[1]["id"].(string)
	do("POST", "/v1.0/identityProtection/riskyUsers/dismiss", fmt.Sprintf(`{"userIds":[%q,%q]}`, first, second))
	do("POST", "/v1.0/identityProtection/riskyUsers/dismiss", fmt.Sprintf(`{"userIds":[%q]}`, first)) // does nothing
	do("POST", "/v1.0/identityProtection/riskyUsers/confirmCompromised", fmt.Sprintf(`{"userIds":[%q]}`, first))
	do("POST", "/v1.0/identity/conditionalAccess/namedLocations", `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"Here","countriesAndRegions":["DE"]}`)
	do("POST", "/v1.0/policies/authenticationStrengthPolicies", `{"displayName":"Keys","allowedCombinations":["fido2"]}`)
	do("PATCH", "/v1.0/identity/conditionalAccess/authenticationContextClassReferences/c9", `{"displayName":"Nine","isAvailable":true}`)
	do("PATCH", "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy", `{"isEnabled":true}`)
	var got []string
	for _, row := range s.all(auditsAt + "?$orderby=activityDateTime") {
		if row["loggedByService"] != "Core Directory" {
			got = append(got, fmt.Sprint(row["activityDisplayName"], "|", row["loggedByService"], "|", row["category"]))
		}
	}
	want := []string{
		"DismissUser|Identity Protection|Other", "DismissUser|Identity Protection|Other", "ConfirmAccountCompromised|Identity Protection|Other",
		"Add named location|Conditional Access|Policy", "Authentication Strength Policy Create|Authentication Methods|ApplicationManagement",
		"Add AuthenticationContextClassReference|Conditional Access|Policy", "Update security defaults|Conditional Access|Policy",
	}
	count := map[string]int{}
	for _, x := range got {
		count[x]++
	}
	for _, x := range want {
		count[x]--
	}
	for x, n := range count {
		if n != 0 {
			t.Errorf("%+d of %s in %q", n, x, got)
		}
	}
}

func TestAuditsTakeTheirTime(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 30, AuditDelay: 3 * time.Minute, License: "P1"})
	s.do("POST", "/v1.0/identity/conditionalAccess/policies", plainPolicy)
	if got := s.all(auditsAt); len(got) != 0 {
		t.Errorf("%d records at once", len(got))
	}
	state := s.get("/_sim/state").body
	s.tenant.Advance(4 * time.Minute)
	if got := s.all(auditsAt); len(got) != 2 {
		t.Errorf("%d records later", len(got))
	}
	loaded, err := Load(strings.NewReader(state), Options{Now: noon, Clock: still})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := loaded.State(); err != nil || strings.TrimSpace(string(again)) != strings.TrimSpace(state) {
		t.Errorf("the log does not come back: %v", err)
	}
	// States of before there was a log can still be loaded.
	var old map[string]any
	if err := json.Unmarshal([]byte(state), &old); err != nil {
		t.Fatal(err)
	}
	delete(old["workloads"].(map[string]any), "auditLog")
	data, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(strings.NewReader(string(data)), Options{}); err != nil {
		t.Error(err)
	}
}

func TestPaceOfTheLogs(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 5, Rate: 100})
	for n := range 7 {
		r := s.get(auditsAt)
		if want := map[bool]int{true: 200, false: 429}[n < 5]; r.status != want {
			t.Errorf("request %d: %d", n, r.status)
		}
		if n == 6 && r.header.Get("Retry-After") != "10" {
			t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
		}
	}
	s.tenant.Advance(10 * time.Second)
	if r := s.get(auditsAt); r.status != 200 {
		t.Errorf("ten seconds later: %d", r.status)
	}
	s = world(t, Options{Seed: 1, Users: 5, Roles: []string{"Directory.Read.All"}})
	if r := s.get(auditsAt); r.status != 403 || !strings.Contains(r.body, "AuditLog.Read.All") {
		t.Errorf("without the role: %d %s", r.status, r.body)
	}
}
