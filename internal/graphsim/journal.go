package graphsim

import (
	"bytes"
	"encoding/json"
	"maps"
	"sync"
	"time"
)

// Entry is one request that could have changed something.
type Entry struct {
	Time   time.Time `json:"time"`
	Method string    `json:"method"`
	// Path has the version and no query.
	Path string `json:"path"`
	// Status is what the service decided, 0 if the call was cut off before
	// it took effect.
	Status int `json:"status"`
	// Effect says that the tenant was changed, or a change was accepted.
	Effect bool `json:"effect"`
	// Body is the decoded JSON body, or its text if it is none.
	Body any `json:"body"`
}

// Requests counts what came in. A batch is one request; what it holds is
// counted beside.
type Requests struct {
	Total   int            `json:"total"`
	ByPath  map[string]int `json:"byPath"`
	Batched map[string]int `json:"batched,omitempty"`
	// Throttled are the answers with status 429.
	Throttled int `json:"throttled"`
}

type journal struct {
	mu       sync.Mutex
	entries  []Entry
	requests Requests
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries, j.requests = nil, Requests{}
}

func (j *journal) count(path string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.requests.ByPath == nil {
		j.requests.ByPath = map[string]int{}
	}
	j.requests.Total++
	j.requests.ByPath[path]++
}

// countBatched counts what came within a batch.
func (j *journal) countBatched(path string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.requests.Batched == nil {
		j.requests.Batched = map[string]int{}
	}
	j.requests.Batched[path]++
}

func (j *journal) throttled() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests.Throttled++
}

func (j *journal) write(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

// read returns copies.
func (j *journal) read() ([]Entry, Requests) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.requests
	r.ByPath, r.Batched = maps.Clone(r.ByPath), maps.Clone(r.Batched)
	if r.ByPath == nil {
		r.ByPath = map[string]int{}
	}
	return append([]Entry{}, j.entries...), r
}

// decoded is a body as the journal shows it.
func decoded(body []byte) any {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	if json.Valid(body) {
		return json.RawMessage(body)
	}
	return string(body)
}

// changes says whether a call could change something: everything but reads,
// and the actions that only ask.
func changes(method string, path []string) bool {
	if method == "GET" || method == "HEAD" || method == "OPTIONS" || len(path) == 0 {
		return false
	}
	switch path[len(path)-1] {
	case "$batch", "getByIds", "checkMemberGroups", "getMemberGroups", "checkMemberObjects", "getMemberObjects", "evaluate":
		return method != "POST"
	}
	return true
}
