package graph

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

var errHeld = errors.New("held back")

// until lets writes leave for a time from its first question on.
func until(d time.Duration, asked *int) func(context.Context) error {
	var end time.Time
	return func(context.Context) error {
		*asked++
		if end.IsZero() {
			end = time.Now().Add(d)
		}
		if time.Now().After(end) {
			return errHeld
		}
		return nil
	}
}

// Every write asks at its departure: after it has waited for its turn, and
// again before it is repeated after a wait that the service asked for. What is
// held back was not sent, and nothing about it is unknown.
func TestWritesAskAtTheirDeparture(t *testing.T) {
	for name, write := range map[string]func(context.Context, *Client) error{
		"dismiss": dismissUser, "create": createPolicy, "update": updatePolicy, "delete": deletePolicy,
		"confirm": func(ctx context.Context, c *Client) error {
			_, err := c.ActOnUsers(ctx, plan.ConfirmCompromised, []string{userA})
			return err
		},
		"confirm safe": func(ctx context.Context, c *Client) error {
			_, err := c.ActOnUsers(ctx, plan.ConfirmSafe, []string{userA})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int64
			throttle := func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.Header().Set("Retry-After", "20")
				refuseWith(w, 429, "TooManyRequests", "")
			}
			bubble(t, throttle, Options{RequestsPerSecond: 1}, func(t *testing.T, c *Client) {
				asked := 0
				err := write(entra.WithWriteCheck(ctx(t), until(10*time.Second, &asked)), c)
				if !errors.Is(err, errHeld) || errors.Is(err, entra.ErrUnknownOutcome) {
					t.Errorf("error %v, want held back and nothing unknown", err)
				}
				if requests.Load() != 1 || asked != 2 {
					t.Errorf("%d requests, asked %d times; want 1 and 2", requests.Load(), asked)
				}
				// The turn was given on: a read finds the line free.
				quick, cancel := context.WithTimeout(ctx(t), 5*time.Second)
				defer cancel()
				if err := readUser(quick, c); !errors.Is(err, entra.ErrThrottled) || requests.Load() < 2 {
					t.Errorf("the read after it: %v, %d requests", err, requests.Load())
				}
			})
		})
	}
}

// The question comes after the wait for the pace.
func TestDepartureIsAfterTheTurn(t *testing.T) {
	var requests atomic.Int64
	bubble(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		answerJSON(w, 200, `{"id":"`+userA+`"}`)
	}, Options{RequestsPerSecond: 0.1}, func(t *testing.T, c *Client) {
		if err := readUser(ctx(t), c); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		err := dismissUser(entra.WithWriteCheck(ctx(t), func(context.Context) error {
			if time.Since(begin) > 5*time.Second {
				return errHeld
			}
			return nil
		}), c)
		if !errors.Is(err, errHeld) || requests.Load() != 1 {
			t.Errorf("error %v, %d requests", err, requests.Load())
		}
	})
}

// twice is a transport that sends each request twice, as HTTP/2 does with one that the
// other side has not begun with.
type twice struct{ sent int }

func (t *twice) RoundTrip(req *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(req.Context())
	for range 2 {
		trace.GetConn(req.URL.Host)
		if err := context.Cause(req.Context()); err != nil {
			return nil, err
		}
		trace.WroteHeaders()
		trace.WroteRequest(httptrace.WroteRequestInfo{})
		t.sent++
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// What net/http sends again by itself is judged again: a write that is held back by
// then does not leave a second time.
func TestWhatIsSentAgainIsJudgedAgain(t *testing.T) {
	transport := &twice{}
	bubble(t, nil, Options{Transport: transport}, func(t *testing.T, c *Client) {
		asked := 0
		err := dismissUser(entra.WithWriteCheck(ctx(t), func(context.Context) error {
			if asked++; asked > 1 {
				return errHeld
			}
			return nil
		}), c)
		if !errors.Is(err, errHeld) || !errors.Is(err, entra.ErrUnknownOutcome) || transport.sent != 1 {
			t.Errorf("error %v, sent %d times", err, transport.sent)
		}
	})
}
