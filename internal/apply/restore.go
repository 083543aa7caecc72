package apply

import (
	"context"
	"errors"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// restore takes an object out of the deleted items after a look that it still
// lies there as the plan saw it. A lost answer is looked for in the list and
// never sent again.
func (r *run) restore(ctx context.Context, t *task) verdict {
	kind := t.action.Change.Kind
	v, err := r.try(ctx, t, r.stillDeleted, func(cc context.Context) (string, error) {
		return r.Writer.RestoreObject(cc, kind, t.id)
	})
	return r.answered(ctx, t, v, err, t.id)
}

// stillDeleted looks whether an object lies among the deleted items as the plan
// saw it. One that somebody has restored as it was is done.
func (r *run) stillDeleted(ctx context.Context, t *task) bool {
	a, c := t.action, t.action.Change
	live, err := r.object(ctx, c.Kind, t.id)
	switch {
	case err == nil && policy.CanonicalHash(c.Kind, live) == policy.CanonicalHash(c.Kind, t.after):
		r.settle(ctx, a, plan.Done, "", "already restored", t.made(live))
		return false
	case err == nil:
		r.fail(ctx, a, plan.Moved, "", "left alone: it is in the tenant again, and not as it was deleted")
		return false
	case !errors.Is(err, entra.ErrNotFound):
		r.fail(ctx, a, plan.Failed, "", "could not be read before the write: "+err.Error())
		return false
	}
	cc, cancel := r.call(ctx)
	defer cancel()
	deleted, err := r.Reader.DeletedObject(cc, c.Kind, t.id)
	switch {
	case errors.Is(err, entra.ErrNotFound):
		r.fail(ctx, a, plan.Moved, "", "left alone: it is no longer among the deleted items")
	case err != nil:
		r.fail(ctx, a, plan.Failed, "", "could not be read before the write: "+err.Error())
	case policy.CanonicalHash(c.Kind, deleted) != c.BeforeHash:
		r.fail(ctx, a, plan.Moved, "", "left alone: the deleted object changed since the plan")
	default:
		return true
	}
	return false
}
