package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/cli"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// people finds the names and addresses of a tenant's users, and the IPs of its
// sign-ins, in a text; it gives the first.
func people(t *testing.T, at graphsim.Ready) func(text []byte) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.Graph+"/users?$top=999&$select=displayName", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+at.Token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var list struct {
		Value []struct{ DisplayName string }
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil || len(list.Value) < 100 {
		t.Fatalf("%d users, %v", len(list.Value), err)
	}
	addresses := regexp.MustCompile(`@contoso\.com|198\.1[89]\.[0-9]+\.[0-9]+|2001:db8(:[0-9a-f]{1,4}){6}`)
	return func(text []byte) string {
		for _, u := range list.Value {
			// One word may be any.
			if strings.Contains(u.DisplayName, " ") && bytes.Contains(text, []byte(u.DisplayName)) {
				return u.DisplayName
			}
		}
		return string(addresses.Find(text))
	}
}

// noPerson reports a person in a file that is to hold none.
func noPerson(person func([]byte) string, path, redact string) error {
	if redact == "none" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if who := person(data); who != "" {
		return fmt.Errorf("%s holds %q", path, who)
	}
	return nil
}

// Every JSON file that real runs leave, whatever the tenant, keeps to its
// published schema; none is without one. Where names are to be hashed or dropped,
// no file and no log holds one.
func TestFilesOfRunsMeetTheirSchemas(t *testing.T) {
	t.Parallel()
	compiled := map[string]*jsonschema.Schema{}
	for _, redact := range []string{"none", "hash", "drop"} {
		t.Run(redact, func(t *testing.T) {
			tenant, err := graphsim.New(graphsim.Options{Users: 120, Detections: 400, Policies: 3, SignIns: 200, Seed: 5, Token: "sim"})
			if err != nil {
				t.Fatal(err)
			}
			at := serveTenant(t, tenant)
			dir, base, person := t.TempDir(), t.TempDir(), people(t, at)
			if err := os.CopyFS(base, os.DirFS("../../examples/baseline")); err != nil {
				t.Fatal(err)
			}
			// A policy that waits for its evidence leaves impact.json.
			if err := os.WriteFile(filepath.Join(base, "90-waits.yaml"), []byte(`policies: [{key: WAITS, displayName: Waits, state: enabled, promote: {after: 7d},
  conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}, grantControls: {operator: OR, builtInControls: [mfa]}}]`), 0o600); err != nil {
				t.Fatal(err)
			}
			env := map[string]string{"SIM_TOKEN": "sim", "RISKSWEEP_STORE_URL": "file:" + dir, "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND": "0", "RISKSWEEP_CONFIG": "../../examples/risksweep.yaml",
				"RISKSWEEP_REPORT_FORMATS": "ocsf", "RISKSWEEP_REPORT_REDACT": redact, "RISKSWEEP_SWEEP_SERVICE_PRINCIPALS": "true",
				"RISKSWEEP_LIMITS_MAX_DISMISSALS": "2", "RISKSWEEP_TENANTS": "[{name: contoso, tenantId: " + at.TenantID + ", credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: \"" + at.Graph +
					"\", baseline: \"" + base + "\", triage: ../../examples/triage.yaml}]"}
			for _, mode := range []string{"plan", "apply", "apply"} {
				var out, logs bytes.Buffer
				sys := cli.System()
				sys.Out, sys.Err = &out, &logs
				sys.Env = func(name string) (string, bool) { v, ok := env[name]; return v, ok }
				if code := cli.Run(t.Context(), []string{mode, "--enforcement-dismiss", "--enforcement-confirm-compromised", "--enforcement-policies"}, sys); code != cli.ExitDone && code != cli.ExitPartial && code != cli.ExitRefused {
					t.Fatalf("%s: exit code %d\n%s%s", mode, code, out.String(), logs.String())
				}
				if who := person(logs.Bytes()); who != "" {
					t.Errorf("%s logs %q", mode, who)
				}
			}
			seen := map[string]int{}
			err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				name := d.Name()
				if err == nil && !d.IsDir() {
					err = noPerson(person, path, redact)
				}
				kind, lines := strings.CutSuffix(name, ".jsonl")
				if kind, _ = strings.CutSuffix(kind, ".json"); err != nil || d.IsDir() || kind == name {
					return err
				}
				if filepath.Base(filepath.Dir(path)) == "tenants" {
					kind = "tenant"
				}
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				documents := [][]byte{data}
				if lines {
					documents = bytes.Split(bytes.TrimSpace(data), []byte("\n"))
				}
				if compiled[kind] == nil {
					compiled[kind] = schemaOf(t, kind)
				}
				for _, document := range documents {
					if len(document) == 0 {
						continue
					}
					seen[kind]++
					if err := compiled[kind].Validate(parsed(t, document)); err != nil {
						t.Fatalf("%s: %v\n%s", path, err, document)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			schemas, err := filepath.Glob("../../docs/schema/*.schema.json")
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range schemas {
				if kind := strings.TrimSuffix(filepath.Base(s), ".schema.json"); seen[kind] == 0 {
					t.Errorf("no run left a file for the schema of %s: %v", kind, seen)
				}
			}
		})
	}
}

func schemaOf(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("../../docs/schema/" + kind + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("https://schema/"+kind, parsed(t, data)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://schema/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func parsed(t *testing.T, document []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return v
}
