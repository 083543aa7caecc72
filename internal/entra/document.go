package entra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Document is a policy, named location or authentication strength as a
// lossless JSON object: every member that Graph sent is kept, numbers as
// json.Number.
type Document map[string]any

// ParseDocument decodes one JSON object. Trailing data is an error.
func ParseDocument(data []byte) (Document, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var d Document
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("decoding document: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("decoding document: data after the object")
	}
	if d == nil {
		return nil, fmt.Errorf("decoding document: not an object")
	}
	return d, nil
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
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		return err
	}
	*d = m
	return nil
}
