package simulation

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

var kills = flag.Int("kills", 23, "kill at one request of so many; 1: at every request")

// From the first of these baselines to the second objects of every kind are made,
// changed and deleted.
const (
	kindsBefore = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
namedLocations:
  - {key: old, displayName: Old office, isTrusted: true, ipRanges: [{cidrAddress: 203.0.113.0/24}]}
  - {key: hq, displayName: HQ, ipRanges: [{cidrAddress: 198.51.100.0/24}]}
authenticationStrengths:
  - {key: keys, displayName: Keys, allowedCombinations: [fido2]}
  - {key: gone, displayName: Gone, allowedCombinations: [windowsHelloForBusiness]}
policies:
  - {key: P1, displayName: P1 MFA, state: enabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}, locations: {includeLocations: [All], excludeLocations: [hq]}}, grantControls: {builtInControls: [mfa]}}
  - {key: P2, displayName: P2 Elsewhere, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [All], excludeLocations: [old]}}, grantControls: {builtInControls: [mfa]}}
`
	kindsAfter = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
namedLocations:
  - {key: hq, displayName: HQ, ipRanges: [{cidrAddress: 198.51.100.0/24}, {cidrAddress: 192.0.2.0/24}]}
  - {key: near, displayName: Near, countriesAndRegions: [DE]}
authenticationStrengths:
  - {key: keys, displayName: Security keys, allowedCombinations: [fido2, windowsHelloForBusiness]}
  - {key: cert, displayName: Certificates, allowedCombinations: [x509CertificateMultiFactor]}
policies:
  - {key: P1, displayName: P1 MFA, state: enabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}, locations: {includeLocations: [All], excludeLocations: [hq, near]}}, grantControls: {builtInControls: [mfa]}}
  - {key: P3, displayName: P3 Near, state: enabledForReportingButNotEnforced, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}, locations: {includeLocations: [near]}}, grantControls: {authenticationStrength: {id: cert}}}
`
)

// many is a world of which the next sweep holds one action of every kind that a
// rule may have.
type many struct {
	*world
	t               *testing.T
	cast            map[plan.Kind]string // whom it will touch
	undoes          string               // the run that is rolled back
	confirmedBefore int
	actedBefore     int // on service principals
}

// inMany runs f with such a world, in virtual time.
func inMany(t *testing.T, f func(*many)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 13)
		defer w.close()
		w.quiet, w.poison, w.dismissals24, w.share, w.pageSize = true, "", 8, 0, 500
		w.asks = evidence{days: 1, signIns: 3, refused: 100, asked: 100}
		w.bases = nil
		for _, text := range []string{kindsBefore, kindsAfter} {
			b, p := baseline.Parse("b.yaml", []byte(text+fmt.Sprintf(promotedPolicy, w.asks.days, w.asks.signIns, w.asks.refused, w.asks.asked)))
			if err := p.Err(); err != nil {
				t.Fatal(err)
			}
			w.bases = append(w.bases, b)
		}
		m := &many{world: w, t: t, cast: map[plan.Kind]string{}}
		m.prepare()
		f(m)
		w.atTheEnd()
		for _, b := range w.broken {
			t.Error(b)
		}
		if t.Failed() && testing.Verbose() {
			t.Log("\n" + strings.Join(w.trace, "\n"))
		}
	})
}

