package apply

import (
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

var _ = enter(plan.ConfirmSafe, userAction{
	already: func(u *entra.RiskyUser, open int) string {
		if u.RiskState == entra.StateConfirmedSafe && open == 0 {
			return isState(u)
		}
		return ""
	},
	// A user whose risk was closed before shows nothing by that.
	taken: func(want *plan.Risk, live *Live) bool {
		return live.User.RiskState == entra.StateConfirmedSafe || want.RiskState.Open() && !live.User.RiskState.Open()
	},
})
