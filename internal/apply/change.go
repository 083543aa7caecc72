package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// change carries out one change, or goes on with it.
func (r *run) change(ctx context.Context, t *task) verdict {
	a, c := t.action, t.action.Change
	if t.since.IsZero() {
		if need := r.missing(c.Needs); need != "" {
			r.fail(ctx, a, plan.Failed, "", "needs "+need+", which was not made")
			return settled
		}
		var err error
		if t.body, err = Fill(c.Body, r.ids); err == nil {
			t.after, err = Fill(c.After, r.ids)
		}
		if err != nil {
			r.fail(ctx, a, plan.Failed, "", err.Error())
			return settled
		}
	}
	if t.lost != nil {
		return r.lookFor(ctx, t)
	}
	if !r.mayWrite(ctx) {
		return waiting
	}
	switch a.Kind.Verb() {
	case plan.Create:
		return r.create(ctx, t)
	case plan.Restore:
		return r.restore(ctx, t)
	case plan.Delete:
		t.after = nil
		return r.remove(ctx, t)
	case plan.Begin, plan.End:
		if t.id == "" { // the policy was made by this run
			t.id = r.ids[c.Ref()]
		}
	}
	return r.update(ctx, t)
}

// begin journals the intent of a change, once.
func (r *run) begin(ctx context.Context, t *task) bool {
	if !t.since.IsZero() {
		return true
	}
	a := t.action
	if !r.intend(ctx, a.Kind, []plan.Action{a}) {
		return false
	}
	t.since, t.sinceService = r.Now(), r.ServiceTime()
	t.until = t.since.Add(r.Visibility)
	return true
}

// create makes a new object. A refusal while something it needs is still
// fresh is tried again, for the service then has not seen that yet; a lost
// answer is looked for in the list and never sent again.
func (r *run) create(ctx context.Context, t *task) verdict {
	c := t.action.Change
	var doc entra.Document
	v, err := r.try(ctx, t, nil, func(cc context.Context) (requestID string, err error) {
		doc, requestID, err = r.Writer.CreateObject(cc, c.Kind, t.body)
		if err == nil && doc.ID() == "" {
			err = fmt.Errorf("the answer holds no id: %w", entra.ErrUnknownOutcome)
		}
		return requestID, err
	})
	return r.answered(ctx, t, v, err, doc.ID())
}

// answered judges the answer to what brings an object into the tenant. A lost one
// is looked for.
func (r *run) answered(ctx context.Context, t *task, v verdict, err error, id string) verdict {
	switch {
	case v != accepted:
		return v
	case errors.Is(err, entra.ErrUnknownOutcome):
		t.lost, t.pause, t.until = err, 0, r.Now().Add(r.Visibility)
		return r.lookFor(ctx, t)
	case err != nil:
		return r.refused(ctx, t, err)
	}
	r.stands(ctx, t, id)
	return accepted
}

// lookFor looks once whether a create whose answer was lost has been taken.
func (r *run) lookFor(ctx context.Context, t *task) verdict {
	if why := r.notAlone(ctx); why != nil {
		r.fail(ctx, t.action, plan.Unknown, t.requestID, fmt.Sprintf("%v; it is not looked for: %v", t.lost, why))
		return settled
	}
	id, err := r.find(ctx, t)
	switch {
	case err == nil:
		t.detail = "the answer was lost; found in the tenant"
		r.stands(ctx, t, id)
		return accepted
	case r.again(t):
		return waiting
	}
	r.fail(ctx, t.action, plan.Unknown, t.requestID, err.Error())
	return settled
}

// notAlone says why another run may be at work, or nothing. What then shows in the
// tenant may be that run's doing: an effect whose answer was lost is no longer
// taken for this run's own, and the next run settles it.
func (r *run) notAlone(ctx context.Context) error {
	c, cancel := r.call(ctx)
	defer cancel()
	if err := r.Gate(c, r.WriteTimeout); err != nil {
		r.stop(err)
		return err
	}
	return nil
}

