package apply_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// closing plans that the sign-in of the first detection is closed.
func closing(x *tenant) plan.Action {
	a := x.user("u1", "d1", "d2")
	x.detections["d1"].RequestID, x.detections["d2"].RequestID = "r1", "r2"
	a.Risk.Detections[0].RequestID, a.Risk.Detections[1].RequestID = "r1", "r2"
	a.Kind, a.Close = plan.DismissDetections, []plan.SignIn{{RequestID: "r1", Detections: []string{"d1"}}}
	return a
}

// Exactly the planned detections are closed, whatever else is open; and what
// moved, or was closed besides, is noticed.
func TestSingleDetections(t *testing.T) {
	for name, c := range map[string]struct {
		befall, with func(*tenant)
		want         plan.OutcomeStatus
	}{
		"nothing happened": {nil, nil, plan.Done},
		"there is new risk": {func(x *tenant) {
			x.detections["d3"] = &entra.Detection{ID: "d3", UserID: "u1", RiskState: "atRisk", RiskLevel: "high"}
		}, nil, plan.Done},
		"new risk of a sign-in": {func(x *tenant) {
			x.detections["d3"] = &entra.Detection{ID: "d3", UserID: "u1", RiskState: "atRisk", RequestID: "R1"}
		}, nil, plan.Moved},
		"it is closed":          {func(x *tenant) { x.detections["d1"].RiskState = "remediated" }, nil, plan.Moved},
		"it rose":               {func(x *tenant) { x.detections["d1"].RiskLevel = "high" }, nil, plan.Moved},
		"it is another sign-in": {func(x *tenant) { x.detections["d1"].RequestID = "r9" }, nil, plan.Moved},
		"the user is confirmed": {func(x *tenant) { x.users["u1"].RiskState = "confirmedCompromised" }, nil, plan.Moved},
		"too much was closed": {nil, func(x *tenant) {
			x.detections["d2"].RiskState, x.detections["d2"].LastUpdatedDateTime = "dismissed", "2026-02-01T00:00:00Z"
		}, plan.OverDismissed},
		"nothing was closed": {nil, func(x *tenant) {
			x.detections["d1"].RiskState, x.detections["d1"].LastUpdatedDateTime = "atRisk", "2026-01-01T00:00:00Z"
		}, plan.NotTaken},
	} {
		t.Run(name, func(t *testing.T) {
			x, j := newTenant(), &diary{}
			a := closing(x)
			if c.befall != nil {
				c.befall(x)
			}
			x.after = func(string) error {
				if c.with != nil {
					c.with(x)
				}
				return nil
			}
			res, err := run(t, options(x, j, a))
			if err != nil || res.Outcomes[0].Status != c.want {
				t.Errorf("%v, %v; want %s", res.Outcomes, err, c.want)
			}
			if sent := slices.Contains(x.calls, "dismissDetections [r1]"); sent != (c.want != plan.Moved) {
				t.Errorf("sent: %v", x.calls)
			}
		})
	}
}

// A request names no more than sixty sign-ins, and an action stays whole.
func TestBatchesOfSignIns(t *testing.T) {
	of := func(n int) plan.Action {
		return plan.Action{Kind: plan.DismissDetections, Close: make([]plan.SignIn, n)}
	}
	var got []int
	for list := []plan.Action{of(60), of(1), of(30), of(30), of(2)}; len(list) > 0; {
		n := plan.Batch(plan.DismissDetections, list)
		got, list = append(got, n), list[n:]
	}
	if d := cmp.Diff([]int{1, 2, 2}, got); d != "" {
		t.Error(d)
	}
}
