package daemon

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/risksweep/risksweep/internal/httpapi"
)

// newRoutes are all routes of the daemon. Only /api and the page
// of all tenants are guarded: the others say
// nothing that a probe may not see.
func newRoutes(o Options, e *executor, m *metrics) http.Handler {
	api := httpapi.New(httpapi.Options{Runner: e, History: o.Book, Tenants: o.Tenants, AllowApply: o.AllowApply, Fleet: o.Fleet, Auth: o.Auth, Log: o.Log})
	mux := http.NewServeMux()
	mux.Handle("/api/", m.observe(traced(o.Tracer, api)))
	if o.Fleet != nil {
		mux.Handle("/{$}", m.observe(traced(o.Tracer, api)))
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	ready := &readiness{test: o.Ready, now: o.Now}
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		stopping := e.stopping
		e.mu.Unlock()
		if stopping {
			say(w, http.StatusServiceUnavailable, "stopping")
			return
		}
		if err := ready.check(r.Context()); err != nil {
			// What is wrong may name tenants and addresses: that is for the log.
			o.Log.Warn("not ready", "error", err)
			say(w, http.StatusServiceUnavailable, "not ready; the log says why")
			return
		}
		say(w, http.StatusOK, "ok")
	})
	mux.Handle("GET /metrics", m.handler())
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // a probe that is gone wants no answer
}

// readiness keeps an answer for a while: probes come often, and each test goes
// to the store and the sign-in.
type readiness struct {
	test func(context.Context) error
	now  func() time.Time

	mu    sync.Mutex
	until time.Time
	last  error
}

// readyFor is how long an answer holds, readyWithin how long a test may take.
const (
	readyFor    = 15 * time.Second
	readyWithin = 10 * time.Second
)

func (r *readiness) check(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.test == nil || r.now().Before(r.until) {
		return r.last
	}
	// A probe that gives up must not leave its failure to the next.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWithin)
	defer cancel()
	r.last = r.test(ctx)
	r.until = r.now().Add(readyFor)
	return r.last
}

// traced makes a span of each call, below that of the caller.
func traced(tp trace.TracerProvider, next http.Handler) http.Handler {
	tracer := tp.Tracer("risksweep")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		route := routeOf(r.URL.Path)
		ctx, span := tracer.Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("http.route", route)))
		defer span.End()
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() { span.SetAttributes(attribute.Int("http.response.status_code", s.status)) }()
		next.ServeHTTP(s, r.WithContext(ctx))
	})
}
