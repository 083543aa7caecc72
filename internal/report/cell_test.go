package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// No cell is longer than a spreadsheet's, counted as a spreadsheet counts; a
// text that was cut says so, and how much.
func TestCellsFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		cut  bool
	}{
		"just fits":                    {strings.Repeat("x", 32767), false},
		"one too many":                 {strings.Repeat("x", 32768), true},
		"many":                         {strings.Repeat("10.0.0.0/24 ", 6000), true},
		"more bytes than units":        {strings.Repeat("日", 32767), false},
		"pairs that fit":               {strings.Repeat("😀", 16383), false},
		"pairs that do not":            {strings.Repeat("😀", 16384), true},
		"the apostrophe counts":        {"=" + strings.Repeat("x", 32766), true},
		"with the apostrophe":          {"=" + strings.Repeat("x", 32765), false},
		"bytes that are no text":       {strings.Repeat("\xff.", 20000), true},
		"quotes count once, not twice": {strings.Repeat(`"`, 32767), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			w := NewCSV(&b, []string{"head"}, CSVForm{})
			if err := w.Row([]string{c.text}); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(&b).ReadAll()
			if err != nil || len(rows) != 2 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			cell := rows[1][0]
			n := len(utf16.Encode([]rune(cell)))
			if n > 32767 || !utf8.ValidString(cell) {
				t.Errorf("%d units", n)
			}
			at := strings.LastIndex(cell, " … [cut: ")
			if (at >= 0) != c.cut {
				t.Fatalf("the cell of %d units ends in %.80q", n, cell[max(0, len(cell)-80):])
			}
			if !c.cut {
				return
			}
			var gone, all int
			if _, err := fmt.Sscanf(cell[at:], " … [cut: %d of %d", &gone, &all); err != nil {
				t.Fatal(err)
			}
			kept := len(utf16.Encode([]rune(strings.TrimPrefix(cell[:at], "'"))))
			if want := len(utf16.Encode([]rune(strings.ToValidUTF8(c.text, "\uFFFD")))); all != want || kept+gone != all {
				t.Errorf("%d kept, %d gone of %d, want %d", kept, gone, all, want)
			}
		})
	}
}
