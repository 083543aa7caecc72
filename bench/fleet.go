package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
)

// What a tenant of a fleet has, and how many of them one process sweeps.
const (
	fleetDetections, fleetEach = 900, 3 // 300 users
	fleetTenants               = 400
	// Of those whose requests for storage are counted: more than the fifty after
	// each of which the page of the fleet is written.
	storedTenants, storedDetections = 52, 90
)

// product builds the product in a folder of its own, which the caller removes.
func product() (dir, exe string) {
	dir, err := os.MkdirTemp("", "bench")
	check(err)
	exe = filepath.Join(dir, "risksweep")
	build(exe, "github.com/risksweep/risksweep/cmd/job", ".")
	return dir, exe
}

// ofFleet is a plan over many tenants in one process of the product.
func ofFleet(row rowFunc) {
	service, stop := startTenant(fleetDetections, "-each", fmt.Sprint(fleetEach))
	defer stop()
	dir, exe := product()
	defer os.RemoveAll(dir)
	used := overFleet(exe, service, fleetTenants, fmt.Sprintf("{url: %q}", "file:"+filepath.Join(dir, "store")), "plan")
	each := time.Duration(used.Utime.Nano()+used.Stime.Nano()) / fleetTenants
	row(fmt.Sprintf("CPU of one tenant's sweep in a fleet of %d", fleetTenants), ms(each), ms(fleetCPU), ratio(each, fleetCPU), 0, fmt.Sprintf("what is aimed at: %d users, %d detections", fleetDetections/fleetEach, fleetDetections))
	peak := int64(used.Maxrss) << 10
	row("peak memory of that fleet, 64 at work", mib(peak), mib(fleetPeak), ratio(peak, fleetPeak), 0, "what is aimed at for 2,000, 160 MiB, less 20 KiB for each that is missing")
}

const (
	fleetCPU  = 10 * time.Millisecond
	fleetPeak = int64(160<<20 - (2000-fleetTenants)*20<<10)
)

// overFleet runs a command over so many tenants, each of which is the one service.
func overFleet(exe, service string, tenants int, store string, args ...string) *syscall.Rusage {
	var config bytes.Buffer
	fmt.Fprintf(&config, "store: %s\nsweep: {requestsPerSecond: 0}\ntenants:\n", store)
	for i := range tenants {
		fmt.Fprintf(&config, "  - {name: t%04d, tenantId: t%04d.example, credential: {kind: static, token: {env: BENCH_TOKEN}}, graphEndpoint: %q}\n", i, i, service)
	}
	file := filepath.Join(filepath.Dir(exe), "fleet.yaml")
	check(os.WriteFile(file, config.Bytes(), 0o600))
	cmd := exec.Command(exe, append(args, "--config", file, "--log-level", "error")...)
	cmd.Env = append(os.Environ(), "BENCH_TOKEN=bench")
	said, err := cmd.CombinedOutput()
	if err != nil {
		check(fmt.Errorf("%v over a fleet: %w\n%s", args, err, said[:min(len(said), 2000)]))
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage)
}

// ofStorage counts what a night's run asks of a blob container, the second night:
// much is made only once.
func ofStorage(row rowFunc) {
	service, stop := startTenant(storedDetections, "-each", fmt.Sprint(fleetEach))
	defer stop()
	dir, exe := product()
	defer os.RemoveAll(dir)
	server, err := azuritetest.Start()
	check(err)
	counted, err := url.Parse(server.URL)
	check(err)
	counter := &transactions{next: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: counted.Scheme, Host: counted.Host}), named: map[string]bool{}}
	if verbose {
		counter.said = os.Stderr
	}
	proxy := httptest.NewServer(counter)
	defer proxy.Close()
	through := proxy.URL + counted.Path
	check(os.Setenv("BENCH_STORE", azuritetest.ConnectionString(through)))
	store := fmt.Sprintf("{url: %q, credential: {kind: connectionString, connectionString: {env: BENCH_STORE}}}", through+"/nights")
	overFleet(exe, service, storedTenants, store, "apply", "--sweep-max-concurrent", "8") // an emulator is slow
	counter.reset()
	overFleet(exe, service, storedTenants, store, "apply", "--sweep-max-concurrent", "8") // an emulator is slow
	each := func(n int) string { return fmt.Sprintf("%.1f", float64(n)/storedTenants) }
	row("requests for storage of one tenant's night: writes and lists", each(counter.writes), each(counter.files), ratio(counter.writes, counter.files), 0, "the files that it leaves, one write each")
	row("the same: reads", each(counter.reads), each(counter.files), ratio(counter.reads, counter.files), 0, "as many")
}

// transactions counts requests on their way to storage, as they are billed.
type transactions struct {
	next http.Handler
	said io.Writer // is told of each; nil: nobody

	mu                   sync.Mutex
	writes, reads, files int
	named                map[string]bool
}

func (c *transactions) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes, c.reads, c.files, c.named = 0, 0, 0, map[string]bool{}
}

func (c *transactions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	switch r.Method {
	case http.MethodPut, http.MethodPost:
		c.writes++
		if name := r.URL.Path; strings.Contains(name, "/runs/") && !c.named[name] {
			c.named[name] = true
			c.files++
		}
	case http.MethodGet, http.MethodHead:
		if r.URL.Query().Get("comp") == "list" { // which has the price of a write
			c.writes++
		} else {
			c.reads++
		}
	} // deleting costs nothing
	if c.said != nil {
		fmt.Fprintln(c.said, r.Method, r.URL.Path, r.URL.Query().Get("comp"), r.Header.Get("x-ms-lease-action"))
	}
	c.mu.Unlock()
	c.next.ServeHTTP(w, r)
}
