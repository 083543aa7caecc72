package triage

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// AllPrincipals, in an escalation, stands for every service principal.
const AllPrincipals = "All"

// PrincipalEvidence is all that is known of one service principal.
type PrincipalEvidence struct {
	// Evidence is of its risk; User has it in the form in which that of users is
	// judged.
	Evidence
	AppID entra.ID
	// Own says in what it is the identity that the run itself works as, or why
	// that is not known; empty for any other.
	Own string
	// FirstParty says that the application is Microsoft's own, or why it is not
	// known whose it is; empty for any other.
	FirstParty string
	// Permissions are its application permissions with which it can change
	// something, and PermissionsUnknown says why they are not known.
	Permissions        []string
	PermissionsUnknown string
}

// boundEscalation is an escalation of service principals with ids. A blocked one
// confirms nothing, and cannot be ruled out.
type boundEscalation struct {
	*escalation
	all     bool
	ids     map[entra.ID]bool
	blocked string
}

// principals resolves the names of service principals to ids: each is an object
// id, an app id or a display name.
func (b *binder) principals(names []string) (ids map[entra.ID]bool, broken []string) {
	ids = map[entra.ID]bool{}
	for _, name := range names {
		o, why := b.resolve(entra.KindServicePrincipal, name)
		if why != "" && entra.IsID(name) {
			if app, not := b.resolve(entra.KindApplication, name); not == "" {
				o, why = app, ""
			}
		}
		switch {
		case why == "":
			ids[o.ID] = true
		case entra.IsID(name) && b.Names[entra.Ref{Kind: entra.KindServicePrincipal, Name: name}].Unread == nil:
			broken = append(broken, fmt.Sprintf("no service principal has the object id or the app id %q", name))
		default:
			broken = append(broken, why)
		}
	}
	return ids, broken
}

// escalation binds one that names service principals.
func (b *binder) escalation(e *escalation) boundEscalation {
	out := boundEscalation{escalation: e}
	var broken []string
	names := slices.DeleteFunc(slices.Clone(e.principals), func(n string) bool { return n == AllPrincipals })
	out.all = len(names) < len(e.principals)
	if out.ids, broken = b.principals(names); len(broken) > 0 {
		out.blocked = strings.Join(broken, "; ")
		b.find(e.id, true, "the escalation %q confirms nothing in this run, and no service principal is dismissed: %s", e.id, out.blocked)
	}
	return out
}

func (e *boundEscalation) names(p *PrincipalEvidence) bool {
	return e.all || e.ids[p.User.ID] || p.AppID != "" && e.ids[p.AppID]
}

// namesPrincipal says how an entry names a service principal, or nothing.
func (b *boundEntry) namesPrincipal(p *PrincipalEvidence) string {
	if b.principals[p.User.ID] || p.AppID != "" && b.principals[p.AppID] {
		return "direct"
	}
	return ""
}

// ProtectedPrincipal says why no rule may decide about a service principal, or
// nothing.
func (r *Rules) ProtectedPrincipal(id, appID entra.ID) string {
	if r.protectionError != "" {
		return "who is protected is not known: " + r.protectionError
	}
	if why := r.protected[id]; why != "" {
		return why
	}
	if appID == "" {
		return ""
	}
	return r.protected[appID]
}

// DecideServicePrincipal decides on one service principal, as Decide does on a
// user: dismissed only if every open detection is covered by an entry that names
// it, confirmed compromised only by an escalation that does.
func (r *Rules) DecideServicePrincipal(p PrincipalEvidence, now time.Time) Decision {
	p.Detections = open(p.Detections)
	d := Decision{Verdict: Leave, OpenSince: OpenSince(p.Detections)}
	d.Privileged = r.principalPrivileged(&p) != ""
	if !principalSettled(&d, p) && !r.principalNotNow(&d, p, now) && !r.principalUntouchable(&d, p) && !r.principalEscalated(&d, p) {
		r.principalAllowed(&d, p, now)
	}
	d.showFirst(p.Detections)
	return d
}

