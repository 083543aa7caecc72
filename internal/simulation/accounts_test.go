package simulation

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/plan"
)

// Limits of what is done to accounts.
const (
	maxRevoked  = 3
	maxDisabled = 2
)

// accountKind is what a request does to an account, empty for nothing known.
func accountKind(method, path string, body []byte) plan.Kind {
	switch {
	case method == http.MethodPost && strings.HasSuffix(path, "/revokeSignInSessions") && len(body) == 0:
		return plan.RevokeSessions
	case method == http.MethodPatch && string(body) == `{"accountEnabled":false}`:
		return plan.DisableAccount
	case method == http.MethodPatch && string(body) == `{"accountEnabled":true}`:
		return plan.EnableAccount
	}
	return ""
}

// onAccount checks what is about to be done to the account of a user.
func (w *world) onAccount(p *process, method, path string, body []byte) func(int, []byte) {
	user, _, _ := strings.Cut(strings.TrimPrefix(path, "/users/"), "/")
	kind := accountKind(method, path, body)
	if kind == "" {
		w.breaks("nothing else is written", "%s %s %s", method, path, body)
	}
	if !w.intended(kind, user) {
		w.breaks("an intent is stored before the effect", "%s of %s", kind, user)
	}
	if run := w.undecided(p, user); run != "" {
		w.breaks("who may still be under an earlier order is held back", "%s of %s, though nobody knows what became of the intent of run %s", kind, user, run)
	}
	open, escalates := map[string]bool{}, false
	for _, d := range w.openOf(user) {
		open[d["id"].(string)] = true
		escalates = escalates || d["riskEventType"] == "passwordSpray" && d["riskLevel"] == "high"
	}
	if p.ordered {
		if slices.Contains(w.breakGlass, user) || w.protected[user] {
			w.breaks("who is protected or break-glass no order reaches", "%s of %s", kind, user)
		}
		if !p.meant && w.never[user] {
			w.breaks("who holds a directory role no order reaches that does not say so", "%s of %s", kind, user)
		}
	} else {
		w.byEscalation(p, kind, user, escalates)
	}
	return func(code int, _ []byte) {
		if code >= 300 {
			return
		}
		if !p.ordered {
			for _, before := range w.contained[kind][user] {
				if !hasNew(open, before) && !w.editedSince(user, p.fenced[user]) {
					w.breaks("nothing is done to an account twice for the same risk", "%s of %s", kind, user)
				}
			}
		}
		if w.contained[kind] == nil {
			w.contained[kind] = map[string][]map[string]bool{}
		}
		w.contained[kind][user] = append(w.contained[kind][user], open)
		w.containedAt[kind] = append(w.containedAt[kind], time.Now())
		recent := 0
		for _, at := range w.containedAt[kind] {
			if time.Since(at) < 24*time.Hour {
				recent++
			}
		}
		if most := map[plan.Kind]int{plan.RevokeSessions: maxRevoked, plan.DisableAccount: maxDisabled}[kind]; most > 0 && recent > most {
			w.breaks("the limits hold", "%d times %s in 24 h", recent, kind)
		}
	}
}

// byEscalation checks what a rule does to an account.
func (w *world) byEscalation(p *process, kind plan.Kind, user string, escalates bool) {
	if kind == plan.EnableAccount {
		w.breaks("nothing of a containment is undone by itself", "user %s", user)
	}
	if w.never[user] {
		w.breaks("who is protected, privileged or break-glass is left alone", "%s of %s", kind, user)
	}
	fence, fenced := p.fenced[user]
	if !fenced || time.Since(fence) > apply.LookAge+writeTimeout {
		w.breaks("the fence is read right before", "%s of %s: read at %s", kind, user, fence)
	}
	// At the instant of the look is after it: requests about accounts wait for no turn.
	if !escalates && w.edited[user].Before(fence) {
		w.breaks("only for what an escalation matches is an account touched", "%s of %s", kind, user)
	}
	if !w.confirmedUsers[user] {
		w.breaks("an account is touched after the confirmation", "%s of %s", kind, user)
	}
}
