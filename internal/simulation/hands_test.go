package simulation

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

// handle lets a process carry out what a person orders for some users, among
// them now and then one whom no order may reach.
func (w *world) handle(t *testing.T, p *process, hands *rand.Rand, base int) {
	p.ordered, p.meant = true, w.seed%3 > 0
	p.faulty = []int{0, 2, 6}[hands.IntN(3)]
	if hands.IntN(4) == 0 {
		p.holdAt = 1 + hands.IntN(20)
	}
	if hands.IntN(4) == 0 {
		p.slowFrom, p.slowFor, p.slowLate = 1+hands.IntN(4), 55*time.Second, hands.IntN(2) == 0
	}
	kind := plan.OrderKinds()[hands.IntN(len(plan.OrderKinds()))]
	if hands.IntN(3) == 0 {
		upn := []string{"bg1@contoso.com", "bg2@contoso.com", "ceo@contoso.com"}[hands.IntN(3)]
		w.mustRaise(upn)
	}
	var users []string
	for _, u := range w.list("/identityProtection/riskyUsers?$filter=riskState eq 'atRisk'") {
		id := u["id"].(string)
		if slices.Contains(w.breakGlass, id) || hands.IntN(4) == 0 {
			users = append(users, id)
		}
	}
	if len(users) == 0 {
		return
	}
	users = users[:1+hands.IntN(len(users))]
	w.say("a person orders: %s of %v", kind, users)
	_, _ = w.carryOut(context.Background(), t, p, sweep.Request{Mode: sweep.Apply, Order: &sweep.Order{Kind: kind, Users: users, Privileged: p.meant}}, base) // as it may
	w.release()
}

// mustRaise raises a detection that no allowlist covers.
func (w *world) mustRaise(upn string) {
	id, err := w.sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: "leakedCredentials", RiskLevel: "medium", IPAddress: "198.51.100.99"})
	if err != nil {
		panic(err) // they are in the tenant
	}
	w.arrived[id] = time.Now()
}

// crowd puts so many users at risk that the limit on their share counts.
func (w *world) crowd(hands *rand.Rand) {
	for _, upn := range sortedNames(w) {
		ip := []string{"203.0.113.7", "203.0.113.7", "198.51.100.99"}[hands.IntN(3)]
		kind := "unfamiliarFeatures"
		if hands.IntN(5) == 0 {
			kind = "passwordSpray"
		}
		level := "low"
		if kind == "passwordSpray" {
			level = "high"
		}
		if id, err := w.sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: kind, RiskLevel: level, IPAddress: ip}); err == nil {
			w.arrived[id] = time.Now()
		}
	}
}

// countAtRisk notes who is at risk while a process reads it.
func (w *world) countAtRisk(p *process) {
	now := w.list("/identityProtection/riskyUsers?$filter=riskState eq 'atRisk'")
	if len(p.atRisk) == 0 {
		p.fewest = len(now)
	}
	p.fewest = min(p.fewest, len(now))
	for _, u := range now {
		p.atRisk[u["id"].(string)] = true
	}
}

// shareFrom is the number of users at risk from which on their share counts. A
// few more are asked for: a list that moves while it is read may be shorter.
const shareFrom = 20 + 3

// checkShare holds all actions on users of one day to a share of those who were
// at risk when the process read it, and of those who were settled before.
func (w *world) checkShare(p *process, n int) {
	before, done := 0, 0
	for _, at := range slices.Concat(w.dismissals, w.confirmed) {
		if time.Since(at) < 24*time.Hour {
			if done++; at.Before(p.began) {
				before++
			}
		}
	}
	base := len(p.atRisk) + before
	if p.fewest+before >= shareFrom && float64(done+n) > p.allowedShare()*float64(base) {
		w.breaks("the share of the users at risk holds", "%d of %d: %d at risk, %d settled before", done+n, base, len(p.atRisk), before)
	}
}

// beforeState checks a state that is about to be stored: what it says was read
// stands in a complete run.
func (w *world) beforeState(p *process, data []byte) {
	var before, after ledger.State
	_ = json.Unmarshal(w.stored("contoso/state.json"), &before) // empty at first
	if err := json.Unmarshal(data, &after); err != nil {
		w.breaks("the state can be read", "%v", err)
	}
	if !after.Watermark.After(before.Watermark) || p.run == "" { // or a test set it
		return
	}
	if _, err := ledger.New(w.store, "contoso", ledger.Options{Now: time.Now}).Manifest(context.Background(), p.run); err != nil {
		w.breaks("the watermark moves once the manifest stands", "run %s: %v", p.run, err)
	}
}
