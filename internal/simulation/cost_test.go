package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/triage"
)

// priced is a tenant whose requests are counted, swept in virtual time.
type priced struct {
	*sweep.Sweeper
	sim *graphsim.Tenant
	// sent counts requests; a batch is one.
	sent *atomic.Int64
}

// direct carries requests to a tenant without a fault.
type direct struct {
	http.Handler
	n *atomic.Int64
}

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	d.n.Add(1)
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	in.Header = r.Header.Clone()
	rec := httptest.NewRecorder()
	d.ServeHTTP(rec, in)
	res := rec.Result()
	res.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	res.Request = r
	return res, nil
}

func price(t *testing.T, o graphsim.Options, base string, rate float64) priced {
	t.Helper()
	o.Token = "sim"
	sim, err := graphsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	sent := &atomic.Int64{}
	client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: "http://127.0.0.1/v1.0", RequestsPerSecond: rate, Transport: direct{sim.Handler(), sent},
		Jitter: func() float64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := triage.Parse("triage.yaml", []byte(triageFile), time.Now())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	s := &sweep.Sweeper{Name: "contoso", TenantID: sim.TenantID(), Reader: client, Writer: func() apply.Writer { return client },
		Ledger: ledger.New(blobstore.NewMemory(), "contoso", ledger.Options{Now: time.Now}), Triage: rules,
		Settings: sweep.Settings{Lookback: 2000 * time.Hour, Overlap: 48 * time.Hour, FullEvery: 7 * 24 * time.Hour, Settle: settle, ServicePrincipals: "auto", RequestsPerSecond: rate,
			Enforcement:  plan.Enforcement{Dismiss: true, ConfirmCompromised: true, Policies: true},
			Limits:       plan.Limits{MaxDismissals: 500, MaxConfirmCompromised: 500, MaxShareOfRiskyUsers: 1, MaxPolicyCreates: 240, MaxPolicyUpdates: 240},
			WriteTimeout: 20 * time.Second, ReadBack: time.Minute, Visibility: time.Minute},
		Output: sweep.Output{Redaction: report.NewRedaction("none", nil)}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if base != "" {
		b, problems := baseline.Parse("b.yaml", []byte(base))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		s.Baseline = b
	}
	return priced{s, sim, sent}
}

func (p priced) run(t *testing.T, mode sweep.Mode) sweep.Result {
	t.Helper()
	res, err := p.Run(context.Background(), sweep.Request{Mode: mode})
	if err != nil || res.Err != nil {
		t.Fatalf("%v, %v", err, res.Err)
	}
	return res
}

// paced counts the requests under the tenant's limit of one a second.
func (p priced) paced() int {
	n := 0
	for path, k := range p.sim.Requests().ByPath {
		if strings.HasPrefix(strings.TrimPrefix(path, "/v1.0"), "/identity") {
			n += k
		}
	}
	return n
}

func pages(n int) int { return (n + 499) / 500 }

// A plan costs little more than its pages, and a night in which nothing changed
// costs the pages of what is open.
func TestWhatASweepCosts(t *testing.T) {
	for _, size := range []struct{ users, detections int }{{50, 100}, {1500, 4200}} {
		t.Run(fmt.Sprint(size.detections), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := price(t, graphsim.Options{Seed: 3, Users: size.users, Detections: size.detections, Policies: 5}, baselines[0], 0)
				res := p.run(t, sweep.Plan)
				most := pages(res.Counts["detections"]) + pages(res.Counts["users"]) + 8
				if res.Counts["detections"] < size.detections {
					t.Fatalf("only %d detections were read", res.Counts["detections"])
				}
				if n := p.paced(); n > most {
					t.Errorf("a plan cost %d requests, at most %d are allowed: %v", n, most, p.sim.Requests().ByPath)
				}
				p.run(t, sweep.Apply)
				time.Sleep(24 * time.Hour)
				before := p.paced()
				res = p.run(t, sweep.Apply)
				most = pages(res.Counts["users"]) + pages(res.Counts["detectionsOpen"]) + 8
				if n := p.paced() - before; n > most || res.Plan.Pending() > 0 {
					t.Errorf("a night without a change cost %d requests, at most %d are allowed; %d actions", n, most, res.Plan.Pending())
				}
			})
		})
	}
}

