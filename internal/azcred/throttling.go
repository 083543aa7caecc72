package azcred

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/entra"
)

// throttling is the last answer to one GetToken, if it asked to come back
// later. The identity library hides it where it is not the token request
// itself that was refused.
type throttling struct {
	mu     sync.Mutex
	status int
	wait   time.Duration
}

type throttlingKey struct{}

// noteThrottling notes such answers in the context of a GetToken.
type noteThrottling struct{}

// Do implements the SDK's policy.
func (noteThrottling) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	t, ok := req.Raw().Context().Value(throttlingKey{}).(*throttling)
	if !ok {
		return resp, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status, t.wait = 0, 0
	if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
		t.status, t.wait = resp.StatusCode, retryAfter(resp.Header)
	}
	return resp, err
}

// retryAfter reads the header in both its forms; 0 if absent or senseless.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now := time.Now()
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date // the service's clock, so that ours does not matter
	}
	return max(at.Sub(now), 0)
}

// watched is a context in which noteThrottling notes.
func watched(ctx context.Context) (context.Context, *throttling) {
	t := &throttling{}
	return context.WithValue(ctx, throttlingKey{}, t), t
}

// tell makes e the error of a throttled sign-in, if that is what it is.
func (t *throttling) tell(e *Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status == 0 || t.status == http.StatusServiceUnavailable && t.wait == 0 {
		return
	}
	*e = Error{Kind: e.Kind, Tenant: e.Tenant, TraceID: e.TraceID, Status: t.status, wait: t.wait, sentinel: entra.ErrThrottled,
		Message: fmt.Sprintf("the sign-in address throttles (status %d)", t.status)}
	if t.wait > 0 {
		e.Message += fmt.Sprintf(" and asks to wait %s", t.wait)
	}
}
