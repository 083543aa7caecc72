package decide

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// Person gives the decision on a user or a service principal once it is known what became of the actions
// that it asked for. Whose risk is open needs a person where an action was left
// undone, whatever kept it back: a rule that is not carried out settles nothing.
// So does whoever is confirmed compromised now, for a person has to secure the
// account. What a plan would do, and what is done or accepted, needs nobody.
// Without outcomes the run ended before it planned.
func Person(d triage.Decision, state entra.RiskState, open []triage.Detection, outcomes []plan.Outcome) triage.Decision {
	var why []string
	if len(outcomes) == 0 && state.Open() {
		why = append(why, "left to a person: the run ended before it could act")
	}
	for _, o := range outcomes {
		switch {
		case o.Status.Left() && state.Open():
			why = append(why, "left to a person: "+o.Kind.Words().Title+" is "+o.Status.Words()+detail(o))
		case o.Status.Left() || o.Status == plan.SkippedPlanMode:
		case o.Kind == plan.ConfirmServicePrincipalCompromised:
			why = append(why, "the service principal is confirmed compromised; a person has to replace its credentials")
		case o.Kind == plan.ConfirmCompromised:
			why = append(why, "the user is confirmed compromised; a person has to secure the account")
		}
	}
	if len(why) == 0 {
		return d
	}
	var first []string
	if !d.NeedsPerson && len(open) > 0 {
		first = []string{triage.Shows(open)}
	}
	d.NeedsPerson = true
	d.Reasons = slices.Concat(first, d.Reasons, why)
	return d
}

// detail is what an outcome says beyond its word.
func detail(o plan.Outcome) string {
	text := strings.TrimPrefix(strings.TrimPrefix(o.Detail, o.Status.Words()), ": ")
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
