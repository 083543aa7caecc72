package httpapi

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/runs"
)

const id = "20261124T020000Z-0a1b2c"

// fake is a runner and a history.
type fake struct {
	mu      sync.Mutex
	orders  []Order
	err     error
	asked   []string // tenant/id/name of what was opened
	content string
	size    int64
	limit   int
}

func (f *fake) Start(_ context.Context, o Order) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.orders = append(f.orders, o)
	return id, f.err
}

func (f *fake) Run(_ context.Context, tenant, run string) (runs.Run, error) {
	f.asked = append(f.asked, tenant+"/"+run)
	if f.err != nil {
		return runs.Run{}, f.err
	}
	at, report := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC), "/api/runs/"+id+"/files/report.json"
	return runs.Run{ID: run, Tenant: "contoso", Mode: "plan", Status: runs.Succeeded, StartedAt: &at, FinishedAt: &at, Counts: map[string]int{"users": 3}, Report: &report}, nil
}

func (f *fake) Runs(_ context.Context, tenant string, limit int) ([]runs.Run, error) {
	f.asked, f.limit = append(f.asked, "list "+tenant), limit
	return nil, f.err
}

func (f *fake) File(_ context.Context, tenant, run, name string) (io.ReadCloser, int64, error) {
	f.asked = append(f.asked, tenant+"/"+run+"/"+name)
	return io.NopCloser(strings.NewReader(f.content)), f.size, f.err
}

func newAPI(f *fake, change func(*Options)) http.Handler {
	o := Options{Runner: f, History: f, Tenants: []string{"contoso", "fabrikam"}}
	if change != nil {
		change(&o)
	}
	return New(o)
}

