package apply_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTenant()
		taken, open := x.user("u1", "d1"), x.user("u2", "d2")
		if _, err := x.ActOnUsers(t.Context(), plan.Dismiss, []string{"u1"}); err != nil {
			t.Fatal(err)
		}
		made := create("a1", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "All"))
		never := create("a2", plan.CreatePolicy, entra.KindPolicy, "Q", policyDoc("Q", "All"))
		intents := []apply.Intent{{Run: "r0", At: time.Now(), ServiceTime: time.Now(), Action: taken}, {Run: "r0", At: time.Now(), ServiceTime: time.Now(), Action: open},
			{Run: "r0", At: time.Now(), ServiceTime: time.Now(), Action: made}, {Run: "r0", At: time.Now(), ServiceTime: time.Now(), Action: never}}
		if _, _, err := x.CreateObject(t.Context(), entra.KindPolicy, made.Change.Body); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after        time.Duration
			user, object plan.OutcomeStatus
			took         time.Duration // in which objects are looked for
		}{
			{time.Minute, plan.SettledPending, plan.SettledNotTaken, time.Minute},
			{15 * time.Minute, plan.SettledNotTaken, plan.SettledNotTaken, 0},
		} {
			began := time.Now()
			got, err := apply.Settle(t.Context(), x, intents, apply.Patience{Pending: 15 * time.Minute, Visibility: time.Minute,
				Now: func() time.Time { return time.Now().Add(c.after) }}, map[string]bool{})
			if err != nil || time.Since(began) != c.took {
				t.Fatal(err, time.Since(began))
			}
			want := []plan.OutcomeStatus{plan.SettledTaken, c.user, plan.SettledTaken, c.object}
			for i, s := range got {
				if s.Outcome.Status != want[i] {
					t.Errorf("after %v: %s is %s, want %s", c.after, s.Outcome.Action, s.Outcome.Status, want[i])
				}
			}
			if got[2].Made == nil || got[2].Made.ID != "new-1" {
				t.Errorf("made %+v", got[2].Made)
			}
		}
	})
}

// What a create was answered with stands for its key, whatever somebody has made of
// it since; without the answer nothing tells it from what others have made.
func TestSettleAnAnsweredCreate(t *testing.T) {
	for answered, want := range map[string]plan.OutcomeStatus{"new-1": plan.SettledTaken, "": plan.SettledNotTaken, "new-2": plan.SettledNotTaken} {
		x := newTenant()
		made := create("a1", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "All"))
		if _, _, err := x.CreateObject(t.Context(), entra.KindPolicy, policyDoc("edited", "None")); err != nil {
			t.Fatal(err)
		}
		got, err := apply.Settle(t.Context(), x, []apply.Intent{{Run: "r0", ServiceTime: time.Now(), Action: made, Made: answered}},
			apply.Patience{Pending: time.Minute, Visibility: time.Minute, Now: time.Now}, map[string]bool{})
		if err != nil || got[0].Outcome.Status != want {
			t.Errorf("answered with %q: %+v, %v", answered, got, err)
		}
	}
}

// What an earlier run may have made is waited for, not made again.
func TestSettleWaitsForWhatShowsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTenant()
		late := create("a1", plan.CreatePolicy, entra.KindPolicy, "P", policyDoc("P", "All"))
		began := time.Now()
		x.before = func(call string) error {
			if call == "list" && x.next == 0 && time.Since(began) > 20*time.Second {
				_, _, err := x.CreateObject(t.Context(), entra.KindPolicy, late.Change.Body)
				return err
			}
			return nil
		}
		p := apply.Patience{Now: time.Now, Pending: 15 * time.Minute, Visibility: time.Minute}
		got, err := apply.Settle(t.Context(), x, []apply.Intent{{Run: "r0", At: time.Now(), ServiceTime: time.Now(), Action: late}}, p, map[string]bool{})
		if err != nil || got[0].Outcome.Status != plan.SettledTaken || got[0].Made.ID != "new-1" {
			t.Error(err, got)
		}
	})
}
