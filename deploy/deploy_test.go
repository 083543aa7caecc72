// Package deploy_test holds the deployments to the product as far as that can
// be done without a cloud: their commands and flags exist, their settings are
// read, their app roles are those of one table, and nothing runs with more
// rights than it needs.
package deploy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/risksweep/risksweep/internal/cli"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/doctor"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// commandExists asks the command line whether a command and its flags exist.
func commandExists(t *testing.T, of string, args []string) {
	t.Helper()
	var out bytes.Buffer
	sys := cli.Sys{In: strings.NewReader(""), Out: &out, Err: &out, Now: time.Now, Env: func(string) (string, bool) { return "", false }}
	if code := cli.Run(context.Background(), append(slices.Clone(args), "--help"), sys); code != 0 || !strings.Contains(out.String(), "risksweep "+args[0]) {
		t.Errorf("%s: risksweep %s: exit code %d\n%s", of, strings.Join(args, " "), code, out.String())
	}
}

func TestKubernetes(t *testing.T) {
	for _, name := range []string{"kubernetes/cronjob.yaml", "kubernetes/deployment.yaml"} {
		dec := yaml.NewDecoder(strings.NewReader(read(t, name)))
		var pods int
		for {
			var doc map[string]any
			err := dec.Decode(&doc)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if doc["apiVersion"] == nil || doc["kind"] == nil || at(doc, "metadata", "name") != "risksweep" {
				t.Errorf("%s: %v %v has no name of ours", name, doc["apiVersion"], doc["kind"])
			}
			pod := at(doc, "spec", "template", "spec")
			if doc["kind"] == "CronJob" {
				pod = at(doc, "spec", "jobTemplate", "spec", "template", "spec")
				if at(doc, "spec", "concurrencyPolicy") != "Forbid" {
					t.Errorf("%s: runs may overlap", name)
				}
			}
			if pod != nil {
				pods++
				checkPod(t, name, pod)
			}
		}
		if pods != 1 {
			t.Errorf("%s: %d pods", name, pods)
		}
	}
}

func checkPod(t *testing.T, name string, pod any) {
	t.Helper()
	for want, path := range map[any][]string{true: {"securityContext", "runAsNonRoot"}, "RuntimeDefault": {"securityContext", "seccompProfile", "type"}, "risksweep": {"serviceAccountName"}} {
		if got := at(pod, path...); got != want {
			t.Errorf("%s: %s is %v", name, strings.Join(path, "."), got)
		}
	}
	if grace, ok := at(pod, "terminationGracePeriodSeconds").(int); !ok || grace < 90 {
		t.Errorf("%s: too little time to write reports: %v", name, grace)
	}
	containers, ok := at(pod, "containers").([]any)
	if !ok || len(containers) != 1 {
		t.Fatalf("%s: containers %v", name, containers)
	}
	c := containers[0]
	if at(c, "securityContext", "allowPrivilegeEscalation") != false || at(c, "securityContext", "readOnlyRootFilesystem") != true ||
		cmp.Diff([]any{"ALL"}, at(c, "securityContext", "capabilities", "drop")) != "" {
		t.Errorf("%s: securityContext %v", name, at(c, "securityContext"))
	}
	var args []string
	for _, a := range at(c, "args").([]any) {
		args = append(args, a.(string))
	}
	commandExists(t, name, args)
	for _, e := range at(c, "env").([]any) {
		if env, _ := at(e, "name").(string); !slices.Contains(variables(), env) {
			t.Errorf("%s: nothing reads %s", name, env)
		}
	}
}

// at follows a path through mappings.
func at(v any, path ...string) any {
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

// variables are the environment variables that the product reads.
func variables() []string {
	all := []string{config.EnvConfig, config.EnvTenants, config.EnvNotices, config.EnvConnectionString, config.EnvNCRONTAB}
	for _, k := range config.Reference() {
		if k.Env != "" && !slices.Contains(all, k.Env) {
			all = append(all, k.Env)
		}
	}
	return all
}

func TestSystemd(t *testing.T) {
	names, err := filepath.Glob("systemd/*")
	if err != nil || len(names) != 3 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		section, seen := "", map[string]string{}
		for i, line := range strings.Split(read(t, name), "\n") {
			switch key, value, ok := strings.Cut(line, "="); {
			case line == "" || strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "["):
				section = strings.Trim(line, "[]")
			case !ok || section == "":
				t.Errorf("%s:%d: %q", name, i+1, line)
			default:
				seen[section+"."+key] = value
			}
		}
		if strings.HasSuffix(name, ".timer") {
			if seen["Timer.Persistent"] != "yes" || seen["Timer.OnCalendar"] == "" || seen["Install.WantedBy"] != "timers.target" {
				t.Errorf("%s: %v", name, seen)
			}
			continue
		}
		args := strings.Fields(seen["Service.ExecStart"])
		if len(args) < 2 || args[0] != "/usr/local/bin/risksweep" {
			t.Fatalf("%s: ExecStart %v", name, args)
		}
		commandExists(t, name, args[1:])
		for key, want := range map[string]string{"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "", "UMask": "0077", "TimeoutStopSec": "120"} {
			if got, ok := seen["Service."+key]; !ok || got != want {
				t.Errorf("%s: %s=%s, want %s", name, key, got, want)
			}
		}
	}
}

