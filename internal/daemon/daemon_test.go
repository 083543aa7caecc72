package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/httpapi"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/runs"
)

// world is a Book over a store in memory; its sweeps make real runs.
type world struct {
	*runs.Book
	store  *blobstore.Memory
	mu     sync.Mutex
	log    []string // "tenant due", as runs began
	during func(context.Context, runs.Order) (status string, err error)
}

func newWorld(tenants ...string) *world {
	w := &world{store: blobstore.NewMemory()}
	ledgers := func(tenant string) *ledger.Ledger { return ledger.New(w.store, tenant, ledger.Options{Now: time.Now}) }
	w.Book = runs.NewBook(runs.Options{Store: w.store, Tenants: tenants, Ledger: ledgers, ScheduledMode: "apply", AllowApply: true, Timeout: time.Hour,
		Sweep: func(ctx context.Context, o runs.Order) (runs.Result, error) {
			w.mu.Lock()
			w.log = append(w.log, o.Tenant+" "+o.Due.Format(time.RFC3339))
			w.mu.Unlock()
			l := ledgers(o.Tenant)
			run, err := l.Begin(ctx, ledger.BeginOptions{Mode: o.Mode, Run: o.Run})
			if err != nil {
				return runs.Result{}, err
			}
			defer func() { _ = run.Close(context.WithoutCancel(ctx)) }()
			status, failure := "succeeded", error(nil)
			if w.during != nil {
				status, failure = w.during(ctx, o)
				if status == "" {
					return runs.Result{}, failure
				}
			}
			ctx = context.WithoutCancel(ctx)
			s, version, err := l.State(ctx)
			if err != nil {
				return runs.Result{}, err
			}
			head, headRun, err := l.Head(ctx, s)
			if err != nil {
				return runs.Result{}, err
			}
			counts := map[string]int{"users": 5, "usersOpen": 3, "usersOpen.high": 2, "usersOpen.hidden": 1}
			if s.Head, err = run.Finish(ctx, ledger.Manifest{Status: status, FinishedAt: time.Now(), Counts: counts}, head, headRun); err != nil {
				return runs.Result{}, err
			}
			if s.HeadRun = run.ID(); o.Mode == "apply" {
				if _, err := l.SaveState(ctx, s, version); err != nil {
					return runs.Result{}, err
				}
			}
			return runs.Result{Status: status, Err: failure, Counts: counts, Requests: 9, Throttled: 2, Retried: 1,
				Outcomes: []runs.Outcome{{Kind: "dismiss", Status: "done", N: 3}}}, nil
		}})
	return w
}

func (w *world) began() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

const token = "the-token-of-the-api"

func (w *world) options(t testing.TB) Options {
	auth, err := httpapi.NewAuth(httpapi.AuthOptions{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return Options{Listen: "127.0.0.1:0", Auth: auth, Book: w, Tenants: w.Tenants, AllowApply: true, Now: time.Now, Version: "test"}
}

// served is a running daemon.
type served struct {
	url  string
	stop func() error
}

func serve(t *testing.T, o Options) served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	addr, ended := make(chan net.Addr, 1), make(chan error, 1)
	o.Listening = func(a net.Addr) { addr <- a }
	go func() { ended <- Run(ctx, o) }()
	s := served{stop: func() error { cancel(); err := <-ended; ended <- err; return err }}
	select {
	case a := <-addr:
		s.url = "http://" + a.String()
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.stop() })
	return s
}

func (s served) call(t *testing.T, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header == nil {
		header = []string{"Authorization", "Bearer " + token}
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data), res.Header
}

func (s served) status(t *testing.T, location, want string) {
	t.Helper()
	var run runs.Run
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		code, body, _ := s.call(t, "GET", location, "")
		if code != 200 || json.Unmarshal([]byte(body), &run) != nil {
			t.Fatalf("%s: %d %s", location, code, body)
		}
		if run.Status == want {
			return
		}
	}
	t.Fatalf("%s is %s, want %s", location, run.Status, want)
}