// manyPolicies is a baseline of n policies and m locations.
func manyPolicies(n, m int) string {
	var b strings.Builder
	b.WriteString("breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}\n")
	if m > 0 {
		b.WriteString("namedLocations:\n")
	}
	for i := range m {
		fmt.Fprintf(&b, "  - {key: L%d, displayName: L%d, '@odata.type': '#microsoft.graph.ipNamedLocation', ipRanges: [{'@odata.type': '#microsoft.graph.iPv4CidrRange', cidrAddress: 203.0.113.%d/32}]}\n", i, i, i)
	}
	b.WriteString("policies:\n")
	for i := range n {
		location := ""
		if m > 0 {
			location = fmt.Sprintf(", locations: {includeLocations: [All], excludeLocations: [L%d]}", i%m)
		}
		fmt.Fprintf(&b, "  - {key: P%03d, displayName: P%03d, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}%s}, grantControls: {operator: OR, builtInControls: [mfa]}}\n", i, i, location)
	}
	return b.String()
}

// Ten new policies and two locations at one request a second, with bare 429s
// for whoever is faster: hardly more than the fewest requests and seconds, and
// not one 429 of our own making.
func TestABaselineAtTheServicesPace(t *testing.T) {
	for name, lag := range map[string]time.Duration{"at once": 0, "with lag": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := price(t, graphsim.Options{Seed: 4, Users: 20, Rate: 1, Lag: lag}, manyPolicies(10, 2), 1)
				p.Triage = nil
				began := time.Now()
				res := p.run(t, sweep.Apply)
				took := time.Since(began)
				risk := 0 // two reads that are not the baseline's
				for path, n := range p.sim.Requests().ByPath {
					if strings.Contains(path, "/identityProtection") {
						risk += n
					}
				}
				const fewest = 2 + 12 + 2 // paced lists, writes, one verifying list per kind; strengths are not paced
				n, throttled := p.paced()-risk, p.sim.Requests().Throttled
				took -= time.Duration(risk) * time.Second
				if throttled > 0 || len(res.Outcomes) != 12 || res.Status != sweep.Succeeded {
					t.Errorf("%d throttled, %d outcomes, %s", throttled, len(res.Outcomes), res.Status)
				}
				t.Logf("%d requests, %d are the fewest; %s, %ds are the fewest", n, fewest, took, fewest)
				if lag == 0 && (float64(n) > 1.3*fewest || took.Seconds() > 1.3*fewest) {
					t.Errorf("%d requests in %s, %d are the fewest", n, took, fewest)
				}
				again := p.run(t, sweep.Apply)
				if len(again.Plan.Actions) > 0 {
					t.Errorf("the second run plans %d actions", len(again.Plan.Actions))
				}
			})
		})
	}
}

// A whole apply at one request a second causes no 429 of its own.
func TestASweepAtTheServicesPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := price(t, graphsim.Options{Seed: 1, Users: 200, Detections: 500, Policies: 5, Rate: 1, Lag: time.Second}, baselines[0], 1)
		if res := p.run(t, sweep.Apply); res.Counts["users"] == 0 || res.Plan.Pending() == 0 {
			t.Fatalf("nothing was to do: %v", res.Counts)
		}
		if n := p.sim.Requests().Throttled; n > 0 {
			t.Errorf("%d requests were throttled", n)
		}
	})
}

// A plan over two hundred policies that are as they should be takes a handful of
// requests and the names that are looked up.
func TestWhatAComparisonCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		many := strings.Replace(manyPolicies(200, 3), "users: [bg1@contoso.com, bg2@contoso.com]", "users: [bg1@contoso.com, bg2@contoso.com], groups: [CA Break Glass]", 1)
		many = strings.Replace(many, "includeUsers: [All]", "includeUsers: [All], excludeUsers: [ada@contoso.com, ceo@contoso.com], excludeGroups: [Executives, VPN Users]", 1)
		p := price(t, graphsim.Options{Seed: 4, Users: 20}, many, 0)
		p.Triage = nil
		p.run(t, sweep.Apply)
		before := p.sim.Requests()
		res := p.run(t, sweep.Plan)
		for _, e := range res.Entries {
			if e.Status != drift.InSync && e.Status != drift.Unmanaged {
				t.Errorf("%s is %s", e.Key, e.Status)
			}
		}
		n := 0
		for path, k := range p.sim.Requests().ByPath {
			if !strings.Contains(path, "/identityProtection") {
				n += k - before.ByPath[path]
			}
		}
		names := len(p.Baseline.Refs())
		if most := 6 + (names+19)/20; n > most || len(res.Entries) != 203 {
			t.Errorf("%d requests, at most %d are allowed for %d names and %d objects: %v", n, most, names, len(res.Entries), p.sim.Requests().ByPath)
		}
		t.Logf("%d requests for %d names", n, names)
	})
}
