package simulation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim"
)

// befall lets something happen to the tenant, as it may between any two
// requests.
func (w *world) befall() {
	if w.quiet {
		return
	}
	if w.work.IntN(100) < 4 {
		w.raisePrincipal()
	}
	switch n := w.events.IntN(100); {
	case n < 6:
		w.raise()
	case n < 7:
		w.remediate()
	case n == 98:
		w.settledAtOnce()
	case n < 9:
		w.edit()
	}
}

// raise lets a detection arrive, most often for somebody whom the allowlist
// names.
func (w *world) raise() {
	upns := make([]string, 0, len(w.names))
	for upn, id := range w.names {
		if w.vpn[id] {
			upns = append(upns, upn)
		}
	}
	slices.Sort(upns)
	switch w.events.IntN(8) {
	case 0, 1: // for anybody
		upns = slices.Sorted(maps.Keys(w.names))
	case 2: // for whom no rule may touch
		upns = slices.DeleteFunc(slices.Sorted(maps.Keys(w.names)), func(upn string) bool { return !w.never[w.names[upn]] })
	}
	kind := []string{"anonymizedIPAddress", "unfamiliarFeatures", "passwordSpray", "leakedCredentials"}[w.events.IntN(4)]
	level := []string{"low", "medium", "high"}[w.events.IntN(3)]
	ip := []string{"203.0.113.7", "198.51.100.99"}[w.events.IntN(2)]
	if ip == "198.51.100.99" && len(w.arrived)%2 == 1 {
		ip = "192.0.2.7"
	}
	if w.events.IntN(2) == 0 { // such as the allowlist covers
		kind, level, ip = []string{"anonymizedIPAddress", "unfamiliarFeatures"}[w.events.IntN(2)], []string{"low", "medium"}[w.events.IntN(2)], "203.0.113.7"
	}
	upn := upns[w.events.IntN(len(upns))]
	id, err := w.sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: kind, RiskLevel: level, IPAddress: ip})
	if err != nil {
		return // a guest, or an account that is deleted
	}
	w.arrived[id] = time.Now()
	w.say("event: %s %s from %s for %s (%.8s)", kind, level, ip, upn, id)
}

// settledAtOnce lets a detection arrive that the user has settled at the
// sign-in, and that the service shows only a day later, dated back.
func (w *world) settledAtOnce() {
	for _, upn := range slices.Sorted(maps.Keys(w.names)) {
		id := w.names[upn]
		if w.vpn[id] || w.never[id] || w.events.IntN(4) > 0 {
			continue
		}
		d, err := w.sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: "unlikelyTravel", RiskLevel: "low"})
		if err != nil {
			continue
		}
		_ = w.sim.Remediate(upn, "userPassedMFADrivenByRiskBasedPolicy") // of no consequence
		w.edited[id] = time.Now()
		w.late[d] = time.Now().Add(time.Duration(w.events.IntN(20)) * time.Hour)
		w.say("event: unlikelyTravel for %s, settled at once (%.8s), shows at %s", upn, d, w.late[d].Format(time.DateTime))
		return
	}
}

func (w *world) remediate() {
	for _, u := range w.list("/identityProtection/riskyUsers?$filter=riskState eq 'atRisk'") {
		if w.events.IntN(3) == 0 {
			_ = w.sim.Remediate(u["userPrincipalName"].(string), "userPassedMFADrivenByRiskBasedPolicy") // of no consequence
			w.edited[u["id"].(string)] = time.Now()
			w.say("event: %v remediates", u["userPrincipalName"])
			return
		}
	}
}

// edit changes or deletes a policy by hand.
func (w *world) edit() {
	policies := w.list("/identity/conditionalAccess/policies")
	if len(policies) == 0 {
		return
	}
	p := policies[w.events.IntN(len(policies))]
	id := p["id"].(string)
	switch w.events.IntN(4) {
	case 0:
		w.call("PATCH", "/identity/conditionalAccess/policies/"+id, map[string]any{"state": "enabledForReportingButNotEnforced"})
	case 1:
		w.call("PATCH", "/identity/conditionalAccess/policies/"+id, map[string]any{"displayName": fmt.Sprint("edited ", w.events.IntN(1000))})
	case 2:
		w.call("PATCH", "/identity/conditionalAccess/policies/"+id, map[string]any{"grantControls": map[string]any{"operator": "OR", "builtInControls": []any{"block"}}})
	case 3:
		if _, owned := w.ours[id]; !owned || w.events.IntN(3) > 0 {
			return
		}
		w.call("DELETE", "/identity/conditionalAccess/policies/"+id, nil)
	}
	w.edited[id] = time.Now()
	w.say("event: %v is edited by hand", p["displayName"])
}

// hold lets somebody set HOLD while a request of the process is under way.
func (w *world) hold(p *process) {
	if err := w.store.Put(context.Background(), "contoso/HOLD", []byte("an incident")); err != nil {
		panic(err) // it is in memory
	}
	w.held = fmt.Sprint(p.name, p.requests)
	w.say("event: HOLD is set")
}

// release takes HOLD away.
func (w *world) release() {
	if err := w.store.Delete(context.Background(), "contoso/HOLD"); err != nil {
		panic(err) // it is in memory
	}
	w.held = ""
}
