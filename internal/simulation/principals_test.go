package simulation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/graphsim/directory"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

// Service principals. The rules of triageFile name those of workloads; one of them
// holds a directory role and one an application permission, one is Microsoft's, and
// one is the job's own identity.

// maxPrincipals is how many the limits allow to be acted on.
const maxPrincipals = 3

// workloads are the service principals that come to be at risk.
var workloads = []string{"Build Pipeline", "Contoso VPN", "Contoso Payroll", "Backup Automation", "Microsoft Planner", "risk-sweeper", "Contoso Expenses"}

// principals is what the oracle knows of service principals.
type principals struct {
	ids        map[string]string // by name
	own        string            // id of the job's own identity
	microsoft  string            // id of one of Microsoft's
	privileged []string          // ids of those that hold a directory role or a permission
	claims     string            // of the tokens of the job
	acted      []time.Time
	dismissed  map[string][]map[string]bool // detections open at each accepted dismissal
	confirmed  map[string]bool
}

// learnPrincipals reads who is who.
func (w *world) learnPrincipals(t *testing.T) {
	t.Helper()
	if _, err := w.sim.Add(directory.Addition{Kind: "appRoleAssignment", Principal: "Contoso Expenses", AppRole: "RoleManagement.ReadWrite.Directory"}); err != nil {
		t.Fatal(err)
	}
	w.apps = principals{ids: map[string]string{}, dismissed: map[string][]map[string]bool{}, confirmed: map[string]bool{}}
	for _, p := range w.list("/servicePrincipals?$top=999&$select=id,appId,displayName") {
		id, name := p["id"].(string), p["displayName"].(string)
		switch name {
		case "risk-sweeper":
			w.apps.own = id
			w.apps.claims = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"oid":%q,"appid":%q}`, id, p["appId"]))
		case "Microsoft Planner":
			w.apps.microsoft = id
		case "Backup Automation", "Contoso Expenses":
			w.apps.privileged = append(w.apps.privileged, id)
		}
		if slices.Contains(workloads, name) {
			w.apps.ids[name] = id
		}
	}
	if len(w.apps.ids) != len(workloads) {
		t.Fatalf("the tenant lacks its workloads: %v", w.apps.ids)
	}
}

// raisePrincipal lets a detection of a service principal arrive, or lets a person
// settle the risk of one.
func (w *world) raisePrincipal() {
	name := workloads[w.work.IntN(len(workloads))]
	if w.work.IntN(6) == 0 {
		verb := []string{"dismiss", "confirmCompromised"}[w.work.IntN(2)]
		if code, _ := w.call("POST", "/identityProtection/riskyServicePrincipals/"+verb, map[string]any{"servicePrincipalIds": []string{w.apps.ids[name]}}); code < 300 {
			w.edited[w.apps.ids[name]] = time.Now()
			w.say("event: a person says %s of %s", verb, name)
		}
		return
	}
	kind, level, ip := "suspiciousSignins", []string{"low", "medium"}[w.work.IntN(2)], "203.0.113.7"
	switch w.work.IntN(5) {
	case 0:
		kind, level, ip = "leakedCredentials", "high", ""
	case 1:
		ip = "198.51.100.99"
	}
	id, err := w.sim.Raise(graphsim.Raised{ServicePrincipal: name, RiskEventType: kind, RiskLevel: level, IPAddress: ip})
	if err != nil {
		panic(err) // they are in the tenant
	}
	w.arrived[id] = time.Now()
	w.say("event: %s %s from %s for %s (%.8s)", kind, level, ip, name, id)
}

// openOfPrincipal are the open detections of a service principal as the tenant has
// them now.
func (w *world) openOfPrincipal(id string) []map[string]any {
	return slices.DeleteFunc(w.list("/identityProtection/servicePrincipalRiskDetections?$top=500&$filter="+url.QueryEscape("servicePrincipalId eq '"+id+"'")), func(d map[string]any) bool {
		return d["riskState"] != "atRisk" && d["riskState"] != "confirmedCompromised"
	})
}

// editedSince reports whether somebody has touched an object too late for a look
// at a time to show it: what happens shows after the lag.
func (w *world) editedSince(id string, looked time.Time) bool {
	return !w.edited[id].Before(looked.Add(-w.lag))
}

// onPrincipals checks a dismissal or a confirmation of service principals.
func (w *world) onPrincipals(p *process, action string, body []byte) func(int, []byte) {
	kind := map[string]plan.Kind{"dismiss": plan.DismissServicePrincipal, "confirmCompromised": plan.ConfirmServicePrincipalCompromised}[action]
	var in struct{ ServicePrincipalIDs []string }
	if err := json.Unmarshal(body, &in); err != nil || kind == "" || len(in.ServicePrincipalIDs) == 0 || len(in.ServicePrincipalIDs) > 60 {
		w.breaks("a batch names 1 to 60 service principals", "%s %s", action, body)
	}
	open := map[string]map[string]bool{}
	for i, id := range in.ServicePrincipalIDs {
		id = strings.ToLower(id)
		in.ServicePrincipalIDs[i], open[id] = id, map[string]bool{}
		if id == w.apps.own {
			w.breaks("the job's own identity is never touched", "%s", kind)
		}
		if !w.intended(kind, id) {
			w.breaks("an intent is stored before the effect", "%s of %s", kind, id)
		}
		if run := w.undecided(p, id); run != "" {
			w.breaks("who may still be under an earlier order is held back", "%s of %s, though nobody knows what became of the intent of run %s", kind, id, run)
		}
		if (id == w.apps.microsoft || slices.Contains(w.apps.privileged, id)) && !(p.ordered && p.meant) {
			w.breaks("what is Microsoft's or privileged is left alone", "%s of %s", kind, id)
		}
		fence, fenced := p.fenced[id]
		if !fenced || time.Since(fence) > apply.LookAge+writeTimeout {
			w.breaks("the fence is read right before", "%s of %s: read at %s", kind, id, fence)
		}
		escalates, since := false, w.editedSince(id, fence)
		for _, d := range w.openOfPrincipal(id) {
			one := d["id"].(string)
			open[id][one] = true
			escalates = escalates || d["riskEventType"] == "leakedCredentials"
			if arrived, later := w.arrived[one]; later && fenced && arrived.After(fence) || since {
				continue // nobody could know
			}
			if kind == plan.DismissServicePrincipal && !p.ordered && (d["riskEventType"] != "suspiciousSignins" || d["ipAddress"] != "203.0.113.7") {
				w.breaks("every detection that could be known is covered", "service principal %s, detection %.8s: %v from %v", id, one, d["riskEventType"], d["ipAddress"])
			}
		}
		if kind == plan.ConfirmServicePrincipalCompromised && !p.ordered && !escalates && !since {
			w.breaks("only what an escalation matches is confirmed", "service principal %s", id)
		}
	}
	return func(code int, _ []byte) {
		if code != http.StatusNoContent {
			return
		}
		for _, id := range in.ServicePrincipalIDs {
			if kind == plan.ConfirmServicePrincipalCompromised {
				w.apps.confirmed[id] = true
			} else {
				for _, before := range w.apps.dismissed[id] {
					if !hasNew(open[id], before) && !w.editedSince(id, p.fenced[id]) {
						w.breaks("nobody is dismissed twice for the same risk", "service principal %s", id)
					}
				}
				w.apps.dismissed[id] = append(w.apps.dismissed[id], open[id])
			}
			w.apps.acted = append(w.apps.acted, time.Now())
		}
		recent := 0
		for _, at := range w.apps.acted {
			if time.Since(at) < 24*time.Hour {
				recent++
			}
		}
		if recent > maxPrincipals {
			w.breaks("the limits hold", "%d service principals in 24 h", recent)
		}
	}
}

var principalIDs = regexp.MustCompile(`servicePrincipalId eq '([^']+)'`)

