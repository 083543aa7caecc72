package functions

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/risksweep/risksweep/internal/runs"
)

// early is how long before its due time the host's timer may fire: it was seen
// to be early by milliseconds. A due time further ahead is that of the next
// occurrence, and the call was made by hand.
const early = time.Second

// nightly answers the timer: one message per tenant.
func (c *call) nightly() (answer, error) {
	raw, err := c.in.input("timer")
	if err != nil {
		return answer{}, err
	}
	t, err := parseTimer(raw)
	if err != nil {
		return answer{}, err
	}
	b, err := c.backendFor()
	if err != nil {
		return answer{}, err
	}
	now := c.o.Now().UTC()
	due := t.due()
	byHand := due.After(now.Add(early))
	switch {
	case byHand:
		due = now.Truncate(time.Second)
	case due.IsZero():
		due = now.Truncate(time.Minute)
		if b.LastDue != nil {
			if last := b.LastDue(now); !last.IsZero() && now.Sub(last) < time.Hour {
				due = last
			}
		}
	}
	orders := make([]runs.Order, len(b.Tenants))
	for i, tenant := range b.Tenants {
		orders[i] = b.Book.Scheduled(tenant, due)
		if !byHand {
			continue
		}
		// A run of its own, which must not pass for one that was or will be due.
		own, err := b.Book.Ordered(tenant, orders[i].Mode, "", "")
		if err != nil {
			return answer{}, err
		}
		orders[i].Run = own.Run
	}
	c.log.Info("runs are due", "due", due, "byHand", byHand, "pastDue", t.IsPastDue, "tenants", len(orders))
	if err := b.Book.Prune(c.ctx, b.KeepDays); err != nil {
		c.log.Warn("records of old orders could not be deleted", "error", err)
	}
	var a answer
	a.enqueue(orders...)
	return a, nil
}

// sweepTenant carries out one message.
func (c *call) sweepTenant() (answer, error) {
	raw, err := c.in.input("run")
	if err != nil {
		return answer{}, err
	}
	var o runs.Order
	if err := json.Unmarshal(message(raw), &o); err != nil {
		return answer{}, fmt.Errorf("the message is no order of ours: %w", err)
	}
	b, err := c.backendFor()
	if err != nil {
		return answer{}, err
	}
	if err := b.Book.Check(o); err != nil {
		return answer{}, err
	}
	log := c.log.With("tenant", o.Tenant, "run", o.Run, "mode", o.Mode)
	log.Info("a message is taken", "part", o.Part)
	res, err := b.Book.Wait(runs.WithTurns(runs.WithLog(c.ctx, log)), o, min(c.o.Wait, c.waitWithin()))
	var a answer
	switch {
	case errors.Is(err, runs.ErrContinue):
		o.Part++
		log.Info("the run goes on with the next message", "part", o.Part)
		a.enqueue(o)
	case errors.Is(err, runs.ErrBusy) && !errors.Is(err, runs.ErrSame) && c.o.Now().Sub(o.OrderedAt) < patience:
		// Another run over the tenant takes its time. A failure would use up
		// the message's tries, so it is put back behind the others.
		log.Info("the tenant is being swept; the message goes back to the queue", "reason", err)
		a.enqueue(o)
	case err != nil:
		return a, fmt.Errorf("run %s of tenant %s: %w", o.Run, o.Tenant, err)
	case res == nil:
		log.Info("the run is complete already")
	case res.Err != nil:
		// It has its report; a repeated delivery finds it complete.
		return a, fmt.Errorf("run %s of tenant %s ended %s: %w", o.Run, o.Tenant, res.Status, res.Err)
	default:
		log.Info("the run is complete", "status", res.Status)
	}
	return a, nil
}

// patience is how long a message may wait for its tenant.
const patience = 24 * time.Hour

// waitWithin leaves most of a call for the work.
func (c *call) waitWithin() time.Duration {
	if c.o.Timeout == 0 {
		return c.o.Wait
	}
	return workWithin(c.o.Timeout) / 4
}

// sweepPoisoned records a message that the host has given up.
func (c *call) sweepPoisoned() (answer, error) {
	raw, err := c.in.input("run")
	if err != nil {
		return answer{}, err
	}
	b, err := c.backendFor()
	if err != nil {
		return answer{}, err
	}
	m := queueText(raw)
	c.log.Error("a message was given up", "bytes", len(m))
	return answer{}, b.Book.Poisoned(c.ctx, m, "the message was given up after repeated failures; the log of SweepTenant says why")
}
