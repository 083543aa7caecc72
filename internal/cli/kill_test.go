package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
)

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

// door lets requests through to a tenant and kills the process at one of them.
type door struct {
	http.Handler
	at      int
	effect  bool // the request takes effect first
	mu      sync.Mutex
	n       int // requests so far
	process *os.Process
}

// run starts the process and waits for its end; it gives the requests so far.
func (d *door) run(cmd *exec.Cmd) (int, error) {
	d.mu.Lock()
	err := cmd.Start()
	d.process = cmd.Process
	d.mu.Unlock()
	if err == nil {
		err = cmd.Wait()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n, err
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.n++
	now, process := d.n == d.at, d.process
	d.mu.Unlock()
	if !now {
		d.Handler.ServeHTTP(w, r)
		return
	}
	if d.effect {
		d.Handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	_ = process.Kill() // that it is dead is looked at afterwards
	panic(http.ErrAbortHandler)
}

// The process is killed at every request of an apply to the tenant, before and
// after its effect. Whatever it had done, the next runs end where one whole run
// would have: everybody dismissed once, each object there once, the chain
// whole, the lease free.
func TestKilledAtEveryRequest(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	total := killedAt(t, exe, 0, false)
	if total < 20 {
		t.Fatalf("a whole apply took %d requests only", total)
	}
	slots := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for at := 1; at <= total; at++ {
		for _, effect := range []bool{false, true} {
			slots <- struct{}{} // they wait most of the time
			wg.Go(func() {
				defer func() { <-slots }()
				t.Run(fmt.Sprintf("%d/%t", at, effect), func(t *testing.T) { killedAt(t, exe, at, effect) })
			})
		}
	}
	wg.Wait()
}

// killedAt applies to a new tenant, killed at one request, and then again to
// the end; it gives the number of requests of the first.
func killedAt(t *testing.T, exe string, at int, effect bool) int {
	tenant, err := graphsim.New(graphsim.Options{Users: 40, Detections: 80, Policies: 1, Seed: 11, Token: "sim"})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Handler: tenant.Handler(), at: at, effect: effect}
	server := httptest.NewServer(d)
	defer server.Close()
	dir := t.TempDir()
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
		cmd.Env = append(os.Environ(), handler+"=1", "SIM_TOKEN=sim", "RISKSWEEP_STORE_URL=file:reports", "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND=0",
			fmt.Sprintf("RISKSWEEP_TENANTS=[{name: contoso, tenantId: %s, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q, baseline: baseline.yaml, triage: triage.yaml}]",
				tenant.TenantID(), server.URL+"/v1.0"))
		return cmd
	}
	first := apply()
	var exit *exec.ExitError
	requests, err := d.run(first)
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if killed := first.ProcessState.ExitCode() == -1; killed != (at > 0) {
		t.Fatalf("killed: %t, exit code %d", killed, first.ProcessState.ExitCode())
	}
	for range 2 {
		if at > 0 {
			time.Sleep(1050 * time.Millisecond) // sweep.settle
		}
		if out, err := apply().CombinedOutput(); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 3) {
			t.Fatalf("the next run: %v\n%s", err, out)
		}
	}
	checkConverged(t, tenant, filepath.Join(dir, "reports"))
	return requests
}

func checkConverged(t *testing.T, tenant *graphsim.Tenant, dir string) {
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
	store, err := blobstore.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
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
		if data, _, err := store.Get(context.Background(), i.Name); err == nil && strings.HasSuffix(i.Name, "journal.jsonl") {
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
