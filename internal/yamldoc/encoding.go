package yamldoc

import (
	"bytes"
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// The marks that a text begins with to say how it is encoded.
var (
	markUTF8    = []byte{0xef, 0xbb, 0xbf}
	markUTF16LE = []byte{0xff, 0xfe}
	markUTF16BE = []byte{0xfe, 0xff}
	markUTF32LE = []byte{0xff, 0xfe, 0, 0}
	markUTF32BE = []byte{0, 0, 0xfe, 0xff}
)

// decode gives a text as UTF-8 without its byte-order mark. UTF-16 is read
// where the mark says so, as Windows PowerShell 5.1 writes it. It is false if
// the text cannot be read; the problem has been added.
func (p *parse) decode(data []byte) ([]byte, bool) {
	switch {
	case bytes.HasPrefix(data, markUTF32LE), bytes.HasPrefix(data, markUTF32BE):
		p.add(1, 1, "", "is UTF-32; save it as UTF-8")
		return nil, false
	case bytes.HasPrefix(data, markUTF16LE):
		return p.fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, markUTF16BE):
		return p.fromUTF16(data[2:], binary.BigEndian)
	}
	data = bytes.TrimPrefix(data, markUTF8)
	if bad := invalidUTF8(data); bad >= 0 {
		line, column := position(data, bad)
		p.add(line, column, "", "is not valid UTF-8")
		return nil, false
	}
	return data, true
}

func (p *parse) fromUTF16(data []byte, order binary.ByteOrder) ([]byte, bool) {
	out := make([]byte, 0, len(data))
	bad := func(what string) ([]byte, bool) {
		line, column := position(out, len(out))
		p.add(line, column, "", "%s", what)
		return nil, false
	}
	for i := 0; i+1 < len(data); i += 2 {
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+3 < len(data) {
				low = rune(order.Uint16(data[i+2:]))
			}
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return bad("is not valid UTF-16")
			}
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	if len(data)%2 != 0 {
		return bad("is UTF-16 that ends within a character")
	}
	return out, true
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
