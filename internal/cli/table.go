package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// table prints rows in columns. The last column may be cut to the width of the
// terminal; nothing is cut where there is none.
type table struct {
	heads []string
	rows  [][]string
}

func newTable(heads ...string) *table { return &table{heads: heads} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer, width int) {
	printColumns(w, width, append([][]string{t.heads}, t.rows...))
}

// printRows prints the rows without their heads.
func (t *table) printRows(w io.Writer, width int) { printColumns(w, width, t.rows) }

func printColumns(w io.Writer, width int, all [][]string) {
	if len(all) == 0 {
		return
	}
	widths := make([]int, len(all[0]))
	for _, r := range all {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(printable(c)))
		}
	}
	for _, r := range all {
		var b strings.Builder
		for i, c := range r {
			c = printable(c)
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2))
			}
		}
		fmt.Fprintln(w, clip(strings.TrimRight(b.String(), " "), width))
	}
}

// clip cuts a line to the width of a terminal; 0 is no limit.
func clip(line string, width int) string {
	if width < 20 || utf8.RuneCountInString(line) <= width {
		return line
	}
	runes := []rune(line)
	return string(runes[:width-1]) + "…"
}

// printable takes control characters out of what a service sent: a display name
// must not move the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x202e || r == 0x202d || (r >= 0x2066 && r <= 0x2069) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// printableLines is printable for a text of several lines.
func printableLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		text, nl := strings.CutSuffix(line, "\n")
		b.WriteString(printable(text))
		if nl {
			b.WriteByte('\n')
		}
	}
	return b.String()
}
