package apply

import (
	"fmt"

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
	switch u := live.User; {
	case u.IsDeleted == nil || *u.IsDeleted:
		return "the user is deleted"
	case processing(u):
		return "the service is still processing the user's risk"
	}
	return movedRisk(want, live)
}

// movedRisk says in what the risk of somebody is no longer what the plan saw.
func movedRisk(want *plan.Risk, live *Live) string {
	switch u := live.User; {
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
