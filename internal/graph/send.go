package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// query holds the OData options of a request, in the form that the SDK's
// request information takes.
type query struct {
	Expand  []string `uriparametername:"%24expand"`
	Filter  *string  `uriparametername:"%24filter"`
	Orderby []string `uriparametername:"%24orderby"`
	Select  []string `uriparametername:"%24select"`
	Top     *int32   `uriparametername:"%24top"`
}

// request describes one call so that it can be made more than once.
type request struct {
	method   abs.HttpMethod
	template string // the SDK's URL template
	params   map[string]string
	query    query
	link     string // a next link instead of template, params and query
	body     []byte // JSON, nil for none
	// safe marks calls that change nothing, whatever their method; they may
	// be repeated.
	safe bool
	// check judges the body of a success; its errors are malformed answers.
	check func(*answer) error
	// stream does the same while the body comes, which is kept nowhere then.
	stream func(io.Reader) error
}

// answer is a successful call's.
type answer struct {
	status    int
	body      string
	requestID string
}

// pathed is what every builder of the SDK is made of.
func pathed(method abs.HttpMethod, b abs.BaseRequestBuilder) request {
	return request{method: method, template: b.UrlTemplate, params: b.PathParameters, safe: method == abs.GET}
}

// get describes the read of a path that no imported builder of the SDK has.
func get(template string, params map[string]string) request {
	return request{method: abs.GET, template: "{+baseurl}" + template, params: params, safe: true}
}

// with adds a JSON body.
func (r request) with(body any) (request, error) {
	var err error
	if r.body, err = json.Marshal(body); err != nil {
		return r, fmt.Errorf("encoding the request: %w", err)
	}
	return r, nil
}

func (r request) information() (*abs.RequestInformation, error) {
	params := maps.Clone(r.params)
	if params == nil {
		params = map[string]string{}
	}
	info := abs.NewRequestInformationWithMethodAndUrlTemplateAndPathParameters(r.method, r.template, params)
	if r.link != "" {
		u, err := url.Parse(r.link)
		if err != nil {
			return nil, fmt.Errorf("next link: %w", entra.ErrMalformed)
		}
		info.SetUri(*u)
	} else {
		info.AddQueryParameters(r.query)
	}
	info.Headers.Add("Accept", "application/json")
	// Without it, members newer than the sentinel of their enum come as
	// unknownFutureValue (graph-api §1.6).
	info.Headers.Add("Prefer", "include-unknown-enum-members")
	if r.body != nil {
		info.SetStreamContentAndContentType(r.body, "application/json")
		info.Headers.Add("Content-Length", strconv.Itoa(len(r.body)))
	}
	return info, nil
}

// do makes a call, and makes it again where the rules of retry allow.
func (c *Client) do(ctx context.Context, r request) (*answer, error) {
	var t tally
	for {
		a, pace, err := c.attempt(ctx, r)
		if err == nil {
			return a, nil
		}
		c.note(err)
		if ctx.Err() != nil {
			return nil, err
		}
		wait, again := c.retry.again(&t, err, r.safe)
		if !again || !c.retry.lasts(ctx, wait, r.safe) {
			return nil, err
		}
		c.renewToken(err)
		if pace != nil && errors.Is(err, entra.ErrThrottled) {
			pace.hold(wait)
		}
		c.tellWait(ctx, wait, err)
		begin := time.Now()
		slept := sleep(ctx, wait)
		c.mu.Lock()
		c.stats.Waited += time.Since(begin)
		if slept == nil {
			c.stats.Retried++
		}
		c.mu.Unlock()
		if slept != nil {
			return nil, errors.Join(err, slept)
		}
	}
}

// longWait is from when on a wait is told to whoever watches the run.
const longWait = 30 * time.Second

func (c *Client) tellWait(ctx context.Context, wait time.Duration, err error) {
	level := slog.LevelDebug
	if wait >= longWait {
		level = slog.LevelWarn
	}
	c.log.LogAttrs(ctx, level, "waiting before another try", slog.Duration("wait", wait), slog.String("why", kindName(err)))
}

// kindName keeps names and ids of people out of the log.
func kindName(err error) string {
	for _, kind := range []error{entra.ErrThrottled, entra.ErrMalformed, entra.ErrUnavailable} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "failed"
}

func (c *Client) note(err error) {
	if errors.Is(err, entra.ErrThrottled) {
		c.mu.Lock()
		c.stats.Throttled++
		c.mu.Unlock()
	}
}

