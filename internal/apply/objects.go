package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// firstPause is the first pause before an object that is not yet visible
// everywhere is tried or looked for again.
const firstPause = 1500 * time.Millisecond

// objects carries out the changes to policies, named locations and
// authentication strengths in the plan's order, then verifies all of them with
// one list per kind.
func (r *run) objects(ctx context.Context) {
	var wrote []write
	for _, a := range r.Plan.Actions {
		if a.Kind.OnUser() || a.Status != plan.Ready || a.Change == nil {
			continue
		}
		if need := r.missing(a.Change.Needs); need != "" {
			r.fail(ctx, a, plan.Failed, "", "needs "+need+", which was not made")
			continue
		}
		if !r.mayWrite(ctx) {
			break
		}
		w, ok := r.change(ctx, a)
		if ok {
			wrote = append(wrote, w)
		}
	}
	r.verify(ctx, wrote)
}

// write is a change that the service accepted and that is to be verified.
type write struct {
	action    plan.Action
	id        string
	requestID string
	after     entra.Document // canonical, references filled in; nil for a delete
	detail    string
}

// missing names the first need that this run could not make.
func (r *run) missing(needs []string) string {
	for _, n := range needs {
		if r.failed[n] {
			return n
		}
	}
	return ""
}

// fail settles an action that was not carried out, and marks what it was to
// make as missing.
func (r *run) fail(ctx context.Context, a plan.Action, status plan.OutcomeStatus, requestID, detail string) {
	r.failed[keyOf(a.Change)] = true
	r.settle(ctx, a, status, requestID, detail, nil)
}

func keyOf(c *plan.Change) string { return string(c.Kind) + ":" + c.Key }

// change carries out one change. False means that the action is settled.
func (r *run) change(ctx context.Context, a plan.Action) (write, bool) {
	c := a.Change
	body, err := fill(c.Body, r.ids)
	if err != nil {
		r.fail(ctx, a, plan.Failed, "", err.Error())
		return write{}, false
	}
	after, err := fill(c.After, r.ids)
	if err != nil {
		r.fail(ctx, a, plan.Failed, "", err.Error())
		return write{}, false
	}
	w := write{action: a, id: a.Subject.ID, after: entra.Document(after)}
	switch a.Kind {
	case plan.CreateLocation, plan.CreateStrength, plan.CreatePolicy:
		return r.create(ctx, w, body)
	case plan.DeleteLocation, plan.DeleteStrength, plan.DeletePolicy:
		w.after = nil
		return r.remove(ctx, w)
	}
	return r.update(ctx, w, body)
}

// create makes a new object. A refusal while something it needs is still
// fresh is tried again, for the service then has not seen that yet; a lost
// answer is looked for in the list and never sent again.
func (r *run) create(ctx context.Context, w write, body entra.Document) (write, bool) {
	a, c := w.action, w.action.Change
	if !r.intend(ctx, a.Kind, []plan.Action{a}) {
		return w, false
	}
	since := r.Now().Add(-clockSkew)
	send := func(cc context.Context) (string, error) {
		doc, requestID, err := r.Writer.CreateObject(cc, c.Kind, body)
		if err == nil && doc.ID() == "" {
			err = fmt.Errorf("the answer holds no id: %w", entra.ErrUnknownOutcome)
		}
		w.id = doc.ID()
		return requestID, err
	}
	var err error
	w.requestID, err = r.persist(ctx, c, send)
	if errors.Is(err, entra.ErrUnknownOutcome) {
		w.id, err = r.find(ctx, c.Kind, w.after, since, err)
		w.detail = "the answer was lost; found in the tenant"
	}
	switch {
	case errors.Is(err, entra.ErrUnknownOutcome):
		r.fail(ctx, a, plan.Unknown, w.requestID, err.Error())
		return w, false
	case err != nil:
		r.refused(ctx, w, err)
		return w, false
	}
	r.ids[keyOf(c)], r.fresh[keyOf(c)] = w.id, true
	if r.Known[c.Kind] == nil {
		if r.Known == nil {
			r.Known = map[entra.ObjectKind]map[string]bool{}
		}
		r.Known[c.Kind] = map[string]bool{}
	}
	r.Known[c.Kind][w.id] = true
	return w, true
}

// update changes an object after a look that it is still what the plan saw. A
// lost answer is settled by looking again, with at most one second try: a
// PATCH of the same blocks has the same effect twice.
func (r *run) update(ctx context.Context, w write, body entra.Document) (write, bool) {
	a, c := w.action, w.action.Change
	if !r.unmoved(ctx, w) {
		return w, false
	}
	if !r.mayWrite(ctx) || !r.intend(ctx, a.Kind, []plan.Action{a}) {
		return w, false
	}
	send := func(cc context.Context) (string, error) { return r.Writer.UpdateObject(cc, c.Kind, w.id, body) }
	var err error
	w.requestID, err = r.persist(ctx, c, send)
	if errors.Is(err, entra.ErrUnknownOutcome) {
		w.detail = "the answer was lost; read back"
		live, lookErr := r.object(ctx, c.Kind, w.id)
		switch {
		case lookErr != nil:
			err = fmt.Errorf("%w; reading back: %v", err, lookErr)
		case entra.CanonicalHash(c.Kind, live) == entra.CanonicalHash(c.Kind, w.after):
			err = nil
		case r.expected(w, live) && r.mayWrite(ctx):
			w.requestID, err = r.persist(ctx, c, send)
		}
	}
	switch {
	case errors.Is(err, entra.ErrUnknownOutcome):
		r.fail(ctx, a, plan.Unknown, w.requestID, err.Error())
		return w, false
	case err != nil:
		r.refused(ctx, w, err)
		return w, false
	}
	r.written[w.id] = entra.CanonicalHash(c.Kind, w.after)
	return w, true
}

