package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/cli"
	"github.com/risksweep/risksweep/internal/graphsim"
)

// On a terminal a diff is coloured: green for what comes, red for what goes or
// is blocked, yellow for what changes; NO_COLOR is obeyed.
func TestDiffInColour(t *testing.T) {
	tenant, err := graphsim.New(graphsim.Options{Users: 20, Seed: 3, Token: "sim"})
	if err != nil {
		t.Fatal(err)
	}
	at := serveTenant(t, tenant)
	dir := t.TempDir()
	file := filepath.Join(dir, "b.yaml")
	policy := func(key, state string) string {
		return fmt.Sprintf("  - {key: %s, displayName: %s, state: %s, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}, grantControls: {builtInControls: [mfa]}}\n", key, key, state)
	}
	write := func(policies ...string) {
		if err := os.WriteFile(file, []byte("breakGlass: {users: [bg1@contoso.com, bg2@contoso.com]}\npolicies:\n"+strings.Join(policies, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"SIM_TOKEN": "sim", "RISKSWEEP_STORE_URL": "file:" + filepath.Join(dir, "reports"), "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND": "0",
		"RISKSWEEP_TENANTS": fmt.Sprintf("[{name: contoso, tenantId: %s, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q, baseline: %q}]", at.TenantID, at.Graph, file)}
	run := func(want int, in string, args ...string) string {
		var out, problems bytes.Buffer
		sys := cli.System()
		sys.In, sys.Out, sys.Err, sys.OutTTY, sys.ErrTTY = strings.NewReader(in), &out, &problems, true, false
		sys.Env = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
		if code := cli.Run(t.Context(), args, sys); code != want {
			t.Fatalf("%v: exit code %d\n%s%s", args, code, out.String(), problems.String())
		}
		return out.String()
	}
	write(policy("A", "disabled"), policy("B", "disabled"))
	run(0, "", "apply", "--enforcement-policies")
	write(policy("A", "enabledForReportingButNotEnforced"), policy("C", "disabled"))
	got := run(0, "", "baseline", "diff")
	for _, want := range []string{"\x1b[33m~ policy A (report-only): update", "\x1b[33mstate: \"disabled\" becomes", "\x1b[32m+ policy C (disabled): create", "\x1b[31m- policy B (disabled): prune", "\x1b[36m· enforcement.prune is off"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	env["NO_COLOR"] = "1"
	if got := run(0, "", "baseline", "diff"); strings.Contains(got, "\x1b") {
		t.Errorf("NO_COLOR is not obeyed: %q", got)
	}
	// destroy asks, and takes no other answer for a yes.
	run(cli.ExitUsage, "no\n", "baseline", "destroy")
	if n := len(tenant.Journal()); n != 2 {
		t.Errorf("%d writes after the answer no", n)
	}
	run(0, "yes\n", "baseline", "destroy")
	if n := len(tenant.Journal()); n != 4 {
		t.Errorf("%d writes after the answer yes", n)
	}
}
