package graphsim

import (
	"sync"
	"testing"
)

func TestChinaHasNoIdentityProtection(t *testing.T) {
	s := start(t, Options{Cloud: "china"})
	r := s.get(risky)
	if code, message := r.code(t); r.status != 400 || code != "BadRequest" || message != "Resource not found for the segment 'identityProtection'." {
		t.Errorf("got %d %s %q", r.status, code, message)
	}
	if r := s.get("/v1.0/identity/conditionalAccess"); r.status != 200 {
		t.Errorf("Conditional Access got %d", r.status)
	}
}

// TestManyCallersAtOnce is for the race detector.
func TestManyCallersAtOnce(t *testing.T) {
	s := start(t, Options{Rate: 1000, Faults: []byte("faults: [{match: {every: 3}, do: {emptyPage: true}}]")})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				s.get(risky)
				s.do("POST", "/v1.0/identity/policies", `{}`)
				s.get("/_sim/journal")
				s.get("/_sim/requests")
				s.get("/_sim/state")
			}
			s.do("POST", "/_sim/reset", "")
			s.do("POST", "/_sim/clock", `{"advance":"1s"}`)
		})
	}
	wg.Wait()
}
