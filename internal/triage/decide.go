package triage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

const (
	// tooOften is how many dismissals within tooOftenIn send a user to a
	// person.
	tooOften   = 3
	tooOftenIn = 30 * 24 * time.Hour
	// effectWithin is how long a dismissal may take before a person looks.
	effectWithin = 24 * time.Hour
)

// Decide decides on one user. It is called from one goroutine at a time.
func (r *Rules) Decide(e Evidence, now time.Time) Decision {
	e.Detections = open(e.Detections)
	d := Decision{Verdict: Leave, Privileged: r.roles(e.User.ID) != "", OpenSince: OpenSince(e.Detections)}
	if !r.settled(&d, e, now) && !r.notNow(&d, e, now) && !r.escalated(&d, e) {
		r.allowed(&d, e, now)
	}
	d.showFirst(e.Detections)
	return d
}

// open leaves out what is settled already; as a rule nothing is.
func open(list []Detection) []Detection {
	settled := func(d Detection) bool { return d.State != "" && !d.State.Open() }
	if !slices.ContainsFunc(list, settled) {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), settled)
}

// leave ends a decision: the user is left alone for a reason.
func (d *Decision) leave(code string, person bool, format string, args ...any) bool {
	d.Code, d.NeedsPerson = code, person
	d.Reasons = append(d.Reasons, fmt.Sprintf(format, args...))
	return true
}

// settled decides on users whose state leaves nothing to a rule.
func (r *Rules) settled(d *Decision, e Evidence, now time.Time) bool {
	switch s := e.User.RiskState; {
	case s == entra.StateAtRisk:
		return false
	case s == entra.StateConfirmedCompromised:
		r.unfinished(d, e, now)
		return d.leave(CodeNotAtRisk, true, "the user is confirmed compromised; a person has to secure the account")
	case !s.Open():
		return d.leave(CodeNotAtRisk, false, "the user's riskState is %s", s)
	default:
		return d.leave(CodeUnknownState, true, "the user's riskState is %s, which is not understood", orUnknown(string(s)))
	}
}

// notNow leaves alone whom the service or an earlier order is still working on.
func (r *Rules) notNow(d *Decision, e Evidence, now time.Time) bool {
	u := e.User
	switch {
	case u.IsDeleted == nil:
		return d.leave(CodeDeleted, true, "it is not known whether the user is deleted")
	case *u.IsDeleted:
		return d.leave(CodeDeleted, false, "the user is deleted")
	case u.IsProcessing == nil:
		return d.leave(CodeProcessing, true, "it is not known whether the service is processing the user")
	case *u.IsProcessing:
		return d.leave(CodeProcessing, false, "the service is still processing the user")
	}
	if e.HeldBack != "" {
		return d.leave(CodePending, false, "%s", e.HeldBack)
	}
	for _, past := range slices.Concat(e.Dismissals, e.Confirmations) {
		if past.Pending && sameRisk(past, e) && now.Sub(past.At) < effectWithin {
			return d.leave(CodePending, false, "an order of %s is not settled yet and no new detection came since", past.At.UTC().Format(time.RFC3339))
		}
	}
	return false
}

// sameRisk reports whether nothing was detected since an earlier order.
func sameRisk(p Past, e Evidence) bool {
	for _, d := range e.Detections {
		if !slices.Contains(p.Detections, d.ID) {
			return false
		}
	}
	return true
}

// roles says why a user counts as privileged, or nothing.
func (r *Rules) roles(userID entra.ID) string {
	if r.privileged == nil {
		return "" // handled where it matters: nobody is dismissed
	}
	return inWords(r.privileged.Users[userID])
}

// inWords says how somebody counts as privileged.
func inWords(how []string) string {
	switch n := len(how); {
	case n > 3:
		return fmt.Sprintf("%s, and is privileged in %d more ways", strings.Join(how[:3], ", "), n-3)
	case n > 1:
		return strings.Join(how[:n-1], ", ") + " and " + how[n-1]
	}
	return strings.Join(how, "")
}

