package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/evidence"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
	"github.com/risksweep/risksweep/internal/triage"
)

// Retention of risk detections by licence (reports data retention). What is
// older cannot be read any more, so open risk from before may be unseen.
const (
	retentionP2   = 90 * 24 * time.Hour
	retentionP1   = 30 * 24 * time.Hour
	retentionFree = 7 * 24 * time.Hour
)

// readMargin is taken off the service's time when rows that changed since the
// start of the read are asked for.
const readMargin = time.Minute

// readDetections streams the detections into the report and keeps the evidence
// of the open ones. Pages are offsets into a living list: when there was more
// than one, what changed meanwhile is asked for once more. A run that goes on
// from a checkpoint asks for it first, for it stands over what was kept; and at
// the end for what may have shown late, as a run after it would.
func (r *run) readDetections(ctx context.Context) error {
	r.turnStart = r.serviceStart
	c := r.findCheckpoint(ctx)
	r.checkpoint = c
	if c.found {
		if _, err := r.detectionPages(ctx, entra.DetectionQuery{UpdatedSince: r.serviceStart.Add(-readMargin)}, nil); err != nil {
			return err
		}
		if err := r.replay(ctx, c); err != nil {
			return err
		}
	}
	pages, since := c.pages, r.turnStart.Add(-readMargin)
	if pages > 0 {
		since = r.serviceStart.Add(-r.Settings.Overlap)
	}
	if !c.whole {
		n, err := r.goOn(ctx, c)
		if err != nil {
			return err
		}
		pages += n
	}
	if pages > 1 {
		_, err := r.detectionPages(ctx, entra.DetectionQuery{UpdatedSince: since}, nil)
		return err
	}
	return nil
}

// detectionPages reads a selection, and keeps its pages if c is given.
func (r *run) detectionPages(ctx context.Context, q entra.DetectionQuery, c *checkpoint) (pages int, err error) {
	link := q.Resume
	for page, err := range r.Reader.Detections(ctx, q) {
		if err != nil {
			return pages, err
		}
		if pages == 0 && link != "" && !r.anyKnown(page.Items) {
			return 0, errMoved
		}
		pages++
		r.keep(ctx, c, link, page)
		if err := r.takeDetections(c, page.Items, false); err != nil {
			return pages, err
		}
		link = page.Next
		r.Progress.Advance(len(page.Items))
	}
	return pages, ctx.Err()
}

// takeDetections writes detections into the report and keeps the evidence of
// the open ones. Old ones, out of a checkpoint, never stand over what is known.
func (r *run) takeDetections(c *checkpoint, items []entra.Detection, old bool) error {
	for i := range items {
		d := &items[i]
		if d.ID == "" {
			return fmt.Errorf("a detection without id: %w", entra.ErrMalformed)
		}
		if old && r.evidence.Knows(d.ID) {
			continue
		}
		fresh := r.evidence.Add(d)
		if !fresh {
			continue // read before: only its state is news
		}
		if c != nil {
			c.fresh++
		}
		r.tally.Add(d)
		r.res.Counts["detections"]++
		if d.RiskState.Open() {
			r.res.Counts["detectionsOpen"]++
		}
		if err := r.files.detections.Write(d); err != nil {
			return fmt.Errorf("storing detections: %w", err)
		}
	}
	return nil
}

// readServicePrincipals reads workload identities at risk, where the tenant
// has them.
func (r *run) readServicePrincipals(ctx context.Context) error {
	mode := r.Settings.ServicePrincipals
	if mode == "false" {
		return nil
	}
	if mode == "auto" && !r.tenant.PlansUnknown && !r.tenant.WorkloadPremium {
		r.skip("servicePrincipals", "the tenant has no Workload ID Premium licence")
		return nil
	}
	for page, err := range r.Reader.RiskyServicePrincipals(ctx) {
		switch {
		case mode == "auto" && (errors.Is(err, entra.ErrUnlicensed) || errors.Is(err, entra.ErrUnsupported) || errors.Is(err, entra.ErrForbidden)):
			r.servicePrincipals = nil
			r.skip("servicePrincipals", err.Error())
			return nil
		case err != nil:
			return err
		}
		for _, sp := range page.Items {
			sp.Raw = append([]byte(nil), sp.Raw...)
			r.servicePrincipals = append(r.servicePrincipals, sp)
		}
	}
	r.res.Counts["riskyServicePrincipals"] = len(r.servicePrincipals)
	return nil
}

