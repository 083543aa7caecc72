package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/functions"
	"github.com/risksweep/risksweep/functions/hosttest"
	"github.com/risksweep/risksweep/internal/cli"
	"github.com/risksweep/risksweep/internal/graphsim"
)

// handler is the environment in which this test binary is the risksweep that a
// function app has packed.
const handler = "RISKSWEEP_TEST_IS_THE_BINARY"

// packApp makes a function app of the example with the command line.
func packApp(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	var out bytes.Buffer
	sys := cli.System()
	sys.Out, sys.Err = &out, &out
	if code := cli.Run(t.Context(), []string{"functions", "package", "--out", dir, "--config", "../../examples/risksweep.yaml"}, sys); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out.String())
	}
	return dir
}

func TestPackageLaysOutAFunctionApp(t *testing.T) {
	dir := packApp(t)
	var got []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		got = append(got, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"host.json", "risksweep", "risksweep.yaml", "triage.yaml", "expectations.yaml", "exceptions.yaml"}
	for _, name := range functions.Names() {
		want = append(want, name+"/function.json")
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) && !strings.HasPrefix(g, "baseline/") {
			t.Errorf("%s has no place in a function app", g)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "risksweep"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the binary: %v, %v", info.Mode(), err)
	}
	var host struct {
		CustomHandler struct {
			Description struct {
				DefaultExecutablePath string
				Arguments             []string
			}
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "host.json"))
	if err != nil || json.Unmarshal(data, &host) != nil || host.CustomHandler.Description.DefaultExecutablePath != "risksweep" ||
		!slices.Equal(host.CustomHandler.Description.Arguments, []string{"functions"}) {
		t.Errorf("host.json: %+v, %v", host, err)
	}
}

func TestPackageKeepsWhatIsThere(t *testing.T) {
	pack := func(args ...string) (int, string) {
		var out bytes.Buffer
		sys := cli.System()
		sys.Out, sys.Err = &out, &out
		code := cli.Run(t.Context(), append([]string{"functions", "package"}, args...), sys)
		return code, out.String()
	}
	if code, out := pack(); code != cli.ExitUsage || !strings.Contains(out, "--out") {
		t.Errorf("no folder: %d %s", code, out)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.doc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := pack("--out", other, "--config", "../../examples/risksweep.yaml"); code != cli.ExitUsage || !strings.Contains(out, "other files") {
		t.Errorf("another folder: %d %s", code, out)
	}
	again := packApp(t)
	if code, out := pack("--out", again, "--config", "../../examples/risksweep.yaml"); code != 0 {
		t.Errorf("packing again: %d %s", code, out)
	}
	// A file that lies elsewhere cannot come along.
	away := t.TempDir()
	triage, err := filepath.Abs("../../examples/triage.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("tenants:\n  - {name: contoso, tenantId: 00000000-0000-0000-0000-000000000001, triage: %q,\n     credential: {kind: clientSecret, clientId: 00000000-0000-0000-0000-000000000002, clientSecret: {env: NOT_SET_HERE}}}\n", triage)
	if err := os.WriteFile(filepath.Join(away, "risksweep.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := pack("--out", filepath.Join(away, "app"), "--config", filepath.Join(away, "risksweep.yaml")); code != cli.ExitUsage || !strings.Contains(out, "cannot be packed") {
		t.Errorf("a file elsewhere: %d %s", code, out)
	}
}

// The packed app, as it stands, under the host and against a tenant: a night, an
// order, a file, a broken setting.
func TestTheFunctionAppSweepsATenant(t *testing.T) {
	tenant, err := graphsim.New(graphsim.Options{Users: 40, Detections: 60, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	at := serveTenant(t, tenant)
	store := t.TempDir()
	dir := packApp(t)
	h := hosttest.Start(t, hosttest.Options{Dir: dir, Proxy: true, Env: []string{handler + "=1", "SIM_TOKEN=" + at.Token,
		"RISKSWEEP_CONFIG=", "RISKSWEEP_STORE_URL=file:" + store, "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND=0", "RISKSWEEP_SCHEDULE_NCRONTAB=0 0 2 * * *",
		fmt.Sprintf("RISKSWEEP_TENANTS=[{name: contoso, tenantId: %s, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q, baseline: baseline, triage: triage.yaml}]", at.TenantID, at.Graph)}})
	if err := h.Timer("Nightly", hosttest.Time(time.Now()), false); err != nil {
		t.Fatalf("%v\n%s", err, h.Stdout())
	}
	if _, err := h.Deliver("SweepTenant"); err != nil {
		t.Fatalf("%v\n%s", err, h.Stdout())
	}
	r, err := h.Do("POST", "/api/runs", `{"tenant":"contoso","mode":"plan"}`, nil)
	if err != nil || r.Status != 202 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := h.Deliver("SweepTenant"); err != nil {
		t.Fatalf("%v\n%s", err, h.Stdout())
	}
	location := r.Header.Get("Location")
	var run struct {
		Status string
		Counts map[string]int
		Report string
	}
	if r, err = h.Do("GET", location, "", nil); err != nil || json.Unmarshal([]byte(r.Body), &run) != nil || run.Status != "succeeded" || run.Counts["users"] == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, err = h.Do("GET", run.Report, "", nil); err != nil || r.Status != 200 || !strings.Contains(r.Body, `"decisions"`) {
		t.Errorf("%d %.200s, %v", r.Status, r.Body, err)
	}
	var list []struct{ ID, Status string }
	if r, err = h.Do("GET", "/api/runs", "", nil); err != nil || json.Unmarshal([]byte(r.Body), &list) != nil || len(list) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if h.Stderr() != "" {
		t.Errorf("stderr, which the host takes for errors:\n%s", h.Stderr())
	}
	if strings.Contains(h.Stdout(), at.Token) {
		t.Error("a token is in the log")
	}
	verify := exec.Command(filepath.Join(dir, "risksweep"), "report", "verify")
	verify.Env = append(os.Environ(), handler+"=1", "SIM_TOKEN="+at.Token, "RISKSWEEP_STORE_URL=file:"+store)
	verify.Dir = dir
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
}

// A process that serves no host says so instead of waiting.
func TestFunctionsWithoutAHost(t *testing.T) {
	var out bytes.Buffer
	sys := cli.Sys{In: strings.NewReader(""), Out: &out, Err: &out, Now: time.Now, Env: func(string) (string, bool) { return "", false }}
	if code := cli.Run(t.Context(), []string{"functions"}, sys); code != cli.ExitUsage || !strings.Contains(out.String(), "FUNCTIONS_CUSTOMHANDLER_PORT is not set") {
		t.Errorf("%d %s", code, out.String())
	}
}
