package cli_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/risksweep/risksweep/internal/cli"
)

// Blocks of the documents marked `sh` are run, each document as one script in a
// folder of its own that holds the example configuration, against a simulated
// tenant of its own. A line that ends in `# exit N` must end so. Blocks marked
// `shell` are for other programs (az, kubectl, systemctl) and must not hide a
// command of ours.
var (
	fence    = regexp.MustCompile("(?ms)^```(sh|shell)\n(.*?)^```$")
	exitMark = regexp.MustCompile(`^(.*\S)\s+# exit (\d+)$`)
	// elsewhere are blocks that other tests run: the README's two commands, and
	// the build of the function app.
	elsewhere = regexp.MustCompile(`(?m)^(\./check$|go build |CGO_ENABLED=0 )`)
)

func TestDocumentedCommands(t *testing.T) {
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(docs) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	var files []string
	dir := t.TempDir()
	for _, doc := range append(docs, "../../README.md") {
		script := documentScript(t, doc)
		if script == "" {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(doc), ".md")
		file := filepath.Join(dir, name+".txtar")
		for _, port := range []string{"8080", "8890"} {
			script = strings.ReplaceAll(script, "127.0.0.1:"+port, "127.0.0.1:"+freePort(t))
		}
		// The files that a reader edits are the ones that count.
		text := "startsim --users 60 --detections 150 --policies 3\n" +
			"env RISKSWEEP_TENANTS='[{name: contoso, tenantId: '$SIM_TENANT', credential: {kind: static, token: {env: SIM_TOKEN}}, graphEndpoint: \"'$SIM'\", baseline: baseline, triage: triage.yaml}]'\n"
		if strings.Contains(script, "risksweep sim ") {
			text = "" // it brings its own tenant
		}
		text += "exec timeout 120 bash -eu -o pipefail doc.sh\n-- doc.sh --\n" + script
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if len(files) == 0 {
		t.Fatal("no document holds a command")
	}
	testscript.Run(t, testscript.Params{Files: files, Setup: documentSetup, Cmds: map[string]func(*testscript.TestScript, bool, []string){"startsim": startSim}})
}

// freePort is a port that nobody listens on: the ones that documents name may
// be taken. It is below those that the system hands out, so that no process of
// another test is given it in the meantime.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// documentSetup lays the example configuration out as a reader would copy it.
func documentSetup(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("GORACE", goRace)
	env.Setenv("NO_COLOR", "1")
	if err := os.CopyFS(env.WorkDir, os.DirFS("../../examples")); err != nil {
		return err
	}
	return os.CopyFS(filepath.Join(env.WorkDir, "examples"), os.DirFS("../../examples"))
}

// documentScript is what the sh blocks of a document say, one after the other.
func documentScript(t *testing.T, doc string) string {
	t.Helper()
	data, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, m := range fence.FindAllStringSubmatch(string(data), -1) {
		kind, block := m[1], m[2]
		if elsewhere.MatchString(block) {
			continue
		}
		for line := range strings.Lines(block) {
			line = strings.TrimRight(line, "\n")
			if kind == "shell" {
				if strings.HasPrefix(strings.TrimPrefix(strings.TrimSpace(line), "./"), "risksweep ") {
					t.Errorf("%s: a command of ours that no test runs: %s", doc, line)
				}
				continue
			}
			if m := exitMark.FindStringSubmatch(line); m != nil {
				line = fmt.Sprintf("code=0; %s || code=$?; test $code -eq %s", m[1], m[2])
			}
			b.WriteString(line + "\n")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	// What a document starts in the background ends with it.
	return "export RISKSWEEP_HTTP_LISTEN=127.0.0.1:8080\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\nset -v\n" + b.String()
}

// The README shows what the demo prints on a terminal of a hundred columns:
// addresses, ids, times and hashes aside, it is the very text.
func TestTheREADMEShowsTheDemo(t *testing.T) {
	var out bytes.Buffer
	sys := cli.System()
	sys.Out, sys.Err = &out, io.Discard
	sys.OutTTY, sys.ErrTTY = false, false
	sys.Width = 100 // as on a terminal that a page has room for
	dir := filepath.Join(t.TempDir(), "risksweep-demo")
	if code := cli.Run(t.Context(), []string{"demo", "--out", dir}, sys); code != 0 {
		t.Fatalf("exit code %d\n%s", code, out.String())
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, ok := strings.Cut(string(readme), "<!-- demo -->\n\n```\n")
	if !ok {
		t.Fatal("no transcript in the README")
	}
	shown, _, _ = strings.Cut(shown, "```\n")
	want, _, _ := strings.Cut(strings.ReplaceAll(out.String(), filepath.Dir(dir)+"/", ""), "\nLook at what it left")
	if flag.Lookup("update").Value.String() == "true" {
		text := strings.Replace(string(readme), shown, strings.TrimSpace(want)+"\n", 1)
		if err := os.WriteFile("../../README.md", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(plain(want), plain(shown)); diff != "" {
		t.Errorf("(-demo +README)\n%s", diff)
	}
}

var varying = []*regexp.Regexp{regexp.MustCompile(`127\.0\.0\.1:\d+`), regexp.MustCompile(`succeeded in [0-9.]+m?s`), regexp.MustCompile(`file:\S+`), regexp.MustCompile(`head +[0-9a-f]{64}`),
	regexp.MustCompile(`head +[0-9a-f]{8}…`), regexp.MustCompile(`sent +\d+ requests`),
	regexp.MustCompile(`until \d+ [A-Z][a-z]+ \d{4}`),
	// Times of the example's risk move with the day, and may be cut by a column.
	regexp.MustCompile(`\d{4}-\d\d-\d\d(\s+\d?\d?:?\d?\d?)?(\s+UTC)?`)}

func plain(s string) string {
	for _, r := range varying {
		s = r.ReplaceAllString(s, "(varies)")
	}
	return strings.TrimSpace(s)
}
