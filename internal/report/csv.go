// Package report writes what a run saw and did: JSON Lines and CSV a row at a
// time, the report and the policies as JSON, lines for a SIEM. Nothing that
// Graph said is lost in the JSON forms.
//
// It is pure: rows go in, bytes come out to an io.Writer. It opens nothing and
// holds no more than a row.
package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/risksweep/risksweep/internal/entra"
)

// csvWriter writes RFC 4180 lines (CRLF, UTF-8) in which no cell can become a
// formula: a cell that begins, after blanks, with a sign that a spreadsheet
// takes for one gets an apostrophe before it. So does a cell that begins with
// an apostrophe itself, so that dropping one from the front of a cell always
// gives back what was meant.
type csvWriter struct {
	w    io.Writer
	buf  []byte
	cell int
	form CSVForm
	err  error
}

// CSVForm says how CSV is written; the zero value is for programs.
type CSVForm struct {
	// BOM begins a file with the mark by which spreadsheets know UTF-8.
	BOM bool
	// Excel writes times as spreadsheets read them: 2026-11-30 03:10:00, in UTC.
	Excel bool
}

// excelTime is a time that a spreadsheet takes for one in every language.
const excelTime = "2006-01-02 15:04:05"

// csvFlush is how much is gathered before it is written.
const csvFlush = 32 << 10

func newCSV(w io.Writer, columns []string, form CSVForm) *csvWriter {
	c := &csvWriter{w: w, form: form}
	if form.BOM {
		c.buf = append(c.buf, "\ufeff"...)
	}
	for _, name := range columns {
		c.text(name)
	}
	c.end()
	return c
}

// CSV writes a table whose cells are texts under the same guard.
type CSV struct{ w *csvWriter }

// NewCSV begins a table with its heads.
func NewCSV(w io.Writer, columns []string, form CSVForm) *CSV {
	return &CSV{newCSV(w, columns, form)}
}

// Time gives a time of Graph as a cell holds it; what is no time stays.
func (f CSVForm) Time(d entra.DateTime) string {
	if f.Excel {
		if t, ok := d.Time(); ok {
			return t.UTC().Format(excelTime)
		}
	}
	return string(d)
}

// Row adds one line.
func (c *CSV) Row(cells []string) error {
	for _, s := range cells {
		c.w.text(s)
	}
	c.w.end()
	return c.w.err
}

// Flush writes what is gathered.
func (c *CSV) Flush() error { return c.w.flush() }

// text adds one cell.
func (c *csvWriter) text(s string) {
	if c.cell > 0 {
		c.buf = append(c.buf, ',')
	}
	c.cell++
	c.buf = appendCell(c.buf, s)
}

func appendCell(b []byte, s string) []byte {
	var has uint8
	for i := range len(s) {
		has |= cellBytes[s[i]]
	}
	quote := has&cellQuote != 0
	if has&cellWide != 0 && !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	mark := marked(s)
	s = fit(s, mark)
	if !quote && !mark && (s == "" || s[0] != ' ') {
		return append(b, s...)
	}
	b = append(b, '"')
	if mark {
		b = append(b, '\'')
	}
	for {
		at := strings.IndexByte(s, '"')
		if at < 0 {
			return append(append(b, s...), '"')
		}
		b = append(append(b, s[:at+1]...), '"')
		s = s[at+1:]
	}
}

// cellBytes says of each byte what it means for a cell.
var cellBytes = func() (is [256]uint8) {
	for _, c := range []byte("\",\r\n") {
		is[c] = cellQuote
	}
	for c := utf8.RuneSelf; c < len(is); c++ {
		is[c] = cellWide
	}
	return is
}()

const (
	cellQuote = 1 << iota // the cell stands in quotes
	cellWide              // not all of it is ASCII
)

// maxCell is the most that a cell of a spreadsheet holds, in UTF-16 units; what
// is longer is cut, or runs over into the cells below.
const maxCell = 32767

// fit cuts a text that no cell holds, and says so at its end.
func fit(s string, mark bool) string {
	room := maxCell
	if mark {
		room--
	}
	if len(s) <= room { // no text has more units than bytes
		return s
	}
	n := units(s)
	if n <= room {
		return s
	}
	note := func(cut int) string {
		return fmt.Sprintf(" … [cut: %d of %d characters do not fit into a cell; the JSON form has all]", cut, n)
	}
	left, kept := room-units(note(n)), 0
	for i, r := range s {
		if kept+utf16.RuneLen(r) > left {
			return s[:i] + note(n-kept)
		}
		kept += utf16.RuneLen(r)
	}
	return s
}

// units counts as spreadsheets do.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// marked reports whether a cell needs an apostrophe before it.
func marked(s string) bool {
	if s == "" || s[0] > '@' && s[0] < utf8.RuneSelf && s[0] != '|' || s[0] >= '0' && s[0] <= '9' {
		return false // begins with a letter or a digit, as nearly all do
	}
	if s[0] == '\'' {
		return true
	}
	for i, r := range s {
		switch {
		case strings.ContainsRune("=+-@|\uFF1D\uFF0B\uFF0D\uFF20\u2212", r): // also the wide forms, and minus
			return true
		case i == 0 && (r == '\t' || r == '\r' || r == '\n'):
			return true
		case !unicode.IsSpace(r) && !unicode.IsControl(r) && !unicode.Is(unicode.Cf, r):
			return false
		}
	}
	return false
}

func (c *csvWriter) number(n int) { c.text(strconv.Itoa(n)) }

func (c *csvWriter) flag(b bool) { c.text(strconv.FormatBool(b)) }

// tristate is empty for what the service did not say.
func (c *csvWriter) tristate(b *bool) {
	if b == nil {
		c.text("")
		return
	}
	c.flag(*b)
}

func (c *csvWriter) decimal(f *float64) {
	if f == nil {
		c.text("")
		return
	}
	c.text(strconv.FormatFloat(*f, 'f', -1, 64))
}

func (c *csvWriter) time(t time.Time) {
	if t.IsZero() {
		c.text("")
		return
	}
	layout := time.RFC3339
	if c.form.Excel {
		layout = excelTime
	}
	c.text(t.UTC().Format(layout))
}

// end ends the line.
func (c *csvWriter) end() {
	c.buf = append(c.buf, '\r', '\n')
	c.cell = 0
	if len(c.buf) >= csvFlush {
		c.flush()
	}
}

func (c *csvWriter) flush() error {
	if c.err == nil && len(c.buf) > 0 {
		_, c.err = c.w.Write(c.buf)
		c.buf = c.buf[:0]
	}
	return c.err
}