// rememberPrincipals keeps which service principals the process has read right
// before it writes.
func (p *process) rememberPrincipals(path string, q url.Values) {
	if path != "/identityProtection/servicePrincipalRiskDetections" {
		return
	}
	for _, m := range principalIDs.FindAllStringSubmatch(q.Get("$filter"), -1) {
		p.fenced[m[1]] = time.Now()
	}
}

// accountPrincipals checks at the end that each effect has an outcome.
func (w *world) accountPrincipals(accounted map[plan.Kind]map[string]bool) {
	for id := range w.apps.dismissed {
		if !accounted[plan.DismissServicePrincipal][id] {
			w.breaks("every effect is accounted for", "the dismissal of the service principal %s has no outcome in any journal or report", id)
		}
	}
	for id := range w.apps.confirmed {
		if !accounted[plan.ConfirmServicePrincipalCompromised][id] {
			w.breaks("every effect is accounted for", "the confirmation of the service principal %s has no outcome in any journal or report", id)
		}
	}
}

// handlePrincipals lets a process carry out what a person orders for some service
// principals, among them now and then one that no order may reach.
func (w *world) handlePrincipals(t *testing.T, p *process, base int) {
	p.ordered, p.meant = true, w.work.IntN(3) > 0
	p.faulty = []int{0, 2, 6}[w.work.IntN(3)]
	kind := plan.PrincipalKinds()[w.work.IntN(len(plan.PrincipalKinds()))]
	var names []string
	for _, s := range w.list("/identityProtection/riskyServicePrincipals?$filter=riskState eq 'atRisk'") {
		if w.work.IntN(2) == 0 {
			names = append(names, s["displayName"].(string))
		}
	}
	if len(names) == 0 {
		return
	}
	w.say("a person orders: %s of %v", kind, names)
	_, _ = w.carryOut(context.Background(), t, p, sweep.Request{Mode: sweep.Apply, Order: &sweep.Order{Kind: kind, Users: names, Privileged: p.meant}}, base) // as it may
}

