package decide

import (
	"cmp"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/triage"
)

// ServicePrincipal lets triage judge one service principal, and gives the action
// that the decision asks for, if it asks for one.
func ServicePrincipal(k gather.Known, p *gather.ServicePrincipal) (report.ServicePrincipalRow, *plan.Action) {
	row, open := principalRow(k, p)
	if k.Rules == nil {
		return row, nil
	}
	row.Decision = k.Rules.DecideServicePrincipal(principalEvidence(k, p, open), k.ServiceNow())
	kind := plan.OnPrincipalVerdict(string(row.Decision.Verdict))
	if kind == "" {
		return row, nil
	}
	u := p.AsUser()
	return row, &plan.Action{Kind: kind, Status: plan.Ready, Subject: plan.Subject{ID: p.ID, Name: p.DisplayName}, Rule: row.Decision.Rule,
		Reasons: row.Decision.Reasons, Risk: seenRisk(&u, open)}
}

// principalRow is a service principal as the report shows it.
func principalRow(k gather.Known, p *gather.ServicePrincipal) (report.ServicePrincipalRow, []triage.Detection) {
	open := k.Open.Of(p.ID)
	report.SortDetections(open)
	row := report.ServicePrincipalRow{Risk: p.RiskyServicePrincipal, OpenDetections: len(open), Open: open, Detections: p.Detections}
	row.Own = isOwn(k, p)
	if p.Directory != nil && p.Directory.OwnerTenant != "" {
		first := p.Directory.FirstParty()
		row.FirstParty = &first
	}
	return row, open
}

func principalEvidence(k gather.Known, p *gather.ServicePrincipal, open []triage.Detection) triage.PrincipalEvidence {
	u := p.AsUser()
	ev := triage.PrincipalEvidence{AppID: entra.NewID(p.AppID), Own: ownIdentity(k, p), FirstParty: firstParty(k, p),
		Evidence: triage.Evidence{User: u, Detections: open, Incomplete: k.PrincipalsIncomplete, HeldBack: k.Held.Why(p.ID)}}
	if d := p.Directory; d != nil {
		ev.Permissions = d.Permissions
		if d.PermissionsUnknown != nil {
			ev.PermissionsUnknown = d.PermissionsUnknown.Error()
		}
	}
	ev.Incomplete = cmp.Or(retained(k, retentionP2, &u, open), ev.Incomplete)
	ev.Dismissals, ev.Confirmations = k.Past(p.ID)
	return ev
}

// isOwn reports whether a service principal is the identity that the run works as,
// or that of the application through which a person is signed in.
func isOwn(k gather.Known, p *gather.ServicePrincipal) bool {
	s := k.Identity
	return s != nil && (s.ID != "" && entra.NewID(s.ID) == p.ID || s.AppID != "" && entra.NewID(s.AppID) == entra.NewID(p.AppID))
}

// ownIdentity says in what a service principal is the run's own, or why that is
// not known; empty for any other. Whoever confirms the own identity compromised
// locks the job out, and whoever dismisses its risk answers for itself.
func ownIdentity(k gather.Known, p *gather.ServicePrincipal) string {
	switch {
	case k.Identity == nil || k.Identity.ID == "" && k.Identity.AppID == "":
		return "whether it is the identity that risksweep itself works as is not known: the access token does not show whom it stands for"
	case p.AppID == "" && k.Identity.Kind != entra.SignedInApp:
		return "whether it is the application that risksweep itself is signed in through is not known: the service did not say its appId"
	case isOwn(k, p):
		return "it is the identity that risksweep itself works as: its own risk is a person's decision"
	}
	return ""
}

// firstParty says that the application is Microsoft's own, or why it is not known
// whose it is; empty for any other.
func firstParty(k gather.Known, p *gather.ServicePrincipal) string {
	switch {
	case k.OwnersUnknown != "":
		return "whose application it is could not be read: " + k.OwnersUnknown
	case p.Directory == nil:
		return "whose application it is is not known: the service principal is not in the directory"
	case p.Directory.OwnerTenant == "":
		return "whose application it is is not known: the directory does not say"
	case p.Directory.FirstParty():
		return "it is an application of Microsoft's own, which is only reported"
	}
	return ""
}

// OrderedPrincipal makes the action that a person ordered for a service principal.
// Unmeant is why an order that does not say so does not mean it.
func OrderedPrincipal(k gather.Known, kind plan.Kind, reason string, privileged bool, p *gather.ServicePrincipal) (row report.ServicePrincipalRow, a plan.Action, unmeant string) {
	row, open := principalRow(k, p)
	why := "ordered by a person"
	if reason != "" {
		why += ": " + reason
	}
	u := p.AsUser()
	a = plan.Action{Kind: kind, Status: plan.Ready, Subject: plan.Subject{ID: p.ID, Name: p.DisplayName}, Rule: "order", Reasons: []string{why}, Risk: seenRisk(&u, open)}
	say := func(status plan.Status, why string) { a.Status, a.Reasons = status, append(a.Reasons, why) }
	switch not, already := mayNotOrderPrincipal(k, p), apply.Already(kind, &apply.Live{User: &u, Detections: a.Risk.Detections}); {
	case not != "":
		say(plan.Blocked, not)
	case already != "":
		say(plan.AlreadyDone, already)
	case privileged:
	case firstParty(k, p) != "":
		unmeant = "counts as a first-party application: " + firstParty(k, p)
		say(plan.Blocked, unmeant)
	case len(privileges(k, p)) > 0:
		unmeant = strings.Join(privileges(k, p), ", ")
		say(plan.Blocked, "privileged: the service principal "+unmeant)
	case p.Directory != nil && p.Directory.PermissionsUnknown != nil:
		unmeant = "counts as privileged: its application permissions could not be read: " + p.Directory.PermissionsUnknown.Error()
		say(plan.Blocked, unmeant)
	case k.RolesUnknown != "":
		say(plan.Blocked, "whether the service principal holds a directory role could not be read: "+k.RolesUnknown)
	}
	row.Decision = triage.Decision{Verdict: verdictOf(a), Code: "order", Rule: "order", Reasons: a.Reasons}
	return row, a, unmeant
}

// privileges say why a service principal counts as privileged.
func privileges(k gather.Known, p *gather.ServicePrincipal) []string {
	why := slices.Clone(k.PrincipalRoles[p.ID])
	if p.Directory != nil {
		why = append(why, triage.PermissionWords(p.Directory.Permissions)...)
	}
	return why
}

// mayNotOrderPrincipal says why even a person's order does not hold for a service
// principal.
func mayNotOrderPrincipal(k gather.Known, p *gather.ServicePrincipal) string {
	if why := ownIdentity(k, p); why != "" {
		return why
	}
	if k.Rules != nil {
		if why := k.Rules.ProtectedPrincipal(p.ID, entra.NewID(p.AppID)); why != "" {
			return "the service principal is protected: " + why
		}
	}
	if k.PrincipalsIncomplete != "" {
		return "its detections are not complete: " + k.PrincipalsIncomplete
	}
	return k.Held.Why(p.ID)
}
