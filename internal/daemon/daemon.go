// Package daemon is `risksweep serve`: a schedule, an API, and metrics over one
// process that runs until it is stopped.
//
// Tenants are swept side by side, each by one run at a time; one that fails
// does not stop another. Being stopped, it begins nothing new, lets the action
// under way end and its report be written. It decides nothing about risk.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/risksweep/risksweep/internal/httpapi"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/schedule"
)

// Book is what the daemon works on.
type Book interface {
	httpapi.History
	NextAttempt(ctx context.Context, tenant string, due time.Time) (runs.Order, error)
	Ordered(tenant, mode, by, reason string) (runs.Order, error)
	Accept(context.Context, runs.Order) error
	Fail(ctx context.Context, o runs.Order, reason error) error
	Busy(ctx context.Context, tenant string) (bool, error)
	Wait(context.Context, runs.Order, time.Duration) (*runs.Result, error)
	LastRun(ctx context.Context, tenant string) (time.Time, error)
	LastSuccess(ctx context.Context, tenant string) (time.Time, error)
	Prune(ctx context.Context, days int) error
}

// Options make a daemon.
type Options struct {
	Listen     string
	Auth       *httpapi.Auth // required
	Book       Book
	Tenants    []string
	AllowApply bool
	// Schedule is when tenants are swept; nil: never by itself.
	Schedule *schedule.Schedule
	// Timeout is the longest that a run may take; 0: any time.
	Timeout  time.Duration
	KeepDays int
	// Ready tests the store and the sign-in to every tenant.
	Ready func(context.Context) error
	// Overdue counts the exceptions of a tenant that are over and still in
	// force; nil shows no number.
	Overdue func(ctx context.Context, tenant string) (int, error)
	// Numbers are what the last runs counted, by tenant; nil shows none.
	Numbers func(context.Context) (map[string]Numbers, error)
	// Digest tells what the runs that were due at a time have to say, DigestAfter
	// that time, if they have not done so themselves; may be nil.
	Digest      func(ctx context.Context, due time.Time)
	DigestAfter time.Duration
	// Fleet writes the page of all tenants, shown at /; may be nil.
	Fleet func(context.Context, io.Writer) error
	// Missed is told of a run that was missed and is made up for; may be nil.
	Missed func(ctx context.Context, tenant string, due time.Time)
	// Listening is told the address, once.
	Listening func(net.Addr)
	// Grace is how long runs may take to end once the daemon is stopped; 0 is
	// 75 s.
	Grace   time.Duration
	Version string
	Now     func() time.Time
	Log     *slog.Logger
	Tracer  trace.TracerProvider
}

// Numbers are what the last run that read a whole tenant counted.
type Numbers struct {
	AtRisk, NeedsPerson, BeyondSLA, Drift int
	// CampaignUsers are those of the largest campaign.
	CampaignUsers int
	// LastSuccess is the end of the last run that did all it should.
	LastSuccess time.Time
	// Trouble says that the last run did not do all it should, may not write, or is
	// too long ago.
	Trouble bool
	// Unread says that no run has read the whole tenant yet.
	Unread bool
}

// errStopped is why runs are cancelled.
var errStopped = errors.New("the daemon is stopping")

// busyFor is how long a run waits for a tenant that another process sweeps.
const busyFor = 15 * time.Minute

// Run serves until the context ends, which is no error.
func Run(ctx context.Context, o Options) error {
	if o.Auth == nil {
		return httpapi.ErrNoAuth
	}
	o = withDefaults(o)
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("http.listen: %w", err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() {
		o.Log.Warn("the API listens beyond this machine in plain HTTP; put TLS in front of it", "address", l.Addr().String())
	}
	if o.Auth.Weak() {
		o.Log.Warn("http.token is shorter than 16 characters and can be guessed; make one with: openssl rand -hex 32")
	}
	m := newMetrics(o)
	e := newExecutor(ctx, o, m)
	srv := &http.Server{
		Handler:           newRoutes(o, e, m),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	o.Log.Info("serving", "address", l.Addr().String(), "tenants", len(o.Tenants), "scheduled", o.Schedule != nil)
	if o.Listening != nil {
		o.Listening(l.Addr())
	}
	c := newClock(o, e)
	c.start(e.ctx, m)

	select {
	case err = <-served:
		o.Log.Error("the API has ended", "error", err)
	case <-ctx.Done():
		o.Log.Info("stopping: nothing new begins, what is under way ends")
		err = nil
	}
	c.stop()
	e.stop(o.Grace)
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if shut := srv.Shutdown(down); shut != nil {
		o.Log.Warn("connections are cut off", "error", shut)
		_ = srv.Close() // nothing is left to do about it
	}
	o.Log.Info("stopped")
	return err
}

func withDefaults(o Options) Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace == 0 {
		o.Grace = 75 * time.Second
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider()
	}
	return o
}