// principalSettled decides where the state leaves nothing to a rule.
func principalSettled(d *Decision, p PrincipalEvidence) bool {
	switch s := p.User.RiskState; {
	case s == entra.StateAtRisk:
		return false
	case s == entra.StateConfirmedCompromised:
		return d.leave(CodeNotAtRisk, true, "the service principal is confirmed compromised; a person has to replace its credentials")
	case !s.Open():
		return d.leave(CodeNotAtRisk, false, "the riskState of the service principal is %s", s)
	default:
		return d.leave(CodeUnknownState, true, "the riskState of the service principal is %s, which is not understood", orUnknown(string(s)))
	}
}

// principalNotNow leaves alone what the service or an earlier order is at work on.
func (r *Rules) principalNotNow(d *Decision, p PrincipalEvidence, now time.Time) bool {
	switch {
	case p.User.IsProcessing == nil:
		return d.leave(CodeProcessing, true, "it is not known whether the service is processing the service principal")
	case *p.User.IsProcessing:
		return d.leave(CodeProcessing, false, "the service is still processing the service principal")
	case p.HeldBack != "":
		return d.leave(CodePending, false, "%s", p.HeldBack)
	}
	for _, past := range slices.Concat(p.Dismissals, p.Confirmations) {
		if past.Pending && sameRisk(past, p.Evidence) && now.Sub(past.At) < effectWithin {
			return d.leave(CodePending, false, "an order of %s is not settled yet and no new detection came since", past.At.UTC().Format(time.RFC3339))
		}
	}
	return false
}

// principalUntouchable leaves alone what no rule may decide about.
func (r *Rules) principalUntouchable(d *Decision, p PrincipalEvidence) bool {
	switch {
	case p.Own != "":
		return d.leave(CodeOwnIdentity, true, "%s", p.Own)
	case p.FirstParty != "":
		return d.leave(CodeFirstParty, true, "%s", p.FirstParty)
	case r.protectionError != "":
		return d.leave(CodeProtectionBroken, true, "who is protected is not known: %s", r.protectionError)
	}
	if why := r.ProtectedPrincipal(p.User.ID, p.AppID); why != "" {
		return d.leave(CodeProtected, true, "the service principal is protected: %s", why)
	}
	if p.Incomplete != "" {
		return d.leave(CodeIncomplete, true, "the detections of the service principal are not complete: %s", p.Incomplete)
	}
	if _, known := p.User.RiskLevel.Rank(); !known {
		return d.leave(CodeUnknownLevel, true, "the riskLevel of the service principal is %s, which is not low, medium or high", orUnknown(string(p.User.RiskLevel)))
	}
	return false
}

