package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/exception"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/triage"
)

// The rules that every simulated run works with. The oracle in
// invariants_test.go knows them by heart, not by the product's code.
const triageFile = `
protected: {users: [ceo@contoso.com], groups: [Executives]}
allowlist:
  - id: vpn
    users: [ada@contoso.com]
    groups: [VPN Users]
    groupRiskAccepted: true
    when: {riskEventTypes: [anonymizedIPAddress, unfamiliarFeatures], maxRiskLevel: medium, ipRanges: [203.0.113.0/24]}
    reason: VPN
    owner: secops@contoso.com
    expires: 2031-12-31
  - id: builders
    servicePrincipals: [Build Pipeline, Contoso VPN, Contoso Payroll, Backup Automation, Microsoft Planner, risk-sweeper, Contoso Expenses]
    when: {riskEventTypes: [suspiciousSignins], maxRiskLevel: medium, ipRanges: [203.0.113.0/24]}
    reason: The builders moved
    owner: secops@contoso.com
    expires: 2031-12-31
  - id: home
    groups: [VPN Users]
    groupRiskAccepted: true
    scope: detections
    when: {riskEventTypes: [unfamiliarFeatures], maxRiskLevel: medium, ipRanges: [198.51.100.0/24]}
    reason: A new egress
    owner: secops@contoso.com
    expires: 2031-12-31
  - id: branch
    groups: [VPN Users]
    groupRiskAccepted: true
    scope: detections
    feedback: confirmSafe
    when: {riskEventTypes: [unfamiliarFeatures], maxRiskLevel: medium, ipRanges: [192.0.2.0/24]}
    reason: A branch office
    owner: secops@contoso.com
    expires: 2031-12-31
escalate:
  - id: spray
    when: {riskEventTypes: [passwordSpray], minRiskLevel: high}
    then: [confirmCompromised, revokeSessions, disableAccount]
    reason: a password was guessed
  - id: leaked
    servicePrincipals: [All]
    when: {riskEventTypes: [leakedCredentials]}
    reason: a secret is public
`

// baselines are what the run is to hold the tenant to; a seed moves from one to
// the next between runs.
var baselines = []string{`
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com], groups: [CA Break Glass]}
namedLocations:
  - {key: hq, displayName: HQ, "@odata.type": "#microsoft.graph.ipNamedLocation", isTrusted: true, ipRanges: [{"@odata.type": "#microsoft.graph.iPv4CidrRange", cidrAddress: 203.0.113.0/24}]}
policies:
  - key: P1
    displayName: P1 MFA for risky sign-ins
    state: enabled
    conditions: {signInRiskLevels: [high], applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}, locations: {includeLocations: [All], excludeLocations: [hq]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - key: P2
    displayName: P2 No legacy authentication
    state: enabledForReportingButNotEnforced
    conditions: {clientAppTypes: [exchangeActiveSync, other], applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}}
    grantControls: {operator: OR, builtInControls: [block]}
`, `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com], groups: [CA Break Glass]}
namedLocations:
  - {key: hq, displayName: HQ, "@odata.type": "#microsoft.graph.ipNamedLocation", isTrusted: true, ipRanges: [{"@odata.type": "#microsoft.graph.iPv4CidrRange", cidrAddress: 203.0.113.0/24}, {"@odata.type": "#microsoft.graph.iPv4CidrRange", cidrAddress: 198.51.100.0/24}]}
policies:
  - key: P1
    displayName: P1 MFA for risky sign-ins
    state: enabled
    conditions: {signInRiskLevels: [high, medium], applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}, locations: {includeLocations: [All], excludeLocations: [hq]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - key: P3
    displayName: P3 No device code flow
    state: enabledForReportingButNotEnforced
    conditions: {authenticationFlows: {transferMethods: deviceCodeFlow}, applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}}
    grantControls: {operator: OR, builtInControls: [block]}
`}

// limits of every run, which the oracle counts for itself.
const (
	maxConfirmed = 4
	writeTimeout = 20 * time.Second
	settle       = 15 * time.Minute
	fullEvery    = 60 * 24 * time.Hour // one full sweep, or nothing late would prove anything
)

