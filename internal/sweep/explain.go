package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/sweep/evidence"
	"github.com/risksweep/risksweep/internal/triage"
)

// Explain reads one user as a sweep would and says why triage decides as it
// does. Nothing is stored or written.
func (s *Sweeper) Explain(ctx context.Context, user string) (triage.Explanation, error) {
	if s.Triage == nil {
		return triage.Explanation{}, errors.New("no triage file is configured")
	}
	r := &run{Sweeper: s, req: Request{Mode: Plan, Order: &Order{Users: []string{user}}}, started: s.Now().UTC(), evidence: evidence.NewIndex(),
		res: Result{Counts: map[string]int{}}}
	if err := r.readState(ctx); err != nil {
		return triage.Explanation{}, err
	}
	if err := r.readTenant(ctx); err != nil {
		return triage.Explanation{}, err
	}
	if err := r.recover(ctx); err != nil {
		return triage.Explanation{}, fmt.Errorf("settling what earlier runs left open: %w", err)
	}
	if why := r.noTriage(); why != "" {
		return triage.Explanation{}, fmt.Errorf("triage is skipped: %s", why)
	}
	if err := r.readDirectory(ctx); err != nil {
		return triage.Explanation{}, fmt.Errorf("resolving names: %w", err)
	}
	users, err := r.orderedUsers(ctx)
	if err != nil {
		return triage.Explanation{}, err
	}
	u := &users[0]
	for page, err := range s.Reader.Detections(ctx, entra.DetectionQuery{Open: true, UserIDs: []entra.ID{u.ID}}) {
		if err != nil {
			return triage.Explanation{}, fmt.Errorf("reading risk detections: %w", err)
		}
		for i := range page.Items {
			if d := &page.Items[i]; d.UserID == u.ID {
				r.evidence.Add(d)
			} else {
				return triage.Explanation{}, fmt.Errorf("detection %q of the user %q, for whom nobody asked: %w", d.ID, d.UserID, entra.ErrMalformed)
			}
		}
	}
	return r.rules.Explain(r.userEvidence(u, r.evidence.Of(u.ID), r.rec.Held), r.serviceNow()), nil
}
