package apply

import (
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

var _ = enter(plan.ConfirmSafe, userAction{
	already: func(live *Live) string {
		if live.User.RiskState == entra.StateConfirmedSafe && len(live.Detections) == 0 {
			return isState(live.User)
		}
		return ""
	},
	// A user whose risk was closed before shows nothing by that.
	taken: func(want plan.Action, live *Live) bool {
		return live.User.RiskState == entra.StateConfirmedSafe || want.Risk.RiskState.Open() && !live.User.RiskState.Open()
	},
})
