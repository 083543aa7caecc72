package risk

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const users = "/identityProtection/riskyUsers"

// only keeps some members of a row.
func only(r row, members ...string) row {
	kept := row{}
	for _, m := range members {
		kept[m] = r[m]
	}
	return kept
}

func risk(r row) row { return only(r, "riskLevel", "riskState", "riskDetail", "isProcessing") }

func TestDismiss(t *testing.T) {
	t.Parallel()
	s := serve(t, 30, 60, Options{Lag: 5 * time.Minute})
	ada := s.user("ada@contoso.com")
	id := ada.text("id")
	if !s.post(users+"/dismiss", strings.ToUpper(id), id) {
		t.Error("no effect")
	}
	s.now = begin.Add(4 * time.Minute)
	want := row{"riskLevel": "medium", "riskState": "atRisk", "riskDetail": "none", "isProcessing": true}
	if diff := cmp.Diff(want, risk(s.user("ada@contoso.com"))); diff != "" {
		t.Errorf("meanwhile (-want +got):\n%s", diff)
	}
	// What is found after the call is not what was dismissed.
	late := s.raise("ada@contoso.com", "maliciousIPAddress", "low", "192.0.2.7")
	s.now = begin.Add(5 * time.Minute)
	want = row{"riskLevel": "low", "riskState": "atRisk", "riskDetail": "none", "isProcessing": false}
	if diff := cmp.Diff(want, risk(s.user("ada@contoso.com"))); diff != "" {
		t.Errorf("with a later detection (-want +got):\n%s", diff)
	}
	for _, d := range s.detectionsOf(id) {
		want := row{"riskState": "dismissed", "riskDetail": "adminDismissedAllRiskForUser", "lastUpdatedDateTime": "2026-11-24T02:05:00Z"}
		if d.text("id") == late {
			want = row{"riskState": "atRisk", "riskDetail": "none", "lastUpdatedDateTime": "2026-11-24T02:04:00Z"}
		}
		if diff := cmp.Diff(want, only(d, "riskState", "riskDetail", "lastUpdatedDateTime")); diff != "" {
			t.Errorf("detection %s (-want +got):\n%s", d.text("riskEventType"), diff)
		}
		if d.text("riskLevel") == "none" {
			t.Error("a detection lost its level")
		}
	}
	s.post(users+"/dismiss", id)
	s.now = begin.Add(10 * time.Minute)
	got := s.user("ada@contoso.com")
	want = row{"riskLevel": "none", "riskState": "dismissed", "riskDetail": "adminDismissedAllRiskForUser", "isProcessing": false, "riskLastUpdatedDateTime": "2026-11-24T02:10:00Z"}
	if diff := cmp.Diff(want, only(got, "riskLevel", "riskState", "riskDetail", "isProcessing", "riskLastUpdatedDateTime")); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
	wantRow := row{
		"id": id, "userId": id, "initiatedBy": admin, "riskLevel": "none", "riskState": "dismissed", "riskDetail": "adminDismissedAllRiskForUser",
		"activity": map[string]any{"detail": "adminDismissedAllRiskForUser", "riskEventTypes": []any{}},
	}
	current := s.one(users + "/" + id + "/history/" + id)
	if diff := cmp.Diff(wantRow, only(current, "id", "userId", "initiatedBy", "riskLevel", "riskState", "riskDetail", "activity")); diff != "" {
		t.Errorf("history row (-want +got):\n%s", diff)
	}
	// The detection's row has become an older one: user id and .NET ticks.
	older := s.one(users + "/" + id + "/history/" + id + ticksOf(t, "2026-11-24T02:04:00Z"))
	if diff := cmp.Diff(map[string]any{"detail": nil, "riskEventTypes": []any{"maliciousIPAddress"}}, older["activity"]); diff != "" || older["initiatedBy"] != nil {
		t.Errorf("older row (-want +got):\n%s", diff)
	}
	if s.post(users+"/dismiss", id) {
		t.Error("dismissing once more has an effect")
	}
}

