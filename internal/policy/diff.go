package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Differences names each member in which two canonical documents differ, in
// words; before may be nil.
func Differences(before, after Canonical, n Names) []Difference {
	var out []Difference
	compare(before, after, "", func(path string, a, b any) {
		out = append(out, Difference{Path: path, Old: raw(a), New: raw(b), Text: path + ": " + said(a, b, n)})
	})
	return out
}

// DifferentPaths are the paths of the members in which two canonical documents
// differ.
func DifferentPaths(before, after Canonical) []string {
	var out []string
	compare(before, after, "", func(path string, _, _ any) { out = append(out, path) })
	return out
}

// compare visits each member in which two objects differ, in the order of the
// names.
func compare(before, after map[string]any, path string, visit func(path string, a, b any)) {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := before[name], after[name]
		if same(a, b) {
			continue
		}
		p := Join(path, name)
		am, aok := a.(map[string]any)
		bm, bok := b.(map[string]any)
		if (aok || a == nil) && (bok || b == nil) && (aok || bok) {
			compare(am, bm, p, visit)
			continue
		}
		visit(p, a, b)
	}
}

func raw(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return text
}

// said puts one difference into words.
func said(a, b any, n Names) string {
	al, aok := a.([]any)
	bl, bok := b.([]any)
	if (aok || a == nil) && (bok || b == nil) {
		var parts []string
		if more := without(bl, al); len(more) > 0 {
			parts = append(parts, "added "+words(more, n))
		}
		if less := without(al, bl); len(less) > 0 {
			parts = append(parts, "removed "+words(less, n))
		}
		return strings.Join(parts, ", ")
	}
	switch {
	case a == nil:
		return "set to " + word(b, n)
	case b == nil:
		return "removed, was " + word(a, n)
	}
	return fmt.Sprintf("%s becomes %s", word(a, n), word(b, n))
}

// without are the elements of a that are not in b: a location holds thousands
// of ranges, so they are looked up by their JSON.
func without(a, b []any) []any {
	known := make(map[string]bool, len(b))
	for _, v := range b {
		known[string(raw(v))] = true
	}
	var out []any
	for _, v := range a {
		if !known[string(raw(v))] {
			out = append(out, v)
		}
	}
	return out
}

// words names what a list holds, in the order of the names: ids have none that
// says anything.
func words(list []any, n Names) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = word(v, n)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func word(v any, n Names) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", n.Name(v))
	case map[string]any:
		if c := TextAt(v, "cidrAddress"); c != "" {
			return c
		}
		if lo := TextAt(v, "lowerAddress"); lo != "" {
			return lo + "-" + TextAt(v, "upperAddress")
		}
	case []any:
		return words(v, n)
	}
	return string(raw(v))
}

// Difference is one member of a policy that changes.
type Difference struct {
	Path string          `json:"path"` // conditions.users.excludeGroups
	Old  json.RawMessage `json:"old,omitempty"`
	New  json.RawMessage `json:"new,omitempty"`
	// Text says it for a person, ids turned into names where known.
	Text string `json:"text"`
}
