package simulation

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/sweep"
)

// What was done half a day ago counts for the limits as what was done just now.
func TestTheLimitsCountAWholeDay(t *testing.T) {
	calm(t, func(w *world) {
		raiseAda(t, w)
		w.run(t, w.process("first", 10), 0)
		w.dismissals24 = len(w.dismissals)
		if w.dismissals24 == 0 {
			t.Fatal("nobody is dismissed")
		}
		for n := range 2 {
			time.Sleep(11*time.Hour + 30*time.Minute)
			raiseAda(t, w)
			if res := w.run(t, w.process(fmt.Sprint("later", n), uint64(20+n)), 0); res.Status != sweep.Refused {
				t.Errorf("one more dismissal within the day: %s, %v", res.Status, res.Err)
			}
		}
		time.Sleep(90 * time.Minute)
		if res := w.run(t, w.process("the day after", 30), 0); res.Status != sweep.Succeeded {
			t.Errorf("the day after: %s, %v", res.Status, res.Err)
		}
	})
}

// A run says last what it has read, the first one and those that follow.
func TestTheWatermarkMovesLast(t *testing.T) {
	calm(t, func(w *world) {
		var marks []time.Time
		for n := range 2 {
			raiseAda(t, w)
			w.run(t, w.process(fmt.Sprint("run", n), uint64(10+n)), 0) // the oracle looks on
			var state ledger.State
			if err := json.Unmarshal(w.stored("contoso/state.json"), &state); err != nil {
				t.Fatal(err)
			}
			marks = append(marks, state.Watermark)
			time.Sleep(settle + time.Minute)
		}
		if marks[0].IsZero() || !marks[1].After(marks[0]) {
			t.Errorf("the watermarks are %s", marks)
		}
	})
}

// A credential of another tenant than the one that is configured writes nowhere.
func TestASignInToAnotherTenant(t *testing.T) {
	calm(t, func(w *world) {
		raiseAda(t, w)
		p := w.process("foreign", 10)
		p.foreign = true
		if res := w.run(t, p, 0); res.Status != sweep.Failed || res.Err == nil || !strings.Contains(res.Err.Error(), "the sign-in leads to tenant") {
			t.Errorf("%s, %v", res.Status, res.Err)
		}
	})
}

// A token that is revoked in mid-run costs one request; one that is refused for
// ever ends the run.
func TestATokenThatIsRevoked(t *testing.T) {
	for at := 1; at < 30; at += 2 {
		calm(t, func(w *world) {
			raiseAda(t, w)
			p := w.process("revoked", 10)
			p.revokeAt = at
			if res := w.run(t, p, 0); res.Status != sweep.Succeeded {
				t.Errorf("revoked at request %d: %s, %v", at, res.Status, res.Err)
			}
		})
	}
	calm(t, func(w *world) {
		p := w.process("barred", 10)
		p.barred = true
		p.tokens.revoked = 1 << 30
		if res := w.run(t, p, 0); res.Status != sweep.Failed || !errors.Is(res.Err, entra.ErrUnauthorized) {
			t.Errorf("refused for ever: %s, %v", res.Status, res.Err)
		}
	})
}

// Whatever passes while the store takes a line in, or after it has it, no write
// rests on what was true before.
func TestAnAppendThatTakesLong(t *testing.T) {
	for at := 1; at <= 6; at++ {
		for _, late := range []bool{false, true} {
			for _, stalls := range []bool{false, true} {
				calm(t, func(w *world) {
					raiseAda(t, w)
					p := w.process("slow", 10)
					p.slowFrom, p.slowFor, p.slowLate = at, 55*time.Second, late
					p.slowly = func() {
						if stalls {
							w.stall(p)
						}
						w.mustRaise("ada@contoso.com")
					}
					w.run(t, p, 0)
					time.Sleep(settle + time.Minute)
				})
			}
		}
	}
}

// While nobody knows whether HOLD is set nothing more leaves, from whichever look
// at it on, though the lease holds.
func TestAHoldThatCannotBeLookedFor(t *testing.T) {
	for from := 1; from <= 8; from++ {
		calm(t, func(w *world) {
			raiseAda(t, w)
			writes := func() int { return len(w.dismissals) + len(w.confirmed) + len(w.ours) }
			looks, before := 0, -1
			w.store.Fault = func(_, name string) error {
				if !strings.HasSuffix(name, "/HOLD") {
					return nil
				}
				if looks++; looks < from {
					return nil
				}
				if before < 0 {
					before = writes()
				}
				return errors.New("the file cannot be read")
			}
			res := w.run(t, w.process("blind", 10), 0)
			w.store.Fault = nil
			if before < 0 || writes() != before || res.Status == sweep.Succeeded {
				t.Errorf("look %d: %s, %v; %d writes before and %d in all", from, res.Status, res.Err, before, writes())
			}
		})
	}
}

// A store that is taken away in mid-run lets nothing more leave.
func TestAStoreThatVanishes(t *testing.T) {
	for at := 1; at < 90; at += 3 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 7)
			defer w.close()
			w.quiet, w.poison, w.share, w.pageSize = true, "", 0, 500
			raiseAda(t, w)
			p := w.process("bereft", 10)
			p.goneCall, p.vanishes = at, true
			s, err := p.sweeper(w.bases[0])
			if err != nil {
				t.Fatal(err)
			}
			res, err := s.Run(t.Context(), sweep.Request{Mode: sweep.Apply})
			if p.gone && err == nil && res.Status == sweep.Succeeded {
				t.Errorf("call %d of the store: the run succeeded without it", at)
			}
			for _, b := range w.broken {
				t.Errorf("call %d of the store: %s", at, b)
			}
		})
	}
}
