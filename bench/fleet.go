package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// What a tenant of a fleet has, and how many of them one process sweeps.
const (
	fleetDetections, fleetEach = 900, 3 // 300 users
	fleetTenants               = 400
)

// ofFleet is a plan over many tenants in one process of the product.
func ofFleet(row rowFunc) {
	service, stop := startTenant(fleetDetections, "-each", fmt.Sprint(fleetEach))
	defer stop()
	dir, err := os.MkdirTemp("", "bench")
	check(err)
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "risksweep")
	build(exe, "github.com/risksweep/risksweep/cmd/job", ".")
	var config bytes.Buffer
	fmt.Fprintf(&config, "store: {url: %q}\nsweep: {requestsPerSecond: 0}\ntenants:\n", "file:"+filepath.Join(dir, "store"))
	for i := range fleetTenants {
		fmt.Fprintf(&config, "  - {name: t%04d, tenantId: t%04d.example, credential: {kind: static, token: {env: BENCH_TOKEN}}, graphEndpoint: %q}\n", i, i, service)
	}
	file := filepath.Join(dir, "risksweep.yaml")
	check(os.WriteFile(file, config.Bytes(), 0o644))
	cmd := exec.Command(exe, "plan", "--config", file, "--log-level", "error")
	cmd.Env = append(os.Environ(), "BENCH_TOKEN=bench")
	said, err := cmd.CombinedOutput()
	if err != nil {
		check(fmt.Errorf("a plan over a fleet: %w\n%s", err, said[:min(len(said), 2000)]))
	}
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	each := time.Duration(used.Utime.Nano()+used.Stime.Nano()) / fleetTenants
	row(fmt.Sprintf("CPU of one tenant's sweep in a fleet of %d", fleetTenants), ms(each), ms(fleetCPU), ratio(each, fleetCPU), 0, fmt.Sprintf("what is aimed at: %d users, %d detections", fleetDetections/fleetEach, fleetDetections))
	peak := int64(used.Maxrss) << 10
	row("peak memory of that fleet, 64 at work", mib(peak), mib(fleetPeak), ratio(peak, fleetPeak), 0, "what is aimed at for 2,000, 160 MiB, less 20 KiB for each that is missing")
}

const (
	fleetCPU  = 10 * time.Millisecond
	fleetPeak = int64(160<<20 - (2000-fleetTenants)*20<<10)
)
