package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"
)

// onTerminal runs the binary with stdout or stderr on a terminal of so many
// columns, the other on a pipe, and gives what each was told.
func onTerminal(t *testing.T, columns uint16, stderr bool, env []string, args ...string) (terminal, pipe string) {
	t.Helper()
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if err := pty.Setsize(ours, &pty.Winsize{Rows: 24, Cols: columns}); err != nil {
		t.Fatal(err)
	}
	var other bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), handler+"=1", "TERM=xterm-256color"), env...)
	cmd.Dir = t.TempDir()
	cmd.Stdout, cmd.Stderr = theirs, &other
	if stderr {
		cmd.Stdout, cmd.Stderr = &other, theirs
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	seen, err := io.ReadAll(ours)
	if err != nil && !strings.Contains(err.Error(), "input/output error") { // how Linux says that nobody writes any more
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, seen, other.String())
	}
	return strings.ReplaceAll(string(seen), "\r\n", "\n"), other.String()
}

var colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// On a terminal a summary has colours and fits; with NO_COLOR, on a dumb
// terminal and on a pipe it is plain text.
func TestSummaryOnATerminal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		columns  uint16
		env      []string
		coloured bool
	}{{100, nil, true}, {44, nil, true}, {100, []string{"NO_COLOR=1"}, false}, {100, []string{"TERM=dumb"}, false}} {
		out, logs := onTerminal(t, test.columns, false, test.env, "demo", "--out", filepath.Join(t.TempDir(), "demo"))
		if got := colour.MatchString(out); got != test.coloured {
			t.Errorf("%d columns, %q: colours %v", test.columns, test.env, got)
		}
		if strings.Contains(logs, "\x1b") || strings.Contains(logs, "\r") {
			t.Errorf("%d columns: a pipe is told escape sequences:\n%.300q", test.columns, logs)
		}
		_, summary, _ := strings.Cut(out, "First run")
		summary, _, _ = strings.Cut(summary, "Look at what it left") // which is fixed text, as help is
		for line := range strings.Lines(summary) {
			long := strings.HasPrefix(line, "Second run") || strings.HasPrefix(line, "  report ") || strings.HasPrefix(line, "  head ") // to be copied, not cut
			if w := ansi.StringWidth(line); w > int(test.columns) && !long {
				t.Errorf("%d columns: a line of %d: %q", test.columns, w, line)
			}
		}
		for _, want := range []string{"dismiss: 7 done", "ada@contoso", "… and 36 more, see report.html"} {
			if !strings.Contains(summary, want) {
				t.Errorf("%d columns: %q is missing:\n%s", test.columns, want, summary)
			}
		}
	}
}

// Progress is one line on a terminal that log lines pass by; a log for machines
// has none.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	logs, out := onTerminal(t, 60, true, nil, "demo", "--out", filepath.Join(t.TempDir(), "demo"))
	for _, want := range []string{"reading risk detections", "carrying out 1 of ", "writing the report"} {
		if !strings.Contains(logs, want) {
			t.Errorf("no word of %q", want)
		}
	}
	if strings.Contains(out, "\x1b") || strings.Contains(out, "reading risk detections") {
		t.Errorf("progress on stdout:\n%.300q", out)
	}
	// What stays when all has been drawn and erased are the log lines.
	for line := range strings.Lines(logs) {
		if last := line[strings.LastIndex(line, "\r\x1b[K")+len("\r\x1b[K"):]; strings.Contains(line, "\r\x1b[K") && strings.TrimSpace(last) != "" && !strings.Contains(last, "INF") && !strings.Contains(last, "WRN") {
			t.Errorf("left on the terminal: %q", last)
		}
	}
	for _, env := range [][]string{{"NO_COLOR=1"}, {"TERM=dumb"}} {
		logs, _ := onTerminal(t, 60, true, env, "demo", "--out", filepath.Join(t.TempDir(), "demo"))
		if colour.MatchString(logs) {
			t.Errorf("%s: colours", env)
		}
		if env[0] == "TERM=dumb" && strings.Contains(logs, "\x1b") {
			t.Errorf("%s: escape sequences", env)
		}
	}
	logs, _ = onTerminal(t, 60, true, nil, "demo", "--log-format", "json", "--out", filepath.Join(t.TempDir(), "demo"))
	n := 0
	for line := range strings.Lines(logs) {
		n++
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %q", line)
		}
	}
	if n == 0 {
		t.Error("no log at all")
	}
}
