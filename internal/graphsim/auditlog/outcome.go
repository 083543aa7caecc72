package auditlog

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/conditionalaccess"
	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
)

// answerTo is how a sign-in meets a control.
type answerTo uint8

const (
	// satisfied by what the sign-in brings, done by the person when asked, or
	// not to be had.
	satisfied answerTo = iota
	asked
	refused
)

// meets says how a sign-in meets one control.
func (x *signIn) meets(control string, r *conditionalaccess.Rule) answerTo {
	yes := func(held bool, otherwise answerTo) answerTo {
		if held {
			return satisfied
		}
		return otherwise
	}
	switch control {
	case "mfa":
		if x.client.legacy {
			return refused // such clients cannot ask
		}
		return yes(x.claim, asked)
	case "authenticationStrength":
		if x.client.legacy {
			return refused
		}
		return yes(x.claim && x.allowedBy(r), asked)
	case "compliantDevice":
		return yes(x.machine.compliant, refused)
	case "domainJoinedDevice":
		return yes(x.machine.trust == "ServerAD", refused)
	case "approvedApplication", "compliantApplication":
		return yes(x.machine.phone && x.client.kind == "mobileAppsAndDesktopClients", refused)
	case "termsOfUse":
		return yes(x.accepted, asked)
	case "passwordChange", "riskRemediation":
		return asked
	}
	return refused // block, and what nobody can do here
}

// allowedBy says whether the person's method is one of a strength's.
func (x *signIn) allowedBy(r *conditionalaccess.Rule) bool {
	return slices.ContainsFunc(r.Combinations, func(c string) bool {
		return strings.EqualFold(c, x.method) || strings.EqualFold(c, "password,"+x.method)
	})
}

// does says whether a person who is asked can do it.
func (x *signIn) does(control string, r *conditionalaccess.Rule) bool {
	switch control {
	case "mfa":
		return x.capable
	case "authenticationStrength":
		return x.capable && x.allowedBy(r)
	}
	return true
}

// under says how a sign-in fares under a rule that applies, and which control
// stands in its way.
func (x *signIn) under(r *conditionalaccess.Rule) (answerTo, string) {
	worst, best := satisfied, refused
	var first string
	for _, c := range r.Grant {
		a := x.meets(c, r)
		if a > worst {
			worst, first = a, c
		}
		best = min(best, a)
	}
	switch {
	case len(r.Grant) == 0:
		return satisfied, ""
	case r.All:
		return worst, first
	case best == satisfied:
		return satisfied, ""
	}
	for _, c := range r.Grant {
		if x.meets(c, r) == best {
			return best, c
		}
	}
	return best, first
}

// judgement is what the policies of its time made of a sign-in.
type judgement struct {
	policies []object
	// status is conditionalAccessStatus.
	status string
	// failed is the control that refused it, mfa says that it was asked for.
	failed string
	mfa    bool
}

// errorOf is the service's number for a refusal by a control, with its reason.
func errorOf(control string) (code int, reason string) {
	switch control {
	case "compliantDevice":
		return 53000, "The device is not compliant."
	case "domainJoinedDevice":
		return 53001, "The device is not joined to the domain."
	case "approvedApplication":
		return 53002, "The application is not an approved one."
	case "compliantApplication":
		return 53009, "The application needs an Intune protection policy."
	case "mfa", "authenticationStrength":
		return 50074, "Strong authentication is required."
	}
	return 53003, "Access was blocked by Conditional Access policies."
}

// judge holds a sign-in against the policies of its time. Before the first factor
// is passed nothing applies.
func (x *signIn) judge(past *conditionalaccess.Past, defaults bool) judgement {
	j := judgement{status: "notApplied"}
	for _, r := range past.At(x.at) {
		result := evaluate.Result{Reason: evaluate.PolicyNotEnabled}
		if r.State != "disabled" && !x.wrongPassword && !x.disabled {
			result = r.Policy.Judge(past.World, &x.about)
		}
		shown := x.result(r, result.Applies, &j)
		j.policies = append(j.policies, applied(r.ID, r.DisplayName, r.Grant, r.Session, shown))
	}
	pseudo := "notEnabled"
	if defaults {
		pseudo = "notApplied"
		if !x.wrongPassword && !x.disabled {
			pseudo, j.status = "success", "success"
			if x.client.legacy || !x.claim && !x.capable {
				pseudo, j.status, j.failed = "failure", "failure", "mfa"
			}
		}
	}
	j.policies = append(j.policies, applied("SecurityDefaults", "Security Defaults", []string{"mfa"}, nil, pseudo))
	return j
}

// result is a policy's, in the log's word, with what follows for the sign-in.
func (x *signIn) result(r *conditionalaccess.Rule, applies bool, j *judgement) string {
	reporting := r.State == "enabledForReportingButNotEnforced"
	switch {
	case r.State == "disabled":
		return "notEnabled"
	case !applies && reporting:
		return "reportOnlyNotApplied"
	case !applies:
		return "notApplied"
	}
	how, control := x.under(r)
	if reporting {
		return map[answerTo]string{satisfied: "reportOnlySuccess", asked: "reportOnlyInterrupted", refused: "reportOnlyFailure"}[how]
	}
	if how == refused || how == asked && !x.does(control, r) {
		j.status = "failure"
		if j.failed == "" || control == "block" {
			j.failed = control
		}
		return "failure"
	}
	if j.status != "failure" {
		j.status = "success"
	}
	j.mfa = j.mfa || slices.Contains(r.Grant, "mfa") || slices.Contains(r.Grant, "authenticationStrength")
	return "success"
}

func applied(id, name string, grant, session []string, result string) object {
	logged := func(names []string) []string {
		all := []string{}
		for _, n := range names {
			all = append(all, conditionalaccess.LogName(n))
		}
		return all
	}
	return object{"id": id, "displayName": name, "enforcedGrantControls": logged(grant), "enforcedSessionControls": logged(session), "result": result}
}
