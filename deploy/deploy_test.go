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
	if commands < 2 {
		t.Errorf("%d commands found", commands)
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
	// The builder says for what machine it builds; a default here would hold instead.
	if m := regexp.MustCompile(`(?m)^ARG (?:TARGET|BUILD)(?:OS|ARCH|PLATFORM|VARIANT)=.*$`).FindString(text); m != "" {
		t.Errorf("%s: the image of another machine would hold a binary of this one", m)
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
