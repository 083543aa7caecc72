package graphsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// fake is a workload with a counter, a paged list and an echo; it stands for
// the real ones where only the front door is tested.
type fake struct {
	Items    []string `json:"items"`
	requests []*wire.Request
}

func (f *fake) Claims(path []string) bool {
	if len(path) == 0 {
		return false
	}
	switch path[0] {
	case "identityProtection", "identity", "users", "groups":
		return len(path) < 4
	}
	return false
}

func (f *fake) Needs(method string, path []string) ([][]string, *wire.Error) {
	if path[0] == "identityProtection" {
		return [][]string{{"IdentityRiskUser.Unknown"}, {"IdentityRiskyUser.Read.All"}},
			&wire.Error{Status: 403, Code: "Forbidden", Message: "You cannot perform the requested operation, required scopes are missing in the token."}
	}
	return [][]string{{"User.Read.All", "Directory.Read.All"}}, &wire.Error{Status: 403, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation."}
}

func (f *fake) Serve(r *wire.Request) (*wire.Response, *wire.Error) {
	f.requests = append(f.requests, r)
	last := r.Path[len(r.Path)-1]
	switch {
	case r.Method == "POST" && last == "policies":
		f.Items = append(f.Items, string(r.Body))
		return &wire.Response{Status: 201, Body: json.RawMessage(r.Body), Effect: true}, nil
	case r.Method == "DELETE":
		f.Items = nil
		return &wire.Response{Status: 204, Effect: true}, nil
	case last == "$count":
		return &wire.Response{Status: 200, Body: strconv.Itoa(len(f.Items))}, nil
	case last == "missing":
		return nil, &wire.Error{Status: 404, Code: "Request_ResourceNotFound", Message: "Resource 'missing' does not exist."}
	case last == "riskyUsers":
		skip, _ := strconv.Atoi(r.Query.Get("$skiptoken"))
		body := map[string]any{"value": []int{skip, skip + 1}}
		if skip < 4 {
			body["@odata.nextLink"] = fmt.Sprintf("%s/identityProtection/riskyUsers?%%24skiptoken=%d", r.Root, skip+2)
		}
		return &wire.Response{Status: 200, Body: body}, nil
	}
	return &wire.Response{Status: 200, Body: map[string]any{"path": r.Path, "query": r.Query, "eventual": r.Eventual, "unknownEnums": r.UnknownEnums}}, nil
}

func (f *fake) Export() (json.RawMessage, error)  { return encode(f) }
func (f *fake) Import(data json.RawMessage) error { return json.Unmarshal(data, f) }

func fakeBuild(f **fake) builder {
	return func(opt Options, _ time.Time, _ func() time.Time) (*parts, error) {
		p, err := build(Options{Seed: opt.Seed}, noon, still)
		if err != nil {
			return nil, err
		}
		made := &fake{}
		if f != nil {
			*f = made
		}
		p.workloads = []workload{{name: "fake", Workload: made}}
		return p, nil
	}
}

// service is a tenant of the fake workload behind a listener.
type service struct {
	*testing.T
	tenant *Tenant
	fake   *fake
	url    string
	token  string
}

// start serves a fake tenant; its ready token is "ready" unless the options
// say otherwise.
func start(t *testing.T, opt Options) *service {
	t.Helper()
	if opt.Token == "" {
		opt.Token = "ready"
	}
	s := &service{T: t}
	tenant, err := newTenant(opt, nil, fakeBuild(&s.fake))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(tenant.Handler())
	t.Cleanup(server.Close)
	s.tenant, s.url, s.token = tenant, server.URL, opt.Token
	return s
}

type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

func (r reply) code(t *testing.T) (code, message string) {
	t.Helper()
	var e struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		t.Fatalf("body %q is not an error: %v", r.body, err)
	}
	return e.Error.Code, e.Error.Message
}

func (s *service) do(method, path, body string, header ...string) reply {
	s.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.Context(), method, s.url+path, in)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end below
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(bytes.TrimSpace(b)), err}
}

func (s *service) get(path string, header ...string) reply {
	s.Helper()
	return s.do(http.MethodGet, path, "", header...)
}

// call200 calls without a listener, for tests in virtual time.
func call200(t *testing.T, tenant *Tenant, path string) int {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+tenant.Token())
	tenant.Handler().ServeHTTP(w, r)
	return w.Code
}
