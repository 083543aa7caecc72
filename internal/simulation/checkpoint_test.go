package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

// A run that is stopped while it reads goes on from its last page, under its
// own id after a deadline, under another after its process died; the tenant
// moves meanwhile, and nothing of it is missed or told twice.
func TestReadingGoesOnFromTheLastPage(t *testing.T) {
	for name, deadline := range map[string]bool{"deadline": true, "death": false} {
		for _, mode := range []sweep.Mode{sweep.Apply, sweep.Plan} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				inTime(t, func(r *reading) {
					req := sweep.Request{Mode: mode, Run: "20000101T000000Z-0a1b2c", Continue: true}
					how := hangsOn
					if !deadline {
						how = dies
					}
					if deadline || mode == sweep.Apply { // a plan that has failed is not taken up
						res := r.turn(req, 3, how)
						if deadline != errors.Is(res.Err, sweep.ErrContinue) {
							t.Fatal(res.Err)
						}
						if !deadline {
							req.Run = ""
						}
						if res := r.turn(req, 4, how); res.Err == nil { // what changed, the third page again, two more
							t.Fatal("it came to its end")
						}
					} else {
						req.Run = ""
					}
					raised := r.raise()
					if err := r.sim.Remediate("ada@contoso.com", "userPerformedSecuredPasswordReset"); err != nil {
						t.Fatal(err)
					}
					seen := r.whole(req, detectionCount+1)
					if seen[raised].RiskState != "remediated" {
						t.Errorf("the new one is %+v", seen[raised])
					}
					// Of six pages the last is left; the one before it is read again, and what
					// changed is asked for before and after.
					if n := len(r.asked); n > 4 && (deadline || mode == sweep.Apply) || r.anew() == (deadline || mode == sweep.Apply) {
						t.Errorf("%d pages were read: %q", n, r.asked)
					}
				})
			})
		}
	}
}

// Each turn ends, be it with a report: one that brings nothing does not ask for
// another.
func TestATurnThatBringsNothingIsTheLast(t *testing.T) {
	inTime(t, func(r *reading) {
		req := sweep.Request{Mode: sweep.Plan, Run: "20000101T000000Z-0a1b2c", Continue: true}
		if res := r.turn(req, 3, hangsOn); !errors.Is(res.Err, sweep.ErrContinue) {
			t.Fatal(res.Err)
		}
		if res := r.turn(req, 2, hangsOn); res.Err == nil || errors.Is(res.Err, sweep.ErrContinue) || res.Status != sweep.Failed {
			t.Errorf("%s, %v", res.Status, res.Err)
		}
		if v, err := r.Ledger.Verify(context.Background(), ""); err != nil || len(v.Problems) > 0 {
			t.Errorf("%v, %v", v.Problems, err)
		}
	})
}

// A list of one page is kept by nobody, so it is no reason for another turn.
func TestAShortListIsNotKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := price(t, graphsim.Options{Seed: 3, Users: 50, Detections: 100}, "", 0)
		store := p.Ledger.Store().(*blobstore.Memory)
		store.Fault = func(op, name string) error {
			if strings.Contains(name, "checkpoint") && op != "get" {
				t.Errorf("%s %s", op, name)
			}
			return nil
		}
		p.run(t, sweep.Apply)
	})
}

// A kill in the middle of a write leaves half a line. The next turn goes on
// behind it, and so does the one after.
func TestACheckpointThatWasCutOff(t *testing.T) {
	inTime(t, func(r *reading) {
		r.dieAfter(3)
		data := r.checkpoint()
		r.putCheckpoint(data[:len(data)-len(data)/9])
		r.dieAfter(3)
		r.whole(sweep.Request{Mode: sweep.Apply}, detectionCount)
		if r.anew() {
			t.Errorf("it began anew: %q", r.asked)
		}
	})
}

// A checkpoint that is of no use is dropped, and the run that finds it reads
// all from the first page.
func TestACheckpointThatIsOfNoUse(t *testing.T) {
	lines := func(f func([][]byte) [][]byte) func(*reading) {
		return func(r *reading) {
			r.putCheckpoint(bytes.Join(f(bytes.SplitAfter(r.checkpoint(), []byte("\n"))), nil))
		}
	}
	for name, spoil := range map[string]func(*reading){
		"old":            func(*reading) { time.Sleep(7 * time.Hour) },
		"empty":          func(r *reading) { r.putCheckpoint(nil) },
		"no text":        func(r *reading) { r.putCheckpoint([]byte{0xff, '\n', 0xfe, '\n'}) },
		"only its head":  lines(func(l [][]byte) [][]byte { return l[:1] }),
		"a page missing": lines(func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) }),
		"a page damaged": lines(func(l [][]byte) [][]byte { l[2] = append(l[2][:len(l[2])/2], '\n'); return l }),
		"another version": lines(func(l [][]byte) [][]byte {
			l[0] = bytes.Replace(l[0], []byte(`"version":2`), []byte(`"version":9`), 1)
			return l
		}),
		"another lookback": func(r *reading) { r.Settings.Lookback -= time.Hour },
		"a link that the service takes no more": lines(func(l [][]byte) [][]byte {
			for i := range l {
				l[i] = bytes.ReplaceAll(l[i], []byte("skiptoken="), []byte("skiptoken=0"))
			}
			return l
		}),
		"a link to another host": lines(func(l [][]byte) [][]byte {
			for i := range l {
				l[i] = bytes.ReplaceAll(l[i], []byte("http://127.0.0.1/"), []byte("http://127.0.0.2/"))
			}
			return l
		}),
		"begun before everything was read": func(r *reading) {
			kept := r.checkpoint()
			r.whole(sweep.Request{Mode: sweep.Apply}, detectionCount)
			r.putCheckpoint(kept)
			r.Settings.FullEvery = time.Nanosecond // all of it again
			time.Sleep(time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *reading) {
				r.dieAfter(4)
				spoil(r)
				r.whole(sweep.Request{Mode: sweep.Apply}, 0)
				if !r.anew() {
					t.Errorf("it went on: %q", r.asked)
				}
			})
		})
	}
}

