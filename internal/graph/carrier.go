package graph

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	kiota "github.com/microsoft/kiota-http-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// errDeadline ends a request that took longer than Options.Timeout.
var errDeadline = fmt.Errorf("no answer within the deadline: %w", context.DeadlineExceeded)

// exchange is one request on its way through the SDK's pipeline and what came
// back. It travels in the request's context.
type exchange struct {
	timer *time.Timer // ends the request; stopped while it waits its turn
	end   func(error) // ends it at once

	signIn error    // the credential's failure
	guard  error    // why the carrier refused to send
	roles  []string // of the token, nil if it does not show them
	waited time.Duration
	// challenged says that a new token was asked for with a claims challenge.
	challenged bool
	sends      int // how often it was let out: a claims challenge makes it two

	honest  atomic.Bool // the transport reports what it does
	headers atomic.Bool // the request began to leave

	status  int
	header  http.Header
	size    int64 // of the body
	body    string
	bodyErr error
	// stream takes the body of a success as it comes, instead of body; streamErr
	// is what it says of it.
	stream    func(io.Reader) error
	streamErr error
}

// mayHaveLeft reports whether something of the request may have reached the
// service.
func (x *exchange) mayHaveLeft() bool {
	return x.sends > 0 && (!x.honest.Load() || x.headers.Load())
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// carrier is the last of the middlewares: it keeps the token at home, waits for
// the request's turn and notes what of it was sent.
type carrier struct{ client *Client }

// Intercept implements the SDK's middleware.
func (m *carrier) Intercept(pipeline kiota.Pipeline, index int, req *http.Request) (*http.Response, error) {
	c := m.client
	x := exchangeOf(req.Context())
	if x == nil {
		return nil, errors.New("graph: a request that was not made by the client")
	}
	refuse := func(err error) (*http.Response, error) {
		x.guard = err
		return nil, err
	}
	if err := c.within(req.URL); err != nil {
		return refuse(err)
	}
	if c.betaRead(req.URL) {
		if err := mayReadBeta(req); err != nil {
			return refuse(err)
		}
	}
	if err := c.allowed(req); err != nil {
		return refuse(err)
	}
	if req.Header.Get("Authorization") == "" {
		return refuse(fmt.Errorf("no token for %s: %w", req.URL.Host, entra.ErrUnauthorized))
	}
	label := c.label(req.URL)
	out := &departure{client: c, exchange: x, label: label, pace: c.paceOf(label)}
	x.honest.Store(false)
	x.headers.Store(false)
	if err := out.next(req.Context()); err != nil {
		return refuse(err)
	}
	defer out.done()
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) {
			if x.honest.Swap(true) && x.headers.Load() {
				// net/http sends a request again by itself: a read when a
				// kept connection turns out dead, a write too when the other
				// side says by HTTP/2 that it has not begun with it. That one
				// waits its turn and is judged like the first.
				if err := out.next(req.Context()); err != nil {
					x.guard = err
					x.end(err)
				}
			}
		},
		WroteHeaders: func() { x.headers.Store(true) },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				out.wrote()
			}
		},
	})
	resp, err := pipeline.Next(req.WithContext(ctx), index)
	if err == nil || x.mayHaveLeft() {
		out.wrote()
	}
	if resp != nil {
		tameChallenge(resp)
	}
	return resp, err
}

// departure is the leave of one exchange to send, and the count of what it
// sends.
type departure struct {
	client   *Client
	exchange *exchange
	label    string
	pace     *gate // nil if unpaced

	mu   sync.Mutex
	pass *pass // nil if unpaced
}

// next waits for the turn of the exchange's first request, or of another one
// after that was written. The deadline does not run meanwhile. Whoever ordered
// a write then has the last word on whether it leaves.
func (d *departure) next(ctx context.Context) error {
	d.mu.Lock()
	held := d.pass != nil && !d.pass.used()
	d.mu.Unlock()
	x := d.exchange
	if d.pace != nil && !held {
		x.timer.Stop()
		p, waited, err := d.pace.enter(ctx)
		x.waited += waited
		if err != nil {
			return err
		}
		x.timer.Reset(d.client.timeout)
		d.mu.Lock()
		d.pass = p
		d.mu.Unlock()
	}
	if err := entra.CheckWrite(ctx); err != nil {
		d.done() // the turn is the next one's
		return err
	}
	x.sends++
	d.client.count(d.label)
	return nil
}

func (d *departure) current() *pass {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pass
}

func (d *departure) wrote() {
	if p := d.current(); p != nil {
		p.wrote()
	}
}

func (d *departure) done() {
	if p := d.current(); p != nil {
		p.done()
	}
}

