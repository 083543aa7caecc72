package simulation

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/sweep"
)

// order delivers one scheduled run to a process, and some times more to others,
// as a queue does: after a failure until it is done, and then once too often.
func (w *world) order(t *testing.T, p *process, base, again int) {
	o := runs.NewBook(runs.Options{ScheduledMode: string(sweep.Apply), Now: time.Now}).Scheduled("contoso", time.Now())
	w.orders = append(w.orders, o)
	w.deliver(t, p, o, base)
	for n := range again {
		time.Sleep(10 * time.Minute) // until a message shows again
		w.deliver(t, w.process(fmt.Sprint(p.name, " again ", n), uint64(2000+10*len(w.orders)+n)), o, base)
	}
}

// deliver lets a process carry an order out.
func (w *world) deliver(t *testing.T, p *process, o runs.Order, base int) {
	files := &store{p: p, Store: w.store}
	book := runs.NewBook(runs.Options{Store: files, Tenants: []string{"contoso"}, ScheduledMode: string(sweep.Apply), Now: p.now,
		Ledger: func(tenant string) *ledger.Ledger { return ledger.New(files, tenant, ledger.Options{Now: p.now}) },
		Sweep: func(ctx context.Context, o runs.Order) (runs.Result, error) {
			r, err := w.carryOut(ctx, t, p, sweep.Request{Mode: sweep.Apply, Run: o.Run}, base)
			return runs.Result{Status: string(r.Status), Err: r.Err}, err
		}})
	complete := w.completeRuns(o)
	res, err := book.Execute(context.Background(), o)
	w.say("%s: order %s: %+v %v", p.name, o.Run, res, err)
	if complete > 0 && res != nil {
		w.breaks("an order is carried out once", "%s was complete, and %s carried it out again", o.Run, p.name)
	}
	if err == nil && w.completeRuns(o) == 0 {
		w.breaks("an order that is done has a complete run", "%s", o.Run)
	}
	if errors.Is(err, runs.ErrInvalid) {
		t.Errorf("the order is refused: %v", err)
	}
}

// completeRuns counts the complete runs of an order, under its id and those of
// its successors.
func (w *world) completeRuns(o runs.Order) (n int) {
	l := ledger.New(w.store, "contoso", ledger.Options{Now: time.Now})
	for attempt := range 20 {
		if _, err := l.Manifest(context.Background(), runs.AttemptID(o.Run, attempt)); err == nil {
			n++
		}
	}
	return n
}
