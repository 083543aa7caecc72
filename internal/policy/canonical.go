// Package policy is the language of Conditional Access: what a policy, named
// location or authentication strength may hold, when two of them mean the same,
// in what they differ and what that means for the people they hold for. It
// knows documents alone: no file, no tenant, no plan.
package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Canonical is a document in the form in which two of them mean the same exactly
// when they are equal: read-only members, annotations, null, empty lists and
// empty objects are gone (missing, null and empty are the same to the service),
// sets are sorted, ids and special words have one spelling, defaults are filled
// in. A member that is not in the schema is kept as it is, so that a difference
// in it shows. It is made by CanonicalOf alone, and is not to be changed.
type Canonical map[string]any

// CanonicalOf gives the canonical form of a document, which is not changed. A
// document of a kind without a schema only loses its annotations and what is
// empty.
func CanonicalOf(kind entra.ObjectKind, d entra.Document) Canonical {
	if d == nil {
		return nil
	}
	schema := SchemaOf(kind)
	if schema == nil {
		schema = &Member{Shape: Object}
	}
	out, _ := schema.object(map[string]any(d)).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	if kind == entra.KindPolicy {
		canonicalPolicy(out)
	}
	return out
}

// CanonicalHash is the hash of the canonical form of a document; empty for a nil
// document.
func CanonicalHash(kind entra.ObjectKind, d entra.Document) string {
	return CanonicalOf(kind, d).Hash()
}

// Hash is the SHA-256 of the compact JSON, names sorted, in lower-case
// hexadecimal; empty for nil.
func (c Canonical) Hash() string {
	if c == nil {
		return ""
	}
	text, err := json.Marshal(c)
	if err != nil {
		// Only a value that never came from JSON gets here; it equals nothing.
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Equal reports whether two documents mean the same.
func (c Canonical) Equal(other Canonical) bool {
	if c == nil || other == nil {
		return c == nil && other == nil
	}
	return same(map[string]any(c), map[string]any(other))
}

// same reports whether two values of JSON are equal.
func same(a, b any) bool {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if w, ok := b[k]; !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	}
	return reflect.DeepEqual(a, b)
}

// Document is a copy as a document, to be changed or sent.
func (c Canonical) Document() entra.Document { return entra.Document(c).Clone() }

// DisplayName is the displayName member, empty if there is none.
func (c Canonical) DisplayName() string { return c.Text("displayName") }

// Text returns a string member, empty if it is absent or of another type.
func (c Canonical) Text(name string) string { return entra.Document(c).Text(name) }

// value gives the canonical form of one value, nil if it means nothing.
func (m *Member) value(v any) any {
	if m.List {
		items, ok := v.([]any)
		if !ok {
			return loose(v)
		}
		return m.set(items)
	}
	if items, ok := v.([]any); ok {
		return loose(items)
	}
	return m.single(v)
}

func (m *Member) single(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		return m.text(v)
	case map[string]any:
		switch m.Shape {
		case Object:
			return m.object(v)
		case Opaque:
			return loose(v)
		}
	case float64, int, int64:
		return number(v)
	}
	return loose(v)
}

// set sorts what is left of a list by its JSON and drops repetitions.
func (m *Member) set(items []any) any {
	type item struct {
		text  string
		value any
	}
	if len(items) == 1 { // as most are
		if c := m.single(items[0]); c != nil {
			return []any{c}
		}
		return nil
	}
	list := make([]item, 0, len(items))
	for _, it := range items {
		if c := m.single(it); c != nil {
			list = append(list, item{compact(c), c})
		}
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b item) int { return strings.Compare(a.text, b.text) })
	out := make([]any, 0, len(list))
	for i, it := range list {
		if i == 0 || list[i-1].text != it.text {
			out = append(out, it.value)
		}
	}
	return out
}