// readUsers streams the risky users, decides on each, and keeps only the
// actions. A user that changes while the pages are read is decided on no
// more in this run.
func (r *run) readUsers(ctx context.Context, held recovery.HeldBack) error {
	if r.Triage == nil {
		r.skip("triage", "no triage file is configured")
	} else if r.noTriage() != "" {
		r.skip("triage", r.noTriage())
	}
	q := entra.RiskyUserQuery{}
	if !r.full {
		q.Open, q.UpdatedSince = true, r.since
	}
	began := map[entra.ID]entra.DateTime{} // users with an action
	seen := evidence.NewIDSet()
	pages := 0
	one := func(u *entra.RiskyUser) error {
		if u.ID == "" {
			return fmt.Errorf("a risky user without id: %w", entra.ErrMalformed)
		}
		if !seen.Add(string(u.ID)) {
			if at, ok := began[u.ID]; ok && at != u.RiskLastUpdatedDateTime {
				r.dropAction(u.ID, "left alone: the user's risk changed while it was read")
			}
			return nil
		}
		a, err := r.decide(u, held)
		if err != nil {
			return err
		}
		if a != nil {
			began[u.ID] = u.RiskLastUpdatedDateTime
			r.users = append(r.users, *a)
		}
		return nil
	}
	read := func(q entra.RiskyUserQuery) error {
		for page, err := range r.Reader.RiskyUsers(ctx, q) {
			if err != nil {
				return err
			}
			pages++
			for i := range page.Items {
				if err := one(&page.Items[i]); err != nil {
					return err
				}
			}
			r.Progress.Advance(len(page.Items))
		}
		return ctx.Err()
	}
	if err := read(q); err != nil {
		if errors.Is(err, entra.ErrUnlicensed) || errors.Is(err, entra.ErrUnsupported) {
			r.skip("triage", err.Error())
			return nil
		}
		return err
	}
	if pages > 1 {
		if err := read(entra.RiskyUserQuery{UpdatedSince: r.turnStart.Add(-readMargin)}); err != nil {
			return err
		}
	}
	r.usersRead()
	r.atRisk = plan.Count(r.res.Counts["usersAtRisk"])
	if r.rules != nil {
		for _, f := range r.rules.Unmatched() {
			r.warn(f.Text)
		}
	}
	return nil
}

// noTriage says why no rule may decide in this tenant, or nothing.
func (r *run) noTriage() string {
	if !r.tenant.PlansUnknown && !r.tenant.PlanP2 {
		return "the tenant has no Entra ID P2 licence: levels and users at risk are hidden"
	}
	return ""
}

// decide lets triage judge one user, writes the row and gives the action, if
// any.
func (r *run) decide(u *entra.RiskyUser, held recovery.HeldBack) (*plan.Action, error) {
	r.res.Counts["users"]++
	open := r.evidence.Of(u.ID)
	report.SortDetections(open)
	row := report.UserRow{User: *u, OpenDetections: len(open), Open: open}
	if u.RiskState == entra.StateAtRisk {
		r.res.Counts["usersAtRisk"]++
	}
	if u.RiskState.Open() {
		r.res.Counts["usersOpen"]++
		r.res.Counts["usersOpen."+string(u.RiskLevel)]++
	}
	var a *plan.Action
	if r.rules != nil {
		ev := r.userEvidence(u, open, held)
		row.Decision = r.rules.Decide(ev, r.serviceNow())
		r.tally.Decide(row.Decision)
		r.res.Counts["decisions."+string(row.Decision.Verdict)]++
		if row.Decision.NeedsPerson {
			r.res.Counts["needsPerson"]++
		}
		a = r.action(u, ev, row.Decision)
	}
	if u.RiskState.Open() && row.Decision.Verdict != triage.Dismiss {
		r.campaigns.Add(string(u.ID), u.UserPrincipalName, open, row.Decision.NearMisses)
	}
	row.AgeHours, row.Overdue = r.Output.SLA.Age(row.Decision, u.RiskLevel, r.serviceNow())
	if err := r.files.users.Write(row); err != nil {
		return nil, fmt.Errorf("storing users: %w", err)
	}
	return a, nil
}

