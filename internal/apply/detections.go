package apply

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// Feedback on single sign-ins: the detections of these are closed, and what else
// is open of the user stays open.

var _ = enter(plan.DismissDetections, onDetections)

var _ = enter(plan.SafeDetections, onDetections)

var onDetections = userAction{
	already: func(*Live) string { return "" }, // nobody orders it by hand
	moved:   func(_ *run, a plan.Action, live *Live) string { return movedDetections(a, live) },
	taken: func(want plan.Action, live *Live) bool {
		closes := want.Closes()
		return len(closes) > 0 && !slices.ContainsFunc(live.Detections, func(d plan.SeenDetection) bool {
			return d.RiskState.Open() && slices.Contains(closes, d.ID)
		})
	},
	effect: overClosed,
}

// movedDetections says in what the sign-ins are no longer what the plan saw. What
// else is open of the user does not matter, unless it belongs to one of them.
func movedDetections(a plan.Action, live *Live) string {
	switch {
	case a.Risk == nil || len(a.Close) == 0:
		return "the plan holds no evidence of the sign-ins"
	case live == nil || live.User == nil:
		return "the user is no longer among the risky users"
	}
	switch u := live.User; {
	case u.IsDeleted == nil || *u.IsDeleted:
		return "the user is deleted"
	case processing(u):
		return "the service is still processing the user's risk"
	case u.RiskState != a.Risk.RiskState:
		return fmt.Sprintf("riskState was %s and is %s now", a.Risk.RiskState, u.RiskState)
	}
	now := map[string]plan.SeenDetection{}
	for _, d := range live.Detections {
		if d.RiskState.Open() {
			now[d.ID] = d
		}
	}
	was := map[string]plan.SeenDetection{}
	for _, d := range a.Risk.Detections {
		was[d.ID] = d
	}
	for _, s := range a.Close {
		for _, id := range s.Detections {
			switch w, d := was[id], now[id]; {
			case d.ID == "":
				return fmt.Sprintf("detection %s is closed since the plan", id)
			case w.RiskState != d.RiskState || w.RiskLevel != d.RiskLevel || !strings.EqualFold(d.RequestID, s.RequestID):
				return fmt.Sprintf("detection %s is no longer what the plan saw", id)
			}
		}
		for _, d := range now {
			if strings.EqualFold(d.RequestID, s.RequestID) && !slices.Contains(s.Detections, d.ID) {
				return fmt.Sprintf("detection %s (%s) of the same sign-in came since the plan", d.ID, d.RiskEventType)
			}
		}
	}
	return ""
}

// overClosed says what else was closed together with the sign-ins, or after them.
func overClosed(want plan.Action, live *Live) (plan.OutcomeStatus, string) {
	closes := want.Closes()
	var effect time.Time
	for _, d := range live.Detections {
		if t, ok := d.LastUpdatedDateTime.Time(); ok && slices.Contains(closes, d.ID) && (effect.IsZero() || t.Before(effect)) {
			effect = t
		}
	}
	var over []string
	for _, d := range live.Detections {
		t, ok := d.LastUpdatedDateTime.Time()
		byHand := d.RiskState == entra.StateDismissed || d.RiskState == entra.StateConfirmedSafe
		if byHand && !slices.Contains(closes, d.ID) && !effect.IsZero() && (!ok || !t.Before(effect)) {
			over = append(over, fmt.Sprintf("%s (%s, %s)", d.ID, d.RiskEventType, d.RiskLevel))
		}
	}
	if len(over) > 0 {
		return plan.OverDismissed, "with the sign-ins was closed what the plan did not cover: " + strings.Join(over, ", ")
	}
	if live.User.RiskState.Open() {
		return plan.Done, "the user stays " + string(live.User.RiskState) + " " + string(live.User.RiskLevel) + " by what is left open"
	}
	return plan.Done, ""
}
