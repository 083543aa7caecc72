package apply

import (
	"context"
	"errors"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// prepareExclusion looks at a policy like unmoved and makes what is sent of it: an
// exception changes who is excluded from the policy as it stands, whatever else
// this run has made of it, or was kept from making of it. A read may be older
// than this run's own write, and then that write counts.
func (r *run) prepareExclusion(ctx context.Context, t *task) bool {
	c := t.action.Change
	if t.id == "" {
		r.fail(ctx, t.action, plan.Failed, "", "the policy does not exist")
		return false
	}
	live, err := r.object(ctx, c.Kind, t.id)
	switch {
	case errors.Is(err, entra.ErrNotFound) && r.fresh[c.Ref()]: // made by this run, and not seen everywhere yet
	case errors.Is(err, entra.ErrNotFound):
		r.fail(ctx, t.action, plan.Moved, "", "left alone: the live object is gone, or does not show yet")
		return false
	case err != nil:
		r.fail(ctx, t.action, plan.Failed, "", "could not be read before the write: "+err.Error())
		return false
	case !r.expected(t.write, live):
		r.fail(ctx, t.action, plan.Moved, "", "left alone: the live object changed since the plan")
		return false
	}
	before := r.wroteDoc[t.id]
	if before == nil {
		before = policy.CanonicalOf(c.Kind, live)
	}
	after := t.action.Excepted(before)
	t.after, t.body = after.Document(), policy.UpdateBody(c.Kind, before, after, live)
	return true
}

// exceptionShows reports whether a policy has the effect of an exception's
// beginning or end.
func exceptionShows(a plan.Action, live entra.Document) bool {
	excluded := policy.CanonicalOf(entra.KindPolicy, live).ExcludedUsers()
	ids := a.Excluded()
	if a.Kind == plan.EndException {
		return len(policy.Minus(ids, excluded)) == len(ids)
	}
	return policy.Subset(ids, excluded)
}
