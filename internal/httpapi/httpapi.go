// Package httpapi is the API under /api: order a run, ask how it goes, list
// runs, fetch a file of a report. serve and the function app answer with the
// same routes.
//
// It trusts neither a path nor a body: names are checked against what they may
// be before anything is opened. It sweeps nothing and stores nothing itself.
package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/risksweep/risksweep/internal/runs"
)

// Order is what a POST asks for.
type Order struct {
	Tenant string `json:"tenant"`
	Mode   string `json:"mode"` // plan or apply
	// Reason is what the caller gives as the reason, for the report.
	Reason string `json:"reason,omitempty"`
	// By is the caller, as the guard knows it.
	By string `json:"-"`
}

// The kinds of failure that have an answer of their own.
var (
	// ErrBusy says that the tenant is being swept.
	ErrBusy = errors.New("the tenant is being swept")
	// ErrStopping says that no new run is taken any more.
	ErrStopping = errors.New("the service is stopping")
)

// Runner starts runs.
type Runner interface {
	// Start takes an order and returns the id of the run that will carry it
	// out. The order was validated. Errors wrap ErrBusy or ErrStopping.
	Start(context.Context, Order) (id string, err error)
}

// History is the runs of the store and those under way.
type History interface {
	// Run finds a run by id; tenant may be empty. Errors wrap runs.ErrNotFound.
	Run(ctx context.Context, tenant, id string) (runs.Run, error)
	// Runs lists runs, newest first; an empty tenant means all of them.
	Runs(ctx context.Context, tenant string, limit int) ([]runs.Run, error)
	// File opens a file of a run; size is -1 if it is not known. Errors wrap
	// runs.ErrNotFound.
	File(ctx context.Context, tenant, id, name string) (content io.ReadCloser, size int64, err error)
}

// Options make an API.
type Options struct {
	Runner  Runner
	History History
	// Tenants are the names that an order may give.
	Tenants []string
	// AllowApply lets an order ask for an apply run.
	AllowApply bool
	// Fleet writes the page of all tenants, shown at /; nil shows none.
	Fleet func(context.Context, io.Writer) error
	// Auth guards every route; nil means that somebody else does.
	Auth *Auth
	// Caller is what callers are called whom somebody else has let in.
	Caller string
	Log    *slog.Logger
}

// The bounds of requests.
const (
	MaxBody      = 64 << 10 // bytes of an order
	DefaultLimit = 50       // runs in a list
	MaxLimit     = 500
	// writeWithin bounds each write of an answer, so that a reader that has
	// gone away does not hold a file open.
	writeWithin = 30 * time.Second
)

// New gives the handler of all routes below /api/. Every answer but a file is
// JSON, errors too.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &api{Options: o}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/runs", a.methods(map[string]http.HandlerFunc{http.MethodGet: a.list, http.MethodPost: a.create}))
	mux.HandleFunc("/api/runs/{id}", a.methods(map[string]http.HandlerFunc{http.MethodGet: a.get}))
	mux.HandleFunc("/api/runs/{id}/files/{name}", a.methods(map[string]http.HandlerFunc{http.MethodGet: a.file}))
	if o.Fleet != nil {
		mux.HandleFunc("/{$}", a.methods(map[string]http.HandlerFunc{http.MethodGet: a.fleet}))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, r, http.StatusNotFound, "there is no such route")
	})
	guarded := a.Auth.guard(a, mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.recover(w, r)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		guarded.ServeHTTP(w, a.fromBrowser(r))
	})
}

type api struct{ Options }

// methods answers 405 in JSON for any other method.
func (a *api) methods(by map[string]http.HandlerFunc) http.HandlerFunc {
	allow := ""
	for _, m := range []string{http.MethodGet, http.MethodPost} {
		if by[m] == nil {
			continue
		}
		if allow != "" {
			allow += ", "
		}
		allow += m
	}
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		h, ok := by[method]
		if !ok {
			w.Header().Set("Allow", allow)
			a.fail(w, r, http.StatusMethodNotAllowed, "this route takes "+allow)
			return
		}
		h(w, r)
	}
}

// recover answers for a handler that panicked: nothing of it shows outside.
func (a *api) recover(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares so too
		panic(v)
	}
	a.Log.Error("a request ended in a panic", "method", r.Method, "route", r.Pattern, "panic", v)
	a.fail(w, r, http.StatusInternalServerError, "the request could not be answered; the log says why")
}