// world is one simulated tenant with its store, and all that the oracle has
// seen of it.
type world struct {
	seed    uint64
	sim     *graphsim.Tenant
	handler http.Handler
	store   *blobstore.Memory
	events  *rand.Rand // what befalls the tenant
	quiet   bool       // faults and events have stopped

	work *rand.Rand // what befalls service principals, and is ordered for them
	apps principals

	exceptions *exception.List // as a person has written it

	rules *triage.Policy
	bases []*baseline.Baseline

	trace  []string
	broken []string

	arrived        map[string]time.Time         // detection -> when it was raised by an event
	ours           map[string]string            // policy or location id -> the displayName it was made with
	intents        map[string]time.Time         // run/action -> when its intent was last written, by the true clock
	edited         map[string]time.Time         // policy or user id -> last change by somebody else
	dismissed      map[string][]map[string]bool // user -> detections open at each accepted dismissal
	dismissals     []time.Time                  // accepted, of one user each
	confirmed      []time.Time
	confirmedUsers map[string]bool
	confirmedSafe  map[string]bool
	contained      map[plan.Kind]map[string][]map[string]bool // kind -> user -> detections open at each
	containedAt    map[plan.Kind][]time.Time
	closedOne      map[string]time.Time          // detection -> when it was closed by itself
	closedOf       map[plan.Kind]map[string]bool // users
	names          map[string]string             // UPN -> id
	vpn            map[string]bool               // ids of who may be dismissed
	never          map[string]bool               // ids of who may not
	protected      map[string]bool               // ids of whom the triage file protects
	breakGlass     []string                      // ids
	wrote          map[string]formerly           // run -> what it wrote to
	restored       map[string]bool               // ids of what came out of the deleted items
	promoted       []time.Time
	lag            time.Duration        // until a write shows
	logs           bool                 // the logs are read, and a policy is promoted on their evidence
	asks           evidence             // what the promotion asks for
	coverage       string               // sweep.coverage of this world
	dismissals24   int                  // maxDismissals of this world
	share          float64              // maxShareOfRiskyUsers of this world; 0: all
	shouts         bool                 // the risk lists have ids in upper case
	poison         string               // a user whom the service refuses to act on
	late           map[string]time.Time // closed detection -> when the service shows it
	pageSize       int                  // of the service's pages of risk
	orders         []runs.Order         // that were delivered
	processes      []*process
	held           string // the request during which HOLD was set; empty: it is not set
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{seed: seed, events: rand.New(rand.NewPCG(seed, 1)), store: blobstore.NewMemory(), arrived: map[string]time.Time{}, ours: map[string]string{},
		edited: map[string]time.Time{}, dismissed: map[string][]map[string]bool{}, names: map[string]string{}, intents: map[string]time.Time{}, vpn: map[string]bool{}, never: map[string]bool{}, late: map[string]time.Time{}, confirmedUsers: map[string]bool{}, confirmedSafe: map[string]bool{},
		wrote: map[string]formerly{}, restored: map[string]bool{}, logs: seed%4 == 1, coverage: []string{"", "off", "risky", "full"}[seed/2%4],
		closedOne: map[string]time.Time{}, closedOf: map[plan.Kind]map[string]bool{}, contained: map[plan.Kind]map[string][]map[string]bool{}, containedAt: map[plan.Kind][]time.Time{}}
	lag := []time.Duration{0, 0, time.Second, 7 * time.Second}[w.events.IntN(4)]
	o := graphsim.Options{Seed: seed, Users: 30, Detections: 40, Policies: 2, Token: "sim", Lag: lag, AppRestore: seed%5 > 0}
	if w.logs {
		o.SignIns = 300
		w.asks = evidence{days: 1, signIns: []int{3, 8, 12}[seed/4%3], refused: 100, asked: []int{2, 100, 100}[seed/8%3]}
	}
	w.lag = lag
	var err error
	if w.sim, err = graphsim.New(o); err != nil {
		t.Fatal(err)
	}
	w.handler = w.sim.Handler()
	var problems error
	rules, p := triage.Parse("triage.yaml", []byte(triageFile), time.Now())
	if problems = p.Err(); problems != nil {
		t.Fatal(problems)
	}
	w.rules = rules
	for _, text := range baselines {
		if w.logs {
			text += fmt.Sprintf(promotedPolicy, w.asks.days, w.asks.signIns, w.asks.refused, w.asks.asked)
		}
		b, p := baseline.Parse("b.yaml", []byte(text))
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		w.bases = append(w.bases, b)
	}
	w.learn(t)
	w.work = rand.New(rand.NewPCG(seed, 7))
	w.learnPrincipals(t)
	w.except()
	w.pageSize = []int{500, 500, 15, 6}[w.events.IntN(4)]
	w.dismissals24 = []int{2, 8, 8}[w.events.IntN(3)]
	w.share = []float64{0, 0, 0, 0.1, 0, 0, 0, 0.2}[seed/4%8]
	w.shouts = seed%4 == 0
	if w.events.IntN(3) == 0 {
		named := slices.Sorted(maps.Keys(w.vpn))
		w.poison = named[w.events.IntN(len(named))]
	}
	return w
}

// learn reads once who is who.
func (w *world) learn(t *testing.T) {
	t.Helper()
	for _, u := range w.list("/users?$top=999&$select=id,userPrincipalName") {
		w.names[u["userPrincipalName"].(string)] = u["id"].(string)
	}
	groups := map[string]string{}
	for _, g := range w.list("/groups?$top=999&$select=id,displayName") {
		groups[g["displayName"].(string)] = g["id"].(string)
	}
	for _, m := range w.list("/groups/" + groups["VPN Users"] + "/transitiveMembers?$top=999") {
		w.vpn[m["id"].(string)] = true
	}
	w.vpn[w.names["ada@contoso.com"]] = true
	for _, m := range w.list("/groups/" + groups["Executives"] + "/transitiveMembers?$top=999") {
		w.never[m["id"].(string)] = true
	}
	w.protected = maps.Clone(w.never)
	w.protected[w.names["ceo@contoso.com"]] = true
	for _, upn := range []string{"ceo@contoso.com", "bg1@contoso.com", "bg2@contoso.com"} {
		w.never[w.names[upn]] = true
	}
	w.breakGlass = []string{w.names["bg1@contoso.com"], w.names["bg2@contoso.com"]}
	for _, list := range []string{"roleAssignments", "roleEligibilityScheduleInstances"} {
		for _, a := range w.list("/roleManagement/directory/" + list) {
			w.never[a["principalId"].(string)] = true
		}
	}
	w.promote(t)
	if len(w.vpn) < 3 || w.breakGlass[0] == "" {
		t.Fatalf("the tenant lacks its cast: %d in the VPN, %v", len(w.vpn), w.breakGlass)
	}
}

