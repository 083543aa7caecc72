package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/risksweep/risksweep/internal/httpapi"
	"github.com/risksweep/risksweep/internal/runs"
)

// executor carries orders out, one at a time for each tenant.
type executor struct {
	Options
	metrics *metrics
	ctx     context.Context // ends when the daemon is stopped
	cancel  context.CancelCauseFunc

	mu       sync.Mutex
	busy     map[string]bool        // by tenant
	next     map[string]*runs.Order // a scheduled run that waits for its tenant
	stopping bool
	wg       sync.WaitGroup
}

func newExecutor(ctx context.Context, o Options, m *metrics) *executor {
	// Runs do not end with the daemon's context but when stop says so, in order.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	return &executor{Options: o, metrics: m, ctx: ctx, cancel: cancel, busy: map[string]bool{}, next: map[string]*runs.Order{}}
}

// take claims a tenant.
func (e *executor) take(tenant string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.stopping:
		return httpapi.ErrStopping
	case e.busy[tenant]:
		return httpapi.ErrBusy
	}
	e.busy[tenant] = true
	e.wg.Add(1)
	return nil
}

// leave gives a tenant back, or takes the run that waits for it.
func (e *executor) leave(tenant string) *runs.Order {
	e.mu.Lock()
	defer e.mu.Unlock()
	if o := e.next[tenant]; o != nil && !e.stopping {
		delete(e.next, tenant)
		return o
	}
	delete(e.busy, tenant)
	e.wg.Done()
	return nil
}

// Start takes an order of the API.
func (e *executor) Start(ctx context.Context, o httpapi.Order) (id string, err error) {
	if err := e.take(o.Tenant); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			e.carryOn(o.Tenant)
		}
	}()
	elsewhere, err := e.Book.Busy(ctx, o.Tenant)
	if err != nil {
		return "", err
	}
	if elsewhere {
		return "", httpapi.ErrBusy
	}
	order, err := e.Book.Ordered(o.Tenant, o.Mode, o.By, o.Reason)
	if err != nil {
		return "", err
	}
	if err := e.Book.Accept(ctx, order); err != nil {
		return "", err
	}
	go e.work(order)
	return order.Run, nil
}

// carryOn gives a tenant back after an order that was not taken.
func (e *executor) carryOn(tenant string) {
	if next := e.leave(tenant); next != nil {
		go e.work(*next)
	}
}

// schedule takes a scheduled run, which waits if its tenant is being swept.
// Of several that wait only the last is kept.
func (e *executor) schedule(o runs.Order) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch before := e.next[o.Tenant]; {
	case e.stopping:
	case !e.busy[o.Tenant]:
		e.busy[o.Tenant] = true
		e.wg.Add(1)
		go e.work(o)
	case before != nil:
		e.next[o.Tenant] = &o
		e.Log.Warn("a scheduled run is skipped: the tenant was swept all the time", "tenant", o.Tenant, "run", before.Run, "due", before.Due)
	default:
		e.next[o.Tenant] = &o
		e.Log.Info("a scheduled run waits for its tenant", "tenant", o.Tenant, "run", o.Run)
	}
}

// work carries out an order, and then those that wait for the same tenant.
func (e *executor) work(o runs.Order) {
	for {
		e.one(o)
		next := e.leave(o.Tenant)
		if next == nil {
			return
		}
		o = *next
	}
}

// one carries out one order.
func (e *executor) one(o runs.Order) {
	log := e.Log.With("tenant", o.Tenant, "run", o.Run)
	ctx, span := e.Tracer.Tracer("risksweep").Start(e.ctx, "sweep "+o.Tenant, trace.WithNewRoot(), trace.WithAttributes(
		attribute.String("risksweep.tenant", o.Tenant), attribute.String("risksweep.run", o.Run),
		attribute.String("risksweep.mode", o.Mode), attribute.String("risksweep.source", o.Source)))
	defer span.End()
	if e.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, e.Timeout, errTimeout)
		defer cancel()
	}
	e.metrics.begin(o.Tenant)
	res, err := e.sweep(ctx, o)
	e.metrics.end(o, res, err, e.Now())
	switch {
	case errors.Is(err, errStopped) && o.Source == runs.Schedule:
		log.Info("a scheduled run did not begin; the next start makes up for it")
	case err != nil:
		span.SetStatus(codes.Error, err.Error())
		log.Error("an order did not start a run", "mode", o.Mode, "error", err)
		c, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if failed := e.Book.Fail(c, o, err); failed != nil {
			log.Error("the failure could not be recorded", "error", failed)
		}
	case res == nil:
		log.Info("the run is complete already")
	default:
		span.SetAttributes(attribute.String("risksweep.status", res.Status), attribute.Int("risksweep.requests", res.Requests), attribute.Int("risksweep.throttled", res.Throttled))
		if res.Err != nil {
			span.SetStatus(codes.Error, res.Err.Error())
			log.Error("a run has failed", "status", res.Status, "error", res.Err)
		}
	}
}

var errTimeout = errors.New("sweep.timeout has passed")

// sweep carries an order out to its end; a panic is an error of this tenant
// alone.
func (e *executor) sweep(ctx context.Context, o runs.Order) (res *runs.Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			e.Log.Error("a run ended in a panic", "tenant", o.Tenant, "run", o.Run, "panic", v)
			res, err = nil, fmt.Errorf("run %s ended in a panic; the log says more", o.Run)
		}
	}()
	for {
		res, err = e.Book.Wait(runs.WithLog(ctx, e.Log), o, busyFor)
		if !errors.Is(err, runs.ErrContinue) || ctx.Err() != nil {
			return res, err
		}
		o.Part++
	}
}

// stop begins nothing new, tells what is under way to end, and waits for it.
func (e *executor) stop(grace time.Duration) {
	e.mu.Lock()
	e.stopping = true
	running := len(e.busy)
	e.mu.Unlock()
	e.cancel(errStopped)
	done := make(chan struct{})
	go func() { e.wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(grace):
		e.Log.Error("runs did not end in time; the next start takes them up", "runs", running, "grace", grace)
	}
}
