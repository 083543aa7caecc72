package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// daemons are the running daemons by the work folder of their script.
var daemons sync.Map

type daemonProcess struct {
	cmd *exec.Cmd
	err *bytes.Buffer
}

// binary finds the binary under test.
func binary(ts *testscript.TestScript) string {
	for _, d := range filepath.SplitList(ts.Getenv("PATH")) {
		if exe := filepath.Join(d, "risksweep"); executable(exe) {
			return exe
		}
	}
	ts.Fatalf("risksweep is not in PATH")
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// startDaemon starts `risksweep ARGS` and sets API to the address it prints.
func startDaemon(ts *testscript.TestScript, _ bool, args []string) {
	var stderr bytes.Buffer
	cmd := exec.Command(binary(ts), args...)
	cmd.Dir, cmd.Stderr = ts.Getenv("WORK"), &stderr
	for _, name := range []string{"PATH", "HOME", "SIM_TOKEN", "RISKSWEEP_TENANTS", "RISKSWEEP_STORE_URL", "RISKSWEEP_HTTP_TOKEN", "RISKSWEEP_HTTP_LISTEN",
		"RISKSWEEP_SCHEDULE_CRON", "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	p := &daemonProcess{cmd, &stderr}
	daemons.Store(ts.Getenv("WORK"), p)
	ts.Defer(func() {
		if _, running := daemons.LoadAndDelete(ts.Getenv("WORK")); running {
			_ = cmd.Process.Kill() // the script has failed already
			_ = cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		_ = cmd.Wait() // it has ended by itself
		ts.Fatalf("the daemon did not start: %s", stderr.String())
	}
	var ready struct{ API string }
	ts.Check(json.Unmarshal(line, &ready))
	ts.Setenv("API", ready.API)
	ts.Setenv("API_ADDRESS", strings.TrimPrefix(ready.API, "http://"))
}

// stopDaemon sends SIGTERM and wants exit code 0.
func stopDaemon(ts *testscript.TestScript, _ bool, _ []string) {
	v, ok := daemons.LoadAndDelete(ts.Getenv("WORK"))
	if !ok {
		ts.Fatalf("no daemon runs")
	}
	p := v.(*daemonProcess)
	ts.Check(p.cmd.Process.Signal(syscall.SIGTERM))
	if err := p.cmd.Wait(); err != nil {
		ts.Fatalf("the daemon ended with %v\n%s", err, p.err.String())
	}
}

// callAPI sends one request and checks its status: `api 202 POST /api/runs BODY
// [retry]`, where retry repeats a 409. The answer is the script's stdout;
// LOCATION is set from its header.
func callAPI(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: api STATUS METHOD PATH [BODY [retry]]")
	}
	body := ""
	if len(args) > 3 {
		body = args[3]
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		status, answer, location := request(ts, args[1], args[2], body)
		if len(args) > 4 && status == http.StatusConflict && time.Now().Before(deadline) {
			continue
		}
		if fmt.Sprint(status) != args[0] {
			ts.Fatalf("%s %s: got %d %s", args[1], args[2], status, answer)
		}
		if location != "" {
			ts.Setenv("LOCATION", location)
		}
		_, err := io.WriteString(ts.Stdout(), answer)
		ts.Check(err)
		return
	}
}

func request(ts *testscript.TestScript, method, path, body string) (status int, answer, location string) {
	req, err := http.NewRequest(method, ts.Getenv("API")+path, strings.NewReader(body))
	ts.Check(err)
	if token := ts.Getenv("RISKSWEEP_HTTP_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := (&http.Client{Timeout: patience}).Do(req)
	ts.Check(err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	ts.Check(err)
	return res.StatusCode, string(data), res.Header.Get("Location")
}

// patience is how long a script waits for what must come: it only bounds a
// product that hangs, on a machine that does much else at once.
const patience = 3 * time.Minute

// waitRun waits until a run has ended, and prints it.
func waitRun(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		status, answer, _ := request(ts, http.MethodGet, args[0], "")
		var run struct{ Status string }
		if status != http.StatusOK || json.Unmarshal([]byte(answer), &run) != nil {
			ts.Fatalf("%s: %d %s", args[0], status, answer)
		}
		if run.Status != "queued" && run.Status != "running" {
			_, err := io.WriteString(ts.Stdout(), answer)
			ts.Check(err)
			return
		}
	}
	ts.Fatalf("the run does not end")
}

// waitRuns waits until the list holds that many runs that have ended.
func waitRuns(ts *testscript.TestScript, _ bool, args []string) {
	var answer string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var list []struct{ ID, Status string }
		_, answer, _ = request(ts, http.MethodGet, "/api/runs?tenant=contoso", "")
		ts.Check(json.Unmarshal([]byte(answer), &list))
		var n int
		for i, r := range list {
			if i > 0 && r.ID >= list[i-1].ID {
				ts.Fatalf("the list is not newest first: %s", answer)
			}
			if r.Status == "succeeded" {
				n++
			}
		}
		if fmt.Sprint(n) >= args[0] {
			return
		}
	}
	ts.Fatalf("want %s runs, got %s", args[0], answer)
}
