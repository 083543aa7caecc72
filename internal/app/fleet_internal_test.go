package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/fleet"
	"github.com/risksweep/risksweep/internal/notice"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// The page of a large fleet is not written after each run, by however many processes;
// but what the last of them has found is on it.
func TestThePageOfALargeFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &published{Store: blobstore.NewMemory()}
		process := func() *App {
			cfg := &config.Config{}
			for i := range 3 * smallFleet {
				cfg.Tenants = append(cfg.Tenants, config.Tenant{Name: fmt.Sprintf("t%03d", i), TenantID: "x"})
			}
			return &App{Config: cfg, Store: store, opt: Options{}.withDefaults()}
		}
		processes := []*App{process(), process()}
		for i, tenant := range processes[0].Config.Tenants {
			processes[i%2].Failed(t.Context(), tenant, sweep.Plan, errors.New("the moon is full"))
			time.Sleep(time.Second)
		}
		time.Sleep(2 * pageEvery)
		synctest.Wait()
		doc, _, err := store.Get(t.Context(), fleet.Document)
		if err != nil {
			t.Fatal(err)
		}
		for _, tenant := range processes[0].Config.Tenants {
			if !strings.Contains(string(doc), `"`+tenant.Name+`"`) {
				t.Errorf("%s is not in %s", tenant.Name, fleet.Document)
			}
		}
		if n := store.pages.Load(); n > 8 { // 150 s, two processes
			t.Errorf("the page was written %d times", n)
		}
	})
}

// published counts the writes of the page.
type published struct {
	blobstore.Store
	pages atomic.Int32
}

func (p *published) Put(ctx context.Context, name string, data []byte) error {
	if name == fleet.Page {
		p.pages.Add(1)
	}
	return p.Store.Put(ctx, name, data)
}

// Whoever scrapes a large fleet every few seconds does not read all of it each time.
func TestALargeFleetIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &read{Store: blobstore.NewMemory()}
		a := &App{Config: &config.Config{}, Store: store, opt: Options{}.withDefaults()}
		for i := range 2 * smallFleet {
			a.Config.Tenants = append(a.Config.Tenants, config.Tenant{Name: fmt.Sprintf("t%03d", i), TenantID: "x"})
			if err := fleet.Put(t.Context(), store, fleet.Summary{Tenant: a.Config.Tenants[i].Name, Status: "succeeded"}); err != nil {
				t.Fatal(err)
			}
		}
		look := func() int32 {
			before := store.n.Load()
			f, err := a.WatchedFleet(t.Context())
			if err != nil || len(f.Tenants) != 2*smallFleet {
				t.Fatalf("%d tenants, %v", len(f.Tenants), err)
			}
			for _, tenant := range a.Config.Tenants {
				if _, err := a.CountOverdue(t.Context(), tenant.Name); err != nil {
					t.Fatal(err)
				}
			}
			return store.n.Load() - before
		}
		if n := look(); n != 4*smallFleet {
			t.Errorf("%d reads at first", n)
		}
		if n := look(); n != 0 {
			t.Errorf("%d reads again", n)
		}
		time.Sleep(pageEvery)
		if n := look(); n != 4*smallFleet {
			t.Errorf("%d reads later", n)
		}
	})
}

// read counts reads.
type read struct {
	blobstore.Store
	n atomic.Int32
}

func (r *read) Get(ctx context.Context, name string) ([]byte, string, error) {
	r.n.Add(1)
	return r.Store.Get(ctx, name)
}

// Of fifty tenants a digest names the one that is down, the one whose file has a mistake,
// the one that limits refused and the one with a campaign, in that order; the next night it repeats no campaign.
func TestADigestNamesWhoNeedsSomebody(t *testing.T) {
	var heard []notice.Event
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e notice.Event
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
			t.Error(err)
		}
		heard = append(heard, e)
	}))
	defer hook.Close()
	cfg := &config.Config{Notices: []config.Notice{{Kind: "json", URL: config.NewSecret(hook.URL), Timeout: time.Minute}}}
	for i := range 50 {
		cfg.Tenants = append(cfg.Tenants, config.Tenant{Name: fmt.Sprintf("t%02d", i), TenantID: "x"})
	}
	a := &App{Config: cfg, Store: blobstore.NewMemory(), opt: Options{}.withDefaults()}
	spray := []report.Campaign{{Kind: report.ByAddress, Of: "198.51.100.7", Total: 9, Summary: "passwordSpray from 198.51.100.7 at 9 users"}}
	for range 2 {
		a.GatherNotices()
		for i, tenant := range cfg.Tenants {
			r := sweep.Result{Tenant: tenant.Name, Mode: sweep.Apply, Status: sweep.Succeeded, Complete: true}
			switch i {
			case 23:
				err := errors.New("triage.yaml:19:7: unknown key")
				a.Failed(t.Context(), tenant, sweep.Apply, err)
				a.TellFailed(t.Context(), tenant, sweep.Apply, err)
				continue
			case 44:
				r.Campaigns = spray
			case 31:
				r.Status, r.Plan.Violations = sweep.Refused, []plan.Violation{{Text: "limits.maxDismissals allows 3"}}
			case 17:
				r.Status, r.Complete, r.Err = sweep.Failed, false, errors.New("the moon is full")
			}
			a.notifier(tenant, report.Redaction{})(t.Context(), r, nil)
		}
		f, err := a.Fleet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.SendDigest(t.Context(), f)
	}
	if len(heard) != 2 {
		t.Fatalf("%d notices", len(heard))
	}
	for i, want := range [][]string{{"t17", "t23", "t31", "t44"}, {"t17", "t23", "t31"}} {
		if !slices.Equal(heard[i].Tenants, want) || len(heard[i].Facts) != len(want) {
			t.Errorf("night %d: tenants %q, facts %q", i, heard[i].Tenants, heard[i].Facts)
		}
		if want := "2 failed, 1 refused, 1 campaign; 46 in order (50 tenants)"; heard[i].Summary != want {
			t.Errorf("night %d: %q, want %q", i, heard[i].Summary, want)
		}
	}
	if line := "t44: passwordSpray from 198.51.100.7 at 9 users"; !slices.Contains(heard[0].Facts, line) {
		t.Errorf("no line %q in %q", line, heard[0].Facts)
	}
}