func TestWorkflow(t *testing.T) {
	const name = "github/baseline.yaml"
	var w struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			If    string
			Env   map[string]string
			Steps []struct{ Name, Uses, Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, name)), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"contents": "read", "id-token": "write"}, w.Permissions); diff != "" {
		t.Errorf("permissions (-want +got)\n%s", diff)
	}
	pinned := regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	command := regexp.MustCompile(`(?m)^\s*risksweep ([a-z -]+)`)
	var commands int
	for _, job := range w.Jobs {
		if !strings.Contains(job.If, "head.repo.full_name == github.repository") {
			t.Error("a fork's pull request would get the identity")
		}
		for env := range job.Env {
			if !slices.Contains(variables(), env) {
				t.Errorf("nothing reads %s", env)
			}
		}
		for _, s := range job.Steps {
			if s.Uses != "" && !pinned.MatchString(s.Uses) {
				t.Errorf("%s is not pinned by its commit", s.Uses)
			}
			for _, m := range command.FindAllStringSubmatch(s.Run, -1) {
				commands++
				args := strings.Fields(m[1])
				commandExists(t, name, args)
				if args[0] == "apply" || args[0] == "serve" {
					t.Errorf("a pull request must not %s", args[0])
				}
			}
		}
	}
	if commands < 3 {
		t.Errorf("%d commands found", commands)
	}
}

// The roles in the template and in the script are those of the table, each for
// the same parts.
func TestGraphRoles(t *testing.T) {
	type role struct{ Role, ID, Parts string }
	var want []role
	for _, p := range doctor.Permissions() {
		var parts []string
		for _, part := range p.Parts {
			parts = append(parts, string(part))
		}
		want = append(want, role{p.Role, p.ID, strings.Join(parts, ",")})
	}
	var bicep []role
	for _, m := range regexp.MustCompile(`(?m)^  '([\w.]+)': \{ id: '([0-9a-f-]{36})', wanted: ([\w| ]+) \}$`).FindAllStringSubmatch(read(t, "azure/graph.bicep"), -1) {
		parts := strings.ReplaceAll(m[3], " || ", ",")
		if parts == "true" {
			parts = "read"
		}
		bicep = append(bicep, role{m[1], m[2], parts})
	}
	if diff := cmp.Diff(want, bicep); diff != "" {
		t.Errorf("graph.bicep (-table +template)\n%s", diff)
	}
	var script []role
	for _, m := range regexp.MustCompile(`(?m)^([A-Z][\w.]+) +([0-9a-f-]{36}) +([\w,]+)$`).FindAllStringSubmatch(read(t, "azure/grant-roles.sh"), -1) {
		script = append(script, role{m[1], m[2], m[3]})
	}
	if diff := cmp.Diff(want, script); diff != "" {
		t.Errorf("grant-roles.sh (-table +script)\n%s", diff)
	}
	type row struct{ Role, Parts string }
	var rows, docs []row
	parts := map[string]bool{}
	for _, r := range want {
		rows = append(rows, row{r.Role, r.Parts})
		for _, p := range strings.Split(r.Parts, ",") {
			parts[p] = true
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z][\\w.]+)` \\| ([\\w, ]+) \\| .+ \\|$").FindAllStringSubmatch(read(t, "../docs/deploy.md"), -1) {
		docs = append(docs, row{m[1], strings.ReplaceAll(m[2], ", ", ",")})
	}
	if diff := cmp.Diff(rows, docs); diff != "" {
		t.Errorf("docs/deploy.md (-table +page)\n%s", diff)
	}
	// Whoever asks for a part gets it, by the script and by the template.
	help, _, _ := strings.Cut(read(t, "azure/grant-roles.sh"), "set -euo")
	help = help[strings.Index(help, "Parts:"):]
	taken := regexp.MustCompile(`(?m)^    ([\w |]+)\) ;;$`).FindStringSubmatch(read(t, "azure/grant-roles.sh"))
	for p := range parts {
		if word := regexp.MustCompile(`\b` + p + `\b`); !word.MatchString(help) || taken == nil || !word.MatchString(taken[1]) {
			t.Errorf("grant-roles.sh does not name the part %s in its help, or does not take it", p)
		}
		if p != "read" && !strings.Contains(read(t, "azure/main.bicep"), "\n    "+p+": "+p+"\n") {
			t.Errorf("main.bicep does not hand %s on to graph.bicep", p)
		}
	}
}

// The script grants what is missing of the named parts, once, and nothing else.
func TestGrantRolesScript(t *testing.T) {
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
	az := `#!/bin/sh
