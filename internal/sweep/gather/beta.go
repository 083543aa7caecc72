package gather

import (
	"context"
	"errors"

	"github.com/risksweep/risksweep/internal/entra"
)

// Beta is what was read from the beta version; a list that could not be read is
// nil, and Skipped says why.
type Beta struct {
	Agents     []entra.RiskyAgent
	Detections []entra.AgentDetection
	// Hidden are the policies that v1.0 leaves out.
	Hidden []entra.PolicyName
}

// readBeta reads what v1.0 does not show. The beta version may change at any time,
// so that nothing depends on it: what it refuses is skipped by name.
func (r *reading) readBeta(ctx context.Context) error {
	if !r.Source.Beta {
		return nil
	}
	return r.Notes.Timed("beta", func() error {
		r.Snapshot.Beta = &Beta{}
		b := r.Snapshot.Beta
		var err error
		if b.Agents, err = r.Reader.Agents(ctx); err == nil {
			b.Detections, err = r.Reader.AgentDetections(ctx)
		}
		if err = r.skipped("agents", err); err != nil {
			return err
		}
		policies, err := r.Reader.BetaPolicies(ctx)
		if err == nil {
			b.Hidden, err = r.hidden(ctx, policies)
		}
		if err == nil {
			r.Rows.Count("riskyAgents", len(b.Agents))
			r.Rows.Count("hiddenPolicies", len(b.Hidden))
		}
		return r.skipped("hiddenPolicies", err)
	})
}

// skipped turns a refusal of the beta version into a part that is skipped.
func (r *reading) skipped(part string, err error) error {
	for _, kind := range []error{entra.ErrForbidden, entra.ErrUnlicensed, entra.ErrUnsupported, entra.ErrNotFound, entra.ErrBadRequest, entra.ErrMalformed} {
		if errors.Is(err, kind) {
			r.Notes.Skip(part, err.Error())
			return nil
		}
	}
	return err
}

// hidden are the policies that v1.0 does not list.
func (r *reading) hidden(ctx context.Context, policies []entra.PolicyName) ([]entra.PolicyName, error) {
	live, err := r.Reader.Objects(ctx, entra.KindPolicy)
	if err != nil {
		return nil, err
	}
	shown := map[entra.ID]bool{}
	for _, d := range live {
		shown[entra.NewID(d.ID())] = true
	}
	out := []entra.PolicyName{}
	for _, p := range policies {
		if !shown[p.ID] {
			out = append(out, p)
		}
	}
	return out, nil
}
