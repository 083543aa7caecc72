package oauth

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"
)

// failure is an error answer of the token endpoint.
type failure struct {
	status      int
	kind        string
	code        int
	description string
}

func (f *failure) Error() string { return fmt.Sprintf("AADSTS%d: %s", f.code, f.description) }

func answer(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the caller may be gone; there is nobody left to tell
}

// refuse answers in the token endpoint's error shape.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, kind string, code int, description string) {
	trace := uuid.NewString()
	correlation := r.Header.Get("client-request-id")
	if correlation == "" {
		correlation = uuid.NewString()
	}
	stamp := s.opt.Now().UTC().Format("2006-01-02 15:04:05Z")
	w.Header().Set("x-ms-request-id", trace)
	answer(w, status, map[string]any{
		"error":             kind,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", code, description, trace, correlation, stamp),
		"error_codes":       []int{code},
		"timestamp":         stamp,
		"trace_id":          trace,
		"correlation_id":    correlation,
		"error_uri":         fmt.Sprintf("%s/error?code=%d", origin(r), code),
	})
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, f *failure) {
	s.refuse(w, r, f.status, f.kind, f.code, f.description)
}
