package simulation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/sweep"
)

// raiseAda gives Ada risk that the allowlist covers.
func raiseAda(t *testing.T, w *world) {
	t.Helper()
	if _, err := w.sim.Raise(graphsim.Raised{UserPrincipalName: "ada@contoso.com", RiskEventType: "unfamiliarFeatures", RiskLevel: "low", IPAddress: "203.0.113.7"}); err != nil {
		t.Fatal(err)
	}
}

// Whatever of the two clocks is wrong: entries end and limits count by them.
func TestClocksThatAreFarApartStopWriting(t *testing.T) {
	for _, skew := range []time.Duration{-7 * 365 * 24 * time.Hour, -37 * time.Hour, 37 * time.Hour, 70 * 365 * 24 * time.Hour} {
		calm(t, func(w *world) {
			raiseAda(t, w)
			p := w.process("far", 10)
			p.skew.Store(int64(skew))
			res := w.run(t, p, 0)
			if res.Status != sweep.Failed || res.Err == nil || !strings.Contains(res.Err.Error(), "the clocks differ") {
				t.Errorf("%s apart: %s, %v", skew, res.Status, res.Err)
			}
			if n := len(w.dismissed[w.names["ada@contoso.com"]]); n > 0 {
				t.Errorf("%s apart: ada is dismissed", skew)
			}
			w.run(t, w.process("right", 20), 0)
			w.settled(t, 0)
		})
	}
}

// A watermark that a wrong clock has moved to the future hid what was settled
// since, and no full sweep came until then.
func TestAWatermarkInTheFutureIsDoubted(t *testing.T) {
	calm(t, func(w *world) {
		w.run(t, w.process("before", 10), 0)
		p := w.process("far", 20)
		s, err := p.sweeper(w.bases[0])
		if err != nil {
			t.Fatal(err)
		}
		state, version, err := s.Ledger.State(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		state.Watermark, state.LastFull = state.Watermark.AddDate(70, 0, 0), state.LastFull.AddDate(70, 0, 0)
		if _, err := s.Ledger.SaveState(context.Background(), state, version); err != nil {
			t.Fatal(err)
		}
		res := w.run(t, p, 0)
		if !strings.Contains(strings.Join(res.Findings, "\n"), "is yet to come") {
			t.Errorf("findings %q", res.Findings)
		}
		if state, _, err = s.Ledger.State(context.Background()); err != nil || state.LastFull.After(time.Now().Add(time.Hour)) {
			t.Errorf("the last full sweep was %s, %v", state.LastFull, err)
		}
	})
}

// A run that was due days ago and is made up now counts for the limits of today.
func TestAMadeUpRunCountsForTheLimitsOfToday(t *testing.T) {
	calm(t, func(w *world) {
		raiseAda(t, w)
		late := sweep.Request{Mode: sweep.Apply, Run: ledger.RunID(time.Now().AddDate(0, 0, -9), [3]byte{1, 2, 3})}
		if _, err := w.carryOut(context.Background(), t, w.process("late", 10), late, 0); err != nil {
			t.Fatal(err)
		}
		if n := len(w.dismissed[w.names["ada@contoso.com"]]); n != 1 {
			t.Fatalf("ada is dismissed %d times", n)
		}
		w.dismissals24 = len(w.dismissals)
		raiseAda(t, w)
		if res := w.run(t, w.process("today", 20), 0); res.Status != sweep.Refused {
			t.Errorf("one more dismissal within the day: %s, %v", res.Status, res.Err)
		}
	})
}