// attempt makes a call once. pace is the rate that it counted against, nil for
// none.
func (c *Client) attempt(ctx context.Context, r request) (a *answer, pace *gate, err error) {
	info, err := r.information()
	if err != nil {
		return nil, nil, err
	}
	info.Headers.Add("User-Agent", c.agent())
	method := r.method.String()
	where, err := c.locate(info)
	if err != nil {
		return nil, nil, &Error{Method: method, Path: where, kind: entra.ErrRedirected, cause: err}
	}
	pace = c.paceOf("/" + strings.TrimPrefix(where, "/"))

	callCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	asked := time.Now()
	x := &exchange{stream: r.stream, end: cancel, timer: time.AfterFunc(c.timeout, func() { cancel(errDeadline) })}
	defer x.timer.Stop()
	handler := abs.NewRequestHandlerOption()
	handler.SetResponseHandler(func(response any, _ abs.ErrorMappings) (any, error) {
		x.take(response.(*http.Response), c.maxBody)
		return nil, nil
	})
	info.AddRequestOptions([]abs.RequestOption{handler})

	begin := time.Now()
	err = c.adapter.SendNoContent(context.WithValue(callCtx, exchangeKey{}, x), info, nil)
	c.finish(ctx, x, method, r, begin)

	write := !r.safe
	fail := func(status int, kind, cause error) *Error {
		e := &Error{Method: method, Path: where, kind: kind, cause: cause, unsent: !x.mayHaveLeft()}
		if status != 0 {
			e.Status, e.RequestID, e.ClientRequestID = status, x.header.Get("request-id"), x.header.Get("client-request-id")
		}
		e.unknown = write && !e.unsent
		return e
	}
	switch {
	case x.signIn != nil && x.status == 0:
		err = signInError(callCtx, x.signIn)
		e := &Error{Method: method, Path: where, cause: err, unsent: true}
		if errors.Is(err, entra.ErrUnauthorized) {
			e.kind = entra.ErrUnauthorized
		} else if errors.Is(err, entra.ErrThrottled) {
			e.kind = entra.ErrThrottled
		} else {
			e.kind = entra.ErrUnavailable
		}
		e.RetryAfter = waitAsked(err)
		return nil, pace, e
	case x.guard != nil:
		e := fail(0, nil, x.guard)
		e.unsent, e.unknown = x.sends == 0, write && x.sends > 0
		return nil, pace, e
	case err != nil:
		cause := err
		if why := context.Cause(callCtx); why != nil {
			cause = why
		}
		if ctx.Err() != nil {
			return nil, pace, fail(0, nil, cause)
		}
		return nil, pace, fail(0, entra.ErrUnavailable, cause)
	case x.bodyErr != nil && x.status < 300 && write && r.check == nil:
		// Done; the answer has nothing that is needed.
	case x.bodyErr != nil:
		cause := x.bodyErr
		if why := context.Cause(callCtx); why != nil {
			cause = why
		}
		switch {
		case ctx.Err() != nil:
			return nil, pace, fail(x.status, nil, cause)
		case x.status >= 300:
			break // the refusal stands without its body
		case !errors.Is(cause, entra.ErrMalformed) && !errors.Is(cause, io.ErrUnexpectedEOF):
			return nil, pace, fail(x.status, entra.ErrUnavailable, cause)
		default:
			return nil, pace, fail(x.status, entra.ErrMalformed, cause)
		}
	}
	if x.status < 200 || x.status >= 300 {
		e := refusal(method, where, x.status, x.header, []byte(x.body), x.roles, c.now())
		e.asked, e.challenged = asked, x.challenged
		if write && (x.status < 400 || x.status == http.StatusRequestTimeout || x.status >= 500 && x.status != http.StatusNotImplemented) {
			e.unknown = true
		}
		return nil, pace, e
	}
	a = &answer{status: x.status, body: x.body, requestID: x.header.Get("request-id")}
	if r.check != nil || r.stream != nil {
		err := x.streamErr
		if r.check != nil {
			err = r.check(a)
		}
		if err != nil {
			if x.size > 0 && !strings.Contains(contentType(x.header), "json") {
				err = fmt.Errorf("an answer of %s: %w", contentType(x.header), err)
			}
			return nil, pace, fail(x.status, entra.ErrMalformed, err)
		}
	}
	return a, pace, nil
}

// locate gives the path below the version, for errors, and checks that the
// call stays with the service.
func (c *Client) locate(info *abs.RequestInformation) (string, error) {
	info.PathParameters["baseurl"] = c.adapter.GetBaseUrl()
	u, err := info.GetUri()
	if err != nil {
		return "", err
	}
	if err := c.within(u); err != nil {
		return clip(u.Path), err
	}
	return strings.TrimPrefix(u.Path, c.base.Path), nil
}

// finish keeps the books of one attempt.
func (c *Client) finish(ctx context.Context, x *exchange, method string, r request, begin time.Time) {
	c.mu.Lock()
	c.stats.Waited += x.waited
	if date, err := http.ParseTime(x.header.Get("Date")); err == nil {
		c.serverTime = date
	}
	c.mu.Unlock()
	if c.log.Enabled(ctx, slog.LevelDebug) {
		name := r.template
		if name == "" {
			name = "next link"
		}
		c.log.LogAttrs(ctx, slog.LevelDebug, "request", slog.String("method", method), slog.String("call", name),
			slog.Int("status", x.status), slog.String("requestId", x.header.Get("request-id")),
			slog.Duration("took", time.Since(begin)-x.waited), slog.Duration("waited", x.waited), slog.Int64("bytes", x.size))
	}
}

func (c *Client) agent() string {
	if c.userAgent == "" {
		return "risksweep"
	}
	return c.userAgent
}
