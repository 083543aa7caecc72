package graphsim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type batched struct {
	Responses []struct {
		ID      string
		Status  int
		Headers map[string]string
		Body    json.RawMessage
	}
}

func (s *service) batch(requests string) map[string]batchedOne {
	s.Helper()
	r := s.do("POST", "/v1.0/$batch", `{"requests":[`+requests+`]}`)
	if r.status != 200 {
		s.Fatalf("got %d %s", r.status, r.body)
	}
	var b batched
	if err := json.Unmarshal([]byte(r.body), &b); err != nil {
		s.Fatal(err)
	}
	out := map[string]batchedOne{}
	for _, one := range b.Responses {
		out[one.ID] = batchedOne{one.Status, string(one.Body), one.Headers}
	}
	return out
}

type batchedOne struct {
	status  int
	body    string
	headers map[string]string
}

func TestBatch(t *testing.T) {
	s := start(t, Options{Rate: 1, Clock: still})
	got := s.batch(`
		{"id":"a","method":"GET","url":"/users/x"},
		{"id":"b","method":"get","url":"users/missing"},
		{"id":"c","method":"GET","url":"/identityProtection/riskyUsers"},
		{"id":"d","method":"GET","url":"/identityProtection/riskyUsers"},
		{"id":"e","method":"POST","url":"/groups/policies","headers":{"content-type":"application/json"},"body":{"n":1}},
		{"id":"f","method":"GET","url":"/users/y","dependsOn":["b"]},
		{"id":"g","method":"GET","url":"/users/$count","dependsOn":["e"]},
		{"id":"h","method":"GET","url":"https://graph.microsoft.com/v1.0/users"},
		{"id":"i","method":"POST","url":"/$batch","headers":{"Content-Type":"application/json"},"body":{"requests":[]}},
		{"id":"j","method":"GET","url":"/v1.0/users"}`)
	status := map[string]int{}
	for id, one := range got {
		status[id] = one.status
	}
	want := map[string]int{"a": 200, "b": 404, "c": 200, "d": 429, "e": 201, "f": 424, "g": 200, "h": 400, "i": 400, "j": 400}
	if d := cmp.Diff(want, status); d != "" {
		t.Error(d)
	}
	if got["g"].body != "1" {
		t.Errorf("$count after its dependency gave %s", got["g"].body)
	}
	if !strings.HasPrefix(got["a"].headers["Content-Type"], "application/json") || got["a"].headers["request-id"] == "" {
		t.Errorf("headers %v", got["a"].headers)
	}
	batched := map[string]int{
		"/v1.0/users/x": 1, "/v1.0/users/missing": 1, "/v1.0/identityProtection/riskyUsers": 2,
		"/v1.0/groups/policies": 1, "/v1.0/users/$count": 1, "/v1.0/v1.0/users": 1,
	}
	if d := cmp.Diff(Requests{Total: 1, ByPath: map[string]int{"/v1.0/$batch": 1}, Batched: batched, Throttled: 1}, s.tenant.Requests()); d != "" {
		t.Error(d)
	}
	entries := s.tenant.Journal()
	if len(entries) != 1 || entries[0].Path != "/v1.0/groups/policies" || entries[0].Status != 201 || !entries[0].Effect {
		t.Errorf("journal %+v", entries)
	}
}

func TestBatchRefused(t *testing.T) {
	s := start(t, Options{})
	many := make([]string, 21)
	for i := range many {
		many[i] = fmt.Sprintf(`{"id":"%d","method":"GET","url":"/users"}`, i)
	}
	tests := []struct{ name, body, message string }{
		{"too many", strings.Join(many, ","), "Number of batch requests exceeds the maximum of 20."},
		{"empty", "", "Invalid batch payload format."},
		{"no url", `{"id":"1","method":"GET"}`, "Invalid batch payload format."},
		{"same id", `{"id":"1","method":"GET","url":"/users"},{"id":"1","method":"GET","url":"/users"}`, "Request Id : 1 has to be unique in a batch."},
		{"no content type", `{"id":"1","method":"POST","url":"/users","body":{}}`, "Write request id : 1 does not contain Content-Type header or body."},
		{"unknown dependency", `{"id":"1","method":"GET","url":"/users","dependsOn":["2"]}`, "Request id : 1 depends on the request id : 2, which is not in the batch."},
		{"circle", `{"id":"1","method":"GET","url":"/users","dependsOn":["2"]},{"id":"2","method":"GET","url":"/users","dependsOn":["1"]}`, "Invalid dependsOn of request id : 1; the requests depend on each other in a circle."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.do("POST", "/v1.0/$batch", `{"requests":[`+tt.body+`]}`)
			code, message := r.code(t)
			if r.status != 400 || code != "BadRequest" || message != tt.message {
				t.Errorf("got %d %s %q, want %q", r.status, code, message, tt.message)
			}
		})
	}
	if r := s.get("/v1.0/$batch"); r.status != 405 {
		t.Errorf("GET got %d", r.status)
	}
}
