package simulation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep"
)

// What the seeds have found, each in the smallest course of events that shows
// it.

// calm runs f in a world where nothing happens but what f lets happen.
func calm(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 7)
		defer w.close()
		w.quiet, w.poison, w.dismissals24, w.share, w.shouts, w.pageSize = true, "", 8, 0, false, 500
		f(w)
		w.atTheEnd()
		for _, b := range w.broken {
			t.Error(b)
		}
		if t.Failed() {
			t.Log("\n" + strings.Join(w.trace, "\n"))
		}
	})
}

// A store that takes some of a run's first files and not the others was a
// panic.
func TestAStoreThatFillsUpWhileARunBegins(t *testing.T) {
	for _, file := range []string{"detections.jsonl", "detections.csv", "users.jsonl", "users.csv"} {
		calm(t, func(w *world) {
			w.store.Fault = func(op, name string) error {
				if op == "create" && strings.HasSuffix(name, "/"+file) {
					return errors.New("no space left on device")
				}
				return nil
			}
			if res := w.run(t, w.process("full", 10), 0); res.Status != sweep.Failed || len(w.ours) > 0 {
				t.Errorf("%s: %s, %v", file, res.Status, res.Err)
			}
			w.store.Fault = nil
			if res := w.run(t, w.process("next", 20), 0); res.Err != nil {
				t.Errorf("%s: the next run: %v", file, res.Err)
			}
		})
	}
}

// A run that died between the intent and the order left users behind on whom the
// next one acted at once, though it said of them that they were still pending.
func TestAnOrderThatMayStillTakeEffectHoldsItsUserBack(t *testing.T) {
	pending := 0
	for at := 40; at < 70; at++ {
		calm(t, func(w *world) {
			first := w.process("dies", 10)
			first.dieAt = at
			w.run(t, first, 0)
			p, err := w.process("plan", 20).sweeper(w.bases[0])
			if err != nil {
				t.Fatal(err)
			}
			res, err := p.Run(context.Background(), sweep.Request{Mode: sweep.Plan})
			if err != nil || res.Err != nil {
				t.Fatal(err, res.Err)
			}
			for _, s := range res.Settled {
				if s.Status != plan.SettledPending {
					continue
				}
				pending++
				for _, a := range res.Plan.Actions {
					if a.Subject.ID == s.Subject.ID && a.Status == plan.Ready {
						t.Errorf("died at request %d: the plan has %s of %s ready, who is pending", at, a.Kind, a.Subject.Name)
					}
				}
			}
			w.run(t, w.process("next", 30), 0) // the oracle looks on
			time.Sleep(settle + time.Minute)
			w.run(t, w.process("later", 40), 0)
			w.settled(t, 0)
		})
	}
	if pending == 0 {
		t.Error("no run died between an intent and its order")
	}
}

// A run whose lease ended while another came between wrote a manifest that
// followed the same one as the other's.
func TestALostLeaseDoesNotForkTheChain(t *testing.T) {
	for at := 1; at < 30; at += 4 {
		calm(t, func(w *world) {
			w.run(t, w.process("before", 10), 0)
			p := w.process("stalled", 20)
			w.second(t, p, at, true, 1)
			w.run(t, p, 1)
			time.Sleep(settle + time.Minute) // the write that it was about to send
			w.run(t, w.process("after", 30), 1)
			w.settled(t, 1)
		})
	}
}

// A process that was taken for dead and was only slow went on in the folder of
// the run that another process had taken up meanwhile: its plan replaced the
// one that the journal and the manifest are about.
func TestTwoProcessesUnderOneRunID(t *testing.T) {
	for _, dies := range []int{0, 21} {
		for at := 2; at < 30; at += 4 {
			calm(t, func(w *world) {
				w.run(t, w.process("before", 10), 0)
				time.Sleep(time.Hour)
				id, err := ledger.NewRunID(time.Now())
				if err != nil {
					t.Fatal(err)
				}
				order := sweep.Request{Mode: sweep.Apply, Run: id}
				slow := w.process("slow", 20)
				slow.between = func(n int) {
					if n != at {
						return
					}
					slow.between = nil
					w.stall(slow)
					other := w.process("other", 21)
					other.dieAt = dies
					_, _ = w.carryOut(context.Background(), t, other, order, 1) // as it may
				}
				_, _ = w.carryOut(context.Background(), t, slow, order, 1) // as it may
				time.Sleep(settle + time.Minute)
				if res := w.run(t, w.process("after", 30), 1); res.Err != nil {
					t.Errorf("stalled before request %d: the next run: %v", at, res.Err)
				}
				w.settled(t, 1)
			})
		}
	}
}