case "$*" in
  "ad sp show"*) echo the-graph ;;
  *"--method GET"*) echo dc5007c0-2d7d-4c42-879c-2dab87571379 ;;
  *) printf '%s\n' "$*" >> "` + log + `" ;;
esac
`
	if err := os.WriteFile(filepath.Join(bin, "az"), []byte(az), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("bash", append([]string{"azure/grant-roles.sh"}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("the-identity", "read", "dismiss")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "IdentityRiskEvent.Read.All: granted\nIdentityRiskyUser.Read.All: there already\nOrganization.Read.All: granted\nIdentityRiskyUser.ReadWrite.All: granted\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	posts := strings.Split(strings.TrimSpace(read(t, log)), "\n")
	if len(posts) != 3 || !strings.Contains(posts[2], `{"principalId":"the-identity","resourceId":"the-graph","appRoleId":"656f6061-f9fe-4807-9708-6a2e0934df76"}`) {
		t.Errorf("requests %q", posts)
	}
	for _, args := range [][]string{{}, {"the-identity"}, {"the-identity", "everything"}} {
		if out, err := run(args...); err == nil {
			t.Errorf("%v: taken\n%s", args, out)
		}
	}
}

// hostSettings are app settings that the platform reads.
var hostSettings = []string{"FUNCTIONS_EXTENSION_VERSION", "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_RUN_FROM_PACKAGE", "APPLICATIONINSIGHTS_CONNECTION_STRING",
	"AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__credential", "AzureWebJobsStorage__clientId", "AzureFunctionsJobHost__functionTimeout"}

func TestTemplateOfTheFunctionApp(t *testing.T) {
	text := read(t, "azure/main.bicep")
	for _, pair := range []string{"{}", "[]", "()"} {
		if a, b := strings.Count(text, pair[:1]), strings.Count(text, pair[1:]); a != b {
			t.Errorf("%d %s and %d %s", a, pair[:1], b, pair[1:])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^(?:param|var) (\w+)`).FindAllStringSubmatch(text, -1) {
		if n := len(regexp.MustCompile(`\b`+m[1]+`\b`).FindAllString(text, -1)); n < 2 {
			t.Errorf("%s is never used", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^param (\w+)`).FindAllStringSubmatch(read(t, "azure/main.bicepparam"), -1) {
		if !regexp.MustCompile(`(?m)^param ` + m[1] + ` `).MatchString(text) {
			t.Errorf("main.bicepparam sets %s, which the template does not have", m[1])
		}
	}
	_, block, _ := strings.Cut(text, "name: 'appsettings'")
	var settings []string
	for _, m := range regexp.MustCompile(`(?m)^    (\w+): `).FindAllStringSubmatch(block, -1) {
		settings = append(settings, m[1])
		if !slices.Contains(hostSettings, m[1]) && !slices.Contains(variables(), m[1]) {
			t.Errorf("nothing reads the setting %s", m[1])
		}
	}
	for _, need := range []string{"AzureWebJobsStorage__accountName", config.EnvNCRONTAB, config.EnvName("store.url"), config.EnvName("store.credential.kind"), config.EnvName("schedule.mode")} {
		if !slices.Contains(settings, need) {
			t.Errorf("the setting %s is missing", need)
		}
	}
	// Bicep's string(true) is "True".
	if strings.Contains(text, "string(allowApply)") || strings.Contains(text, "string(dismiss)") || strings.Contains(text, "string(policies)") {
		t.Error("a switch is written as Bicep writes it, not as the configuration reads it")
	}
	for _, must := range []string{"allowSharedKeyAccess: false", "allowBlobPublicAccess: false", "minimumTlsVersion: 'TLS1_2'", "httpsOnly: true",
		// Blob Data Owner, Queue Data Contributor, Table Data Contributor
		"b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "974c5e8b-45b9-4653-ba55-5f855dd0fb88", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"} {
		if !strings.Contains(text, must) {
			t.Errorf("no %s", must)
		}
	}
	for _, name := range []string{"risksweep-runs", "risksweep-runs-poison"} {
		if !strings.Contains(text, "name: '"+name+"'") {
			t.Errorf("no queue %s", name)
		}
	}
	var bicepConfig map[string]any
	if err := json.Unmarshal([]byte(read(t, "azure/bicepconfig.json")), &bicepConfig); err != nil {
		t.Error(err)
	}
}

// The example of local settings names every setting, and can be loaded.
func TestLocalSettings(t *testing.T) {
	var s struct {
		IsEncrypted bool
		Values      map[string]string
	}
	if err := json.Unmarshal([]byte(read(t, "../local.settings.json.example")), &s); err != nil {
		t.Fatal(err)
	}
	var missing, unknown []string
	for _, v := range variables() {
		if _, ok := s.Values[v]; !ok {
			missing = append(missing, v)
		}
	}
	for v := range s.Values {
		if !slices.Contains(variables(), v) && !slices.Contains(hostSettings, v) {
			unknown = append(unknown, v)
		}
	}
	if len(missing)+len(unknown) > 0 {
		t.Errorf("missing %v, unknown %v", missing, unknown)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	_, problems := config.Load(config.LoadOptions{WorkDir: dir, Env: func(k string) (string, bool) { v, ok := s.Values[k]; return v, ok }})
	if err := problems.Err(); err != nil {
		t.Errorf("the settings cannot be loaded: %v", err)
	}
}

func TestImage(t *testing.T) {
	text := read(t, "../Dockerfile")
	if strings.HasPrefix(text, "# syntax=") {
		t.Error("another syntax has to be fetched from a registry")
	}
	for _, must := range []string{"CGO_ENABLED=0", "-trimpath", "--mount=type=cache,target=/cache/mod", "--mount=type=cache,target=/cache/build", "AS functions", "AS serve", "USER 65532:65532",
		"internal/cli.version=$VERSION", "internal/cli.commit=$COMMIT"} {
		if !strings.Contains(text, must) {
			t.Errorf("no %s", must)
		}
	}
	// The build image's user and its home are the image's affair.
	if strings.Contains(text, "/root") {
		t.Error("a path of the build image's user stands in it")
	}
	// Every base image can be replaced by a local one.
	stages := regexp.MustCompile(`(?m)^FROM (\S+) AS (\w+)$`).FindAllStringSubmatch(text, -1)
	if len(stages) != 4 || stages[len(stages)-1][2] != "serve" {
		t.Fatalf("stages %v", stages)
	}
	for _, s := range stages {
		name := strings.Trim(s[1], "${}")
		if s[1] != "build" && !regexp.MustCompile(`(?m)^ARG `+name+`=\S`).MatchString(text) {
			t.Errorf("the base of %s is fixed", s[2])
		}
	}
	source := read(t, "../internal/cli/misc.go")
	for _, v := range []string{"version", "commit"} {
		if !regexp.MustCompile(`(?m)^\t` + v + ` += ""`).MatchString(source) {
			t.Errorf("internal/cli has no variable %s to stamp", v)
		}
	}
	var serve []string
	for _, m := range regexp.MustCompile(`(?m)(?:^|\s)CMD (\[.*\])$`).FindAllStringSubmatch(text, -1) {
		var args []string
		if err := json.Unmarshal([]byte(m[1]), &args); err != nil {
			t.Fatal(err)
		}
		if args[0] == "/usr/local/bin/risksweep" {
			args = args[1:]
		}
		commandExists(t, "Dockerfile", args)
		serve = append(serve, strings.Join(args, " "))
	}
	if diff := cmp.Diff([]string{"serve --check", "serve"}, serve); diff != "" {
		t.Errorf("commands (-want +got)\n%s", diff)
	}
	ignored := read(t, "../.dockerignore")
	for _, must := range []string{".git", "local.settings.json", "reports"} {
		if !slices.Contains(strings.Split(ignored, "\n"), must) {
			t.Errorf(".dockerignore lets %s in", must)
		}
	}
}
