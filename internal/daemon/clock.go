package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/risksweep/risksweep/internal/schedule"
)

// clock orders runs when they are due.
type clock struct {
	Options
	e    *executor
	cron *cron.Cron

	digests sync.Map // the due times whose digest is waited for
}

func newClock(o Options, e *executor) *clock {
	l := cronLog{o.Log}
	return &clock{Options: o, e: e, cron: cron.New(cron.WithLogger(l), cron.WithLocation(time.UTC), cron.WithChain(cron.Recover(l)))}
}

// start makes up for runs that were missed and begins to wait for the next.
func (c *clock) start(ctx context.Context, m *metrics) {
	for _, tenant := range c.Tenants {
		go c.recall(ctx, tenant, m)
	}
	if c.Schedule == nil {
		return
	}
	c.cron.Schedule(c.Schedule, cron.FuncJob(func() { c.tick(ctx) }))
	c.cron.Start()
	c.Log.Info("the next scheduled run", "due", c.Schedule.Next(c.Now()))
}

func (c *clock) stop() {
	<-c.cron.Stop().Done()
}

// tick orders the run of every tenant.
func (c *clock) tick(ctx context.Context) {
	due := LastDue(c.Schedule, c.Now())
	if due.IsZero() || ctx.Err() != nil {
		return
	}
	c.Log.Info("runs are due", "due", due, "next", c.Schedule.Next(c.Now()))
	for _, tenant := range c.Tenants {
		go c.order(ctx, tenant, due)
	}
	c.digest(ctx, due)
	if err := c.Book.Prune(ctx, c.KeepDays); err != nil {
		c.Log.Warn("records of old orders could not be deleted", "error", err)
	}
}

// LastDue is the latest due time not after now; zero if there is none.
func LastDue(s *schedule.Schedule, now time.Time) time.Time {
	due, _ := s.Missed(now.Add(-399*24*time.Hour), now)
	return due
}

// order orders one tenant's scheduled run.
func (c *clock) order(ctx context.Context, tenant string, due time.Time) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		o, err := c.Book.NextAttempt(ctx, tenant, due)
		if err == nil {
			c.e.schedule(o)
			return
		}
		if !c.pause(ctx, tenant, wait, err) {
			return
		}
	}
}

// recall looks for a tenant's last run: what it missed is made up once, and
// metrics go on where they were.
func (c *clock) recall(ctx context.Context, tenant string, m *metrics) {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		last, err := c.Book.LastRun(ctx, tenant)
		if err == nil {
			err = m.recall(ctx, c.Book, tenant)
		}
		if err != nil {
			if !c.pause(ctx, tenant, wait, err) {
				return
			}
			continue
		}
		if c.Schedule == nil {
			return
		}
		if due, missed := c.Schedule.Missed(last, c.Now()); missed {
			c.Log.Info("a run was missed and is made up for", "tenant", tenant, "due", due, "last", last)
			if c.Missed != nil {
				go c.Missed(ctx, tenant, due) // whoever listens may be slow
			}
			c.digest(ctx, due)
			c.order(ctx, tenant, due)
		}
		return
	}
}

// digest sees to it that a run which does not end keeps back no notice of the others,
// once for each due time.
func (c *clock) digest(ctx context.Context, due time.Time) {
	if c.Digest == nil {
		return
	}
	if _, waits := c.digests.LoadOrStore(due, true); waits {
		return
	}
	go func() {
		defer c.digests.Delete(due)
		select {
		case <-ctx.Done():
		case <-time.After(c.DigestAfter):
			c.Digest(ctx, due)
		}
	}()
}

// pause waits after a failure; it reports whether to try again.
func (c *clock) pause(ctx context.Context, tenant string, d time.Duration, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	c.Log.Error("the store could not be read; trying again", "tenant", tenant, "in", d, "error", err)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// cronLog is the log of the cron library.
type cronLog struct{ log *slog.Logger }

// Info is for its own doings.
func (l cronLog) Info(msg string, kv ...any) { l.log.Debug("cron: "+msg, kv...) }

// Error is for jobs that failed.
func (l cronLog) Error(err error, msg string, kv ...any) {
	l.log.Error("cron: "+msg, append(kv, "error", fmt.Sprint(err))...)
}
