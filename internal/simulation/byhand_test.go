package simulation

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

// byHand lets a process carry out what a person ordered.
func (w *world) byHand(t *testing.T, p *process, kind plan.Kind, users ...string) sweep.Result {
	t.Helper()
	p.ordered, p.meant = true, true
	res, err := w.carryOut(context.Background(), t, p, sweep.Request{Mode: sweep.Apply, Order: &sweep.Order{Kind: kind, Users: users, Privileged: true}}, 0)
	if err != nil || res.Err != nil {
		t.Errorf("the order: %v, %v", err, res.Err)
	}
	return res
}

// atRisk raises a detection for each user.
func (w *world) atRisk(t *testing.T, upns ...string) {
	t.Helper()
	for _, upn := range upns {
		if _, err := w.sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: "unfamiliarFeatures", RiskLevel: "low", IPAddress: "198.51.100.99"}); err != nil {
			t.Fatal(upn, err)
		}
	}
}

// An order by hand leaves alone whom it must, also where no triage file is
// configured, where it is not known who is a break-glass account, and where the
// risk lists spell ids otherwise than the directory.
func TestNoOrderReachesWhoIsProtected(t *testing.T) {
	misspelt, p := baseline.Parse("b.yaml", []byte(strings.Replace(baselines[0], "CA Break Glass", "CA Brake Glass", 1)))
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	shouts := false
	noTriage := func(s *sweep.Sweeper) { s.Triage = nil }
	for _, c := range []struct {
		name, user, why string
		change          func(*sweep.Sweeper)
	}{
		{"with rules", "bg1@contoso.com", "break-glass account", func(*sweep.Sweeper) {}},
		{"protected", "ceo@contoso.com", "protected", func(*sweep.Sweeper) {}},
		{"without rules", "bg1@contoso.com", "break-glass account", noTriage},
		{"misspelt", "ada@contoso.com", "CA Brake Glass", func(s *sweep.Sweeper) { s.Triage, s.Baseline = nil, misspelt }},
		{"misspelt, with rules", "ada@contoso.com", "CA Brake Glass", func(s *sweep.Sweeper) { s.Baseline = misspelt }},
	} {
		for _, kind := range plan.OrderKinds() {
			shouts = !shouts
			calm(t, func(w *world) {
				w.shouts = shouts
				w.atRisk(t, c.user)
				by := w.process("order", 10)
				by.change = c.change
				res := w.byHand(t, by, kind, c.user)
				if len(res.Outcomes) != 1 || res.Outcomes[0].Status != plan.SkippedBlocked || !strings.Contains(res.Outcomes[0].Detail, c.why) {
					t.Errorf("%s, %s: %v", c.name, kind, res.Outcomes)
				}
			})
		}
	}
}

// An order that closes the risk of somebody who holds a directory role, and does
// not say that such are meant, does nothing at all, whoever gives it; nor does
// one while roles cannot be read.
func TestNoOrderReachesWhoHoldsARole(t *testing.T) {
	for _, noRules := range []bool{false, true} {
		for _, kind := range []plan.Kind{plan.Dismiss, plan.ConfirmSafe, plan.ConfirmCompromised} {
			calm(t, func(w *world) {
				holder := ""
				for _, upn := range slices.Sorted(maps.Keys(w.names)) {
					if id := w.names[upn]; w.vpn[id] && w.never[id] && !w.protected[id] && !slices.Contains(w.breakGlass, id) {
						holder = upn
					}
				}
				w.atRisk(t, "ada@contoso.com", holder)
				by := w.process("order", 10)
				by.ordered = true
				by.change = func(s *sweep.Sweeper) {
					if noRules {
						s.Triage = nil
					}
				}
				order := &sweep.Order{Kind: kind, Users: []string{"ada@contoso.com", holder}}
				res, err := w.carryOut(context.Background(), t, by, sweep.Request{Mode: sweep.Apply, Order: order}, 0)
				if err != nil {
					t.Fatal(err)
				}
				if kind == plan.ConfirmCompromised {
					if res.Err != nil {
						t.Errorf("%s: %v", kind, res.Err)
					}
					return
				}
				if !errors.Is(res.Err, entra.ErrPrivileged) || !strings.Contains(res.Err.Error(), holder+" ") || len(res.Outcomes) > 0 {
					t.Errorf("%s: %v, %v", kind, res.Err, res.Outcomes)
				}
			})
		}
	}
}

// An order by hand is held to the same share of the users at risk as a sweep.
func TestAnOrderIsHeldToTheShare(t *testing.T) {
	calm(t, func(w *world) {
		var upns []string
		for _, upn := range slices.Sorted(maps.Keys(w.names)) {
			if !w.never[w.names[upn]] && !strings.Contains(upn, "#ext#") {
				upns = append(upns, upn)
			}
		}
		for _, upn := range upns {
			_, _ = w.sim.Raise(graphsim.Raised{UserPrincipalName: upn, RiskEventType: "unfamiliarFeatures", RiskLevel: "low", IPAddress: "198.51.100.99"}) // a deleted account takes none
		}
		risky := w.list("/identityProtection/riskyUsers?$filter=riskState eq 'atRisk'")
		if len(risky) < 20 {
			t.Fatalf("%d users are at risk", len(risky))
		}
		var ids []string
		for _, u := range risky {
			if id := u["id"].(string); !w.protected[id] && !slices.Contains(w.breakGlass, id) && u["isDeleted"] != true && u["isProcessing"] != true {
				ids = append(ids, id)
			}
		}
		order := func(name string, n uint64, users []string) sweep.Result {
			by := w.process(name, n)
			by.share = 0.25
			by.change = func(s *sweep.Sweeper) {
				s.Settings.Limits.MaxShareOfRiskyUsers, s.Settings.Limits.MaxDismissals = 0.25, 100
			}
			w.dismissals24 = 100
			return w.byHand(t, by, plan.Dismiss, users...)
		}
		within := len(risky) / 4
		if res := order("too many", 10, ids[:within+1]); res.Status != sweep.Refused {
			t.Errorf("%d of %d: %s", within+1, len(risky), res.Status)
		}
		if res := order("within", 20, ids[:within]); res.Status != sweep.Succeeded {
			t.Errorf("%d of %d: %s %v", within, len(risky), res.Status, res.Outcomes)
		}
		if res := order("one more", 30, ids[within:within+1]); res.Status != sweep.Refused {
			t.Errorf("one more: %s", res.Status)
		}
	})
}

// An order for what the tenant shows already sends nothing and counts nowhere.
func TestAnOrderForWhatIsDoneAlready(t *testing.T) {
	for _, kind := range []plan.Kind{plan.Dismiss, plan.ConfirmCompromised, plan.ConfirmSafe} {
		calm(t, func(w *world) {
			w.atRisk(t, "ada@contoso.com")
			want := []plan.OutcomeStatus{plan.Done, plan.SkippedAlready, plan.SkippedAlready, plan.SkippedAlready}
			for n, status := range want {
				by := w.process("order", uint64(10+n))
				by.change = func(s *sweep.Sweeper) {
					s.Settings.Limits.MaxDismissals, s.Settings.Limits.MaxConfirmCompromised = 1, 1
				}
				res := w.byHand(t, by, kind, "ada@contoso.com")
				if len(res.Outcomes) != 1 || res.Outcomes[0].Status != status || res.Status != sweep.Succeeded {
					t.Errorf("%s, order %d: %s %v %v", kind, n+1, res.Status, res.Outcomes, res.Plan.Violations)
				}
				time.Sleep(time.Minute)
			}
		})
	}
}
