package conditionalaccess

import (
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// value gives a member for $filter and $orderby.
func (s *schema) value(d document, path string) odata.Value {
	names := strings.Split(path, "/")
	for len(names) > 1 {
		p := s.find(names[0])
		inner, ok := d[names[0]].(document)
		if p == nil || !ok {
			return odata.Value{}
		}
		s, d, names = p.of, inner, names[1:]
	}
	p := s.find(names[0])
	if p == nil {
		return odata.Value{}
	}
	switch v := d[names[0]].(type) {
	case string:
		if p.kind == anEnum || p.kind == someFlags {
			return odata.EnumValue(v)
		}
		return odata.Text(v)
	case bool:
		return odata.Boolean(v)
	case int:
		return odata.Integer(int64(v))
	case []string:
		if p.kind == someEnums {
			values := make([]odata.Value, len(v))
			for i, m := range v {
				values[i] = odata.EnumValue(m)
			}
			return odata.List(values...)
		}
		return odata.Texts(v)
	case document:
		inner := p.of
		return odata.Object(func(member string) odata.Value { return inner.value(v, member) })
	}
	return odata.Value{}
}

// writer shows documents to one caller.
type writer struct {
	unknownEnums bool
	// strength shows a strength by its id.
	strength func(id string) any
	// strengthContext is its context.
	strengthContext string
}

// write shows a document; selected says which members at its top are wanted.
func (w writer) write(s *schema, d document, into *body.Object, selected func(string) bool) *body.Object {
	s = s.concrete(d)
	if s.typed {
		into.Set(typeName, "#microsoft.graph."+s.name)
	}
	for _, p := range s.properties {
		if selected != nil && !selected(p.name) {
			continue
		}
		if p.kind == aStrength {
			if w.strengthContext != "" {
				into.Set(p.name+"@odata.context", w.strengthContext)
			}
			if id, ok := d[p.name].(string); ok && w.strength != nil {
				into.Set(p.name, w.strength(id))
				continue
			}
			into.Set(p.name, nil)
			continue
		}
		into.Set(p.name, w.show(&p, d[p.name]))
	}
	return into
}

func (w writer) show(p *property, v any) any {
	switch v := v.(type) {
	case document:
		return w.write(p.of, v, &body.Object{}, nil)
	case []document:
		all := make([]*body.Object, len(v))
		for i, d := range v {
			all[i] = w.write(p.of, d, &body.Object{}, nil)
		}
		return all
	case []string:
		if p.kind != someEnums {
			return v
		}
		all := make([]string, len(v))
		for i, m := range v {
			all[i] = p.enum.Shown(m, w.unknownEnums)
		}
		return all
	case string:
		if p.kind == anEnum {
			return p.enum.Shown(v, w.unknownEnums)
		}
	}
	return v
}
