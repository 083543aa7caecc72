package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// LookAge is how old the look at the live users or object may be when the write
// that rests on it leaves, counted from when the look began. A look at 60 users
// takes two requests or a few more, at one a second; what happens to a user
// after the look is not seen, so the age is not much more than the look itself
// needs. An older look is taken again.
const LookAge = 30 * time.Second

// looks is how often the look is taken again for one write before it is given
// up: then the tenant or the store is too slow to write safely.
const looks = 3

// errLate says that a write came to its departure too late.
var errLate = errors.New("too much time passed between the look at the tenant and the write")

// notSent is the error of a write of which nothing was sent.
type notSent struct{ why error }

func (e *notSent) Error() string { return "nothing was sent: " + e.why.Error() }
func (e *notSent) Unwrap() error { return e.why }

// leave sends one write. Whatever time passed since the gate was asked (for the
// journal, for the pace, for a wait that the service asked for, or because the
// process stood still), each request asks again at its departure: whether the
// run goes on, HOLD, the lease, and the age of the look that the write rests
// on, which is zero for one that rests on none. A *notSent error means that
// nothing was sent; unless it was only late, the run's writing has then ended.
func (r *run) leave(ctx context.Context, looked time.Time, send func(context.Context) error) error {
	c, cancel := r.call(ctx)
	defer cancel()
	deadline, _ := c.Deadline()
	var why error
	err := send(entra.WithWriteCheck(c, func(c context.Context) error {
		why = r.lastLook(ctx, c, deadline, looked)
		return why
	}))
	if err == nil || why == nil {
		return err
	}
	if !errors.Is(why, errLate) {
		r.stop(why)
	}
	if errors.Is(err, entra.ErrUnknownOutcome) {
		return err // another request of the same write has left
	}
	return &notSent{why}
}

// lastLook is what stands between a write and the tenant at the very end. What
// may itself take long comes first.
func (r *run) lastLook(ctx, c context.Context, deadline, looked time.Time) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if c.Err() == nil {
		if err := r.Gate(c, time.Until(deadline)); err != nil && c.Err() == nil {
			return err
		}
	}
	if c.Err() != nil || !time.Now().Round(0).Before(deadline.Round(0)) {
		return fmt.Errorf("%w: it did not leave within %s", errLate, r.WriteTimeout)
	}
	if !looked.IsZero() && stale(looked, r.Now()) {
		return fmt.Errorf("%w: more than %s", errLate, LookAge)
	}
	return nil
}

// stale reports whether a look that began at a time is too old. A machine that
// slept shows it on the wall clock alone, one whose wall clock was set back on
// the other.
func stale(looked, now time.Time) bool {
	age, wall := now.Sub(looked), now.Round(0).Sub(looked.Round(0))
	return max(age, wall) > LookAge || min(age, wall) < 0
}

// late reports whether nothing was sent only because it came too late: after
// another look it may be tried again.
func late(err error) bool {
	var held *notSent
	return errors.As(err, &held) && errors.Is(err, errLate)
}

// unsent reports whether nothing of a write was sent.
func unsent(err error) bool {
	var held *notSent
	return errors.As(err, &held)
}

// whyHeld is why a write was held back: what ended the run's writing, if
// something did.
func (r *run) whyHeld(err error) error {
	if r.stopped != nil {
		return r.stopped
	}
	return err
}
