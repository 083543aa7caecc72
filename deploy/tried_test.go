package deploy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/risksweep/risksweep/internal/cli"
	"github.com/risksweep/risksweep/internal/config"
)

// asProduct makes this program the product.
const asProduct = "DEPLOY_TEST_IS_THE_PRODUCT"

func TestMain(m *testing.M) {
	if os.Getenv(asProduct) != "" {
		os.Exit(cli.Main(os.Args[1:], cli.System()))
	}
	os.Exit(m.Run())
}

// installed puts the product under its name into a folder that everybody reads,
// which is not that of the test.
func installed(t *testing.T) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "deploy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"product": data, "risksweep": []byte("#!/bin/sh\n" + asProduct + "=1 exec \"$(dirname \"$0\")/product\" \"$@\"\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shell runs lines as a person would type them, and gives what they print.
func shell(t *testing.T, dir string, env []string, lines string) (string, error) {
	t.Helper()
	cmd := exec.Command("bash", "-eo", "pipefail", "-c", lines)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// block is the first fenced block of a document's section.
func block(t *testing.T, section string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)\n## " + section + "\n.*?```shell\n(.*?)```").FindStringSubmatch(read(t, "../docs/deploy.md"))
	if m == nil {
		t.Fatalf("docs/deploy.md has no commands for %s", section)
	}
	return m[1]
}

