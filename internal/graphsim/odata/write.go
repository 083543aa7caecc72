package odata

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendRow writes a row as a JSON object of the selected members, in the
// order of the declaration; members without a value are null. Navigation
// members are left out. Without options all members are written.
func (c *Collection) AppendRow(b []byte, get Getter, o *Options, unknownEnums bool) []byte {
	return appendObject(b, c.Members, "", get, o, unknownEnums)
}

func appendObject(b []byte, members []Member, under string, get Getter, o *Options, unknownEnums bool) []byte {
	b = append(b, '{')
	first := true
	for i := range members {
		m := &members[i]
		path := under + m.Name
		if m.Navigation || (o != nil && !o.shows(path)) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '"')
		b = append(b, m.Name...)
		b = append(b, '"', ':')
		v := get(path)
		if m.Kind == Complex && !m.Collection && !v.IsNull() {
			b = appendObject(b, m.Members, path+"/", get, o, unknownEnums)
			continue
		}
		b = appendValue(b, m, v, unknownEnums)
	}
	return append(b, '}')
}

// shows says whether a path is written: it, what it lies in, or what lies in
// it was selected.
func (o *Options) shows(path string) bool {
	if o.Select == nil {
		return true
	}
	for _, s := range o.Select {
		if s == path || inside(s, path) || inside(path, s) {
			return true
		}
	}
	return false
}

func inside(path, of string) bool {
	return len(path) > len(of) && path[len(of)] == '/' && path[:len(of)] == of
}

func appendValue(b []byte, m *Member, v Value, unknownEnums bool) []byte {
	switch {
	case v.IsNull():
		return append(b, "null"...)
	case v.collection:
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			if item.kind == Complex {
				b = appendObject(b, m.Members, "", item.fields, nil, unknownEnums)
				continue
			}
			b = appendValue(b, m, item, unknownEnums)
		}
		return append(b, ']')
	}
	switch v.kind {
	case Enum:
		name := v.text
		if m.Enum != nil {
			name = m.Enum.Shown(name, unknownEnums)
		}
		b = append(b, '"')
		b = append(b, name...)
		return append(b, '"')
	case DateTime:
		b = append(b, '"')
		b = FromTicks(v.number).AppendFormat(b, "2006-01-02T15:04:05.9999999Z")
		return append(b, '"')
	case Bool:
		return strconv.AppendBool(b, v.number == 1)
	case Int:
		return strconv.AppendInt(b, v.number, 10)
	case Double:
		return strconv.AppendFloat(b, v.float, 'f', -1, 64)
	}
	return AppendText(b, v.text)
}

// AppendText writes a JSON string.
func AppendText(b []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(b, text)
	if err != nil { // only for invalid UTF-8
		return append(b, `""`...)
	}
	return quoted
}
