package graphsim

import (
	"sync"
	"time"
)

// clock is the service's time: a base clock, shifted so that it starts where
// wanted, and moved on by hand.
type clock struct {
	base func() time.Time

	mu    sync.Mutex
	start time.Time
	shift time.Duration
}

func newClock(base func() time.Time, start time.Time) *clock {
	if base == nil {
		base = time.Now
	}
	c := &clock{base: base, start: start}
	c.restart()
	return c
}

// restart puts the clock back to where it was made to start. One that was not
// given a start shows its base's time again.
func (c *clock) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift = 0
	if !c.start.IsZero() {
		c.shift = c.start.Sub(c.base())
	}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.base().Add(c.shift).UTC()
}

func (c *clock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
	return c.base().Add(c.shift).UTC()
}