// OwnAccount says of a user that the run works as that user. Whoever closes its
// account locks the run out, and whoever closes its risk answers for itself.
const OwnAccount = "it is the account that risksweep itself works as: its own risk is a person's decision"

// untouchable says why no rule may decide about a user whatever it finds.
func (r *Rules) untouchable(userID entra.ID) (code, why string) {
	switch {
	case r.own != "" && userID == r.own:
		return CodeOwnIdentity, OwnAccount
	case r.protectionError != "":
		return CodeProtectionBroken, "who is protected is not known: " + r.protectionError
	case r.protected[userID] != "":
		return CodeProtected, "the user is protected: " + r.protected[userID]
	case r.breakGlass[userID] != "":
		return CodeBreakGlass, "the user is a break-glass account: " + r.breakGlass[userID]
	}
	return "", ""
}

// escalated decides on users that an escalation matches, or may match.
func (r *Rules) escalated(d *Decision, e Evidence) bool {
	var undecided string // an escalation that cannot be ruled out
	var held func() bool
	for i := range r.policy.escalations {
		rule := &r.policy.escalations[i]
		if len(rule.principals) > 0 {
			continue // it is about service principals
		}
		for j := range e.Detections {
			det := &e.Detections[j]
			switch answer, _ := rule.when.matches(det); answer {
			case unknown:
				undecided = fmt.Sprintf("escalation %q cannot be ruled out for %s", rule.id, det.say())
				continue
			case no:
				continue
			}
			matched := fmt.Sprintf("escalation %q matches %s: %s", rule.id, det.say(), rule.reason)
			if hold := r.holdEscalation(d, e, rule, det, matched); hold != nil {
				if held == nil {
					held = hold
				}
				continue
			}
			d.Verdict, d.Code, d.Rule, d.Rules = ConfirmCompromised, CodeEscalated, rule.id, []UsedRule{rule.used()}
			d.Reasons, d.Then = append(d.Reasons, matched), rule.due(e, det)
			return true
		}
	}
	switch {
	case held != nil:
		return held()
	case undecided != "":
		return d.leave(CodeEscalationHidden, true, "%s", undecided)
	}
	return false
}

// unknownLevel says why nothing can be decided by the level of somebody, or nothing.
func unknownLevel(whose string, l entra.RiskLevel) string {
	if _, ok := l.Rank(); ok {
		return ""
	}
	return fmt.Sprintf("the riskLevel of the %s is %s, which is not low, medium or high", whose, orUnknown(string(l)))
}

// due are the steps of an escalation that were not taken for a detection yet.
func (rule *escalation) due(e Evidence, det *Detection) []Step {
	var out []Step
	for _, step := range rule.then {
		if !slices.ContainsFunc(e.Contained[string(step)], func(p Past) bool {
			return (p.Pending || p.Effective) && slices.Contains(p.Detections, det.ID)
		}) {
			out = append(out, step)
		}
	}
	return out
}

// unfinished finds the steps that are still due for a user whom a rule has
// confirmed compromised within the last day: the run that did it may have been
// cut short. Later it is for the person who looks after the account.
func (r *Rules) unfinished(d *Decision, e Evidence, now time.Time) {
	for i := range r.policy.escalations {
		rule := &r.policy.escalations[i]
		if len(rule.principals) > 0 {
			continue
		}
		for j := range e.Detections {
			det := &e.Detections[j]
			if answer, _ := rule.when.matches(det); answer != yes || !confirmedLately(e, det, now) {
				continue
			}
			then := rule.due(e, det)
			if len(then) == 0 || r.notNow(new(Decision), e, now) || r.mayNotEscalate(e, rule) != nil {
				continue
			}
			d.Rule, d.Rules, d.Then = rule.id, []UsedRule{rule.used()}, then
			d.Reasons = append(d.Reasons, fmt.Sprintf("escalation %q matches %s: what else it asks for is still due", rule.id, det.say()))
			return
		}
	}
}

