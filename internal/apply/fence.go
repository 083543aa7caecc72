package apply

import (
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// Moved says in what a live user is no longer what the plan saw, or nothing.
// What cannot be seen counts as moved.
func Moved(want *plan.Risk, live *Live) string {
	switch {
	case want == nil:
		return "the plan holds no evidence of the user's risk"
	case live == nil || live.User == nil:
		return "the user is no longer among the risky users"
	}
	u := live.User
	switch {
	case u.IsDeleted == nil || *u.IsDeleted:
		return "the user is deleted"
	case u.IsProcessing == nil || *u.IsProcessing:
		return "the service is still processing the user's risk"
	case u.RiskState != want.RiskState:
		return fmt.Sprintf("riskState was %s and is %s now", want.RiskState, u.RiskState)
	case u.RiskLevel != want.RiskLevel:
		return fmt.Sprintf("riskLevel was %s and is %s now", want.RiskLevel, u.RiskLevel)
	case u.RiskLastUpdatedDateTime != want.RiskLastUpdatedDateTime:
		return fmt.Sprintf("riskLastUpdatedDateTime was %s and is %s now", want.RiskLastUpdatedDateTime, u.RiskLastUpdatedDateTime)
	}
	was := make(map[string]plan.SeenDetection, len(want.Detections))
	for _, d := range want.Detections {
		was[d.ID] = d
	}
	n := 0
	for _, d := range live.Detections {
		if !d.RiskState.Open() {
			continue
		}
		w, ok := was[d.ID]
		switch {
		case !ok:
			return fmt.Sprintf("detection %s (%s) came since the plan", d.ID, d.RiskEventType)
		case w.RiskState != d.RiskState:
			return fmt.Sprintf("detection %s was %s and is %s now", d.ID, w.RiskState, d.RiskState)
		case w.RiskLevel != d.RiskLevel:
			return fmt.Sprintf("detection %s was of level %s and is %s now", d.ID, w.RiskLevel, d.RiskLevel)
		}
		n++
	}
	if n != len(was) {
		return fmt.Sprintf("%d of %d open detections are closed since the plan", len(was)-n, len(was))
	}
	return ""
}

// Already says in what a user shows the effect of an order before it is sent, or
// nothing. While the service is at work on the user nobody knows.
func Already(kind plan.Kind, u *entra.RiskyUser, open int) string {
	if u.IsProcessing == nil || *u.IsProcessing {
		return ""
	}
	switch {
	case kind == plan.Dismiss && !u.RiskState.Open() && open == 0:
		return fmt.Sprintf("nothing is open that could be dismissed: riskState is %s already", u.RiskState)
	case kind == plan.ConfirmCompromised && u.RiskState == entra.StateConfirmedCompromised,
		kind == plan.ConfirmSafe && u.RiskState == entra.StateConfirmedSafe && open == 0:
		return fmt.Sprintf("riskState is %s already", u.RiskState)
	}
	return ""
}

// taken says whether an order on a user has had its effect, and whether
// anything of it shows at all. The user's planned detections are the better
// witness: risk that came after the order puts the user back atRisk.
func taken(kind plan.Kind, want *plan.Risk, live *Live) (done, begun bool) {
	if want == nil || live == nil || live.User == nil {
		return false, false
	}
	u := live.User
	begun = (u.IsProcessing != nil && *u.IsProcessing) || u.RiskState != want.RiskState ||
		u.RiskLastUpdatedDateTime != want.RiskLastUpdatedDateTime
	processing := u.IsProcessing == nil || *u.IsProcessing
	switch kind {
	case plan.ConfirmCompromised:
		return !processing && u.RiskState == entra.StateConfirmedCompromised, begun
	case plan.ConfirmSafe: // a user whose risk was closed before shows nothing by that
		return !processing && (u.RiskState == entra.StateConfirmedSafe || want.RiskState.Open() && !u.RiskState.Open()), begun
	}
	open := map[string]plan.SeenDetection{}
	for _, d := range live.Detections {
		if d.RiskState.Open() {
			open[d.ID] = d
		}
	}
	for _, d := range want.Detections {
		now, still := open[d.ID]
		if still && !(entra.Returns(d.RiskEventType) && now.LastUpdatedDateTime != d.LastUpdatedDateTime) {
			return false, begun
		}
	}
	if len(want.Detections) == 0 || !u.RiskState.Open() {
		return !processing && !u.RiskState.Open(), begun
	}
	// Back at risk: only something newer than the order can be the reason.
	return !processing && len(open) > 0 && u.RiskLastUpdatedDateTime != want.RiskLastUpdatedDateTime, begun
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
