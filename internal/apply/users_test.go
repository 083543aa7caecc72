package apply_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// run carries out the actions in virtual time.
func run(t *testing.T, o apply.Options) (res apply.Result, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { res, err = apply.Run(t.Context(), o) })
	return res, err
}

func TestDismissIsFencedJournaledAndReadBack(t *testing.T) {
	x, j := newTenant(), &diary{}
	res, err := run(t, options(x, j, x.user("u1", "d1"), x.user("u2", "d2", "d3")))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]plan.OutcomeStatus{"a-u1": plan.Done, "a-u2": plan.Done}
	if d := cmp.Diff(want, statuses(res)); d != "" {
		t.Error(d)
	}
	lines := []string{"intent dismiss a-u1 a-u2", "outcome a-u1 done", "outcome a-u2 done"}
	if d := cmp.Diff(lines, j.lines); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"dismiss [u1 u2]"}, x.calls); d != "" {
		t.Error(d)
	}
}

// A row of nobody in the fence's answer may be anybody's of the batch.
func TestAFenceWithARowOfNobodyLetsNobodyThrough(t *testing.T) {
	x, j := newTenant(), &diary{}
	acts := []plan.Action{x.user("u1", "d1"), x.user("u2", "d2")}
	x.astray, x.detections["d9"] = true, &entra.Detection{ID: "d9", RiskState: "atRisk", RiskLevel: "low"}
	res, err := run(t, options(x, j, acts...))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]plan.OutcomeStatus{"a-u1": plan.NotAttempted, "a-u2": plan.NotAttempted}, statuses(res)); d != "" {
		t.Error(d)
	}
	if len(x.calls) > 0 {
		t.Errorf("written: %v", x.calls)
	}
}

