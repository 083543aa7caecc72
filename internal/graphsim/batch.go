package graphsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// maxBatch is how many requests one batch may hold (graph-api §5.4).
const maxBatch = 20

// batchEntry is one request of a batch.
type batchEntry struct {
	ID        string            `json:"id"`
	Method    string            `json:"method"`
	URL       string            `json:"url"`
	Headers   map[string]string `json:"headers"`
	Body      json.RawMessage   `json:"body"`
	DependsOn []string          `json:"dependsOn"`
}

type batchAnswer struct {
	ID      string            `json:"id"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    any               `json:"body,omitempty"`
}

// batch carries out each entry as a call of its own: it is throttled, faulted
// and journaled by itself. The outer answer is 200 whatever becomes of the
// entries.
func (t *Tenant) batch(c *call) *answer {
	bad := func(format string, args ...any) *answer {
		return c.refusal(&wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: fmt.Sprintf(format, args...)})
	}
	if c.method != http.MethodPost {
		return c.refusal(&wire.Error{
			Status: http.StatusMethodNotAllowed, Code: "BadRequest", Message: "Specified HTTP method is not allowed for the request target.",
			Header: http.Header{"Allow": {http.MethodPost}},
		})
	}
	if c.query != "" {
		return bad("Query options are not supported on $batch.")
	}
	if e := c.checkBody([]string{"$batch"}); e != nil {
		return c.refusal(e)
	}
	var in struct {
		Requests []batchEntry `json:"requests"`
	}
	if len(c.body) == 0 || json.Unmarshal(c.body, &in) != nil || len(in.Requests) == 0 {
		return bad("Invalid batch payload format.")
	}
	if len(in.Requests) > maxBatch {
		return bad("Number of batch requests exceeds the maximum of %d.", maxBatch)
	}
	order, problem := batchOrder(in.Requests)
	if problem != "" {
		return bad("%s", problem)
	}
	done := map[string]*answer{}
	responses := []batchAnswer{}
	for _, i := range order {
		e := in.Requests[i]
		a, requestID := t.entry(c, e, done)
		if a.drop {
			return a // there is only one connection to drop
		}
		done[e.ID] = a
		responses = append(responses, batchResponse(e.ID, requestID, a))
	}
	// The service promises no order; this one is never the caller's.
	slices.Reverse(responses)
	body, err := encode(map[string]any{"responses": responses})
	if err != nil {
		return c.refusal(&wire.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: err.Error()})
	}
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

// batchOrder checks the entries and puts them in an order in which each comes
// after those it depends on. The problem is the service's message.
func batchOrder(entries []batchEntry) (order []int, problem string) {
	index := map[string]int{}
	for i, e := range entries {
		if e.ID == "" || e.Method == "" || e.URL == "" {
			return nil, "Invalid batch payload format."
		}
		if _, twice := index[e.ID]; twice {
			return nil, "Request Id : " + e.ID + " has to be unique in a batch."
		}
		index[e.ID] = i
		switch strings.ToUpper(e.Method) {
		case http.MethodPost, http.MethodPatch, http.MethodPut:
			if len(e.Body) > 0 && string(e.Body) != "null" && headerOf(e.Headers, "Content-Type") == "" {
				return nil, "Write request id : " + e.ID + " does not contain Content-Type header or body."
			}
		}
	}
	state := make([]int, len(entries)) // 1: on the way, 2: placed
	var visit func(i int) string
	visit = func(i int) string {
		switch state[i] {
		case 1:
			return "Invalid dependsOn of request id : " + entries[i].ID + "; the requests depend on each other in a circle."
		case 2:
			return ""
		}
		state[i] = 1
		for _, id := range entries[i].DependsOn {
			j, ok := index[id]
			if !ok {
				return "Request id : " + entries[i].ID + " depends on the request id : " + id + ", which is not in the batch."
			}
			if p := visit(j); p != "" {
				return p
			}
		}
		state[i] = 2
		order = append(order, i)
		return ""
	}
	for i := range entries {
		if p := visit(i); p != "" {
			return nil, p
		}
	}
	return order, ""
}

// entry carries one entry out.
func (t *Tenant) entry(outer *call, e batchEntry, done map[string]*answer) (*answer, string) {
	c := &call{
		ctx: outer.ctx, method: strings.ToUpper(e.Method), header: http.Header{}, origin: outer.origin,
		now: t.clock.now(), caller: outer.caller, requestID: t.ids.next(),
	}
	c.clientRequestID = c.requestID
	for name, value := range e.Headers {
		c.header.Set(name, value)
	}
	refuse := func(status int, code, message string) (*answer, string) {
		return c.refusal(&wire.Error{Status: status, Code: code, Message: message}), c.requestID
	}
	for _, id := range e.DependsOn {
		if done[id].status >= 400 {
			return refuse(http.StatusFailedDependency, "FailedDependency", "Request failed because it depends on request "+id+", which failed.")
		}
	}
	if strings.Contains(e.URL, "://") {
		return refuse(http.StatusBadRequest, "BadRequest", "Invalid request URL: the URL of a batched request is relative to the version.")
	}
	u, err := url.Parse("/v1.0/" + strings.TrimPrefix(e.URL, "/"))
	if err != nil {
		return refuse(http.StatusBadRequest, "BadRequest", "Bad Request - Error in query syntax.")
	}
	if strings.EqualFold(strings.TrimSuffix(u.Path, "/"), "/v1.0/$batch") {
		return refuse(http.StatusBadRequest, "BadRequest", "A batch cannot hold another batch.")
	}
	c.url = u
	if len(e.Body) > 0 && string(e.Body) != "null" {
		c.body = e.Body
	}
	return t.answer(c), c.requestID
}

func batchResponse(id, requestID string, a *answer) batchAnswer {
	out := batchAnswer{ID: id, Status: a.status, Headers: map[string]string{"request-id": requestID}}
	for name, values := range a.header {
		out.Headers[name] = strings.Join(values, ", ")
	}
	body := a.body
	if a.truncate != nil && *a.truncate < len(body) {
		body = body[:*a.truncate]
	}
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	switch {
	case len(body) == 0:
	case media == "application/json" && json.Valid(body):
		out.Body = json.RawMessage(bytes.TrimSpace(body))
	case media == "text/plain":
		if n, err := strconv.Atoi(string(body)); err == nil {
			out.Body = n
			break
		}
		out.Body = string(body)
	default:
		out.Body = string(body)
	}
	return out
}

func headerOf(headers map[string]string, name string) string {
	for n, v := range headers {
		if strings.EqualFold(n, name) {
			return v
		}
	}
	return ""
}
