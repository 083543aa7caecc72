package deploy_test

import (
	"bufio"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// stage is what one FROM of a Dockerfile comes to.
type stage struct {
	name, root, workdir, user string
	env                       []string
	entrypoint, cmd, health   []string
	volumes                   []string
}

// image carries out a Dockerfile as far as that goes without its base images: every
// stage is a folder, and of what RUN runs all is real but the building itself. There
// go checks the command (-n) and the product of this test stands in for the result.
type image struct {
	t       *testing.T
	source  string // what COPY copies from
	bin     string // has go as the steps see it
	args    map[string]string
	stages  map[string]*stage
	current *stage
}

var instruction = regexp.MustCompile(`(?m)^([A-Z]+) +(.*)$`)

func (i *image) build(text string) {
	i.t.Helper()
	text = regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for _, m := range instruction.FindAllStringSubmatch(text, -1) {
		i.step(m[1], strings.TrimSpace(m[2]))
	}
}

// expand puts build arguments in their places.
func (i *image) expand(s string) string {
	return os.Expand(s, func(name string) string { return i.args[name] })
}

func (i *image) step(what, rest string) {
	i.t.Helper()
	s := i.current
	switch what {
	case "ARG":
		name, value, _ := strings.Cut(rest, "=")
		i.args[name] = value
		if s != nil && value != "" {
			s.env = append(s.env, name+"="+value)
		}
	case "FROM":
		f := strings.Fields(rest) // base AS name
		i.current = &stage{name: f[2], root: i.t.TempDir(), workdir: "/"}
		if base := i.stages[f[0]]; base != nil {
			*i.current = *base
			i.current.name = f[2]
		}
		i.stages[f[2]] = i.current
	case "WORKDIR":
		s.workdir = rest
		i.mkdir(s.root + rest)
	case "ENV":
		s.env = append(s.env, strings.Fields(i.expand(rest))...)
	case "USER":
		s.user = rest
	case "VOLUME":
		if err := json.Unmarshal([]byte(rest), &s.volumes); err != nil {
			i.t.Fatalf("VOLUME %s: %v", rest, err)
		}
	case "EXPOSE":
	case "ENTRYPOINT":
		s.entrypoint = i.list(rest)
	case "CMD":
		s.cmd = i.list(rest)
	case "HEALTHCHECK":
		_, command, _ := strings.Cut(rest, " CMD ")
		s.health = i.list(command)
	case "COPY":
		i.copy(strings.Fields(rest))
	case "RUN":
		i.run(rest)
	default:
		i.t.Fatalf("the trial does not know %s", what)
	}
}

func (i *image) list(text string) (out []string) {
	i.t.Helper()
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		i.t.Fatalf("%s: %v", text, err)
	}
	return out
}

func (i *image) mkdir(dir string) {
	i.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		i.t.Fatal(err)
	}
}

func (i *image) copy(args []string) {
	i.t.Helper()
	s, source := i.current, i.source
	if from, ok := strings.CutPrefix(args[0], "--from="); ok {
		source, args = i.stages[from].root, args[1:]
	}
	to := args[len(args)-1]
	for _, name := range args[:len(args)-1] {
		into := to
		if !path.IsAbs(into) {
			into = path.Join(s.workdir, into)
		}
		from := filepath.Join(source, name)
		info, err := os.Stat(from)
		if err != nil {
			i.t.Fatalf("COPY %s: %v", name, err)
		}
		into = s.root + into
		if !info.IsDir() && strings.HasSuffix(to, "/") {
			into = filepath.Join(into, filepath.Base(name))
		}
		i.mkdir(filepath.Dir(into))
		if out, err := exec.Command("cp", "-a", "-T", from, into).CombinedOutput(); err != nil {
			i.t.Fatalf("COPY %s: %v\n%s", name, err, out)
		}
	}
}

// run runs a command line in the stage's folder. Absolute paths of the image become
// paths within it.
func (i *image) run(line string) {
	i.t.Helper()
	s := i.current
	line = regexp.MustCompile(`--mount=\S+ *`).ReplaceAllString(line, "")
	line = regexp.MustCompile(`(^|[\s=])/(out|etc)\b`).ReplaceAllString(line, "${1}"+s.root+"/$2")
	line = regexp.MustCompile(`(GOMODCACHE|GOCACHE)=\S+ *`).ReplaceAllString(line, "") // those of this machine have all
	cmd := exec.Command("sh", "-ec", line)
	cmd.Dir = s.root + s.workdir
	cmd.Env = slices.Concat(os.Environ(), s.env, []string{"PATH=" + i.bin + ":" + os.Getenv("PATH"), "GOPROXY=off"})
	if out, err := cmd.CombinedOutput(); err != nil {
		i.t.Fatalf("RUN %s: %v\n%s", line, err, out)
	}
}

// goShim is the go of the image's steps: downloading has been done, a build is checked
// and gives the product, and to run the product is to run it.
const goShim = `#!/bin/sh
set -eu
case "$1 $2" in
"mod download") ;;
"build "*)
  shift
  REAL build -n "$@" >/dev/null 2>"$TMPDIR_OF_TRIAL/err" || { cat "$TMPDIR_OF_TRIAL/err" >&2; exit 1; }
  while [ "$1" != -o ]; do shift; done
  mkdir -p "$(dirname "$2")"; cp PRODUCT "$2" ;;
"run ./cmd/job") shift 2; exec RISKSWEEP "$@" ;;
*) echo "the trial does not know go $*" >&2; exit 1 ;;
esac
`