// A manifest that was on its way to the store when the lease ended joined a
// chain that had gone on without it.
func TestALeaseThatEndsBeforeTheManifest(t *testing.T) {
	calm(t, func(w *world) {
		w.run(t, w.process("before", 10), 0)
		p := w.process("stalled", 20)
		w.store.Fault = func(op, name string) error {
			if p.stalled || op != "put" || !strings.HasSuffix(name, "/manifest.json") {
				return nil
			}
			w.stall(p)
			w.run(t, w.process("between", 21), 1)
			return nil
		}
		w.run(t, p, 1)
		w.store.Fault = nil
		w.run(t, w.process("after", 30), 1)
		w.settled(t, 1)
	})
}

// A dismissal that was lost on its way held its user back for good, or went to
// a person as one that had no effect.
func TestALostDismissalThatNeverCameAbout(t *testing.T) {
	calm(t, func(w *world) {
		first := w.process("loses", 10)
		lost := 0
		first.lose = func(path string) bool {
			if !strings.HasSuffix(path, "/riskyUsers/dismiss") {
				return false
			}
			lost++
			return true
		}
		if _, err := w.sim.Raise(graphsim.Raised{UserPrincipalName: "ada@contoso.com", RiskEventType: "unfamiliarFeatures", RiskLevel: "low", IPAddress: "203.0.113.7"}); err != nil {
			t.Fatal(err)
		}
		w.run(t, first, 0)
		if ada := w.names["ada@contoso.com"]; lost == 0 || len(w.dismissed[ada]) > 0 {
			t.Fatalf("%d dismissals were lost, ada's dismissed %d times", lost, len(w.dismissed[ada]))
		}
		time.Sleep(settle + time.Minute)
		w.run(t, w.process("next", 20), 0)
		if ada := w.names["ada@contoso.com"]; len(w.dismissed[ada]) != 1 {
			t.Errorf("ada is dismissed %d times", len(w.dismissed[ada]))
		}
		w.settled(t, 0)
	})
}

// diesAfterItsCreates lets a run die once its three objects stand in the
// tenant, before any of them has an outcome: at the request of the last create,
// which then is never answered, or for 0 after the answer.
func diesAfterItsCreates(t *testing.T, w *world, skew time.Duration, lastCreate int) {
	t.Helper()
	p := w.process("dies", 10)
	p.skew.Store(int64(skew))
	p.dieAt, p.dieLate = lastCreate, true
	p.between = func(int) {
		if len(w.ours) == 3 {
			p.mu.Lock()
			p.die("the verifying list")
			p.mu.Unlock()
		}
	}
	w.run(t, p, 0)
	if len(w.ours) != 3 {
		t.Fatalf("%d objects were made before it died", len(w.ours))
	}
}

// lastCreate is which request of a run in a calm world makes the last of its
// three objects.
func lastCreate(t *testing.T) int {
	t.Helper()
	n := 0
	calm(t, func(w *world) {
		p := w.process("whole", 10)
		p.between = func(next int) {
			if len(w.ours) < 3 {
				n = next
			}
		}
		w.run(t, p, 0)
	})
	return n
}

// A policy whose create was never answered was made anew if it referred to a
// location whose create was not answered either.
func TestALostCreateThatRefersToAnother(t *testing.T) {
	last := lastCreate(t)
	calm(t, func(w *world) {
		diesAfterItsCreates(t, w, 0, last)
		time.Sleep(settle + time.Minute)
		w.run(t, w.process("next", 20), 0)
		w.settled(t, 0)
		if len(w.ours) != 3 {
			t.Errorf("%d objects are there", len(w.ours))
		}
	})
}

// What a machine has made whose clock runs ahead was taken for older than its
// intent, and so for somebody else's.
func TestALostCreateByAClockThatIsAhead(t *testing.T) {
	last := lastCreate(t)
	calm(t, func(w *world) {
		diesAfterItsCreates(t, w, 3*time.Hour, last)
		time.Sleep(settle + time.Minute)
		w.run(t, w.process("next", 20), 0)
		w.settled(t, 0)
		if len(w.ours) != 3 {
			t.Errorf("%d objects are there", len(w.ours))
		}
	})
}

