package simulation

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/graphsim/directory"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/memnet"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

var months = flag.Int("months", 4, "how many months of people who change policies to try")

type fixedToken string

func (f fixedToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(f), ExpiresOn: time.Now().Add(1000 * time.Hour)}, nil
}

// office is a tenant in which people work, and a job that looks after it.
type office struct {
	t      *testing.T
	sim    *graphsim.Tenant
	store  *blobstore.Memory
	client *graph.Client
	base   *baseline.Baseline
	change func(*sweep.Sweeper)
	ask    func(*sweep.Request)
}

// inOffice runs f with an office, in virtual time.
func inOffice(t *testing.T, o graphsim.Options, text string, f func(*office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.TokenLifetime = 2000 * time.Hour
		sim, err := graphsim.New(o)
		if err != nil {
			t.Fatal(err)
		}
		l := memnet.Listen()
		server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: time.Minute}
		go func() { _ = server.Serve(l) }()
		transport := &http.Transport{DialContext: l.DialContext, DisableCompression: true}
		client, err := graph.New(graph.Options{Endpoint: "http://127.0.0.1/v1.0", Credential: fixedToken(sim.Token()), RequestsPerSecond: 1, Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		w := &office{t: t, sim: sim, store: blobstore.NewMemory(), client: client}
		w.read(text)
		defer func() { _ = server.Close() }()
		defer transport.CloseIdleConnections()
		f(w)
	})
}

// read makes a baseline the one to hold the tenant to.
func (w *office) read(text string) {
	b, problems := baseline.Parse("b.yaml", []byte(text))
	if err := problems.Err(); err != nil {
		w.t.Fatal(err)
	}
	w.base = b
}

