package graphsim

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const signInsAt = "/v1.0/auditLogs/signIns"

func signedIn(filter string) string { return signInsAt + "?$filter=" + url.QueryEscape(filter) }

const allEnums = "include-unknown-enum-members"

// pages follows the sign-ins to their end with the header that shows all members.
func (s *service) pages(path string) (rows []map[string]any) {
	s.Helper()
	for path != "" {
		r := s.get(path, "Prefer", allEnums)
		m := r.object(s.T)
		if r.status != 200 {
			s.Fatalf("%s: %d %.300s", path, r.status, r.body)
		}
		values, _ := m["value"].([]any)
		for _, v := range values {
			row, _ := v.(map[string]any)
			rows = append(rows, row)
		}
		next, _ := m["@odata.nextLink"].(string)
		path = strings.TrimPrefix(next, s.url)
	}
	return rows
}

// results counts a policy's results over rows.
func results(rows []map[string]any, policy string) map[string]int {
	count := map[string]int{}
	for _, row := range rows {
		list, _ := row["appliedConditionalAccessPolicies"].([]any)
		for _, v := range list {
			if at(v, "id") == policy {
				count[fmt.Sprint(at(v, "result"))]++
			}
		}
	}
	return count
}

func TestSignIns(t *testing.T) {
	s := world(t, Options{Seed: 7, Users: 60, Policies: 14, SignIns: 600})
	rows := s.pages(signInsAt + "?$top=250")
	if n := len(rows); n < 600 || n > 800 {
		t.Fatalf("%d rows of 600 sign-ins", n)
	}
	last, correlations, codes, seen := "9", map[string]int{}, map[string]int{}, map[string]bool{}
	for _, row := range rows {
		at, _ := row["createdDateTime"].(string)
		id, _ := row["id"].(string)
		if at > last || seen[id] || strings.Contains(at, ".") {
			t.Fatalf("%s after %s, id %s", at, last, id)
		}
		last, seen[id] = at, true
		correlations[fmt.Sprint(row["correlationId"])]++
		code := atPath(row, "status.errorCode")
		codes[fmt.Sprint(code)]++
		status := row["conditionalAccessStatus"]
		list, _ := row["appliedConditionalAccessPolicies"].([]any)
		if len(list) != 15 {
			t.Fatalf("%d policies in %v", len(list), row)
		}
		enforced := map[string]int{}
		for _, v := range list {
			result, _ := atPath(v, "result").(string)
			enforced[result]++
		}
		want := "notApplied"
		if enforced["success"] > 0 {
			want = "success"
		}
		if enforced["failure"] > 0 {
			want = "failure"
		}
		if status != want || (want == "failure") != slices.Contains([]string{"53000", "53001", "53002", "53003", "53009", "50074"}, fmt.Sprint(code)) {
			t.Errorf("%v with %v: error %v, %v", status, enforced, code, row["status"])
		}
	}
	twice := 0
	for _, n := range correlations {
		if n == 2 {
			twice++
		}
	}
	if len(correlations) != 600 || twice < 20 || codes["50140"] == 0 || codes["50126"] == 0 || codes["0"] < 300 {
		t.Errorf("%d sign-ins, %d of two rows, error codes %v", len(correlations), twice, codes)
	}
	if got := results(rows, "SecurityDefaults"); got["notEnabled"] != len(rows) {
		t.Errorf("security defaults: %v", got)
	}
	again := world(t, Options{Seed: 7, Users: 60, Policies: 14, SignIns: 600})
	if a, b := s.get(signInsAt+"?$top=50").body, again.get(signInsAt+"?$top=50").body; strings.ReplaceAll(a, s.url, "") != strings.ReplaceAll(b, again.url, "") {
		t.Error("the same seed gives other sign-ins")
	}
	one, _ := rows[3]["id"].(string)
	if r := s.get(signInsAt + "/" + one); r.status != 200 || r.object(t)["id"] != one {
		t.Errorf("one sign-in: %d %s", r.status, r.body)
	}
	for _, c := range []struct {
		filter string
		ok     func(map[string]any) bool
	}{
		{"conditionalAccessStatus eq 'failure'", func(r map[string]any) bool { return r["conditionalAccessStatus"] == "failure" }},
		{"status/errorCode eq 50126", func(r map[string]any) bool { return fmt.Sprint(atPath(r, "status.errorCode")) == "50126" }},
		{"startswith(userPrincipalName,'ada@')", func(r map[string]any) bool { return r["userPrincipalName"] == "ada@contoso.com" }},
		{"createdDateTime ge 2026-11-10T00:00:00Z and createdDateTime le 2026-11-12T00:00:00Z", func(r map[string]any) bool {
			at, _ := r["createdDateTime"].(string)
			return at >= "2026-11-10" && at <= "2026-11-12T00:00:00Z"
		}},
		{"location/countryOrRegion eq 'DE' and clientAppUsed eq 'Browser'", func(r map[string]any) bool {
			return atPath(r, "location.countryOrRegion") == "DE" && r["clientAppUsed"] == "Browser"
		}},
		{"riskLevelDuringSignIn eq 'high'", func(r map[string]any) bool { return r["riskLevelDuringSignIn"] == "high" }},
	} {
		want := 0
		for _, r := range rows {
			if c.ok(r) {
				want++
			}
		}
		if got := s.pages(signedIn(c.filter)); len(got) != want || want == 0 {
			t.Errorf("%s: %d rows, want %d", c.filter, len(got), want)
		}
	}
	if r := s.get(signedIn("appliedConditionalAccessPolicies/any(c: c/result eq 'failure')")); r.status != 400 {
		t.Errorf("a filter on policies: %d", r.status)
	}
}

