package simulation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

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
			if u.OpenDetections != open[string(u.ID)] {
				t.Errorf("%s has %d open detections, the report says %d", u.Name, open[string(u.ID)], u.OpenDetections)
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