// stands takes in that an object was made for its key.
func (r *run) stands(ctx context.Context, t *task, id string) {
	c := t.action.Change
	for _, need := range c.Needs {
		delete(r.unseen, need)
	}
	t.id = id
	r.ids[c.Ref()], r.fresh[c.Ref()] = id, true
	if r.Known == nil {
		r.Known = map[entra.ObjectKind]map[string]bool{}
	}
	if r.Known[c.Kind] == nil {
		r.Known[c.Kind] = map[string]bool{}
	}
	r.Known[c.Kind][t.id] = true
	r.remember(t)
	if t.action.Kind.Verb() == plan.Restore {
		return // the plan knows its id
	}
	cc, cancel := r.call(ctx)
	defer cancel()
	r.journaled(r.Journal.Made(cc, t.action, id))
}

// update changes an object after a look that it is still what the plan saw. A
// lost answer is settled by looking again, with at most one second try: a
// PATCH of the same blocks has the same effect twice.
func (r *run) update(ctx context.Context, t *task) verdict {
	c := t.action.Change
	send := func(cc context.Context) (string, error) { return r.Writer.UpdateObject(cc, c.Kind, t.id, t.body) }
	look := r.unmoved
	if len(c.Exclusions) > 0 {
		look = r.prepareExclusion
	}
	v, err := r.try(ctx, t, look, send)
	if v != accepted {
		return v
	}
	if errors.Is(err, entra.ErrUnknownOutcome) {
		t.detail = "the answer was lost; read back"
		looked := r.Now()
		if why := r.notAlone(ctx); why != nil {
			return r.refused(ctx, t, fmt.Errorf("%w; it is not read back: %v", err, why))
		}
		live, lookErr := r.object(ctx, c.Kind, t.id)
		switch {
		case lookErr != nil:
			err = fmt.Errorf("%w; reading back: %v", err, lookErr)
		case policy.CanonicalHash(c.Kind, live) == policy.CanonicalHash(c.Kind, t.after):
			err = nil
		case r.expected(t.write, live) && r.mayWrite(ctx):
			err = r.tryOnceMore(ctx, t, looked, err, send)
		}
	}
	if err != nil {
		return r.refused(ctx, t, err)
	}
	for _, need := range c.Needs {
		delete(r.unseen, need)
	}
	r.remember(t)
	return accepted
}

// remember takes in what this run has made of an object.
func (r *run) remember(t *task) {
	after := policy.CanonicalOf(t.action.Change.Kind, t.after)
	r.written[t.id], r.wroteDoc[t.id] = after.Hash(), after
}

// remove deletes an object after a look that it is still what the plan saw.
func (r *run) remove(ctx context.Context, t *task) verdict {
	c := t.action.Change
	send := func(cc context.Context) (string, error) { return r.Writer.DeleteObject(cc, c.Kind, t.id) }
	v, err := r.try(ctx, t, r.stillThere, send)
	if v != accepted {
		return v
	}
	if errors.Is(err, entra.ErrUnknownOutcome) {
		t.detail = "the answer was lost; read back"
		looked := r.Now()
		if why := r.notAlone(ctx); why != nil {
			return r.refused(ctx, t, fmt.Errorf("%w; it is not read back: %v", err, why))
		}
		live, lookErr := r.object(ctx, c.Kind, t.id)
		switch {
		case errors.Is(lookErr, entra.ErrNotFound):
			err = nil
		case lookErr == nil && r.expected(t.write, live) && r.mayWrite(ctx):
			err = r.tryOnceMore(ctx, t, looked, err, send)
		}
	}
	if err != nil && !errors.Is(err, entra.ErrNotFound) {
		return r.refused(ctx, t, err)
	}
	return accepted
}

// try journals a change and sends it once, right after a look that it may
// still be made (nil where there is nothing to look at); the look is taken
// again if too much time passed until the change could leave. A verdict other
// than accepted says that nothing was sent.
func (r *run) try(ctx context.Context, t *task, look func(context.Context, *task) bool, send func(context.Context) (string, error)) (verdict, error) {
	var held error
	for range looks {
		var looked time.Time
		if look != nil {
			looked = r.Now()
			if !look(ctx, t) {
				return settled, nil
			}
		}
		if look != nil && !r.mayWrite(ctx) { // the look took time
			return waiting, nil
		}
		if !r.begin(ctx, t) {
			return settled, nil
		}
		err := r.leave(ctx, looked, func(c context.Context) (err error) {
			t.requestID, err = send(c)
			return err
		})
		switch {
		case !unsent(err):
			return accepted, err
		case !late(err):
			return waiting, nil // the writing has ended
		}
		held = err
	}
	r.fail(ctx, t.action, plan.NotAttempted, "", "not attempted: "+held.Error())
	return settled, nil
}

