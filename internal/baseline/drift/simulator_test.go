package drift_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim/conditionalaccess"
	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"pgregory.net/rapid"
)

// everybody is a directory in which everything exists.
type everybody struct{}

func (everybody) HasUser(string) bool              { return true }
func (everybody) HasGroup(string) bool             { return true }
func (everybody) HasRole(string) bool              { return true }
func (everybody) HasApplication(string) bool       { return true }
func (everybody) HasServicePrincipal(string) bool  { return true }
func (everybody) OwnsServicePrincipal(string) bool { return true }
func (everybody) HasAgreement(string) bool         { return true }
func (everybody) SecurityDefaults() bool           { return false }
func (everybody) User(string) (evaluate.User, bool) {
	return evaluate.User{}, false
}
func (everybody) ServicePrincipal(string) (evaluate.ServicePrincipal, bool) {
	return evaluate.ServicePrincipal{}, false
}
func (everybody) Application(string) (evaluate.ServicePrincipal, bool) {
	return evaluate.ServicePrincipal{}, false
}

// simulated is the simulated tenant, spoken to as apply speaks to the service.
type simulated struct {
	w     *conditionalaccess.Workload
	now   time.Time
	base  *tenant // names, break-glass and licences
	owned plan.OwnedObjects
	fatal func(...any)
	// shows, if set, changes how the tenant shows an object, not the object.
	shows  func(entra.ObjectKind, entra.Document)
	writes []string // the methods of what was sent
}

var paths = map[entra.ObjectKind][]string{
	entra.KindPolicy:   {"identity", "conditionalAccess", "policies"},
	entra.KindLocation: {"identity", "conditionalAccess", "namedLocations"},
	entra.KindStrength: {"policies", "authenticationStrengthPolicies"},
}

func newSimulated(fatal func(...any)) *simulated {
	s := &simulated{now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), base: newTenant(), fatal: fatal}
	s.owned = s.base.owned
	s.serve(&generate.Tenant{ID: "00000000-0000-0000-0000-00000000000f", CreatedAt: s.now.AddDate(-1, 0, 0)})
	return s
}

func (s *simulated) serve(t *generate.Tenant) {
	s.w = conditionalaccess.New(t, everybody{}, func() time.Time { return s.now }, conditionalaccess.Options{})
}

// call sends one request and gives the answer as JSON.
func (s *simulated) call(method string, path []string, body any) json.RawMessage {
	s.now = s.now.Add(time.Second)
	if method != http.MethodGet {
		s.writes = append(s.writes, method)
	}
	r := &wire.Request{Method: method, Path: path, Query: url.Values{}, Header: http.Header{}, Now: s.now, Root: "http://127.0.0.1/v1.0",
		URL: &url.URL{Path: "/v1.0"}, UnknownEnums: true, Roles: []string{"Policy.Read.All", "Policy.ReadWrite.ConditionalAccess", "Policy.ReadWrite.AuthenticationMethod"}}
	if body != nil {
		r.Body, _ = json.Marshal(body)
	}
	answer, refused := s.w.Serve(r)
	if refused != nil {
		s.fatal(method, path, refused, string(r.Body))
		return nil
	}
	text, err := json.Marshal(answer.Body)
	if err != nil {
		s.fatal(err)
	}
	return text
}

func (s *simulated) list(kind entra.ObjectKind) []entra.Document {
	var page struct{ Value []json.RawMessage }
	if err := json.Unmarshal(s.call(http.MethodGet, paths[kind], nil), &page); err != nil {
		s.fatal(err)
	}
	out := make([]entra.Document, len(page.Value))
	for i, v := range page.Value {
		d, err := entra.ParseDocument(v)
		if err != nil {
			s.fatal(err)
		}
		if s.shows != nil {
			s.shows(kind, d)
		}
		out[i] = d
	}
	return out
}

func (s *simulated) read() drift.Live {
	l := s.base.live
	l.Policies, l.Locations, l.Strengths = s.list(entra.KindPolicy), s.list(entra.KindLocation), s.list(entra.KindStrength)
	return l
}

func (s *simulated) plan(b *baseline.Baseline) drift.Result {
	set := everything
	set.Owned = s.owned
	return drift.Compare(b, answered(b, s.read()), set)
}

