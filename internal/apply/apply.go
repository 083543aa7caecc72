// Package apply carries out a stored plan, one guarded action at a time: it
// asks the gate, compares the live object with what the plan saw, journals its
// intent durably, sends, and reads back what became of it.
//
// It never decides what to do: an action that is not in the plan, not ready or
// no longer based on what the plan saw is not carried out. It never repeats a
// write whose answer was lost without having looked first, and it never stops
// at one failure: whatever else is safe is done, and every action ends in
// exactly one outcome.
package apply

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Reader is what the executor looks at before and after a write.
type Reader interface {
	RiskyUsers(context.Context, entra.RiskyUserQuery) iter.Seq2[entra.Page[entra.RiskyUser], error]
	Detections(context.Context, entra.DetectionQuery) iter.Seq2[entra.Page[entra.Detection], error]
	// RiskyServicePrincipals lists all of them, ServicePrincipalDetections reads the
	// detections of some, or of all for nil.
	RiskyServicePrincipals(context.Context) iter.Seq2[entra.Page[entra.RiskyServicePrincipal], error]
	ServicePrincipalDetections(context.Context, []entra.ID) iter.Seq2[entra.Page[entra.Detection], error]
	// Accounts reads the accounts of users; one that does not exist is left out.
	Accounts(ctx context.Context, ids []entra.ID) (map[entra.ID]entra.Account, error)
	// Object reads one policy, named location or authentication strength.
	Object(ctx context.Context, kind entra.ObjectKind, id string) (entra.Document, error)
	// Objects lists all of a kind.
	Objects(ctx context.Context, kind entra.ObjectKind) ([]entra.Document, error)
	// DeletedObject reads one of the deleted policies or named locations.
	DeletedObject(ctx context.Context, kind entra.ObjectKind, id string) (entra.Document, error)
}

// Writer changes the tenant. Each call is one request that is never repeated
// after it may have had an effect; such a failure wraps
// entra.ErrUnknownOutcome. The string is the service's request id. Right before
// a request leaves, the Writer asks entra.CheckWrite and sends nothing on an error,
// which the failure then wraps.
type Writer interface {
	ActOnUsers(ctx context.Context, kind plan.Kind, userIDs []string) (requestID string, err error)
	CreateObject(ctx context.Context, kind entra.ObjectKind, body entra.Document) (entra.Document, string, error)
	UpdateObject(ctx context.Context, kind entra.ObjectKind, id string, body entra.Document) (requestID string, err error)
	DeleteObject(ctx context.Context, kind entra.ObjectKind, id string) (requestID string, err error)
	RestoreObject(ctx context.Context, kind entra.ObjectKind, id string) (requestID string, err error)
}

// Journal keeps intents and outcomes. Each call returns only when the record
// would survive a crash.
type Journal interface {
	Intent(ctx context.Context, kind plan.Kind, actions []plan.Action) error
	// Made keeps the id that a create was answered with: the outcome comes only
	// after the object was read back.
	Made(ctx context.Context, a plan.Action, id string) error
	Outcome(ctx context.Context, o plan.Outcome, made *Written) error
}

