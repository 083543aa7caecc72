package entra

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// UserAgent is the user agent of the sign-in, which additionalInfo holds among
// its pairs of Key and Value; empty if it does not.
func (d *Detection) UserAgent() (agent string) {
	if !strings.Contains(d.AdditionalInfo, "serAgent") {
		return ""
	}
	dec := jsontext.NewDecoder(bytes.NewBufferString(d.AdditionalInfo), asRead)
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '[' {
		return ""
	}
	for dec.PeekKind() == '{' {
		pair, err := ReadDocument(dec)
		if err != nil {
			return ""
		}
		key, value := pair.Text("Key"), pair.Text("Value")
		if key == "" {
			key, value = pair.Text("key"), pair.Text("value")
		}
		if agent == "" && strings.EqualFold(key, "userAgent") {
			agent = value
		}
	}
	if t, err := dec.ReadToken(); err != nil || t.Kind() != ']' {
		return ""
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return ""
	}
	return agent
}
