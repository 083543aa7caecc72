package apply

import (
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

var _ = enter(plan.ConfirmCompromised, confirmation)

var confirmation = userAction{
	already: func(live *Live) string {
		if live.User.RiskState == entra.StateConfirmedCompromised {
			return isState(live.User)
		}
		return ""
	},
	taken: func(_ plan.Action, live *Live) bool { return live.User.RiskState == entra.StateConfirmedCompromised },
}