// remove deletes an object after a look that it is still what the plan saw.
// One that is already gone is done.
func (r *run) remove(ctx context.Context, w write) (write, bool) {
	a, c := w.action, w.action.Change
	live, err := r.object(ctx, c.Kind, w.id)
	switch {
	case errors.Is(err, entra.ErrNotFound):
		r.settle(ctx, a, plan.Done, "", "already gone", &Made{Kind: c.Kind, Key: c.Key, ID: w.id, Deleted: true})
		return w, false
	case err != nil:
		r.fail(ctx, a, plan.Failed, "", "could not be read before the write: "+err.Error())
		return w, false
	case !r.expected(w, live):
		r.fail(ctx, a, plan.Moved, "", "left alone: the live object changed since the plan")
		return w, false
	}
	if !r.mayWrite(ctx) || !r.intend(ctx, a.Kind, []plan.Action{a}) {
		return w, false
	}
	send := func(cc context.Context) (string, error) { return r.Writer.DeleteObject(cc, c.Kind, w.id) }
	w.requestID, err = r.persist(ctx, c, send)
	if errors.Is(err, entra.ErrUnknownOutcome) {
		w.detail = "the answer was lost; read back"
		live, lookErr := r.object(ctx, c.Kind, w.id)
		switch {
		case errors.Is(lookErr, entra.ErrNotFound):
			err = nil
		case lookErr == nil && r.expected(w, live) && r.mayWrite(ctx):
			w.requestID, err = r.persist(ctx, c, send)
		}
	}
	switch {
	case err == nil, errors.Is(err, entra.ErrNotFound):
		return w, true
	case errors.Is(err, entra.ErrUnknownOutcome):
		r.fail(ctx, a, plan.Unknown, w.requestID, err.Error())
	default:
		r.refused(ctx, w, err)
	}
	return w, false
}

// persist sends a change, and again as long as the service refuses it for
// something that may only not have spread yet: an object it needs was made, or
// one that used it was deleted, a moment ago. A refusal had no effect.
func (r *run) persist(ctx context.Context, c *plan.Change, send func(context.Context) (string, error)) (string, error) {
	try := func() (string, error) {
		cc, cancel := r.call(ctx)
		defer cancel()
		return send(cc)
	}
	requestID, err := try()
	if !r.mayBeLag(c, err) {
		return requestID, err
	}
	for d := range backoff(firstPause, r.Visibility) {
		if !wait(ctx, d) || !r.mayWrite(ctx) {
			break
		}
		if requestID, err = try(); !r.mayBeLag(c, err) {
			break
		}
	}
	return requestID, err
}

// mayBeLag reports whether a refusal can be due to writes of this run that
// have not spread through the service yet.
func (r *run) mayBeLag(c *plan.Change, err error) bool {
	if !errors.Is(err, entra.ErrBadRequest) && !errors.Is(err, entra.ErrNotFound) && !errors.Is(err, entra.ErrConflict) {
		return false
	}
	if errors.Is(err, entra.ErrUnknownOutcome) {
		return false
	}
	if len(c.Body) == 0 { // a delete: what used the object was changed or deleted before
		return !errors.Is(err, entra.ErrNotFound) && len(r.written)+len(r.made) > 0
	}
	for _, n := range c.Needs {
		if r.fresh[n] {
			return true
		}
	}
	return r.fresh[keyOf(c)]
}

// refused settles a change that the service did not take. Missing permission
// or a lasting throttle ends the writing of objects: the next would meet the
// same.
func (r *run) refused(ctx context.Context, w write, err error) {
	r.fail(ctx, w.action, plan.Failed, w.requestID, err.Error())
	if errors.Is(err, entra.ErrForbidden) || errors.Is(err, entra.ErrUnauthorized) || errors.Is(err, entra.ErrThrottled) {
		r.stop(fmt.Errorf("after an earlier write was refused: %w", err))
	}
}

// unmoved looks whether the live object is still what the plan saw.
func (r *run) unmoved(ctx context.Context, w write) bool {
	c := w.action.Change
	live, err := r.object(ctx, c.Kind, w.id)
	switch {
	case errors.Is(err, entra.ErrNotFound):
		r.fail(ctx, w.action, plan.Moved, "", "left alone: the live object is gone")
	case err != nil:
		r.fail(ctx, w.action, plan.Failed, "", "could not be read before the write: "+err.Error())
	case !r.expected(w, live):
		r.fail(ctx, w.action, plan.Moved, "", "left alone: the live object changed since the plan")
	default:
		return true
	}
	return false
}

// expected reports whether the live object is the plan's, or what this run
// itself has made of it since.
func (r *run) expected(w write, live entra.Document) bool {
	hash := entra.CanonicalHash(w.action.Change.Kind, live)
	return hash == w.action.Change.BeforeHash || hash == r.written[w.id]
}

func (r *run) object(ctx context.Context, kind entra.ObjectKind, id string) (entra.Document, error) {
	c, cancel := r.call(ctx)
	defer cancel()
	return r.Reader.Object(c, kind, id)
}
