package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// sent is a user action that went out and whose effect is to be read back.
type sent struct {
	action    plan.Action
	requestID string
	lost      error // the answer was lost
}

// users carries out one kind of risk action in batches and reads all of its
// effects back.
func (r *run) users(ctx context.Context, kind plan.Kind) {
	var ready []plan.Action
	for _, a := range r.Plan.Actions {
		if a.Kind == kind && a.Status == plan.Ready && r.confirmed(ctx, a) {
			ready = append(ready, a)
		}
	}
	var out []sent
	for len(ready) > 0 {
		n := plan.Batch(kind, ready)
		var ok bool
		out, ok = r.batch(ctx, kind, ready[:n], out)
		if !ok {
			break
		}
		ready = ready[n:]
	}
	r.readBack(ctx, kind, out)
}

// batch sends one batch. A batch that the service refuses as a bad request had
// no effect; it is halved, and each half is fenced again, so that one bad id
// costs only itself. False means that this kind of action cannot go on.
func (r *run) batch(ctx context.Context, kind plan.Kind, batch []plan.Action, out []sent) ([]sent, bool) {
	batch, requestID, err := r.order(ctx, kind, batch)
	if len(batch) == 0 {
		return out, r.stopped == nil && context.Cause(ctx) == nil
	}
	switch {
	case err == nil, errors.Is(err, entra.ErrUnknownOutcome):
		for _, a := range batch {
			out = append(out, sent{action: a, requestID: requestID, lost: err})
		}
		return out, true
	case errors.Is(err, entra.ErrBadRequest) || errors.Is(err, entra.ErrNotFound):
		if len(batch) == 1 {
			r.settle(ctx, batch[0], plan.Failed, requestID, err.Error(), nil)
			return out, true
		}
		half := len(batch) / 2
		out, ok := r.batch(ctx, kind, batch[:half], out)
		if !ok {
			return out, false
		}
		return r.batch(ctx, kind, batch[half:], out)
	}
	r.settleAll(ctx, batch, plan.Failed, requestID, err.Error())
	// What refuses one batch for its permission or its pace refuses the next.
	// A refused account may be that of an administrator, and the next one not.
	stuck := errors.Is(err, entra.ErrForbidden) && !kind.OnAccount() || errors.Is(err, entra.ErrUnlicensed) ||
		errors.Is(err, entra.ErrUnauthorized) || errors.Is(err, entra.ErrThrottled)
	if stuck {
		r.refuseRest(ctx, kind, err)
	}
	return out, !stuck
}

// refuseRest gives the actions of a kind that cannot go on their outcome.
func (r *run) refuseRest(ctx context.Context, kind plan.Kind, why error) {
	for _, a := range r.Plan.Actions {
		if a.Kind != kind || a.Status != plan.Ready {
			continue
		}
		if _, done := r.outcomes[a.ID]; !done {
			r.settle(ctx, a, plan.NotAttempted, "", "not attempted after an earlier batch failed: "+why.Error(), nil)
		}
	}
}

// order fences, journals and sends one batch, and fences it again if too much
// time passed until it could leave. It gives those whom the request named, and
// settles the others; nobody if nothing was sent.
func (r *run) order(ctx context.Context, kind plan.Kind, batch []plan.Action) (named []plan.Action, requestID string, err error) {
	var held error // why nothing left after the intent
	for n := 0; n < looks && r.mayWrite(ctx); n++ {
		looked := r.Now()
		fenced, err := r.fence(ctx, batch)
		if err != nil {
			// Without the fence nothing may be sent; the users are left as they are.
			r.settleAll(ctx, batch, plan.NotAttempted, "", "the "+kind.Words().Noun+" could not be read again before the write: "+err.Error())
			return nil, "", nil
		}
		batch = fenced
		if len(batch) == 0 {
			return nil, "", nil
		}
		// The fence took time: the lease must still outlast the write.
		if !r.mayWrite(ctx) {
			break
		}
		if held == nil && !r.intend(ctx, kind, batch) {
			return nil, "", nil
		}
		ids := idsOf(batch)
		err = r.leave(ctx, looked, func(c context.Context) (err error) {
			requestID, err = r.Writer.ActOnUsers(c, kind, ids)
			return err
		})
		if !unsent(err) {
			return batch, requestID, err
		}
		if held = err; !late(err) {
			break
		}
	}
	if held != nil {
		r.settleAll(ctx, batch, plan.NotAttempted, requestID, "not attempted: "+r.whyHeld(held).Error())
	}
	return nil, "", nil
}

