package baseline

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// writer writes a canonical document as YAML, members in the order of the
// schema, so that two exports of one tenant are equal text.
type writer struct {
	out     strings.Builder
	names   namer
	refName func(*entra.Member, string) (text, comment string)
}

func (w *writer) line(indent int, s string) {
	w.out.WriteString(strings.Repeat("  ", indent) + s + "\n")
}

// object writes the members of one object, one a line. At the top the type of
// an abstract object is written too.
func (w *writer) object(m *entra.Member, v map[string]any, indent int, top bool) {
	if len(m.Types) > 0 {
		t := entra.TypeOf(m, v)
		sub := &entra.Member{}
		for _, c := range m.Types {
			if c.Type == t {
				sub.Members = c.Members
			}
		}
		if top || len(sub.Members) == 0 {
			w.line(indent, `"@odata.type": `+jsonText(t))
		}
		m = sub
	}
	written := map[string]bool{"@odata.type": true}
	for i := range m.Members {
		sub := &m.Members[i]
		if e, ok := v[sub.Name]; ok && !sub.Beta {
			w.member(sub, e, indent)
			written[sub.Name] = true
		}
	}
	for _, name := range sortedKeys(v) {
		if !written[name] { // what the schema does not know, as JSON
			w.line(indent, scalar(name)+": "+jsonText(v[name]))
		}
	}
}

func (w *writer) member(m *entra.Member, v any, indent int) {
	switch v := v.(type) {
	case map[string]any:
		if m.Shape != entra.Object {
			w.line(indent, m.Name+": "+jsonText(v))
			return
		}
		w.line(indent, m.Name+":")
		w.object(m, v, indent+1, false)
	case []any:
		w.line(indent, m.Name+":")
		for _, e := range v {
			if o, ok := e.(map[string]any); ok {
				delete(o, "@odata.type")
				w.line(indent+1, "- "+jsonText(o))
				continue
			}
			w.line(indent+1, "- "+w.value(m, e))
		}
	default:
		w.line(indent, m.Name+": "+w.value(m, v))
	}
}

// value writes one scalar, an id as a name where it has one.
func (w *writer) value(m *entra.Member, v any) string {
	s, ok := v.(string)
	if !ok {
		return jsonText(v)
	}
	if m.Ref == "" {
		return scalar(s)
	}
	text, comment := w.refName(m, s)
	if comment != "" {
		return scalar(text) + " # " + visible(comment)
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
	return strings.TrimSuffix(b.String(), "\n")
}
