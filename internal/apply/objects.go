package apply

import (
	"context"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// firstPause is the first pause before an object that is not yet visible
// everywhere is tried or looked for again.
const firstPause = 1500 * time.Millisecond

// task is one change on its way.
type task struct {
	write
	body entra.Document
	// since is when its intent was journaled; zero before that.
	since time.Time
	// sinceService is the time of the service's last answer then.
	sinceService time.Time
	// lost is why nobody knows whether a create was taken: it is looked for
	// and never sent again.
	lost error
	// refusal is why the service has not taken it, which may only be lag.
	refusal error
	// next is when it is tried or looked for again, with growing pauses, and
	// until when the service is given time.
	next, until time.Time
	pause       time.Duration
}

// verdict is what has become of a change.
type verdict int

const (
	settled  verdict = iota // it has its outcome, or the run's writing has ended
	waiting                 // it is to be tried or looked for again
	accepted                // the service took it; to be verified
)

// objects carries out the changes to policies, named locations and
// authentication strengths in the plan's order, then verifies all of them with
// one list per kind. A change that has to wait for the service lets those go
// first that do not depend on it.
func (r *run) objects(ctx context.Context) {
	var queue []*task
	for _, a := range r.Plan.Actions {
		if !a.Kind.OnUser() && a.Status == plan.Ready && a.Change != nil {
			queue = append(queue, &task{write: write{action: a, id: string(a.Subject.ID)}})
		}
	}
	var wrote []write
	for len(queue) > 0 && r.stopped == nil {
		var later []*task
		for _, t := range queue {
			v := waiting
			if r.stopped == nil && !waitsFor(t, later) && !r.Now().Before(r.due(t)) {
				v = r.change(ctx, t)
			}
			switch v {
			case waiting:
				later = append(later, t)
			case accepted:
				wrote = append(wrote, t.write)
				r.wrote = true
			}
		}
		queue = later
		if r.stopped == nil && !r.rest(ctx, queue) {
			r.stop(context.Cause(ctx))
		}
	}
	for _, t := range queue { // the writing ended early
		switch {
		case t.lost != nil:
			r.fail(ctx, t.action, plan.Unknown, t.requestID, t.lost.Error())
		case t.refusal != nil:
			r.fail(ctx, t.action, plan.Failed, t.requestID, t.refusal.Error())
		case !t.since.IsZero(): // its intent stands, and nothing was sent
			r.fail(ctx, t.action, plan.NotAttempted, t.requestID, "not attempted: "+r.stopped.Error())
		}
	}
	r.verify(ctx, wrote)
}

// waitsFor reports whether a change comes after one that is not done yet: one
// that it needs, or one of the same object.
func waitsFor(t *task, unfinished []*task) bool {
	for _, u := range unfinished {
		key := u.action.Change.Ref()
		if key == t.action.Change.Ref() {
			return true
		}
		for _, need := range t.action.Change.Needs {
			if need == key {
				return true
			}
		}
	}
	return false
}

// rest sleeps until the first of the waiting changes is due. False means that
// the run was cancelled.
func (r *run) rest(ctx context.Context, queue []*task) bool {
	var due time.Time
	for i, t := range queue {
		if at := r.due(t); !waitsFor(t, queue[:i]) && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	if d := due.Sub(r.Now()); len(queue) > 0 && d > 0 {
		return wait(ctx, d)
	}
	return true
}

// due is when a change may be tried: in its own time, and not before another
// has found out whether the service has seen what both need.
func (r *run) due(t *task) time.Time {
	due := t.next
	for _, need := range t.action.Change.Needs {
		if at := r.unseen[need]; at.After(due) {
			due = at
		}
	}
	return due
}

// again puts a change off, as long as the service may still be spreading what
// went before. False means that its time is over.
func (r *run) again(t *task) bool {
	if !r.Now().Before(t.until) {
		return false
	}
	t.pause = min(max(t.pause*3/2, firstPause), 10*firstPause)
	t.next = r.Now().Add(t.pause)
	return true
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
	r.failed[a.Change.Ref()] = true
	r.settle(ctx, a, status, requestID, detail, nil)
}
