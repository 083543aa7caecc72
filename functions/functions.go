// Package functions is the custom handler for Azure Functions: it answers the
// calls of the Functions host, one route for each folder beside this file.
//
// It listens before it does anything else; configuration, store and sign-in
// come with the first call that needs them. Every answer is a JSON object, for
// an empty one hangs the host until it kills the process and all that runs in
// it. A call ends before the host's own limit, for the same reason. It decides
// nothing: the timer and POST put messages on the queue, and a message is
// carried out by package runs.
package functions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/risksweep/risksweep/internal/httpapi"
	"github.com/risksweep/risksweep/internal/runs"
)

// Book is what the functions work on.
type Book interface {
	httpapi.History
	Scheduled(tenant string, due time.Time) runs.Order
	Ordered(tenant, mode, by, reason string) (runs.Order, error)
	Check(runs.Order) error
	Accept(context.Context, runs.Order) error
	Busy(ctx context.Context, tenant string) (bool, error)
	Wait(context.Context, runs.Order, time.Duration) (*runs.Result, error)
	Poisoned(ctx context.Context, message []byte, reason string) error
	Prune(ctx context.Context, days int) error
}

// Backend is the configuration put to work.
type Backend struct {
	Book       Book
	Tenants    []string
	AllowApply bool
	KeepDays   int
	// LastDue is the latest due time of the schedule that is not after a time;
	// zero if it is not known. It stands in for a host that does not say.
	LastDue func(time.Time) time.Time
}

// Options make a handler.
type Options struct {
	// Open reads the configuration and opens the store. It is called at the
	// first need, and again after a failure.
	Open func(context.Context) (*Backend, error)
	// Timeout is the host's functionTimeout; 0 if there is none.
	Timeout time.Duration
	// Wait is how long a message waits for a tenant that is being swept before
	// it goes back to the queue; 0 is 75 s, longer than a dead lease lasts.
	Wait time.Duration
	Now  func() time.Time
	// Log goes to stdout: the host takes every line on stderr for an error.
	Log *slog.Logger
}

// Handler answers the host.
type Handler struct {
	o Options

	mu      sync.Mutex
	backend *Backend
}

// Names are the functions, as their folders and routes are called.
func Names() []string {
	return []string{"Nightly", "RunFile", "RunsCreate", "RunsGet", "SweepPoisoned", "SweepTenant"}
}

// Queue is where runs wait; what was given up goes to Queue + "-poison".
const Queue = "risksweep-runs"

// The bounds of a call.
const (
	// maxBody is more than a queue message or an order can be.
	maxBody = 1 << 20
	// maxDrain is how much is read on and thrown away of a call that is longer:
	// the host takes requests of 100 MB, and JSON may need six bytes for one.
	maxDrain = 640 << 20
	// answerBefore is how long before the host's limit a call is answered at
	// the latest, done or not.
	answerBefore = 5 * time.Second
	// quick bounds calls that only look or put something on the queue: a load
	// balancer cuts HTTP at 230 s.
	quick = 200 * time.Second
)

// New makes a handler. Nothing is read or opened.
func New(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = slog.New(LogHandler(o.Log.Handler()))
	if o.Wait == 0 {
		o.Wait = 75 * time.Second
	}
	return &Handler{o: o}
}

// Serve answers on a listener until the context ends. It then lets calls that
// are under way end for a moment, and returns context.Cause.
func (h *Handler) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(h.o.Log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := srv.Shutdown(c); err != nil {
		h.o.Log.Warn("calls under way are cut off; they are safe to repeat", "error", err)
		_ = srv.Close() // nothing is left to do about it
	}
	return context.Cause(ctx)
}

// open gives the backend, opening it at the first need.
func (h *Handler) open(ctx context.Context) (*Backend, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.backend != nil {
		return h.backend, nil
	}
	b, err := h.o.Open(ctx)
	if err != nil {
		return nil, err
	}
	h.backend = b
	return b, nil
}

// call is one invocation.
type call struct {
	*Handler
	ctx      context.Context
	function string
	id       string
	log      *slog.Logger
	in       invocation
}

