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
		key, value, err := readPair(dec)
		if err != nil {
			return ""
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

// readPair reads an object with a key and a value, which either spells as it does.
// A value that is no text counts as empty.
func readPair(dec *jsontext.Decoder) (key, value string, err error) {
	var lower [2]string
	if _, err := dec.ReadToken(); err != nil {
		return "", "", err
	}
	for dec.PeekKind() != '}' {
		t, err := dec.ReadToken()
		if err != nil {
			return "", "", err
		}
		var into *string
		switch t.String() {
		case "Key":
			into = &key
		case "Value":
			into = &value
		case "key":
			into = &lower[0]
		case "value":
			into = &lower[1]
		}
		if into == nil || dec.PeekKind() != '"' {
			if into != nil {
				*into = ""
			}
			err = dec.SkipValue()
		} else if t, err = dec.ReadToken(); err == nil {
			*into = t.String()
		}
		if err != nil {
			return "", "", err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return "", "", err
	}
	if key == "" {
		key, value = lower[0], lower[1]
	}
	return key, value, nil
}
