// Command bench prints how fast and how small a sweep is, each number beside a
// named floor that is measured in the same run:
//
//	go run ./bench
//
// It measures the real rooms, in a process of their own, over a service in
// another that answers from memory over a local socket. Each floor reads from
// the same service in the same way.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
)

func main() {
	var t task
	flag.StringVar(&t.part, "part", "", "do one part alone and print what it took, as JSON: the bench starts itself so")
	flag.StringVar(&t.service, "service", "", "address of the tenant of that part")
	flag.StringVar(&t.container, "container", "", "container of that part, instead of a folder")
	flag.StringVar(&t.account, "account", "", "connection string of the container's account")
	flag.IntVar(&t.detections, "detections", 100_000, "detections of the comparisons of CPU")
	flag.IntVar(&usersEach, "each", usersEach, "detections of each risky user")
	flag.IntVar(&shown, "shown", shown, "policies of which each row of the sign-in log has the result")
	flag.StringVar(&profile, "profile", "", "write a CPU profile of what the part measures to this file")
	flag.IntVar(&manyRuns, "runs", manyRuns, "runs of the larger of the compared stores; 100000 take minutes and a million files")
	flag.BoolVar(&verbose, "v", false, "print each request for storage that is counted")
	only := flag.String("only", "", "print these rows alone: "+strings.Join(groupNames(), ", "))
	flag.Parse()
	switch {
	case t.part == "serve":
		serve(t.detections)
	case parts[t.part] != nil:
		m := parts[t.part](t)
		pprof.StopCPUProfile()
		check(json.NewEncoder(os.Stdout).Encode(m))
	case t.part != "":
		check(fmt.Errorf("no part %q", t.part))
	default:
		table(t.detections, *only)
	}
}

// verbose says that each counted request is printed.
var verbose bool

// rowFunc prints one row; a ratio above most is said to be missed, unless most
// is 0.
type rowFunc func(what, ours, floor string, ratio, most float64, is string)

// groups are the rows in the order of the table; n is how many detections the
// comparisons of CPU read.
var groups = []struct {
	name string
	rows func(row rowFunc, n int)
}{
	{"sweep", comparisonsOf},
	{"night", night},
	{"policies", func(row rowFunc, _ int) { twoHundred(row) }},
	{"access", func(row rowFunc, _ int) { judged(row) }},
	{"impact", func(row rowFunc, _ int) { replays(row) }},
	{"pace", func(row rowFunc, _ int) { pace(row) }},
	{"memory", func(row rowFunc, _ int) {
		for _, n := range []int{10_000, 100_000, 1_000_000} {
			memory(row, fmt.Sprintf("peak memory, %d detections", n), n)
		}
	}},
	{"javascript", func(row rowFunc, _ int) { besideJavaScript(row, 20_000) }},
	{"azurite", func(row rowFunc, _ int) { azurite(row, 200_000) }},
	{"store", func(row rowFunc, _ int) { ofManyRuns(row) }},
	{"fleet", func(row rowFunc, _ int) { ofFleet(row) }},
	{"storage", func(row rowFunc, _ int) { ofStorage(row) }},
	{"start", func(row rowFunc, _ int) { startUp(row) }},
}

func groupNames() (names []string) {
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

func table(n int, only string) {
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 1, ' ', 0)
	missed := 0
	row := func(what, ours, floor string, ratio, most float64, is string) {
		allowed := ""
		if most > 0 {
			allowed = strconv.FormatFloat(most, 'f', 2, 64)
		}
		if most > 0 && ratio > most {
			missed++
			allowed += " MISSED"
		}
		fmt.Fprintf(out, "| %s\t| %s\t| %s\t| %.2f\t| %s\t| %s\t|\n", what, ours, floor, ratio, allowed, is)
	}
	fmt.Fprint(out, "| what\t| ours\t| floor\t| ratio\t| at most\t| floor is\t|\n|---\t|---\t|---\t|---\t|---\t|---\t|\n")
	found := false
	for _, g := range groups {
		if only == "" || only == g.name {
			found = true
			g.rows(row, n)
		}
	}
	if !found {
		check(fmt.Errorf("no rows %q; there are %s", only, strings.Join(groupNames(), ", ")))
	}
	check(out.Flush())
	if missed > 0 {
		check(fmt.Errorf("%d numbers are above what is allowed", missed))
	}
}

