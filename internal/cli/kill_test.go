package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
)

var everyWrite = flag.Bool("every-write", false, "kill at every write to the store")

const killedBaseline = `
breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}
namedLocations:
  - {key: hq, displayName: HQ, "@odata.type": "#microsoft.graph.ipNamedLocation", ipRanges: [{"@odata.type": "#microsoft.graph.iPv4CidrRange", cidrAddress: 203.0.113.0/24}]}
policies:
  - key: P1
    displayName: P1
    state: enabledForReportingButNotEnforced
    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}, locations: {includeLocations: [All], excludeLocations: [hq]}}
    grantControls: {operator: OR, builtInControls: [mfa]}
  - key: P2
    displayName: P2
    state: enabledForReportingButNotEnforced
    conditions: {clientAppTypes: [other], applications: {includeApplications: [All]}, users: {includeUsers: [All], excludeRoles: [Directory Synchronization Accounts]}}
    grantControls: {operator: OR, builtInControls: [block]}
`

// door lets requests through to a service and kills the process at one of them.
type door struct {
	http.Handler
	tenant   *graphsim.Tenant
	kill     killing
	mu       sync.Mutex
	requests []passed // so far
	process  *os.Process
}

// passed is a request, and how much the tenant had been changed when it came.
type passed struct {
	method  string
	changes int
}

func (p passed) reads() bool { return p.method == http.MethodGet || p.method == http.MethodHead }

// killing says when a process dies: at which request to which service, from 1,
// before or after its effect. At 0 it lives.
type killing struct {
	service string // tenant or store
	at      int
	effect  bool
}

func (k killing) String() string { return fmt.Sprintf("%s/%d/%t", k.service, k.at, k.effect) }

