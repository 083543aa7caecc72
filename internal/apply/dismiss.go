package apply

import (
	"fmt"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

var _ = enter(plan.Dismiss, dismissal)

var dismissal = userAction{
	already: func(live *Live) string {
		if !live.User.RiskState.Open() && len(live.Detections) == 0 {
			return "nothing is open that could be dismissed: " + isState(live.User)
		}
		return ""
	},
	taken: func(want plan.Action, live *Live) bool { return dismissed(want.Risk, live) },
	effect: func(want plan.Action, live *Live) (plan.OutcomeStatus, string) {
		return dismissalEffect(want.Risk, live)
	},
	otherwise: func(u *entra.RiskyUser) bool {
		return u.RiskState == entra.StateRemediated || u.RiskState == entra.StateConfirmedSafe
	},
}

// dismissed judges by the planned detections: new risk may have set the user
// back to atRisk.
func dismissed(want *plan.Risk, live *Live) bool {
	u, open := live.User, map[string]plan.SeenDetection{}
	for _, d := range live.Detections {
		if d.RiskState.Open() {
			open[d.ID] = d
		}
	}
	for _, d := range want.Detections {
		now, still := open[d.ID]
		if still && !(entra.ComesBack(d.RiskEventType) && now.LastUpdatedDateTime != d.LastUpdatedDateTime) {
			return false
		}
	}
	if len(want.Detections) == 0 || !u.RiskState.Open() {
		return !u.RiskState.Open()
	}
	// Back at risk: only something newer than the order can be the reason.
	return len(open) > 0 && u.RiskLastUpdatedDateTime != want.RiskLastUpdatedDateTime
}

// dismissalEffect says what else a dismissal closed, or what came after it.
func dismissalEffect(want *plan.Risk, live *Live) (plan.OutcomeStatus, string) {
	if over := overDismissed(want, live); len(over) > 0 {
		var names []string
		for _, d := range over {
			names = append(names, fmt.Sprintf("%s (%s, %s)", d.ID, d.RiskEventType, d.RiskLevel))
		}
		return plan.OverDismissed, "the dismissal also closed what the plan did not cover: " + strings.Join(names, ", ")
	}
	if u := live.User; u.RiskState.Open() {
		return plan.Done, "new risk came after the dismissal: " + string(u.RiskState) + " " + string(u.RiskLevel)
	}
	return plan.Done, ""
}

// overDismissed lists the detections that the dismissal closed although the
// plan did not cover them: dismissed together with, or after, the planned
// ones; where none was planned, after the user's risk as the plan saw it.
func overDismissed(want *plan.Risk, live *Live) []plan.SeenDetection {
	planned := make(map[string]bool, len(want.Detections))
	for _, d := range want.Detections {
		planned[d.ID] = true
	}
	var effect time.Time
	for _, d := range live.Detections {
		if t, ok := d.LastUpdatedDateTime.Time(); ok && planned[d.ID] && (effect.IsZero() || t.Before(effect)) {
			effect = t
		}
	}
	if seen, ok := want.RiskLastUpdatedDateTime.Time(); ok && effect.IsZero() {
		effect = seen.Add(1)
	}
	var out []plan.SeenDetection
	for _, d := range live.Detections {
		t, ok := d.LastUpdatedDateTime.Time()
		if !planned[d.ID] && d.RiskState == entra.StateDismissed && (!ok || !t.Before(effect)) {
			out = append(out, d)
		}
	}
	return out
}