// confirmedLately reports whether a user was confirmed by us for a detection
// within the last day.
func confirmedLately(e Evidence, det *Detection, now time.Time) bool {
	return slices.ContainsFunc(e.Confirmations, func(p Past) bool {
		return (p.Pending || p.Effective) && now.Sub(p.At) < effectWithin && slices.Contains(p.Detections, det.ID)
	})
}

// holdEscalation says why a matching escalation may not act, as the decision
// that it then is.
func (r *Rules) holdEscalation(d *Decision, e Evidence, rule *escalation, det *Detection, matched string) func() bool {
	hold := func(code, why string) func() bool {
		return func() bool {
			d.Rule, d.Rules = rule.id, []UsedRule{rule.used()}
			return d.leave(code, true, "%s; left to a person: %s", matched, why)
		}
	}
	if held := r.mayNotEscalate(e, rule); held != nil {
		return hold(held.code, held.why)
	}
	for _, past := range e.Confirmations {
		if slices.Contains(past.Detections, det.ID) {
			return hold(CodeEscalatedOnce, "confirmed at "+past.At.UTC().Format(time.RFC3339)+" already")
		}
	}
	return nil
}

// obstacle is why a rule may not act.
type obstacle struct{ code, why string }

// mayNotEscalate says whom an escalation has to leave alone, or nothing.
func (r *Rules) mayNotEscalate(e Evidence, rule *escalation) *obstacle {
	if code, why := r.untouchable(e.User.ID); code != "" {
		return &obstacle{code, why}
	}
	if why := unknownLevel("user", e.User.RiskLevel); why != "" {
		return &obstacle{CodeUnknownLevel, why}
	}
	if e.Incomplete != "" {
		return &obstacle{CodeIncomplete, "the user's detections are not complete: " + e.Incomplete}
	}
	if rule.privileged {
		return nil
	}
	if r.privileged == nil {
		return &obstacle{CodeRolesUnknown, "directory roles could not be read: " + r.privilegedError}
	}
	if why := r.roles(e.User.ID); why != "" {
		return &obstacle{CodePrivileged, "the user " + why}
	}
	return nil
}

// allowed decides whether the allowlist covers all of the user's risk.
func (r *Rules) allowed(d *Decision, e Evidence, now time.Time) bool {
	if code, why := r.untouchable(e.User.ID); code != "" {
		return d.leave(code, true, "%s", why)
	}
	switch {
	case r.privileged == nil:
		return d.leave(CodeRolesUnknown, true, "directory roles could not be read, so nobody is dismissed: %s", r.privilegedError)
	case e.Incomplete != "":
		return d.leave(CodeIncomplete, true, "the user's detections are not complete: %s", e.Incomplete)
	case len(e.Detections) == 0:
		return d.leave(CodeNoDetections, true, "the user is at risk without an open detection that could be covered")
	}
	used, uncovered := r.cover(d, e.Detections, r.roles(e.User.ID) != "", func(entry *boundEntry, det *Detection) bool {
		return !entry.bySignIn && entry.covers(e, det)
	})
	for _, entry := range used {
		d.Rules = append(d.Rules, entry.used(entry.names(e.User.ID)))
	}
	if uncovered > 0 && r.signIns(d, e, now) {
		return true
	}
	if uncovered > 0 {
		return r.uncovered(d, e, used, uncovered)
	}
	if why := unknownLevel("user", e.User.RiskLevel); why != "" {
		return d.leave(CodeUnknownLevel, true, "%s", why)
	}
	highest := 0
	for _, det := range e.Detections {
		rank, _ := det.Level.Rank() // covered, so it has one
		highest = max(highest, rank)
	}
	if rank, _ := e.User.RiskLevel.Rank(); rank > highest {
		return d.leave(CodeLevelAbove, true, "the user's riskLevel %s is above that of every open detection: there is risk that no detection shows",
			orUnknown(string(e.User.RiskLevel)))
	}
	if why := r.roles(e.User.ID); why != "" {
		for _, entry := range used {
			if !entry.privileged {
				return d.leave(CodePrivileged, true, "the user %s and the entry %q does not say privileged: true", why, entry.id)
			}
		}
	}
	if r.repeated(d, e, now) {
		return true
	}
	d.Verdict, d.Code, d.Rule = Dismiss, CodeAllowlisted, strings.Join(idsOf(used), ",")
	for _, entry := range used {
		d.Reasons = append(d.Reasons, fmt.Sprintf("covered by %q (%s): %s", entry.id, entry.names(e.User.ID), entry.reason))
	}
	return true
}

