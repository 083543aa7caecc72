package adopt

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// writer writes a canonical document as YAML, members in the order of the
// schema, so that two exports of one tenant are equal text.
type writer struct {
	out     strings.Builder
	names   policy.Names
	refName func(*policy.Member, string) (text, comment string)
}

func (w *writer) line(indent int, s string) {
	w.out.WriteString(strings.Repeat("  ", indent) + s + "\n")
}

// object writes the members of one object, one a line, leaving out what a
// baseline takes for granted. At the top the name comes first, and the type of
// an abstract object is written where its members do not tell it.
func (w *writer) object(m *policy.Member, v map[string]any, indent int, top bool) {
	nested := len(m.Types) > 0 && !top // its members are what tells which type it is
	if len(m.Types) > 0 {
		t := policy.TypeOf(m, v)
		sub := &policy.Member{}
		for _, c := range m.Types {
			if c.Type == t {
				sub.Members = c.Members
			}
		}
		bare := maps.Clone(v)
		delete(bare, "@odata.type")
		if top && policy.TypeOf(m, bare) != t || len(sub.Members) == 0 {
			w.line(indent, `"@odata.type": `+jsonText(t))
		}
		m = sub
	}
	written := map[string]bool{"@odata.type": true}
	if name, ok := v["displayName"].(string); ok && top {
		w.line(indent, "displayName: "+scalar(name))
		written["displayName"] = true
	}
	for i := range m.Members {
		sub := &m.Members[i]
		e, ok := v[sub.Name]
		if !ok || sub.Beta || written[sub.Name] {
			continue
		}
		if written[sub.Name] = true; nested || !isDefault(sub, e) {
			w.member(sub, e, indent)
		}
	}
	for _, name := range policy.SortedKeys(v) {
		if !written[name] { // what the schema does not know, as JSON
			w.line(indent, scalar(name)+": "+jsonText(v[name]))
		}
	}
}

func (w *writer) member(m *policy.Member, v any, indent int) {
	switch v := v.(type) {
	case map[string]any:
		if m.Shape != policy.Object {
			w.line(indent, m.Name+": "+jsonText(v))
			return
		}
		w.line(indent, m.Name+":")
		w.object(m, v, indent+1, false)
	case []any:
		w.list(m, v, indent)
	default:
		w.line(indent, m.Name+": "+w.value(m, v))
	}
}

// isDefault reports whether a value is what its absence stands for.
func isDefault(m *policy.Member, v any) bool {
	if list, ok := m.Default.([]string); ok {
		return reflect.DeepEqual(v, policy.JSONList(list))
	}
	return m.Default != nil && m.Default == v
}

// widest is how long a list in one line may become.
const widest = 100

// list writes a list in one line where it fits and nothing is to be said of an
// element, an element a line otherwise.
func (w *writer) list(m *policy.Member, v []any, indent int) {
	var items []string
	commented := false
	for _, e := range v {
		if o, ok := e.(map[string]any); ok {
			items = append(items, flow(o))
			commented = true // an object has a line of its own
			continue
		}
		item := w.value(m, e)
		commented = commented || strings.Contains(item, " # ")
		items = append(items, item)
	}
	if one := m.Name + ": [" + strings.Join(items, ", ") + "]"; !commented && 2*indent+len(one) <= widest {
		w.line(indent, one)
		return
	}
	w.line(indent, m.Name+":")
	for _, item := range items {
		w.line(indent+1, "- "+item)
	}
}

// flow writes a small object in one line, without the type that its members
// tell.
func flow(o map[string]any) string {
	var parts []string
	for _, name := range policy.SortedKeys(o) {
		if name == "@odata.type" {
			continue
		}
		if s, ok := o[name].(string); ok {
			parts = append(parts, scalar(name)+": "+scalar(s))
		} else {
			parts = append(parts, scalar(name)+": "+jsonText(o[name]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// value writes one scalar, an id as a name where it has one.
func (w *writer) value(m *policy.Member, v any) string {
	s, ok := v.(string)
	if !ok {
		return jsonText(v)
	}
	if m.Ref == "" {
		return scalar(s)
	}
	text, comment := w.refName(m, s)
	if comment != "" {
		return scalar(text) + " # " + policy.Visible(comment)
	}
	return scalar(text)
}

// extra writes our own members of an object.
func (w *writer) extra(lockout bool, unknown []string) {
	if lockout {
		w.line(2, "acceptLockout: true # it blocks all users on all applications")
	}
	if len(unknown) > 0 {
		w.line(2, "allowUnknown: "+jsonText(unknown))
	}
}

var (
	plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _./@()+-]*$`)
	reserved  = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n)$`)
)

// scalar writes a string plainly where YAML cannot take it for anything else,
// in double quotes otherwise.
func scalar(s string) string {
	if entra.IsID(s) || plainText.MatchString(s) && !reserved.MatchString(s) && !strings.HasSuffix(s, " ") && len(s) < 200 {
		return s
	}
	return jsonText(s)
}

// jsonText writes a value as JSON, which YAML includes.
func jsonText(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprintf("%q", fmt.Sprint(v))
	}
	return escaped(strings.TrimSuffix(b.String(), "\n"))
}

// escaped writes what would steer a terminal by its number. In JSON it only stands
// within strings, so that it reads back the same.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if policy.Visible(string(r)) != string(r) || r == '\ufeff' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
