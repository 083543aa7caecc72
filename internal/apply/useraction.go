package apply

import (
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// userAction says how the effect of one kind of action on a user shows. Each
// kind has a file of its own, which enters it here. None is asked about a user
// whom the service is still at work on.
type userAction struct {
	// already says in what a user shows the effect before the order is sent, or
	// nothing.
	already func(live *Live) string
	// moved says in what a live user is no longer what the plan saw; nil asks
	// Moved.
	moved func(r *run, a plan.Action, live *Live) string
	// taken reports whether the order has had its effect on the user. The
	// user's state alone is not enough: risk that came after the order puts the
	// user back atRisk.
	taken func(want plan.Action, live *Live) bool
	// effect says what is to be told of an effect, beyond that it shows; nil if
	// nothing is.
	effect func(want plan.Action, live *Live) (plan.OutcomeStatus, string)
	// otherwise reports whether the effect is somebody else's: then nobody
	// knows whether an order whose answer was lost has been taken. Nil if none
	// can be told from ours.
	otherwise func(u *entra.RiskyUser) bool
}

var userActions = map[plan.Kind]userAction{}

// enter adds a kind of action on users.
func enter(kind plan.Kind, a userAction) bool {
	userActions[kind] = a
	return true
}

// processing reports whether the service is at work on a user, or may be.
func processing(u *entra.RiskyUser) bool { return u.IsProcessing == nil || *u.IsProcessing }

// Already says in what a user shows the effect of an order before it is sent, or
// nothing. While the service is at work on the user's risk nobody knows what
// becomes of it.
func Already(kind plan.Kind, live *Live) string {
	if !kind.OnAccount() && processing(live.User) {
		return ""
	}
	return userActions[kind].already(live)
}

// taken says whether an order on a user has had its effect, and whether
// anything of it shows at all.
func taken(a plan.Action, live *Live) (done, begun bool) {
	if a.Kind.OnAccount() {
		return a.Account != nil && live != nil && live.Account != nil && userActions[a.Kind].taken(a, live), false
	}
	want := a.Risk
	if want == nil || live == nil || live.User == nil {
		return false, false
	}
	u := live.User
	begun = (u.IsProcessing != nil && *u.IsProcessing) || u.RiskState != want.RiskState ||
		u.RiskLastUpdatedDateTime != want.RiskLastUpdatedDateTime
	return !processing(u) && userActions[a.Kind].taken(a, live), begun
}

// isState says that a user is in a state already.
func isState(u *entra.RiskyUser) string { return fmt.Sprintf("riskState is %s already", u.RiskState) }
