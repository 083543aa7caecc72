package blobstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// soon is the longest wait that is left to the SDK. It gives an answer up at
// once that asks for a longer one.
const soon = 5 * time.Second

// mostWait is how long one call waits for a store that throttles, where the
// caller has set no time.
const mostWait = time.Hour

// patience bounds one attempt at a call, and waits for as long as an account that
// throttles asks for, outside that bound and within the caller's own time.
type patience struct {
	attempt time.Duration
	told    func(wait time.Duration)
}

// ThrottledError says that the store has asked to come back later than the
// caller has time for.
type ThrottledError struct {
	Status int
	Wait   time.Duration // what the store asked for last
}

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("the store is throttling (%d) and asks to wait %s, for which there is no time left", e.Status, e.Wait)
}

// Unwrap gives ErrThrottled.
func (e *ThrottledError) Unwrap() error { return ErrThrottled }

// NonRetriable keeps the SDK from trying again.
func (e *ThrottledError) NonRetriable() {}

// Do implements the SDK's policy, once for a call.
func (p patience) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	end, bounded := ctx.Deadline()
	if !bounded {
		end = time.Now().Add(mostWait)
	}
	for {
		res, err := p.once(req)
		wait, throttled := asked(res)
		if err != nil || !throttled {
			return res, err
		}
		runtime.Drain(res)
		if time.Now().Add(wait).After(end) {
			return nil, &ThrottledError{Status: res.StatusCode, Wait: wait}
		}
		if p.told != nil {
			p.told(wait)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", &ThrottledError{Status: res.StatusCode, Wait: wait}, ctx.Err())
		case <-timer.C:
		}
	}
}

// once makes one attempt, which may be several tries of the SDK.
func (p patience) once(req *policy.Request) (*http.Response, error) {
	c, cancel := context.WithTimeout(req.Raw().Context(), p.attempt)
	clone := req.Clone(c)
	if err := clone.RewindBody(); err != nil {
		cancel()
		return nil, err
	}
	res, err := clone.Next()
	if err != nil {
		cancel()
		return res, err
	}
	res.Body = &cancelled{res.Body, cancel}
	return res, nil
}

// cancelled is a body whose context ends with it.
type cancelled struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *cancelled) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// asked is how long an answer asks to wait, if the account throttles and says so.
func asked(res *http.Response) (time.Duration, bool) {
	if res == nil || res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	for name, unit := range map[string]time.Duration{"Retry-After": time.Second, "Retry-After-Ms": time.Millisecond, "X-Ms-Retry-After-Ms": time.Millisecond} {
		if n, err := strconv.ParseUint(res.Header.Get(name), 10, 31); err == nil && n > 0 {
			return time.Duration(n) * unit, true
		}
	}
	at, err := http.ParseTime(res.Header.Get("Retry-After"))
	if err != nil {
		return 0, false
	}
	now := time.Now()
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		now = date // the service's clock, so that ours does not matter
	}
	return max(at.Sub(now), time.Second), true
}

// Outliving gives a context that lasts some time longer than the given one: what
// is begun in the store is brought to an end.
func Outliving(ctx context.Context, longer time.Duration) (context.Context, context.CancelFunc) {
	c, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(longer, cancel)
		context.AfterFunc(c, func() { t.Stop() })
	})
	return c, func() { stop(); cancel() }
}