// principalEscalated decides where an escalation matches, or may match.
func (r *Rules) principalEscalated(d *Decision, p PrincipalEvidence) bool {
	undecided := ""
	var held func() bool
	for i := range r.escalations {
		rule := &r.escalations[i]
		if rule.blocked != "" && !rule.names(&p) {
			undecided = fmt.Sprintf("escalation %q cannot be ruled out: %s", rule.id, rule.blocked)
			continue
		}
		if !rule.names(&p) {
			continue
		}
		for j := range p.Detections {
			det := &p.Detections[j]
			switch answer, _ := rule.when.matches(det); {
			case answer == unknown:
				undecided = fmt.Sprintf("escalation %q cannot be ruled out for %s", rule.id, det.say())
				continue
			case answer == no:
				continue
			case rule.blocked != "":
				undecided = fmt.Sprintf("escalation %q matches %s, but it is blocked: %s", rule.id, det.say(), rule.blocked)
				continue
			}
			matched := fmt.Sprintf("escalation %q matches %s: %s", rule.id, det.say(), rule.reason)
			if hold := r.holdPrincipal(d, p, rule, det, matched); hold != nil {
				if held == nil {
					held = hold
				}
				continue
			}
			d.Verdict, d.Code, d.Rule, d.Rules = ConfirmCompromised, CodeEscalated, rule.id, []UsedRule{rule.used()}
			d.Reasons = append(d.Reasons, matched)
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

// holdPrincipal says why a matching escalation may not act, as the decision that
// it then is.
func (r *Rules) holdPrincipal(d *Decision, p PrincipalEvidence, rule *boundEscalation, det *Detection, matched string) func() bool {
	hold := func(code, why string) func() bool {
		return func() bool {
			d.Rule, d.Rules = rule.id, []UsedRule{rule.used()}
			return d.leave(code, true, "%s; left to a person: %s", matched, why)
		}
	}
	if !rule.privileged {
		if why := r.principalUnknown(&p); why != "" {
			return hold(CodeRolesUnknown, why)
		}
		if why := r.principalPrivileged(&p); why != "" {
			return hold(CodePrivileged, "the service principal "+why)
		}
	}
	for _, past := range p.Confirmations {
		if slices.Contains(past.Detections, det.ID) {
			return hold(CodeEscalatedOnce, "confirmed at "+past.At.UTC().Format(time.RFC3339)+" already")
		}
	}
	return nil
}

// principalAllowed decides whether the allowlist covers all of the risk.
func (r *Rules) principalAllowed(d *Decision, p PrincipalEvidence, now time.Time) bool {
	switch {
	case r.principalUnknown(&p) != "":
		return d.leave(CodeRolesUnknown, true, "whether the service principal is privileged is not known, so it is not dismissed: %s", r.principalUnknown(&p))
	case len(p.Detections) == 0:
		return d.leave(CodeNoDetections, true, "the service principal is at risk without an open detection that could be covered")
	}
	used, uncovered := r.cover(d, p.Detections, r.principalPrivileged(&p) != "", func(entry *boundEntry, det *Detection) bool {
		return !entry.expired && entry.blocked == "" && entry.namesPrincipal(&p) != "" && entry.when.fails(det) == none
	})
	for _, entry := range used {
		d.Rules = append(d.Rules, entry.used(entry.namesPrincipal(&p)))
	}
	if uncovered > 0 {
		d.Code, d.NeedsPerson = CodeUncovered, true
		if len(used) > 0 {
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s covers %d of %d open detections", strings.Join(idsOf(used), ", "), len(p.Detections)-uncovered, len(p.Detections)))
		}
		r.sayNear(d, principalSubject(&p), p.Detections)
		return true
	}
	highest := 0
	for _, det := range p.Detections {
		rank, _ := det.Level.Rank() // covered, so it has one
		highest = max(highest, rank)
	}
	if rank, _ := p.User.RiskLevel.Rank(); rank > highest {
		return d.leave(CodeLevelAbove, true, "the riskLevel %s of the service principal is above that of every open detection: there is risk that no detection shows", p.User.RiskLevel)
	}
	if why := r.principalPrivileged(&p); why != "" {
		for _, entry := range used {
			if !entry.privileged {
				return d.leave(CodePrivileged, true, "the service principal %s and the entry %q does not say privileged: true", why, entry.id)
			}
		}
	}
	if r.repeated(d, p.Evidence, now) {
		return true
	}
	d.Verdict, d.Code, d.Rule = Dismiss, CodeAllowlisted, strings.Join(idsOf(used), ",")
	for _, entry := range used {
		d.Reasons = append(d.Reasons, fmt.Sprintf("covered by %q: %s", entry.id, entry.reason))
	}
	return true
}

func idsOf(entries []*boundEntry) []string {
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.id
	}
	return ids
}

// principalPrivileged says why a service principal counts as privileged, or nothing:
// by directory roles, as users do, and by application permissions.
func (r *Rules) principalPrivileged(p *PrincipalEvidence) string {
	var why []string
	if r.privileged != nil {
		why = append(why, r.privileged.Principals[p.User.ID]...)
	}
	return inWords(append(why, PermissionWords(p.Permissions)...))
}

// principalUnknown says why it is not known whether a service principal is
// privileged, or nothing.
func (r *Rules) principalUnknown(p *PrincipalEvidence) string {
	switch {
	case r.privileged == nil:
		return "directory roles could not be read: " + r.privilegedError
	case p.PermissionsUnknown != "":
		return "its application permissions could not be read: " + p.PermissionsUnknown
	}
	return ""
}

// PermissionWords say of each application permission that a service principal
// holds it.
func PermissionWords(permissions []string) []string {
	out := make([]string, len(permissions))
	for i, p := range permissions {
		out[i] = "has the application permission " + p
	}
	return out
}

// DecidesPrincipals reports whether a rule names service principals.
func (p *Policy) DecidesPrincipals() bool {
	return slices.ContainsFunc(p.allowlist, func(e allowEntry) bool { return len(e.principals) > 0 }) ||
		slices.ContainsFunc(p.escalations, func(e escalation) bool { return len(e.principals) > 0 })
}
