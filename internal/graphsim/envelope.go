package graphsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

const jsonType = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

// answer is what goes back for one call, alone or inside a batch.
type answer struct {
	status int
	header http.Header
	body   []byte
	// effect says that the call changed the tenant.
	effect bool
	// drop ends the connection without an answer; truncate, if not nil, after
	// that many bytes of the body.
	drop     bool
	truncate *int
}

// encode marshals as Graph does: no HTML escapes, no final newline.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// refusal puts an error into the service's envelope (graph-api §5.3).
func (c *call) refusal(e *wire.Error) *answer {
	inner := map[string]any{
		// The service writes this date without a zone.
		"date":              c.now.Format("2006-01-02T15:04:05"),
		"request-id":        c.requestID,
		"client-request-id": c.clientRequestID,
	}
	if e.InnerCode != "" {
		inner["code"] = e.InnerCode
	}
	body, err := encode(struct {
		Error any `json:"error"`
	}{struct {
		Code       string `json:"code"`
		Message    string `json:"message"`
		InnerError any    `json:"innerError"`
	}{e.Code, e.Message, inner}})
	if err != nil { // maps of strings always marshal
		body = nil
	}
	a := &answer{status: e.Status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
	for name, values := range e.Header {
		a.header[name] = values
	}
	return a
}

// success turns a workload's response into an answer.
func (c *call) success(r *wire.Response) *answer {
	a := &answer{status: r.Status, header: http.Header{}, effect: r.Effect}
	for name, values := range r.Header {
		a.header[name] = values
	}
	media := jsonType
	switch body := r.Body.(type) {
	case nil:
		return a
	case json.RawMessage:
		a.body = body
	case string:
		a.body, media = []byte(body), "text/plain"
	default:
		b, err := encode(body)
		if err != nil {
			return c.refusal(&wire.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: fmt.Sprintf("answer cannot be written: %v", err)})
		}
		a.body = b
	}
	if a.header.Get("Content-Type") == "" {
		a.header.Set("Content-Type", media)
	}
	a.header.Set("OData-Version", "4.0")
	if c.unknownEnums() {
		a.header.Set("Preference-Applied", "include-unknown-enum-members")
	}
	return a
}

// unknownEnums says whether the caller wants enum members after the sentinel.
func (c *call) unknownEnums() bool {
	for _, v := range c.header.Values("Prefer") {
		for p := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(p), "include-unknown-enum-members") {
				return true
			}
		}
	}
	return false
}
