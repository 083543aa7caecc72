package functions_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/functions"
	"github.com/risksweep/risksweep/functions/hosttest"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/runs"
)

// TestMain is the handler itself when a host starts this binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "functions" {
		if err := handle(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// handle runs the handler over a store in a folder, with a sweep that makes a
// real run without a tenant.
func handle() error {
	port, err := functions.Port(os.LookupEnv)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	timeout, err := functions.Timeout(os.LookupEnv)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	h := functions.New(functions.Options{Open: open(log), Timeout: timeout, Wait: wait(), Log: log})
	return h.Serve(context.Background(), l)
}

func wait() time.Duration {
	d, err := time.ParseDuration(os.Getenv("TEST_WAIT"))
	if err != nil {
		return 10 * time.Millisecond
	}
	return d
}

func tenants() []string {
	n, err := strconv.Atoi(os.Getenv("TEST_TENANTS"))
	if err != nil {
		n = 2
	}
	out := make([]string, n)
	for i := range out {
		out[i] = tenantName(i)
	}
	return out
}

func tenantName(i int) string { return fmt.Sprintf("tenant%03d", i) }

func open(log *slog.Logger) func(context.Context) (*functions.Backend, error) {
	return func(context.Context) (*functions.Backend, error) {
		if os.Getenv("TEST_BROKEN") != "" {
			return nil, errors.New("risksweep.yaml:3:5: tenants[0].tenantId: secret detail")
		}
		store, err := blobstore.OpenDir(os.Getenv("TEST_STORE"))
		if err != nil {
			return nil, err
		}
		mode := os.Getenv("TEST_MODE")
		if mode == "" {
			mode = "apply"
		}
		ledgers := func(tenant string) *ledger.Ledger { return ledger.New(store, tenant, ledger.Options{}) }
		book := runs.NewBook(runs.Options{Store: store, Tenants: tenants(), Ledger: ledgers, Sweep: sweep(ledgers), ScheduledMode: mode, Log: log})
		return &functions.Backend{Book: book, Tenants: tenants()}, nil
	}
}

// sweep is a whole run but for the tenant. TEST_SWEEP says what happens in it.
func sweep(ledgers func(string) *ledger.Ledger) runs.Sweep {
	return func(ctx context.Context, o runs.Order) (runs.Result, error) {
		l := ledgers(o.Tenant)
		run, err := l.Begin(ctx, ledger.BeginOptions{Mode: o.Mode, Run: o.Run})
		if err != nil {
			return runs.Result{}, err
		}
		defer func() { _ = run.Close(context.WithoutCancel(ctx)) }()
		runs.Log(ctx, nil).Info("run begins", "run", o.Run)
		status, failure := "succeeded", error(nil)
		switch how := os.Getenv("TEST_SWEEP"); {
		case how == "panic":
			panic("secret detail")
		case how == "fail":
			status, failure = "failed", errors.New("graph said no")
		case how == "error":
			return runs.Result{}, errors.New("the store is full")
		case how == "parts" && o.Part < 2:
			return runs.Result{}, fmt.Errorf("page 7: %w", runs.ErrContinue)
		case how == "hang":
			<-ctx.Done()
			status, failure = "failed", context.Cause(ctx)
		case how == "stuck":
			time.Sleep(time.Hour)
		case strings.HasSuffix(how, "ms"):
			if d, err := time.ParseDuration(how); err == nil {
				time.Sleep(d)
			}
		}
		ctx = context.WithoutCancel(ctx)
		if err := run.PutFile(ctx, "users.csv", []byte("id\r\n")); err != nil {
			return runs.Result{}, err
		}
		s, version, err := l.State(ctx)
		if err != nil {
			return runs.Result{}, err
		}
		head, headRun, err := l.Head(ctx, s)
		if err != nil {
			return runs.Result{}, err
		}
		if s.Head, err = run.Finish(ctx, ledger.Manifest{Status: status, FinishedAt: time.Now(), Counts: map[string]int{"users": 1}}, head, headRun); err != nil {
			return runs.Result{}, err
		}
		if o.Mode == "apply" {
			s.HeadRun = run.ID()
			if _, err := l.SaveState(ctx, s, version); err != nil {
				return runs.Result{}, err
			}
		}
		return runs.Result{Status: status, Err: failure}, nil
	}
}

// app lays a function app out whose handler is this test.
func app(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(dir, "risksweep")); err != nil {
		t.Fatal(err)
	}
	copyFile(t, "../host.json", filepath.Join(dir, "host.json"))
	for _, name := range functions.Names() {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, filepath.Join(name, "function.json"), filepath.Join(dir, name, "function.json"))
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// world is a host with an app over a store in a folder.
type world struct {
	*hosttest.Host
	store string
}

func start(t *testing.T, o hosttest.Options, env ...string) world {
	t.Helper()
	w := world{store: t.TempDir()}
	o.Dir = app(t)
	o.Env = append(o.Env, append([]string{"TEST_STORE=" + w.store}, env...)...)
	w.Host = hosttest.Start(t, o)
	return w
}

// ledger reads what is in the store.
func (w world) ledger(t *testing.T, tenant string) *ledger.Ledger {
	t.Helper()
	store, err := blobstore.OpenDir(w.store)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.New(store, tenant, ledger.Options{})
}