func TestFenceDropsWhoMoved(t *testing.T) {
	for name, move := range map[string]func(*tenant){
		"new detection": func(x *tenant) {
			x.detections["d9"] = &entra.Detection{ID: "d9", UserID: "u1", RiskState: "atRisk", RiskLevel: "low"}
		},
		"closed detection":    func(x *tenant) { x.detections["d1"].RiskState = "remediated" },
		"other state":         func(x *tenant) { x.detections["d1"].RiskState = "confirmedCompromised" },
		"other level":         func(x *tenant) { x.detections["d1"].RiskLevel = "high" },
		"user's state":        func(x *tenant) { x.users["u1"].RiskState = "remediated" },
		"user's level":        func(x *tenant) { x.users["u1"].RiskLevel = "high" },
		"user's last update":  func(x *tenant) { x.users["u1"].RiskLastUpdatedDateTime = "2026-01-02T00:00:00Z" },
		"processing":          func(x *tenant) { *x.users["u1"].IsProcessing = true },
		"processing unknown":  func(x *tenant) { x.users["u1"].IsProcessing = nil },
		"deleted":             func(x *tenant) { *x.users["u1"].IsDeleted = true },
		"deletedness unknown": func(x *tenant) { x.users["u1"].IsDeleted = nil },
		"gone":                func(x *tenant) { delete(x.users, "u1") },
	} {
		t.Run(name, func(t *testing.T) {
			x, j := newTenant(), &diary{}
			a, b := x.user("u1", "d1"), x.user("u2", "d2")
			move(x)
			res, err := run(t, options(x, j, a, b))
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]plan.OutcomeStatus{"a-u1": plan.Moved, "a-u2": plan.Done}
			if d := cmp.Diff(want, statuses(res)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff([]string{"dismiss [u2]"}, x.calls); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestOneBadIDCostsOnlyItself(t *testing.T) {
	x, j := newTenant(), &diary{}
	var actions []plan.Action
	for i := range 130 {
		actions = append(actions, x.user(fmt.Sprintf("u%03d", i), fmt.Sprintf("d%03d", i)))
	}
	x.before = func(call string) error {
		if call == "dismiss" && strings.Contains(x.calls[len(x.calls)-1], "u077") {
			return fmt.Errorf("u077 is bad: %w", entra.ErrBadRequest)
		}
		return nil
	}
	res, err := run(t, options(x, j, actions...))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range res.Outcomes {
		want := plan.Done
		if o.Subject.ID == "u077" {
			want = plan.Failed
		}
		if o.Status != want {
			t.Errorf("%s: %s (%s), want %s", o.Subject.ID, o.Status, o.Detail, want)
		}
	}
	for _, c := range x.calls {
		if n := strings.Count(c, "u"); n > plan.BatchSize {
			t.Errorf("a batch of %d ids", n)
		}
	}
}

func TestLostAnswer(t *testing.T) {
	lost := fmt.Errorf("connection reset: %w", entra.ErrUnknownOutcome)
	t.Run("after the effect", func(t *testing.T) {
		x, j := newTenant(), &diary{}
		x.after = func(string) error { return lost }
		res, _ := run(t, options(x, j, x.user("u1", "d1")))
		if d := cmp.Diff(map[string]plan.OutcomeStatus{"a-u1": plan.Done}, statuses(res)); d != "" {
			t.Error(d)
		}
	})
	t.Run("before the effect", func(t *testing.T) {
		x, j := newTenant(), &diary{}
		x.before = func(call string) error {
			if call == "dismiss" {
				return lost
			}
			return nil
		}
		res, _ := run(t, options(x, j, x.user("u1", "d1")))
		if d := cmp.Diff(map[string]plan.OutcomeStatus{"a-u1": plan.Unknown}, statuses(res)); d != "" {
			t.Error(d)
		}
		if len(x.calls) != 1 {
			t.Errorf("sent %v, want one order and no second try", x.calls)
		}
	})
	// That the user has changed does not say that the order did it.
	t.Run("before the effect, while new risk comes", func(t *testing.T) {
		x, j := newTenant(), &diary{}
		a := x.user("u1", "d1")
		x.before = func(call string) error {
			if call != "dismiss" {
				return nil
			}
			x.users["u1"].RiskLastUpdatedDateTime = "2026-01-02T00:00:00Z"
			x.detections["d2"] = &entra.Detection{ID: "d2", UserID: "u1", RiskState: "atRisk", RiskLevel: "medium"}
			return lost
		}
		res, _ := run(t, options(x, j, a))
		if d := cmp.Diff(map[string]plan.OutcomeStatus{"a-u1": plan.Unknown}, statuses(res)); d != "" {
			t.Error(d)
		}
	})
}

func TestOverDismissed(t *testing.T) {
	x, j := newTenant(), &diary{}
	a := x.user("u1", "d1")
	x.before = func(call string) error {
		if call == "dismiss" { // arrives between fence and effect
			x.detections["late"] = &entra.Detection{ID: "late", UserID: "u1", RiskEventType: "leakedCredentials", RiskState: "atRisk", RiskLevel: "high"}
		}
		return nil
	}
	res, _ := run(t, options(x, j, a))
	if got := res.Outcomes[0]; got.Status != plan.OverDismissed || !strings.Contains(got.Detail, "late (leakedCredentials, high)") {
		t.Errorf("outcome %s: %s", got.Status, got.Detail)
	}
}

// A user may be at risk by its own, with nothing open beneath: what was closed
// before is not the order's doing, what came meanwhile is.
func TestNothingPlannedIsNotOverDismissed(t *testing.T) {
	for _, meanwhile := range []bool{false, true} {
		x, j := newTenant(), &diary{}
		a := x.user("u1")
		const earlier = "1999-12-31T23:59:00Z" // virtual time begins a minute later
		x.detections["closed"] = &entra.Detection{ID: "closed", UserID: "u1", RiskEventType: "anonymizedIPAddress",
			RiskState: entra.StateDismissed, RiskLevel: "none", LastUpdatedDateTime: earlier}
		x.users["u1"].RiskLastUpdatedDateTime, a.Risk.RiskLastUpdatedDateTime = earlier, earlier
		x.before = func(call string) error {
			if meanwhile && call == "dismiss" {
				x.detections["late"] = &entra.Detection{ID: "late", UserID: "u1", RiskEventType: "leakedCredentials", RiskState: "atRisk", RiskLevel: "high"}
			}
			return nil
		}
		res, _ := run(t, options(x, j, a))
		want := plan.Done
		if meanwhile {
			want = plan.OverDismissed
		}
		got := res.Outcomes[0]
		if got.Status != want || strings.Contains(got.Detail, "closed (") || strings.Contains(got.Detail, "late (") != meanwhile {
			t.Errorf("new risk meanwhile %t: outcome %s: %s", meanwhile, got.Status, got.Detail)
		}
	}
}

func TestWithoutEffectIsNotTaken(t *testing.T) {
	x, j := newTenant(), &diary{}
	x.ignore = true
	res, _ := run(t, options(x, j, x.user("u1", "d1")))
	if got := res.Outcomes[0].Status; got != plan.NotTaken {
		t.Errorf("outcome %s, want %s", got, plan.NotTaken)
	}
}

func TestNothingIsSentWithoutJournal(t *testing.T) {
	x, j := newTenant(), &diary{fail: 1}
	res, err := run(t, options(x, j, x.user("u1", "d1")))
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("error %v, want the journal's", err)
	}
	if len(x.calls) != 0 {
		t.Errorf("sent %v", x.calls)
	}
	if got := res.Outcomes[0].Status; got != plan.NotAttempted {
		t.Errorf("outcome %s", got)
	}
}

func TestGateStopsTheRest(t *testing.T) {
	x, j := newTenant(), &diary{}
	var actions []plan.Action
	for i := range 61 {
		actions = append(actions, x.user(fmt.Sprintf("u%02d", i), fmt.Sprintf("d%02d", i)))
	}
	o := options(x, j, actions...)
	asked := 0
	o.Gate = func(context.Context, time.Duration) error {
		if asked++; asked > 3 { // before the fence, after it and at the departure
			return errors.New("HOLD: incident 7")
		}
		return nil
	}
	res, err := run(t, o)
	if err != nil {
		t.Fatal(err)
	}
	last := res.Outcomes[60]
	if last.Status != plan.NotAttempted || last.Detail != "not attempted: HOLD: incident 7" {
		t.Errorf("last outcome %s: %s", last.Status, last.Detail)
	}
	if res.Outcomes[0].Status != plan.Done {
		t.Errorf("first outcome %s: what went out is seen through", res.Outcomes[0].Status)
	}
}

func TestPermissionStopsTheKind(t *testing.T) {
	x, j := newTenant(), &diary{}
	x.before = func(call string) error {
		if call == "dismiss" {
			return fmt.Errorf("role missing: %w", entra.ErrForbidden)
		}
		return nil
	}
	var actions []plan.Action
	for i := range 70 {
		actions = append(actions, x.user(fmt.Sprintf("u%02d", i), fmt.Sprintf("d%02d", i)))
	}
	res, _ := run(t, options(x, j, actions...))
	if len(x.calls) != 1 {
		t.Errorf("sent %d batches, want 1", len(x.calls))
	}
	if a, b := res.Outcomes[0].Status, res.Outcomes[69].Status; a != plan.Failed || b != plan.NotAttempted {
		t.Errorf("outcomes %s and %s", a, b)
	}
}
