package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/sweep"
)

// From the first of these baselines to the second everything happens that an
// apply can do: objects of every kind are made, changed and deleted, a trusted
// location among them, and both halves of a strength change.
const (
	lostBefore = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
namedLocations:
  - {key: old, displayName: Old office, isTrusted: true, ipRanges: [{cidrAddress: 203.0.113.0/24}]}
  - {key: hq, displayName: HQ, ipRanges: [{cidrAddress: 198.51.100.0/24}]}
authenticationStrengths:
  - {key: keys, displayName: Keys, allowedCombinations: [fido2]}
policies:
  - {key: P1, displayName: P1, state: enabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}, locations: {includeLocations: [All], excludeLocations: [hq]}}, grantControls: {builtInControls: [mfa]}}
  - {key: P2, displayName: P2, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [All], excludeLocations: [old]}}, grantControls: {builtInControls: [mfa]}}
`
	lostAfter = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
namedLocations:
  - {key: hq, displayName: HQ, isTrusted: true, ipRanges: [{cidrAddress: 198.51.100.0/24}]}
  - {key: new, displayName: New office, ipRanges: [{cidrAddress: 192.0.2.0/24}]}
  - {key: near, displayName: Near, countriesAndRegions: [DE]}
authenticationStrengths:
  - {key: keys, displayName: Security keys, allowedCombinations: [fido2, windowsHelloForBusiness]}
  - {key: cert, displayName: Certificates, allowedCombinations: [x509CertificateMultiFactor]}
policies:
  - {key: P1, displayName: P1, state: enabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}, locations: {includeLocations: [All], excludeLocations: [hq, new]}}, grantControls: {builtInControls: [mfa]}}
  - {key: P3, displayName: P3, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [near]}}, grantControls: {authenticationStrength: {id: cert}}}
  - {key: P4, displayName: P4, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}, grantControls: {builtInControls: [mfa]}}
`
)

// losing loses one request, before or after its effect.
type losing struct {
	to    direct
	at    int // 0: none
	after bool
	n     int
	what  string
}

func (l *losing) RoundTrip(r *http.Request) (*http.Response, error) {
	l.n++
	lost := l.n == l.at
	if lost {
		l.what = r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1.0")
		if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
			trace.WroteHeaders()
		}
	}
	if lost && !l.after {
		return nil, io.ErrUnexpectedEOF
	}
	res, err := l.to.RoundTrip(r)
	if lost && err == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return res, err
}

// whole is all that a tenant holds of a baseline, ids replaced by names.
func whole(t *testing.T, p priced) []string {
	t.Helper()
	names := map[string]string{}
	var docs []string
	for _, kind := range []entra.ObjectKind{entra.KindLocation, entra.KindStrength, entra.KindPolicy} {
		list, err := p.Reader.Objects(context.Background(), kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if d.Text("policyType") == policy.PolicyTypeBuiltIn {
				continue
			}
			names[d.ID()] = d.DisplayName()
			text, err := json.Marshal(policy.CanonicalOf(kind, d))
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, string(kind)+" "+string(text))
		}
	}
	for i := range docs {
		for id, name := range names {
			docs[i] = strings.ReplaceAll(docs[i], id, name)
		}
	}
	slices.Sort(docs) // lists of ids are in the order of ids
	return docs
}

// A request of an apply is lost, whichever it is, before or after its effect:
// the next run ends at the same tenant, nothing twice and nothing missing.
func TestAnyRequestOfAnApplyMayBeLost(t *testing.T) {
	base := func(text string) *baseline.Baseline {
		b, problems := baseline.Parse("b.yaml", []byte(text))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		return b
	}
	before, after := base(lostBefore), base(lostAfter)
	// run applies the first baseline, then the second with the one request
	// lost, and gives the sweeper and how many requests that took.
	run := func(t *testing.T, lag time.Duration, at int, late bool) (priced, sweep.Result, *losing) {
		p := price(t, graphsim.Options{Seed: 9, Users: 20, Lag: lag}, "", 0)
		p.Triage, p.Baseline = nil, before
		p.Settings.Baseline = drift.Settings{AllowEnabledPolicies: true, AllowWeakening: true, Prune: true}
		p.Settings.Limits.MaxPolicyDeletes = 10
		if res := p.run(t, sweep.Apply); res.Status != sweep.Succeeded {
			t.Fatal(res.Status, res.Outcomes)
		}
		time.Sleep(time.Minute) // what the first run wrote shows everywhere
		l := &losing{to: direct{p.sim.Handler(), p.sent}, at: at, after: late}
		client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: "http://127.0.0.1/v1.0", Transport: l, Jitter: func() float64 { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		p.Reader, p.Writer, p.Baseline = client, func() apply.Writer { return client }, after
		res, err := p.Run(context.Background(), sweep.Request{Mode: sweep.Apply})
		if err != nil {
			t.Fatal(err)
		}
		return p, res, l
	}
	for _, lag := range []time.Duration{0, 3 * time.Second} {
		var want []string
		var n int
		synctest.Test(t, func(t *testing.T) {
			p, res, l := run(t, lag, 0, false)
			if res.Status != sweep.Succeeded || len(res.Plan.Actions) != 12 {
				t.Fatal(res.Status, len(res.Plan.Actions), res.Outcomes)
			}
			n = l.n
			time.Sleep(time.Minute)
			want = whole(t, p)
		})
		for at := 1; at <= n; at++ {
			for _, late := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					p, first, l := run(t, lag, at, late)
					name := fmt.Sprintf("lag %s, request %d (%s), after its effect %t", lag, at, l.what, late)
					second := p.run(t, sweep.Apply)
					if second.Status != sweep.Succeeded {
						t.Errorf("%s: the next run is %s: %v %v", name, second.Status, bad(first), bad(second))
					}
					time.Sleep(time.Minute)
					if d := cmp.Diff(want, whole(t, p)); d != "" {
						t.Errorf("%s:\n%s", name, d)
					}
					if third := p.run(t, sweep.Plan); len(third.Plan.Actions) > 0 || third.Status != sweep.Succeeded {
						t.Errorf("%s: left: %v", name, third.Plan.Actions)
					}
				})
			}
		}
	}
}

// bad lists the outcomes that somebody must look at.
func bad(r sweep.Result) (out []string) {
	for _, o := range r.Outcomes {
		if o.Status.Bad() {
			out = append(out, fmt.Sprintf("%s %s %s: %s", o.Kind, o.Subject.Key, o.Status, o.Detail))
		}
	}
	for _, a := range r.Plan.Actions {
		if a.Status != plan.Ready {
			out = append(out, fmt.Sprintf("%s %s %s %v", a.Kind, a.Subject.Key, a.Status, a.Reasons))
		}
	}
	if r.Err != nil {
		out = append(out, r.Err.Error())
	}
	return out
}
