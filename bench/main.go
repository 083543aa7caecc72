// Command bench prints how fast a sweep is, each number as a ratio to a named
// floor that is measured in the same run:
//
//	go run ./bench
//
// It measures the real rooms over a service that answers from memory, so that
// nothing of a simulator or a network is in the numbers.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/triage"
)

func main() {
	one := flag.Int("sweep", 0, "sweep this many detections once and print what it took, as JSON")
	detections := flag.Int("detections", 100_000, "detections of the CPU comparison")
	large := flag.Bool("large", false, "measure memory at a million detections too")
	flag.Parse()
	if *one > 0 {
		check(json.NewEncoder(os.Stdout).Encode(measure(*one)))
		return
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(out, "what\tours\tfloor\tratio\tfloor is")
	row := func(what, ours, floor string, ratio float64, is string) {
		fmt.Fprintf(out, "%s\t%s\t%s\t%.2f\t%s\n", what, ours, floor, ratio, is)
	}
	m := inProcess(*detections)
	cpu, allocs := floor(*detections)
	ours := float64(m.CPU.Nanoseconds()) / float64(*detections)
	row("CPU a detection: read, triage, report", fmt.Sprintf("%.1f µs", ours/1e3), fmt.Sprintf("%.1f µs", cpu/1e3), ours/cpu, "encoding/json into typed structs of the same pages")
	row("allocations a detection", fmt.Sprintf("%.1f", m.Allocs/float64(*detections)), fmt.Sprintf("%.1f", allocs), m.Allocs/float64(*detections)/allocs, "the same")
	fewest := pages(*detections) + pages(*detections/usersEach)
	row("requests for risk", strconv.Itoa(m.Requests), strconv.Itoa(fewest), float64(m.Requests)/float64(fewest), "pages of 500")
	sizes := []int{10_000, 100_000}
	if *large {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		m := inProcess(n)
		allowed := 48<<20 + 40*n + 400*n/usersEach
		row(fmt.Sprintf("peak memory, %d detections", n), mib(m.Peak), mib(int64(allowed)), float64(m.Peak)/float64(allowed), "48 MiB + 40 B a detection + 400 B a risky user")
	}
	check(out.Flush())
	startUp(row)
	check(out.Flush())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func pages(n int) int { return (n + 499) / 500 }

// measured is what one sweep took.
type measured struct {
	CPU      time.Duration
	Allocs   float64
	Requests int
	Peak     int64 // VmHWM, bytes
}

// inProcess sweeps in a process of its own, whose peak is its own too.
func inProcess(n int) (m measured) {
	exe, err := os.Executable()
	check(err)
	cmd := exec.Command(exe, "-sweep", strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	check(err)
	check(json.Unmarshal(data, &m))
	return m
}

const rules = `
allowlist:
  - id: vpn
    users: [user1@contoso.com]
    when: {riskEventTypes: [anonymizedIPAddress], maxRiskLevel: medium, ipRanges: [203.0.113.0/24]}
    reason: VPN
    owner: secops@contoso.com
    expires: 2031-12-31
`

// measure runs one plan over a tenant of n detections into a folder.
func measure(n int) measured {
	service := newService(n)
	client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: "http://127.0.0.1/v1.0", Transport: service})
	check(err)
	policy, problems := triage.Parse("triage.yaml", []byte(rules), time.Now())
	check(problems.Err())
	dir, err := os.MkdirTemp("", "bench")
	check(err)
	defer os.RemoveAll(dir)
	store, err := blobstore.OpenDir(dir)
	check(err)
	s := &sweep.Sweeper{Name: "contoso", Reader: client, Writer: func() apply.Writer { return client },
		Ledger: ledger.New(store, "contoso", ledger.Options{Now: time.Now}), Triage: policy,
		Settings: sweep.Settings{Lookback: 2000 * time.Hour, Overlap: 48 * time.Hour, FullEvery: time.Hour, Settle: time.Minute, ServicePrincipals: "false",
			Limits: plan.Limits{MaxShareOfRiskyUsers: 1}, WriteTimeout: time.Minute},
		Output: sweep.Output{Redaction: report.NewRedaction("none", nil)}, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, made := cpuTime(), service.cpu
	res, err := s.Run(context.Background(), sweep.Request{Mode: sweep.Plan})
	check(err)
	check(res.Err)
	took := cpuTime() - began - (service.cpu - made)
	runtime.ReadMemStats(&after)
	if res.Counts["detections"] != n {
		check(fmt.Errorf("%d of %d detections were read", res.Counts["detections"], n))
	}
	return measured{CPU: took, Allocs: float64(after.Mallocs - before.Mallocs), Requests: service.risk, Peak: peak()}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the most memory that the process has had.
func peak() int64 {
	data, err := os.ReadFile("/proc/self/status")
	check(err)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			check(err)
			return kb << 10
		}
	}
	return 0
}

// startUp compares the time from the start of a process to its first answer
// with that of a bare net/http server: the medians of twenty starts.
func startUp(row func(string, string, string, float64, string)) {
	dir, err := os.MkdirTemp("", "bench")
	check(err)
	defer os.RemoveAll(dir)
	hello := filepath.Join(dir, "hello")
	check(os.MkdirAll(filepath.Join(dir, "src"), 0o755))
	check(os.WriteFile(filepath.Join(dir, "src", "main.go"), []byte(helloSource), 0o644))
	build := func(to, pkg, in string) {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, pkg)
		cmd.Dir, cmd.Env = in, append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		check(cmd.Run())
	}
	build(hello, "main.go", filepath.Join(dir, "src"))
	ours := filepath.Join(dir, "risksweep")
	build(ours, "github.com/risksweep/risksweep/cmd/job", ".")
	a, b := median(ours, "functions"), median(hello)
	row("start to the first answered ping", a.Round(100*time.Microsecond).String(), b.Round(100*time.Microsecond).String(), float64(a)/float64(b), "a bare net/http hello (allowed: 3 times it + 10 ms)")
	if a > 3*b+10*time.Millisecond {
		row("", "", "", 0, "TOO SLOW")
	}
	info, err := os.Stat(ours)
	check(err)
	row("stripped binary", mib(info.Size()), mib(30_000_000), float64(info.Size())/30e6, "30 MB")
}

const helloSource = `package main

import (
	"net/http"
	"os"
)

func main() {
	_ = http.ListenAndServe("127.0.0.1:"+os.Getenv("FUNCTIONS_CUSTOMHANDLER_PORT"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
}
`

func median(exe string, args ...string) time.Duration {
	times := make([]time.Duration, 20)
	for i := range times {
		times[i] = startOnce(exe, args...)
	}
	slices.Sort(times)
	return times[len(times)/2]
}
