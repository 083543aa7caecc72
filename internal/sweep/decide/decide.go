// Package decide makes decisions of a snapshot. It is pure: it takes values and
// gives values, and neither reads nor writes.
package decide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/triage"
)

// Retention of risk detections by licence (reports data retention). What is
// older cannot be read any more, so open risk from before may be unseen.
const (
	retentionP2   = 90 * 24 * time.Hour
	retentionP1   = 30 * 24 * time.Hour
	retentionFree = 7 * 24 * time.Hour
)

// User lets triage judge one user, and gives the actions that the decision asks
// for.
func User(k gather.Known, u *entra.RiskyUser) (report.UserRow, []plan.Action) {
	open := k.Open.Of(u.ID)
	report.SortDetections(open)
	row := report.UserRow{User: *u, OpenDetections: len(open), Open: open, Reach: k.Access.Reach(u, open)}
	if k.Rules == nil {
		return row, nil
	}
	row.Decision = k.Rules.Decide(evidenceOf(k, u, open), k.ServiceNow())
	a := plan.Action{Status: plan.Ready, Subject: plan.Subject{ID: u.ID, Name: u.UserPrincipalName}, Rule: row.Decision.Rule,
		Reasons: row.Decision.Reasons, Risk: seenRisk(u, open)}
	var actions []plan.Action
	do := func(kind plan.Kind) {
		a.Kind = kind
		actions = append(actions, a)
	}
	if kind := plan.OnVerdict(string(row.Decision.Verdict)); kind != "" {
		if reasons := row.Decision.Reasons; row.Decision.NeedsPerson && len(reasons) > 1 {
			a.Reasons = reasons[1:] // the first one is why a person is needed besides: what is open
		}
		for _, c := range row.Decision.Close {
			a.Close = append(a.Close, plan.SignIn(c))
		}
		do(kind)
	}
	if reasons := row.Decision.Reasons; row.Decision.Verdict == triage.Leave && len(reasons) > 1 {
		a.Reasons = reasons[len(reasons)-2 : len(reasons)-1] // why the step is due; the others say why a person is
	}
	for _, step := range row.Decision.Then {
		do(plan.Kind(step))
	}
	return row, actions
}

// OnAccounts adds what was read of the accounts that actions are about: those
// that cannot be acted on are blocked, and why says of all that they could not be
// read.
func OnAccounts(actions []plan.Action, accounts map[entra.ID]entra.Account, why error) []plan.Action {
	for i := range actions {
		a := &actions[i]
		if !a.Kind.OnAccount() {
			continue
		}
		account, is := accounts[a.Subject.ID]
		if is {
			a.Account = &account
		}
		if a.Status == plan.Ready {
			judgeAccount(a, why)
		}
	}
	return actions
}

func judgeAccount(a *plan.Action, unread error) {
	say := func(status plan.Status, why string) {
		a.Status, a.Reasons = status, append(a.Reasons[:len(a.Reasons):len(a.Reasons)], why)
	}
	switch {
	case unread != nil:
		say(plan.Blocked, "the user's account could not be read: "+unread.Error())
	case a.Account == nil:
		say(plan.Blocked, "the user's account does not exist")
	case a.Account.AccountEnabled == nil:
		say(plan.Blocked, "it is not known whether the account is enabled")
	case a.Kind == plan.RevokeSessions && a.Account.External():
		say(plan.Blocked, "the user is at home in another tenant, which keeps the sessions")
	default:
		if already := apply.Already(a.Kind, &apply.Live{Account: a.Account}); already != "" {
			say(plan.AlreadyDone, already)
		} else if a.Kind != plan.RevokeSessions && a.Account.OnPremisesSyncEnabled {
			say(plan.Ready, apply.SyncedBack)
		}
	}
}

// Accounts are the users whose accounts must be read for actions.
func Accounts(actions []plan.Action) []entra.ID {
	var ids []entra.ID
	for _, a := range actions {
		if a.Kind.OnAccount() && !slices.Contains(ids, a.Subject.ID) {
			ids = append(ids, a.Subject.ID)
		}
	}
	return ids
}

// Explain says why triage decides about a user as it does.
func Explain(k gather.Known, u *entra.RiskyUser) triage.Explanation {
	return k.Rules.Explain(evidenceOf(k, u, k.Open.Of(u.ID)), k.ServiceNow())
}

// ExplainServicePrincipal says the same of a service principal.
func ExplainServicePrincipal(k gather.Known, p *gather.ServicePrincipal) triage.Explanation {
	return k.Rules.ExplainServicePrincipal(principalEvidence(k, p, k.Open.Of(p.ID)), k.ServiceNow())
}

// evidenceOf is all that is known of one user.
func evidenceOf(k gather.Known, u *entra.RiskyUser, open []triage.Detection) triage.Evidence {
	ev := triage.Evidence{User: *u, Detections: open, Incomplete: k.Open.Ownerless(), HeldBack: k.Held.Why(u.ID)}
	keep := retentionFree
	switch {
	case k.Tenant.PlanP2 || k.Tenant.PlansUnknown:
		keep = retentionP2
	case k.Tenant.PlanP1:
		keep = retentionP1
	}
	ev.Incomplete = cmp.Or(retained(k, keep, u, open), ev.Incomplete)
	ev.Dismissals, ev.Confirmations = k.Past(u.ID)
	ev.Contained, ev.Closed = k.Contained(u.ID), k.Closed(u.ID)
	return ev
}

