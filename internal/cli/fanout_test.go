package cli_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/risksweep/risksweep/functions"
	"github.com/risksweep/risksweep/functions/hosttest"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/runs"
)

// fleetSize is how many tenants go through the packed app; more of them take
// minutes: go test ./internal/cli -run TestFanOut -fleet 1000 -timeout 1h
var fleetSize = flag.Int("fleet", 30, "how many tenants fan out")

// Many tenants through several processes of the packed app against one
// simulated service: the timer is delivered twice, messages are copied,
// processes are killed in the middle. Every tenant has exactly one complete run
// for the due time, and its chain holds.
func TestFanOutOverManyTenants(t *testing.T) {
	t.Parallel()
	const processes = 3
	tenant, err := graphsim.New(graphsim.Options{Users: 20, Detections: 20, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	at := serveTenant(t, tenant)

	names := make([]string, *fleetSize)
	var list strings.Builder
	for i := range names {
		names[i] = fmt.Sprintf("tenant%04d", i)
		// One service stands for all of them, each under a domain of its own.
		fmt.Fprintf(&list, "- {name: %s, tenantId: %s.example, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q}\n", names[i], names[i], at.Graph)
	}
	config := filepath.Join(t.TempDir(), "risksweep.yaml") // too long for the environment
	if err := os.WriteFile(config, []byte("tenants:\n"+list.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	azurite, err := azuritetest.Start()
	if err != nil {
		t.Fatal(err)
	}
	url, dir, queues := azurite.Container(), packApp(t), hosttest.NewQueues()
	if err := os.Remove(filepath.Join(dir, "risksweep")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(product(t), filepath.Join(dir, "risksweep")); err != nil {
		t.Fatal(err)
	}
	env := []string{"SIM_TOKEN=" + at.Token, "RISKSWEEP_STORE_URL=" + url,
		"RISKSWEEP_STORE_CREDENTIAL_KIND=connectionString", "RISKSWEEP_STORE_CONNECTION_STRING=" + azurite.ConnectionString(),
		"RISKSWEEP_SWEEP_REQUESTS_PER_SECOND=0", "RISKSWEEP_SCHEDULE_MODE=apply", "RISKSWEEP_CONFIG=" + config}
	hosts := make([]*hosttest.Host, processes)
	for i := range hosts {
		hosts[i] = hosttest.Start(t, hosttest.Options{Dir: dir, Env: env, Queues: queues})
	}
	due := time.Now().UTC().Truncate(time.Second)
	for _, h := range hosts[:2] {
		if err := h.Timer("Nightly", hosttest.Time(due), false); err != nil {
			t.Fatalf("%v\n%s", err, h.Stdout())
		}
	}
	for _, text := range queues.Texts(functions.Queue)[:15] {
		queues.Put(functions.Queue, text)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	var wg sync.WaitGroup
	for _, h := range hosts {
		killAt := map[int]bool{3 + rng.IntN(10): true, 20 + rng.IntN(10): true}
		delay := time.Duration(rng.IntN(8)) * time.Millisecond
		wg.Go(func() {
			for n := 0; queues.Len(functions.Queue) > 0; n++ {
				killed := make(chan struct{})
				if killAt[n] {
					go func() { time.Sleep(delay); h.Kill(); close(killed) }()
				} else {
					close(killed)
				}
				_, err := h.Deliver("SweepTenant")
				<-killed
				if !h.Alive() {
					h.Restart()
				} else if err != nil {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	if n := queues.Len(functions.Queue + "-poison"); n != 0 {
		t.Errorf("%d messages were given up, the first: %s\n%s", n, queues.Texts(functions.Queue + "-poison")[0], hosts[0].Stdout())
	}
	starts := 0
	for _, h := range hosts {
		starts += h.Starts
	}
	if starts < processes+3 {
		t.Errorf("%d starts of %d processes: too few were killed to prove anything", starts, processes)
	}
	store, err := blobstore.OpenAzure(t.Context(), blobstore.AzureOptions{URL: url, ConnectionString: azurite.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		l := ledger.New(store, name, ledger.Options{})
		infos, err := l.Runs(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(infos) != 1 || !infos[0].Complete || infos[0].Status != "succeeded" || infos[0].ID != runs.ScheduledID(name, due, 0) {
			t.Errorf("%s: runs %+v", name, infos)
		}
		v, err := l.Verify(t.Context(), "")
		if err != nil || len(v.Problems)+len(v.Incomplete) > 0 {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}