// ignored are the patterns of .dockerignore.
func ignored(t *testing.T) func(rel string) bool {
	t.Helper()
	var patterns []string
	for line := range strings.Lines(read(t, "../.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	return func(rel string) bool {
		for _, p := range patterns {
			at := rel
			if anywhere, ok := strings.CutPrefix(p, "**/"); ok {
				p, at = anywhere, path.Base(rel)
			}
			if ok, _ := path.Match(p, at); ok {
				return true
			}
		}
		return false
	}
}

// buildContext is the folder that a build is sent, without what is ignored.
func buildContext(t *testing.T) string {
	t.Helper()
	to, skip := t.TempDir(), ignored(t)
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(filepath.ToSlash(name), "../")
		if err != nil || name == ".." {
			return err
		}
		switch {
		case skip(rel) && d.IsDir():
			return fs.SkipDir
		case skip(rel):
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		from, err := os.Open(name)
		if err != nil {
			return err
		}
		defer from.Close()
		into, err := os.Create(filepath.Join(to, rel))
		if err != nil {
			return err
		}
		_, err = io.Copy(into, from)
		if closed := into.Close(); err == nil {
			err = closed
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// The Dockerfile's own steps: what is copied suffices for the build and for the
// function app, the image's user reads the configuration, writes to the volume alone,
// serves, and passes the image's health check.
func TestImageTried(t *testing.T) {
	product := installed(t)
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	t.Setenv("TMPDIR_OF_TRIAL", bin)
	shim := strings.NewReplacer("REAL", real, "PRODUCT", product+"/product", "RISKSWEEP", product+"/risksweep").Replace(goShim)
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(shim), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if os.Geteuid() != 0 { // nobody else may give files away
		if err := os.WriteFile(filepath.Join(bin, "chown"), []byte("#!/bin/sh\n"), 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	i := &image{t: t, source: buildContext(t), bin: bin, args: map[string]string{}, stages: map[string]*stage{}}
	i.build(read(t, "../Dockerfile"))

	app := i.stages["functions"].root + "/home/site/wwwroot"
	for _, name := range []string{"host.json", "risksweep.yaml", "Nightly/function.json"} {
		if _, err := os.Stat(filepath.Join(app, name)); err != nil {
			t.Errorf("the image of the function app: %v", err)
		}
	}
	s := i.stages["serve"]
	if !slices.Equal(s.entrypoint, []string{"/usr/local/bin/risksweep"}) || !slices.Equal(s.cmd, []string{"serve"}) || s.user != "65532:65532" || !slices.Equal(s.volumes, []string{"/reports"}) {
		t.Errorf("the image: %+v", s)
	}
	if _, err := os.Stat(s.root + s.entrypoint[0]); err != nil {
		t.Fatalf("the entry point: %v", err)
	}
	// docker run -v "$PWD:/config:ro", as the document has it.
	if err := os.CopyFS(s.root+"/config", os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(s.root), 0o755); err != nil {
		t.Fatal(err)
	}
	env := slices.Concat(s.env, []string{asProduct + "=1", "HOME=/nonexistent", "RISKSWEEP_STORE_URL=file:" + s.root + "/reports", "RISKSWEEP_HTTP_TOKEN=0123456789abcdef0123456789abcdef"})
	as := func(t *testing.T, args ...string) *exec.Cmd {
		t.Helper()
		line := slices.Concat([]string{"env", "-i"}, env, []string{s.root + args[0]}, args[1:])
		if user, _, _ := strings.Cut(s.user, ":"); os.Geteuid() == 0 {
			line = slices.Concat([]string{"setpriv", "--reuid", user, "--regid", user, "--clear-groups"}, line)
		}
		cmd := exec.Command(line[0], line[1:]...)
		cmd.Dir = s.root + s.workdir
		return cmd
	}
	t.Run("files", func(t *testing.T) {
		other(t)
		if out, err := as(t, "/usr/local/bin/risksweep", "config", "validate").CombinedOutput(); err != nil || !strings.Contains(string(out), "nothing wrong") {
			t.Errorf("the image's user: %v\n%s", err, out)
		}
		for dir, may := range map[string]bool{"/reports": true, "/usr/local/bin": false, "/etc": false} {
			touch := exec.Command("setpriv", "--reuid", "65532", "--regid", "65532", "--clear-groups", "touch", s.root+dir+"/new")
			if out, err := touch.CombinedOutput(); (err == nil) != may {
				t.Errorf("the image's user writes to %s: %v\n%s", dir, err == nil, out)
			}
		}
	})
	t.Run("serves", func(t *testing.T) {
		env = append(env, "RISKSWEEP_HTTP_LISTEN=127.0.0.1:0", "RISKSWEEP_SCHEDULE_CRON=", "RISKSWEEP_TENANTS=[{name: contoso, tenantId: 11111111-2222-4333-8444-555555555555, credential: {kind: managedIdentity}, baseline: baseline, triage: triage.yaml}]")
		serve := as(t, slices.Concat(s.entrypoint, s.cmd)...)
		out, err := serve.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		serve.Stderr = &log
		if err := serve.Start(); err != nil {
			t.Fatal(err)
		}
		var ready struct{ API string }
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err != nil || json.Unmarshal(line, &ready) != nil || ready.API == "" {
			_ = serve.Wait()
			t.Fatalf("%v %s\n%s", err, line, log.String())
		}
		env = append(env, "RISKSWEEP_HTTP_LISTEN="+strings.TrimPrefix(ready.API, "http://"))
		if out, err := as(t, s.health...).CombinedOutput(); err != nil {
			t.Errorf("the health check: %v\n%s", err, out)
		}
		_ = serve.Process.Signal(syscall.SIGTERM)
		if err := serve.Wait(); err != nil {
			t.Errorf("stopped: %v\n%s", err, log.String())
		}
		if out, err := as(t, s.health...).CombinedOutput(); err == nil {
			t.Errorf("the health check passes with nobody there:\n%s", out)
		}
	})
}
