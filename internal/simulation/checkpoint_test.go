package simulation

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/sweep"
)

// after lets some detection pages through and then does something.
type after struct {
	next  http.RoundTripper
	pages *int
	limit int
	then  func(*http.Request) (*http.Response, error)
}

func (a *after) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/identityProtection/riskDetections") {
		if *a.pages++; a.then != nil && *a.pages > a.limit {
			return a.then(r)
		}
	}
	return a.next.RoundTrip(r)
}

// A run that is stopped while it reads goes on from its last page, under its
// own id after a deadline, under another after its process died; the tenant
// moves meanwhile, and nothing of it is missed or told twice.
func TestReadingGoesOnFromTheLastPage(t *testing.T) {
	for name, deadline := range map[string]bool{"deadline": true, "death": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := price(t, graphsim.Options{Seed: 3, Users: 900, Detections: 2600}, "", 0)
				pages := 0
				a := &after{next: direct{p.sim.Handler(), p.sent}, pages: &pages, limit: 3}
				a.then = func(r *http.Request) (*http.Response, error) {
					if deadline {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					return nil, errors.New("the process has died")
				}
				client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: "http://127.0.0.1/v1.0", Transport: a, Jitter: func() float64 { return 0 }})
				if err != nil {
					t.Fatal(err)
				}
				p.Reader = client
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				req := sweep.Request{Mode: sweep.Apply, Run: "20000101T000000Z-0a1b2c", Continue: true}
				res, err := p.Run(ctx, req)
				if err != nil || deadline != errors.Is(res.Err, sweep.ErrContinue) {
					t.Fatalf("%v, %v", err, res.Err)
				}
				if !deadline {
					req.Run = "20000101T000100Z-0a1b2c"
				}
				raised, err := p.sim.Raise(graphsim.Raised{UserPrincipalName: "ada@contoso.com", RiskEventType: "leakedCredentials", RiskLevel: "high"})
				if err != nil {
					t.Fatal(err)
				}
				if err := p.sim.Remediate("ada@contoso.com", "userPerformedSecuredPasswordReset"); err != nil {
					t.Fatal(err)
				}
				before := pages
				a.then = nil
				again, err := p.Run(context.Background(), req)
				if err != nil || again.Err != nil {
					t.Fatalf("%v, %v", err, again.Err)
				}
				// Three of six pages are left, and one asks for what changed.
				if n := pages - before; n > 5+apart(again) {
					t.Errorf("%d pages were read again", n)
				}
				seen := map[string]int{}
				for _, id := range ids(t, p, again.Run, "detections.jsonl") {
					seen[id]++
				}
				if len(seen) != 2601 || seen[raised] != 1 {
					t.Errorf("%d detections, the new one %d times", len(seen), seen[raised])
				}
				for id, n := range seen {
					if n != 1 {
						t.Errorf("%s is there %d times", id, n)
					}
				}
				for i, err := range p.Ledger.Store().List(context.Background(), "contoso/checkpoint") {
					t.Errorf("left: %v %v", i, err)
				}
			})
		})
	}
}

// apart are the requests for detections of the fence and the read-back.
func apart(r sweep.Result) int { return 2 * len(r.Outcomes) }
