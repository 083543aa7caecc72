package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"
)

// A table fits the terminal, whatever is in it, and says something of each
// column; without a terminal it says everything.
func TestTablesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(minWidth, 200).Draw(t, "width")
		columns := rapid.IntRange(1, 7).Draw(t, "columns")
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.String(), columns, columns), 1, 6).Draw(t, "rows")
		tab := newTable(rows[0]...)
		for _, r := range rows[1:] {
			tab.row(r...)
		}
		var fits, whole bytes.Buffer
		tab.print(&fits, width)
		tab.print(&whole, 0)
		if n := strings.Count(fits.String(), "\n"); n != len(rows) {
			t.Fatalf("%d lines of %d rows", n, len(rows))
		}
		for line := range strings.Lines(fits.String()) {
			if w := ansi.StringWidth(line); w > width {
				t.Fatalf("%d wide on a terminal of %d: %q", w, width, line)
			}
		}
		for _, r := range rows {
			for _, cell := range r {
				if !strings.Contains(whole.String(), strings.TrimRight(printable(cell), " ")) {
					t.Fatalf("%q is lost in %q", cell, whole.String())
				}
			}
		}
	})
}

// Wide letters count for two, and the column that says the most gives way.
func TestTheWidestColumnGivesWay(t *testing.T) {
	tab := newTable("USER", "LEVEL", "WHY")
	tab.row("漢字漢字@contoso.com", "high", "1 of 1 open detections is not covered: unfamiliarFeatures")
	var b bytes.Buffer
	tab.print(&b, 50)
	want := "USER                  LEVEL  WHY\n漢字漢字@contoso.com  high   1 of 1 open detectio…\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestWrap(t *testing.T) {
	if got, want := wrap("one two three four five", 31, 11), "one two three four\n           five"; got != want {
		t.Errorf("got %q", got)
	}
	if got := wrap("one two three four five", 0, 11); got != "one two three four five" {
		t.Errorf("wrapped without a terminal: %q", got)
	}
}

// The status line tells rate and time left, of several tenants by name, and
// never wraps.
func TestStatusLine(t *testing.T) {
	at := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	line := &statusLine{w: &b, width: 90, now: func() time.Time { return at }}
	last := func() string {
		s := b.String()
		return s[strings.LastIndex(s, eraseLine)+len(eraseLine):]
	}
	contoso, fabrikam := &stage{line: line, tenant: "contoso"}, &stage{line: line, tenant: "fabrikam"}
	contoso.Stage("apply", 100)
	at = at.Add(10 * time.Second)
	contoso.Advance(25)
	if got, want := last(), "carrying out 25 of 100, 2.5 a second, 30s left"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	fabrikam.Stage("detections", 0)
	at = at.Add(10 * time.Second)
	fabrikam.Advance(12000)
	if got := last(); !strings.HasPrefix(got, "contoso: carrying out 25 of 100, 1.2 a second, 1m0s left | fabrikam: ") || ansi.StringWidth(got) != 89 {
		t.Errorf("got %q", got)
	}
	n := b.Len()
	fabrikam.Advance(1) // too soon to be drawn
	if b.Len() != n {
		t.Error("drawn more often than is seen")
	}
	if _, err := line.Write([]byte("a log line\n")); err != nil {
		t.Fatal(err)
	}
	if got := b.String()[n:]; !strings.HasPrefix(got, eraseLine+"a log line\ncontoso: ") {
		t.Errorf("a log line passed as %q", got)
	}
	contoso.Done()
	if got, want := last(), "reading risk detections 12001, 1200 a second"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	fabrikam.Done()
	if got := last(); got != "" {
		t.Errorf("left: %q", got)
	}
}

// What others wrote is one readable line.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"schedule\nNCRONTAB":         "schedule NCRONTAB",
		"a\r\n\tb\u00a0c\u2028d":     "a b c d",
		"\ufeffAda\u200b":            "Ada",
		"\x1b[31mred\u202egnp.exe":   "\ufffd[31mred\ufffdgnp.exe",
		"Ada Lovelace, plain as day": "Ada Lovelace, plain as day",
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}