// While nobody reads, rows go from the list (the service keeps them for ninety
// days only), and those behind them move up.
func TestTheListMovesWhileNobodyReads(t *testing.T) {
	for _, gone := range []int{1, 499, 700} {
		t.Run(fmt.Sprint(gone), func(t *testing.T) {
			inTime(t, func(r *reading) {
				r.dieAfter(3)
				r.moved = gone
				r.whole(sweep.Request{Mode: sweep.Apply}, detectionCount)
				if anew := gone >= 500; r.anew() != anew {
					t.Errorf("it began anew: %t, want %t: %q", r.anew(), anew, r.asked)
				}
			})
		})
	}
}

// What shows late, dated back before the first page, is in the report of the run
// that goes on, and its user is decided on with it.
func TestWhatShowsLateWhileNobodyReads(t *testing.T) {
	inTime(t, func(r *reading) {
		id := r.raise()
		r.late[id] = true
		time.Sleep(30 * time.Hour)
		r.dieAfter(3)
		delete(r.late, id)
		seen := r.whole(sweep.Request{Mode: sweep.Apply}, detectionCount+1)
		if _, ok := seen[id]; !ok {
			t.Fatal("it is missed")
		}
		open := map[string]int{}
		for _, d := range seen {
			if d.RiskState == "atRisk" {
				open[d.UserID]++
			}
		}
		for _, u := range rowsOf[report.UserLine](t, r.priced, fmt.Sprintf("2000010%dT00000%dZ-0a1b2c", r.turns, r.turns), "users.jsonl") {
			if u.OpenDetections != open[u.ID] {
				t.Errorf("%s has %d open detections, the report says %d", u.Name, open[u.ID], u.OpenDetections)
			}
		}
	})
}

// What was closed while nobody read is told as it is now.
func TestWhatWasClosedWhileNobodyRead(t *testing.T) {
	inTime(t, func(r *reading) {
		id := r.raise()
		r.dieAfter(6)
		time.Sleep(time.Hour)
		if err := r.sim.Remediate("ada@contoso.com", "userPerformedSecuredPasswordReset"); err != nil {
			t.Fatal(err)
		}
		if got := r.whole(sweep.Request{Mode: sweep.Apply}, detectionCount+1)[id]; got.RiskState != "remediated" {
			t.Errorf("the report says %s", got.RiskState)
		}
	})
}

// A store that takes no checkpoint, and reports that are to hold no names, cost
// nothing but the checkpoint.
func TestWithoutACheckpoint(t *testing.T) {
	for name, spoil := range map[string]func(*reading){
		"the store takes none": func(r *reading) {
			r.store.Fault = func(op, name string) error {
				if strings.Contains(name, "checkpoint") && op != "get" {
					return errors.New("no space left on device")
				}
				return nil
			}
		},
		"redacted": func(r *reading) { r.Output.Redaction = report.NewRedaction("hash", []byte("k")) },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *reading) {
				spoil(r)
				r.dieAfter(3)
				if _, _, err := r.store.Get(context.Background(), "contoso/checkpoint.jsonl"); !errors.Is(err, blobstore.ErrNotFound) {
					t.Errorf("there is one: %v", err)
				}
				if res := r.turn(sweep.Request{Mode: sweep.Plan, Run: "20000105T000000Z-0a1b2c", Continue: true}, 3, hangsOn); errors.Is(res.Err, sweep.ErrContinue) {
					t.Error("it wants another turn")
				}
				r.store.Fault = nil
				r.whole(sweep.Request{Mode: sweep.Apply}, detectionCount)
			})
		})
	}
}

// The watermark of a run that went on is the time of its first page.
func TestTheWatermarkIsThatOfTheFirstPage(t *testing.T) {
	inTime(t, func(r *reading) {
		began := time.Now()
		r.dieAfter(3)
		time.Sleep(5 * time.Hour)
		r.whole(sweep.Request{Mode: sweep.Apply}, detectionCount)
		s, _, err := r.Ledger.State(context.Background())
		if err != nil || s.Watermark.After(began.Add(time.Minute)) || !s.LastFull.Equal(s.Watermark) {
			t.Errorf("watermark %s, full %s, begun %s, %v", s.Watermark, s.LastFull, began, err)
		}
	})
}