// ServeHTTP answers one call of the host.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The ping: any answer will do, and it must be quick.
	if r.URL.Path == "/" {
		reply(w, http.StatusOK, answer{})
		return
	}
	id := r.Header.Get("X-Azure-Functions-InvocationId")
	name := strings.TrimPrefix(r.URL.Path, "/")
	if api := "api/"; len(name) >= len(api) && strings.EqualFold(name[:len(api)], api) {
		h.forwarded(w, r, id)
		return
	}
	handle := map[string]func(*call) (answer, error){
		"Nightly": (*call).nightly, "RunsCreate": (*call).runsCreate, "RunsGet": (*call).httpGet, "RunFile": (*call).httpGet,
		"SweepTenant": (*call).sweepTenant, "SweepPoisoned": (*call).sweepPoisoned,
	}[name]
	if handle == nil {
		reply(w, http.StatusNotFound, answer{Logs: []string{"there is no such function"}})
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		reply(w, http.StatusMethodNotAllowed, answer{Logs: []string{"functions are called by POST"}})
		return
	}
	c := &call{Handler: h, function: name, id: id, log: h.o.Log.With("function", name, "invocation", id)}
	c.serve(w, r, handle)
}

// serve reads the call, runs it in time and answers.
func (c *call) serve(w http.ResponseWriter, r *http.Request, handle func(*call) (answer, error)) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		// The host reads no answer before all is sent.
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain)) // what is not sent is not missed
		err = errTooLong
		if strings.HasPrefix(c.function, "Run") {
			c.log.Warn("a request is too large", "bytes", r.ContentLength)
			reply(w, http.StatusOK, answer{Outputs: map[string]any{"res": problem(http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", httpapi.MaxBody))}})
			return
		}
	}
	if err == nil {
		c.in, err = parseInvocation(body)
	}
	if err != nil {
		c.log.Error("the call cannot be read", "error", err)
		reply(w, http.StatusBadRequest, answer{Logs: []string{"the call cannot be read"}})
		return
	}
	// A connection that breaks is no reason to stop: a run that was begun is
	// carried to its end, so that a repeated delivery finds it done.
	ctx := withAttrs(context.WithoutCancel(r.Context()), slog.String("function", c.function), slog.String("invocation", c.id))
	ctx = runs.WithLog(ctx, c.log)
	limit := c.o.Timeout - min(answerBefore, c.o.Timeout/4)
	var cancel context.CancelFunc = func() {}
	late := make(<-chan time.Time)
	if c.o.Timeout > 0 {
		ctx, cancel = context.WithTimeoutCause(ctx, workWithin(c.o.Timeout), errLate)
		t := time.NewTimer(limit)
		defer t.Stop()
		late = t.C
	}
	c.ctx = ctx
	type result struct {
		answer
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer cancel()
		var res result
		defer func() {
			if v := recover(); v != nil {
				c.log.Error("the call ended in a panic", "panic", v)
				res = result{err: errPanic}
			}
			done <- res
		}()
		res.answer, res.err = handle(c)
	}()
	select {
	case res := <-done:
		c.reply(w, res.answer, res.err)
	case <-late:
		c.log.Error("the call is not done within functionTimeout and goes on without an answer")
		reply(w, http.StatusServiceUnavailable, answer{Logs: []string{"not done within functionTimeout"}})
	}
}

var (
	errTooLong = fmt.Errorf("it is longer than %d bytes", maxBody)
	errLate    = errors.New("functionTimeout is near")
	errPanic   = errors.New("the call ended in a panic; the log says where")
)

// workWithin is how long the work of a call may take: what is left is for the
// report and the answer.
func workWithin(timeout time.Duration) time.Duration {
	return timeout - min(max(timeout/5, 2*answerBefore), timeout/2)
}

// reply answers: a failure must not be 2xx, or the host takes it for done.
func (c *call) reply(w http.ResponseWriter, a answer, err error) {
	if err != nil {
		c.log.Error("the call failed", "error", err)
		reply(w, http.StatusInternalServerError, answer{Logs: []string{clip(err.Error())}})
		return
	}
	reply(w, http.StatusOK, a)
}

// clip bounds a line for the host's log.
func clip(s string) string {
	if len(s) > 2000 {
		return strings.ToValidUTF8(s[:2000], "") + "…"
	}
	return s
}

// backendFor opens the backend for a call.
func (c *call) backendFor() (*Backend, error) {
	b, err := c.open(c.ctx)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be used: %w", err)
	}
	return b, nil
}
