package apply

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// Actions on the risk of workload identities. Their effect shows as that of the
// actions on users does.

var _ = enter(plan.DismissServicePrincipal, onPrincipal(dismissal))

var _ = enter(plan.ConfirmServicePrincipalCompromised, onPrincipal(confirmation))

func onPrincipal(a userAction) userAction {
	a.moved = func(_ *run, a plan.Action, live *Live) string { return movedPrincipal(a.Risk, live) }
	return a
}

// movedPrincipal is Moved for a service principal.
func movedPrincipal(want *plan.Risk, live *Live) string {
	switch {
	case want == nil:
		return "the plan holds no evidence of the service principal's risk"
	case live == nil || live.User == nil:
		return "the service principal is no longer among the risky ones"
	case processing(live.User):
		return "the service is still processing the service principal's risk"
	}
	return movedRisk(want, live)
}

// readPrincipals reads the service principals of the actions and their detections
// into out: the open ones, and besides those that changed since the given time,
// if any. The list of the risky ones is read whole, as a run reads it.
func readPrincipals(ctx context.Context, reader Reader, actions []plan.Action, since time.Time, out map[entra.ID]*Live) error {
	var ids []entra.ID
	for _, a := range actions {
		if a.Kind.OnPrincipal() && !slices.Contains(ids, a.Subject.ID) {
			ids = append(ids, a.Subject.ID)
			out[a.Subject.ID] = &Live{}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	for page, err := range reader.RiskyServicePrincipals(ctx) {
		if err != nil {
			return err
		}
		for i := range page.Items {
			if p := &page.Items[i]; slices.Contains(ids, p.ID) {
				u := p.AsUser()
				out[p.ID].User = &u
			}
		}
	}
	for some := range slices.Chunk(ids, plan.PrincipalBatch) {
		for page, err := range reader.ServicePrincipalDetections(ctx, some) {
			if err != nil {
				return err
			}
			for i := range page.Items {
				d := &page.Items[i]
				if !slices.Contains(some, d.ServicePrincipalID) {
					return fmt.Errorf("the answer holds the detection %q of the service principal %q, for which nobody asked: %w", d.ID, d.ServicePrincipalID, entra.ErrMalformed)
				}
				changed, known := d.LastUpdatedDateTime.Time()
				if d.RiskState.Open() || !since.IsZero() && (!known || !changed.Before(since)) {
					l := out[d.ServicePrincipalID]
					l.Detections = append(l.Detections, seen(d))
				}
			}
		}
	}
	return nil
}

// seen is a detection as a plan keeps it.
func seen(d *entra.Detection) plan.SeenDetection {
	return plan.SeenDetection{ID: d.ID, RiskEventType: d.RiskEventType, RiskLevel: d.RiskLevel, RiskState: d.RiskState,
		LastUpdatedDateTime: d.LastUpdatedDateTime, RequestID: d.RequestID}
}
