package decide_test

import (
	"slices"
	"testing"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/decide"
	"github.com/risksweep/risksweep/internal/triage"
)

// Who is not helped by what a run did is in the queue, whatever kept it back.
func TestPersonIsNeededWhereNothingWasDone(t *testing.T) {
	left := map[plan.OutcomeStatus]bool{plan.Done: false, plan.SkippedAlready: false, plan.Processing: false, plan.SkippedPlanMode: false,
		plan.NotTaken: true, plan.OverDismissed: true, plan.Moved: true, plan.Failed: true, plan.Unknown: true, plan.NotAttempted: true,
		plan.SkippedEnforce: true, plan.SkippedLimits: true, plan.SkippedBlocked: true, "of a later version": true}
	open := []triage.Detection{{ID: "d1", EventType: "passwordSpray", Level: entra.LevelHigh}}
	for status, want := range left {
		for _, kind := range append(plan.UserKinds(), plan.DismissServicePrincipal, plan.ConfirmServicePrincipalCompromised) {
			for _, state := range []entra.RiskState{entra.StateAtRisk, entra.StateDismissed} {
				row := report.UserRow{User: entra.RiskyUser{ID: "u1", RiskState: state}, Open: open, Decision: triage.Decision{Verdict: triage.Dismiss, Reasons: []string{"why"}}}
				want := want && state == entra.StateAtRisk
				if (kind == plan.ConfirmCompromised || kind == plan.ConfirmServicePrincipalCompromised) && (status == plan.Done || status == plan.SkippedAlready || status == plan.Processing) {
					want = true // the account is in other hands until a person secures it
				}
				got := decide.Person(row.Decision, row.User.RiskState, row.Open, []plan.Outcome{{Kind: plan.EnableAccount, Status: plan.Done}, {Kind: kind, Status: status, Detail: "because"}})
				if got.NeedsPerson != want {
					t.Errorf("%s %s of a user %s: needs a person: %t", kind, status, state, got.NeedsPerson)
				}
				if want && (got.Reasons[0] != triage.Shows(open) || got.Reasons[1] != "why" || len(got.Reasons) != 3) {
					t.Errorf("%s %s: reasons %q", kind, status, got.Reasons)
				}
				if !slices.Equal(row.Decision.Reasons, []string{"why"}) {
					t.Error("the reasons of the plan were changed")
				}
			}
		}
	}
	row := report.UserRow{User: entra.RiskyUser{RiskState: entra.StateAtRisk}, Decision: triage.Decision{Verdict: triage.Dismiss}}
	if !decide.Person(row.Decision, row.User.RiskState, row.Open, nil).NeedsPerson {
		t.Error("a run that ended before it planned has settled nothing")
	}
}
