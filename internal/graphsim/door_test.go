package graphsim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// still is a clock that only moves by hand.
func still() time.Time { return noon }

func TestRefusals(t *testing.T) {
	s := start(t, Options{Roles: []string{"IdentityRiskyUser.Read.All", "Policy.Read.All", "User.Read.All"}})
	tests := []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code, message            string
	}{
		{"no token", "GET", "/v1.0/users", "", []string{"Authorization", ""}, 401, "InvalidAuthenticationToken", "Access token is empty."},
		{"other scheme", "GET", "/v1.0/users", "", []string{"Authorization", "Basic ready"}, 401, "InvalidAuthenticationToken", "Access token is empty."},
		{"foreign token", "GET", "/v1.0/users", "", []string{"Authorization", "Bearer other"}, 401, "InvalidAuthenticationToken", "CompactToken parsing failed with error code: 80049217"},
		{"role absent", "GET", "/v1.0/users", "", nil, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."},
		{"beta", "GET", "/beta/riskyUsers", "", nil, 400, "BadRequest", "Invalid version: beta"},
		{"root", "GET", "/", "", nil, 400, "BadRequest", "Empty Path. Please make sure that a valid request URL is specified."},
		{"unknown segment", "GET", "/v1.0/nothing", "", nil, 400, "BadRequest", "Resource not found for the segment 'nothing'."},
		{"unknown below", "GET", "/v1.0/identity/a/b/deep", "", nil, 400, "BadRequest", "Resource not found for the segment 'deep'."},
		{"empty segment", "GET", "/v1.0/users//x", "", nil, 400, "BadRequest", "Empty segment encountered in request URL. Please make sure that a valid request URL is specified."},
		{"unknown option", "GET", "/v1.0/identityProtection/riskyUsers?$foo=1", "", nil, 400, "BadRequest", "Unrecognized query argument specified: '$foo'."},
		{"unknown parameter", "GET", "/v1.0/identityProtection/riskyUsers?page=1", "", nil, 400, "BadRequest", "Unrecognized query argument specified: 'page'."},
		{"option twice", "GET", "/v1.0/identityProtection/riskyUsers?$top=1&top=2", "", nil, 400, "BadRequest", "Query option '$top' was specified more than once, but it must be specified at most once."},
		{"options method", "OPTIONS", "/v1.0/users", "", nil, 405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."},
		{"no content type", "POST", "/v1.0/identityProtection/policies", "{}", []string{"Content-Type", ""}, 400, "BadRequest", "Write requests (excluding DELETE) must contain the Content-Type header declaration."},
		{"wrong content type", "POST", "/v1.0/identityProtection/policies", "{}", []string{"Content-Type", "text/xml"}, 415, "BadRequest", "The media type 'text/xml' is not supported; application/json is."},
		{"not JSON", "POST", "/v1.0/identityProtection/policies", "{", nil, 400, "BadRequest", notJSON},
		{"labelled gzip but plain", "POST", "/v1.0/identityProtection/policies", "{}", []string{"Content-Encoding", "gzip"}, 400, "BadRequest", notJSON},
		{"too large", "POST", "/v1.0/identityProtection/policies", strings.Repeat(" ", maxBody+1), nil, 413, "RequestEntityTooLarge", "The request body is larger than 4 MB."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.do(tt.method, tt.path, tt.body, tt.header...)
			code, message := r.code(t)
			if r.status != tt.status || code != tt.code || message != tt.message {
				t.Errorf("got %d %s %q, want %d %s %q", r.status, code, message, tt.status, tt.code, tt.message)
			}
		})
	}
	if r := s.do("HEAD", "/v1.0/users", ""); r.status != 405 {
		t.Errorf("HEAD got %d, want 405", r.status)
	}
}

func TestEnvelope(t *testing.T) {
	s := start(t, Options{Clock: still})
	r := s.get("/v1.0/users/missing", "client-request-id", "11111111-2222-3333-4444-555555555555")
	id := r.header.Get("request-id")
	want := `{"error":{"code":"Request_ResourceNotFound","message":"Resource 'missing' does not exist.","innerError":{"client-request-id":"11111111-2222-3333-4444-555555555555","date":"2026-11-24T12:00:00","request-id":"` + id + `"}}}`
	if r.status != 404 || r.body != want {
		t.Errorf("got %d %s, want %s", r.status, r.body, want)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("request-id %q is not a GUID", id)
	}
	if got := r.header.Get("client-request-id"); got != "11111111-2222-3333-4444-555555555555" {
		t.Errorf("client-request-id %q is not the caller's", got)
	}
	if got := r.header.Get("Date"); got != "Tue, 24 Nov 2026 12:00:00 GMT" {
		t.Errorf("Date %q is not the service's clock", got)
	}
	again := s.get("/v1.0/users/missing")
	if a, b := again.header.Get("request-id"), again.header.Get("client-request-id"); a == id || a != b {
		t.Errorf("second call: request-id %q, client-request-id %q", a, b)
	}
}

