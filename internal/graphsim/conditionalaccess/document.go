package conditionalaccess

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// document is an object as it is kept: values are nil, string, bool, int,
// []string, document or []document. The type of a derived one is under
// "@odata.type".
type document map[string]any

const typeName = "@odata.type"

// refused is a numbered refusal of a body.
type refused struct {
	number int
	text   string
}

func malformed(format string, args ...any) *refused {
	return &refused{1007, "Incoming ConditionalAccessPolicy object is null or does not match the schema of ConditionalAccessPolicy type: " + fmt.Sprintf(format, args...)}
}

// read takes a body in as far as it is given: strict about names and types,
// special words and enum members in their canonical spelling. Annotations and
// read-only members are passed over, and so are members named in skip.
func (s *schema) read(data []byte, skip []string) (document, *refused) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return nil, malformed("an object was expected for '%s'", s.name)
	}
	if s.derived != nil || s.typed {
		name := ""
		if s.unnamed != nil {
			name = s.unnamed(raw)
		}
		if given, ok := raw[typeName]; ok && json.Unmarshal(given, &name) != nil || name == "" {
			return nil, malformed("'@odata.type' is needed for '%s'", s.name)
		}
		name = strings.TrimPrefix(strings.TrimPrefix(name, "#"), "microsoft.graph.")
		if s.derived != nil {
			i := slices.IndexFunc(s.derived, func(d *schema) bool { return strings.EqualFold(d.name, name) })
			if i < 0 {
				return nil, malformed("'%s' is no type of '%s'", name, s.name)
			}
			return s.derived[i].read(data, skip)
		}
		if !strings.EqualFold(name, s.name) {
			return nil, malformed("'%s' is not '%s'", name, s.name)
		}
	}
	d := document{}
	if s.typed {
		d[typeName] = "#microsoft.graph." + s.name
	}
	names := make([]string, 0, len(raw))
	for name := range raw {
		names = append(names, name)
	}
	slices.Sort(names) // so that the first mistake is always the same one
	for _, name := range names {
		if strings.Contains(name, "@") || slices.Contains(skip, name) {
			continue
		}
		p := s.find(name)
		if p == nil {
			if name == "deviceStates" && raw["devices"] != nil { // of the beta version, but known by number
				return nil, refuse(statesBesideDevices, "'deviceStates' and 'devices' conditions cannot be used together")
			}
			return nil, malformed("the property '%s' does not exist on type 'microsoft.graph.%s'", name, s.name)
		}
		if p.readOnly {
			continue
		}
		v, bad := p.read(raw[name], skip)
		if bad != nil {
			return nil, bad
		}
		d[name] = v
	}
	return d, nil
}

func (p *property) read(raw json.RawMessage, skip []string) (any, *refused) {
	wrong := func(want string) *refused {
		return malformed("cannot convert the value of '%s' to the expected type '%s'", p.name, want)
	}
	if bytes.Equal(raw, []byte("null")) {
		if !p.null {
			return nil, malformed("a null value was found for the property '%s', which does not allow null", p.name)
		}
		return nil, nil
	}
	switch p.kind {
	case aText, aTime, anEnum, someFlags:
		var v string
		if json.Unmarshal(raw, &v) != nil {
			return nil, wrong("Edm.String")
		}
		switch p.kind {
		case anEnum:
			return p.member(v)
		case someFlags:
			return p.flags(v)
		}
		return v, nil
	case aBool:
		var v bool
		if json.Unmarshal(raw, &v) != nil {
			return nil, wrong("Edm.Boolean")
		}
		return v, nil
	case anInt:
		v, err := strconv.ParseInt(string(raw), 10, 32)
		if err != nil {
			return nil, wrong("Edm.Int32")
		}
		return int(v), nil
	case someTexts, someEnums:
		var pointers []*string
		if json.Unmarshal(raw, &pointers) != nil || slices.Contains(pointers, nil) {
			return nil, wrong("Collection(Edm.String)")
		}
		return p.texts(pointers)
	case anObject:
		if len(raw) == 0 || raw[0] != '{' {
			return nil, wrong("microsoft.graph." + p.of.name)
		}
		return p.of.read(raw, skip)
	case aStrength:
		return readStrengthID(raw)
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil, wrong("Collection(microsoft.graph." + p.of.name + ")")
	}
	all := make([]document, 0, len(items))
	for _, i := range items {
		d, bad := p.of.read(i, skip)
		if bad != nil {
			return nil, bad
		}
		all = append(all, d)
	}
	return all, nil
}

// readStrengthID takes a strength by its id; its other members, as a read
// shows them, are passed over.
func readStrengthID(raw json.RawMessage) (any, *refused) {
	var s struct {
		ID *string `json:"id"`
	}
	if json.Unmarshal(raw, &s) != nil || s.ID == nil {
		return nil, malformed("'authenticationStrength' is given by its id")
	}
	return strings.ToLower(*s.ID), nil
}

