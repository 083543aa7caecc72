package apply

import (
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

var _ = enter(plan.ConfirmCompromised, userAction{
	already: func(u *entra.RiskyUser, _ int) string {
		if u.RiskState == entra.StateConfirmedCompromised {
			return isState(u)
		}
		return ""
	},
	taken: func(_ *plan.Risk, live *Live) bool { return live.User.RiskState == entra.StateConfirmedCompromised },
})
