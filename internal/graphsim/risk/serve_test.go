package risk

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const detections = "/identityProtection/riskDetections"

// TestBodies spells whole bodies out: names, order, nulls, enums, contexts.
func TestBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, 12, 0, Options{})
	s.now = time.Date(2026, 11, 24, 2, 0, 0, 123456700, time.UTC)
	id := s.raise("ada@contoso.com", "anonymizedIPAddress", "medium", "203.0.113.9")
	ada := s.people[s.byUPN["ada@contoso.com"]].id
	user := `"id":"` + ada + `","isDeleted":false,"isProcessing":false,"riskLevel":"medium","riskState":"atRisk","riskDetail":"none","riskLastUpdatedDateTime":"2026-11-24T02:00:00.1234567Z","userDisplayName":"Ada Lovelace","userPrincipalName":"ada@contoso.com"`
	detection := `"id":"` + id + `","requestId":"GUID","correlationId":"GUID","riskEventType":"anonymizedIPAddress","riskState":"atRisk","riskLevel":"medium","riskDetail":"none","source":"IdentityProtection","detectionTimingType":"realtime","activity":"signin","tokenIssuerType":"AzureAD","ipAddress":"203.0.113.9","activityDateTime":"2026-11-24T02:00:00.1234567Z","detectedDateTime":"2026-11-24T02:00:00.1234567Z","lastUpdatedDateTime":"2026-11-24T02:00:00.1234567Z","userId":"` + ada + `","userDisplayName":"Ada Lovelace","userPrincipalName":"ada@contoso.com","additionalInfo":"INFO","location":{"city":"Ashburn","state":"Virginia","countryOrRegion":"US","geoCoordinates":{"altitude":null,"latitude":39.0438,"longitude":-77.4874}}`
	for _, tt := range []struct{ target, want string }{
		{users, `{"@odata.context":"` + root + `/$metadata#identityProtection/riskyUsers","value":[{` + user + `}]}`},
		{users + "/" + ada, `{"@odata.context":"` + root + `/$metadata#identityProtection/riskyUsers/$entity",` + user + `}`},
		{users + "?$select=riskLevel,id&$count=true", `{"@odata.context":"` + root + `/$metadata#identityProtection/riskyUsers(riskLevel,id)","@odata.count":1,"value":[{"id":"` + ada + `","riskLevel":"medium"}]}`},
		{users + "/" + strings.ToUpper(ada) + "?$select=riskState", `{"@odata.context":"` + root + `/$metadata#identityProtection/riskyUsers(riskState)/$entity","riskState":"atRisk"}`},
		{users + "/" + ada + "/history", `{"@odata.context":"` + root + `/$metadata#identityProtection/riskyUsers('` + ada + `')/history","value":[{` + user + `,"userId":"` + ada + `","initiatedBy":null,"activity":{"detail":null,"riskEventTypes":["anonymizedIPAddress"]}}]}`},
		{detections, `{"@odata.context":"` + root + `/$metadata#riskDetections","value":[{` + detection + `}]}`},
		{detections + "/" + id, `{"@odata.context":"` + root + `/$metadata#riskDetections/$entity",` + detection + `}`},
		{detections + "?$select=location/city", `{"@odata.context":"` + root + `/$metadata#riskDetections(location/city)","value":[{"location":{"city":"Ashburn"}}]}`},
		{"/identityProtection/riskyServicePrincipals", `{"@odata.context":"` + root + `/$metadata#identityProtection/riskyServicePrincipals","value":[]}`},
	} {
		got := s.raw(tt.target)
		got = regexp.MustCompile(`"(requestId|correlationId)":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`).ReplaceAllString(got, `"$1":"GUID"`)
		got = regexp.MustCompile(`"additionalInfo":"\[\{\\"Key\\":\\"userAgent\\",\\"Value\\":\\".*?\\"\}.*?\]"`).ReplaceAllString(got, `"additionalInfo":"INFO"`)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.target, diff)
		}
	}
}

func TestServicePrincipalBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, 30, 60, Options{})
	first := func(target string) []string {
		d := json.NewDecoder(strings.NewReader(s.raw(target)))
		var names []string
		for depth := 0; ; {
			token, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			switch token {
			case json.Delim('{'), json.Delim('['):
				depth++
			case json.Delim('}'), json.Delim(']'):
				if depth--; depth == 2 {
					return names
				}
			default:
				if name, ok := token.(string); ok && depth == 3 {
					names = append(names, name)
					var value any
					if err := d.Decode(&value); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	for _, tt := range []struct{ target, want string }{
		{"/identityProtection/riskyServicePrincipals", "id isEnabled isProcessing riskLastUpdatedDateTime riskLevel riskState riskDetail displayName appId servicePrincipalType"},
		{"/identityProtection/servicePrincipalRiskDetections", "id requestId correlationId riskEventType riskState riskLevel riskDetail source detectionTimingType activity tokenIssuerType ipAddress activityDateTime detectedDateTime lastUpdatedDateTime servicePrincipalId servicePrincipalDisplayName appId keyIds additionalInfo location"},
		{"/identityProtection/riskyServicePrincipals/" + s.all("/identityProtection/riskyServicePrincipals")[0].text("id") + "/history", "id isEnabled isProcessing riskLastUpdatedDateTime riskLevel riskState riskDetail displayName appId servicePrincipalType initiatedBy activity"},
	} {
		if diff := cmp.Diff(strings.Fields(tt.want), first(tt.target)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.target, diff)
		}
	}
}

// TestFilters checks the expressions seen in published code (graph-api §1.2)
// against the rows themselves.
func TestFilters(t *testing.T) {
	t.Parallel()
	s := serve(t, 80, 400, Options{})
	all := map[string][]row{}
	for _, set := range []string{detections, users} {
		all[set] = s.all(set + "?$top=500")
	}
	since := begin.Add(-20 * day)
	after := func(member string) func(row) bool {
		return func(r row) bool { return !parseTime(t, r.text(member)).Before(since) }
	}
	date := since.Format(time.RFC3339)
	is := func(member string, values ...string) func(row) bool {
		return func(r row) bool { return slices.Contains(values, r.text(member)) }
	}
	for _, tt := range []struct {
		set, filter string
		want        func(row) bool
	}{
		{detections, "riskLevel ne 'low'", is("riskLevel", "medium", "high")},
		{detections, "riskState eq 'atRisk' and riskLevel eq 'high'", func(r row) bool { return r.text("riskState") == "atRisk" && r.text("riskLevel") == "high" }},
		{detections, "detectedDateTime ge " + date + " and detectedDateTime le 2027-01-01T00:00:00Z", after("detectedDateTime")},
		{detections, "lastUpdatedDateTime gt " + date, after("lastUpdatedDateTime")},
		{detections, "lastUpdatedDateTime gt '" + date + "'", func(row) bool { return false }},
		{detections, "userDisplayName eq 'ada lovelace'", is("userDisplayName", "Ada Lovelace")},
		{detections, "riskEventType eq 'unfamiliarFeatures' or riskLevel eq 'medium'", func(r row) bool {
			return r.text("riskEventType") == "unfamiliarFeatures" || r.text("riskLevel") == "medium"
		}},
		{detections, "startswith(ipAddress,'203.0.113.')", func(r row) bool { return strings.HasPrefix(r.text("ipAddress"), "203.0.113.") }},
		{detections, "location/countryOrRegion eq 'US'", func(r row) bool {
			l, ok := r["location"].(map[string]any)
			return ok && l["countryOrRegion"] == "US"
		}},
		{detections, "ipAddress eq null", func(r row) bool { return r["ipAddress"] == nil }},
		{detections, "riskState in ('remediated','dismissed')", is("riskState", "remediated", "dismissed")},
		{users, "riskLevel ne 'none'", is("riskLevel", "low", "medium", "high")},
		{users, "RiskLevel eq 'High'", is("riskLevel", "high")},
		{users, "riskState eq 'atRisk'", is("riskState", "atRisk")},
		{users, "IsDeleted eq false", func(r row) bool { return r["isDeleted"] == false }},
		{users, "isDeleted eq false and (riskState eq 'atRisk' or riskState eq 'confirmedCompromised')", func(r row) bool { return r["isDeleted"] == false && r.text("riskState") == "atRisk" }},
		{users, "riskLastUpdatedDateTime gt " + date, after("riskLastUpdatedDateTime")},
		{users, "not (riskState eq 'atRisk')", is("riskState", "dismissed", "remediated")},
	} {
		var want, got []string
		for _, r := range all[tt.set] {
			if tt.want(r) {
				want = append(want, r.text("id"))
			}
		}
		for _, r := range s.all(tt.set + "?$filter=" + query(tt.filter)) {
			got = append(got, r.text("id"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.filter, diff)
		}
	}
	// By ids, as somebody asks who reads users again.
	last := len(all[users]) - 1
	for all[users][last].text("riskState") != "remediated" {
		last--
	}
	ids := []string{all[users][last].text("id"), all[users][1].text("id"), "00000000-0000-0000-0000-000000000000"}
	var got []string
	for _, r := range s.all(users + "?$filter=" + query("id in ("+quoted(ids)+")")) {
		got = append(got, r.text("id"))
	}
	if diff := cmp.Diff([]string{ids[1], ids[0]}, got); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	n := 0
	for _, r := range all[detections] {
		if slices.Contains(ids, r.text("userId")) && r.text("riskState") != "atRisk" {
			n++
		}
	}
	if got := s.all(detections + "?$filter=" + query("userId in ("+quoted(ids)+") and riskState ne 'atRisk'")); len(got) != n || n == 0 {
		t.Errorf("%d detections of users by id, want %d", len(got), n)
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, 80, 300, Options{})
	for _, tt := range []struct {
		target, member string
		desc           bool
	}{
		{detections + "?$orderby=activityDateTime%20desc", "activityDateTime", true},
		{detections + "?$orderby=lastUpdatedDateTime&$filter=riskLevel%20ne%20'low'", "lastUpdatedDateTime", false},
		{users + "?$orderby=riskLastUpdatedDateTime%20desc", "riskLastUpdatedDateTime", true},
	} {
		rows := s.all(tt.target)
		for i := 1; i < len(rows); i++ {
			a, b := parseTime(t, rows[i-1].text(tt.member)), parseTime(t, rows[i].text(tt.member))
			if tt.desc {
				a, b = b, a
			}
			if a.After(b) {
				t.Fatalf("%s: row %d is out of order", tt.target, i)
			}
		}
		if len(rows) < 50 {
			t.Errorf("%s: %d rows", tt.target, len(rows))
		}
	}
}

func TestPagesAndCounts(t *testing.T) {
	t.Parallel()
	s := serve(t, 80, 45, Options{})
	var sizes []int
	for p := s.page(detections); ; p = s.page(strings.TrimPrefix(p.Next, root)) {
		sizes = append(sizes, len(p.Value))
		if p.Next == "" {
			break
		}
	}
	if diff := cmp.Diff([]int{20, 20, 5}, sizes); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	total := len(s.all(users))
	p := s.page(users + "?$count=true&$top=2")
	if p.Count == nil || *p.Count != total {
		t.Errorf("count %v, want %d", p.Count, total)
	}
	if !regexp.MustCompile(`^http://127\.0\.0\.1:8890/v1\.0/identityProtection/riskyUsers\?\$count=true&\$top=2&\$skiptoken=[0-9a-f]{64}_2$`).MatchString(p.Next) {
		t.Errorf("next link %s", p.Next)
	}
	if p = s.page(strings.TrimPrefix(p.Next, root)); p.Count != nil {
		t.Error("a count after the first page")
	}
	response, err := s.call(http.MethodGet, users+"/$count?$filter="+query("riskLevel eq 'none'"), "")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.all(users + "?$filter=" + query("riskLevel eq 'none'"))); response.Body != itoa(n) {
		t.Errorf("$count says %v, want %d", response.Body, n)
	}
}

// TestRowsThatLeaveShiftTheLaterOnes is what an offset means.
func TestRowsThatLeaveShiftTheLaterOnes(t *testing.T) {
	t.Parallel()
	s := serve(t, 80, 400, Options{})
	target := users + "?$top=5&$filter=" + query("riskState eq 'atRisk' and isDeleted eq false")
	before := s.all(target)
	first := s.page(target)
	s.post(users+"/dismiss", before[0].text("id"), before[1].text("id"))
	second := s.page(strings.TrimPrefix(first.Next, root))
	if got, want := second.Value[0].text("id"), before[7].text("id"); got != want {
		t.Errorf("the second page begins with %s, want %s", got, want)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, 30, 60, Options{})
	ada := s.user("ada@contoso.com").text("id")
	for _, tt := range []struct {
		target, code string
		status       int
		message      string
	}{
		{detections + "?$top=501", "BadRequest", 400, "The limit of '500' for Top query has been exceeded. The value from the incoming request is '501'."},
		{detections + "?$skip=5", "BadRequest", 400, ""},
		{detections + "?$count=true", "BadRequest", 400, ""},
		{detections + "/$count", "BadRequest", 400, ""},
		{detections + "?$expand=user", "BadRequest", 400, ""},
		{detections + "?$search=%22a%22", "BadRequest", 400, ""},
		{detections + "?$filter=riskLevel", "BadRequest", 400, "Invalid filter clause: The $filter expression must evaluate to a single boolean value."},
		{detections + "?$filter=" + query("colour eq 'red'"), "BadRequest", 400, "Invalid filter clause: Could not find a property named 'colour' on type 'microsoft.graph.riskDetection'."},
		{users + "?$select=colour", "BadRequest", 400, "Parsing OData Select and Expand failed: Could not find a property named 'colour' on type 'microsoft.graph.riskyUser'."},
		{users + "?$skiptoken=x", "BadRequest", 400, "Invalid skip token."},
		{users + "/" + ada + "?$filter=isDeleted", "BadRequest", 400, ""},
		{users + "/nobody", "ResourceNotFound", 404, ""},
		{users + "/" + ada + "/history/nothing", "ResourceNotFound", 404, ""},
		{detections + "/" + strings.Repeat("0", 64), "ResourceNotFound", 404, ""},
	} {
		e := s.refused(http.MethodGet, tt.target, "")
		if e.Status != tt.status || e.Code != tt.code || (tt.message != "" && e.Message != tt.message) || e.Message == "" {
			t.Errorf("%s: %d %s %q", tt.target, e.Status, e.Code, e.Message)
		}
	}
	for _, path := range []string{"identityProtection/riskyAgents", "users", "identityProtection/riskDetections/x/y", "identityProtection/riskyUsers/x/y"} {
		if s.Claims(strings.Split(path, "/")) {
			t.Errorf("%s is claimed", path)
		}
	}
}

func TestNeeds(t *testing.T) {
	t.Parallel()
	s := serve(t, 12, 0, Options{})
	for _, tt := range []struct {
		method, path string
		want         [][]string
	}{
		{"GET", "riskDetections", [][]string{{"IdentityRiskEvent.Read.All"}, {"IdentityRiskEvent.ReadWrite.All"}}},
		{"GET", "servicePrincipalRiskDetections/x", [][]string{{"IdentityRiskEvent.Read.All"}, {"IdentityRiskEvent.ReadWrite.All"}}},
		{"GET", "riskyUsers/x/history", [][]string{{"IdentityRiskyUser.Read.All"}, {"IdentityRiskyUser.ReadWrite.All"}}},
		{"POST", "riskyUsers/dismiss", [][]string{{"IdentityRiskyUser.ReadWrite.All"}}},
		{"POST", "riskyServicePrincipals/dismiss", [][]string{{"IdentityRiskyServicePrincipal.ReadWrite.All"}}},
	} {
		got, denied := s.Needs(tt.method, append([]string{"identityProtection"}, strings.Split(tt.path, "/")...))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.method, tt.path, diff)
		}
		if denied.Status != 403 || denied.Code != "Forbidden" || denied.Message != "You cannot perform the requested operation, required scopes are missing in the token." {
			t.Errorf("%s %s: %+v", tt.method, tt.path, denied)
		}
	}
}