// userEvidence is all that is known of one user.
func (r *run) userEvidence(u *entra.RiskyUser, open []triage.Detection, held recovery.HeldBack) triage.Evidence {
	ev := triage.Evidence{User: *u, Detections: open, Incomplete: r.evidence.Ownerless(), HeldBack: held.Why(u.ID)}
	keep := retentionFree
	switch {
	case r.tenant.PlanP2 || r.tenant.PlansUnknown:
		keep = retentionP2
	case r.tenant.PlanP1:
		keep = retentionP1
	}
	edge := r.serviceStart.Add(-keep + 24*time.Hour)
	for _, d := range open {
		if t, ok := d.Detected.Time(); ok && t.Before(edge) {
			ev.Incomplete = fmt.Sprintf("its oldest open detection is about to pass the service's retention of %d days; older ones may be gone", int(keep.Hours()/24))
		}
	}
	if t, ok := u.RiskLastUpdatedDateTime.Time(); ok && t.Before(edge) {
		ev.Incomplete = fmt.Sprintf("the risk is older than the service's retention of %d days; its detections may be gone", int(keep.Hours()/24))
	}
	ev.Dismissals, ev.Confirmations = r.rec.Past(u.ID)
	return ev
}

// action turns a decision into an action.
func (r *run) action(u *entra.RiskyUser, ev triage.Evidence, d triage.Decision) *plan.Action {
	a := plan.Action{Status: plan.Ready, Subject: plan.Subject{ID: u.ID, Name: u.UserPrincipalName}, Rule: d.Rule, Reasons: d.Reasons,
		Risk: seenRisk(u, ev.Detections)}
	switch d.Verdict {
	case triage.Dismiss:
		a.Kind = plan.Dismiss
	case triage.ConfirmCompromised:
		a.Kind = plan.ConfirmCompromised
	default:
		return nil
	}
	return &a
}

// seenRisk is the evidence as the plan keeps it for the fence.
func seenRisk(u *entra.RiskyUser, open []triage.Detection) *plan.Risk {
	risk := &plan.Risk{RiskLevel: u.RiskLevel, RiskState: u.RiskState, RiskLastUpdatedDateTime: u.RiskLastUpdatedDateTime,
		Detections: make([]plan.SeenDetection, 0, len(open))}
	for _, d := range open {
		risk.Detections = append(risk.Detections, plan.SeenDetection{ID: d.ID, RiskEventType: d.EventType,
			RiskLevel: d.Level, RiskState: d.State, LastUpdatedDateTime: d.Updated})
	}
	plan.SortDetections(risk.Detections)
	return risk
}

// dropAction blocks the action on a user.
func (r *run) dropAction(userID entra.ID, why string) {
	for i := range r.users {
		if a := &r.users[i]; a.Subject.ID == userID && a.Status == plan.Ready {
			a.Status = plan.Blocked
			a.Reasons = append(a.Reasons, why)
		}
	}
}

// sayOwnerless makes open detections without a user an error of the run.
func (r *run) sayOwnerless() {
	if why := r.evidence.Ownerless(); why != "" {
		why += "; nobody is dismissed or confirmed compromised by a rule"
		r.warn(why)
		r.errors = append(r.errors, fmt.Errorf("%s: %w", why, entra.ErrMalformed))
	}
}

func (r *run) skip(part, why string) {
	r.res.Skipped = append(r.res.Skipped, part+": "+why)
	r.Log.Warn("skipped", "part", part, "why", why, "tenant", r.Name, "run", r.res.Run)
}
