package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// measured is what one process took.
type measured struct {
	CPU      time.Duration
	Allocs   uint64
	Requests int   // for risk
	Peak     int64 // VmHWM, bytes
	Parts    []time.Duration
}

// parts are what the bench does in a process of its own, so that its processor
// time and its peak are its own too.
var parts = map[string]func(task) measured{
	"sweep":      sweepOnce,
	"night":      sweepAgain,
	"decode":     decode,
	"decodeOpen": decodeOpen,
	"sdk":        iterate,
	"policies":   comparePolicies,
	"parse":      parsePolicies,

	"makeStore":   func(t task) (m measured) { oldStore(t.container, t.detections); return m },
	"verifyStore": verifyStore,
	"applyAgain":  applyAgain,

	"judgeAll":    judgeAll,
	"judgeEach":   judgeEach,
	"firstWhatIf": firstWhatIf,

	"replay":        replay,
	"decodeSignIns": decodeSignIns,
}

// task is what a process of its own is to do.
type task struct {
	part       string
	detections int
	service    string // the address of the tenant
	container  string // of Azurite, instead of a folder; or a folder that is there
	account    string // its connection string
}

// beside does a task in a process of its own over a tenant that runs.
func beside(service, part string, n int, more ...string) (m measured) {
	cmd := itself(append([]string{"-part", part, "-detections", strconv.Itoa(n), "-service", service}, more...)...)
	data, err := cmd.Output()
	check(err)
	check(json.Unmarshal(data, &m))
	return m
}

func startTenant(n int, more ...string) (address string, stop func()) {
	cmd := itself(append([]string{"-part", "serve", "-detections", strconv.Itoa(n)}, more...)...)
	in, err := cmd.StdinPipe()
	check(err)
	out, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	address, err = bufio.NewReader(out).ReadString('\n')
	check(err)
	return strings.TrimSpace(address), func() {
		check(in.Close())
		_, err := io.Copy(io.Discard, out)
		check(err)
		check(cmd.Wait())
	}
}

func itself(args ...string) *exec.Cmd {
	exe, err := os.Executable()
	check(err)
	cmd := exec.Command(exe, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// profile is the file that a part writes a CPU profile of what it measures to.
var profile string

var startProfile = sync.OnceFunc(func() {
	if profile != "" {
		f, err := os.Create(profile)
		check(err)
		check(pprof.StartCPUProfile(f))
	}
})

// taking measures the processor time and the allocations of f.
func taking(f func()) (m measured) {
	var before, after runtime.MemStats
	startProfile()
	runtime.ReadMemStats(&before)
	began := cpuTime()
	f()
	m.CPU = cpuTime() - began
	runtime.ReadMemStats(&after)
	m.Allocs = after.Mallocs - before.Mallocs
	return m
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
	check(fmt.Errorf("the kernel says nothing of the peak"))
	return 0
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