// cover finds for each open detection the first live entry that covers it. To
// somebody who holds roles an entry that says so is worth more.
func (r *Rules) cover(d *Decision, open []Detection, roles bool, covers func(*boundEntry, *Detection) bool) (used []*boundEntry, uncovered int) {
	d.Covered = map[string]string{}
	for i := range open {
		var by *boundEntry
		for j := range r.entries {
			entry := &r.entries[j]
			if !covers(entry, &open[i]) {
				continue
			}
			entry.matched = true
			if by == nil || roles && !by.privileged && entry.privileged {
				by = entry
			}
		}
		if by == nil {
			uncovered++
			continue
		}
		d.Covered[open[i].ID] = by.id
		if !slices.Contains(used, by) {
			used = append(used, by)
		}
	}
	return used, uncovered
}

// uncovered leaves a user alone whose detections the allowlist covers in part or
// not at all. What they show stands first in the reasons; of the allowlist only
// what would nearly have covered them is said.
func (r *Rules) uncovered(d *Decision, e Evidence, used []*boundEntry, n int) bool {
	d.Code, d.NeedsPerson = CodeUncovered, true
	if len(used) > 0 {
		d.Reasons = append(d.Reasons, fmt.Sprintf("%s covers %d of %d open detections", strings.Join(idsOf(used), ", "), len(e.Detections)-n, len(e.Detections)))
	}
	r.sayNear(d, userSubject(e.User.ID), e.Detections)
	return true
}

// repeated sends users to a person whom dismissals do not help.
func (r *Rules) repeated(d *Decision, e Evidence, now time.Time) bool {
	recent := 0
	for _, past := range e.Dismissals {
		age := now.Sub(past.At)
		if age <= tooOftenIn {
			recent++
		}
		unmoved := past.RiskLastUpdated == e.User.RiskLastUpdatedDateTime
		switch {
		case past.Effective && !unmoved:
		case returned(past, e): // it had its effect
		case age >= effectWithin && (unmoved || anyOpen(past, e)):
			return d.leave(CodeIneffective, true, "the dismissal of %s had no effect", past.At.UTC().Format(time.RFC3339))
		case age < effectWithin && sameRisk(past, e):
			return d.leave(CodePending, false, "dismissed at %s for these very detections; the effect is awaited", past.At.UTC().Format(time.RFC3339))
		}
	}
	if recent >= tooOften {
		return d.leave(CodeRepeated, true, "dismissed %d times in 30 days; a person should look why the risk comes back", recent)
	}
	return false
}

// anyOpen reports whether something is still open that was dismissed.
func anyOpen(p Past, e Evidence) bool {
	return slices.ContainsFunc(e.Detections, func(d Detection) bool { return slices.Contains(p.Detections, d.ID) })
}

// returned reports whether something that was dismissed is open again because
// risk of its type returns while a linked account is under attack.
func returned(p Past, e Evidence) bool {
	return slices.ContainsFunc(e.Detections, func(d Detection) bool {
		return entra.ComesBack(d.EventType) && slices.Contains(p.Detections, d.ID)
	})
}

// OpenSince is when the oldest of some open detections was detected.
func OpenSince(detections []Detection) time.Time {
	var first time.Time
	for _, d := range detections {
		if t, ok := d.Detected.Time(); ok && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first.UTC()
}

func detections(n int) string {
	if n == 1 {
		return "detection"
	}
	return "detections"
}

// shorten joins the first texts of a list.
func shorten(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, "; ")
	}
	return strings.Join(list[:n], "; ") + fmt.Sprintf("; and %d more", len(list)-n)
}