func (m *many) prepare() {
	var free []string
	for _, upn := range sortedNames(m.world) {
		if id := m.names[upn]; m.vpn[id] && !m.never[id] {
			free = append(free, upn)
			_ = m.sim.Remediate(upn, "userPassedMFADrivenByRiskBasedPolicy") // who has no risk needs none
		}
	}
	if len(free) < 4 {
		m.t.Fatalf("only %v are in the VPN", free)
	}
	for _, p := range m.list("/identityProtection/riskyServicePrincipals?$filter=riskState eq 'atRisk'") {
		m.call("POST", "/identityProtection/riskyServicePrincipals/dismiss", map[string]any{"servicePrincipalIds": []any{p["id"]}})
	}
	time.Sleep(time.Minute)
	out := func(id, user string, until time.Duration) exception.Exception {
		return exception.Exception{ID: id, Users: []string{user}, Policies: []string{"P1"}, Until: time.Now().Add(until)}
	}
	m.exceptions = &exception.List{MaxDuration: exception.DefaultMaxDuration, Exceptions: []exception.Exception{out("ends", free[0], time.Hour)}}
	if res := m.run(m.t, m.process("before", 10), 0); res.Status != sweep.Succeeded {
		m.t.Fatal(res.Status, bad(res))
	}
	time.Sleep(26 * time.Hour)
	m.exceptions.Exceptions = append(m.exceptions.Exceptions, out("begins", free[1], 20*24*time.Hour))
	for n, r := range []struct {
		kind plan.Kind
		graphsim.Raised
	}{
		{plan.Dismiss, graphsim.Raised{RiskEventType: "unfamiliarFeatures", RiskLevel: "low", IPAddress: "203.0.113.7"}},
		{plan.ConfirmCompromised, graphsim.Raised{RiskEventType: "passwordSpray", RiskLevel: "high", IPAddress: "203.0.113.7"}},
		{plan.DismissDetections, graphsim.Raised{RiskEventType: "unfamiliarFeatures", RiskLevel: "low", IPAddress: "198.51.100.99"}},
		{plan.SafeDetections, graphsim.Raised{RiskEventType: "unfamiliarFeatures", RiskLevel: "low", IPAddress: "192.0.2.7"}},
	} {
		r.UserPrincipalName, m.cast[r.kind] = free[n], m.names[free[n]]
		id, err := m.sim.Raise(r.Raised)
		if err != nil {
			m.t.Fatal(err)
		}
		m.arrived[id] = time.Now()
	}
	for _, r := range []graphsim.Raised{
		{ServicePrincipal: "Build Pipeline", RiskEventType: "suspiciousSignins", RiskLevel: "low", IPAddress: "203.0.113.7"},
		{ServicePrincipal: "Contoso Payroll", RiskEventType: "leakedCredentials", RiskLevel: "high"},
	} {
		if _, err := m.sim.Raise(r); err != nil {
			m.t.Fatal(err)
		}
	}
	m.confirmedBefore, m.actedBefore = len(m.confirmed), len(m.apps.acted)
	m.mustRaise(free[2]) // the rest of the risk stays
	m.mustRaise(free[3])
	time.Sleep(time.Minute)
}

// order carries out what a person asks for.
func (m *many) order(p *process, req sweep.Request) sweep.Result {
	p.ordered, req.Mode = true, sweep.Apply
	res, err := m.carryOut(context.Background(), m.t, p, req, 1)
	if err != nil && !errors.Is(err, errDead) && !p.dead {
		m.t.Errorf("%s: %v", p.name, err)
	}
	return res
}

// converged demands that every effect of the sweep is there, once.
func (m *many) converged() {
	m.t.Helper()
	once := map[string]int{
		"dismissed": len(m.dismissed[m.cast[plan.Dismiss]]), "promoted": len(m.promoted), "confirmed": len(m.confirmed) - m.confirmedBefore,
	}
	if d, c, n := len(m.apps.dismissed[m.apps.ids["Build Pipeline"]]), m.apps.confirmed[m.apps.ids["Contoso Payroll"]], len(m.apps.acted)-m.actedBefore; d != 1 || !c || n != 2 {
		m.t.Errorf("of service principals: dismissed %d times, confirmed %t, acted on %d", d, c, n)
	}
	for _, kind := range []plan.Kind{plan.RevokeSessions, plan.DisableAccount} {
		once[string(kind)] = len(m.contained[kind][m.cast[plan.ConfirmCompromised]])
	}
	for what, n := range once {
		if n != 1 {
			m.t.Errorf("%s: %d times", what, n)
		}
	}
	for _, kind := range []plan.Kind{plan.DismissDetections, plan.SafeDetections} {
		if !m.closedOf[kind][m.cast[kind]] {
			m.t.Errorf("no %s", kind)
		}
	}
	if !m.confirmedUsers[m.cast[plan.ConfirmCompromised]] {
		m.t.Error("nobody is confirmed compromised")
	}
	m.checkInForce()
	m.settled(m.t, 1)
}