func TestLicences(t *testing.T) {
	t.Parallel()
	p1 := serve(t, 80, 200, Options{License: "P1"})
	limited := 0
	for _, d := range p1.all(detections + "?$top=500") {
		switch d.text("riskEventType") {
		case "anonymizedIPAddress", "leakedCredentials", "investigationsThreatIntelligence", "adminConfirmedUserCompromised":
			if d.text("riskLevel") == "hidden" {
				t.Errorf("%s is hidden", d.text("riskEventType"))
			}
		case "generic":
			if d.text("riskLevel") == "hidden" {
				limited++
				if d.text("riskDetail") != "hidden" || d["additionalInfo"] != nil {
					t.Errorf("limited: %v", d)
				}
			}
		default:
			t.Errorf("%s is shown", d.text("riskEventType"))
		}
	}
	if limited == 0 {
		t.Error("nothing is hidden")
	}
	if got := p1.all(detections + "?$top=500&$filter=" + query("riskLevel eq 'hidden'")); len(got) != limited {
		t.Errorf("%d are hidden by filter, %d by sight", len(got), limited)
	}
	for _, sp := range p1.all("/identityProtection/riskyServicePrincipals") {
		if sp.text("riskLevel") != "hidden" || sp.text("riskDetail") != "hidden" {
			t.Errorf("service principal %v", sp)
		}
	}
	free := serve(t, 20, 20, Options{License: "none"})
	for _, tt := range []struct {
		s              *service
		method, target string
	}{{p1, "GET", users}, {p1, "POST", users + "/dismiss"}, {free, "GET", detections}, {free, "GET", users}} {
		e := tt.s.refused(tt.method, tt.target, "")
		if e.Status != 403 || e.Code != "Forbidden" || e.Message != "Your tenant is not licensed for this feature." {
			t.Errorf("%s %s: %+v", tt.method, tt.target, e)
		}
	}
	if serve(t, 20, 20, Options{Cloud: "china"}).Claims([]string{"identityProtection", "riskyUsers"}) {
		t.Error("China has Identity Protection")
	}
}

func TestOldDetectionsGoButRiskStays(t *testing.T) {
	t.Parallel()
	s := serve(t, 30, 60, Options{})
	old := s.page(detections + "?$top=1").Value[0]
	atRisk := len(s.all(users + "?$filter=" + query("riskState eq 'atRisk'")))
	s.now = parseTime(t, old.text("detectedDateTime")).Add(90*day + time.Second)
	if e := s.refused(http.MethodGet, detections+"/"+old.text("id"), ""); e.Status != 404 {
		t.Error(e)
	}
	if n := len(s.all(detections)); n != 59 {
		t.Errorf("%d are left", n)
	}
	s.now = begin.Add(100 * day)
	if n := len(s.all(detections)); n != 0 {
		t.Errorf("%d are left after 100 days", n)
	}
	if n := len(s.all(users + "?$filter=" + query("riskState eq 'atRisk'"))); n != atRisk {
		t.Errorf("%d are at risk, were %d", n, atRisk)
	}
}
