package baseline

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// at follows a path of member names, nil if it leads nowhere.
func at(d map[string]any, path string) any {
	var v any = d
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// strs are the strings of a list, none if there is none.
func strs(d map[string]any, path string) []string {
	items, _ := at(d, path).([]any)
	out := make([]string, 0, len(items))
	for _, it := range items {
		if s, ok := it.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func obj(d map[string]any, path string) map[string]any {
	m, _ := at(d, path).(map[string]any)
	return m
}

func text(d map[string]any, path string) string {
	s, _ := at(d, path).(string)
	return s
}

func has(d map[string]any, path string) bool { return at(d, path) != nil }

// put sets the value at a path, making the objects on the way; nil removes it.
func put(d map[string]any, path string, v any) {
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			if v == nil {
				delete(d, name)
			} else {
				d[name] = v
			}
			return
		}
		sub, ok := d[name].(map[string]any)
		if !ok {
			if v == nil {
				return
			}
			sub = map[string]any{}
			d[name] = sub
		}
		d, path = sub, rest
	}
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

// minus are the elements of a that are not in b.
func minus(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// both are the elements of a that are in b too.
func both(a, b []string) []string {
	var out []string
	for _, s := range a {
		if slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

func subset(a, b []string) bool { return len(minus(a, b)) == 0 }

// fold gives an object id the case that the canonical form has.
func fold(id string) string {
	if entra.IsID(id) {
		return strings.ToLower(id)
	}
	return id
}