// tameChallenge drops a claims challenge that the SDK's parser would stumble
// over; the 401 stands without it.
func tameChallenge(resp *http.Response) {
	if resp.StatusCode != http.StatusUnauthorized {
		return
	}
	for _, part := range strings.Split(resp.Header.Get("WWW-Authenticate"), ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		part = strings.TrimSpace(strings.TrimPrefix(part, "bearer"))
		if !strings.HasPrefix(part, "claims") {
			continue
		}
		value := strings.Split(part, `"`)
		if len(value) == 3 {
			if _, err := base64.StdEncoding.DecodeString(value[1]); err == nil {
				continue
			}
		}
		resp.Header.Del("WWW-Authenticate")
		return
	}
}

// within checks that a URL belongs to the service: the token goes nowhere
// else.
func (c *Client) within(u *url.URL) error {
	if c.betaRead(u) {
		return nil
	}
	clean := path.Clean(u.Path)
	switch {
	case u.User != nil, !strings.EqualFold(u.Scheme, c.base.Scheme), !strings.EqualFold(u.Host, c.base.Host),
		!strings.HasPrefix(clean, c.base.Path+"/"), strings.Contains(u.Path, `\`):
		return fmt.Errorf("%s://%s is not below %s: %w", clip(u.Scheme), clip(u.Host), c.base, entra.ErrRedirected)
	}
	return nil
}

// label is the first two segments below the version, by which requests are
// counted and paced. The second is left out where it is a person's name.
func (c *Client) label(u *url.URL) string {
	rest := strings.Trim(strings.TrimPrefix(u.Path, c.base.Path), "/")
	if c.beta != nil {
		rest = strings.Trim(strings.TrimPrefix("/"+rest, c.beta.Path), "/")
	}
	first, rest, _ := strings.Cut(rest, "/")
	first, _, _ = strings.Cut(first, "(")
	switch first {
	case "users", "groups", "servicePrincipals":
		return "/" + first
	}
	if second, _, _ := strings.Cut(rest, "/"); second != "" {
		return "/" + first + "/" + second
	}
	return "/" + first
}

// paceOf gives the rate that calls count against, nil for none: the logs have
// one of their own beside the tenant's one request a second.
func (c *Client) paceOf(label string) *gate {
	switch {
	case paced(label):
		return c.gate
	case label == "/auditLogs" || strings.HasPrefix(label, "/auditLogs/"):
		return c.logs
	}
	return nil
}

// paced says which calls share the tenant's one request a second.
func paced(label string) bool {
	return strings.HasPrefix(label, "/identityProtection") || label == "/identity" || strings.HasPrefix(label, "/identity/")
}

func (c *Client) count(label string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Total++
	c.stats.ByPath[label]++
}

// take reads an answer, at most limit bytes of it. It is the SDK's response
// handler: the adapter hands the raw answer over instead of decoding it.
func (x *exchange) take(resp *http.Response, limit int64) {
	defer resp.Body.Close()
	x.status, x.header = resp.StatusCode, resp.Header
	streams := x.stream != nil && resp.StatusCode < 300
	switch {
	case resp.StatusCode >= 300 && limit > 1<<20:
		limit = 1 << 20
	case streams:
		limit *= maxStream
	}
	if resp.ContentLength > limit {
		x.bodyErr = fmt.Errorf("an answer of %d bytes, more than the %d allowed: %w", resp.ContentLength, limit, entra.ErrMalformed)
		return
	}
	in := &measuredReader{from: io.LimitReader(resp.Body, limit+1)}
	if streams {
		x.streamErr = x.stream(in)
		x.ended(in, limit)
		return
	}
	body, _ := readBody(in) // in notes what fails
	if x.ended(in, limit); x.bodyErr == nil {
		x.body = body
	}
}

// pieces are what answers are read into until their length shows, at their end.
var pieces = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// readBody reads to the end, and takes no more memory than what it has read.
func readBody(r io.Reader) (string, error) {
	var full []*[64 << 10]byte
	defer func() {
		for _, p := range full {
			pieces.Put(p)
		}
	}()
	n := 0 // in the last piece
	for {
		if len(full) == 0 || n == len(full[0]) {
			full, n = append(full, pieces.Get().(*[64 << 10]byte)), 0
		}
		k, err := r.Read(full[len(full)-1][n:])
		n += k
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	var body strings.Builder
	body.Grow((len(full)-1)*len(full[0]) + n)
	for _, p := range full[:len(full)-1] {
		body.Write(p[:])
	}
	body.Write(full[len(full)-1][:n])
	return body.String(), nil
}

// ended says what became of reading an answer.
func (x *exchange) ended(in *measuredReader, limit int64) {
	x.size = in.size
	switch {
	case in.err != nil:
		x.bodyErr = fmt.Errorf("reading the answer: %w", in.err)
	case in.size > limit:
		x.bodyErr = fmt.Errorf("an answer of more than the %d bytes allowed: %w", limit, entra.ErrMalformed)
	}
}

// maxStream is how many times the bytes of an answer that is kept one may have
// that is not: a page of the sign-in log has a word of every policy in every row.
const maxStream = 8

// measuredReader counts what is read, and notes what fails.
type measuredReader struct {
	from io.Reader
	size int64
	err  error
}

// Read implements io.Reader.
func (m *measuredReader) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	m.size += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}
