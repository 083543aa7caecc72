package graph

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// gate lets one request at a time go out and keeps them apart. The distance is
// counted from the moment the request before was written, not from when it was
// wanted, and nothing is saved up while idle: the service's bucket may hold a
// single token.
type gate struct {
	interval time.Duration // 0: no pace
	turn     chan struct{} // holds one token

	mu   sync.Mutex
	next time.Time
}

// margin is how far below the allowed rate the pace stays: two per cent, so
// that a request that travels a little faster than the one before it does not
// find the bucket still empty.
const margin = 1.02

func newGate(perSecond float64) *gate {
	g := &gate{turn: make(chan struct{}, 1)}
	g.turn <- struct{}{}
	if perSecond > 0 {
		g.interval = time.Duration(margin / perSecond * float64(time.Second))
	}
	return g
}

// logsPerSecond is the rate of the logs: the service allows five requests in ten
// seconds, whatever the tenant's rate is. A client that is unpaced is so there too.
func logsPerSecond(perSecond float64) float64 {
	if perSecond == 0 {
		return 0
	}
	return 0.5
}

// enter waits for the caller's turn. The caller reports through the pass when
// its request was written, and must call done in any case.
func (g *gate) enter(ctx context.Context) (*pass, time.Duration, error) {
	begin := time.Now()
	select {
	case <-g.turn:
	case <-ctx.Done():
		return nil, time.Since(begin), context.Cause(ctx)
	}
	for {
		g.mu.Lock()
		wait := time.Until(g.next)
		g.mu.Unlock()
		if wait <= 0 {
			return &pass{gate: g}, time.Since(begin), nil
		}
		if err := sleep(ctx, wait); err != nil {
			g.turn <- struct{}{}
			return nil, time.Since(begin), err
		}
	}
}

// hold keeps all requests back for d, after the service has throttled one:
// refused requests count too, so sending on would prolong it.
func (g *gate) hold(d time.Duration) { g.push(time.Now().Add(d)) }

func (g *gate) push(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.After(g.next) {
		g.next = t
	}
}

// pass is the leave to send one request.
type pass struct {
	gate  *gate
	once  sync.Once
	spent atomic.Bool
}

// used reports whether the turn was given on.
func (p *pass) used() bool { return p.spent.Load() }

// wrote opens the gate for the next request, one interval from now.
func (p *pass) wrote() {
	p.once.Do(func() {
		p.spent.Store(true)
		p.gate.push(time.Now().Add(p.gate.interval))
		p.gate.turn <- struct{}{}
	})
}

// done gives the turn back if nothing was written.
func (p *pass) done() {
	p.once.Do(func() {
		p.spent.Store(true)
		p.gate.turn <- struct{}{}
	})
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
