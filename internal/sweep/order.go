package sweep

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
	"github.com/risksweep/risksweep/internal/triage"
)

// Order is what a person wants done with named users. It stands in for the
// allowlist and for enforcement; the fence, the protected users, the limits,
// HOLD, the journal and the report hold all the same.
type Order struct {
	Kind  plan.Kind
	Users []string // UPN or object id
	// Reason is the person's own words, for the report.
	Reason string
}

// readOrder reads the ordered users and their open detections and makes the
// actions. A name that stands for no risky user, or for several, is an error
// before anything is sent.
func (r *run) readOrder(ctx context.Context, held recovery.HeldBack) error {
	if err := r.readDirectory(ctx); err != nil {
		return fmt.Errorf("resolving names: %w", err)
	}
	users, err := r.orderedUsers(ctx)
	if err != nil {
		return err
	}
	if r.atRisk, err = r.countAtRisk(ctx); err != nil {
		return fmt.Errorf("counting the users at risk, of whom the limits allow a share: %w", err)
	}
	ids := make([]entra.ID, 0, plan.BatchSize)
	for at := 0; at < len(users); at += plan.BatchSize {
		ids = ids[:0]
		for _, u := range users[at:min(at+plan.BatchSize, len(users))] {
			ids = append(ids, u.ID)
		}
		for page, err := range r.Reader.Detections(ctx, entra.DetectionQuery{Open: true, UserIDs: ids}) {
			if err != nil {
				return fmt.Errorf("reading risk detections: %w", err)
			}
			for i := range page.Items {
				d := &page.Items[i]
				if !slices.Contains(ids, d.UserID) {
					return fmt.Errorf("reading risk detections: detection %q of the user %q, for whom nobody asked: %w", d.ID, d.UserID, entra.ErrMalformed)
				}
				if !r.evidence.Add(d) {
					continue
				}
				r.tally.Add(d)
				r.res.Counts["detections"]++
				r.res.Counts["detectionsOpen"]++
				if err := r.files.detections.Write(d); err != nil {
					return fmt.Errorf("storing detections: %w", err)
				}
			}
		}
	}
	for i := range users {
		u := &users[i]
		open := r.evidence.Of(u.ID)
		a := plan.Action{Kind: r.req.Order.Kind, Status: plan.Ready, Subject: plan.Subject{ID: u.ID, Name: u.UserPrincipalName},
			Rule: "order", Reasons: []string{orderReason(r.req.Order)}, Risk: seenRisk(u, open)}
		switch why, already := r.mayNotOrder(u, held), apply.Already(a.Kind, u, len(open)); {
		case why != "":
			a.Status = plan.Blocked
			a.Reasons = append(a.Reasons, why)
		case already != "":
			a.Status = plan.AlreadyDone
			a.Reasons = append(a.Reasons, already)
		}
		r.users = append(r.users, a)
		r.res.Counts["users"]++
		report.SortDetections(open)
		row := report.UserRow{User: *u, OpenDetections: len(open), Open: open,
			Decision: triage.Decision{Verdict: verdictOf(a), Code: "order", Rule: "order", Reasons: a.Reasons}}
		r.tally.Decide(row.Decision)
		if err := r.files.users.Write(row); err != nil {
			return fmt.Errorf("storing users: %w", err)
		}
	}
	return nil
}

// countAtRisk counts the users of the tenant who are atRisk now, as a sweep
// does: an order is held to the same share of them.
func (r *run) countAtRisk(ctx context.Context) (plan.Counted, error) {
	seen := map[entra.ID]bool{}
	for page, err := range r.Reader.RiskyUsers(ctx, entra.RiskyUserQuery{State: entra.StateAtRisk}) {
		if err != nil {
			return plan.Counted{}, err
		}
		for i := range page.Items {
			seen[page.Items[i].ID] = true
		}
	}
	return plan.Count(len(seen)), ctx.Err()
}

func orderReason(o *Order) string {
	if o.Reason == "" {
		return "ordered by a person"
	}
	return "ordered by a person: " + o.Reason
}

func verdictOf(a plan.Action) triage.Verdict {
	switch {
	case a.Status != plan.Ready:
		return triage.Leave
	case a.Kind == plan.ConfirmCompromised:
		return triage.ConfirmCompromised
	case a.Kind == plan.ConfirmSafe:
		return triage.ConfirmSafe
	}
	return triage.Dismiss
}

// mayNotOrder says why even a person's order does not hold for a user.
func (r *run) mayNotOrder(u *entra.RiskyUser, held recovery.HeldBack) string {
	if r.rules != nil {
		if why := r.rules.Protected(u.ID); why != "" {
			return "the user is protected: " + why
		}
	}
	if why := r.breakGlassUnknown(); why != "" {
		return "who is a break-glass account is not known: " + why
	}
	if why := r.breakGlass[u.ID]; why != "" {
		return "the user is a break-glass account: " + why
	}
	return held.Why(u.ID)
}

// orderedUsers finds the risky users that the order names.
func (r *run) orderedUsers(ctx context.Context) ([]entra.RiskyUser, error) {
	var out []entra.RiskyUser
	var missing []string
	seen := map[entra.ID]bool{}
	for _, name := range r.req.Order.Users {
		q := entra.RiskyUserQuery{UserPrincipalName: name}
		if looksLikeGUID(name) {
			q = entra.RiskyUserQuery{IDs: []entra.ID{entra.NewID(name)}}
		}
		var found []entra.RiskyUser
		for page, err := range r.Reader.RiskyUsers(ctx, q) {
			if err != nil {
				return nil, fmt.Errorf("reading %s: %w", name, err)
			}
			found = append(found, page.Items...)
		}
		for _, u := range found {
			if u.ID != entra.NewID(name) && !strings.EqualFold(u.UserPrincipalName, name) {
				return nil, fmt.Errorf("reading %s: the answer holds the risky user %q (%s), for whom nobody asked: %w", name, u.ID, u.UserPrincipalName, entra.ErrMalformed)
			}
		}
		switch {
		case len(found) == 0:
			missing = append(missing, name)
		case len(found) > 1:
			return nil, fmt.Errorf("%s stands for %d risky users; name the object id", name, len(found))
		case !seen[found[0].ID]:
			seen[found[0].ID] = true
			found[0].Raw = append([]byte(nil), found[0].Raw...)
			out = append(out, found[0])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(missing, ", "), entra.ErrNotRisky)
	}
	return out, nil
}
