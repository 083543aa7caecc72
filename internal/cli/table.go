package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// table prints rows in columns that fit the terminal: where they would not, the
// widest cells are cut. Without a terminal nothing is cut.
type table struct {
	heads  []string
	rows   [][]string
	indent int
}

func newTable(heads ...string) *table { return &table{heads: heads} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer, width int) {
	printColumns(w, width, t.indent, append([][]string{t.heads}, t.rows...))
}

// printRows prints the rows without their heads.
func (t *table) printRows(w io.Writer, width int) { printColumns(w, width, t.indent, t.rows) }

// columnGap parts two columns; minColumn is what is left of the widest before
// the line itself is cut, and widestPadding how far a column is padded where
// nothing is cut.
const (
	columnGap     = 2
	minColumn     = 12
	widestPadding = 60
)

func printColumns(w io.Writer, width, indent int, all [][]string) {
	if len(all) == 0 {
		return
	}
	widths := make([]int, len(all[0]))
	for _, r := range all {
		for i, c := range r {
			widths[i] = max(widths[i], columns.String(printable(c)))
		}
	}
	cut := width >= minWidth
	for i := range widths {
		if !cut { // a line that is not cut is not padded to the longest of all either
			widths[i] = min(widths[i], widestPadding)
		}
	}
	fitColumns(widths, width-indent)
	for _, r := range all {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", indent))
		for i, c := range r {
			if c = printable(c); cut {
				c = columns.TruncateString(c, widths[i], "…")
			}
			b.WriteString(c)
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", max(0, widths[i]-columns.String(c))+columnGap))
			}
		}
		fmt.Fprintln(w, clip(strings.TrimRight(b.String(), " "), width))
	}
}

// fitColumns narrows the widest columns until all stand side by side.
func fitColumns(widths []int, width int) {
	if width < minWidth {
		return
	}
	over := columnGap*(len(widths)-1) - width
	for _, w := range widths {
		over += w
	}
	for ; over > 0; over-- {
		widest := 0
		for i, w := range widths {
			if w >= widths[widest] { // of equals the last, which says the least
				widest = i
			}
		}
		if widths[widest] <= minColumn {
			return
		}
		widths[widest]--
	}
}

// columns measures what a terminal shows: wide letters count double, colours
// not at all.
var columns = displaywidth.Options{ControlSequences: true}

// minWidth is the narrowest terminal that lines are cut for.
const minWidth = 20

// clip cuts a line to the width of a terminal, colours kept; 0 is no limit.
func clip(line string, width int) string {
	if width < minWidth {
		return line
	}
	return columns.TruncateString(line, width, "…")
}

// wrap breaks a text at the width of a terminal; what follows the first line is
// indented.
func wrap(text string, width, indent int) string {
	if width < minWidth+indent {
		return text
	}
	var b strings.Builder
	room := width - indent
	left := room
	for i, word := range strings.Fields(text) {
		for n := columns.String(word); i > 0 && n >= left; { // no room for it and the blank before it
			b.WriteString("\n" + strings.Repeat(" ", indent))
			i, left = 0, room
		}
		if i > 0 {
			b.WriteByte(' ')
			left--
		}
		for columns.String(word) > room { // longer than a line
			head := columns.TruncateString(word, left, "")
			b.WriteString(head + "\n" + strings.Repeat(" ", indent))
			word, left = word[len(head):], room
		}
		b.WriteString(word)
		left -= columns.String(word)
	}
	return b.String()
}

// printable makes one readable line of what somebody else wrote: a display name
// must not move the cursor. Breaks and odd blanks become a blank, what has no
// width goes, and what else is no text shows as a sign for it.
func printable(s string) string {
	if strings.ContainsAny(s, "\r\n\t\v\f\u0085\u00a0\u2028\u2029") {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("\r\n\t\v\f\u0085\u00a0\u2028\u2029", r) }), " ")
	}
	return strings.Map(func(r rune) rune {
		if r == '\ufeff' || r == '\u200b' || r == '\u2060' {
			return -1
		}
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || (r >= 0x2028 && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
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

// paragraph prints a text that is broken at the width of the terminal; what
// follows its first line is indented by two more.
func (c *command) paragraph(indent int, format string, a ...any) {
	fmt.Fprintln(c.Out, strings.Repeat(" ", indent)+wrap(printable(fmt.Sprintf(format, a...)), c.Width, indent+2))
}
