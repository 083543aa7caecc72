package yamldoc

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// inUTF16 writes a text as Windows PowerShell 5.1 does, or in the other order.
func inUTF16(text string, order binary.AppendByteOrder) []byte {
	out := order.AppendUint16(nil, 0xfeff)
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

// TestUTF16ReadsAsUTF8 holds that a text means the same in every encoding that
// its mark names, down to the places of its values and mistakes.
func TestUTF16ReadsAsUTF8(t *testing.T) {
	for _, c := range []struct{ file, text string }{
		{"a.yaml", "name: Zoë\nlist:\n  - '𝔘 two'\n  - x\n"},
		{"a.yaml", "name: Zoë\r\nlist: [1, 2]\r\n"},
		{"a.json", "{\r\n \"naïve 𝔘\": [true, null],\r\n \"b\": \"\u20ac\"\r\n}\r\n"},
		{"a.yaml", "{\"a\": 1}"},
		{"a.json", "{\"é𝔘\": 1, x}"},
		{"a.yaml", "ä: 1\nb: [\n"},
		{"a.yaml", "é: \x01\n"},
		{"a.yaml", ""},
	} {
		want, wantProblems := Parse(c.file, []byte(c.text))
		for name, data := range map[string][]byte{
			"little": inUTF16(c.text, binary.LittleEndian), "big": inUTF16(c.text, binary.BigEndian), "UTF-8 mark": append([]byte("\ufeff"), c.text...),
		} {
			got, problems := Parse(c.file, data)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s of %q (-want +got):\n%s", name, c.text, d)
			}
			if d := cmp.Diff(wantProblems, problems); d != "" {
				t.Errorf("%s of %q, problems (-want +got):\n%s", name, c.text, d)
			}
		}
	}
}

func TestTextsOfNoReadableEncoding(t *testing.T) {
	le := binary.LittleEndian
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"UTF-32", []byte{0xff, 0xfe, 0, 0, 'a', 0, 0, 0}, "f:1:1: is UTF-32; save it as UTF-8"},
		{"half a character", append(inUTF16("a: b\n", le), 'x'), "f:2:1: is UTF-16 that ends within a character"},
		{"a lone high surrogate", le.AppendUint16(inUTF16("a: ", le), 0xd800), "f:1:4: is not valid UTF-16"},
		{"a lone low surrogate", le.AppendUint16(inUTF16("a: ", le), 0xdc00), "f:1:4: is not valid UTF-16"},
		{"UTF-16 without a mark", inUTF16("a: b", le)[2:], "f:1:2: holds the control character U+0000"},
		{"Latin-1", []byte("a: \xe9"), "f:1:4: is not valid UTF-8"},
	} {
		n, problems := Parse("f", c.data)
		if n != nil || problems.Error() != c.want {
			t.Errorf("%s: %v, %q; want %q", c.name, n, problems.Error(), c.want)
		}
	}
}