// apply carries out every action and looks whether it left what was planned.
func (s *simulated) apply(tb testing.TB, actions []plan.Action) {
	for _, a := range actions {
		if a.Status != plan.Ready {
			s.fatal(a.Kind, a.Rule, a.Status, a.Reasons)
		}
		c, id := a.Change, string(a.Subject.ID)
		one := append(append([]string{}, paths[c.Kind]...), id)
		body := c.Body
		if body != nil {
			body = s.base.fill(tb, body)
		}
		switch a.Kind {
		case plan.CreatePolicy, plan.CreateLocation, plan.CreateStrength:
			made, err := entra.ParseDocument(s.call(http.MethodPost, paths[c.Kind], body))
			if err != nil {
				s.fatal(err)
			}
			id = made.ID()
		case plan.DeletePolicy, plan.DeleteLocation, plan.DeleteStrength:
			s.call(http.MethodDelete, one, nil)
			delete(s.owned[c.Kind], c.Key)
			continue
		default:
			if _, ok := body["allowedCombinations"]; ok && c.Kind == entra.KindStrength {
				s.call(http.MethodPost, append(one, "updateAllowedCombinations"), body)
			} else {
				s.call(http.MethodPatch, one, body)
			}
		}
		want := policy.CanonicalHash(c.Kind, s.base.fill(tb, c.After))
		var live entra.Document
		for _, d := range s.list(c.Kind) {
			if d.ID() == id {
				live = d
			}
		}
		if policy.CanonicalHash(c.Kind, live) != want {
			s.fatal(a.Kind, c.Key, "leaves", encode(policy.CanonicalOf(c.Kind, live)), "not", encode(c.After), "having sent", encode(body))
		}
		s.owned[c.Kind][c.Key] = plan.Owned{ID: entra.NewID(id), Hash: want, Wanted: want, DisplayName: a.Subject.Name}
	}
}

// TestSimulatedTenantKeepsWhatWasPlanned: random valid baselines are accepted
// by the simulated service, and what it then lists plans nothing.
func TestSimulatedTenantKeepsWhatWasPlanned(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSimulated(rt.Fatal)
		for range 2 {
			b := baselineOf(rt, world(3).Draw(rt, "world"))
			s.apply(t, s.plan(b).Actions)
			if left := s.plan(b); len(left.Actions) > 0 {
				rt.Fatalf("%v: %v", shape(left.Actions), left.Actions[0].Change.Differences)
			}
		}
		s.apply(t, drift.Destroy(s.read(), drift.Settings{Owned: s.owned}))
		if l := s.read(); len(l.Policies)+len(l.Locations) > 0 {
			rt.Fatalf("left: %v %v", l.Policies, l.Locations)
		}
	})
}

// TestSimulatedTenantTakesTheStarterBaseline: the shipped example, as it is and
// with every policy enabled.
func TestSimulatedTenantTakesTheStarterBaseline(t *testing.T) {
	b, problems := baseline.Load(os.DirFS("../../../examples"), "baseline")
	if b == nil {
		t.Fatal(problems)
	}
	s := newSimulated(t.Fatal)
	s.apply(t, s.plan(b).Actions)
	for i := range b.Policies {
		b.Policies[i].Want["state"] = policy.StateEnabled
	}
	r := s.plan(b)
	if len(r.Actions) != len(b.Policies) {
		t.Fatal(shape(r.Actions))
	}
	s.apply(t, r.Actions)
	if left := s.plan(b).Actions; len(left) > 0 {
		t.Error(shape(left))
	}
}

// TestExportOfAGeneratedTenant: a tenant with two hundred policies of every
// kind comes back from its export without drift, and a change by hand shows.
func TestExportOfAGeneratedTenant(t *testing.T) {
	s := newSimulated(t.Fatal)
	s.serve(generate.Population(1, 50, 200, s.now))
	export, err := adopt.Export(s.read(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := load(t, string(export.Text))
	if len(b.Policies) != 200 || strings.Contains(string(export.Text), "# left out") {
		t.Fatalf("%d policies in\n%s", len(b.Policies), export.Text)
	}
	owned, _, problems := adopt.Adopt(b, s.read(), plan.OwnedObjects{}, adopt.Order{ByName: true})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s.owned = owned
	r := s.plan(b)
	for _, e := range r.Entries {
		if e.Status != drift.InSync {
			t.Error(e)
		}
	}
	id := string(owned[entra.KindPolicy][b.Policies[0].Key].ID)
	s.call(http.MethodPatch, append(slices.Clone(paths[entra.KindPolicy]), id), map[string]any{"displayName": "by hand"})
	if r := s.plan(b); len(r.Actions) != 1 || r.Actions[0].Subject.ID != entra.NewID(id) {
		t.Error(shape(r.Actions))
	}
}
