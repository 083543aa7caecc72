package graphsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// world serves a generated tenant.
func world(t *testing.T, opt Options) *service {
	t.Helper()
	opt.Token = "ready"
	if opt.Now.IsZero() {
		opt.Now, opt.Clock = noon, still
	}
	tenant, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(tenant.Handler())
	t.Cleanup(server.Close)
	return &service{T: t, tenant: tenant, url: server.URL, token: "ready"}
}

// all follows a collection to its end.
func (s *service) all(path string) (rows []map[string]any) {
	s.Helper()
	for next := path; next != ""; {
		r := s.get(next)
		var body struct {
			Value []map[string]any
			Next  string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal([]byte(r.body), &body); err != nil || r.status != 200 {
			s.Fatalf("%s: %d %.300s %v", next, r.status, r.body, err)
		}
		rows = append(rows, body.Value...)
		next = strings.TrimPrefix(body.Next, s.url)
	}
	return rows
}

// dismissOne changes the tenant through Graph.
func (s *service) dismissOne() {
	s.Helper()
	atRisk := s.all("/v1.0/identityProtection/riskyUsers?$filter=riskState%20eq%20'atRisk'%20and%20isDeleted%20eq%20false")
	if len(atRisk) == 0 {
		s.Fatal("nobody is at risk")
	}
	r := s.do("POST", "/v1.0/identityProtection/riskyUsers/dismiss", fmt.Sprintf(`{"userIds":[%q]}`, atRisk[0]["id"]))
	if r.status != 204 {
		s.Fatalf("got %d %s", r.status, r.body)
	}
}

func TestCountsAreExact(t *testing.T) {
	for _, want := range [][3]int{{200, 500, 5}, {1, 1, 0}, {50, 0, 1}, {0, 0, 0}, {7, 100, 240}} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			s := world(t, Options{Seed: 1, Users: want[0], Detections: want[1], Policies: want[2]})
			users := s.all("/v1.0/users?$top=999&$select=id,displayName,userPrincipalName")
			detections := s.all("/v1.0/identityProtection/riskDetections?$top=500")
			policies := s.tenant.opt.Policies
			if d := cmp.Diff(want, [3]int{len(users), len(detections), policies}); d != "" {
				t.Error(d)
			}
			seen := map[any]bool{}
			for _, u := range users {
				if seen[u["userPrincipalName"]] || seen[u["displayName"]] {
					t.Errorf("the name of %v is there twice", u)
				}
				seen[u["userPrincipalName"]], seen[u["displayName"]] = true, true
			}
			for _, d := range detections {
				at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(d["detectedDateTime"]))
				if err != nil || at.After(noon) || at.Before(noon.AddDate(0, 0, -80)) {
					t.Errorf("detected at %v %v", d["detectedDateTime"], err)
				}
			}
			if risky := s.all("/v1.0/identityProtection/riskyUsers?$top=500"); want[1] == 0 && len(risky) != 0 {
				t.Errorf("%d risky users without a detection", len(risky))
			}
		})
	}
}

func TestSameSeedSameTenant(t *testing.T) {
	opt := Options{Seed: 42, Users: 120, Detections: 300, Policies: 7}
	a, b := world(t, opt), world(t, opt)
	first, second := a.get("/_sim/state").body, b.get("/_sim/state").body
	if first != second {
		t.Error("the same seed gave another tenant")
	}
	opt.Seed = 43
	if c := world(t, opt); c.get("/_sim/state").body == first {
		t.Error("another seed gave the same tenant")
	}
	if a.tenant.Ready("x") != b.tenant.Ready("x") {
		t.Error("the same seed gave another client")
	}
}

// The clock runs on while the tenant is made: that it takes a while must not
// show in it.
func TestSameSeedAndStartOnARunningClock(t *testing.T) {
	make := func(step time.Duration) string {
		at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
		running := func() time.Time { at = at.Add(step); return at }
		tenant, err := New(Options{Seed: 42, Users: 60, Detections: 90, Policies: 3, Now: noon, Clock: running})
		if err != nil {
			t.Fatal(err)
		}
		state, err := tenant.State()
		if err != nil {
			t.Fatal(err)
		}
		return string(state)
	}
	if d := cmp.Diff(make(time.Millisecond), make(time.Second)); d != "" {
		t.Errorf("a slower machine made another tenant: %.1000s", d)
	}
}

