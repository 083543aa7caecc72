package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

const detectionsPath = "/identityProtection/riskDetections"

// reading is a tenant of six pages of detections whose runs can be stopped at
// any of them.
type reading struct {
	priced
	t     *testing.T
	store *blobstore.Memory
	next  http.RoundTripper
	asked []string // the queries for detections, but for those of users
	stop  int      // lets as many of them through; 0: all
	how   func(*http.Request) (*http.Response, error)
	moved int             // as many rows have gone from the front of the list
	late  map[string]bool // detections that do not show yet
	turns int
}

const detectionCount = 2600

func newReading(t *testing.T) *reading {
	t.Helper()
	r := &reading{t: t, priced: price(t, graphsim.Options{Seed: 3, Users: 900, Detections: detectionCount}, "", 0), late: map[string]bool{}}
	r.next = direct{r.sim.Handler(), r.sent}
	client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: "http://127.0.0.1/v1.0", Transport: r, Jitter: func() float64 { return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	r.Reader = client
	r.store = r.Ledger.Store().(*blobstore.Memory)
	return r
}

func (r *reading) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	list := strings.HasSuffix(req.URL.Path, detectionsPath)
	if list && !strings.Contains(q.Get("$filter"), "userId") {
		r.asked = append(r.asked, q.Get("$filter")+" "+q.Get("$skiptoken"))
		if r.stop > 0 && len(r.asked) > r.stop {
			return r.how(req)
		}
		if mark, offset, ok := strings.Cut(q.Get("$skiptoken"), "_"); ok && r.moved > 0 {
			n, err := strconv.Atoi(offset)
			if err != nil {
				return nil, err
			}
			q.Set("$skiptoken", mark+"_"+strconv.Itoa(n+r.moved))
			req = req.Clone(req.Context())
			req.URL.RawQuery = q.Encode()
			r.moved = 0 // the next link counts from there
		}
	}
	res, err := r.next.RoundTrip(req)
	if err == nil && list && len(r.late) > 0 {
		err = r.withhold(res)
	}
	return res, err
}

func (r *reading) withhold(res *http.Response) error {
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var page map[string]any
	if err := json.Unmarshal(data, &page); err != nil {
		return err
	}
	rows, _ := page["value"].([]any)
	page["value"] = slices.DeleteFunc(rows, func(row any) bool { return r.late[row.(map[string]any)["id"].(string)] })
	if data, err = json.Marshal(page); err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(data))
	return nil
}

func dies(*http.Request) (*http.Response, error) { return nil, errDead }

func hangsOn(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// turn runs once; stop is how many pages it reads, 0 for all.
func (r *reading) turn(req sweep.Request, stop int, how func(*http.Request) (*http.Response, error)) sweep.Result {
	r.t.Helper()
	r.asked, r.stop, r.how = nil, stop, how
	r.turns++
	if req.Run == "" {
		req.Run = fmt.Sprintf("2000010%dT00000%dZ-0a1b2c", min(r.turns, 9), r.turns)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := r.Run(ctx, req)
	if err != nil {
		r.t.Fatal(err)
	}
	return res
}

// dieAfter is a run that is killed once it has read some pages.
func (r *reading) dieAfter(pages int) {
	r.t.Helper()
	if res := r.turn(sweep.Request{Mode: sweep.Apply}, pages, dies); res.Err == nil {
		r.t.Fatal("it came to its end")
	}
}

// whole runs to the end and checks that each detection is told once, and how
// many there are if want is given; it gives the rows.
func (r *reading) whole(req sweep.Request, want int) map[string]row {
	r.t.Helper()
	res := r.turn(req, 0, nil)
	if res.Err != nil {
		r.t.Fatal(res.Err)
	}
	out := map[string]row{}
	for _, d := range rowsOf[row](r.t, r.priced, res.Run, "detections.jsonl") {
		if _, twice := out[d.ID]; twice {
			r.t.Errorf("detection %s is there twice", d.ID)
		}
		out[d.ID] = d
	}
	if want > 0 && len(out) != want {
		r.t.Errorf("%d detections, want %d", len(out), want)
	}
	if len(out) < detectionCount {
		r.t.Errorf("only %d detections", len(out))
	}
	for i, err := range r.store.List(context.Background(), "") {
		if err != nil || strings.Contains(i.Name, "checkpoint") {
			r.t.Errorf("left: %v %v", i, err)
		}
	}
	if v, err := r.Ledger.Verify(context.Background(), ""); err != nil || len(v.Problems) > 0 {
		r.t.Errorf("%v, %v", v.Problems, err)
	}
	return out
}

type row struct {
	ID, RiskState, UserID string
}

// rowsOf are the rows of a run's file.
func rowsOf[T any](t *testing.T, p priced, run, file string) []T {
	t.Helper()
	in, _, err := p.Ledger.Open(context.Background(), run, file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out []T
	for row, err := range report.ReadLines[T](in) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, row)
	}
	return out
}

// anew reports whether a turn began at the first page.
func (r *reading) anew() bool {
	return slices.ContainsFunc(r.asked, func(q string) bool { return strings.Contains(q, "riskState") && strings.HasSuffix(q, " ") })
}

func (r *reading) checkpoint() []byte {
	data, _, err := r.store.Get(context.Background(), "contoso/checkpoint.jsonl")
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

func (r *reading) putCheckpoint(data []byte) {
	if err := r.store.Put(context.Background(), "contoso/checkpoint.jsonl", data); err != nil {
		r.t.Fatal(err)
	}
}

func (r *reading) raise() string {
	r.t.Helper()
	id, err := r.sim.Raise(graphsim.Raised{UserPrincipalName: "ada@contoso.com", RiskEventType: "leakedCredentials", RiskLevel: "high"})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func inTime(t *testing.T, f func(*reading)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newReading(t)) })
}
