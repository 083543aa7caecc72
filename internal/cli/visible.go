package cli

import (
	"io"
	"unicode/utf8"
)

// data is where documents and files go as they are. At a terminal nothing in them
// moves the cursor, paints or turns the direction of the text; in a pipe or a file
// every byte stays.
func (c *command) data() io.Writer {
	if !c.OutTTY {
		return c.Out
	}
	return &visible{w: c.Out}
}

// visible shows a sign in place of each character that steers a terminal.
type visible struct {
	w    io.Writer
	rest []byte // the beginning of a character
}

func (v *visible) Write(p []byte) (int, error) {
	in := append(v.rest, p...)
	out := make([]byte, 0, len(in))
	for len(in) > 0 && utf8.FullRune(in) {
		r, n := utf8.DecodeRune(in)
		switch {
		case r == '\r': // of a line's end, or to write over the line
		case r == '\n' || r == '\t':
			out = append(out, byte(r))
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x061c || r == 0x200e || r == 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			out = utf8.AppendRune(out, utf8.RuneError)
		default:
			out = utf8.AppendRune(out, r)
		}
		in = in[n:]
	}
	v.rest = append([]byte(nil), in...)
	if _, err := v.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