// promote lets a role reach one of those whom the allowlist names: by way of a
// group of which the user is a member, is an owner, may become one, or may
// become one of another group that may. Ada is not among them: the tests count
// on it that she may be dismissed.
func (w *world) promote(t *testing.T) {
	t.Helper()
	named := slices.DeleteFunc(slices.Sorted(maps.Keys(w.vpn)), func(id string) bool {
		return w.never[id] || id == w.names["ada@contoso.com"] || !slices.Contains(slices.Collect(maps.Values(w.names)), id)
	})
	user := named[w.seed%uint64(len(named))]
	add := func(text string) {
		r := httptest.NewRequest("POST", "http://127.0.0.1/_sim/add", strings.NewReader(strings.ReplaceAll(text, "USER", user)))
		r.Header.Set("Authorization", "Bearer sim")
		rec := httptest.NewRecorder()
		if w.handler.ServeHTTP(rec, r); rec.Code != http.StatusCreated {
			t.Fatalf("%s: %d %s", text, rec.Code, rec.Body)
		}
	}
	add(`{"kind":"group","displayName":"Tier 0","isAssignableToRole":true}`)
	add(fmt.Sprintf(`{"kind":%q,"role":"Helpdesk Administrator","principal":"Tier 0"}`, []string{"roleAssignment", "eligibility"}[w.seed%2]))
	switch w.seed / 2 % 6 {
	case 0:
		add(`{"kind":"membership","group":"Tier 0","principal":"USER"}`)
	case 1:
		add(`{"kind":"ownership","group":"Tier 0","principal":"USER"}`)
	case 2:
		add(`{"kind":"eligibility","group":"Tier 0","principal":"USER","accessId":"owner"}`)
	case 3:
		add(`{"kind":"group","displayName":"On call"}`)
		add(`{"kind":"eligibility","group":"Tier 0","principal":"On call"}`)
		add(`{"kind":"eligibility","group":"On call","principal":"USER"}`)
	default:
		add(`{"kind":"eligibility","group":"Tier 0","principal":"USER"}`)
	}
	w.never[user] = true
}

// close ends what the processes have open.
func (w *world) close() {
	for _, p := range w.processes {
		p.end()
	}
}

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, time.Now().UTC().Format("01-02T15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// breaks records an invariant that does not hold.
func (w *world) breaks(name, format string, args ...any) {
	text := name + ": " + fmt.Sprintf(format, args...)
	w.broken = append(w.broken, text)
	w.say("BROKEN %s", text)
}

// call speaks to the tenant as somebody else does: no fault befalls it.
func (w *world) call(method, path string, body any) (int, map[string]any) {
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			panic(err) // maps and texts
		}
	}
	r := httptest.NewRequest(method, "http://127.0.0.1/v1.0"+path, bytes.NewReader(data))
	r.Header.Set("Authorization", "Bearer sim")
	r.Header.Set("ConsistencyLevel", "eventual")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	var out map[string]any
	_ = json.Unmarshal(rec.Body.Bytes(), &out) // an answer without a body
	return rec.Code, out
}

// list reads a whole collection.
func (w *world) list(path string) []map[string]any {
	var out []map[string]any
	for path != "" {
		code, page := w.call("GET", strings.ReplaceAll(path, " ", "%20"), nil)
		if code != 200 {
			panic(fmt.Sprintf("%s: %d %v", path, code, page))
		}
		rows, _ := page["value"].([]any)
		for _, r := range rows {
			out = append(out, r.(map[string]any))
		}
		next, _ := page["@odata.nextLink"].(string)
		_, path, _ = strings.Cut(next, "/v1.0")
	}
	return out
}

// openOf are the open detections of a user as the tenant has them now.
func (w *world) openOf(user string) []map[string]any {
	return slices.DeleteFunc(w.list("/identityProtection/riskDetections?$top=500&$filter="+url.QueryEscape("userId eq '"+user+"'")), func(d map[string]any) bool {
		switch d["riskState"] {
		case "none", "remediated", "dismissed", "confirmedSafe":
			return true
		}
		return false
	})
}

// stored reads a file of the store; empty if there is none.
func (w *world) stored(name string) []byte {
	in, _, err := w.store.Open(context.Background(), name)
	if err != nil {
		return nil
	}
	data, err := io.ReadAll(in)
	if err != nil {
		panic(err) // it is in memory
	}
	return data
}
