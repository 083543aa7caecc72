package hosttest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// Answer is what a function gave back.
type Answer struct {
	Outputs     map[string]json.RawMessage
	Logs        []string
	ReturnValue json.RawMessage
}

// parseAnswer applies the host's rules for answers.
func parseAnswer(res *http.Response, data []byte) (Answer, error) {
	var a Answer
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return a, &Failure{Reason: fmt.Sprintf("the handler answered %d: %s", res.StatusCode, data), Status: res.StatusCode}
	}
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 || string(trimmed) == "null" {
		return a, &Failure{Reason: "an empty answer: the real host hangs until functionTimeout", Hung: true}
	}
	if ct, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || ct != "application/json" && ct != "text/json" {
		return a, &Failure{Reason: fmt.Sprintf("the answer is %q, not JSON", ct)}
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, &Failure{Reason: fmt.Sprintf("the answer is no object of the protocol: %v", err)}
	}
	return a, nil
}

// Response is what an HTTP caller sees.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// httpOutput reads an HTTP output binding.
func httpOutput(a Answer, name string) (Response, error) {
	raw, ok := a.Outputs[name]
	if name == "$return" {
		raw, ok = a.ReturnValue, len(a.ReturnValue) > 0 && string(a.ReturnValue) != "null"
	}
	switch {
	case !ok && (len(a.Outputs) == 0 || name == "$return"):
		return Response{Status: http.StatusNoContent}, nil
	case !ok:
		return Response{}, &Failure{Reason: fmt.Sprintf("no output %q: the caller gets {}", name)}
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
		if t := bytes.TrimSpace(raw); len(t) == 0 || t[0] != '{' {
			return Response{Status: http.StatusInternalServerError}, &Failure{Reason: fmt.Sprintf("output %q is the text %.80q: the caller gets 500", name, text)}
		}
	}
	var out struct {
		StatusCode json.RawMessage
		Headers    map[string]json.RawMessage
		Body       json.RawMessage
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return Response{}, &Failure{Reason: fmt.Sprintf("output %q is no object: %v", name, err)}
	}
	r := Response{Status: http.StatusOK, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}}
	if len(out.StatusCode) > 0 {
		if _, err := fmt.Sscan(strings.Trim(string(out.StatusCode), `"`), &r.Status); err != nil {
			return r, &Failure{Reason: fmt.Sprintf("statusCode %s", out.StatusCode)}
		}
	}
	for k, v := range out.Headers {
		var value any
		if err := json.Unmarshal(v, &value); err != nil {
			return r, &Failure{Reason: err.Error()}
		}
		switch value.(type) {
		case string, float64:
			r.Header.Set(k, fmt.Sprint(value))
		default:
			return r, &Failure{Reason: fmt.Sprintf("header %s has the value %s: unhandled host error", k, v)}
		}
	}
	var body string
	switch {
	case len(out.Body) == 0 || string(out.Body) == "null":
	case json.Unmarshal(out.Body, &body) == nil:
		r.Body = body
	default:
		var b bytes.Buffer
		if err := json.Indent(&b, out.Body, "", "  "); err != nil {
			return r, err
		}
		r.Body = b.String()
	}
	return r, nil
}

// queueOutput reads a queue output binding: the messages to put.
func queueOutput(raw json.RawMessage) []string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		// The base64 trap.
		if data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
			return []string{string(data)}
		}
		raw = json.RawMessage(text)
		if !json.Valid(raw) {
			return []string{text}
		}
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		var out []string
		for _, v := range list {
			var s string
			if json.Unmarshal(v, &s) == nil {
				out = append(out, s)
				continue
			}
			out = append(out, indented(v))
		}
		return out
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return []string{indented(raw)}
}

func indented(v json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, v, "", "  ") != nil {
		return string(v)
	}
	return b.String()
}
