package policy

import (
	"reflect"

	"github.com/risksweep/risksweep/internal/entra"
)

// UpdateBody is what an update sends: the top-level blocks that differ, each
// whole, so that it means the same whether the service merges or replaces.
// What must be off is null where the schema is nullable and the service shows
// the member at all; an empty list stays out unless it empties one. A named
// location is sent whole with its @odata.type, as the service demands.
func UpdateBody(kind entra.ObjectKind, before, want Canonical, live entra.Document) entra.Document {
	if kind == entra.KindLocation {
		return want.Document()
	}
	schema := SchemaOf(kind)
	body := entra.Document{}
	for _, name := range SortedKeys(union(before, want)) {
		if reflect.DeepEqual(before[name], want[name]) {
			continue
		}
		body[name] = block(schema.Lookup(name), want[name], live[name])
	}
	if Has(body, "sessionControls") && TextAt(body, "sessionControls.signInFrequency.frequencyInterval") == "everyTime" {
		// With everyTime these two must be absent, even as null or false.
		for _, name := range []string{"applicationEnforcedRestrictions", "disableResilienceDefaults"} {
			s := ObjectAt(body, "sessionControls")
			if v, ok := s[name]; ok && v == nil && !Has(before, "sessionControls."+name) {
				delete(s, name)
			}
		}
	}
	return body
}

// block completes a wanted value with what must be cleared of the live one. A
// member that the schema does not know is cleared with null.
func block(m *Member, want, live any) any {
	w, ok := want.(map[string]any)
	if !ok || m == nil || len(m.Types) > 0 {
		return want
	}
	l, _ := live.(map[string]any)
	out := make(map[string]any, len(w))
	for name, v := range w {
		out[name] = block(m.Lookup(name), v, l[name])
	}
	for name, v := range l {
		sub := m.Lookup(name)
		_, wanted := w[name]
		switch {
		case wanted || IsAnnotation(name):
		case sub == nil || sub.Beta:
			if !isNothing(v) {
				out[name] = nil
			}
		case sub.ReadOnly:
		case sub.Nullable:
			out[name] = nil
		case sub.List && !isNothing(v):
			out[name] = []any{}
		}
	}
	return out
}
