package yamldoc

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a: 1\nb: [x, {y: 'z'}]\n", `{"a": [1, null, "x"]}`, "x: &a {k: 1}\ny: {<<: *a}\n", "a: |\n  b\n", "- - a\n- b: c\n", "%YAML 1.2\n---\na\n", "{a, b: }", ": x", "*", "&", "a: &"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, problems := Parse("f", data)
		if n == nil && problems.Err() == nil {
			t.Fatal("neither a node nor an error")
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || strings.ContainsAny(p.Error(), "\n\r") {
				t.Fatalf("bad problem %#v", p)
			}
		}
		if n == nil {
			return
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 1
		check(t, n, lines)
		if problems.Err() == nil {
			if _, err := json.Marshal(n.JSON()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func check(t *testing.T, n *Node, lines int) {
	if n.Line < 1 || n.Column < 1 || n.Line > lines+1 {
		t.Fatalf("%s stands at %d:%d of %d lines", n.Path, n.Line, n.Column, lines)
	}
	if len(n.Keys) != len(n.Values) {
		t.Fatalf("%s has %d keys and %d values", n.Path, len(n.Keys), len(n.Values))
	}
	for i := range n.Keys {
		check(t, n.Keys[i], lines)
		check(t, n.Values[i], lines)
	}
	for _, it := range n.Items {
		check(t, it, lines)
	}
}

// Any JSON value reads the same as with encoding/json, from its compact and
// its indented form, and through the YAML reader as well.
func TestReadsJSONAsEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyValue(3).Draw(t, "value")
		compact, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		indented, _ := json.MarshalIndent(want, "", "  ")
		for _, text := range []string{string(compact), string(indented), "# YAML\n" + string(compact)} {
			n, problems := Parse("f", []byte(text))
			if len(problems) > 0 {
				t.Fatalf("%s: %v", text, problems)
			}
			if diff := cmp.Diff(want, n.JSON()); diff != "" {
				t.Fatalf("%s: %s", text, diff)
			}
		}
	})
}

func anyValue(depth int) *rapid.Generator[any] {
	text := rapid.StringMatching(`[ -~äé😀\n\t]{0,12}`)
	options := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), text.AsAny(),
		rapid.Custom(func(t *rapid.T) any {
			b, _ := json.Marshal(rapid.Int32().Draw(t, "number"))
			return json.Number(b)
		}),
	}
	if depth > 0 {
		options = append(options,
			rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(anyValue(depth-1), 0, 4).Draw(t, "list") }),
			rapid.Custom(func(t *rapid.T) any { return rapid.MapOfN(text, anyValue(depth-1), 0, 4).Draw(t, "mapping") }))
	}
	return rapid.OneOf(options...)
}
