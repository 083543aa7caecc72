package entra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	fastjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Document is a policy, named location or authentication strength as a
// lossless JSON object: every member that Graph sent is kept, numbers as
// json.Number.
type Document map[string]any

// ParseDocument decodes one JSON object. Trailing data is an error.
func ParseDocument(data []byte) (Document, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), asRead)
	d, err := ReadDocument(dec)
	if err != nil {
		return nil, fmt.Errorf("decoding document: %w", err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("decoding document: data after the object")
	}
	return d, nil
}

// asRead takes what encoding/json takes: a name that stands twice means its last
// value, and what is not UTF-8 is replaced.
var asRead = fastjson.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// ReadDocument decodes the next value, which is an object.
func ReadDocument(dec *jsontext.Decoder) (Document, error) {
	v, err := readValue(dec)
	if err != nil {
		return nil, err
	}
	d, is := v.(map[string]any)
	if !is {
		return nil, errors.New("not an object")
	}
	return d, nil
}

// readValue decodes the next value; numbers stay as they were written.
func readValue(dec *jsontext.Decoder) (any, error) {
	t, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '{':
		m := map[string]any{}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String() // before the next token takes its place
			if m[key], err = readValue(dec); err != nil {
				return nil, err
			}
		}
		_, err = dec.ReadToken()
		return m, err
	case '[':
		list := []any{}
		for dec.PeekKind() != ']' {
			v, err := readValue(dec)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.ReadToken()
		return list, err
	case '"':
		return t.String(), nil
	case '0':
		return json.Number(t.String()), nil
	case 't', 'f':
		return t.Bool(), nil
	}
	return nil, nil //nolint:nilnil // null is a value here
}

// ID is the id member in the form in which ids are compared, empty if there is
// none.
func (d Document) ID() string { return string(NewID(d.Text("id"))) }

// DisplayName is the displayName member, empty if there is none.
func (d Document) DisplayName() string { return d.Text("displayName") }

// Text returns a string member, empty if it is absent or of another type.
func (d Document) Text(name string) string {
	s, _ := d[name].(string)
	return s
}

// Clone copies the document and everything below it.
func (d Document) Clone() Document {
	if d == nil {
		return nil
	}
	return cloneValue(map[string]any(d)).(map[string]any)
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = cloneValue(e)
		}
		return m
	case []any:
		s := make([]any, len(v))
		for i, e := range v {
			s[i] = cloneValue(e)
		}
		return s
	}
	return v
}

// UnmarshalJSON keeps numbers as they were written, also within other
// documents. null gives a nil document.
func (d *Document) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		*d = nil
		return nil
	}
	doc, err := ParseDocument(data)
	if err == nil {
		*d = doc
	}
	return err
}