// Killed at any request around its writes, with one service principal to dismiss
// and one to confirm, the next runs converge, nothing is done twice, and the
// reports account for everything.
func TestServicePrincipalsThroughKills(t *testing.T) {
	scene := func(w *world) {
		for name, kind := range map[string]string{"Build Pipeline": "suspiciousSignins", "Contoso Payroll": "leakedCredentials"} {
			level := map[string]string{"suspiciousSignins": "low", "leakedCredentials": "high"}[kind]
			if _, err := w.sim.Raise(graphsim.Raised{ServicePrincipal: name, RiskEventType: kind, RiskLevel: level, IPAddress: "203.0.113.7"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	settleAll := func(w *world) {
		for _, p := range w.list("/identityProtection/riskyServicePrincipals?$filter=riskState eq 'atRisk'") {
			w.call("POST", "/identityProtection/riskyServicePrincipals/dismiss", map[string]any{"servicePrincipalIds": []any{p["id"]}})
		}
		time.Sleep(time.Minute)
	}
	first, last := 0, 0
	calm(t, func(w *world) {
		settleAll(w)
		scene(w)
		p := w.process("whole", 10)
		w.run(t, p, 0)
		first, last = p.requests-24, p.requests
		if len(w.apps.acted) != 2 {
			t.Errorf("%d service principals were acted on", len(w.apps.acted))
		}
	})
	for at := max(1, first); at <= last; at += 3 {
		calm(t, func(w *world) {
			settleAll(w)
			scene(w)
			p := w.process("killed", 10)
			p.dieAt, p.dieLate = at, at%2 == 0
			w.run(t, p, 0)
			for n := range 2 {
				time.Sleep(settle + time.Minute)
				w.run(t, w.process(fmt.Sprint("next", n), uint64(20+n)), 0)
			}
			if d, c := len(w.apps.dismissed[w.apps.ids["Build Pipeline"]]), w.apps.confirmed[w.apps.ids["Contoso Payroll"]]; d != 1 || !c || len(w.apps.acted) != 2 {
				t.Errorf("killed at %d: dismissed %d times, confirmed %t, %d acts", at, d, c, len(w.apps.acted))
			}
		})
	}
}

// Neither a rule nor an order reaches the job's own identity, also where a token
// does not show it.
func TestNoOrderReachesTheOwnIdentity(t *testing.T) {
	for _, opaque := range []bool{false, true} {
		calm(t, func(w *world) {
			if _, err := w.sim.Raise(graphsim.Raised{ServicePrincipal: "risk-sweeper", RiskEventType: "suspiciousSignins", RiskLevel: "low", IPAddress: "203.0.113.7"}); err != nil {
				t.Fatal(err)
			}
			if opaque {
				w.apps.claims = ""
			}
			w.run(t, w.process("rules", 10), 0)
			for n, kind := range plan.PrincipalKinds() {
				res := w.byHand(t, w.process("order", uint64(20+n)), kind, "risk-sweeper")
				if len(res.Outcomes) != 1 || res.Outcomes[0].Status != plan.SkippedBlocked {
					t.Errorf("%s: %v", kind, res.Outcomes)
				}
			}
		})
	}
}
