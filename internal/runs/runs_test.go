package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/httpapi"
	"github.com/risksweep/risksweep/internal/ledger"
)

// world is a Book over a store in memory whose sweep makes real runs.
type world struct {
	*Book
	store *blobstore.Memory
	mu    sync.Mutex
	now   time.Time
	// sweeps counts the sweeps that began; status is how they end.
	sweeps atomic.Int32
	status string
	err    error
	// hold, if set, keeps sweeps from ending; began tells of each.
	hold  chan struct{}
	began chan string
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func newWorld(change func(*Options)) *world {
	w := &world{store: blobstore.NewMemory(), now: time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC), status: "succeeded", began: make(chan string, 100)}
	w.store.Now = w.clock
	o := Options{Store: w.store, Tenants: []string{"contoso", "fabrikam"}, ScheduledMode: "apply", AllowApply: true, Timeout: time.Hour, Now: w.clock,
		Ledger: func(tenant string) *ledger.Ledger { return ledger.New(w.store, tenant, ledger.Options{Now: w.clock}) }}
	o.Sweep = w.sweep
	if change != nil {
		change(&o)
	}
	w.Book = NewBook(o)
	return w
}

// sweep is a whole run without a tenant.
func (w *world) sweep(ctx context.Context, o Order) (Result, error) {
	w.sweeps.Add(1)
	l := w.Ledger(o.Tenant)
	run, err := l.Begin(ctx, ledger.BeginOptions{Mode: o.Mode, Run: o.Run})
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = run.Close(context.WithoutCancel(ctx)) }()
	w.began <- o.Run
	if w.hold != nil {
		<-w.hold
	}
	if w.err != nil {
		return Result{}, w.err
	}
	if err := run.PutFile(ctx, "users.csv", []byte("id\r\n")); err != nil {
		return Result{}, err
	}
	s, _, err := l.State(ctx)
	if err != nil {
		return Result{}, err
	}
	head, headRun, err := l.Head(ctx, s)
	if err != nil {
		return Result{}, err
	}
	_, err = run.Finish(ctx, ledger.Manifest{Status: w.status, FinishedAt: w.clock(), Counts: map[string]int{"users": 3}}, head, headRun)
	return Result{Status: w.status}, err
}

var due = time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)

func TestAScheduledRunHasOneIdentity(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	a, b := ScheduledID("contoso", due, 0), ScheduledID("contoso", due.In(berlin).Add(1526*time.Microsecond), 0)
	if a != b || !strings.HasPrefix(a, "20261124T020000Z-") {
		t.Errorf("got %s and %s", a, b)
	}
	seen := map[string]bool{a: true}
	for _, other := range []string{ScheduledID("fabrikam", due, 0), ScheduledID("contoso", due.Add(24*time.Hour), 0), ScheduledID("contoso", due, 1)} {
		if seen[other] {
			t.Errorf("%s stands for two runs", other)
		}
		seen[other] = true
	}
	if _, err := ledger.StartOf(a); err != nil {
		t.Error(err)
	}
}

func TestAnOrderIsCarriedOutOnce(t *testing.T) {
	w := newWorld(nil)
	o := w.Scheduled("contoso", due)
	res, err := w.Execute(t.Context(), o)
	if err != nil || res == nil || res.Status != "succeeded" {
		t.Fatalf("first: %+v, %v", res, err)
	}
	for range 3 {
		if res, err := w.Execute(t.Context(), o); res != nil || err != nil {
			t.Fatalf("repeated: %+v, %v", res, err)
		}
	}
	if n := w.sweeps.Load(); n != 1 {
		t.Errorf("%d sweeps, want 1", n)
	}
}