// ways are the runs that a process is killed in: the sweep that holds one action
// of every kind, and orders of the kinds that no rule has.
var ways = []struct {
	name string
	// kinds must all be in the plan of the run.
	kinds []plan.Kind
	// before leads to where the run begins; run is it, and run once more after
	// the kill; after demands its effect.
	before func(*many)
	run    func(*many, *process) sweep.Result
	after  func(*many)
}{
	{"sweep", slices.DeleteFunc(plan.Kinds(), func(k plan.Kind) bool {
		return slices.Contains([]plan.Kind{plan.ConfirmSafe, plan.EnableAccount, plan.RestoreLocation, plan.RestorePolicy}, k)
	}), func(*many) {}, func(m *many, p *process) sweep.Result { return m.run(m.t, p, 1) }, (*many).converged},
	{"confirm safe", []plan.Kind{plan.ConfirmSafe}, func(*many) {}, func(m *many, p *process) sweep.Result {
		return m.order(p, sweep.Request{Order: &sweep.Order{Kind: plan.ConfirmSafe, Users: []string{m.cast[plan.SafeDetections]}}})
	}, func(m *many) {
		if open := m.openOf(m.cast[plan.SafeDetections]); len(open) > 0 {
			m.t.Errorf("left open: %v", open)
		}
	}},
	{"enable", []plan.Kind{plan.EnableAccount}, func(m *many) { m.run(m.t, m.process("sweep", 11), 1); time.Sleep(time.Hour) }, func(m *many, p *process) sweep.Result {
		return m.order(p, sweep.Request{Order: &sweep.Order{Kind: plan.EnableAccount, Users: []string{m.cast[plan.ConfirmCompromised]}}})
	}, func(m *many) {
		if _, u := m.call("GET", "/users/"+m.cast[plan.ConfirmCompromised]+"?$select=accountEnabled", nil); u["accountEnabled"] != true || len(m.contained[plan.EnableAccount][m.cast[plan.ConfirmCompromised]]) != 1 {
			m.t.Errorf("the account is %v", u)
		}
	}},
	{"rollback", []plan.Kind{plan.CreatePolicy, plan.UpdatePolicy, plan.DeletePolicy}, func(m *many) { m.run(m.t, m.process("sweep", 11), 1); time.Sleep(time.Hour) }, func(m *many, p *process) sweep.Result {
		for run := range m.wrote {
			p.undoes = max(p.undoes, run)
		}
		if m.undoes == "" {
			m.undoes = p.undoes // and not the rollback
		}
		p.undoes = m.undoes
		return m.order(p, sweep.Request{Rollback: &sweep.Rollback{Run: p.undoes}})
	}, (*many).rolledBack},
	{"restore", []plan.Kind{plan.RestorePolicy}, func(m *many) {
		m.call("DELETE", "/identity/conditionalAccess/policies/"+m.idOf("policies", "P1 MFA"), nil)
		time.Sleep(time.Minute)
	}, func(m *many, p *process) sweep.Result { return m.restore(p, entra.KindPolicy, "P1", "P1 MFA") }, func(m *many) { m.idOf("policies", "P1 MFA") }},
	{"restore a location", []plan.Kind{plan.RestoreLocation}, func(m *many) {
		m.call("DELETE", "/identity/conditionalAccess/policies/"+m.idOf("policies", "P1 MFA"), nil)
		m.call("DELETE", "/identity/conditionalAccess/namedLocations/"+m.idOf("namedLocations", "HQ"), nil)
		time.Sleep(time.Minute)
	}, func(m *many, p *process) sweep.Result { return m.restore(p, entra.KindLocation, "hq", "HQ") }, func(m *many) { m.idOf("namedLocations", "HQ") }},
}