// member gives an enum member its spelling. The sentinel is not a value.
func (p *property) member(given string) (any, *refused) {
	for _, m := range p.enum.Members {
		if strings.EqualFold(m, given) && m != unknownFuture {
			return m, nil
		}
	}
	return nil, malformed("'%s' is not a value of '%s' for '%s'", given, p.enum.Name, p.name)
}

// flags gives a set of members as the service writes it: each once, in the
// order of their values.
func (p *property) flags(given string) (any, *refused) {
	set := map[string]bool{}
	for part := range strings.SplitSeq(given, ",") {
		m, bad := p.member(strings.TrimSpace(part))
		if bad != nil {
			return nil, bad
		}
		set[m.(string)] = true //nolint:forcetypeassert // member gives strings
	}
	var kept []string
	for _, m := range p.enum.Members {
		// none is no flag beside others.
		if set[m] && (m != "none" || len(set) == 1) {
			kept = append(kept, m)
		}
	}
	return strings.Join(kept, ","), nil
}

// texts reads a list: each value once, in the order given.
func (p *property) texts(given []*string) (any, *refused) {
	all := make([]string, 0, len(given))
	for _, g := range given {
		v := *g
		if p.kind == someEnums {
			m, bad := p.member(v)
			if bad != nil {
				return nil, bad
			}
			v = m.(string) //nolint:forcetypeassert // member gives strings
		} else {
			for _, w := range p.words {
				if strings.EqualFold(w, v) {
					v = w
				}
			}
			if uuid.Validate(v) == nil && len(v) == 36 {
				v = strings.ToLower(v)
			}
		}
		if !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all, nil
}

// concrete is the type of a document of a possibly abstract type.
func (s *schema) concrete(d document) *schema {
	for _, t := range s.derived {
		if d[typeName] == "#microsoft.graph."+t.name {
			return t
		}
	}
	return s
}

// required names a member that a whole object must have and does not.
func (d document) required(s *schema) *refused {
	s = s.concrete(d)
	for _, p := range s.properties {
		v, given := d[p.name]
		if p.need && (!given || v == "") {
			return malformed("the property '%s' is required on type 'microsoft.graph.%s'", p.name, s.name)
		}
		switch v := v.(type) {
		case document:
			if bad := v.required(p.of); bad != nil {
				return bad
			}
		case []document:
			for _, i := range v {
				if bad := i.required(p.of); bad != nil {
					return bad
				}
			}
		}
	}
	return nil
}

// fill gives every member that was not sent its default.
func (d document) fill(s *schema) {
	s = s.concrete(d)
	for _, p := range s.properties {
		v, given := d[p.name]
		switch {
		case given:
			if inner, ok := v.(document); ok {
				inner.fill(p.of)
			}
			for _, i := range documents(v) {
				i.fill(p.of)
			}
		case p.readOnly:
		case p.value != nil:
			d[p.name] = clone(p.value)
		case p.kind == someTexts || p.kind == someEnums:
			d[p.name] = []string{}
		case p.kind == someObjects:
			d[p.name] = []document{}
		case p.name == "applications" || p.name == "users":
			// Never null: all arrays are there (graph-api §3.4).
			inner := document{}
			inner.fill(p.of)
			d[p.name] = inner
		default:
			d[p.name] = nil
		}
	}
}

// merge puts what a PATCH gives over what is kept: objects member by member,
// lists and plain values whole, null clears (graph-api §3.5; OData 4.01 §11.4.3).
func (d document) merge(patch document) {
	for name, v := range patch {
		inner, isObject := v.(document)
		kept, wasObject := d[name].(document)
		if isObject && wasObject && kept[typeName] == inner[typeName] {
			kept.merge(inner)
			continue
		}
		d[name] = v
	}
}

func documents(v any) []document {
	list, _ := v.([]document)
	return list
}

// at gives the value at a path of object members.
func (d document) at(path ...string) any {
	for _, name := range path[:len(path)-1] {
		inner, ok := d[name].(document)
		if !ok {
			return nil
		}
		d = inner
	}
	return d[path[len(path)-1]]
}

func (d document) list(path ...string) []string {
	v, _ := d.at(path...).([]string)
	return v
}

func (d document) object(path ...string) document {
	v, _ := d.at(path...).(document)
	return v
}

func (d document) text(path ...string) string {
	v, _ := d.at(path...).(string)
	return v
}

// clone copies a value deeply.
func clone(v any) any {
	switch v := v.(type) {
	case document:
		return v.clone()
	case []document:
		all := make([]document, len(v))
		for i, d := range v {
			all[i] = d.clone()
		}
		return all
	case []string:
		return append([]string{}, v...)
	}
	return v
}

func (d document) clone() document {
	c := make(document, len(d))
	for name, v := range d {
		c[name] = clone(v)
	}
	return c
}
