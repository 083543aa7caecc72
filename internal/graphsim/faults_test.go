package graphsim

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const risky = "/v1.0/identityProtection/riskyUsers"

func (s *service) faults(script string) {
	s.Helper()
	if err := s.tenant.SetFaults("faults.yaml", []byte(script)); err != nil {
		s.Fatal(err)
	}
}

func TestFaultCounting(t *testing.T) {
	tests := []struct {
		match string
		want  []int
	}{
		{"{nth: 2}", []int{200, 503, 200, 200, 200, 200}},
		{"{every: 2}", []int{200, 503, 200, 503, 200, 503}},
		{"{every: 2, times: 1}", []int{200, 503, 200, 200, 200, 200}},
		{"{times: 2}", []int{503, 503, 200, 200, 200, 200}},
		{"{nth: 3, times: 2}", []int{200, 200, 503, 503, 200, 200}},
		{"{}", []int{503, 503, 503, 503, 503, 503}},
		{"{method: POST}", []int{200, 200, 200, 200, 200, 200}},
		{"{method: get, path: /identityProtection/*}", []int{503, 503, 503, 503, 503, 503}},
		{"{path: /IDENTITYprotection/riskyusers, nth: 1}", []int{503, 200, 200, 200, 200, 200}},
		{"{path: '*risky*', nth: 1}", []int{503, 200, 200, 200, 200, 200}},
		{"{path: /identityProtection}", []int{200, 200, 200, 200, 200, 200}},
	}
	for _, tt := range tests {
		t.Run(tt.match, func(t *testing.T) {
			s := start(t, Options{Faults: []byte("faults: [{match: " + tt.match + ", do: {status: 503}}]")})
			var got []int
			for range tt.want {
				got = append(got, s.get(risky).status)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFaultAnswers(t *testing.T) {
	s := start(t, Options{})
	s.faults("faults: [{do: {status: 503, retryAfter: 1500ms}}]")
	r := s.get(risky)
	if code, _ := r.code(t); r.status != 503 || code != "ServiceUnavailable" || r.header.Get("Retry-After") != "2" {
		t.Errorf("got %d %v", r.status, r.header)
	}
	s.faults("faults: [{do: {retryAfter: 'Tue, 24 Nov 2026 12:00:00 GMT'}}]")
	if r := s.get(risky); r.status != 429 || r.header.Get("Retry-After") != "Tue, 24 Nov 2026 12:00:00 GMT" {
		t.Errorf("got %d %v", r.status, r.header)
	}
	s.faults("faults: [{do: {body: '<html>nonsense</html>'}}]")
	if r := s.get(risky); r.status != 200 || r.body != "<html>nonsense</html>" || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Errorf("got %d %s %v", r.status, r.body, r.header)
	}
	s.faults(`{"faults": [{"do": {"status": 400, "body": {"error": {"code": "Odd", "list": [1, 1.5, true, null]}}}}]}`)
	if r := s.get(risky); r.status != 400 || r.body != `{"error":{"code":"Odd","list":[1,1.5,true,null]}}` {
		t.Errorf("got %d %s", r.status, r.body)
	}
	s.faults("faults: [{match: {nth: 1}, do: {truncate: 10}}]")
	if r := s.get(risky); r.status != 200 || r.err != io.ErrUnexpectedEOF && r.err == nil || len(r.body) > 10 {
		t.Errorf("got %d %q %v, want ten bytes and a broken connection", r.status, r.body, r.err)
	}
	if r := s.get(risky); r.err != nil {
		t.Errorf("the second call fails too: %v", r.err)
	}
	s.faults("faults: []")
	if r := s.get(risky); r.status != 200 {
		t.Errorf("an empty script still does %d", r.status)
	}
}

func TestDropBeforeAndAfterTheEffect(t *testing.T) {
	for _, tt := range []struct {
		do     string
		items  int
		broken bool
		status int // of the journal
	}{
		{"{drop: before}", 0, true, 0},
		{"{drop: after}", 1, true, 201},
		{"{status: 504}", 0, false, 504},
		{"{status: 504, drop: before}", 0, false, 0},
		{"{status: 504, drop: after}", 1, false, 201},
		{"{truncate: 3}", 1, true, 201},
		{"{body: nonsense}", 1, false, 201},
	} {
		t.Run(tt.do, func(t *testing.T) {
			s := start(t, Options{})
			s.faults("faults: [{match: {method: POST, path: /identity/policies}, do: " + tt.do + "}]")
			r := s.do("POST", "/v1.0/identity/policies", `{"a":1}`)
			if (r.err != nil) != tt.broken {
				t.Errorf("error %v, want broken: %v", r.err, tt.broken)
			}
			s.tenant.mu.Lock() // a broken connection orders nothing
			items := len(s.fake.Items)
			s.tenant.mu.Unlock()
			if items != tt.items {
				t.Errorf("%d items, want %d", items, tt.items)
			}
			e := s.tenant.Journal()
			if len(e) != 1 || e[0].Effect != (tt.items == 1) || e[0].Status != tt.status {
				t.Errorf("journal %+v", e)
			}
		})
	}
}

// read follows the next links and returns the rows of each page.
func (s *service) read(limit int) (pages [][]int) {
	s.Helper()
	next := risky
	for next != "" && len(pages) < limit {
		r := s.get(next)
		var body struct {
			Value []int
			Next  string `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal([]byte(r.body), &body); err != nil {
			s.Fatalf("%s: %v", r.body, err)
		}
		pages = append(pages, body.Value)
		next = strings.TrimPrefix(body.Next, s.url)
	}
	return pages
}

func TestPageFaults(t *testing.T) {
	plain := [][]int{{0, 1}, {2, 3}, {4, 5}}
	for _, tt := range []struct {
		name, script string
		want         [][]int
	}{
		{"none", "", plain},
		{"repeat the second", "faults: [{match: {nth: 2}, do: {repeatPage: true}}]", [][]int{{0, 1}, {2, 3}, {2, 3}, {4, 5}}},
		{"repeat each", "faults: [{do: {repeatPage: true}}]", [][]int{{0, 1}, {0, 1}, {2, 3}, {2, 3}, {4, 5}, {4, 5}}},
		{"empty before the first", "faults: [{match: {nth: 1}, do: {emptyPage: true}}]", [][]int{{}, {0, 1}, {2, 3}, {4, 5}}},
		{"empty before each", "faults: [{do: {emptyPage: true}}]", [][]int{{}, {0, 1}, {}, {2, 3}, {}, {4, 5}}},
		{"loop", "faults: [{match: {nth: 2, times: 9}, do: {loopNextLink: true}}]", [][]int{{0, 1}, {2, 3}, {2, 3}, {2, 3}, {2, 3}, {2, 3}, {2, 3}, {2, 3}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, Options{Faults: []byte(tt.script)})
			if d := cmp.Diff(tt.want, s.read(8)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestDelayIsVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant, err := newTenant(Options{Token: "ready", Faults: []byte("faults: [{do: {delay: 1h}}]")}, nil, fakeBuild(nil))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		r := call200(t, tenant, risky)
		if took := time.Since(began); r != 200 || took != time.Hour {
			t.Errorf("got %d after %v", r, took)
		}
	})
}

func TestFaultsInBatch(t *testing.T) {
	s := start(t, Options{})
	s.faults("faults: [{match: {path: /users/x}, do: {status: 500}}, {match: {path: /users/y}, do: {drop: after}}]")
	got := s.batch(`{"id":"1","method":"GET","url":"/users/x"},{"id":"2","method":"GET","url":"/users/z"}`)
	if got["1"].status != 500 || got["2"].status != 200 {
		t.Errorf("got %+v", got)
	}
	if r := s.do("POST", "/v1.0/$batch", `{"requests":[{"id":"1","method":"GET","url":"/users/y"}]}`); r.err == nil {
		t.Errorf("got %d, want a dropped connection", r.status)
	}
}

func TestScriptMistakes(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   []string
	}{
		{"fault: []", []string{`faults.yaml:1:1: fault: unknown key (did you mean "faults"?)`}},
		{"faults: 3", []string{"faults.yaml:1:9: faults: must be a list of faults"}},
		{"faults:\n  - match: {nht: 1, pth: /x}\n    do: {status: 503}\n", []string{
			`faults.yaml:2:13: faults[0].match.nht: unknown key (did you mean "nth"?)`,
			`faults.yaml:2:21: faults[0].match.pth: unknown key (did you mean "path"?)`,
		}},
		{"faults:\n- match: {nth: 1}\n", []string{"faults.yaml:2:3: faults[0]: has no do: nothing would happen"}},
		{"faults: [{do: {status: 99}}]", []string{"faults.yaml:1:24: faults[0].do.status: must be a whole number from 200 on"}},
		{"faults: [{do: {status: 600}}]", []string{"faults.yaml:1:24: faults[0].do.status: 600 is not an HTTP status from 200 to 599"}},
		{"faults: [{do: {status: '500'}}]", []string{"faults.yaml:1:24: faults[0].do.status: must be a whole number from 200 on"}},
		{"faults: [{match: {nth: 0}, do: {status: 500}}]", []string{"faults.yaml:1:24: faults[0].match.nth: must be a whole number from 1 on"}},
		{"faults: [{match: {nth: 1, every: 2}, do: {status: 500}}]", []string{"faults.yaml:1:18: faults[0].match: nth and every exclude each other"}},
		{"faults: [{match: {path: /v1.0/users}, do: {status: 500}}]", []string{`faults.yaml:1:25: faults[0].match.path: "/v1.0/users": leave out /v1.0`}},
		{"faults: [{match: {path: users}, do: {status: 500}}]", []string{`faults.yaml:1:25: faults[0].match.path: "users" must begin with / (the path after /v1.0)`}},
		{"faults: [{match: {method: FETCH}, do: {status: 500}}]", []string{`faults.yaml:1:27: faults[0].match.method: "FETCH" is not one of GET, POST, PATCH, PUT, DELETE`}},
		{"faults: [{do: {drop: during}}]", []string{`faults.yaml:1:22: faults[0].do.drop: "during" is not one of before, after (the effect)`}},
		{"faults: [{do: {delay: 5}}]", []string{`faults.yaml:1:23: faults[0].do.delay: must be a duration such as "500ms" or "2s"`}},
		{"faults: [{do: {loopNextLink: 1}}]", []string{"faults.yaml:1:30: faults[0].do.loopNextLink: must be true or false"}},
		{"faults: [{do: {loopNextLink: true, emptyPage: true}}]", []string{"faults.yaml:1:15: faults[0].do: loopNextLink, repeatPage and emptyPage exclude each other"}},
		{"faults: [{do: {body: &a {}}}]", []string{"faults.yaml:1:22: faults[0].do.body: anchors, aliases and tags are not taken here"}},
		{"a: b: c", []string{"faults.yaml:1:5: mapping values are not allowed in this context"}},
		{"faults: []\n---\nfaults: []\n", []string{"faults.yaml:3:1: holds more than one document"}},
		{"faults: [\xff]", []string{"faults.yaml:1:1: is not valid UTF-8"}},
		{strings.Repeat("[", 100), []string{"faults.yaml:1:1: is nested more than 64 deep"}},
	} {
		t.Run(tt.script, func(t *testing.T) {
			_, err := parseScript("faults.yaml", []byte(tt.script))
			if err == nil {
				t.Fatal("no mistake found")
			}
			if d := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzParseScript(f *testing.F) {
	for _, s := range []string{
		"", "faults: []", "faults: [{match: {method: POST, path: /identity/*, nth: 1}, do: {drop: after}}]",
		"faults:\n- do:\n    status: 503\n    retryAfter: 2s\n    body: |\n      text\n", `{"faults":[{"do":{"truncate":5,"delay":"1s"}}]}`,
		"a: &a [*a]", "? [a]\n: b", "- - -", "!!x y", "<<: {}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := parseScript("f", data)
		if err != nil && rules != nil {
			t.Fatal("rules beside an error")
		}
		for _, r := range rules {
			if r.nth > 0 && r.every > 0 || r.do.status != 0 && (r.do.status < 200 || r.do.status > 599) {
				t.Fatalf("an impossible rule got through: %+v", r)
			}
		}
	})
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, text string
		want          bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/b", false},
		{"/a*", "/a/b", true},
		{"*", "", true},
		{"/a/*/c", "/a/b/c", true},
		{"/a/*/c", "/a/b/d/c", true},
		{"/a/*/c", "/a/c", false},
		{"*b*", "/a/b/c", true},
		{"a*a", "a", false},
	} {
		if got := glob(tt.pattern, tt.text); got != tt.want {
			t.Errorf("glob(%q, %q) = %v", tt.pattern, tt.text, got)
		}
	}
}
