package graph

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// retryRules say how often and after what time a request is sent again.
type retryRules struct {
	maxRetryAfter time.Duration
	jitter        func() float64
}

const (
	// maxThrottles is how many 429s one call waits out. ID Protection and
	// Conditional Access send them bare (graph-api §5.1); with the back-offs
	// below that is about two minutes.
	maxThrottles = 8
	maxFailures  = 4
	maxMalformed = 2

	throttleBase = 1200 * time.Millisecond
	failureBase  = 500 * time.Millisecond
	maxBackoff   = 30 * time.Second
)

// backoff is the wait before attempt n+1 (n from 1): doubling from base, plus
// up to a quarter so that callers who were refused together come back apart.
func (r retryRules) backoff(base time.Duration, n int) time.Duration {
	d := base << min(n-1, 10)
	if d > maxBackoff {
		d = maxBackoff
	}
	return d + time.Duration(r.jitter()*float64(d)/4)
}

// retryAfter reads the header in both its forms; 0 if absent or senseless. A
// date counts from the service's own Date, so that our clock does not matter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if !(s > 0) {
			return 0
		}
		if s > 1e9 {
			s = 1e9
		}
		return time.Duration(s * float64(time.Second))
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0)
}

// tally counts the failures of one call by their kind.
type tally struct{ throttles, failures, malformed, refusedTokens int }

// again decides whether a call is sent once more, and after what wait. Only a
// 401, a 429 and a request of which nothing was sent are sure to have had no
// effect; everything else is repeated for reads alone.
func (r retryRules) again(t *tally, err error, safe bool) (wait time.Duration, ok bool) {
	var e *Error
	if !errors.As(err, &e) {
		return 0, false
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		// Once, with a new token; do and lookUp see to that.
		t.refusedTokens++
		return 0, t.refusedTokens == 1 && !e.challenged
	case e.Status == http.StatusTooManyRequests, e.Status == 0 && errors.Is(err, entra.ErrThrottled):
		t.throttles++
		wait, ok = r.backoff(throttleBase, t.throttles), t.throttles <= maxThrottles
		if e.RetryAfter > 0 {
			wait = e.RetryAfter + time.Duration(r.jitter()*float64(min(e.RetryAfter/10, time.Second)))
		}
	case errors.Is(err, entra.ErrMalformed):
		t.malformed++
		wait, ok = r.backoff(failureBase, t.malformed), safe && t.malformed <= maxMalformed
	case errors.Is(err, entra.ErrUnavailable) && (safe || e.unsent):
		t.failures++
		wait, ok = r.backoff(failureBase, t.failures), t.failures <= maxFailures
		wait = max(wait, e.RetryAfter)
	}
	return wait, ok
}

// lasts reports whether there is time for a wait: for a read whatever the run
// still has. A write must not rest on what was read long ago, and without a
// deadline nothing else ends the wait: they have maxRetryAfter. There is no use
// in waiting for what cannot be sent any more.
func (r retryRules) lasts(ctx context.Context, wait time.Duration, safe bool) bool {
	deadline, ok := ctx.Deadline()
	if (!ok || !safe) && wait >= r.maxRetryAfter+time.Second {
		return false
	}
	return !ok || time.Until(deadline) > wait
}
