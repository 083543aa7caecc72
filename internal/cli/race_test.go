package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
	"github.com/risksweep/risksweep/internal/graphsim"
)

// Two processes start an apply over one tenant at the same instant, a hundred
// times over: one runs, the other says who does and ends with 11. Where the
// first is done before the second asks, both run, one after the other; the
// tenant is slow enough for that not to happen.
func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	const pairs, atOnce = 50, 5 // in each kind of store
	exe := product(t)
	tenant, err := graphsim.New(graphsim.Options{Users: 20, Detections: 20, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := tenant.SetFaults("faults.yaml", []byte(`faults: [{match: {path: /organization}, do: {delay: 700ms}}]`)); err != nil {
		t.Fatal(err)
	}
	at := serveTenant(t, tenant)
	azurite := azuritetest.Shared(t)
	for kind, store := range map[string][]string{
		"folder":    {"RISKSWEEP_STORE_URL=file:" + filepath.Join(t.TempDir(), "store")},
		"container": {"RISKSWEEP_STORE_URL=" + azurite.Container(), "RISKSWEEP_STORE_CREDENTIAL_KIND=connectionString", "RISKSWEEP_STORE_CONNECTION_STRING=" + azurite.ConnectionString()},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			slots := make(chan struct{}, atOnce)
			var wg sync.WaitGroup
			for i := range pairs {
				slots <- struct{}{}
				name := fmt.Sprintf("tenant%02d", i)
				env := append(os.Environ(), store...)
				env = append(env, "SIM_TOKEN="+at.Token, "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND=0",
					fmt.Sprintf("RISKSWEEP_TENANTS=[{name: %s, tenantId: %s, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q}]", name, at.TenantID, at.Graph))
				wg.Go(func() {
					defer func() { <-slots }()
					two(t, exe, name, env)
				})
			}
			wg.Wait()
		})
	}
}

// two runs two applies at once.
func two(t *testing.T, exe, tenant string, env []string) {
	var cmds [2]*exec.Cmd
	var said [2]bytes.Buffer
	for i := range cmds {
		cmds[i] = exec.Command(exe, "apply")
		cmds[i].Env, cmds[i].Dir = env, t.TempDir()
		cmds[i].Stdout, cmds[i].Stderr = &said[i], &said[i]
	}
	for _, c := range cmds {
		if err := c.Start(); err != nil {
			t.Error(err)
			return
		}
	}
	codes := map[int]int{}
	for i, c := range cmds {
		var exit *exec.ExitError
		if err := c.Wait(); err != nil && !errors.As(err, &exit) {
			t.Error(err)
			return
		}
		code := c.ProcessState.ExitCode()
		codes[code]++
		if code == 11 && !strings.Contains(said[i].String(), fmt.Sprintf("(process %d), since 20", cmds[1-i].Process.Pid)) {
			t.Errorf("%s: the holder is not named:\n%s", tenant, said[i].String())
		}
	}
	if codes[0] != 1 || codes[11] != 1 {
		t.Errorf("%s: exit codes %v\n%s\n%s", tenant, codes, said[0].String(), said[1].String())
	}
}
