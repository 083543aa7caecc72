package functions

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"
	"time"
)

// invocation is what the host posts. Metadata is not read but for what the
// host alone writes: names of a message's own members can overwrite the rest.
type invocation struct {
	Data map[string]json.RawMessage
}

// parseInvocation reads the body of a call.
func parseInvocation(body []byte) (invocation, error) {
	var in invocation
	if err := json.Unmarshal(body, &in); err != nil {
		return in, fmt.Errorf("the invocation is not JSON: %w", err)
	}
	if in.Data == nil {
		return in, errors.New("the invocation carries no Data")
	}
	return in, nil
}

// input is the value of a binding: by name, in any case, or the only one.
func (in invocation) input(name string) (json.RawMessage, error) {
	if v, ok := in.Data[name]; ok {
		return v, nil
	}
	for k, v := range in.Data {
		if strings.EqualFold(k, name) || len(in.Data) == 1 {
			return v, nil
		}
	}
	return nil, fmt.Errorf("the invocation carries no %q", name)
}

// maxLayers is how often a value may be wrapped into a text.
const maxLayers = 4

// object unwraps a value that is a JSON object, or JSON text of one in a
// string, or in a string in a string; a null is no object.
func object(raw json.RawMessage) (json.RawMessage, bool) {
	for range maxLayers {
		raw = bytes.TrimSpace(raw)
		if len(raw) > 0 && raw[0] == '{' {
			return raw, json.Valid(raw)
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return nil, false
		}
		raw = json.RawMessage(text)
	}
	return nil, false
}

// message unwraps a queue message. The host wraps its text twice, or gives its
// bytes as base64 if the binding says binary; a text in quotes is one layer.
func message(raw json.RawMessage) []byte {
	data := []byte(raw)
	for range maxLayers {
		trimmed := bytes.TrimSpace(data)
		if len(trimmed) == 0 || trimmed[0] == '{' {
			return trimmed
		}
		var text string
		if json.Unmarshal(trimmed, &text) == nil {
			data = []byte(text)
			continue
		}
		decoded, err := base64.StdEncoding.DecodeString(string(trimmed))
		if err != nil {
			return trimmed
		}
		data = decoded
	}
	return data
}

// queueText is the text of a queue message as it was in the queue, whatever it
// looks like. The binding says binary, so that the host gives its bytes as
// base64; without that it gives a JSON text of a JSON text.
func queueText(raw json.RawMessage) []byte {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return raw
	}
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
		return decoded
	}
	var inner string
	if json.Unmarshal([]byte(text), &inner) == nil {
		return []byte(inner)
	}
	return []byte(text)
}

// timer is what a timer trigger carries.
type timer struct {
	ScheduleStatus *struct {
		Next hostTime
	}
	IsPastDue bool
}

// due is when this occurrence was due; zero if the host does not say. It is in
// the future for a call by hand, which is not the occurrence itself.
func (t timer) due() time.Time {
	if t.ScheduleStatus == nil {
		return time.Time{}
	}
	return t.ScheduleStatus.Next.Time
}

// parseTimer reads a timer trigger's value, which may be missing altogether.
func parseTimer(raw json.RawMessage) (timer, error) {
	var t timer
	obj, ok := object(raw)
	if !ok {
		if s := strings.TrimSpace(string(raw)); s == "" || s == "null" || s == `""` || s == `"null"` {
			return t, nil
		}
		return t, errors.New("the timer's value is no object")
	}
	if err := json.Unmarshal(obj, &t); err != nil {
		return t, fmt.Errorf("the timer's value: %w", err)
	}
	return t, nil
}

// hostTime is a time as the host writes it: with 7, 6 or no digits of a
// second, with an offset or without a zone, and year 1 for never.
type hostTime struct{ time.Time }

func (t *hostTime) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		return nil // null, or a form that no host writes: not known
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "01/02/2006 15:04:05"} {
		at, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if at.UTC().Year() > 1 {
			t.Time = at.UTC()
		}
		return nil
	}
	return nil
}

// request is what an HTTP trigger carries.
type request struct {
	URL     string `json:"Url"`
	Method  string
	Query   json.RawMessage // an object, whatever the documents say
	Headers map[string]json.RawMessage
	Params  map[string]*string
	Body    json.RawMessage
}

// parseRequest reads an HTTP trigger's value.
func parseRequest(raw json.RawMessage) (request, error) {
	var r request
	obj, ok := object(raw)
	if !ok {
		return r, errors.New("the request is no object")
	}
	if err := json.Unmarshal(obj, &r); err != nil {
		return r, fmt.Errorf("the request: %w", err)
	}
	return r, nil
}

// body is the request's body: absent, a text, the base64 of one that the host
// does not take for text, or an object of a host that did not put it into a
// text.
func (r request) body() []byte {
	var text string
	if json.Unmarshal(r.Body, &text) != nil {
		return r.Body
	}
	kind, _, _ := mime.ParseMediaType(r.header("Content-Type"))
	if kind == "application/octet-stream" || strings.HasPrefix(kind, "multipart/") {
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			return decoded
		}
	}
	return []byte(text)
}

// lostBody reports a body that the host did not pass on: it does so for one
// that comes in chunks, without Content-Length.
func (r request) lostBody() bool {
	return len(r.body()) == 0 && r.header("Content-Length") == ""
}

// header is the first value of a header, whose name the host may write in any
// case and whose value in a list or alone.
func (r request) header(name string) string {
	for k, raw := range r.Headers {
		if !strings.EqualFold(k, name) {
			continue
		}
		var values []string
		var value string
		if json.Unmarshal(raw, &values) == nil && len(values) > 0 {
			return values[0]
		}
		if json.Unmarshal(raw, &value) == nil {
			return value
		}
	}
	return ""
}

// param is a value of the route; empty if the caller left it out.
func (r request) param(name string) string {
	for k, v := range r.Params {
		if v != nil && strings.EqualFold(k, name) {
			return *v
		}
	}
	return ""
}

// query are the parameters of the query, without the function key.
func (r request) query() map[string]string {
	out := map[string]string{}
	var object map[string]json.RawMessage
	if json.Unmarshal(r.Query, &object) != nil {
		return out
	}
	for k, v := range object {
		var text string
		if !strings.EqualFold(k, "code") && json.Unmarshal(v, &text) == nil {
			out[k] = text
		}
	}
	return out
}
