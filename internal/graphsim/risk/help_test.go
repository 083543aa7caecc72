package risk

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

var begin = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

const (
	root  = "http://127.0.0.1:8890/v1.0"
	admin = "aaaaaaaa-0000-4000-8000-000000000001"
)

// service is a workload on a clock that is moved by hand.
type service struct {
	testing.TB
	*Workload
	tenant *generate.Tenant
	now    time.Time
}

func serve(t testing.TB, users, detections int, opt Options) *service {
	t.Helper()
	if opt.Seed == 0 {
		opt.Seed = 1
	}
	s := &service{TB: t, now: begin, tenant: generate.Population(opt.Seed, users, 0, begin)}
	s.Workload = New(s.tenant, detections, func() time.Time { return s.now }, opt)
	return s
}

// request makes a wire.Request as the front door does.
func (s *service) request(method, target, body string) *wire.Request {
	s.Helper()
	u, err := url.Parse(target)
	if err != nil {
		s.Fatal(err)
	}
	r := &wire.Request{
		Method: method, Query: u.Query(), Header: http.Header{}, Now: s.now, Root: root,
		URL: &url.URL{Path: "/v1.0" + u.Path, RawQuery: u.RawQuery}, PrincipalID: admin,
		Path: strings.Split(strings.TrimPrefix(u.Path, "/"), "/"),
	}
	if body != "" {
		r.Body = []byte(body)
	}
	return r
}

func (s *service) call(method, target, body string) (*wire.Response, *wire.Error) {
	s.Helper()
	r := s.request(method, target, body)
	if !s.Claims(r.Path) {
		s.Fatalf("%s is not claimed", target)
	}
	return s.Serve(r)
}

func (s *service) raw(target string) string {
	s.Helper()
	response, err := s.call(http.MethodGet, target, "")
	if err != nil {
		s.Fatalf("%s: %v", target, err)
	}
	raw, ok := response.Body.(json.RawMessage)
	if !ok || response.Status != http.StatusOK || response.Effect {
		s.Fatalf("%s: %+v", target, response)
	}
	return string(raw)
}

type row map[string]any

func (r row) text(member string) string {
	s, _ := r[member].(string)
	return s
}

type page struct {
	Context string `json:"@odata.context"`
	Count   *int   `json:"@odata.count"`
	Next    string `json:"@odata.nextLink"`
	Value   []row
}

func (s *service) page(target string) page {
	s.Helper()
	var p page
	if err := json.Unmarshal([]byte(s.raw(target)), &p); err != nil {
		s.Fatalf("%s: %v", target, err)
	}
	return p
}

// all follows the next links.
func (s *service) all(target string) []row {
	s.Helper()
	var found []row
	for range 10_000 {
		p := s.page(target)
		found = append(found, p.Value...)
		if p.Next == "" {
			return found
		}
		next, ok := strings.CutPrefix(p.Next, root)
		if !ok {
			s.Fatalf("next link %s", p.Next)
		}
		target = next
	}
	s.Fatal("the next links never end")
	return nil
}

func (s *service) one(target string) row {
	s.Helper()
	var r row
	if err := json.Unmarshal([]byte(s.raw(target)), &r); err != nil {
		s.Fatal(err)
	}
	return r
}

func (s *service) refused(method, target, body string) *wire.Error {
	s.Helper()
	response, err := s.call(method, target, body)
	if err == nil {
		s.Fatalf("%s %s: %d, want a refusal", method, target, response.Status)
	}
	return err
}

// post gives feedback and says whether it had an effect.
func (s *service) post(target string, ids ...string) bool {
	s.Helper()
	key := "userIds"
	if strings.Contains(target, "riskyServicePrincipals") {
		key = "servicePrincipalIds"
	}
	body, err := json.Marshal(map[string][]string{key: ids})
	if err != nil {
		s.Fatal(err)
	}
	response, refused := s.call(http.MethodPost, target, string(body))
	if refused != nil {
		s.Fatalf("%s: %v", target, refused)
	}
	if response.Status != http.StatusNoContent || response.Body != nil {
		s.Fatalf("%s: %+v", target, response)
	}
	return response.Effect
}

func (s *service) user(upn string) row {
	s.Helper()
	found := s.page("/identityProtection/riskyUsers?$filter=" + url.QueryEscape("userPrincipalName eq '"+upn+"'")).Value
	if len(found) != 1 {
		s.Fatalf("%d risky users are %s", len(found), upn)
	}
	return found[0]
}

func (s *service) detectionsOf(id string) []row {
	s.Helper()
	return s.all("/identityProtection/riskDetections?$filter=" + url.QueryEscape("userId eq '"+id+"'"))
}

func (s *service) raise(upn, kind, level, ip string) string {
	s.Helper()
	id, err := s.Raise(Raised{UserPrincipalName: upn, RiskEventType: kind, RiskLevel: level, IPAddress: ip})
	if err != nil {
		s.Fatal(err)
	}
	return id
}

func query(filter string) string { return url.QueryEscape(filter) }

func quoted(ids []string) string { return "'" + strings.Join(ids, "','") + "'" }

func rawBody(t testing.TB, r *wire.Response) json.RawMessage {
	t.Helper()
	raw, ok := r.Body.(json.RawMessage)
	if !ok {
		t.Fatalf("the body is a %T", r.Body)
	}
	return raw
}

func decode(t testing.TB, r *wire.Response) row {
	t.Helper()
	var got row
	if err := json.Unmarshal(rawBody(t, r), &got); err != nil {
		t.Fatal(err)
	}
	return got
}
