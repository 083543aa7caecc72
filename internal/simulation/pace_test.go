package simulation

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/sweep"
)

// distant carries requests to a tenant that takes its time to answer, and
// notes when those under the limit were sent. Pages are small, so that there are
// as many as a hundred thousand detections have.
type distant struct {
	direct
	mu   sync.Mutex
	rand *rand.Rand
	sent []time.Time
	last time.Duration // that the last of them took
}

func (d *distant) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	took := 300*time.Millisecond + time.Duration(d.rand.IntN(600))*time.Millisecond
	if strings.HasPrefix(r.URL.Path, "/v1.0/identity") {
		d.sent, d.last = append(d.sent, time.Now()), took
	}
	d.mu.Unlock()
	if q := r.URL.Query(); q.Get("$top") == "500" {
		q.Set("$top", "100")
		r = r.Clone(r.Context())
		r.URL.RawQuery = q.Encode()
	}
	// As net/http does; the pace counts from here.
	if t := httptrace.ContextClientTrace(r.Context()); t != nil && t.WroteRequest != nil {
		t.WroteRequest(httptrace.WroteRequestInfo{})
	}
	res, err := d.direct.RoundTrip(r) // the tenant counts it now; the answer takes its time
	time.Sleep(took)
	return res, err
}

// slow is a store that takes its time for every write of a file.
type slow struct{ blobstore.Store }

func (s slow) Create(ctx context.Context, name string) (blobstore.Writer, error) {
	w, err := s.Store.Create(ctx, name)
	return slowWriter{w}, err
}

type slowWriter struct{ blobstore.Writer }

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return w.Writer.Write(p)
}

// At one request a second, over a service and a store that are slow, a sweep
// takes hardly longer than its requests: while a page is judged and written,
// the next is on its way. The bench reads what this test logs.
func TestTheNetworkIsNeverIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := price(t, graphsim.Options{Seed: 5, Users: 2000, Detections: 20_000, Policies: 5, Rate: 1}, baselines[0], 1)
		far := &distant{direct: direct{p.sim.Handler(), p.sent}, rand: rand.New(rand.NewPCG(5, 1))}
		client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: "http://127.0.0.1/v1.0", RequestsPerSecond: 1, Transport: far,
			Jitter: func() float64 { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		p.Reader, p.Writer = client, func() apply.Writer { return client }
		p.Ledger = ledger.New(slow{blobstore.NewMemory()}, "contoso", ledger.Options{Now: time.Now})
		res := p.run(t, sweep.Plan)
		if res.Counts["detections"] < 20_000 || len(far.sent) < 200 {
			t.Fatalf("only %d detections were read, by %d requests", res.Counts["detections"], len(far.sent))
		}
		// The clock runs from the first request that the limit counts to the
		// answer of the last.
		took := far.sent[len(far.sent)-1].Sub(far.sent[0]) + far.last
		ideal := time.Duration(len(far.sent)-1)*time.Second + far.last
		t.Logf("%d requests took %s, ideal %s", len(far.sent), took, ideal)
		if n := p.sim.Requests().Throttled; n > 0 {
			t.Errorf("%d requests were throttled", n)
		}
		if took.Seconds() > 1.05*ideal.Seconds() {
			t.Errorf("%.3f of the ideal schedule", took.Seconds()/ideal.Seconds())
			for i, at := range slices.Backward(far.sent[1:]) {
				t.Logf("%3d after %s", i, at.Sub(far.sent[i]))
			}
		}
	})
}
