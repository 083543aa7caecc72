package runs

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
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

func TestAStoreThatFailsIsAnError(t *testing.T) {
	broken := errors.New("the store is down")
	for _, op := range []string{"get", "lease", "look at lease", "list"} {
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
			_, err = w.NextAttempt(ctx, "contoso", due)
			check("Again", err)
		case "lease":
			_, err := w.Execute(ctx, w.Scheduled("contoso", due))
			check("Execute", err)
		case "look at lease":
			_, err := w.Busy(ctx, "contoso")
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