// A lost create that somebody edits before anybody looks is one all the same.
func TestALostCreateThatWasEditedSince(t *testing.T) {
	last := lastCreate(t)
	calm(t, func(w *world) {
		diesAfterItsCreates(t, w, 0, last)
		time.Sleep(time.Minute)
		for id, name := range w.ours {
			if strings.HasPrefix(name, "P") {
				w.call("PATCH", "/identity/conditionalAccess/policies/"+id, map[string]any{"displayName": "renamed " + name})
			}
		}
		time.Sleep(settle)
		w.run(t, w.process("next", 20), 0)
		w.settled(t, 0)
		if len(w.ours) != 3 {
			t.Errorf("%d objects are there", len(w.ours))
		}
	})
}

// What a run has made, and knows the id of, was made again once somebody had
// edited it in more than one member.
func TestAnAnsweredCreateThatWasEditedSince(t *testing.T) {
	calm(t, func(w *world) {
		diesAfterItsCreates(t, w, 0, 0)
		time.Sleep(time.Minute)
		for id, name := range w.ours {
			if strings.HasPrefix(name, "P") {
				w.call("PATCH", "/identity/conditionalAccess/policies/"+id, map[string]any{"displayName": "renamed " + name, "state": "disabled"})
			}
		}
		time.Sleep(settle)
		w.run(t, w.process("next", 20), 0)
		w.settled(t, 0)
		if len(w.ours) != 3 {
			t.Errorf("%d objects are there", len(w.ours))
		}
	})
}

// A plan after a run that died said of what that had made that it is not ours.
func TestAPlanKnowsWhatADeadRunMade(t *testing.T) {
	calm(t, func(w *world) {
		diesAfterItsCreates(t, w, 0, 0)
		time.Sleep(time.Minute)
		s, err := w.process("plan", 20).sweeper(w.bases[0])
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Run(context.Background(), sweep.Request{Mode: sweep.Plan})
		if err != nil {
			t.Fatal(err)
		}
		inSync := 0
		for _, e := range res.Entries {
			if w.ours[string(e.ID)] != "" && e.Status == drift.InSync {
				inSync++
			} else if e.Key != "" {
				t.Errorf("%s is %s: %v", e.Key, e.Status, e.Reasons)
			}
		}
		if inSync != 3 {
			t.Errorf("%d of 3 are in sync", inSync)
		}
		time.Sleep(settle)
		w.run(t, w.process("next", 30), 0)
		w.settled(t, 0)
	})
}

// A machine whose clock is behind writes run ids that sort before the run that
// they follow.
func TestClocksThatDisagree(t *testing.T) {
	calm(t, func(w *world) {
		w.run(t, w.process("ahead", 10), 0)
		for i, skew := range []time.Duration{-3 * time.Minute, 3 * time.Minute, -3 * time.Minute} {
			p := w.process("skewed", uint64(20+i))
			p.skew.Store(int64(skew))
			w.run(t, p, 1)
		}
		w.store.Fault = func(op, name string) error { // the state cannot be read once
			if op == "get" && strings.HasSuffix(name, "state.json") {
				w.store.Fault = nil
				return errors.New("the store is away")
			}
			return nil
		}
		w.run(t, w.process("blind", 30), 1)
		w.run(t, w.process("last", 40), 1)
	})
}

// A rollback of a run that died right before it made a policy deleted the policy
// that the next run had made.
func TestARollbackLeavesWhatAnotherRunMade(t *testing.T) {
	at := 0
	calm(t, func(w *world) {
		p := w.process("whole", 10)
		w.run(t, p, 0)
		at = 1 + slices.Index(p.sent, "POST /identity/conditionalAccess/policies")
	})
	calm(t, func(w *world) {
		first := w.process("dies", 10)
		first.dieAt = at
		w.run(t, first, 0)
		time.Sleep(settle + time.Minute)
		w.run(t, w.process("next", 20), 0)
		time.Sleep(settle + time.Minute)
		back := w.process("back", 30)
		back.ordered, back.undoes = true, first.run
		res, err := w.carryOut(context.Background(), t, back, sweep.Request{Mode: sweep.Apply, Rollback: &sweep.Rollback{Run: first.run}}, 0)
		if err != nil || !first.dead || len(res.Outcomes) == 0 {
			t.Errorf("%v, %s: %v %v", first.dead, res.Status, res.Outcomes, err)
		}
	})
}