func call(h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOrders(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		apply  bool
		err    error
		status int
		text   string // in the answer
		want   []Order
	}{
		"plan":            {body: `{"tenant":"contoso","mode":"plan"}`, status: 202, text: `"status":"queued"`, want: []Order{{Tenant: "contoso", Mode: "plan"}}},
		"apply":           {body: `{"tenant":"fabrikam","mode":"apply"}`, apply: true, status: 202, text: `"mode":"apply"`, want: []Order{{Tenant: "fabrikam", Mode: "apply"}}},
		"a reason":        {body: `{"tenant":"contoso","mode":"plan","reason":"INC-7"}`, status: 202, text: "queued", want: []Order{{Tenant: "contoso", Mode: "plan", Reason: "INC-7"}}},
		"a long reason":   {body: `{"tenant":"contoso","mode":"plan","reason":"` + strings.Repeat("a", 1001) + `"}`, status: 400, text: "reason must be one line"},
		"apply forbidden": {body: `{"tenant":"fabrikam","mode":"apply"}`, status: 400, text: "http.allowApply"},
		"busy":            {body: `{"tenant":"contoso","mode":"plan"}`, err: fmt.Errorf("x: %w", ErrBusy), status: 409, text: "being swept", want: []Order{{Tenant: "contoso", Mode: "plan"}}},
		"bad before busy": {body: `{"tenant":"contoso","mode":"pan"}`, err: ErrBusy, status: 400, text: `did you mean \"plan\"`},
		"stopping":        {body: `{"tenant":"contoso","mode":"plan"}`, err: ErrStopping, status: 503, text: "stopping", want: []Order{{Tenant: "contoso", Mode: "plan"}}},
		"broken":          {body: `{"tenant":"contoso","mode":"plan"}`, err: errors.New("secret detail"), status: 500, text: "the log says why", want: []Order{{Tenant: "contoso", Mode: "plan"}}},
		"no tenant":       {body: `{"mode":"plan"}`, status: 400, text: "tenant is missing"},
		"no mode":         {body: `{"tenant":"contoso"}`, status: 400, text: "mode is missing"},
		"other tenant":    {body: `{"tenant":"contso","mode":"plan"}`, status: 400, text: `did you mean \"contoso\"`},
		"path as tenant":  {body: `{"tenant":"../contoso","mode":"plan"}`, status: 400, text: "no tenant"},
		"member twice":    {body: `{"tenant":"fabrikam","mode":"plan","tenant":"contoso"}`, status: 400, text: `\"tenant\" is given twice`},
		"unknown member":  {body: `{"tenant":"contoso","mode":"plan","mod":"apply"}`, status: 400, text: `did you mean \"mode\"`},
		"number":          {body: `{"tenant":7,"mode":"plan"}`, status: 400, text: "tenant must be a text"},
		"array":           {body: `[]`, status: 400, text: "JSON object"},
		"null":            {body: `null`, status: 400, text: "JSON object"},
		"empty":           {body: ``, status: 400, text: "JSON object"},
		"two":             {body: `{"tenant":"contoso","mode":"plan"}{}`, status: 400, text: "one JSON object"},
		"large":           {body: `{"tenant":"` + strings.Repeat("a", MaxBody) + `"}`, status: 413, text: "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{err: c.err}
			w := call(newAPI(f, func(o *Options) { o.AllowApply = c.apply }), "POST", "/api/runs", c.body)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, c.status, c.text)
			}
			if !json.Valid(w.Body.Bytes()) || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("the answer is not JSON: %q %s", w.Header().Get("Content-Type"), w.Body)
			}
			if strings.Contains(w.Body.String(), "secret detail") {
				t.Error("an inner error shows")
			}
			if diff := cmp.Diff(c.want, f.orders); diff != "" {
				t.Errorf("orders (-want +got)\n%s", diff)
			}
			if loc := w.Header().Get("Location"); (loc == "/api/runs/"+id) != (c.status == 202) {
				t.Errorf("Location %q", loc)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		method, target string
		fake           *fake
		status         int
		body           string // exact if it begins with { or [, else contained
		asked          []string
	}{
		"get": {method: "GET", target: "/api/runs/" + id, status: 200, asked: []string{"/" + id},
			body: `{"id":"20261124T020000Z-0a1b2c","tenant":"contoso","mode":"plan","status":"succeeded","startedAt":"2026-11-24T02:00:00Z","finishedAt":"2026-11-24T02:00:00Z","counts":{"users":3},"report":"/api/runs/20261124T020000Z-0a1b2c/files/report.json"}`},
		"get of a tenant":       {method: "GET", target: "/api/runs/" + id + "?tenant=fabrikam", status: 200, body: "succeeded", asked: []string{"fabrikam/" + id}},
		"get of another tenant": {method: "GET", target: "/api/runs/" + id + "?tenant=..", status: 404, body: "no such run"},
		"get nothing":           {method: "GET", target: "/api/runs/" + id, fake: &fake{err: runs.ErrNotFound}, status: 404, body: "no such run", asked: []string{"/" + id}},
		"get broken":            {method: "GET", target: "/api/runs/" + id, fake: &fake{err: errors.New("secret detail")}, status: 500, body: "the log says why", asked: []string{"/" + id}},
		"get no id":             {method: "GET", target: "/api/runs/20261124", status: 404, body: "no such run"},
		"list":                  {method: "GET", target: "/api/runs", status: 200, body: "[]", asked: []string{"list "}},
		"list of a tenant":      {method: "GET", target: "/api/runs?tenant=contoso&limit=7", status: 200, body: "[]", asked: []string{"list contoso"}},
		"list of another":       {method: "GET", target: "/api/runs?tenant=x", status: 400, body: "no tenant"},
		"list too many":         {method: "GET", target: "/api/runs?limit=501", status: 400, body: "from 1 to 500"},
		"list none":             {method: "GET", target: "/api/runs?limit=0", status: 400, body: "from 1 to 500"},
		"list misspelt":         {method: "GET", target: "/api/runs?tenat=contoso", status: 400, body: `did you mean \"tenant\"`},
		"file":                  {method: "GET", target: "/api/runs/" + id + "/files/users.csv", fake: &fake{content: "a,b\r\n", size: 5}, status: 200, body: "a,b\r\n", asked: []string{"/" + id + "/users.csv"}},
		"file of unknown size":  {method: "GET", target: "/api/runs/" + id + "/files/users.csv", fake: &fake{content: "a,b\r\n", size: -1}, status: 200, body: "a,b\r\n", asked: []string{"/" + id + "/users.csv"}},
		"head":                  {method: "HEAD", target: "/api/runs/" + id + "/files/users.csv", fake: &fake{content: "a,b\r\n", size: 5}, status: 200, asked: []string{"/" + id + "/users.csv"}},
		"no file":               {method: "GET", target: "/api/runs/" + id + "/files/nothing.csv", fake: &fake{err: runs.ErrNotFound}, status: 404, body: "no such run or file", asked: []string{"/" + id + "/nothing.csv"}},
		"escape up":             {method: "GET", target: "/api/runs/" + id + "/files/..%2f..%2fstate.json", status: 404, body: "no such file"},
		"escape back":           {method: "GET", target: "/api/runs/" + id + "/files/..%5cstate.json", status: 404, body: "no such file"},
		"escape absolute":       {method: "GET", target: "/api/runs/" + id + "/files/%2fetc%2fpasswd", status: 404, body: "no such file"},
		"dots":                  {method: "GET", target: "/api/runs/" + id + "/files/%2e%2e", status: 404, body: ""},
		"hidden":                {method: "GET", target: "/api/runs/" + id + "/files/.writing-x", status: 404, body: "no such file"},
		"nul":                   {method: "GET", target: "/api/runs/" + id + "/files/a%00.csv", status: 404, body: "no such file"},
		"id escape":             {method: "GET", target: "/api/runs/..%2f..%2fx/files/users.csv", status: 404, body: "no such run"},
		"other route":           {method: "GET", target: "/api/state", status: 404, body: "no such route"},
		"delete":                {method: "DELETE", target: "/api/runs/" + id, status: 405, body: "this route takes GET"},
		"put":                   {method: "PUT", target: "/api/runs", status: 405, body: "this route takes GET, POST"},
	} {
		t.Run(name, func(t *testing.T) {
			f := c.fake
			if f == nil {
				f = &fake{}
			}
			w := call(newAPI(f, nil), c.method, c.target, "")
			got := w.Body.String()
			if w.Code != c.status && !(name == "dots" && w.Code/100 == 3) {
				t.Fatalf("got %d %s, want %d", w.Code, got, c.status)
			}
			if strings.HasPrefix(c.body, "{") || strings.HasPrefix(c.body, "[") {
				if strings.TrimSpace(got) != c.body {
					t.Errorf("got  %s\nwant %s", got, c.body)
				}
			} else if !strings.Contains(got, c.body) {
				t.Errorf("got %q, want %q in it", got, c.body)
			}
			if strings.Contains(got, "secret detail") {
				t.Error("an inner error shows")
			}
			if diff := cmp.Diff(c.asked, f.asked); diff != "" {
				t.Errorf("asked (-want +got)\n%s", diff)
			}
			if c.method == "DELETE" && w.Header().Get("Allow") != "GET" {
				t.Errorf("Allow %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestPagesOfAReportAreSandboxed(t *testing.T) {
	w := call(newAPI(&fake{content: "<p>", size: 3}, nil), "GET", "/api/runs/"+id+"/files/report.html", "")
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("headers %v", w.Header())
	}
}

func TestHalfAFileDoesNotLookWhole(t *testing.T) {
	s := httptest.NewServer(newAPI(&fake{content: "abc", size: 10}, nil))
	defer s.Close()
	res, err := http.Get(s.URL + "/api/runs/" + id + "/files/users.csv")
	if err == nil {
		_, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	if err == nil {
		t.Error("three of ten bytes were read without an error")
	}
}

func TestALargeFileStreams(t *testing.T) {
	const size = 32 << 20
	f := &fake{}
	h := New(Options{Runner: f, History: large{f, size}, Tenants: []string{"contoso"}})
	s := httptest.NewServer(h)
	defer s.Close()
	res, err := http.Get(s.URL + "/api/runs/" + id + "/files/detections.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if n != size || err != nil || res.ContentLength != size {
		t.Errorf("read %d of %d bytes, %v", n, res.ContentLength, err)
	}
}

type large struct {
	*fake
	size int64
}

func (l large) File(context.Context, string, string, string) (io.ReadCloser, int64, error) {
	return io.NopCloser(io.LimitReader(zeros{}, l.size)), l.size, nil
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type panics struct{ *fake }

func (panics) Run(context.Context, string, string) (runs.Run, error) { panic("secret detail") }

func TestAPanicIsAnswered(t *testing.T) {
	w := call(New(Options{Runner: &fake{}, History: panics{}, Tenants: nil}), "GET", "/api/runs/"+id, "")
	if w.Code != 500 || !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// A client that sends its body drop by drop is the server's business; one that
// says less than it sends is cut.
func TestBodyIsBoundedWithoutALength(t *testing.T) {
	f := &fake{}
	s := httptest.NewServer(newAPI(f, nil))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "POST /api/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	chunk := strings.Repeat("x", 4096)
	for range 2 * MaxBody / len(chunk) {
		if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(chunk), chunk); err != nil {
			break // cut off in the middle, as it should be
		}
	}
	answer, _ := io.ReadAll(io.LimitReader(c, 12)) // a reset may swallow the rest
	if got := string(answer); got != "" && got != "HTTP/1.1 413" {
		t.Errorf("got %q", got)
	}
	if len(f.orders) != 0 {
		t.Error("an order was taken")
	}
}

func FuzzOrder(f *testing.F) {
	f.Add(`{"tenant":"contoso","mode":"plan"}`)
	f.Add(`{"tenant":"contoso","mode":"apply","x":[1,{"y":null}]}`)
	f.Add("\xff{}")
	a := &api{Options{Tenants: []string{"contoso"}}}
	f.Fuzz(func(t *testing.T, body string) {
		o, err := a.order(strings.NewReader(body))
		if err == nil && (o.Tenant != "contoso" || o.Mode != "plan") {
			t.Errorf("took %+v", o)
		}
	})
}

// The page of all tenants is behind the token, which a browser sends as a
// password; an order does not take it so.
func TestFleetPage(t *testing.T) {
	auth, err := NewAuth(AuthOptions{Token: "a token of the API"})
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	h := newAPI(f, func(o *Options) {
		o.Auth = auth
		o.Fleet = func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "<p>all tenants"); return err }
	})
	basic := func(password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+password))
	}
	for name, c := range map[string]struct {
		method, target, auth string
		status               int
		challenge, body      string
	}{
		"nobody":          {"GET", "/", "", 401, "Basic", "missing"},
		"wrong password":  {"GET", "/", basic("guess"), 401, "Basic", "not valid"},
		"password":        {"GET", "/", basic("a token of the API"), 200, "", "all tenants"},
		"token":           {"GET", "/", "Bearer a token of the API", 200, "", "all tenants"},
		"head":            {"HEAD", "/", "Bearer a token of the API", 200, "", ""},
		"report":          {"GET", "/api/runs", basic("a token of the API"), 200, "", ""},
		"order":           {"POST", "/api/runs", basic("a token of the API"), 401, "Bearer", "must begin with Bearer"},
		"write":           {"POST", "/", "Bearer a token of the API", 405, "", "takes GET"},
		"the API asks so": {"GET", "/api/runs", "", 401, "Bearer", "missing"},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			if c.auth != "" {
				header = []string{"Authorization", c.auth}
			}
			w := call(h, c.method, c.target, "", header...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), c.challenge) {
				t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
			}
		})
	}
	if w := call(newAPI(f, nil), "GET", "/", ""); w.Code != 404 {
		t.Errorf("without a fleet: %d", w.Code)
	}
}
