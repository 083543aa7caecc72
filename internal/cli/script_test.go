package cli_test

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/risksweep/risksweep/internal/cli"
)

func TestMain(m *testing.M) {
	if os.Getenv(handler) != "" {
		os.Exit(cli.Main(os.Args[1:], cli.System()))
	}
	// A process that looks for races stays a second longer than it needs.
	if err := os.Setenv("GORACE", goRace); err != nil {
		panic(err)
	}
	// Nearly all tests here wait for processes, not for this one.
	if err := flag.Set("test.parallel", strconv.Itoa(3*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(cleaned{m}, map[string]func(){"risksweep": func() { os.Exit(cli.Main(os.Args[1:], cli.System())) }})
}

const goRace = "atexit_sleep_ms=0"

// TestScripts runs the binary as its users do. The tenant is a process of its
// own, started by `startsim`.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", goRace)
			return os.CopyFS(filepath.Join(env.WorkDir, "examples"), os.DirFS("../../examples"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"startsim": startSim, "sim": callSim, "jsonq": jsonQuery, "exits": exits, "setreport": setReport, "applyplan": applyPlan, "byhand": byHand, "mended": mended, "adoptid": adoptID, "runs": runIDs, "captured": captured, "deleterun": deleteRun, "bom": byteOrderMark, "until": until, "replace": replaceText,
			"azurite": azurite(t), "webhook": webhook, "heard": heard, "daemon": startDaemon, "stopdaemon": stopDaemon, "api": callAPI, "waitrun": waitRun, "waitruns": waitRuns,
		},
	})
}

// startSim starts `risksweep sim` with the given flags as a process and sets
// SIM, SIM_TOKEN, SIM_TENANT and SIM_URL.
func startSim(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command(binary(ts), append([]string{"sim", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.Getenv("WORK")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	ts.Check(err)
	var ready struct{ Graph, TenantID, Token, ClientID, ClientSecret, Authority string }
	ts.Check(json.Unmarshal(line, &ready))
	ts.Setenv("SIM", ready.Graph)
	ts.Setenv("SIM_URL", strings.TrimSuffix(ready.Graph, "/v1.0"))
	ts.Setenv("SIM_TOKEN", ready.Token)
	ts.Setenv("SIM_TENANT", ready.TenantID)
	ts.Setenv("SIM_CLIENT", ready.ClientID)
	ts.Setenv("SIM_SECRET", ready.ClientSecret)
	ts.Setenv("RISKSWEEP_TENANTS", fmt.Sprintf("[{name: contoso, tenantId: %s, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q, baseline: examples/baseline, triage: examples/triage.yaml}]", ready.TenantID, ready.Graph))
	ts.Setenv("RISKSWEEP_SWEEP_REQUESTS_PER_SECOND", "0")
	ts.Setenv("RISKSWEEP_STORE_URL", "file:reports")
}

// callSim sends one request to the tenant: `sim GET /_sim/journal FILE`, or
// `sim POST /_sim/detections FILE BODY`. A path of Graph begins with /v1.0.
func callSim(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: sim METHOD PATH FILE [BODY]")
	}
	var body io.Reader
	if len(args) > 3 {
		body = strings.NewReader(args[3])
	}
	req, err := http.NewRequest(args[0], ts.Getenv("SIM_URL")+args[1], body)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+ts.Getenv("SIM_TOKEN"))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := http.Client{Timeout: patience}
	res, err := client.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	ts.Check(err)
	if bad := res.StatusCode >= 400; bad != neg {
		ts.Fatalf("%s %s: %s\n%s", args[0], args[1], res.Status, data)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data, 0o644))
}

// jsonQuery checks a value in a JSON file: `jsonq FILE a.0.b VALUE`. A path may
// end in # for the length of a list.
func jsonQuery(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: jsonq FILE PATH VALUE")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
	for _, step := range strings.Split(args[1], "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			if step == "#" {
				v = len(x)
				continue
			}
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				ts.Fatalf("%s: no element %s of %d", args[1], step, len(x))
			}
			v = x[i]
		default:
			v = nil
		}
	}
	if got := fmt.Sprint(v); (got == args[2]) == neg {
		ts.Fatalf("%s %s is %s", args[0], args[1], got)
	}
}

// exits runs the binary and checks its exit code: `exits 4 plan --exit-code`.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec("risksweep", args[1:]...)
	code := 0
	if exit := new(exec.ExitError); err != nil {
		e, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		exit = e
		code = exit.ExitCode()
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// setReport copies a file of the tenant's last run to FILE: `setreport
// report.json FILE`.
func setReport(ts *testscript.TestScript, neg bool, args []string) {
	dirs, err := filepath.Glob(ts.MkAbs("reports/contoso/runs/*/*/*/*"))
	ts.Check(err)
	if len(dirs) == 0 {
		ts.Fatalf("no run in the store")
	}
	data, err := os.ReadFile(filepath.Join(dirs[len(dirs)-1], args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o644))
}

// runIDs sets variables to the ids of the tenant's runs, oldest first: `runs
// FIRST SECOND`.
func runIDs(ts *testscript.TestScript, neg bool, args []string) {
	dirs, err := filepath.Glob(ts.MkAbs("reports/contoso/runs/*/*/*/*"))
	ts.Check(err)
	if len(dirs) != len(args) {
		ts.Fatalf("%d runs in the store, want %d", len(dirs), len(args))
	}
	for i, dir := range dirs {
		ts.Setenv(args[i], filepath.Base(dir))
	}
}

// captured sets a variable to what a pattern's first group finds in a file:
// `captured NAME PATTERN FILE`.
func captured(ts *testscript.TestScript, neg bool, args []string) {
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile(args[2]))
	if found == nil {
		ts.Fatalf("%s does not hold %s", args[2], args[1])
	}
	ts.Setenv(args[0], found[1])
}

// deleteRun removes the folder of a run.
func deleteRun(ts *testscript.TestScript, neg bool, args []string) {
	id := args[0]
	ts.Check(os.RemoveAll(ts.MkAbs(filepath.Join("reports/contoso/runs", id[:4], id[4:6], id[6:8], id))))
}

// applyPlan applies the plan of the run in the output of `plan -o json`.
func applyPlan(ts *testscript.TestScript, neg bool, args []string) {
	var runs []struct{ Run string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &runs))
	ts.Check(ts.Exec("risksweep", "apply", "--plan", runs[0].Run))
}

// until replaces UNTIL in a file by the time so long from now: `until FILE
// 240h`.
func until(ts *testscript.TestScript, neg bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "UNTIL", time.Now().Add(d).UTC().Format(time.RFC3339))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// replaceText puts one text in place of another in a file: `replace FILE OLD NEW`.
func replaceText(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not hold %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o644))
}