// idsOf are what a request names: the users, or the sign-ins.
func idsOf(batch []plan.Action) []string {
	var ids []string
	for _, a := range batch {
		if !a.Kind.OnDetections() {
			ids = append(ids, string(a.Subject.ID))
		}
		for _, s := range a.Close {
			ids = append(ids, s.RequestID)
		}
	}
	return ids
}

// settleAll gives several actions the same outcome.
func (r *run) settleAll(ctx context.Context, actions []plan.Action, status plan.OutcomeStatus, requestID, detail string) {
	for _, a := range actions {
		r.settle(ctx, a, status, requestID, detail, nil)
	}
}

// fence reads the users and their open detections again and drops those that
// are no longer what the plan saw. On an error it returns the whole batch.
func (r *run) fence(ctx context.Context, batch []plan.Action) ([]plan.Action, error) {
	c, cancel := context.WithTimeout(ctx, 2*r.WriteTimeout)
	defer cancel()
	live, err := readUsers(c, r.Reader, batch, time.Time{})
	if err != nil {
		return batch, err
	}
	// What is done to an account for its user's risk rests on that risk too.
	both := slices.DeleteFunc(slices.Clone(batch), func(a plan.Action) bool { return !a.Kind.OnAccount() || a.Risk == nil })
	if live, err = readRisk(c, r.Reader, both, time.Time{}, live); err != nil {
		return batch, err
	}
	keep := batch[:0:0]
	for _, a := range batch {
		if why := r.moved(a, live[a.Subject.ID]); why != "" {
			r.settle(ctx, a, plan.Moved, "", "left alone: "+why, nil)
			continue
		}
		keep = append(keep, a)
	}
	return keep, nil
}

// moved says in what a live user is no longer what the plan saw, or nothing.
func (r *run) moved(a plan.Action, live *Live) string {
	if moved := userActions[a.Kind].moved; moved != nil {
		return moved(r, a, live)
	}
	return Moved(a.Risk, live)
}

// Live is a user as read back: nil User means not listed among the risky ones.
type Live struct {
	User       *entra.RiskyUser
	Detections []plan.SeenDetection
	// Account is read for an action on it; nil means that there is none.
	Account *entra.Account
}

// notAsked is the error of a row that belongs to none of the users who were
// asked for: it may be one of theirs under a name that is not understood, so
// what is known of them is not complete.
func notAsked(what string, owner entra.ID, row string) error {
	return fmt.Errorf("the answer holds the %s %q of the user %q, for whom nobody asked: %w", what, row, owner, entra.ErrMalformed)
}

// readUsers reads what shows the effect of the actions: the risk of their users or
// service principals, or the accounts.
func readUsers(ctx context.Context, reader Reader, actions []plan.Action, since time.Time) (map[entra.ID]*Live, error) {
	out := make(map[entra.ID]*Live, len(actions))
	if err := readAccounts(ctx, reader, actions, out); err != nil {
		return nil, err
	}
	if err := readPrincipals(ctx, reader, actions, since, out); err != nil {
		return nil, err
	}
	onRisk := slices.DeleteFunc(slices.Clone(actions), func(a plan.Action) bool { return a.Kind.OnAccount() || a.Kind.OnPrincipal() })
	return readRisk(ctx, reader, onRisk, since, out)
}

// readRisk reads the users of the actions and their detections into out: the
// open ones, and besides those that changed since the given time, if any. A row
// of anybody else is an error.
func readRisk(ctx context.Context, reader Reader, actions []plan.Action, since time.Time, out map[entra.ID]*Live) (map[entra.ID]*Live, error) {
	for len(actions) > 0 {
		n := min(len(actions), plan.BatchSize)
		ids := make([]entra.ID, n)
		for i, a := range actions[:n] {
			ids[i] = a.Subject.ID
			if out[a.Subject.ID] == nil {
				out[a.Subject.ID] = &Live{}
			}
		}
		actions = actions[n:]
		for page, err := range reader.RiskyUsers(ctx, entra.RiskyUserQuery{IDs: ids}) {
			if err != nil {
				return nil, err
			}
			for i := range page.Items {
				u := page.Items[i]
				l := out[u.ID]
				if l == nil {
					return nil, notAsked("risky user", u.ID, string(u.ID))
				}
				l.User = &u
			}
		}
		q := entra.DetectionQuery{UserIDs: ids, Open: true, UpdatedSince: since}
		for page, err := range reader.Detections(ctx, q) {
			if err != nil {
				return nil, err
			}
			for i := range page.Items {
				d := &page.Items[i]
				l := out[d.UserID]
				if l == nil {
					return nil, notAsked("detection", d.UserID, d.ID)
				}
				l.Detections = append(l.Detections, seen(d))
			}
		}
	}
	return out, nil
}
