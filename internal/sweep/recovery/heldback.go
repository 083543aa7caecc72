package recovery

import (
	"fmt"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// HeldBack are the users on whom an order of an earlier run may still take
// effect: nobody knows yet what became of it, so that nothing more is ordered
// for them. Only Recover makes one, and every path that decides about users
// takes one.
type HeldBack struct {
	settled bool // what earlier runs left open was looked at
	by      map[entra.ID]apply.Settled
}

// Why says why nothing may be ordered for a user now, or nothing. A value that
// Recover did not make holds everybody back.
func (h HeldBack) Why(userID entra.ID) string {
	if !h.settled {
		return "what earlier runs left open was not looked at"
	}
	s, ok := h.by[userID]
	if !ok {
		return ""
	}
	return fmt.Sprintf("held back: what became of the %s by run %s is not known yet (%s)", s.Outcome.Kind, s.Outcome.Run, s.Outcome.Detail)
}

// Block takes the readiness from the actions on users who are held back.
func (h HeldBack) Block(actions []plan.Action) {
	for i := range actions {
		a := &actions[i]
		if !a.Kind.OnUser() || a.Status != plan.Ready {
			continue
		}
		if why := h.Why(a.Subject.ID); why != "" {
			a.Status = plan.Blocked
			a.Reasons = append(a.Reasons[:len(a.Reasons):len(a.Reasons)], why)
		}
	}
}
