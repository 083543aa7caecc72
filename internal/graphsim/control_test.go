package graphsim

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestControlsAreOutsideTheService(t *testing.T) {
	s := start(t, Options{Clock: still, Rate: 1, Faults: []byte("faults: [{do: {status: 500}}]")})
	for _, header := range [][]string{{"Authorization", ""}, {"Authorization", "Bearer ready"}} {
		for _, path := range []string{"/_sim/journal", "/_sim/requests", "/_sim/state", "/_sim/faults", "/_sim/clock"} {
			if r := s.get(path, header...); r.status != 200 || !json.Valid([]byte(r.body)) {
				t.Errorf("%s got %d %s", path, r.status, r.body)
			}
		}
	}
	if r := s.get("/common/discovery/instance?authorization_endpoint=https://login.microsoftonline.com/common"); r.status != 200 {
		t.Errorf("sign-in is faulted: %d", r.status)
	}
	if r := s.get("/_sim/requests"); r.body != `{"total":0,"byPath":{},"throttled":0}` {
		t.Errorf("got %s", r.body)
	}
	if r := s.get("/_sim/journal"); r.body != `[]` {
		t.Errorf("got %s", r.body)
	}
	if r := s.get("/_sim/journals"); r.status != 404 {
		t.Errorf("an unknown control got %d", r.status)
	}
	if r := s.get("/_sim/reset"); r.status != 405 || r.header.Get("Allow") != "POST" {
		t.Errorf("GET reset got %d %v", r.status, r.header)
	}
}

func TestJournalShape(t *testing.T) {
	s := start(t, Options{Clock: still})
	s.do("POST", "/v1.0/identity/policies?$select=id", `{"b":[1]}`)
	s.do("POST", "/v1.0/groups/x/getByIds", `{"ids":[]}`)
	s.do("DELETE", "/v1.0/identity/policies('x')", "")
	s.do("PATCH", "/v1.0/nothing", "plain")
	s.get(risky)
	want := `[` +
		`{"time":"2026-11-24T12:00:00Z","method":"POST","path":"/v1.0/identity/policies","status":201,"effect":true,"body":{"b":[1]}},` +
		`{"time":"2026-11-24T12:00:00Z","method":"DELETE","path":"/v1.0/identity/policies('x')","status":204,"effect":true,"body":null},` +
		`{"time":"2026-11-24T12:00:00Z","method":"PATCH","path":"/v1.0/nothing","status":400,"effect":false,"body":"plain"}]`
	if d := cmp.Diff(want, s.get("/_sim/journal").body); d != "" {
		t.Error(d)
	}
}

func TestFaultControl(t *testing.T) {
	s := start(t, Options{})
	r := s.do("POST", "/_sim/faults", "faults: [{match: {path: /users, times: 1}, do: {stats: 500}}]")
	if r.status != 400 || !strings.Contains(r.body, `faults:1:49: faults[0].do.stats: unknown key (did you mean \"status\"?)`) {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if r := s.do("POST", "/_sim/faults", "faults: [{match: {path: /users, times: 1}, do: {status: 500}}]"); r.status != 204 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if a, b := s.get("/v1.0/users").status, s.get("/v1.0/users").status; a != 500 || b != 200 {
		t.Errorf("got %d, %d", a, b)
	}
	if r := s.get("/_sim/faults"); r.body != `{"faults":[{"path":"/users","matched":2,"fired":1}]}` {
		t.Errorf("got %s", r.body)
	}
}

func TestClockControl(t *testing.T) {
	s := start(t, Options{Clock: still, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	if r := s.get("/_sim/clock"); r.body != `{"now":"2026-01-01T00:00:00Z"}` {
		t.Errorf("got %s", r.body)
	}
	if r := s.do("POST", "/_sim/clock", `{"advance":"15m"}`); r.body != `{"now":"2026-01-01T00:15:00Z"}` {
		t.Errorf("got %s", r.body)
	}
	for _, bad := range []string{`{"advance":"-1s"}`, `{"advance":"x"}`, `{"back":"1s"}`, `{}{}`, ``} {
		if r := s.do("POST", "/_sim/clock", bad); r.status != 400 {
			t.Errorf("%s got %d", bad, r.status)
		}
	}
}

func TestReset(t *testing.T) {
	s := start(t, Options{Clock: still, Faults: []byte("faults: [{match: {nth: 1}, do: {status: 500}}]")})
	before := s.get("/_sim/state").body
	s.do("POST", "/v1.0/identity/policies", `{"x":1}`)
	s.do("POST", "/v1.0/identity/policies", `{"x":1}`)
	s.tenant.Advance(time.Hour)
	if s.get("/_sim/state").body == before {
		t.Fatal("the state did not change")
	}
	s.faults("")
	if r := s.do("POST", "/_sim/reset", ""); r.status != 204 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if d := cmp.Diff(before, s.get("/_sim/state").body); d != "" {
		t.Error(d)
	}
	if len(s.tenant.Journal()) != 0 || s.tenant.Requests().Total != 0 || !s.tenant.Now().Equal(noon) {
		t.Error("journal, counters or clock survive a reset")
	}
	if r := s.get(risky); r.status != 500 {
		t.Errorf("the first script is not back: %d", r.status)
	}
}

func TestStateLoads(t *testing.T) {
	s := start(t, Options{Seed: 7, Clock: still})
	s.do("POST", "/v1.0/identity/policies", `{"x":1}`)
	state, err := s.tenant.State()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := newTenant(Options{Clock: still}, state, fakeBuild(nil))
	if err != nil {
		t.Fatal(err)
	}
	again, err := loaded.State()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(state), string(again)); d != "" {
		t.Error(d)
	}
	if loaded.TenantID() != s.tenant.TenantID() || loaded.ClientID() != s.tenant.ClientID() {
		t.Error("the loaded tenant is another one")
	}
	for _, bad := range []string{"", "{}", "[]", `{"schemaVersion":2}`, `{"schemaVersion":1,"workloads":{}}`, `{"schemaVersion":1,"workloads":{"fake":3}}`, strings.Replace(string(state), `"seed"`, `"sead"`, 1)} {
		if _, err := newTenant(Options{}, []byte(bad), fakeBuild(nil)); err == nil {
			t.Errorf("the state %q is taken", bad)
		}
	}
}

func TestOptionsChecked(t *testing.T) {
	for _, opt := range []Options{
		{Users: -1}, {Detections: 1}, {Policies: 241}, {Rate: -1}, {Lag: -1}, {Cloud: "mars"}, {License: "E5"},
		{Token: "two words"}, {Roles: []string{""}}, {Faults: []byte("fault: 1")},
	} {
		if _, err := New(opt); err == nil {
			t.Errorf("%+v is taken", opt)
		}
	}
	if _, err := Load(bytes.NewReader([]byte("{")), Options{}); err == nil {
		t.Error("half a state is taken")
	}
}

func TestReadyLine(t *testing.T) {
	tenant, err := New(Options{Token: "abc", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(tenant.Ready("http://127.0.0.1:8890"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"graph":"http://127.0.0.1:8890/v1.0","authority":"http://127.0.0.1:8890","tenantId":"` + tenant.TenantID() +
		`","clientId":"` + tenant.ClientID() + `","clientSecret":"` + tenant.ClientSecret() + `","token":"abc"}`
	if d := cmp.Diff(want, string(b)); d != "" {
		t.Error(d)
	}
}