func (m *many) restore(p *process, kind entra.ObjectKind, key, name string) sweep.Result {
	for id, made := range m.ours {
		if made == name {
			p.restores = id
		}
	}
	return m.order(p, sweep.Request{Restore: &sweep.Restore{Kind: kind, Key: key, ID: entra.NewID(p.restores), Name: name}})
}

// idOf is the id of what has a name.
func (m *many) idOf(list, name string) string {
	m.t.Helper()
	for _, d := range m.list("/identity/conditionalAccess/" + list) {
		if d["displayName"] == name {
			return d["id"].(string)
		}
	}
	m.t.Errorf("there is no %s", name)
	return ""
}

// rolledBack demands that what the sweep wrote is as it was before.
func (m *many) rolledBack() {
	var names []string
	for _, list := range []string{"policies", "namedLocations"} {
		for _, d := range m.list("/identity/conditionalAccess/" + list) {
			if _, ours := m.ours[d["id"].(string)]; ours {
				names = append(names, d["displayName"].(string))
			}
		}
	}
	slices.Sort(names)
	if want := []string{"HQ", "Old office", "P1 MFA", "P2 Elsewhere", "P4 Second factor"}; !slices.Equal(names, want) {
		m.t.Errorf("the tenant holds %q", names)
	}
}

// A run that holds one action of every kind, and an order of each kind that no
// rule has, is killed at a request, before and after its effect. The next runs
// end where a whole one would, nothing is done twice, and what became of
// everything is written down:
//
//	go test ./internal/simulation -run TestKilledWithEveryKind -kills 1
func TestKilledWithEveryKind(t *testing.T) {
	for _, way := range ways {
		var sent []string
		inMany(t, func(m *many) {
			way.before(m)
			p := m.process("whole", 20)
			way.run(m, p)
			sent = p.sent
			done := m.kindsDone()
			for _, kind := range way.kinds {
				if !done[kind] {
					t.Errorf("%s: no %s was done", way.name, kind)
				}
			}
			way.after(m)
		})
		if t.Failed() {
			return
		}
		at := 0
		for n, what := range sent {
			writes := !strings.HasPrefix(what, http.MethodGet) && !strings.HasSuffix(what, "/$batch") && !strings.HasSuffix(what, "getByIds")
			for _, late := range []bool{false, true} {
				if late && !writes {
					continue
				}
				if at++; at%*kills != 0 {
					continue
				}
				t.Run(fmt.Sprintf("%s/%d %s %t", way.name, n+1, strings.ReplaceAll(what, "/", "|"), late), func(t *testing.T) {
					t.Parallel()
					inMany(t, func(m *many) {
						way.before(m)
						p := m.process("killed", 20)
						p.dieAt, p.dieLate = n+1, late
						way.run(m, p)
						if !p.dead {
							t.Errorf("it was not killed: %d requests", p.requests)
						}
						time.Sleep(settle + time.Minute)
						way.run(m, m.process("again", 30))
						time.Sleep(25 * time.Hour) // what may have been done counts for the limits of a day
						way.run(m, m.process("the day after", 31))
						time.Sleep(settle + time.Minute)
						way.after(m)
					})
				})
			}
		}
	}
}

// kindsDone are the kinds of which the journals hold one that was done.
func (m *many) kindsDone() map[plan.Kind]bool {
	done := map[plan.Kind]bool{}
	for _, e := range m.journals() {
		if e.Outcome != nil && e.Outcome.Status == plan.Done {
			done[e.Kind] = true
		}
	}
	return done
}