func ticksOf(t *testing.T, text string) string {
	t.Helper()
	// Two known points are enough: 637623861161706539 is
	// 2021-07-20T13:55:16.1706539Z (graph-api §1.5).
	from := time.Date(2021, 7, 20, 13, 55, 16, 170653900, time.UTC)
	n := int64(637623861161706539) + int64(parseTime(t, text).Sub(from)/100)
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

func TestConfirmCompromised(t *testing.T) {
	t.Parallel()
	s := serve(t, 30, 60, Options{})
	id := s.user("ada@contoso.com").text("id")
	before := len(s.detectionsOf(id))
	s.post(users+"/confirmCompromised", id)
	want := row{"riskLevel": "high", "riskState": "confirmedCompromised", "riskDetail": "adminConfirmedUserCompromised", "isProcessing": false}
	if diff := cmp.Diff(want, risk(s.user("ada@contoso.com"))); diff != "" {
		t.Errorf("user (-want +got):\n%s", diff)
	}
	found := s.detectionsOf(id)
	if len(found) != before+1 {
		t.Fatalf("%d detections, had %d", len(found), before)
	}
	added := found[len(found)-1]
	wantDetection := row{
		"riskEventType": "adminConfirmedUserCompromised", "riskLevel": "high", "riskState": "confirmedCompromised", "riskDetail": "adminConfirmedUserCompromised",
		"detectionTimingType": "offline", "activity": "user", "ipAddress": nil, "location": nil, "requestId": nil, "correlationId": nil, "additionalInfo": nil,
		"detectedDateTime": "2026-11-24T02:00:00Z", "userPrincipalName": "ada@contoso.com",
	}
	if diff := cmp.Diff(wantDetection, only(added, "riskEventType", "riskLevel", "riskState", "riskDetail", "detectionTimingType", "activity", "ipAddress", "location", "requestId", "correlationId", "additionalInfo", "detectedDateTime", "userPrincipalName")); diff != "" {
		t.Errorf("detection (-want +got):\n%s", diff)
	}
	row := s.one(users + "/" + id + "/history/" + id)
	if diff := cmp.Diff(map[string]any{"detail": "adminConfirmedUserCompromised", "riskEventTypes": []any{"adminConfirmedUserCompromised"}}, row["activity"]); diff != "" || row["initiatedBy"] != admin {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if s.post(users+"/confirmCompromised", id) {
		t.Error("confirming once more has an effect")
	}
	// A passed MFA does not make the account safe again; a new password does.
	if err := s.Remediate("ada@contoso.com", ""); err != nil {
		t.Fatal(err)
	}
	if got := s.user("ada@contoso.com").text("riskState"); got != "confirmedCompromised" {
		t.Errorf("after an MFA the user is %s", got)
	}
	if err := s.Remediate("ada@contoso.com", "userPerformedSecuredPasswordChange"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"riskLevel": "none", "riskState": "remediated", "riskDetail": "userPerformedSecuredPasswordChange", "isProcessing": false}, map[string]any(risk(s.user("ada@contoso.com")))); diff != "" {
		t.Errorf("after a new password (-want +got):\n%s", diff)
	}
	// Somebody without risk can be confirmed, too.
	var nobody string
	for _, p := range s.people {
		if !p.guest && !p.deleted && s.users.subject(p.id) == nil {
			nobody = p.id
		}
	}
	if !s.post(users+"/confirmCompromised", nobody) || s.one(users + "/" + nobody)["riskLevel"] != "high" {
		t.Error("a user without risk was not confirmed")
	}
}

func TestConfirmSafe(t *testing.T) {
	t.Parallel()
	s := serve(t, 30, 60, Options{})
	id := s.user("ada@contoso.com").text("id")
	s.post(users+"/confirmSafe", id)
	r := s.request(http.MethodGet, users+"/"+id, "")
	r.UnknownEnums = true
	response, err := s.Serve(r)
	if err != nil {
		t.Fatal(err)
	}
	// adminConfirmedAccountSafe is later than the sentinel (graph-api §1.6).
	if body := string(rawBody(t, response)); !strings.Contains(body, `"riskLevel":"none","riskState":"confirmedSafe","riskDetail":"adminConfirmedAccountSafe"`) {
		t.Error(body)
	}
	want := row{"riskLevel": "none", "riskState": "confirmedSafe", "riskDetail": "unknownFutureValue", "isProcessing": false}
	if diff := cmp.Diff(want, risk(s.user("ada@contoso.com"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, d := range s.detectionsOf(id) {
		if d.text("riskState") != "confirmedSafe" {
			t.Errorf("detection is %s", d.text("riskState"))
		}
	}
}

func TestServicePrincipalFeedback(t *testing.T) {
	t.Parallel()
	const set = "/identityProtection/riskyServicePrincipals"
	s := serve(t, 30, 60, Options{})
	found := s.all(set)
	if len(found) < 2 {
		t.Fatalf("%d risky service principals", len(found))
	}
	first, second := found[0].text("id"), found[1].text("id")
	s.post(set+"/microsoft.graph.dismiss", first)
	s.post(set+"/confirmCompromised", second)
	get := func(id string) row {
		r := s.request(http.MethodGet, set+"/"+id, "")
		r.UnknownEnums = true
		response, err := s.Serve(r)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, response)
	}
	if diff := cmp.Diff(row{"riskLevel": "none", "riskState": "dismissed", "riskDetail": "adminDismissedAllRiskForServicePrincipal", "isProcessing": false}, risk(get(first))); diff != "" {
		t.Errorf("dismissed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(row{"riskLevel": "high", "riskState": "confirmedCompromised", "riskDetail": "adminConfirmedServicePrincipalCompromised", "isProcessing": false}, risk(get(second))); diff != "" {
		t.Errorf("confirmed (-want +got):\n%s", diff)
	}
	detections := s.all("/identityProtection/servicePrincipalRiskDetections?$filter=" + query("servicePrincipalId eq '"+second+"' and riskEventType eq 'adminConfirmedServicePrincipalCompromised'"))
	if len(detections) != 1 || detections[0].text("activity") != "unknownFutureValue" {
		t.Errorf("detections %v", detections)
	}
	history := s.all(set + "/" + first + "/history")
	if len(history) < 2 {
		t.Errorf("history %v", history)
	}
	if s.Claims(strings.Split("identityProtection/riskyServicePrincipals/"+first+"/history/x/history", "/")) {
		t.Error("a deeper history is claimed")
	}
	if e := s.refused(http.MethodPost, set+"/confirmSafe", `{"servicePrincipalIds":["`+first+`"]}`); e.Status != http.StatusMethodNotAllowed {
		t.Errorf("confirmSafe: %v", e)
	}
}

func TestFeedbackRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, 60, 200, Options{})
	ada := s.user("ada@contoso.com").text("id")
	deleted := s.page(users + "?$filter=isDeleted%20eq%20true").Value[0].text("id")
	var calm, guest string
	for _, p := range s.people {
		switch {
		case p.guest:
			guest = p.id
		case !p.deleted && s.users.subject(p.id) == nil:
			calm = p.id
		}
	}
	const unread = "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
	invalid := "One or more of the ids in 'userIds' are invalid."
	for _, tt := range []struct{ name, action, body, want string }{
		{"deleted", "dismiss", `{"userIds":["` + ada + `","` + deleted + `"]}`, invalid},
		{"deleted confirmed", "confirmCompromised", `{"userIds":["` + deleted + `"]}`, invalid},
		{"unknown", "dismiss", `{"userIds":["` + ada + `","00000000-0000-0000-0000-000000000000"]}`, invalid},
		{"without risk", "dismiss", `{"userIds":["` + ada + `","` + calm + `"]}`, invalid},
		{"guest", "confirmCompromised", `{"userIds":["` + guest + `"]}`, invalid},
		{"no id", "confirmSafe", `{"userIds":["x"]}`, invalid},
		{"too many", "dismiss", `{"userIds":[` + strings.Repeat(`"`+ada+`",`, 60) + `"` + ada + `"]}`, "The parameter 'userIds' holds 61 ids; at most 60 are allowed."},
		{"none", "dismiss", `{"userIds":[]}`, "The parameter 'userIds' must hold at least one id."},
		{"null", "dismiss", `{"userIds":null}`, "The parameter 'userIds' is required."},
		{"missing", "dismiss", `{}`, "The parameter 'userIds' is required."},
		{"no body", "dismiss", "", "Missing request body: the parameter 'userIds' is required."},
		{"no object", "dismiss", `["` + ada + `"]`, unread},
		{"a null body", "dismiss", `null`, unread},
		{"a string", "dismiss", `{"userIds":"` + ada + `"}`, "An unexpected 'PrimitiveValue' node was found when reading from the JSON reader. A 'StartArray' node was expected."},
		{"an object", "dismiss", `{"userIds":{}}`, "An unexpected 'StartObject' node was found when reading from the JSON reader. A 'StartArray' node was expected."},
		{"a number", "dismiss", `{"userIds":[1]}`, "Cannot convert the literal '1' to the expected type 'Edm.String'."},
		{"other name", "dismiss", `{"ids":["` + ada + `"]}`, "The parameter 'ids' in the request payload is not a valid parameter for the operation."},
	} {
		e := s.refused(http.MethodPost, users+"/"+tt.action, tt.body)
		if e.Status != http.StatusBadRequest || e.Code != "BadRequest" {
			t.Errorf("%s: %d %s", tt.name, e.Status, e.Code)
		}
		if diff := cmp.Diff(tt.want, e.Message); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := s.user("ada@contoso.com"); got.text("riskState") != "atRisk" || got["isProcessing"] != false {
		t.Errorf("a refused call changed something: %v", got)
	}
	for _, tt := range []struct {
		method, target string
	}{
		{http.MethodGet, users + "/dismiss"}, {http.MethodPost, users}, {http.MethodDelete, users + "/" + ada}, {http.MethodPatch, users + "/" + ada},
		{http.MethodPost, "/identityProtection/riskDetections"}, {http.MethodDelete, users + "/" + ada + "/history"}, {http.MethodPatch, "/identityProtection"},
	} {
		if e := s.refused(tt.method, tt.target, ""); e.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %v", tt.method, tt.target, e)
		}
	}
}

// TestTutorial is Microsoft's "identify and remediate risks".
func TestTutorial(t *testing.T) {
	t.Parallel()
	s := serve(t, 12, 0, Options{})
	id := s.raise("ada@contoso.com", "anonymizedIPAddress", "medium", "192.0.2.99")
	byName := "/identityProtection/riskDetections?$filter=" + query("userDisplayName eq 'Ada Lovelace'")
	found := s.all(byName)
	if len(found) != 1 || found[0].text("id") != id || found[0].text("riskState") != "atRisk" || found[0].text("detectionTimingType") != "realtime" || found[0].text("ipAddress") != "192.0.2.99" {
		t.Fatalf("raised: %v", found)
	}
	s.now = s.now.Add(time.Minute)
	if err := s.Remediate("ada@contoso.com", "userPassedMFADrivenByRiskBasedPolicy"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(row{"riskState": "remediated", "riskLevel": "medium", "riskDetail": "userPassedMFADrivenByRiskBasedPolicy"}, only(s.all(byName)[0], "riskState", "riskLevel", "riskDetail")); diff != "" {
		t.Errorf("remediated (-want +got):\n%s", diff)
	}
	s.now = s.now.Add(time.Minute)
	s.raise("ada@contoso.com", "anonymizedIPAddress", "medium", "192.0.2.99")
	user := s.user("ada@contoso.com")
	if diff := cmp.Diff(row{"riskLevel": "medium", "riskState": "atRisk", "riskDetail": "none", "isProcessing": false}, risk(user)); diff != "" {
		t.Errorf("raised again (-want +got):\n%s", diff)
	}
	s.now = s.now.Add(time.Minute)
	s.post(users+"/dismiss", user.text("id"))
	if diff := cmp.Diff(row{"riskLevel": "none", "riskState": "dismissed", "riskDetail": "adminDismissedAllRiskForUser", "isProcessing": false}, risk(s.user("ada@contoso.com"))); diff != "" {
		t.Errorf("dismissed (-want +got):\n%s", diff)
	}
	states := map[string]int{}
	for _, d := range s.all(byName) {
		states[d.text("riskState")]++
	}
	if diff := cmp.Diff(map[string]int{"remediated": 1, "dismissed": 1}, states); diff != "" {
		t.Errorf("detections (-want +got):\n%s", diff)
	}
}

// Any application of the tenant's or Microsoft's may come to be at risk, the
// client's own among them; the list of the open ones shows it at once.
func TestRaiseForAServicePrincipal(t *testing.T) {
	t.Parallel()
	s := serve(t, 30, 0, Options{Lag: time.Minute})
	for n, name := range []string{"Build Pipeline", s.tenant.Client.AppID, "Microsoft Planner"} {
		id, err := s.Raise(Raised{ServicePrincipal: name, RiskEventType: "suspiciousSignins", RiskLevel: "medium", IPAddress: "203.0.113.7"})
		if err != nil {
			t.Fatal(err)
		}
		risky := s.all("/identityProtection/riskyServicePrincipals?$filter=" + query("riskState eq 'atRisk'"))
		if len(risky) != n+1 {
			t.Fatalf("%s: %d at risk", name, len(risky))
		}
		found := s.all("/identityProtection/servicePrincipalRiskDetections?$filter=" + query("servicePrincipalId eq '"+risky[n].text("id")+"'"))
		if len(found) != 1 || found[0].text("id") != id || found[0].text("ipAddress") != "203.0.113.7" || found[0].text("appId") != risky[n].text("appId") {
			t.Errorf("%s: %v", name, found)
		}
	}
	if n := len(s.all("/identityProtection/riskDetections")); n != 0 {
		t.Errorf("%d detections of users", n)
	}
}

func TestRaiseAndRemediateRefuse(t *testing.T) {
	t.Parallel()
	s := serve(t, 60, 0, Options{})
	upn := func(fits func(person) bool) string {
		for _, p := range s.people {
			if fits(p) {
				return p.upn
			}
		}
		t.Fatal("nobody like that")
		return ""
	}
	guest, deleted := upn(func(p person) bool { return p.guest }), upn(func(p person) bool { return p.deleted })
	for _, tt := range []struct {
		raised Raised
		want   string
	}{
		{Raised{ServicePrincipal: "func-invoices-prod", RiskEventType: "suspiciousSignins", RiskLevel: "low"}, `no service principal "func-invoices-prod" in this tenant whose risk is judged; managed identities are out of scope`},
		{Raised{ServicePrincipal: "Contoso VPN", UserPrincipalName: "ada@contoso.com"}, "a detection is about a user or a service principal, not both"},
		{Raised{UserPrincipalName: "nobody@contoso.com", RiskEventType: "generic", RiskLevel: "low", IPAddress: ""}, `no user "nobody@contoso.com" in this tenant`},
		{Raised{UserPrincipalName: guest, RiskEventType: "generic", RiskLevel: "low", IPAddress: ""}, `user "` + guest + `" is a guest: risk is evaluated in the home tenant`},
		{Raised{UserPrincipalName: deleted, RiskEventType: "generic", RiskLevel: "low", IPAddress: ""}, `user "` + deleted + `" is deleted: no new risk is detected`},
		{Raised{UserPrincipalName: "ada@contoso.com", RiskEventType: "generic", RiskLevel: "none", IPAddress: ""}, `risk level "none" is not one of low, medium, high`},
		{Raised{UserPrincipalName: "ada@contoso.com", RiskEventType: "", RiskLevel: "low", IPAddress: ""}, `risk event type "" is not a name such as anonymizedIPAddress`},
		{Raised{UserPrincipalName: "ada@contoso.com", RiskEventType: "generic", RiskLevel: "low", IPAddress: "300.1.1.1"}, `IP address "300.1.1.1" is not an IPv4 or IPv6 address`},
	} {
		if _, err := s.Raise(tt.raised); err == nil || err.Error() != tt.want {
			t.Errorf("%+v: %v, want %s", tt.raised, err, tt.want)
		}
	}
	if err := s.Remediate("ada@contoso.com", ""); err == nil || err.Error() != `user "ada@contoso.com" is not at risk` {
		t.Error(err)
	}
	s.raise("ada@contoso.com", "aTypeOfTomorrow", "HIGH", "2001:db8::1")
	if err := s.Remediate("ada@contoso.com", "magic"); err == nil || !strings.HasPrefix(err.Error(), `detail "magic" is not one of userPassedMFADrivenByRiskBasedPolicy,`) {
		t.Error(err)
	}
	if got := s.page("/identityProtection/riskDetections").Value[0]; got.text("riskEventType") != "aTypeOfTomorrow" || got.text("riskLevel") != "high" || got.text("ipAddress") != "2001:db8::1" {
		t.Errorf("raised %v", got)
	}
}

func TestMFALeavesAccountRiskOpen(t *testing.T) {
	t.Parallel()
	s := serve(t, 12, 0, Options{})
	s.raise("ada@contoso.com", "leakedCredentials", "high", "")
	s.raise("ada@contoso.com", "unfamiliarFeatures", "low", "")
	if err := s.Remediate("ada@contoso.com", ""); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(row{"riskLevel": "high", "riskState": "atRisk", "riskDetail": "none", "isProcessing": false}, risk(s.user("ada@contoso.com"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	states := map[string]string{}
	for _, d := range s.all("/identityProtection/riskDetections") {
		states[d.text("riskEventType")] = d.text("riskState")
	}
	if diff := cmp.Diff(map[string]string{"leakedCredentials": "atRisk", "unfamiliarFeatures": "remediated"}, states); diff != "" {
		t.Errorf("detections (-want +got):\n%s", diff)
	}
}