// run starts the process and waits for its end; it gives the requests so far.
func (d *door) run(cmd *exec.Cmd) ([]passed, error) {
	d.mu.Lock()
	err := cmd.Start()
	d.process = cmd.Process
	d.mu.Unlock()
	if err == nil {
		err = cmd.Wait()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests, err
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	changes := 0
	for _, e := range d.tenant.Journal() {
		if e.Effect {
			changes++
		}
	}
	d.mu.Lock()
	d.requests = append(d.requests, passed{r.Method, changes})
	now, process := len(d.requests) == d.kill.at, d.process
	d.mu.Unlock()
	if !now {
		d.Handler.ServeHTTP(w, r)
		return
	}
	if d.kill.effect {
		d.Handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	_ = process.Kill() // that it is dead is looked at afterwards
	panic(http.ErrAbortHandler)
}

// The process is killed at every request of an apply to the tenant and at every
// write to the store, before and after its effect. At a read of the store it leaves
// nothing else behind than right after the write before it, and after a write
// nothing else than before the next one, unless the tenant is changed between them.
// Of writes between which it is not changed every second will do, and with
// -every-write all.
// Whatever it had done, the next runs end where one whole run would have:
// everybody dismissed once, each object there once, the chain whole, the lease
// free.
//
//	go test ./internal/cli -run TestKilledAtEveryRequest -every-write
func TestKilledAtEveryRequest(t *testing.T) {
	t.Parallel()
	exe := product(t)
	azurite, err := azuritetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for service, least := range map[string]int{"tenant": 20, "store": 50} {
		requests := killed(t, exe, azurite, killing{service: service})
		if len(requests) < least {
			t.Fatalf("a whole apply made %d requests to the %s only", len(requests), service)
		}
		writes := 0
		for i, r := range requests {
			next := slices.IndexFunc(requests[i+1:], func(n passed) bool { return !n.reads() })
			asBefore := service == "store" && next >= 0 && requests[i+1+next].changes == r.changes
			if service == "store" && !r.reads() {
				if writes++; writes%2 == 0 && asBefore && !*everyWrite {
					continue
				}
			}
			for _, effect := range []bool{false, true} {
				if r.reads() && (effect || service == "store") || effect && asBefore {
					continue
				}
				k := killing{service, i + 1, effect}
				slots <- struct{}{} // they wait most of the time
				wg.Go(func() {
					defer func() { <-slots }()
					t.Run(k.String(), func(t *testing.T) { killed(t, exe, azurite, k) })
				})
			}
		}
	}
	wg.Wait()
}

// killed applies to a new tenant, killed at one request, and then again to the
// end; it gives the first process's requests.
func killed(t *testing.T, exe string, azurite *azuritetest.Server, k killing) []passed {
	tenant, err := graphsim.New(graphsim.Options{Users: 40, Detections: 80, Policies: 1, Seed: 11, Token: "sim"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := &door{Handler: tenant.Handler(), tenant: tenant, kill: k}
	graph := httptest.NewServer(d)
	defer graph.Close()
	reports, account := "file:"+filepath.Join(dir, "reports"), ""
	if k.service == "store" {
		graph.Config.Handler = tenant.Handler()
		reports = containerBehind(t, azurite, d)
		account = azuritetest.ConnectionString(reports)
	}
	for name, text := range map[string]string{"baseline.yaml": killedBaseline, "triage.yaml": `
allowlist:
  - {id: vpn, users: [ada@contoso.com], groups: [VPN Users], groupRiskAccepted: true, when: {riskEventTypes: [anonymizedIPAddress, unfamiliarFeatures], maxRiskLevel: medium},
     reason: VPN, owner: o, expires: 2031-12-31}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	apply := func() *exec.Cmd {
		cmd := exec.Command(exe, "apply", "--enforcement-dismiss", "--enforcement-policies", "--limits-max-share-of-risky-users", "1", "--sweep-settle", "1s")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SIM_TOKEN=sim", "RISKSWEEP_STORE_URL="+reports, "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND=0",
			fmt.Sprintf("RISKSWEEP_TENANTS=[{name: contoso, tenantId: %s, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q, baseline: baseline.yaml, triage: triage.yaml}]",
				tenant.TenantID(), graph.URL+"/v1.0"))
		if account != "" {
			cmd.Env = append(cmd.Env, "RISKSWEEP_STORE_CREDENTIAL_KIND=connectionString", "RISKSWEEP_STORE_CONNECTION_STRING="+account)
		}
		return cmd
	}
	first := apply()
	var exit *exec.ExitError
	requests, err := d.run(first)
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	// Another try may need a request fewer.
	if died := first.ProcessState.ExitCode() == -1; died != (k.at > 0 && k.at <= len(requests)) {
		t.Fatalf("killed: %t, exit code %d, %d requests", died, first.ProcessState.ExitCode(), len(requests))
	}
	// The first of the next runs makes up for what was cut short. A second one would
	// show what is done twice; it runs where the kill let the effect happen.
	next := 1
	if k.effect || k.at == 0 {
		next = 2
	}
	for range next {
		if k.at > 0 {
			time.Sleep(1050 * time.Millisecond) // sweep.settle
			if account != "" {
				azuritetest.EndLeases(t, reports) // which the dead would hold for a minute
			}
		}
		if out, err := apply().CombinedOutput(); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) {
			t.Fatalf("the next run: %v\n%s", err, out)
		}
	}
	var store blobstore.Store
	if account == "" {
		store, err = blobstore.OpenDir(filepath.Join(dir, "reports"))
	} else {
		store, err = blobstore.OpenAzure(t.Context(), blobstore.AzureOptions{URL: reports, ConnectionString: account})
	}
	if err != nil {
		t.Fatal(err)
	}
	checkConverged(t, tenant, store)
	if account != "" {
		azuritetest.Delete(t, reports)
	}
	return requests
}

// containerBehind gives the address of one of Azurite's containers, behind a
// door.
func containerBehind(t *testing.T, azurite *azuritetest.Server, d *door) string {
	behind, err := url.Parse(azurite.Container())
	if err != nil {
		t.Fatal(err)
	}
	// What is signed is the path, which stays as it is.
	d.Handler = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = behind.Scheme, behind.Host
	}}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return server.URL + behind.Path
}

func checkConverged(t *testing.T, tenant *graphsim.Tenant, store blobstore.Store) {
	t.Helper()
	dismissed, made := map[string]int{}, map[string]int{}
	for _, e := range tenant.Journal() {
		if !e.Effect {
			continue
		}
		var body struct {
			UserIDs     []string `json:"userIds"`
			DisplayName string   `json:"displayName"`
		}
		raw, _ := e.Body.(json.RawMessage)
		if err := json.Unmarshal(raw, &body); err != nil {
			t.Fatal(err)
		}
		for _, id := range body.UserIDs {
			dismissed[id]++
		}
		if e.Method == http.MethodPost && body.DisplayName != "" {
			made[body.DisplayName]++
		}
	}
	for what, counts := range map[string]map[string]int{"dismissed": dismissed, "made": made} {
		for id, n := range counts {
			if n != 1 {
				t.Errorf("%s was %s %d times", id, what, n)
			}
		}
	}
	if len(made) != 3 || len(dismissed) == 0 {
		t.Errorf("made %v, %d dismissed", made, len(dismissed))
	}
	l := ledger.New(store, "contoso", ledger.Options{})
	v, err := l.Verify(context.Background(), "")
	if err != nil || len(v.Problems) > 0 {
		t.Errorf("%v, %v", v.Problems, err)
	}
	lease, err := l.Lock(context.Background(), blobstore.Holder{})
	if err != nil {
		t.Fatalf("the lease is not free: %v", err)
	}
	if err := lease.Release(context.Background()); err != nil {
		t.Error(err)
	}
	// Every dismissal is in a journal with what became of it.
	var journals strings.Builder
	for i, err := range store.List(context.Background(), "contoso/runs/") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(i.Name, "/journal.jsonl") {
			continue
		}
		if data, _, err := store.Get(context.Background(), i.Name); err == nil {
			for line := range strings.Lines(string(data)) {
				if strings.Contains(line, `"type":"outcome"`) {
					journals.WriteString(line)
				}
			}
		}
	}
	for id := range dismissed {
		if !strings.Contains(journals.String(), id) {
			t.Errorf("the dismissal of %s has no outcome in any journal", id)
		}
	}
}