// retained says why evidence may be gone that the service keeps no longer than a
// time, or nothing.
func retained(k gather.Known, keep time.Duration, u *entra.RiskyUser, open []triage.Detection) string {
	edge := k.ServiceStart.Add(-keep + 24*time.Hour)
	old := func(at entra.DateTime) bool {
		t, ok := at.Time()
		return ok && t.Before(edge)
	}
	switch days := int(keep.Hours() / 24); {
	case old(u.RiskLastUpdatedDateTime):
		return fmt.Sprintf("the risk is older than the service's retention of %d days; its detections may be gone", days)
	case slices.ContainsFunc(open, func(d triage.Detection) bool { return old(d.Detected) }):
		return fmt.Sprintf("its oldest open detection is about to pass the service's retention of %d days; older ones may be gone", days)
	}
	return ""
}

// Ordered makes the action that a person ordered for a user. Unmeant is how the
// user holds a directory role where the order does not say that such are meant.
func Ordered(k gather.Known, kind plan.Kind, reason string, u *entra.RiskyUser) (row report.UserRow, a plan.Action, unmeant string) {
	open := k.Open.Of(u.ID)
	why := "ordered by a person"
	if reason != "" {
		why += ": " + reason
	}
	a = plan.Action{Kind: kind, Status: plan.Ready, Subject: plan.Subject{ID: u.ID, Name: u.UserPrincipalName},
		Rule: "order", Reasons: []string{why}, Risk: seenRisk(u, open)}
	if kind.OnAccount() {
		a.Risk = nil // it rests on the person's word, whatever the risk
	}
	switch not, already := mayNotOrder(k, u), already(a, u); {
	case not != "":
		a.Status = plan.Blocked
		a.Reasons = append(a.Reasons, not)
	case already != "":
		a.Status = plan.AlreadyDone
		a.Reasons = append(a.Reasons, already)
	case len(k.Roles[u.ID]) > 0:
		unmeant = strings.Join(k.Roles[u.ID], ", ")
		a.Status = plan.Blocked
		a.Reasons = append(a.Reasons, "privileged: the user "+unmeant)
	case k.RolesUnknown != "":
		a.Status = plan.Blocked
		a.Reasons = append(a.Reasons, "whether the user holds a directory role could not be read: "+k.RolesUnknown)
	}
	report.SortDetections(open)
	return report.UserRow{User: *u, OpenDetections: len(open), Open: open,
		Decision: triage.Decision{Verdict: verdictOf(a), Code: "order", Rule: "order", Reasons: a.Reasons, OpenSince: triage.OpenSince(open)}}, a, unmeant
}

// already says in what a user shows the effect of an action, or nothing. Of an
// account that is said when it is read.
func already(a plan.Action, u *entra.RiskyUser) string {
	if a.Kind.OnAccount() {
		return ""
	}
	return apply.Already(a.Kind, &apply.Live{User: u, Detections: a.Risk.Detections})
}

func verdictOf(a plan.Action) triage.Verdict {
	if a.Status != plan.Ready || a.Kind.Verdict() == "" {
		return triage.Leave
	}
	return triage.Verdict(a.Kind.Verdict())
}

// mayNotOrder says why even a person's order does not hold for a user.
func mayNotOrder(k gather.Known, u *entra.RiskyUser) string {
	if own := k.OwnAccount(); own != "" && own == u.ID {
		return triage.OwnAccount
	}
	if k.Rules != nil {
		if why := k.Rules.Protected(u.ID); why != "" {
			return "the user is protected: " + why
		}
	}
	if why := k.BreakGlassUnknown; why != "" {
		return "who is a break-glass account is not known: " + why
	}
	if why := k.BreakGlass[u.ID]; why != "" {
		return "the user is a break-glass account: " + why
	}
	return k.Held.Why(u.ID)
}

// seenRisk is the evidence as the plan keeps it for the fence.
func seenRisk(u *entra.RiskyUser, open []triage.Detection) *plan.Risk {
	risk := &plan.Risk{RiskLevel: u.RiskLevel, RiskState: u.RiskState, RiskLastUpdatedDateTime: u.RiskLastUpdatedDateTime,
		Detections: make([]plan.SeenDetection, 0, len(open))}
	for _, d := range open {
		risk.Detections = append(risk.Detections, plan.SeenDetection{ID: d.ID, RiskEventType: d.EventType,
			RiskLevel: d.Level, RiskState: d.State, LastUpdatedDateTime: d.Updated, RequestID: d.RequestID})
	}
	plan.SortDetections(risk.Detections)
	return risk
}

// OnUsers are the actions on users that may be planned: those on whom the
// snapshot says otherwise are blocked.
func OnUsers(s gather.Snapshot, actions []plan.Action) []plan.Action {
	changed := map[entra.ID]bool{}
	for _, id := range s.Changed {
		changed[id] = true
	}
	for i := range actions {
		if a := &actions[i]; changed[a.Subject.ID] && a.Status == plan.Ready {
			a.Status = plan.Blocked
			a.Reasons = append(a.Reasons, "left alone: the user's risk changed while it was read")
		}
	}
	s.Held.Block(actions)
	return actions
}

// Drift compares the baseline with the tenant.
func Drift(b *baseline.Baseline, s gather.Snapshot, settings drift.Settings) drift.Result {
	settings.Owned, settings.Exceptions = s.State.Owned, s.Exceptions
	return drift.Compare(b, s.Live, settings)
}

// Destroy plans the delete of exactly what the state records as owned.
func Destroy(s gather.Snapshot, settings drift.Settings) drift.Result {
	settings.Owned = s.State.Owned
	return drift.Result{Actions: drift.Destroy(s.Live, settings)}
}
