// Package report writes what a run saw and did: JSON Lines and CSV a row at a
// time, the report and the policies as JSON, lines for a SIEM. Nothing that
// Graph said is lost in the JSON forms.
//
// It is pure: rows go in, bytes come out to an io.Writer. It opens nothing and
// holds no more than a row.
package report

import (
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// csvWriter writes RFC 4180 lines (CRLF, UTF-8) in which no cell can become a
// formula: a cell that begins with =, +, -, @, a tab or a line break gets an
// apostrophe before it, which spreadsheets take as "this is text".
type csvWriter struct {
	w    io.Writer
	buf  []byte
	cell int
	err  error
}

// csvFlush is how much is gathered before it is written.
const csvFlush = 32 << 10

func newCSV(w io.Writer, columns []string) *csvWriter {
	c := &csvWriter{w: w}
	for _, name := range columns {
		c.text(name)
	}
	c.end()
	return c
}

// text adds one cell.
func (c *csvWriter) text(s string) {
	if c.cell > 0 {
		c.buf = append(c.buf, ',')
	}
	c.cell++
	c.buf = appendCell(c.buf, s)
}

func appendCell(b []byte, s string) []byte {
	quote, formula := false, false
	for i := range len(s) {
		switch s[i] {
		case '"', ',', '\r', '\n':
			quote = true
		}
	}
	if s != "" {
		switch s[0] {
		case '=', '+', '-', '@', '\t', '\r', '\n', '|':
			formula = true
		case ' ':
			quote = true
		default:
			// Wide forms of the same signs are signs for some spreadsheets.
			if s[0] >= utf8.RuneSelf {
				switch r, _ := utf8.DecodeRuneInString(s); r {
				case '＝', '＋', '－', '＠':
					formula = true
				}
			}
		}
	}
	if !quote && !formula {
		return append(b, s...)
	}
	b = append(b, '"')
	if formula {
		b = append(b, '\'')
	}
	for i := range len(s) {
		if s[i] == '"' {
			b = append(b, '"')
		}
		b = append(b, s[i])
	}
	return append(b, '"')
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
	s := strconv.FormatFloat(*f, 'f', -1, 64)
	if c.cell > 0 {
		c.buf = append(c.buf, ',')
	}
	c.cell++
	c.buf = append(c.buf, s...) // a number, never a formula, whatever its sign
}

func (c *csvWriter) time(t time.Time) {
	if t.IsZero() {
		c.text("")
		return
	}
	c.text(t.UTC().Format(time.RFC3339))
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