func TestAnOrderThroughTheAPI(t *testing.T) {
	w := newWorld("contoso", "fabrikam")
	release := make(chan struct{})
	w.during = func(context.Context, runs.Order) (string, error) { <-release; return "succeeded", nil }
	s := serve(t, w.options(t))
	for _, path := range []string{"/api/runs", "/api/runs/20261124T020000Z-0a1b2c", "/api/nothing"} {
		if code, _, h := s.call(t, "GET", path, "", "X-None", ""); code != 401 || h.Get("WWW-Authenticate") == "" {
			t.Errorf("%s without a token: %d", path, code)
		}
	}
	code, body, h := s.call(t, "POST", "/api/runs", `{"tenant":"contoso","mode":"plan"}`)
	if code != 202 {
		t.Fatalf("%d %s", code, body)
	}
	location := h.Get("Location")
	s.status(t, location, "running")
	if code, body, _ := s.call(t, "POST", "/api/runs", `{"tenant":"contoso","mode":"plan"}`); code != 409 {
		t.Errorf("while it is swept: %d %s", code, body)
	}
	if code, body, _ := s.call(t, "POST", "/api/runs", `{"tenant":"contoso"}`); code != 400 {
		t.Errorf("a bad order while it is swept: %d %s", code, body)
	}
	if code, body, _ := s.call(t, "POST", "/api/runs", `{"tenant":"fabrikam","mode":"apply"}`); code != 202 {
		t.Errorf("another tenant: %d %s", code, body)
	}
	if code, body, _ := s.call(t, "POST", "/api/runs", strings.Repeat("x", 1<<20)); code != 413 {
		t.Errorf("a large body: %d %s", code, body)
	}
	close(release)
	s.status(t, location, "succeeded")
	if code, body, _ := s.call(t, "GET", location+"/files/manifest.json", ""); code != 200 || !strings.Contains(body, `"status": "succeeded"`) {
		t.Errorf("manifest: %d %s", code, body)
	}
	if code, body, _ := s.call(t, "GET", location+"/files/..%2f..%2f..%2f..%2fstate.json", ""); code != 404 {
		t.Errorf("a path that leads out: %d %s", code, body)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// A lease that another process holds is a tenant that is being swept.
func TestAnotherProcessSweeps(t *testing.T) {
	w := newWorld("contoso")
	s := serve(t, w.options(t))
	lease, err := w.Ledger("contoso").Lock(t.Context(), blobstore.Holder{Run: "20261124T020000Z-0a1b2c"})
	if err != nil {
		t.Fatal(err)
	}
	if code, body, _ := s.call(t, "POST", "/api/runs", `{"tenant":"contoso","mode":"plan"}`); code != 409 {
		t.Errorf("%d %s", code, body)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, body, _ := s.call(t, "POST", "/api/runs", `{"tenant":"contoso","mode":"plan"}`); code != 202 {
		t.Errorf("%d %s", code, body)
	}
}

func TestStoppingLetsARunWriteItsReport(t *testing.T) {
	w := newWorld("contoso", "fabrikam")
	begun := make(chan struct{})
	w.during = func(ctx context.Context, _ runs.Order) (string, error) {
		close(begun)
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // the action under way
		return "cancelled", context.Cause(ctx)
	}
	s := serve(t, w.options(t))
	_, _, h := s.call(t, "POST", "/api/runs", `{"tenant":"contoso","mode":"apply"}`)
	<-begun
	if err := s.stop(); err != nil {
		t.Errorf("a stopped daemon ended with %v", err)
	}
	id := strings.TrimPrefix(h.Get("Location"), "/api/runs/")
	if m, err := w.Ledger("contoso").Manifest(t.Context(), id); err != nil || m.Status != "cancelled" {
		t.Errorf("the report: %+v, %v", m, err)
	}
}

func TestStoppingEndsInTime(t *testing.T) {
	w := newWorld("contoso")
	begun, release := make(chan struct{}), make(chan struct{})
	w.during = func(context.Context, runs.Order) (string, error) { close(begun); <-release; return "succeeded", nil }
	defer close(release)
	o := w.options(t)
	o.Grace = 50 * time.Millisecond
	s := serve(t, o)
	s.call(t, "POST", "/api/runs", `{"tenant":"contoso","mode":"apply"}`)
	<-begun
	begin := time.Now()
	if err := s.stop(); err != nil || time.Since(begin) > 3*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}

func TestOneBadTenantDoesNotStopAnother(t *testing.T) {
	w := newWorld("bad", "worse", "contoso")
	w.during = func(_ context.Context, o runs.Order) (string, error) {
		switch o.Tenant {
		case "bad":
			return "", errors.New("the store is full")
		case "worse":
			panic("nil map")
		}
		return "succeeded", nil
	}
	s := serve(t, w.options(t))
	at := map[string]string{}
	for _, tenant := range w.Tenants {
		_, _, h := s.call(t, "POST", "/api/runs", `{"tenant":"`+tenant+`","mode":"plan"}`)
		at[tenant] = h.Get("Location")
	}
	s.status(t, at["bad"], "failed")
	s.status(t, at["worse"], "failed")
	s.status(t, at["contoso"], "succeeded")
	_, body, _ := s.call(t, "GET", at["bad"], "")
	if !strings.Contains(body, "the store is full") {
		t.Errorf("why it failed: %s", body)
	}
	// Both can be asked for again.
	for _, tenant := range []string{"bad", "worse"} {
		if code, body, _ := s.call(t, "POST", "/api/runs", `{"tenant":"`+tenant+`","mode":"plan"}`); code != 202 {
			t.Errorf("%s again: %d %s", tenant, code, body)
		}
	}
}

func TestProbesAndMetrics(t *testing.T) {
	w := newWorld("contoso", "fabrikam")
	now := time.Now()
	var mu sync.Mutex
	var tests int
	var broken error
	spans := tracetest.NewInMemoryExporter()
	o := w.options(t)
	o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	o.Ready = func(context.Context) error { tests++; return broken }
	o.Tracer = trace.NewTracerProvider(trace.WithSyncer(spans))
	s := serve(t, o)
	probe := func(path string, want int) string {
		t.Helper()
		code, body, _ := s.call(t, "GET", path, "", "X-None", "")
		if code != want {
			t.Errorf("%s: %d %s, want %d", path, code, body, want)
		}
		return body
	}
	probe("/healthz", 200)
	probe("/readyz", 200)
	broken = errors.New("https://secret.example is down")
	probe("/readyz", 200) // the answer holds for a while
	if tests != 1 {
		t.Errorf("%d tests for two probes", tests)
	}
	mu.Lock()
	now = now.Add(readyFor + time.Second)
	mu.Unlock()
	if body := probe("/readyz", 503); strings.Contains(body, "secret") {
		t.Errorf("a probe is told %s", body)
	}
	_, _, h := s.call(t, "POST", "/api/runs", `{"tenant":"contoso","mode":"apply"}`)
	s.status(t, h.Get("Location"), "succeeded")
	var text string
	for range 100 { // the count follows the report
		if text = probe("/metrics", 200); strings.Contains(text, "risksweep_runs_total{") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	mu.Lock()
	now = now.Add(90 * time.Second)
	mu.Unlock()
	text = probe("/metrics", 200)
	for _, line := range []string{
		`risksweep_runs_total{mode="apply",status="succeeded",tenant="contoso"} 1`,
		`risksweep_actions_total{kind="dismiss",outcome="done",tenant="contoso"} 3`,
		`risksweep_graph_requests_total{tenant="contoso"} 9`, `risksweep_graph_throttled_total{tenant="contoso"} 2`, `risksweep_graph_throttled_total{tenant="fabrikam"} 0`,
		`risksweep_open_risk_users{level="high",tenant="contoso"} 2`, `risksweep_open_risk_users{level="low",tenant="contoso"} 0`, `risksweep_open_risk_users{level="hidden",tenant="contoso"} 1`,
		`risksweep_last_success_age_seconds{tenant="contoso"} 90`, `risksweep_last_success_age_seconds{tenant="fabrikam"} +Inf`,
		`risksweep_running{tenant="contoso"} 0`, `risksweep_build_info{version="test"} 1`, `risksweep_http_requests_total{code="202",route="/api/runs"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	var names []string
	for _, span := range spans.GetSpans() {
		if !slices.Contains(names, span.Name) {
			names = append(names, span.Name)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"GET /api/runs/{id}", "POST /api/runs", "sweep contoso"}, names); diff != "" {
		t.Errorf("spans (-want +got)\n%s", diff)
	}
}

func TestMetricsOutliveARestart(t *testing.T) {
	w := newWorld("contoso")
	o, err := w.Ordered("contoso", "plan", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Wait(t.Context(), o, 0); err != nil {
		t.Fatal(err)
	}
	s := serve(t, w.options(t))
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, text, _ := s.call(t, "GET", "/metrics", "")
		if strings.Contains(text, `risksweep_open_risk_users{level="high",tenant="contoso"} 2`) && !strings.Contains(text, `age_seconds{tenant="contoso"} +Inf`) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not recalled:\n%s", text)
		}
	}
}

func TestAnOpenAPIDoesNotStart(t *testing.T) {
	w := newWorld("contoso")
	o := w.options(t)
	o.Auth = nil
	if err := Run(t.Context(), o); !errors.Is(err, httpapi.ErrNoAuth) {
		t.Errorf("got %v", err)
	}
	o = w.options(t)
	o.Listen = "127.0.0.1:x"
	if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "http.listen") {
		t.Errorf("got %v", err)
	}
}
