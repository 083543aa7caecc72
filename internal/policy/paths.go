package policy

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// At follows a path of member names, nil if it leads nowhere.
func At(d map[string]any, path string) any {
	for {
		name, rest, more := strings.Cut(path, ".")
		v := d[name]
		if !more {
			return v
		}
		var is bool
		if d, is = v.(map[string]any); !is {
			return nil
		}
		path = rest
	}
}

// Strings are the strings of a list, none if there is none.
func Strings(d map[string]any, path string) []string {
	items, _ := At(d, path).([]any)
	out := make([]string, 0, len(items))
	for _, it := range items {
		if s, ok := it.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// ObjectAt is the object at a path, nil if there is none.
func ObjectAt(d map[string]any, path string) map[string]any {
	m, _ := At(d, path).(map[string]any)
	return m
}

// TextAt is the string at a path, empty if there is none.
func TextAt(d map[string]any, path string) string {
	s, _ := At(d, path).(string)
	return s
}

// Has reports whether anything stands at a path.
func Has(d map[string]any, path string) bool { return At(d, path) != nil }

// Put sets the value at a path, making the objects on the way; nil removes it.
func Put(d map[string]any, path string, v any) {
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

// JSONList are texts as a JSON list holds them.
func JSONList(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

// Minus are the elements of a that are not in b.
func Minus(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// Both are the elements of a that are in b too.
func Both(a, b []string) []string {
	var out []string
	for _, s := range a {
		if slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// Subset reports whether all elements of a are in b.
func Subset(a, b []string) bool { return len(Minus(a, b)) == 0 }

// FoldID gives an object id the case that the canonical form has.
func FoldID(id string) string {
	if entra.IsID(id) {
		return strings.ToLower(id)
	}
	return id
}

func union(a, b map[string]any) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

func isNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// SortedKeys are the keys of a map in their order.
func SortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// ListAt is the list at a path, nil if there is none.
func ListAt(d map[string]any, path string) []any {
	items, _ := At(d, path).([]any)
	return items
}

// Join adds a name to a path.
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