// tryOnceMore sends a change again whose answer was lost. If that does not
// leave, the loss stands.
func (r *run) tryOnceMore(ctx context.Context, t *task, looked time.Time, lost error, send func(context.Context) (string, error)) error {
	err := r.leave(ctx, looked, func(c context.Context) error {
		requestID, err := send(c)
		if requestID != "" {
			t.requestID = requestID
		}
		return err
	})
	if unsent(err) {
		return lost
	}
	return err
}

// refused puts a change off that the service did not take because of what may
// only not have spread yet: an object that it needs was made, or one that used
// it was deleted, a moment ago. Otherwise it settles it. Missing permission or
// a lasting throttle ends the writing of objects: the next would meet the same.
func (r *run) refused(ctx context.Context, t *task, err error) verdict {
	switch {
	case errors.Is(err, entra.ErrUnknownOutcome):
		r.fail(ctx, t.action, plan.Unknown, t.requestID, err.Error())
		return settled
	case r.mayBeLag(t.action.Change, err) && r.again(t):
		t.refusal = err
		for _, need := range t.action.Change.Needs {
			if r.fresh[need] {
				r.unseen[need] = t.next
			}
		}
		return waiting
	}
	r.fail(ctx, t.action, plan.Failed, t.requestID, err.Error())
	if errors.Is(err, entra.ErrForbidden) || errors.Is(err, entra.ErrUnauthorized) || errors.Is(err, entra.ErrThrottled) {
		r.stop(fmt.Errorf("after an earlier write was refused: %w", err))
	}
	return settled
}

// mayBeLag reports whether a refusal can be due to writes of this run that
// have not spread through the service yet. A refusal had no effect.
func (r *run) mayBeLag(c *plan.Change, err error) bool {
	if !errors.Is(err, entra.ErrBadRequest) && !errors.Is(err, entra.ErrNotFound) && !errors.Is(err, entra.ErrConflict) {
		return false
	}
	if a, known := entra.AdviceFor(err); known && a.Lasting {
		return false
	}
	if len(c.Body) == 0 { // a delete: what used the object was changed or deleted before
		return !errors.Is(err, entra.ErrNotFound) && r.wrote
	}
	for _, n := range c.Needs {
		if r.fresh[n] {
			return true
		}
	}
	return r.fresh[c.Ref()]
}

// unmoved looks whether the live object is still what the plan saw.
func (r *run) unmoved(ctx context.Context, t *task) bool {
	live, err := r.object(ctx, t.action.Change.Kind, t.id)
	switch {
	case errors.Is(err, entra.ErrNotFound):
		r.fail(ctx, t.action, plan.Moved, "", "left alone: the live object is gone")
	case err != nil:
		r.fail(ctx, t.action, plan.Failed, "", "could not be read before the write: "+err.Error())
	case !r.expected(t.write, live):
		r.fail(ctx, t.action, plan.Moved, "", "left alone: the live object changed since the plan")
	default:
		return true
	}
	return false
}

// stillThere looks whether an object that is to be deleted is still what the
// plan saw. One that is already gone is done.
func (r *run) stillThere(ctx context.Context, t *task) bool {
	a, c := t.action, t.action.Change
	live, err := r.object(ctx, c.Kind, t.id)
	switch {
	case errors.Is(err, entra.ErrNotFound):
		r.settle(ctx, a, plan.Done, "", "already gone", &Written{Kind: c.Kind, Key: c.Key, ID: t.id, Deleted: true})
	case err != nil:
		r.fail(ctx, a, plan.Failed, "", "could not be read before the write: "+err.Error())
	case !r.expected(t.write, live):
		r.fail(ctx, a, plan.Moved, "", "left alone: the live object changed since the plan")
	default:
		return true
	}
	return false
}

// expected reports whether the live object is the plan's, or what this run
// itself has made of it since.
func (r *run) expected(w write, live entra.Document) bool {
	hash := policy.CanonicalHash(w.action.Change.Kind, live)
	return hash == w.action.Change.BeforeHash || hash == r.written[w.id]
}

func (r *run) object(ctx context.Context, kind entra.ObjectKind, id string) (entra.Document, error) {
	c, cancel := r.call(ctx)
	defer cancel()
	return r.Reader.Object(c, kind, id)
}
