package policy

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// RefersTo reports whether a canonical policy names an id.
func RefersTo(d Canonical, id string) bool {
	found := false
	EachRef(SchemaOf(entra.KindPolicy), d, func(_ *Member, s string) {
		found = found || strings.EqualFold(s, id)
	})
	return found
}

// DirectoryIDs are the ids of users, groups and service principals that live
// policies refer to and that names do not tell already, sorted.
func DirectoryIDs(policies []entra.Document, names entra.Names) []string {
	known := map[string]bool{}
	for _, r := range names {
		for _, o := range r.Objects {
			known[string(o.ID)] = true
		}
	}
	var ids []string
	for _, p := range policies {
		EachRef(SchemaOf(entra.KindPolicy), CanonicalOf(entra.KindPolicy, p), func(m *Member, id string) {
			switch m.Ref {
			case entra.KindUser, entra.KindGroup, entra.KindServicePrincipal:
				if entra.IsID(id) && !known[id] {
					known[id] = true
					ids = append(ids, id)
				}
			}
		})
	}
	slices.Sort(ids)
	return ids
}

// IsDirectory reports whether names of the kind are the directory's to
// resolve.
func IsDirectory(kind entra.ObjectKind) bool {
	return kind != "" && kind != entra.KindLocation && kind != entra.KindStrength
}

// EachRef visits every value that stands where an object may be named.
func EachRef(m *Member, v any, visit func(*Member, string)) {
	switch v := v.(type) {
	case entra.Document:
		EachRef(m, map[string]any(v), visit)
	case Canonical:
		EachRef(m, map[string]any(v), visit)
	case map[string]any:
		for i := range m.Members {
			if sub := &m.Members[i]; sub.refers {
				EachRef(sub, v[sub.Name], visit)
			}
		}
	case []any:
		for _, e := range v {
			EachRef(m, e, visit)
		}
	case string:
		if m.Ref != "" {
			visit(m, v)
		}
	}
}

// MapRefs gives a copy, of all that is in it, in which every such value is replaced.
func MapRefs(m *Member, v any, replace func(*Member, string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			sub := m.Lookup(k)
			if sub == nil {
				sub = &Member{} // in which nothing is named
			}
			out[k] = MapRefs(sub, e, replace)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = MapRefs(m, e, replace)
		}
		return out
	case string:
		if m.Ref != "" {
			return replace(m, v)
		}
	}
	return v
}
