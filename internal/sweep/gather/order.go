package gather

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// readDetectionsOf reads the open detections of some users.
func (r *reading) readDetectionsOf(ctx context.Context, users []entra.RiskyUser) error {
	ids := make([]entra.ID, 0, plan.BatchSize)
	for some := range slices.Chunk(users, plan.BatchSize) {
		ids = ids[:0]
		for _, u := range some {
			ids = append(ids, u.ID)
		}
		for page, err := range r.Reader.Detections(ctx, entra.DetectionQuery{Open: true, UserIDs: ids}) {
			if err != nil {
				return err
			}
			for i := range page.Items {
				d := &page.Items[i]
				if !slices.Contains(ids, d.UserID) {
					return fmt.Errorf("detection %q of the user %q, for whom nobody asked: %w", d.ID, d.UserID, entra.ErrMalformed)
				}
				if r.index.Add(d) && r.Rows != nil {
					if err := r.Rows.Detection(d); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// countAtRisk counts the users of the tenant who are atRisk now, as a sweep
// does: an order is held to the same share of them.
func (r *reading) countAtRisk(ctx context.Context) (plan.Counted, error) {
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

// readRoles reads who holds a directory role, unless triage had it read already.
func (r *reading) readRoles(ctx context.Context) error {
	if r.directory.privileged == nil && r.directory.privilegedError == nil {
		r.directory.privileged, r.directory.privilegedError = r.Reader.Privileged(ctx)
	}
	if err := r.directory.privilegedError; err != nil {
		r.RolesUnknown = err.Error()
		return ctx.Err()
	}
	r.Roles, r.PrincipalRoles = r.directory.privileged.Users, r.directory.privileged.Principals
	return nil
}

// orderedUsers finds the risky users that the order names.
func (r *reading) orderedUsers(ctx context.Context, names []string) ([]entra.RiskyUser, error) {
	var out []entra.RiskyUser
	var missing []string
	seen := map[entra.ID]bool{}
	for _, name := range names {
		q := entra.RiskyUserQuery{UserPrincipalName: name}
		if entra.IsID(name) {
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
		if len(found) == 0 && r.anybody {
			if found, err := r.atNoRisk(ctx, name); err != nil {
				return nil, err
			} else if !seen[found.ID] {
				seen[found.ID] = true
				out = append(out, found)
			}
			continue
		}
		switch {
		case len(found) == 0:
			missing = append(missing, name)
		case len(found) > 1:
			return nil, fmt.Errorf("%s stands for %d risky users; name the object id", name, len(found))
		case !seen[found[0].ID]:
			seen[found[0].ID] = true
			out = append(out, found[0])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(missing, ", "), entra.ErrNotRisky)
	}
	return out, nil
}

// atNoRisk finds a user of the directory who is not among the risky ones.
func (r *reading) atNoRisk(ctx context.Context, name string) (entra.RiskyUser, error) {
	ref := entra.Ref{Kind: entra.KindUser, Name: name}
	names, err := r.Reader.Resolve(ctx, []entra.Ref{ref})
	if err != nil {
		return entra.RiskyUser{}, fmt.Errorf("reading %s: %w", name, err)
	}
	o, one := names[ref].Resolved()
	if !one {
		return entra.RiskyUser{}, fmt.Errorf("%s: %w", cmp.Or(names[ref].Problem(), "there is no such user"), entra.ErrNotFound)
	}
	no := false
	u := entra.RiskyUser{ID: o.ID, UserPrincipalName: cmp.Or(o.UserPrincipalName, name), UserDisplayName: o.DisplayName, IsDeleted: &no, IsProcessing: &no,
		RiskLevel: entra.LevelNone, RiskState: entra.StateNone}
	raw, err := json.Marshal(map[string]any{"id": u.ID, "userPrincipalName": u.UserPrincipalName, "userDisplayName": u.UserDisplayName,
		"isDeleted": false, "isProcessing": false, "riskLevel": u.RiskLevel, "riskState": u.RiskState})
	u.Raw = string(raw)
	return u, err
}
