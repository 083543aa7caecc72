package functions

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/risksweep/risksweep/internal/runs"
)

// answer is what a function gives back. Outputs are objects or lists of
// objects: a bare string is tried as base64 by the host and may arrive as
// something else.
type answer struct {
	Outputs map[string]any `json:"Outputs,omitempty"`
	Logs    []string       `json:"Logs,omitempty"`
}

// enqueue puts orders on the queue of the output binding.
func (a *answer) enqueue(orders ...runs.Order) {
	if a.Outputs == nil {
		a.Outputs = map[string]any{}
	}
	if orders == nil {
		orders = []runs.Order{}
	}
	a.Outputs["runs"] = orders
}

// httpResult is the value of an HTTP output binding. Headers have one value
// each: a list makes the host fail.
type httpResult struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       string            `json:"body,omitempty"`
}

// reply writes an answer: always a JSON object with its length, never empty.
func reply(w http.ResponseWriter, status int, a answer) {
	data, err := json.Marshal(a)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"Logs":["the answer could not be written"]}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // if the host is gone there is nobody to tell
}
