package conditionalaccess

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/directory"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

const (
	root       = "http://127.0.0.1:8890/v1.0"
	policiesAt = "identity/conditionalAccess/policies"
	placesAt   = "identity/conditionalAccess/namedLocations"
	strengthAt = "policies/authenticationStrengthPolicies"
)

type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// bench is a tenant with its clock in the test's hand.
type bench struct {
	t      tb
	w      *Workload
	dir    *directory.Workload
	tenant *generate.Tenant
	now    time.Time
	// unknown enums are asked for by default.
	plainEnums bool
}

func newBench(t tb, policies int, opt Options) *bench {
	b := &bench{t: t, now: time.Date(2026, 11, 24, 8, 0, 0, 123456700, time.UTC)}
	b.tenant = generate.Population(1, 30, policies, b.now)
	b.dir = directory.New(b.tenant, func() time.Time { return b.now }, directory.Options{License: "P2"})
	b.w = New(b.tenant, b.dir, func() time.Time { return b.now }, opt)
	return b
}

func (b *bench) ask(method, target, content string) (*wire.Response, *wire.Error) {
	b.t.Helper()
	path, query, _ := strings.Cut(target, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		b.t.Fatal(err)
	}
	segments := strings.Split(path, "/")
	if !b.w.Claims(segments) {
		b.t.Fatalf("%s is nobody's path", path)
	}
	return b.w.Serve(&wire.Request{
		Method: method, Path: segments, Query: values, Header: http.Header{}, Body: []byte(content), Now: b.now, Root: root,
		URL: &url.URL{Path: "/v1.0/" + path, RawQuery: query}, UnknownEnums: !b.plainEnums,
	})
}

// text is the body of an answer.
func (b *bench) text(method, target, content string) string {
	b.t.Helper()
	r, e := b.ask(method, target, content)
	if e != nil {
		b.t.Fatalf("%s %s: %v", method, target, e)
	}
	switch v := r.Body.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	data, err := json.Marshal(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

func (b *bench) object(method, target, content string) map[string]any {
	b.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(b.text(method, target, content)), &m); err != nil {
		b.t.Fatal(err)
	}
	return m
}

func (b *bench) id(method, target, content string) string {
	b.t.Helper()
	id, _ := b.object(method, target, content)["id"].(string)
	return id
}

func (b *bench) ids(target string) []string {
	b.t.Helper()
	list, _ := b.object(http.MethodGet, target, "")["value"].([]any)
	ids := []string{}
	for _, v := range list {
		m, _ := v.(map[string]any)
		id, _ := m["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// edit gives the plain policy with members put in at dotted paths; a value is
// JSON, and an empty one takes the member away.
func edit(changes ...string) string {
	p := map[string]any{
		"displayName": "Policy", "state": "disabled",
		"conditions": map[string]any{
			"applications": map[string]any{"includeApplications": []any{"All"}},
			"users":        map[string]any{"includeUsers": []any{"All"}},
		},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []any{"mfa"}},
	}
	for i := 0; i < len(changes); i += 2 {
		names := strings.Split(changes[i], ".")
		m := p
		for _, n := range names[:len(names)-1] {
			inner, ok := m[n].(map[string]any)
			if !ok {
				inner = map[string]any{}
				m[n] = inner
			}
			m = inner
		}
		last := names[len(names)-1]
		if changes[i+1] == "" {
			delete(m, last)
			continue
		}
		m[last] = json.RawMessage(changes[i+1])
	}
	data, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// at follows a dotted path.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func asJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func wantError(t *testing.T, what string, e *wire.Error, status int, code, prefix string) {
	t.Helper()
	if e == nil {
		t.Errorf("%s: no refusal, want %d %s %s", what, status, code, prefix)
		return
	}
	if e.Status != status || e.Code != code || !strings.HasPrefix(e.Message, prefix) {
		t.Errorf("%s: %d %v, want %d %s: %s…", what, e.Status, e, status, code, prefix)
	}
}

func (b *bench) parse(content string) map[string]any {
	b.t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(content), &m); err != nil {
		b.t.Fatal(err)
	}
	return m
}