// comparisonsOf is a sweep of n detections beside its two floors.
func comparisonsOf(row rowFunc, n int) {
	service, stop := startTenant(n)
	defer stop()
	ours, floor, sdk := beside(service, "sweep", n), beside(service, "decode", n), beside(service, "sdk", n)
	each := func(d time.Duration) string { return fmt.Sprintf("%.1f µs", float64(d.Nanoseconds())/1e3/float64(n)) }
	const what = "CPU a detection: read, triage, report"
	row(what, each(ours.CPU), each(floor.CPU), ratio(ours.CPU, floor.CPU), 1.25, "encoding/json into typed structs of the same pages")
	row(what, each(ours.CPU), each(sdk.CPU), ratio(ours.CPU, sdk.CPU), 0.15, "the SDK's page iterator writing the same files")
	few := func(k uint64) string { return fmt.Sprintf("%.1f", float64(k)/float64(n)) }
	row("allocations a detection", few(ours.Allocs), few(floor.Allocs), ratio(ours.Allocs, floor.Allocs), 0, "encoding/json, as above")
	fewest := pages(n) + pages(n/usersEach)
	row("requests for risk", strconv.Itoa(ours.Requests), strconv.Itoa(fewest), ratio(ours.Requests, fewest), float64(fewest+8)/float64(fewest), "pages of 500; 8 more are allowed")
}

// night is an apply after which nothing changed.
func night(row rowFunc, n int) {
	open := n / usersEach
	service, stop := startTenant(n)
	defer stop()
	ours, floor := beside(service, "night", n), beside(service, "decodeOpen", n)
	fewest := 2 * pages(open)
	row("requests for risk, a night without a change", strconv.Itoa(ours.Requests), strconv.Itoa(fewest), ratio(ours.Requests, fewest), float64(fewest+8)/float64(fewest), "pages of what is open; 8 more are allowed")
	row("CPU of that night", ms(ours.CPU), ms(floor.CPU), ratio(ours.CPU, floor.CPU), 3.5, "encoding/json of the pages of what is open")
}

func twoHundred(row rowFunc) {
	service, stop := startTenant(0)
	defer stop()
	ours, floor := beside(service, "policies", 0), beside(service, "parse", 0)
	row(fmt.Sprintf("CPU of planning %d policies", policies), ms(ours.CPU), ms(floor.CPU), ratio(ours.CPU, floor.CPU), 4, "encoding/json decoding of both sides")
}

// pace runs the test that sweeps at one request a second in virtual time.
func pace(row rowFunc) {
	const name = "TestTheNetworkIsNeverIdle"
	out, err := exec.Command("go", "test", "-count=1", "-v", "-run", "^"+name+"$", "./internal/simulation").CombinedOutput()
	if err != nil {
		check(fmt.Errorf("%s: %w\n%s", name, err, out))
	}
	m := regexp.MustCompile(`took (\S+), ideal (\S+)\n`).FindSubmatch(out)
	if m == nil {
		check(fmt.Errorf("%s says nothing:\n%s", name, out))
	}
	took, err := time.ParseDuration(string(m[1]))
	check(err)
	ideal, err := time.ParseDuration(string(m[2]))
	check(err)
	row("wall time at one request a second", took.String(), ideal.String(), ratio(took, ideal), 1.05, "one request a second without a pause, in virtual time")
}

func memory(row rowFunc, what string, n int, more ...string) {
	service, stop := startTenant(n)
	defer stop()
	m := beside(service, "sweep", n, more...)
	allowed := int64(48<<20 + 40*n + 400*n/usersEach)
	row(what, mib(m.Peak), mib(allowed), ratio(m.Peak, allowed), 1, "48 MiB + 40 B a detection + 400 B a risky user")
}

func azurite(row rowFunc, n int) {
	server, err := azuritetest.Start()
	check(err)
	memory(row, fmt.Sprintf("the same into Azurite, %d detections", n), n, "-container", server.Container(), "-account", server.ConnectionString())
}

func ratio[T time.Duration | int | int64 | uint64](a, b T) float64 { return float64(a) / float64(b) }

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1e3) }

func pages(n int) int { return (n + 499) / 500 }