func TestDeliveriesAtTheSameTimeMakeOneRun(t *testing.T) {
	for _, mode := range []string{"plan", "apply"} {
		w := newWorld(func(o *Options) { o.ScheduledMode = mode })
		o := w.Scheduled("contoso", due)
		w.hold = make(chan struct{})
		var wg sync.WaitGroup
		errs := make([]error, 8)
		wg.Go(func() { _, errs[0] = w.Execute(t.Context(), o) })
		<-w.began
		for i := 1; i < len(errs); i++ {
			if _, errs[i] = w.Execute(t.Context(), o); !errors.Is(errs[i], ErrSame) {
				t.Errorf("%s: delivery %d: %v, want ErrSame", mode, i, errs[i])
			}
		}
		other := w.Scheduled("contoso", due.Add(time.Hour))
		if _, err := w.Execute(t.Context(), other); !errors.Is(err, ErrBusy) {
			t.Errorf("%s: another run of the tenant: %v, want ErrBusy", mode, err)
		}
		if busy, err := w.Busy(t.Context(), "contoso"); !busy || err != nil {
			t.Errorf("%s: busy %v, %v", mode, busy, err)
		}
		if busy, err := w.Busy(t.Context(), "fabrikam"); busy || err != nil {
			t.Errorf("%s: another tenant: busy %v, %v", mode, busy, err)
		}
		close(w.hold)
		wg.Wait()
		if errs[0] != nil || w.sweeps.Load() != 1 {
			t.Errorf("%s: %v, %d sweeps", mode, errs[0], w.sweeps.Load())
		}
		if busy, err := w.Busy(t.Context(), "contoso"); busy || err != nil {
			t.Errorf("%s: after the end: busy %v, %v", mode, busy, err)
		}
	}
}

