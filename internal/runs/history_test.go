package runs

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/blobstore"
)

func TestTheLifeOfAnOrder(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	o, err := w.Ordered("fabrikam", "plan", "", "")
	if err != nil {
		t.Fatal(err)
	}
	look := func() Run {
		t.Helper()
		r, err := w.Run(ctx, "", o.Run)
		if err != nil {
			t.Fatal(err)
		}
		all, err := w.Runs(ctx, "fabrikam", 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Run{r}, all); diff != "" {
			t.Errorf("list (-one +list)\n%s", diff)
		}
		return r
	}
	if _, err := w.Run(ctx, "", o.Run); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before it was ordered: %v", err)
	}
	if err := w.Accept(ctx, o); err != nil {
		t.Fatal(err)
	}
	if err := w.Accept(ctx, o); !errors.Is(err, blobstore.ErrExists) {
		t.Errorf("ordered twice: %v", err)
	}
	at := w.clock()
	if diff := cmp.Diff(Run{ID: o.Run, Tenant: "fabrikam", Mode: "plan", Status: Queued, Counts: map[string]int{}}, look()); diff != "" {
		t.Errorf("queued (-want +got)\n%s", diff)
	}
	w.hold = make(chan struct{})
	done := make(chan error)
	go func() { _, err := w.Execute(ctx, o); done <- err }()
	<-w.began
	if diff := cmp.Diff(Run{ID: o.Run, Tenant: "fabrikam", Mode: "plan", Status: Running, StartedAt: &at, Counts: map[string]int{}}, look()); diff != "" {
		t.Errorf("running (-want +got)\n%s", diff)
	}
	close(w.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	report := "/api/runs/" + o.Run + "/files/report.json"
	if diff := cmp.Diff(Run{ID: o.Run, Tenant: "fabrikam", Mode: "plan", Status: Succeeded, StartedAt: &at, FinishedAt: &at,
		Counts: map[string]int{"users": 3}, Report: &report}, look()); diff != "" {
		t.Errorf("complete (-want +got)\n%s", diff)
	}
	in, size, err := w.File(ctx, "", o.Run, "users.csv")
	if err != nil || size != 4 {
		t.Fatalf("%d, %v", size, err)
	}
	if data, err := io.ReadAll(in); err != nil || string(data) != "id\r\n" {
		t.Errorf("%q, %v", data, err)
	}
	for _, name := range []string{"nothing.csv", "../state.json", "manifest.json/.."} {
		if _, _, err := w.File(ctx, "fabrikam", o.Run, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What serve has in memory ends with it: an order that nobody carries out any more does
// not wait, nor run, for ever in the eyes of who has ordered it.
func TestOrdersOfAServeThatWasKilled(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	order := func(tenant string) Order {
		t.Helper()
		o, err := w.Ordered(tenant, "plan", "", "")
		if err == nil {
			err = w.Accept(ctx, o)
		}
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	cut, waiting := order("contoso"), order("fabrikam")
	w.err = errors.New("killed")
	_, _ = w.Execute(ctx, cut)
	is := func(o Order, status, says string) {
		t.Helper()
		r, err := w.Run(ctx, "", o.Run)
		if err != nil || r.Status != status || !strings.Contains(r.Error, says) {
			t.Errorf("%s: %+v, %v; want %s, %q", o.Tenant, r, err, status, says)
		}
	}
	is(cut, Running, "")
	is(waiting, Queued, "")
	w.pass(time.Minute)
	w.Since = w.clock()
	is(cut, Failed, "cut short")
	is(waiting, Failed, "before the run began")
	fresh := order("fabrikam")
	is(fresh, Queued, "")
	w.err, w.hold = nil, make(chan struct{})
	done := make(chan error)
	go func() { _, err := w.Execute(ctx, fresh); done <- err }()
	for run := range w.began {
		if run == fresh.Run {
			break
		}
	}
	is(fresh, Running, "")
	is(waiting, Queued, "") // another serve may have it
	close(w.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	is(fresh, Succeeded, "")
}

func TestEveryStatusHasAWord(t *testing.T) {
	for status, want := range map[string]string{"succeeded": "succeeded", "partial": "partial", "refused": "refused", "failed": "failed",
		"cancelled": "failed", "something new": "failed"} {
		w := newWorld(nil)
		w.status = status
		o := w.Scheduled("contoso", due)
		if _, err := w.Execute(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if r, err := w.Run(t.Context(), "", o.Run); err != nil || r.Status != want {
			t.Errorf("%s: got %s, %v, want %s", status, r.Status, err, want)
		}
	}
}

func TestOrdersAreNotForgotten(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	o, err := w.Ordered("contoso", "plan", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Accept(ctx, o), w.Fail(ctx, o, errors.New("the store was full"))); err != nil {
		t.Fatal(err)
	}
	r, err := w.Run(ctx, "", o.Run)
	if err != nil || r.Status != Failed || r.Error != "the store was full" {
		t.Errorf("given up: %+v, %v", r, err)
	}
	late, err := w.Ordered("contoso", "plan", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Accept(ctx, late); err != nil {
		t.Fatal(err)
	}
	w.pass(3 * time.Hour) // more than twice the longest run
	if r, err := w.Run(ctx, "", late.Run); err != nil || r.Status != Failed || r.Error == "" {
		t.Errorf("lost: %+v, %v", r, err)
	}
	w.pass(10 * 24 * time.Hour)
	if err := w.Prune(ctx, 30); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(ctx, "", late.Run); err != nil {
		t.Errorf("within the days: %v", err)
	}
	if err := w.Prune(ctx, 7); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Run(ctx, "", late.Run); !errors.Is(err, ErrNotFound) {
		t.Errorf("beyond the days: %v", err)
	}
}

func TestRunsOfAllTenantsNewestFirst(t *testing.T) {
	w := newWorld(nil)
	var want []string
	for i := range 6 {
		o, err := w.Ordered([]string{"contoso", "fabrikam"}[i%2], "plan", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Execute(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		want = append([]string{o.Run}, want...)
		w.pass(time.Minute)
	}
	for _, limit := range []int{1, 4, 100} {
		all, err := w.Runs(t.Context(), "", limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range all {
			got = append(got, r.ID)
		}
		if diff := cmp.Diff(want[:min(limit, len(want))], got); diff != "" {
			t.Errorf("limit %d (-want +got)\n%s", limit, diff)
		}
	}
}

func TestPoisonIsRecordedOnce(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	o, err := w.Ordered("contoso", "plan", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Accept(ctx, o); err != nil {
		t.Fatal(err)
	}
	order := []byte(`{"schemaVersion":1,"run":"` + o.Run + `","tenant":"contoso","mode":"plan","source":"api"}`)
	for _, m := range [][]byte{order, order, []byte("not an order"), {0xff, 0xfe}, nil} {
		if err := w.Poisoned(ctx, m, "five deliveries failed"); err != nil {
			t.Fatal(err)
		}
	}
	var kept int
	for _, err := range w.store.List(ctx, "_poison/") {
		if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	if kept != 4 {
		t.Errorf("%d records, want 4", kept)
	}
	if r, err := w.Run(ctx, "", o.Run); err != nil || r.Status != Failed || r.Error != "five deliveries failed" {
		t.Errorf("%+v, %v", r, err)
	}
	// A run that did come to its end is not called failed by a stray copy.
	done := w.Scheduled("fabrikam", due)
	if _, err := w.Execute(ctx, done); err != nil {
		t.Fatal(err)
	}
	if err := w.Poisoned(ctx, []byte(`{"schemaVersion":1,"run":"`+done.Run+`","tenant":"fabrikam","mode":"apply","source":"schedule"}`), "x"); err != nil {
		t.Fatal(err)
	}
	if r, err := w.Run(ctx, "", done.Run); err != nil || r.Status != Succeeded {
		t.Errorf("%+v, %v", r, err)
	}
}

// A list reads no more orders than it shows, however many wait.
func TestAListReadsOnlyTheOrdersItShows(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	var ids []string
	for range 40 {
		o, err := w.Ordered("contoso", "plan", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Accept(ctx, o); err != nil {
			t.Fatal(err)
		}
		ids = append([]string{o.Run}, ids...)
		w.pass(time.Second)
	}
	list := func(limit int) (got []string, reads int) {
		t.Helper()
		var n atomic.Int32
		w.store.Fault = func(op, name string) error {
			if op == "get" && strings.HasPrefix(name, "_orders/") {
				n.Add(1)
			}
			return nil
		}
		all, err := w.Runs(ctx, "contoso", limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			got = append(got, r.ID)
		}
		return got, int(n.Load())
	}
	for _, limit := range []int{1, 3, 40, 500} {
		got, reads := list(limit)
		shown := min(limit, len(ids))
		if diff := cmp.Diff(ids[:shown], got); diff != "" {
			t.Errorf("limit %d (-want +got)\n%s", limit, diff)
		}
		if reads == 0 || reads > 4*shown {
			t.Errorf("limit %d: %d orders were read", limit, reads)
		}
	}
	// Runs that have begun since leave no place for those that wait longer.
	for range 2 {
		o, err := w.Ordered("contoso", "plan", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Execute(ctx, o); err != nil {
			t.Fatal(err)
		}
		ids = append([]string{o.Run}, ids...)
		w.pass(time.Second)
	}
	got, _ := list(3)
	if diff := cmp.Diff(ids[:3], got); diff != "" {
		t.Errorf("with runs that have begun (-want +got)\n%s", diff)
	}
	if _, reads := list(2); reads > 2 {
		t.Errorf("%d orders were read though none is shown", reads)
	}
}