func TestRequestReachesWorkload(t *testing.T) {
	s := start(t, Options{})
	tests := []struct {
		path         string
		header       []string
		wantPath     []string
		wantQuery    map[string][]string
		unknownEnums bool
		eventual     bool
	}{
		{path: "/v1.0/users/a%40b/memberOf", wantPath: []string{"users", "a@b", "memberOf"}},
		{path: "/v1.0/users('a@b')/memberOf", wantPath: []string{"users", "a@b", "memberOf"}},
		{path: "/v1.0/users('O''Brien')", wantPath: []string{"users", "O'Brien"}},
		{path: "/v1.0/users/guest%23EXT%23@b", wantPath: []string{"users", "guest#EXT#@b"}},
		{path: "/v1.0/users/a%2Fb", wantPath: []string{"users", "a/b"}},
		{path: "/v1.0/users(appId='x''y')", wantPath: []string{"users", "appId='x''y'"}},
		{path: "/V1.0/USERS/x/transitivemembers", wantPath: []string{"users", "x", "transitiveMembers"}},
		{path: "/v1.0/groups/x/Microsoft.Graph.User/", wantPath: []string{"groups", "x", "microsoft.graph.user"}},
		{path: "/v1.0/" + s.tenant.TenantID() + "/users/x", wantPath: []string{"users", "x"}}, // as older Go clients write it
		{path: "/v1.0/myorganization/users", wantPath: []string{"users"}},
		{path: "/v1.0/users?$Filter=a+eq+'b'&Top=3", wantPath: []string{"users"}, wantQuery: map[string][]string{"$filter": {"a eq 'b'"}, "$top": {"3"}}},
		{path: "/v1.0/users", header: []string{"Prefer", "odata.maxpagesize=3, include-unknown-enum-members", "ConsistencyLevel", "Eventual"}, wantPath: []string{"users"}, unknownEnums: true, eventual: true},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			r := s.get(tt.path, tt.header...)
			if r.status != 200 {
				t.Fatalf("got %d %s", r.status, r.body)
			}
			last := s.fake.requests[len(s.fake.requests)-1]
			if d := cmp.Diff(tt.wantPath, last.Path); d != "" {
				t.Error(d)
			}
			if tt.wantQuery != nil {
				if d := cmp.Diff(tt.wantQuery, map[string][]string(last.Query)); d != "" {
					t.Error(d)
				}
			}
			if last.UnknownEnums != tt.unknownEnums || last.Eventual != tt.eventual {
				t.Errorf("unknownEnums %v, eventual %v", last.UnknownEnums, last.Eventual)
			}
			if last.Root != s.url+"/v1.0" || last.AppID != s.tenant.ClientID() {
				t.Errorf("root %q, app %q", last.Root, last.AppID)
			}
			if tt.unknownEnums && r.header.Get("Preference-Applied") != "include-unknown-enum-members" {
				t.Error("the preference is not confirmed")
			}
		})
	}
}

func TestGzipBothWays(t *testing.T) {
	s := start(t, Options{})
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(`{"displayName":"CA <1> & 2"}`))
	_ = z.Close()
	r := s.do("POST", "/v1.0/identity/policies", b.String(), "Content-Encoding", "gzip")
	if r.status != 201 || r.body != `{"displayName":"CA <1> & 2"}` {
		t.Errorf("got %d %s", r.status, r.body)
	}
	entries := s.tenant.Journal()
	if len(entries) != 1 || string(entries[0].Body.(json.RawMessage)) != `{"displayName":"CA <1> & 2"}` {
		t.Errorf("journal %v does not hold the decoded body", entries)
	}
	raw := s.get("/v1.0/users", "Accept-Encoding", "gzip") // set by hand: the transport leaves it packed
	if raw.header.Get("Content-Encoding") != "gzip" {
		t.Fatal("the answer is not packed")
	}
	zr, err := gzip.NewReader(strings.NewReader(raw.body))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.NewDecoder(zr).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if plain := s.get("/v1.0/users", "Accept-Encoding", "gzip;q=0"); plain.header.Get("Content-Encoding") != "" || !json.Valid([]byte(plain.body)) {
		t.Errorf("an answer nobody wants packed is packed: %v", plain.header)
	}
}

func TestIdentityBucket(t *testing.T) {
	s := start(t, Options{Rate: 2, Clock: still})
	paths := []string{"/v1.0/identityProtection/riskyUsers", "/v1.0/identity/conditionalAccess", "/v1.0/users"}
	var got []int
	for _, p := range append(paths, paths[0]) {
		got = append(got, s.get(p).status)
	}
	if d := cmp.Diff([]int{200, 429, 200, 429}, got); d != "" {
		t.Error(d)
	}
	r := s.get(paths[0])
	if code, message := r.code(t); code != "TooManyRequests" || message != "Too many requests." || r.header.Get("Retry-After") != "" {
		t.Errorf("a 429 must be bare: %s %s %v", code, message, r.header)
	}
	s.tenant.Advance(499 * time.Millisecond)
	if r := s.get(paths[0]); r.status != 429 {
		t.Errorf("after 499 ms got %d", r.status)
	}
	s.tenant.Advance(time.Millisecond)
	if r := s.get(paths[1]); r.status != 200 {
		t.Errorf("after 500 ms got %d", r.status)
	}
	if requests := s.tenant.Requests(); requests.Total != 7 || requests.Throttled != 4 || requests.ByPath[paths[0]] != 4 {
		t.Errorf("counted %+v", requests)
	}
}

func TestDirectoryUnits(t *testing.T) {
	u := newUnits(true, 49)
	now := noon
	for range 700 {
		if _, e := u.spend(now, 5); e != nil {
			t.Fatal("refused within the budget")
		}
	}
	_, e := u.spend(now.Add(2500*time.Millisecond), 5)
	if e == nil || e.Status != 429 || e.Header.Get("Retry-After") != "8" || e.InnerCode != "429" {
		t.Fatalf("got %+v, want a 429 with Retry-After: 8", e)
	}
	if h, e := u.spend(now.Add(10*time.Second), 5); e != nil || h.Get("x-ms-resource-unit") != "5" {
		t.Errorf("the next window refuses: %v", e)
	}
	if _, e := newUnits(false, 49).spend(now, 1e6); e != nil {
		t.Error("without a rate nothing is throttled")
	}
}