// What the document installs the user of the unit can read, whatever the mask of
// who installs it; the secrets it cannot. The units pass systemd's own check.
func TestSystemdTried(t *testing.T) {
	if runtime.GOOS != "linux" {
		leftOut(t, "the systemd units", "Linux")
	}
	bin := installed(t)
	root := filepath.Join(bin, "root")
	var lines []string
	for line := range strings.Lines(block(t, "systemd")) {
		if strings.Contains(line, "/etc/risksweep") {
			lines = append(lines, strings.ReplaceAll(line, "/etc/risksweep", root+"/etc/risksweep"))
		}
	}
	if out, err := shell(t, "../examples", nil, "umask 077; mkdir -p "+root+"/etc; chmod 755 "+root+" "+root+"/etc\n"+strings.Join(lines, "")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	etc := filepath.Join(root, "etc", "risksweep")
	if info, err := os.Stat(filepath.Join(etc, "environment")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of secrets: %v, %v", info, err)
	}
	err := filepath.WalkDir(etc, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "environment" {
			return err
		}
		info, err := d.Info()
		if want := map[bool]fs.FileMode{true: 0o755, false: 0o644}[d.IsDir()]; err == nil && info.Mode().Perm() != want {
			t.Errorf("%s has the mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	t.Run("as the unit's user", func(t *testing.T) {
		other(t)
		state := filepath.Join(root, "var", "lib", "risksweep") // what StateDirectory makes
		if out, err := shell(t, "/", nil, "mkdir -p "+state+"; chmod 755 "+root+"/var "+root+"/var/lib; chown 61184:61184 "+state); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		as := "RISKSWEEP_STORE_URL=file:" + state + " setpriv --reuid 61184 --regid 61184 --clear-groups env HOME=/ " + bin + "/risksweep "
		if out, err := shell(t, "/", nil, as+"config validate --config "+etc+"/risksweep.yaml"); err != nil || !strings.Contains(out, "nothing wrong") {
			t.Errorf("the unit's user: %v\n%s", err, out)
		}
		if out, err := shell(t, "/", nil, "chmod 750 "+etc+"; "+as+"config validate --config "+etc+"/risksweep.yaml"); err == nil {
			t.Errorf("the trial does not see a folder that is closed:\n%s", out)
		}
	})
	t.Run("systemd-analyze verify", func(t *testing.T) {
		if _, err := exec.LookPath("systemd-analyze"); err != nil {
			leftOut(t, "systemd's own check of the units", "the program systemd-analyze")
		}
		units, err := filepath.Glob("systemd/*")
		if err != nil {
			t.Fatal(err)
		}
		var copies []string
		for _, u := range units {
			to := filepath.Join(t.TempDir(), filepath.Base(u))
			if err := os.WriteFile(to, []byte(strings.ReplaceAll(read(t, u), "/usr/local/bin/risksweep", bin+"/risksweep")), 0o644); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(u, ".timer") { // it would look for its service among those installed
				copies = append(copies, to)
			}
		}
		if out, err := exec.Command("systemd-analyze", append([]string{"verify"}, copies...)...).CombinedOutput(); err != nil && strings.Contains(string(out), ".service:") {
			t.Errorf("systemd-analyze verify: %v\n%s", err, out)
		}
	})
}

// other is for a trial that runs something as another user.
func other(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("setpriv"); err != nil || os.Geteuid() != 0 {
		leftOut(t, "running as a user that owns nothing", "root and the program setpriv")
	}
}

// leftOut ends a part of a trial that this machine has not what it takes for. The check
// shows what was left out.
func leftOut(t *testing.T, what, needs string) {
	t.Helper()
	t.Skipf("left out: %s, which needs %s", what, needs)
}

// The pods find the configuration where their arguments say, laid out as the
// document's ConfigMaps are mounted: flat, every file a link.
func TestKubernetesTried(t *testing.T) {
	bin := installed(t)
	maps := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^kubectl create configmap (\S+)((?: --from-file=\S+)+)$`).FindAllStringSubmatch(block(t, "Kubernetes"), -1) {
		for _, f := range strings.Fields(m[2]) {
			maps[m[1]] = append(maps[m[1]], strings.TrimPrefix(f, "--from-file="))
		}
	}
	for _, name := range []string{"kubernetes/cronjob.yaml", "kubernetes/deployment.yaml"} {
		text := read(t, name)
		root := t.TempDir()
		accounts, args := 0, ""
		for _, part := range strings.Split(text, "\n---\n") {
			var doc map[string]any
			if err := yaml.Unmarshal([]byte(part), &doc); err != nil {
				t.Fatal(err)
			}
			if doc["kind"] == "ServiceAccount" {
				accounts++
			}
			pod := at(doc, "spec", "template", "spec")
			if doc["kind"] == "CronJob" {
				pod = at(doc, "spec", "jobTemplate", "spec", "template", "spec")
			}
			if pod == nil || doc["kind"] == "Service" {
				continue
			}
			sources := map[any]any{}
			for _, v := range at(pod, "volumes").([]any) {
				sources[at(v, "name")] = at(v, "configMap", "name")
			}
			c := at(pod, "containers").([]any)[0]
			for _, m := range at(c, "volumeMounts").([]any) {
				source, _ := sources[at(m, "name")].(string)
				mount(t, filepath.Join(root, at(m, "mountPath").(string)), maps[source])
			}
			args = fmt.Sprint(at(c, "args"))
		}
		if accounts != 1 {
			t.Errorf("%s: %d service accounts", name, accounts)
		}
		config := regexp.MustCompile(`--config (\S+)`).FindStringSubmatch(args)
		if config == nil {
			t.Fatalf("%s: %s", name, args)
		}
		if out, err := shell(t, "/", nil, bin+"/risksweep config validate --config "+root+config[1]); err != nil || !strings.Contains(out, "nothing wrong") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// mount lays files out as a ConfigMap does; a folder gives the files in it.
func mount(t *testing.T, dir string, from []string) {
	t.Helper()
	if len(from) == 0 {
		t.Errorf("%s: nothing makes its ConfigMap", dir)
	}
	data := filepath.Join(dir, "..2026_11_30")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..2026_11_30", filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	for _, f := range from {
		files := []string{filepath.Join("../examples", f)}
		if strings.HasSuffix(f, "/") {
			files, _ = filepath.Glob(filepath.Join("../examples", f, "*"))
		}
		for _, file := range files {
			if err := os.WriteFile(filepath.Join(data, filepath.Base(file)), []byte(read(t, file)), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("..data/"+filepath.Base(file), filepath.Join(dir, filepath.Base(file))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The workflow's own steps, run one after the other on a tenant whose baseline is
// applied, written down with its ids, and then changed in the repository: without the
// store of the nightly runs they show what differs as Markdown, and name nobody.
func TestWorkflowTried(t *testing.T) {
	bin, dir := installed(t), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	sim := exec.Command(filepath.Join(bin, "risksweep"), "sim", "--listen", "127.0.0.1:0", "--users", "30", "--detections", "0", "--policies", "2")
	out, err := sim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Process.Signal(syscall.SIGTERM); _ = sim.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var ready struct{ Graph, TenantID, Token string }
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatal(err)
	}
	tenants := func(old, with string) string {
		const all = "RISKSWEEP_TENANTS=[{name: contoso, tenantId: %s, credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: %q, baseline: baseline, triage: triage.yaml}]"
		return strings.Replace(fmt.Sprintf(all, ready.TenantID, ready.Graph), old, with, 1)
	}
	store, summary := filepath.Join(dir, "store"), filepath.Join(dir, "summary.md")
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "NO_COLOR=1", "GITHUB_STEP_SUMMARY=" + summary, "SIM_TOKEN=" + ready.Token, "RISKSWEEP_STORE_URL=file:" + store, "RISKSWEEP_SWEEP_REQUESTS_PER_SECOND=0",
		tenants("", "")}
	if out, err := shell(t, dir, env, "risksweep apply --enforcement-policies && risksweep baseline adopt --write"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var w struct {
		Jobs map[string]struct {
			Env   map[string]string
			Steps []struct{ Name, Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "github/baseline.yaml")), &w); err != nil {
		t.Fatal(err)
	}
	for name, value := range w.Jobs["plan"].Env { // later ones win
		env = append(env, name+"="+value)
	}
	steps := func() string {
		t.Helper()
		if err := os.WriteFile(summary, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, job := range w.Jobs {
			for _, s := range job.Steps {
				if s.Run == "" || s.Name == "Install" { // see TestWorkflowInstalls
					continue
				}
				if out, err := shell(t, dir, env, s.Run); err != nil {
					t.Errorf("%s: %v\n%s", s.Name, err, out)
				}
			}
		}
		return read(t, summary)
	}
	before := listing(t, store)
	if text := steps(); !strings.Contains(text, "### contoso: 0 to look at, ") || strings.Contains(text, "```") {
		t.Errorf("nothing differs:\n%s", text)
	}
	file := filepath.Join(dir, "baseline", "30-risk.yaml")
	changed := regexp.MustCompile(`enabledForReportingButNotEnforced|enabled\b`).ReplaceAllString(read(t, file), "disabled")
	changed = strings.ReplaceAll(changed, "state: report-only", "state: disabled")
	glass := filepath.Join(dir, "baseline", "00-break-glass.yaml")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(glass, []byte(strings.Replace(read(t, glass), "bg2@contoso.com", "ada@contoso.com", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append(env, tenants(", triage: triage.yaml", "")) // a repository may hold the baseline alone
	text := steps()
	if !strings.Contains(text, "```diff\n") || !strings.Contains(text, "\n~ ") {
		t.Errorf("no difference is shown:\n%s", text)
	}
	if strings.Contains(text, "@contoso.com") {
		t.Errorf("a person is named:\n%s", text)
	}
	if after := listing(t, store); after != before {
		t.Errorf("the store changed:\n%s\n%s", before, after)
	}
}

// The workflow installs the version that is named, and says what to do where none is.
func TestWorkflowInstalls(t *testing.T) {
	bin, home := t.TempDir(), t.TempDir()
	fake := "#!/bin/sh\ncase $1 in env) echo " + home + " ;; install) mkdir -p " + home + "/bin; echo \"$2\" > " + home + "/bin/job ;; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(fake), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	var w struct {
		Jobs map[string]struct{ Steps []struct{ Name, Run string } }
	}
	if err := yaml.Unmarshal([]byte(read(t, "github/baseline.yaml")), &w); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.Jobs["plan"].Steps {
		if s.Name != "Install" {
			continue
		}
		path := "PATH=" + bin + ":" + os.Getenv("PATH")
		if out, err := shell(t, home, []string{path, "VERSION="}, s.Run); err == nil || !strings.Contains(out, "set the variable RISKSWEEP_VERSION of the repository") {
			t.Errorf("without a version: %v\n%s", err, out)
		}
		if out, err := shell(t, home, []string{path, "VERSION=v9.8.7"}, s.Run); err != nil || read(t, filepath.Join(home, "bin", "risksweep")) != "github.com/risksweep/risksweep/cmd/job@v9.8.7\n" {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	t.Error("nothing installs risksweep")
}

// listing names the files of a folder with their sizes and times.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A packed configuration and the template's app settings make one configuration
// that can be loaded, in which the settings win.
func TestTemplateTried(t *testing.T) {
	bin, dir := installed(t), t.TempDir()
	if out, err := shell(t, "../examples", nil, bin+"/risksweep functions package --out "+dir+"/app --config risksweep.yaml --binary "+bin+"/product"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text := read(t, "azure/main.bicep")
	_, settings, _ := strings.Cut(text, "name: 'appsettings'")
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^    (RISKSWEEP_\w+): (.+)$`).FindAllStringSubmatch(settings, -1) {
		name, value := m[1], m[2]
		if m := regexp.MustCompile(`^(\w+) \? '(\w+)' : '(\w+)'$`).FindStringSubmatch(value); m != nil { // as the parameter is by default
			value = m[3]
			if strings.Contains(text, "\nparam "+m[1]+" bool = true\n") {
				value = m[2]
			}
		}
		param := regexp.MustCompile(`(?m)^param ` + strings.TrimSuffix(strings.TrimPrefix(value, "string("), ")") + ` \w+ = (.+)$`).FindStringSubmatch(text)
		switch {
		case strings.Contains(value, "${"):
			value = "https://account.blob.core.windows.net/risksweep"
		case strings.HasSuffix(value, ".clientId"):
			value = "11111111-2222-4333-8444-555555555555"
		case param != nil:
			value = param[1]
		}
		env[name] = strings.Trim(value, "'")
	}
	if len(env) < 10 {
		t.Fatalf("settings %v", env)
	}
	cfg, problems := config.Load(config.LoadOptions{WorkDir: filepath.Join(dir, "app"), Env: func(name string) (string, bool) { v, ok := env[name]; return v, ok }})
	if err := problems.Err(); err != nil {
		t.Fatalf("%v\nwith %v", err, env)
	}
	if len(cfg.Tenants) != 1 || cfg.Tenants[0].Baseline == "" || cfg.Store.Credential.Kind != config.KindManagedIdentity || cfg.Store.URL != env["RISKSWEEP_STORE_URL"] {
		t.Errorf("%+v %+v", cfg.Tenants, cfg.Store)
	}
}
