package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// maxBatch is how many requests one $batch takes (graph-api §5.4).
const maxBatch = 20

// lookup is one read within a batch, and what became of it.
type lookup struct {
	url string // below the version, with its query

	body []byte
	err  error // *Error; nil if body is the answer
}

type batchRequest struct {
	ID      string            `json:"id"`
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers,omitempty"`
}

type batchResponse struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// lookUp carries lookups out, twenty to a request. An entry that is throttled
// or fails on the service's side is asked again, alone with others like it, and
// once with a new token where the token was refused.
// The error is that of a whole batch; those of single lookups are in them.
func (c *Client) lookUp(ctx context.Context, lookups []*lookup) error {
	var t tally
	renewed := false
	open := lookups
	for {
		var again []*lookup
		for start := 0; start < len(open); start += maxBatch {
			part := open[start:min(start+maxBatch, len(open))]
			if err := c.batch(ctx, part); err != nil {
				return err
			}
			for _, l := range part {
				if l.err != nil && retryable(l.err) && !(renewed && tokenRefused(l.err)) {
					again = append(again, l)
				}
			}
		}
		if len(again) == 0 {
			return nil
		}
		// One refusal stands for all: what matters is the longest wait.
		worst := again[0].err
		for _, l := range again {
			c.note(l.err)
			c.renewToken(l.err)
			renewed = renewed || tokenRefused(l.err)
			if retryAfterOf(l.err) > retryAfterOf(worst) || tokenRefused(worst) && !tokenRefused(l.err) {
				worst = l.err
			}
		}
		wait, ok := c.retry.again(&t, worst, true)
		if !ok || !c.retry.lasts(ctx, wait, true) {
			return nil
		}
		c.tellWait(ctx, wait, worst)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		c.mu.Lock()
		c.stats.Waited += wait
		c.stats.Retried++
		c.mu.Unlock()
		open = again
	}
}

func tokenRefused(err error) bool {
	e, ok := asError(err)
	return ok && e.Status == http.StatusUnauthorized
}

func retryable(err error) bool {
	e, ok := asError(err)
	return ok && (e.Status == http.StatusUnauthorized || e.Status == http.StatusTooManyRequests || e.Status >= 500 && e.Status != http.StatusNotImplemented)
}

func retryAfterOf(err error) int64 {
	if e, ok := asError(err); ok {
		return int64(e.RetryAfter)
	}
	return 0
}

// batch sends at most twenty lookups. The answers come in any order; one that
// is missing, doubled or foreign makes the whole malformed.
func (c *Client) batch(ctx context.Context, lookups []*lookup) error {
	requests := make([]batchRequest, len(lookups))
	for i, l := range lookups {
		requests[i] = batchRequest{ID: strconv.Itoa(i + 1), Method: http.MethodGet, URL: l.url,
			Headers: map[string]string{"Accept": "application/json"}}
	}
	r, err := request{method: abs.POST, template: "{+baseurl}/$batch", safe: true}.with(map[string]any{"requests": requests})
	if err != nil {
		return err
	}
	var responses []batchResponse
	r.check = func(a *answer) error {
		var in struct {
			Responses []batchResponse `json:"responses"`
		}
		if err := json.Unmarshal([]byte(a.body), &in); err != nil {
			return fmt.Errorf("%w: %w", entra.ErrMalformed, err)
		}
		responses = make([]batchResponse, len(lookups))
		for _, one := range in.Responses {
			n, err := strconv.Atoi(one.ID)
			if err != nil || n < 1 || n > len(lookups) || responses[n-1].Status != 0 || one.Status < 100 {
				return fmt.Errorf("responses: an answer %q that was not asked for: %w", clip(one.ID), entra.ErrMalformed)
			}
			responses[n-1] = one
		}
		for i, one := range responses {
			if one.Status == 0 {
				return fmt.Errorf("responses: no answer to %d: %w", i+1, entra.ErrMalformed)
			}
		}
		return nil
	}
	asked := time.Now()
	if _, err := c.do(ctx, r); err != nil {
		return err
	}
	for i, one := range responses {
		l := lookups[i]
		l.body, l.err = one.Body, nil
		if one.Status < 200 || one.Status >= 300 {
			header := http.Header{}
			for k, v := range one.Headers {
				header.Set(k, v)
			}
			e := refusal(http.MethodGet, pathOf(l.url), one.Status, header, one.Body, nil, c.now())
			e.asked = asked
			l.body, l.err = nil, e
		}
	}
	return nil
}