func (w *office) run(mode sweep.Mode, policies bool) sweep.Result {
	w.t.Helper()
	s := &sweep.Sweeper{
		Name: "contoso", TenantID: w.sim.TenantID(), Cloud: "global", Reader: w.client, Writer: func() apply.Writer { return w.client }, Logs: w.client,
		Ledger: ledger.New(w.store, "contoso", ledger.Options{Now: time.Now}), Baseline: w.base, Access: w.client,
		Settings: sweep.Settings{Lookback: 720 * time.Hour, Overlap: 48 * time.Hour, FullEvery: fullEvery, Settle: settle, ServicePrincipals: "false", RequestsPerSecond: 1,
			Enforcement: plan.Enforcement{Policies: policies}, Baseline: drift.Settings{AllowEnabledPolicies: true, AllowWeakening: true},
			Limits: plan.Limits{MaxPolicyCreates: 50, MaxPolicyUpdates: 50}, WriteTimeout: writeTimeout, ReadBack: time.Minute, Visibility: time.Minute},
		Output:  sweep.Output{Redaction: report.NewRedaction("none", nil)},
		Version: "sim", Host: "office", PID: 1, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	if w.change != nil {
		w.change(s)
	}
	req := sweep.Request{Mode: mode}
	if w.ask != nil {
		w.ask(&req)
	}
	res, err := s.Run(context.Background(), req)
	if err != nil || res.Err != nil || len(res.Skipped) > 1 {
		w.t.Fatalf("%v %v %v", err, res.Err, res.Skipped)
	}
	return res
}

// act lets a person send a request.
func (w *office) act(who, method, path, body string) entra.Document {
	w.t.Helper()
	status, answer, err := w.sim.Act(context.Background(), graphsim.Act{UserPrincipalName: who, Method: method, Path: path, Body: json.RawMessage(body)})
	if err != nil || status >= 300 {
		w.t.Fatalf("%s %s %s: %d %s %v", who, method, path, status, answer, err)
	}
	var d entra.Document
	_ = json.Unmarshal(answer, &d) // some have no body
	return d
}

const officeBaseline = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
policies:
  - key: P1
    displayName: P1 Risky sign-ins
    state: enabledForReportingButNotEnforced
    conditions: {signInRiskLevels: [high], applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - key: P2
    displayName: P2 Legacy
    state: enabledForReportingButNotEnforced
    conditions: {clientAppTypes: [exchangeActiveSync, other], applications: {includeApplications: [All]}, users: {includeUsers: [All]}}
    grantControls: {operator: OR, builtInControls: [block]}
`

// touched is what the oracle knows of an object: who set which member to what it
// is, and who made or deleted the object.
type touched struct {
	by    map[string]string // member -> person, of those that differ
	value map[string]string // member -> what it is
	was   map[string]string // member -> what it was when nothing differed
	made  string
	gone  string
	last  time.Time
}

func newTouched() *touched {
	return &touched{by: map[string]string{}, value: map[string]string{}, was: map[string]string{}}
}

func (x *touched) set(member, was, is, who string) {
	if _, known := x.was[member]; !known {
		x.was[member] = was
	}
	x.value[member], x.last = is, time.Now()
	if x.by[member] = who; is == x.was[member] {
		delete(x.by, member)
	}
}

// Over months in which people edit, disable and delete policies between the runs,
// each change is put down to the person who made it, and none to anybody else:
//
//	go test ./internal/simulation -run TestWhoChangedIt -months 200
func TestWhoChangedIt(t *testing.T) {
	for seed := range uint64(*months) { //nolint:gosec // a small number
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			month(t, seed)
		})
	}
}

func month(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 77))
	delay := []time.Duration{0, 0, 10 * time.Minute}[dice.IntN(3)]
	enforced := dice.IntN(2) == 0
	inOffice(t, graphsim.Options{Seed: seed, Users: 25, Detections: 20, Policies: 2, AuditDelay: delay}, officeBaseline, func(w *office) {
		people := []string{"bg1@contoso.com", "bg2@contoso.com"}
		for _, upn := range []string{"ada@contoso.com", "ceo@contoso.com"} {
			if _, err := w.sim.Add(directory.Addition{Kind: "roleAssignment", Role: "Security Administrator", Principal: upn}); err != nil {
				t.Fatal(err)
			}
			people = append(people, upn)
		}
		anybody := func() string { return people[dice.IntN(len(people))] }
		w.run(sweep.Apply, true)
		owned := map[string]*touched{} // by key
		state, _, err := ledger.New(w.store, "contoso", ledger.Options{Now: time.Now}).State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		foreign, risk := map[string]*touched{}, map[string]string{} // by id
		alive := map[string]map[string]string{}                     // of foreign ones, by id
		const at = "/identity/conditionalAccess/policies"
		for day := range 12 {
			time.Sleep(time.Duration(20+dice.IntN(50)) * time.Hour)
			for range dice.IntN(5) {
				who := anybody()
				switch dice.IntN(7) {
				case 0, 1, 2: // ours
					key := []string{"P1", "P2"}[dice.IntN(2)]
					id := string(state.Owned[entra.KindPolicy][key].ID)
					x := owned[key]
					if x == nil {
						x = newTouched()
						owned[key] = x
					}
					if x.gone != "" {
						continue
					}
					name := map[string]string{"P1": "P1 Risky sign-ins", "P2": "P2 Legacy"}[key]
					if now, renamed := x.value["displayName"]; renamed {
						name = now
					}
					is := "enabledForReportingButNotEnforced"
					if v, known := x.value["state"]; known {
						is = v
					}
					switch dice.IntN(5) {
					case 0:
						w.act(who, "DELETE", at+"/"+id, "")
						x.gone, x.last = who, time.Now()
					case 1:
						next := name + "!"
						w.act(who, "PATCH", at+"/"+id, fmt.Sprintf(`{"displayName":%q}`, next))
						x.set("displayName", name, next, who)
					default:
						next := []string{"disabled", "enabledForReportingButNotEnforced"}[dice.IntN(2)]
						if next != is {
							w.act(who, "PATCH", at+"/"+id, fmt.Sprintf(`{"state":%q}`, next))
							x.set("state", is, next, who)
						}
					}
				case 3: // a new one of somebody else
					d := w.act(who, "POST", at, `{"displayName":"Local `+fmt.Sprint(day, dice.Uint32())+`","state":"disabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`)
					x := newTouched()
					x.made, x.last = who, time.Now()
					foreign[d.ID()], alive[d.ID()] = x, map[string]string{"state": "disabled"}
				case 4, 5: // change or delete such a one
					ids := make([]string, 0, len(alive))
					for id := range alive {
						ids = append(ids, id)
					}
					if slices.Sort(ids); len(ids) == 0 {
						continue
					}
					id := ids[dice.IntN(len(ids))]
					x := foreign[id]
					if x == nil {
						x = newTouched()
						foreign[id] = x
					}
					if dice.IntN(3) == 0 {
						w.act(who, "DELETE", at+"/"+id, "")
						x.gone, x.last = who, time.Now()
						delete(alive, id)
						continue
					}
					next := []string{"disabled", "enabledForReportingButNotEnforced"}[dice.IntN(2)]
					if was := alive[id]["state"]; was != next {
						w.act(who, "PATCH", at+"/"+id, fmt.Sprintf(`{"state":%q}`, next))
						x.set("state", was, next, who)
						alive[id]["state"] = next
					}
				case 6: // settle somebody's risk
					users := w.act(who, "GET", "/identityProtection/riskyUsers?$filter=riskState%20eq%20'atRisk'", "")
					if list, _ := users["value"].([]any); len(list) > 0 {
						id := list[dice.IntN(len(list))].(map[string]any)["id"].(string)
						status, _, err := w.sim.Act(t.Context(), graphsim.Act{UserPrincipalName: who, Method: "POST", Path: "/identityProtection/riskyUsers/dismiss", Body: json.RawMessage(`{"userIds":["` + id + `"]}`)})
						if err == nil && status == http.StatusNoContent { // not of a deleted user
							risk[id] = who
						}
					}
				}
				time.Sleep(time.Duration(dice.IntN(200)) * time.Minute)
			}
			res := w.run(sweep.Apply, enforced)
			w.check(res, owned, foreign, risk, delay)
			foreign, risk = map[string]*touched{}, map[string]string{}
			if enforced {
				owned = map[string]*touched{}
			}
			if state, _, err = ledger.New(w.store, "contoso", ledger.Options{Now: time.Now}).State(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// check holds what a run says to what the oracle knows.
func (w *office) check(res sweep.Result, owned, foreign map[string]*touched, risk map[string]string, delay time.Duration) {
	w.t.Helper()
	fits := func(what string, by *audit.ChangedBy, last time.Time, may ...string) {
		switch {
		case by == nil && len(may) == 0:
		case by == nil:
			w.t.Errorf("%s: nobody is named, it was %v", what, may)
		case by.Kind == audit.NotSeen && len(may) > 0 && time.Since(last) < delay+time.Hour && strings.Contains(by.Text(), audit.NotThere):
		case len(may) == 0 && by.Kind != audit.NotSeen:
			w.t.Errorf("%s: %s is named, and nobody did it", what, by.Name)
		case len(may) > 0 && (!slices.Contains(may, by.Name) || by.Kind != audit.User || by.Own):
			w.t.Errorf("%s: %q (%s) is named, it was %v", what, by.Name, by.Text(), may)
		}
	}
	for _, e := range res.Entries {
		x := owned[e.Key]
		if e.Key == "" {
			continue
		}
		var may []string
		var last time.Time
		if x != nil {
			last = x.last
			if x.gone != "" {
				may = append(may, x.gone)
			} else {
				for _, d := range e.Differences {
					if by := x.by[d.Path]; by != "" {
						may = append(may, by)
					}
				}
			}
		}
		fits(string(e.Status)+" "+e.Key, e.ChangedBy, last, may...)
	}
	named := map[string]bool{}
	for _, c := range res.Drifted {
		if !c.Foreign() {
			continue
		}
		named[c.ID] = true
		x := foreign[c.ID]
		if x == nil {
			w.t.Errorf("%s changed, and nobody touched it", c.Name)
			continue
		}
		var may []string
		switch {
		case c.Is == "":
			may = []string{x.gone}
		case c.Was == "":
			may = []string{x.made}
		default:
			for _, by := range x.by {
				may = append(may, by)
			}
		}
		fits(c.Was+" to "+c.Is+" "+c.Name, c.ChangedBy, x.last, may...)
	}
	for id, x := range foreign {
		if (len(x.by) > 0 || x.gone != "" || x.made != "") && (x.made == "" || x.gone == "") && !named[id] {
			w.t.Errorf("%s changed (%+v) and is not in the report", id, *x)
		}
	}
	for id, who := range risk {
		if got := w.settledBy(res.Run, id); got == nil || got.Name != who && got.Kind != audit.NotSeen {
			w.t.Errorf("the risk of %s was closed by %s, the report says %+v", id, who, got)
		}
	}
}

// settledBy is who settled a user's risk, as users.jsonl says.
func (w *office) settledBy(run, user string) *audit.ChangedBy {
	in, _, err := ledger.New(w.store, "contoso", ledger.Options{Now: time.Now}).Open(context.Background(), run, "users.jsonl")
	if err != nil {
		w.t.Fatal(err)
	}
	defer in.Close()
	for line, err := range report.ReadLines[struct {
		ID        string           `json:"id"`
		ChangedBy *audit.ChangedBy `json:"changedBy"`
	}](in) {
		if err != nil {
			w.t.Fatal(err)
		}
		if strings.EqualFold(line.ID, user) {
			return line.ChangedBy
		}
	}
	return nil
}
