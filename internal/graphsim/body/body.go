// Package body writes JSON objects whose members keep the order in which they
// were set, as the service writes them. It parses nothing and knows no types of
// Graph.
package body

import (
	"bytes"
	"encoding/json"
)

// Object is a JSON object under construction. The zero value is {}.
type Object struct {
	names  []string
	values []any
}

// Set appends a member. Setting a name twice is the caller's mistake and gives
// it twice.
func (o *Object) Set(name string, value any) *Object {
	o.names, o.values = append(o.names, name), append(o.values, value)
	return o
}

// Get gives a member's value, false if it was not set.
func (o *Object) Get(name string) (any, bool) {
	for i, n := range o.names {
		if n == name {
			return o.values[i], true
		}
	}
	return nil, false
}

// MarshalJSON writes the members in order, without HTML escapes.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := write(&b, name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := write(&b, o.values[i]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func write(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the encoder's newline
	return nil
}