func TestWaitingForATenant(t *testing.T) {
	w := newWorld(nil)
	w.hold = make(chan struct{})
	done := make(chan error, 2)
	go func() { _, err := w.Execute(t.Context(), w.Scheduled("contoso", due)); done <- err }()
	<-w.began
	go func() {
		_, err := w.wait(t.Context(), w.Scheduled("contoso", due.Add(time.Hour)), time.Minute, time.Millisecond)
		done <- err
	}()
	time.Sleep(20 * time.Millisecond)
	if n := w.sweeps.Load(); n != 1 {
		t.Errorf("%d sweeps while the tenant was swept, want 1", n)
	}
	close(w.hold)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := w.sweeps.Load(); n != 2 {
		t.Errorf("%d sweeps, want 2", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	lease, err := w.store.Lease(ctx, sweeping("contoso"), blobstore.Holder{Run: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lease.Release(t.Context()) }()
	cancel()
	if _, err := w.wait(ctx, w.Scheduled("contoso", due.Add(2*time.Hour)), time.Minute, time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
}

func TestAKilledRunIsTakenUpAgainUnderItsID(t *testing.T) {
	w := newWorld(nil)
	o := w.Scheduled("contoso", due)
	w.err = errors.New("killed")
	if _, err := w.Execute(t.Context(), o); err == nil {
		t.Fatal("want an error")
	}
	if r, err := w.Run(t.Context(), "", o.Run); err != nil || r.Status != httpapi.Running {
		t.Errorf("%+v, %v", r, err)
	}
	w.err = nil
	if res, err := w.Execute(t.Context(), o); err != nil || res == nil {
		t.Fatalf("%+v, %v", res, err)
	}
	infos, err := w.Ledger("contoso").Runs(t.Context(), 0)
	if err != nil || len(infos) != 1 || !infos[0].Complete {
		t.Errorf("runs %+v, %v", infos, err)
	}
}

// A run that was killed after it began to write keeps its plan and its journal:
// the next attempt settles what they left open, under an id of its own.
func TestARunThatHasWrittenGetsASuccessor(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	o, err := w.Ordered("contoso", "apply")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Accept(ctx, o); err != nil {
		t.Fatal(err)
	}
	whole := w.Sweep
	for range 2 { // killed twice
		w.Sweep = func(ctx context.Context, o Order) (Result, error) {
			run, err := w.Ledger(o.Tenant).Begin(ctx, ledger.BeginOptions{Mode: o.Mode, Run: o.Run})
			if err != nil {
				return Result{}, err
			}
			if err := run.PutFile(ctx, "plan.json", []byte("the plan of "+o.Run)); err != nil {
				return Result{}, err
			}
			if err := run.Journal().Append(ctx, ledger.Entry{Type: ledger.EntryIntent, Run: o.Run, Action: "a"}); err != nil {
				return Result{}, err
			}
			return Result{}, errors.Join(errors.New("killed"), run.Close(ctx))
		}
		if _, err := w.Execute(ctx, o); err == nil {
			t.Fatal("want an error")
		}
		if r, err := w.Run(ctx, "", o.Run); err != nil || r.ID != o.Run || r.Status != httpapi.Running {
			t.Errorf("%+v, %v", r, err)
		}
	}
	w.Sweep = whole
	for range 2 {
		if _, err := w.Execute(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.sweeps.Load(); n != 1 {
		t.Errorf("%d whole sweeps, want 1", n)
	}
	last := AttemptID(o.Run, 2)
	if r, err := w.Run(ctx, "", o.Run); err != nil || r.ID != o.Run || r.Status != httpapi.Succeeded || *r.Report != "/api/runs/"+last+"/files/report.json" {
		t.Errorf("%+v, %v", r, err)
	}
	for n := range 2 {
		id := AttemptID(o.Run, n)
		in, _, err := w.Ledger("contoso").Open(ctx, id, "plan.json")
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(in); err != nil || string(data) != "the plan of "+id {
			t.Errorf("attempt %d: %q, %v", n, data, err)
		}
	}
	all, err := w.Runs(ctx, "contoso", 10)
	var complete int
	for _, r := range all {
		if r.ID == last && r.Status == httpapi.Succeeded {
			complete++
		}
	}
	if err != nil || len(all) != 3 || complete != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	// One that was not ordered by POST says who took it up.
	if r, err := w.show(ctx, "contoso", ledger.RunInfo{ID: o.Run, StartedAt: w.clock()}); err != nil || r.Status != httpapi.Failed || !strings.Contains(r.Error, AttemptID(o.Run, 1)) {
		t.Errorf("%+v, %v", r, err)
	}
}

// One that has stored its plan and written nothing else may only be slow: its
// folder is left to it.
func TestARunThatHasItsPlanGetsASuccessor(t *testing.T) {
	w := newWorld(nil)
	o := w.Scheduled("contoso", due)
	whole := w.Sweep
	w.Sweep = func(ctx context.Context, o Order) (Result, error) {
		run, err := w.Ledger(o.Tenant).Begin(ctx, ledger.BeginOptions{Mode: o.Mode, Run: o.Run})
		if err != nil {
			return Result{}, err
		}
		return Result{}, errors.Join(run.PutFile(ctx, "plan.json", []byte("{}")), errors.New("stalled"), run.Close(ctx))
	}
	if _, err := w.Execute(t.Context(), o); err == nil {
		t.Fatal("want an error")
	}
	w.Sweep = whole
	if _, err := w.Execute(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	<-w.began
	if _, err := w.Ledger("contoso").Manifest(t.Context(), AttemptID(o.Run, 1)); err != nil {
		t.Errorf("no successor: %v", err)
	}
	if _, err := w.Ledger("contoso").Manifest(t.Context(), o.Run); !errors.Is(err, blobstore.ErrNotFound) {
		t.Errorf("the folder of the first was written to: %v", err)
	}
}

// Who finds that another process has taken its run up leaves it alone, as any
// second delivery does.
func TestARunThatAnotherProcessHasTakenUp(t *testing.T) {
	w := newWorld(nil)
	w.Sweep = func(context.Context, Order) (Result, error) {
		return Result{Status: "failed", Err: fmt.Errorf("storing the report: %w", ledger.ErrRunTaken)}, nil
	}
	if res, err := w.Execute(t.Context(), w.Scheduled("contoso", due)); res != nil || !errors.Is(err, ErrSame) {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestACancelledRunIsMadeUpUnderAnotherID(t *testing.T) {
	w := newWorld(nil)
	first, err := w.Again(t.Context(), "contoso", due)
	if err != nil || first.Run != w.Scheduled("contoso", due).Run {
		t.Fatalf("%+v, %v", first, err)
	}
	w.status = cancelled
	if _, err := w.Execute(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if last, err := w.LastRun(t.Context(), "contoso"); err != nil || !last.IsZero() {
		t.Errorf("a cancelled run counts as the last: %v, %v", last, err)
	}
	w.status = "partial"
	second, err := w.Again(t.Context(), "contoso", due)
	if err != nil || second.Run == first.Run {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := w.Execute(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	third, err := w.Again(t.Context(), "contoso", due)
	if err != nil || third.Run != second.Run {
		t.Errorf("%+v, %v", third, err)
	}
	if last, err := w.LastRun(t.Context(), "contoso"); err != nil || !last.Equal(w.clock()) {
		t.Errorf("last run %v, %v", last, err)
	}
	if success, err := w.LastSuccess(t.Context(), "contoso"); err != nil || !success.IsZero() {
		t.Errorf("a partial run counts as a success: %v, %v", success, err)
	}
}

func TestAPlanIsNoScheduledApply(t *testing.T) {
	w := newWorld(nil)
	o, err := w.Ordered("contoso", "plan")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Execute(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if last, err := w.LastRun(t.Context(), "contoso"); err != nil || !last.IsZero() {
		t.Errorf("last run %v, %v", last, err)
	}
	if success, err := w.LastSuccess(t.Context(), "contoso"); err != nil || success.IsZero() {
		t.Errorf("last success %v, %v", success, err)
	}
}

func TestOrdersThatAreRefused(t *testing.T) {
	good := Order{SchemaVersion: 1, Run: "20261124T020000Z-0a1b2c", Tenant: "contoso", Mode: "plan", Source: API}
	for name, c := range map[string]struct {
		order  func(*Order)
		config func(*Options)
		want   string // empty: taken
	}{
		"plan":                 {func(*Order) {}, nil, ""},
		"apply":                {func(o *Order) { o.Mode = "apply" }, nil, ""},
		"apply not allowed":    {func(o *Order) { o.Mode = "apply" }, func(o *Options) { o.AllowApply = false }, "http.allowApply is off"},
		"scheduled":            {func(o *Order) { o.Mode, o.Source = "apply", Schedule }, func(o *Options) { o.AllowApply = false }, ""},
		"scheduled plan":       {func(o *Order) { o.Mode, o.Source = "apply", Schedule }, func(o *Options) { o.ScheduledMode = "plan" }, "schedule.mode is plan"},
		"unknown tenant":       {func(o *Order) { o.Tenant = "../x" }, nil, "no tenant"},
		"unknown mode":         {func(o *Order) { o.Mode = "destroy" }, nil, "neither plan nor apply"},
		"unknown source":       {func(o *Order) { o.Source = "" }, nil, "neither schedule nor api"},
		"no run id":            {func(o *Order) { o.Run = "../../contoso/state" }, nil, "no run id"},
		"from a later version": {func(o *Order) { o.SchemaVersion = 2 }, nil, "schema version 2"},
		"without a version":    {func(o *Order) { o.SchemaVersion = 0 }, nil, "schema version 0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(c.config)
			o := good
			c.order(&o)
			_, err := w.Execute(t.Context(), o)
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if c.want != "" && w.sweeps.Load() != 0 {
				t.Error("it was swept")
			}
		})
	}
}

func TestTheLifeOfAnOrder(t *testing.T) {
	w := newWorld(nil)
	ctx := t.Context()
	o, err := w.Ordered("fabrikam", "plan")
	if err != nil {
		t.Fatal(err)
	}
	look := func() httpapi.Run {
		t.Helper()
		r, err := w.Run(ctx, "", o.Run)
		if err != nil {
			t.Fatal(err)
		}
		all, err := w.Runs(ctx, "fabrikam", 10)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]httpapi.Run{r}, all); diff != "" {
			t.Errorf("list (-one +list)\n%s", diff)
		}
		return r
	}
	if _, err := w.Run(ctx, "", o.Run); !errors.Is(err, httpapi.ErrNotFound) {
		t.Fatalf("before it was ordered: %v", err)
	}
	if err := w.Accept(ctx, o); err != nil {
		t.Fatal(err)
	}
	if err := w.Accept(ctx, o); !errors.Is(err, blobstore.ErrExists) {
		t.Errorf("ordered twice: %v", err)
	}
	at := w.clock()
	if diff := cmp.Diff(httpapi.Run{ID: o.Run, Tenant: "fabrikam", Mode: "plan", Status: httpapi.Queued, Counts: map[string]int{}}, look()); diff != "" {
		t.Errorf("queued (-want +got)\n%s", diff)
	}
	w.hold = make(chan struct{})
	done := make(chan error)
	go func() { _, err := w.Execute(ctx, o); done <- err }()
	<-w.began
	if diff := cmp.Diff(httpapi.Run{ID: o.Run, Tenant: "fabrikam", Mode: "plan", Status: httpapi.Running, StartedAt: &at, Counts: map[string]int{}}, look()); diff != "" {
		t.Errorf("running (-want +got)\n%s", diff)
	}
	close(w.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	report := "/api/runs/" + o.Run + "/files/report.json"
	if diff := cmp.Diff(httpapi.Run{ID: o.Run, Tenant: "fabrikam", Mode: "plan", Status: httpapi.Succeeded, StartedAt: &at, FinishedAt: &at,
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
		if _, _, err := w.File(ctx, "fabrikam", o.Run, name); !errors.Is(err, httpapi.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
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
	o, err := w.Ordered("contoso", "plan")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Accept(ctx, o), w.Fail(ctx, o, errors.New("the store was full"))); err != nil {
		t.Fatal(err)
	}
	r, err := w.Run(ctx, "", o.Run)
	if err != nil || r.Status != httpapi.Failed || r.Error != "the store was full" {
		t.Errorf("given up: %+v, %v", r, err)
	}
	late, err := w.Ordered("contoso", "plan")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Accept(ctx, late); err != nil {
		t.Fatal(err)
	}
	w.pass(3 * time.Hour) // more than twice the longest run
	if r, err := w.Run(ctx, "", late.Run); err != nil || r.Status != httpapi.Failed || r.Error == "" {
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
	if _, err := w.Run(ctx, "", late.Run); !errors.Is(err, httpapi.ErrNotFound) {
		t.Errorf("beyond the days: %v", err)
	}
}

func TestRunsOfAllTenantsNewestFirst(t *testing.T) {
	w := newWorld(nil)
	var want []string
	for i := range 6 {
		o, err := w.Ordered([]string{"contoso", "fabrikam"}[i%2], "plan")
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
	o, err := w.Ordered("contoso", "plan")
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
	if r, err := w.Run(ctx, "", o.Run); err != nil || r.Status != httpapi.Failed || r.Error != "five deliveries failed" {
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
	if r, err := w.Run(ctx, "", done.Run); err != nil || r.Status != httpapi.Succeeded {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAStoreThatFailsIsAnError(t *testing.T) {
	broken := errors.New("the store is down")
	for _, op := range []string{"get", "lease", "list"} {
		w := newWorld(nil)
		w.store.Fault = func(o, _ string) error {
			if o == op {
				return broken
			}
			return nil
		}
		ctx := t.Context()
		check := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, broken) {
				t.Errorf("%s with a broken %s: %v", what, op, err)
			}
		}
		switch op {
		case "get":
			_, err := w.Execute(ctx, w.Scheduled("contoso", due))
			check("Execute", err)
			_, err = w.Run(ctx, "", "20261124T020000Z-0a1b2c")
			check("Run", err)
			_, err = w.Again(ctx, "contoso", due)
			check("Again", err)
		case "lease":
			_, err := w.Execute(ctx, w.Scheduled("contoso", due))
			check("Execute", err)
			_, err = w.Busy(ctx, "contoso")
			check("Busy", err)
		case "list":
			_, err := w.Runs(ctx, "", 5)
			check("Runs", err)
			_, err = w.LastRun(ctx, "contoso")
			check("LastRun", err)
			check("Prune", w.Prune(ctx, 1))
		}
		if w.sweeps.Load() != 0 {
			t.Errorf("%s: it was swept", op)
		}
	}
}

// losing is a store whose leases are lost on demand.
type losing struct {
	*blobstore.Memory
	lost context.Context
}

func (l losing) Lease(ctx context.Context, name string, h blobstore.Holder) (blobstore.Lease, error) {
	lease, err := l.Memory.Lease(ctx, name, h)
	return lostLease{lease, l.lost}, err
}

type lostLease struct {
	blobstore.Lease
	lost context.Context
}

func (l lostLease) Context() context.Context { return l.lost }

func TestWhoLosesTheLeaseStops(t *testing.T) {
	lost, lose := context.WithCancelCause(t.Context())
	w := newWorld(nil)
	w.Store = losing{w.store, lost}
	began := make(chan struct{})
	w.Sweep = func(ctx context.Context, _ Order) (Result, error) {
		close(began)
		select {
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		case <-time.After(10 * time.Second):
			return Result{}, errors.New("it was not stopped")
		}
	}
	done := make(chan error)
	go func() { _, err := w.Execute(t.Context(), w.Scheduled("contoso", due)); done <- err }()
	<-began
	lose(blobstore.ErrLeaseLost)
	if err := <-done; !errors.Is(err, blobstore.ErrLeaseLost) {
		t.Errorf("got %v, want the lease lost", err)
	}
}

func TestARunThatWantsAnotherTurn(t *testing.T) {
	w := newWorld(nil)
	w.err = ErrContinue
	o := w.Scheduled("contoso", due)
	if _, err := w.Execute(t.Context(), o); !errors.Is(err, ErrContinue) {
		t.Fatalf("got %v", err)
	}
	w.err = nil
	o.Part++
	if res, err := w.Execute(t.Context(), o); err != nil || res == nil {
		t.Errorf("%+v, %v", res, err)
	}
}