// Written is what the run now knows of an object of the baseline: the id that
// stands for its key and how the service keeps it.
type Written struct {
	Kind entra.ObjectKind `json:"kind"`
	// Key is empty for an object that stands for no key of the baseline.
	Key         string `json:"key"`
	ID          string `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
	// Hash is that of the live canonical form after our write, Wanted that of
	// the form we asked for. They differ where the service keeps a value
	// otherwise than it was sent.
	Hash   string `json:"hash,omitempty"`
	Wanted string `json:"wanted,omitempty"`
	// Deleted says that the key no longer stands for anything.
	Deleted bool `json:"deleted,omitempty"`
}

// Options are what one execution needs.
type Options struct {
	Plan    plan.Plan
	Reader  Reader
	Writer  Writer
	Journal Journal
	// Gate is asked before every write that may take up to the given time, and
	// again when it leaves. An error ends the run's writing; its text is the
	// reason.
	Gate func(ctx context.Context, takes time.Duration) error
	Now  func() time.Time
	// ServiceTime is the service's time of its last answer: what a create makes
	// is not older than that, whatever our own clock says.
	ServiceTime func() time.Time
	// WriteTimeout is how long one write may take, ReadBack how long the
	// effects of risk actions are waited for, Visibility how long a policy,
	// location or strength may take to show.
	WriteTimeout, ReadBack, Visibility time.Duration
	// IDs are the known ids of the baseline's objects by "kind:key".
	IDs map[string]string
	// Known are the ids of all objects that were listed before the first
	// write, by kind: what is in it cannot be a create of ours.
	Known map[entra.ObjectKind]map[string]bool
	// Progress, if set, is told after each action.
	Progress func(done, total int)
}

// Result is what became of the plan.
type Result struct {
	// Outcomes holds one outcome for each action of the plan, in its order.
	Outcomes []plan.Outcome
	Made     []Written
	// Stopped is why the run ended its writing early, or nil.
	Stopped error
}

// Run carries out the ready actions of the plan. The error is set only if the
// journal could not be written, after which nothing more is sent; the result
// is valid all the same. A cancelled context ends the run after the write that
// is under way.
func Run(ctx context.Context, o Options) (Result, error) {
	r := &run{Options: o, outcomes: map[string]plan.Outcome{}, ids: map[string]string{},
		failed: map[string]bool{}, fresh: map[string]bool{}, unseen: map[string]time.Time{}, written: map[string]string{}, wroteDoc: map[string]policy.Canonical{}}
	for k, v := range o.IDs {
		r.ids[k] = v
	}
	for _, a := range o.Plan.Actions {
		if a.Status == plan.Ready {
			r.total++
		}
	}
	for _, kind := range plan.UserTurns() {
		r.users(ctx, kind)
	}
	r.objects(ctx)
	return r.result(), r.journalErr
}

// run is one execution.
type run struct {
	Options
	outcomes map[string]plan.Outcome
	made     []Written
	ids      map[string]string    // "kind:key" -> id, also of what this run made
	failed   map[string]bool      // "kind:key" that could not be made
	fresh    map[string]bool      // "kind:key" made by this run
	unseen   map[string]time.Time // "kind:key" made by this run that the service had not seen yet, and when to try again
	written  map[string]string    // object id -> canonical hash that our last write asked for
	// wroteDoc is what our last write asked for, by object id.
	wroteDoc   map[string]policy.Canonical
	wrote      bool // an object was written
	stopped    error
	journalErr error
	total      int
}

// stop ends the writing; what is left becomes not attempted.
func (r *run) stop(err error) {
	if r.stopped == nil {
		r.stopped = err
	}
}

// mayWrite asks the gate.
func (r *run) mayWrite(ctx context.Context) bool {
	if r.stopped != nil {
		return false
	}
	if err := context.Cause(ctx); err != nil {
		r.stop(err)
		return false
	}
	if err := r.Gate(ctx, r.WriteTimeout); err != nil {
		r.stop(err)
		return false
	}
	return true
}

// call gives a context for one request that outlives a cancel of the run: a
// write that has gone out is seen through to its answer.
func (r *run) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), r.WriteTimeout)
}

// intend journals the intent of actions. False means that nothing may be sent.
func (r *run) intend(ctx context.Context, kind plan.Kind, actions []plan.Action) bool {
	c, cancel := r.call(ctx)
	defer cancel()
	return r.journaled(r.Journal.Intent(c, kind, actions))
}

// journaled takes in whether a line was written. What was sent before it stands in
// the tenant, where the next run finds it by the lines before; without a journal
// nothing more may be sent.
func (r *run) journaled(err error) bool {
	if err != nil {
		r.journalErr = errors.Join(r.journalErr, fmt.Errorf("writing the journal: %w", err))
		r.stop(r.journalErr)
	}
	return err == nil
}

// settle gives an action its outcome.
func (r *run) settle(ctx context.Context, a plan.Action, status plan.OutcomeStatus, requestID, detail string, made *Written) {
	if _, ok := r.outcomes[a.ID]; ok {
		return
	}
	o := plan.Outcome{Action: a.ID, Kind: a.Kind, Subject: a.Subject, Rule: a.Rule, Status: status,
		Detail: detail, At: r.Now().UTC(), RequestID: requestID}
	if made != nil {
		o.Subject.ID = entra.NewID(made.ID)
		r.made = append(r.made, *made)
	}
	r.outcomes[a.ID] = o
	c, cancel := r.call(ctx)
	defer cancel()
	r.journaled(r.Journal.Outcome(c, o, made))
	if r.Progress != nil {
		r.Progress(len(r.outcomes), r.total)
	}
}

// result puts the outcomes into the plan's order and gives the rest theirs.
func (r *run) result() Result {
	res := Result{Outcomes: make([]plan.Outcome, 0, len(r.Plan.Actions)), Made: r.made, Stopped: r.stopped}
	for _, a := range r.Plan.Actions {
		o, ok := r.outcomes[a.ID]
		if !ok {
			o = plan.Outcome{Action: a.ID, Kind: a.Kind, Subject: a.Subject, Rule: a.Rule, At: r.Now().UTC()}
			o.Status, o.Detail = skipped(a, r.stopped)
		}
		res.Outcomes = append(res.Outcomes, o)
	}
	return res
}

// skipped is the outcome of an action that was never tried.
func skipped(a plan.Action, stopped error) (plan.OutcomeStatus, string) {
	if a.Status != plan.Ready {
		return plan.OutcomeStatus(a.Status), a.WhyKept()
	}
	if stopped != nil {
		return plan.NotAttempted, "not attempted: " + stopped.Error()
	}
	return plan.NotAttempted, "not attempted"
}

// Planned gives every action of a plan the outcome it has in a run that writes
// nothing.
func Planned(p plan.Plan, now time.Time) []plan.Outcome {
	out := make([]plan.Outcome, 0, len(p.Actions))
	for _, a := range p.Actions {
		o := plan.Outcome{Action: a.ID, Kind: a.Kind, Subject: a.Subject, Rule: a.Rule, At: now.UTC(), Status: plan.SkippedPlanMode}
		if a.Status != plan.Ready {
			o.Status, o.Detail = skipped(a, nil)
		}
		out = append(out, o)
	}
	return out
}

// wait sleeps for d unless the context ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff yields growing pauses from first up to a tenfold, until the time is
// used up; the last pause ends at the deadline.
func backoff(first, total time.Duration) iter.Seq[time.Duration] {
	return func(yield func(time.Duration) bool) {
		var used time.Duration
		for d := first; used < total; d = min(d*3/2, 10*first) {
			d = min(d, total-used)
			used += d
			if !yield(d) {
				return
			}
		}
	}
}