func TestStateSurvivesALoad(t *testing.T) {
	s := world(t, Options{Seed: 5, Users: 60, Detections: 150, Policies: 4})
	s.dismissOne()
	state := s.get("/_sim/state").body
	loaded, err := Load(strings.NewReader(state), Options{Now: noon, Clock: still, Token: "ready"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := loaded.State()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(state, string(bytes.TrimSpace(again))); d != "" {
		t.Errorf("the state changed by a load: %.2000s", d)
	}
	if loaded.TenantID() != s.tenant.TenantID() || loaded.ClientSecret() != s.tenant.ClientSecret() {
		t.Error("the loaded tenant signs in otherwise")
	}
	server := httptest.NewServer(loaded.Handler())
	defer server.Close()
	l := &service{T: t, tenant: loaded, url: server.URL, token: "ready"}
	for _, path := range []string{"/v1.0/users", "/v1.0/identityProtection/riskDetections", "/v1.0/identityProtection/riskyUsers"} {
		if d := cmp.Diff(len(s.all(path)), len(l.all(path))); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

func TestResetBringsTheTenantBack(t *testing.T) {
	s := world(t, Options{Seed: 5, Users: 30, Detections: 60, Policies: 2})
	state := s.get("/_sim/state").body
	s.dismissOne()
	if s.get("/_sim/state").body == state {
		t.Fatal("nothing has changed")
	}
	if r := s.do("POST", "/_sim/reset", ""); r.status != 204 || s.get("/_sim/state").body != state {
		t.Error("the tenant is not back")
	}
}

// TestTutorial walks Microsoft's "identify and remediate risks" article.
func TestTutorial(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 20})
	user := s.all("/v1.0/users?$select=id,displayName,userPrincipalName")[3]
	raise := func() {
		t.Helper()
		r := s.do("POST", "/_sim/detections", fmt.Sprintf(`{"userPrincipalName":%q,"riskEventType":"anonymizedIPAddress","riskLevel":"medium","ipAddress":"203.0.113.7"}`, user["userPrincipalName"]))
		if r.status != 201 {
			t.Fatalf("got %d %s", r.status, r.body)
		}
	}
	filter := "/v1.0/identityProtection/riskDetections?$filter=userDisplayName%20eq%20'" + strings.ReplaceAll(strings.ReplaceAll(fmt.Sprint(user["displayName"]), "'", "''"), " ", "%20") + "'"
	states := func() (out []string) {
		for _, d := range s.all(filter) {
			out = append(out, fmt.Sprint(d["riskEventType"], " ", d["riskLevel"], " ", d["riskState"]))
		}
		return out
	}
	raise()
	if d := cmp.Diff([]string{"anonymizedIPAddress medium atRisk"}, states()); d != "" {
		t.Fatal(d)
	}
	if r := s.do("POST", "/_sim/remediate", fmt.Sprintf(`{"userPrincipalName":%q,"detail":"userPassedMFADrivenByRiskBasedPolicy"}`, user["userPrincipalName"])); r.status != 204 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if d := cmp.Diff([]string{"anonymizedIPAddress medium remediated"}, states()); d != "" {
		t.Fatal(d)
	}
	raise()
	if r := s.do("POST", "/v1.0/identityProtection/riskyUsers/dismiss", fmt.Sprintf(`{"userIds":[%q]}`, user["id"])); r.status != 204 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(s.get("/v1.0/identityProtection/riskyUsers/"+fmt.Sprint(user["id"])).body), &got); err != nil {
		t.Fatal(err)
	}
	if got["riskLevel"] != "none" || got["riskState"] != "dismissed" || got["riskDetail"] != "adminDismissedAllRiskForUser" {
		t.Errorf("got %v", got)
	}
	if r := s.do("POST", "/_sim/detections", `{"userPrincipalName":"nobody@nowhere.example","riskEventType":"anonymizedIPAddress","riskLevel":"low","ipAddress":"203.0.113.7"}`); r.status != 400 {
		t.Errorf("a detection of nobody got %d", r.status)
	}
}

func TestManyDetectionsAreQuick(t *testing.T) {
	const many = 100_000
	began := time.Now()
	s := world(t, Options{Seed: 1, Users: 2000, Detections: many})
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d detections were made in %v", many, took)
	}
	if r := s.get("/v1.0/identityProtection/riskDetections?$top=500"); r.status != 200 {
		t.Errorf("got %d %.200s", r.status, r.body)
	}
}

func BenchmarkMillionDetections(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(Options{Seed: 1, Users: 20_000, Detections: 1_000_000, Now: noon, Token: "ready"}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestEveryRoleIsGranted holds AllRoles to what the workloads ask for.
func TestEveryRoleIsGranted(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 10, Detections: 10, Policies: 2})
	for _, path := range []string{
		"/users", "/groups", "/servicePrincipals", "/directoryRoleTemplates", "/roleManagement/directory/roleAssignments",
		"/roleManagement/directory/roleEligibilityScheduleInstances", "/organization", "/subscribedSkus",
		"/identityProtection/riskDetections", "/identityProtection/riskyUsers", "/identityProtection/riskyServicePrincipals",
		"/identityProtection/servicePrincipalRiskDetections",
		"/policies/identitySecurityDefaultsEnforcementPolicy",
	} {
		if r := s.get("/v1.0" + path); r.status != 200 {
			t.Errorf("%s got %d %.200s", path, r.status, r.body)
		}
	}
	// The client can find itself.
	if r := s.get("/v1.0/servicePrincipals(appId='" + s.tenant.ClientID() + "')"); r.status != 200 {
		t.Errorf("the client's own service principal got %d %.200s", r.status, r.body)
	}
}
