package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/notice"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/runs"
	"github.com/risksweep/risksweep/internal/sweep"
)

// The scheduled runs of a fleet send one notice, whichever process they end in, also
// where no run came of an order; few tenants, and runs that a person ordered, are told
// of one by one.
func TestScheduledRunsSendOneDigest(t *testing.T) {
	var mu sync.Mutex
	var heard []notice.Event
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e notice.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		mu.Lock()
		heard = append(heard, e)
		mu.Unlock()
	}))
	defer hook.Close()
	store, due := blobstore.NewMemory(), time.Now().Add(-time.Minute).Truncate(time.Second)
	process := func(tenants ...string) *App {
		cfg := &config.Config{Notices: []config.Notice{{Kind: "json", URL: config.NewSecret(hook.URL), Timeout: time.Minute}}}
		for _, name := range tenants {
			cfg.Tenants = append(cfg.Tenants, config.Tenant{Name: name, TenantID: name})
		}
		return &App{Config: cfg, Store: store, opt: Options{}.withDefaults()}
	}
	ends := func(a *App, tenant, source string) {
		t.Helper()
		ctx := a.inRound(t.Context(), runs.Order{Tenant: tenant, Source: source, Due: due})
		a.notifier(config.Tenant{Name: tenant}, report.Redaction{})(ctx, sweep.Result{Tenant: tenant, Mode: sweep.Plan, Status: sweep.Failed, Err: errors.New("the moon is full")}, nil)
	}
	all := []string{"a", "b", "c", "d", "e"}
	one, two := process(all...), process(all...)
	two.Missed(t.Context(), "b", due)
	ends(one, "a", runs.Schedule)
	ends(two, "b", runs.Schedule)
	ends(one, "c", runs.Schedule)
	two.gaveUp(t.Context(), runs.Order{Tenant: "d", Source: runs.Schedule, Due: due}, errors.New("triage.yaml:1:1: broken"))
	if len(heard) != 0 {
		t.Fatalf("told before all have ended: %+v", heard)
	}
	ends(two, "e", runs.Schedule)
	if len(heard) != 1 || len(heard[0].Tenants) != 5 {
		t.Fatalf("heard %+v", heard)
	}
	text := strings.Join(heard[0].Facts, "\n")
	for _, want := range []string{"a: failed; the moon is full", "b: failed; the run that was due at ", "d: failed; no run came to be: triage.yaml:1:1: broken"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	heard = nil
	ends(one, "a", runs.API)
	few := process("x", "y")
	ends(few, "x", runs.Schedule)
	few.Missed(t.Context(), "y", due)
	few.gaveUp(t.Context(), runs.Order{Tenant: "y", Source: runs.Schedule, Due: due}, errTold{errors.New("said already")})
	if len(heard) != 3 {
		t.Errorf("heard %+v", heard)
	}
}
