package yamldoc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// writer writes a random document as a person would and notes where each value
// begins.
type writer struct {
	t     *rapid.T
	text  strings.Builder
	where []string // in the order of flat
}

func (w *writer) at() string {
	text := w.text.String()
	line := text[strings.LastIndexByte(text, '\n')+1:]
	return fmt.Sprintf("%d:%d", 1+strings.Count(text, "\n"), 1+len([]rune(line)))
}

func (w *writer) note(format string, args ...any) {
	w.where = append(w.where, w.at()+" "+fmt.Sprintf(format, args...))
}

var scalars = []struct{ text, kind, value string }{
	{"plain", "a string", "plain"}, {`"quoted: ü"`, "a string", "quoted: ü"}, {`'it''s'`, "a string", "it's"}, {"12", "a number", "12"},
	{"true", "a boolean", "true"}, {"null", "nothing", ""}, {"yes", "a string", "yes"}, {"x y z", "a string", "x y z"}, {"é#b", "a string", "é#b"},
}

// value writes a value after its key or dash.
func (w *writer) value(path string, indent, depth int, flow bool) {
	kinds := 3
	if depth == 0 {
		kinds = 1
	}
	n := rapid.IntRange(1, 3).Draw(w.t, "members")
	switch kind := rapid.IntRange(0, kinds-1).Draw(w.t, "kind"); {
	case kind == 0:
		s := rapid.SampledFrom(scalars).Draw(w.t, "scalar")
		w.note("%s %s=%s", s.kind, path, s.value)
		w.text.WriteString(s.text)
	case flow || rapid.Bool().Draw(w.t, "flow"):
		name, open, end := "a list", "[", "]"
		if kind == 1 {
			name, open, end = "a mapping", "{", "}"
		}
		w.note("%s %s=", name, path)
		w.text.WriteString(open)
		for i := range n {
			if i > 0 {
				w.text.WriteString(rapid.SampledFrom([]string{", ", ",\n" + strings.Repeat(" ", indent+1)}).Draw(w.t, "comma"))
			}
			below := itemPath(path, i)
			if kind == 1 {
				below = w.key(path, i)
			}
			w.value(below, indent, depth-1, true)
		}
		w.text.WriteString(end)
	default:
		inner := indent + rapid.IntRange(1, 4).Draw(w.t, "indent")
		for i := range n {
			w.text.WriteString(rapid.SampledFrom([]string{"\n", "  # note\n", "\n\n"}).Draw(w.t, "break") + strings.Repeat(" ", inner))
			if kind == 2 {
				if i == 0 {
					w.note("a list %s=", path)
				}
				w.text.WriteString("- ")
				w.value(itemPath(path, i), inner+1, depth-1, false)
				continue
			}
			if i == 0 {
				w.note("a mapping %s=", path)
			}
			w.value(w.key(path, i), inner, depth-1, false)
		}
	}
}

func (w *writer) key(path string, i int) string {
	key := rapid.SampledFrom([]string{"k%d", `"q%d"`, "'s%d'", "ü%d"}).Draw(w.t, "key")
	key = fmt.Sprintf(key, i)
	below := memberPath(path, strings.Trim(key, `"'`))
	w.note("key %s", below)
	w.text.WriteString(key + ": ")
	return below
}

func TestPositionsOfAnyDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &writer{t: t}
		w.text.WriteString("root: ")
		w.value("root", 0, 4, false)
		w.text.WriteString("\n")
		n, problems := Parse("f", []byte(w.text.String()))
		if len(problems) > 0 {
			t.Fatalf("%v\n%s", problems, w.text.String())
		}
		want := append([]string{"1:1 a mapping =", "1:1 key root"}, w.where...)
		if diff := cmp.Diff(want, flat(n)); diff != "" {
			t.Fatalf("%s\n%s", w.text.String(), diff)
		}
	})
}

// TestAddressesWithinBraces reads IPv6 networks in a list within braces as
// what they are elsewhere: text.
func TestAddressesWithinBraces(t *testing.T) {
	for text, want := range map[string]any{
		`a: {b: [2001:db8::/32, x, 10.0.0.0/8], c: d}`: map[string]any{"b": []any{"2001:db8::/32", "x", "10.0.0.0/8"}, "c": "d"},
		`a: {b: [fe80:0:0:1::/64]}`:                    map[string]any{"b": []any{"fe80:0:0:1::/64"}},
		`a: {b: [x: y, "q":z]}`:                        map[string]any{"b": []any{map[string]any{"x": "y"}, map[string]any{"q": "z"}}},
		`a: {b: [{"x":"y"}]}`:                          map[string]any{"b": []any{map[string]any{"x": "y"}}},
	} {
		n, problems := Parse("f.yaml", []byte(text))
		if problems.Err() != nil {
			t.Fatalf("%s: %v", text, problems)
		}
		if d := cmp.Diff(want, n.Get("a").JSON()); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
}