// atPath is at under a name that a loop variable does not hide.
func atPath(v any, path string) any { return at(v, path) }

// Policies are reported as they were: what is made today says nothing of
// yesterday, and sign-ins go on.
func TestSignInsFollowThePolicies(t *testing.T) {
	s := world(t, Options{Seed: 7, Users: 60, SignIns: 560})
	create := func(state, grant string) string {
		t.Helper()
		r := s.do("POST", "/v1.0/identity/conditionalAccess/policies", `{"displayName":"P","state":"`+state+`","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}},"grantControls":{"operator":"OR","builtInControls":["`+grant+`"]}}`)
		if r.status != 201 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		id, _ := r.object(t)["id"].(string)
		return id
	}
	mfa, compliant := create("enabledForReportingButNotEnforced", "mfa"), create("enabledForReportingButNotEnforced", "compliantDevice")
	if got := results(s.pages(signInsAt), mfa); len(got) != 0 {
		t.Errorf("before it was made: %v", got)
	}
	s.tenant.Advance(7 * 24 * time.Hour)
	week := s.pages(signInsAt)
	if got := results(week, mfa); got["reportOnlySuccess"] < 40 || got["reportOnlyInterrupted"] < 5 || got["reportOnlyNotApplied"] == 0 {
		t.Errorf("a week of MFA: %v", got)
	}
	if got := results(week, compliant); got["reportOnlyFailure"] < 10 || got["reportOnlySuccess"] < 40 || got["reportOnlyInterrupted"] > 0 {
		t.Errorf("a week of compliant devices: %v", got)
	}
	plain := s.get(signInsAt).body
	if strings.Contains(plain, "reportOnly") || !strings.Contains(plain, `"result":"unknownFutureValue"`) || !strings.Contains(plain, `"enforcedGrantControls":["RequireCompliantDevice"]`) {
		t.Errorf("without the header: %.600s", plain)
	}
	s.do("PATCH", "/v1.0/identity/conditionalAccess/policies/"+mfa, `{"state":"disabled"}`)
	s.do("DELETE", "/v1.0/identity/conditionalAccess/policies/"+compliant, "")
	state := s.get("/_sim/state").body
	s.tenant.Advance(24 * time.Hour)
	day := s.pages(signedIn("createdDateTime ge 2026-12-01T12:00:01Z"))
	if got := results(day, mfa); len(day) == 0 || got["notEnabled"] != len(day) {
		t.Errorf("a day without it: %v of %d", got, len(day))
	}
	if got := results(day, compliant); len(got) != 0 {
		t.Errorf("deleted: %v", got)
	}
	if got := results(s.pages(signInsAt), mfa); got["reportOnlyInterrupted"] < 5 {
		t.Errorf("the week before is forgotten: %v", got)
	}
	loaded, err := Load(strings.NewReader(state), Options{Now: noon, Clock: still})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := loaded.State(); err != nil || strings.TrimSpace(string(again)) != strings.TrimSpace(state) {
		t.Errorf("the state does not come back: %v", err)
	}
	// They agree with What If about the same sign-in.
	for _, row := range week[:40] {
		if fmt.Sprint(at(row, "status.errorCode")) == "50126" {
			continue
		}
		for _, v := range row["appliedConditionalAccessPolicies"].([]any) {
			if at(v, "id") == mfa && at(v, "result") == "reportOnlyNotApplied" {
				t.Errorf("a policy for everybody does not apply to %v", row)
			}
		}
	}
}

func TestWhoMayReadSignIns(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 20, Policies: 3, SignIns: 50, Roles: []string{"AuditLog.Read.All"}})
	r := s.get(signInsAt)
	if r.status != 200 || strings.Contains(r.body, "appliedConditionalAccessPolicies") || !strings.Contains(r.body, "conditionalAccessStatus") {
		t.Errorf("without leave to read policies: %d %.300s", r.status, r.body)
	}
	s = world(t, Options{Seed: 1, Users: 20, SignIns: 50, License: "none"})
	if r := s.get(signInsAt); r.status != 403 || !strings.Contains(r.body, "Authentication_RequestFromNonPremiumTenantOrB2CTenant") {
		t.Errorf("unlicensed: %d %s", r.status, r.body)
	}
	s = world(t, Options{Seed: 1, Users: 20, SignIns: 50, Roles: []string{"Policy.Read.All"}})
	if r := s.get(signInsAt); r.status != 403 {
		t.Errorf("without leave: %d %s", r.status, r.body)
	}
	s = world(t, Options{Seed: 1, Users: 20, SignIns: 50})
	s.do("PATCH", "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy", `{"isEnabled":true}`)
	if got := results(s.pages(signInsAt), "SecurityDefaults"); got["success"] == 0 || got["notEnabled"] > 0 {
		t.Errorf("with security defaults: %v", got)
	}
	if r := s.get(signInsAt + "?$top=1001"); r.status != 400 {
		t.Errorf("a page too large: %d", r.status)
	}
	s.tenant.Advance(60 * 24 * time.Hour)
	if got := len(s.pages(signInsAt)); got < 45 || got > 80 {
		t.Errorf("%d rows of 30 days", got)
	}
}