// compact is the JSON of a value.
func compact(v any) string {
	if s, ok := v.(string); ok && !strings.ContainsFunc(s, escaped) {
		return `"` + s + `"`
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}

// escaped reports whether JSON may write a character in another way.
func escaped(r rune) bool {
	return r < ' ' || r > '~' || r == '"' || r == '\\' || r == '<' || r == '>' || r == '&'
}

// text gives the one spelling of a string; an empty one means nothing.
func (m *Member) text(s string) any {
	switch {
	case s == "":
		return nil
	case m.Shape == Flags:
		return m.flags(s)
	case m.Shape == Enum:
		return spelled(s, m.Values)
	case entra.IsID(s):
		return strings.ToLower(s)
	case m.Upper:
		return strings.ToUpper(strings.TrimSpace(s))
	}
	if w := spelled(s, m.Words); w != s {
		return w
	}
	if m.Lower && !slices.Contains(m.Words, s) {
		return strings.ToLower(s)
	}
	return s
}

// spelled gives the known spelling of a word that differs in case only.
func spelled(s string, words []string) string {
	for _, w := range words {
		if strings.EqualFold(w, s) {
			return w
		}
	}
	return s
}

// flags sorts the members of a flags value in the order of the enumeration,
// unknown ones last; none means nothing.
func (m *Member) flags(s string) any {
	var parts []string
	for p := range strings.SplitSeq(s, ",") {
		p = spelled(strings.TrimSpace(p), m.Values)
		if p != "" && p != "none" && !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	rank := func(p string) int {
		if i := slices.Index(m.Values, p); i >= 0 {
			return i
		}
		return len(m.Values)
	}
	slices.SortFunc(parts, func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	return strings.Join(parts, ",")
}

// object gives the canonical form of an object, nil if nothing is in it.
func (m *Member) object(v map[string]any) any {
	schema := m.concrete(v)
	out := make(map[string]any, len(v))
	if schema.Name != "" && len(m.Types) > 0 {
		out["@odata.type"] = schema.Name
	}
	for name, e := range v {
		if IsAnnotation(name) {
			continue
		}
		known := schema.Lookup(name)
		var c any
		switch {
		case known == nil:
			c = loose(e)
		case known.Beta:
			c = betaValue(e)
		case known.ReadOnly:
			continue
		default:
			c = known.value(e)
		}
		if c != nil {
			out[name] = c
		}
	}
	for i := range schema.Members {
		d := &schema.Members[i]
		if d.Default == nil || out[d.Name] != nil {
			continue
		}
		switch def := d.Default.(type) {
		case []string:
			items := make([]any, len(def))
			for i, s := range def {
				items[i] = s
			}
			out[d.Name] = items
		default:
			out[d.Name] = def
		}
	}
	fixAddresses(schema.Name, out)
	if len(out) == 0 {
		return nil
	}
	return out
}

// IsAnnotation reports whether a name is no member but one of OData's own: an
// annotation (@odata.type, members@odata.context) or an advertised action
// (#microsoft.graph.restore). The service shows them and never takes them.
func IsAnnotation(name string) bool {
	return strings.Contains(name, "@") || strings.HasPrefix(name, "#")
}

// betaValue is the canonical form of a member of the beta version: a control
// that is not enabled counts as absent, as those of v1.0 do.
func betaValue(v any) any {
	if m, ok := v.(map[string]any); ok && m["isEnabled"] == false {
		return nil
	}
	return loose(v)
}

// loose is the canonical form of what the schema does not know: kept, but for
// annotations and what is empty.
func loose(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if IsAnnotation(k) && k != "@odata.type" {
				continue
			}
			if c := loose(e); c != nil {
				out[k] = c
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case entra.Document:
		return loose(map[string]any(v))
	case []any:
		out := make([]any, 0, len(v))
		something := false
		for _, e := range v {
			if c := loose(e); c != nil {
				out, something = append(out, c), true
			} else {
				out = append(out, e)
			}
		}
		if !something {
			return nil
		}
		return out
	case string:
		if v == "" {
			return nil
		}
		return v
	case float64, int, int64:
		return number(v)
	case json.Number:
		return number(v)
	}
	return v
}

// number writes every number as json.Number in the shortest form.
func number(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	s := string(text)
	if strings.ContainsAny(s, ".eE") {
		var f float64
		if json.Unmarshal(text, &f) == nil && f == float64(int64(f)) {
			text, err = json.Marshal(int64(f))
			if err == nil {
				s = string(text)
			}
		}
	}
	return json.Number(s)
}
