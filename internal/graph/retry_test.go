package graph

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

const userA = "aaaaaaaa-0000-0000-0000-000000000001"

// The calls that the rules are tried on.
func readUser(ctx context.Context, c *Client) error {
	_, err := c.RiskyUser(ctx, userA)
	return err
}

func dismissUser(ctx context.Context, c *Client) error {
	_, err := c.ActOnUsers(ctx, plan.Dismiss, []string{userA})
	return err
}

func createPolicy(ctx context.Context, c *Client) error {
	_, _, err := c.CreateObject(ctx, entra.KindPolicy, entra.Document{"displayName": "p"})
	return err
}

func updatePolicy(ctx context.Context, c *Client) error {
	_, err := c.UpdateObject(ctx, entra.KindPolicy, "p1", entra.Document{"state": "disabled"})
	return err
}

func deletePolicy(ctx context.Context, c *Client) error {
	_, err := c.DeleteObject(ctx, entra.KindPolicy, "p1")
	return err
}

func TestWhatIsRepeated(t *testing.T) {
	ok := func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			answerJSON(w, 200, `{"id":"`+userA+`"}`)
		case strings.HasSuffix(r.URL.Path, "/policies"):
			answerJSON(w, 201, `{"id":"p1","displayName":"p"}`)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}
	status := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			refuseWith(w, code, "SomeCode", "Some message.")
		}
	}
	dropped := func(w http.ResponseWriter, _ *http.Request) { drop(w) }
	truncated := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "500")
		_, _ = io.WriteString(w, `{"id":"`)
	}
	html := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>sign in</html>")
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	writes := map[string]func(context.Context, *Client) error{
		"POST": dismissUser, "POST object": createPolicy, "PATCH": updatePolicy, "DELETE": deletePolicy,
	}
	for _, tc := range []struct {
		name     string
		fault    http.HandlerFunc
		times    int
		read     error // what a read ends in, nil for success
		reads    int   // requests
		write    error
		writes   int
		unknown  bool          // the write's outcome
		atLeast  time.Duration // a read takes
		atMost   time.Duration
		noCreate bool // create differs, see below
	}{
		{name: "no fault", reads: 1, writes: 1},
		{name: "bare 429", fault: status(429), times: 2, reads: 3, writes: 3, atLeast: 3600 * time.Millisecond, atMost: 4 * time.Second},
		{name: "429 for ever", fault: status(429), times: 99, read: entra.ErrThrottled, reads: 9, write: entra.ErrThrottled, writes: 9, atMost: 3 * time.Minute},
		{name: "429 with seconds", fault: status(429, "Retry-After", "17"), times: 1, reads: 2, writes: 2, atLeast: 17 * time.Second, atMost: 19 * time.Second},
		{name: "429 with a date", fault: status(429, "Date", "Mon, 23 Nov 2026 10:00:00 GMT", "Retry-After", "Mon, 23 Nov 2026 10:00:40 GMT"), times: 1, reads: 2, writes: 2, atLeast: 40 * time.Second, atMost: 42 * time.Second},
		{name: "429 for too long", fault: status(429, "Retry-After", "301"), times: 9, read: entra.ErrThrottled, reads: 1, write: entra.ErrThrottled, writes: 1},
		{name: "429 at the maximum", fault: status(429, "Retry-After", "300"), times: 1, reads: 2, writes: 2, atLeast: 300 * time.Second, atMost: 302 * time.Second},
		{name: "500", fault: status(500), times: 1, reads: 2, write: entra.ErrUnavailable, writes: 1, unknown: true},
		{name: "503 with Retry-After", fault: status(503, "Retry-After", "9"), times: 1, reads: 2, write: entra.ErrUnavailable, writes: 1, unknown: true, atLeast: 9 * time.Second, atMost: 12 * time.Second},
		{name: "504 for ever", fault: status(504), times: 99, read: entra.ErrUnavailable, reads: 5, write: entra.ErrUnavailable, writes: 1, unknown: true},
		{name: "connection lost after the request", fault: dropped, times: 1, reads: 2, write: entra.ErrUnavailable, writes: 1, unknown: true},
		{name: "no answer", fault: silent, times: 1, reads: 2, write: context.DeadlineExceeded, writes: 1, unknown: true, atLeast: 30 * time.Second, atMost: 32 * time.Second},
		{name: "truncated", fault: truncated, times: 2, reads: 3, writes: 1, noCreate: true},
		{name: "truncated for ever", fault: truncated, times: 99, read: entra.ErrMalformed, reads: 3, writes: 1, noCreate: true},
		{name: "not JSON", fault: html, times: 99, read: entra.ErrMalformed, reads: 3, writes: 1, noCreate: true},
		{name: "400", fault: status(400), times: 9, read: entra.ErrBadRequest, reads: 1, write: entra.ErrBadRequest, writes: 1},
		{name: "401", fault: status(401), times: 9, read: entra.ErrUnauthorized, reads: 2, write: entra.ErrUnauthorized, writes: 2},
		{name: "401 once", fault: status(401), times: 1, reads: 2, writes: 2},
		{name: "404", fault: status(404), times: 9, read: entra.ErrNotFound, reads: 1, write: entra.ErrNotFound, writes: 1},
		{name: "409", fault: status(409), times: 9, read: entra.ErrConflict, reads: 1, write: entra.ErrConflict, writes: 1},
		{name: "501", fault: status(501), times: 9, read: entra.ErrUnsupported, reads: 1, write: entra.ErrUnsupported, writes: 1},
		{name: "redirected", fault: status(302, "Location", "https://evil.example/"), times: 9, read: entra.ErrRedirected, reads: 1, write: entra.ErrRedirected, writes: 1, unknown: true},
	} {
		run := func(name string, call func(context.Context, *Client) error, want error, requests int, unknown bool, atLeast, atMost time.Duration) {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				var count atomic.Int64
				var bodies atomic.Value
				bodies.Store("")
				handler := func(w http.ResponseWriter, r *http.Request) {
					n := count.Add(1)
					body, _ := io.ReadAll(r.Body)
					if n > 1 && bodies.Load() != string(body) {
						t.Errorf("request %d has body %q, the first %q", n, body, bodies.Load())
					}
					bodies.Store(string(body))
					if r.Header.Get("Content-Encoding") != "" {
						t.Errorf("Content-Encoding %q", r.Header.Get("Content-Encoding"))
					}
					if int(n) <= tc.times {
						tc.fault(w, r)
						return
					}
					ok(w, r)
				}
				bubble(t, handler, Options{Timeout: 30 * time.Second}, func(t *testing.T, c *Client) {
					begin := time.Now()
					err := call(ctx(t), c)
					took := time.Since(begin)
					if want == nil && err != nil || want != nil && !errors.Is(err, want) {
						t.Errorf("error %v, want %v", err, want)
					}
					if got := errors.Is(err, entra.ErrUnknownOutcome); got != unknown {
						t.Errorf("unknown outcome %t, want %t: %v", got, unknown, err)
					}
					if got := int(count.Load()); got != requests {
						t.Errorf("%d requests, want %d", got, requests)
					}
					if got := c.Stats().Total; got != requests {
						t.Errorf("%d requests counted, want %d", got, requests)
					}
					if took < atLeast || atMost > 0 && took > atMost {
						t.Errorf("took %v, want %v to %v", took, atLeast, atMost)
					}
				})
			})
		}
		run("GET", readUser, tc.read, tc.reads, false, tc.atLeast, tc.atMost)
		for name, call := range writes {
			if tc.noCreate && name == "POST object" {
				// A create needs the answer: without it, the outcome is unknown.
				run(name, call, entra.ErrMalformed, 1, true, 0, 0)
				continue
			}
			run(name, call, tc.write, tc.writes, tc.unknown, 0, 0)
		}
	}
}

// A redirect is not followed, not even within the service: a POST would come
// out of it as a GET.
func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, to := range []string{"/v1.0/identityProtection/riskyUsers/" + userA, "http://127.0.0.1/v1.0/x", "https://evil.example/v1.0/x", "//evil.example/"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			n := 0
			bubble(t, func(w http.ResponseWriter, _ *http.Request) {
				n++
				w.Header().Set("Location", to)
				w.WriteHeader(status)
			}, Options{}, func(t *testing.T, c *Client) {
				for _, call := range []func(context.Context, *Client) error{readUser, dismissUser} {
					n = 0
					if err := call(ctx(t), c); !errors.Is(err, entra.ErrRedirected) || n != 1 {
						t.Errorf("%d to %s: %v after %d requests", status, to, err, n)
					}
				}
			})
		}
	}
}

// A connection that cannot be made has carried nothing: also a write is tried
// again, and its failure is no unknown outcome.
func TestWriteIsRepeatedWhenNothingWasSent(t *testing.T) {
	var dials atomic.Int64
	bubble(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, Options{
		Transport: refusing{&dials, 2, http.StatusNoContent},
	}, func(t *testing.T, c *Client) {
		if err := dismissUser(ctx(t), c); err != nil {
			t.Errorf("error %v after two refused connections", err)
		}
		dials.Store(-100)
		err := dismissUser(ctx(t), c)
		if !errors.Is(err, entra.ErrUnavailable) || errors.Is(err, entra.ErrUnknownOutcome) {
			t.Errorf("error %v, want unavailable and nothing unknown", err)
		}
		if got := dials.Load(); got != -95 {
			t.Errorf("%d connections tried, want 5", got+100)
		}
	})
}

// A transport that does not report what it sends is not trusted to have sent
// nothing.
func TestSilentTransportLeavesOutcomeUnknown(t *testing.T) {
	calls := 0
	transport := roundTrip(func(*http.Request) (*http.Response, error) {
		calls++
		return nil, errors.New("broken pipe")
	})
	bubble(t, nil, Options{Transport: transport}, func(t *testing.T, c *Client) {
		err := dismissUser(ctx(t), c)
		if !errors.Is(err, entra.ErrUnknownOutcome) || calls != 1 {
			t.Errorf("error %v after %d calls, want an unknown outcome after 1", err, calls)
		}
	})
}

func TestCancelledWriteIsUnknown(t *testing.T) {
	bubble(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}, Options{}, func(t *testing.T, c *Client) {
		call, cancel := context.WithTimeout(ctx(t), 5*time.Second)
		defer cancel()
		err := dismissUser(call, c)
		if !errors.Is(err, entra.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want an unknown outcome and the deadline", err)
		}
	})
}

func TestCancelledWaitSendsNothing(t *testing.T) {
	var requests atomic.Int64
	bubble(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		refuseWith(w, 429, "TooManyRequests", "Too many requests.")
	}, Options{}, func(t *testing.T, c *Client) {
		call, cancel := context.WithTimeout(ctx(t), 3*time.Second)
		defer cancel()
		err := dismissUser(call, c)
		if errors.Is(err, entra.ErrUnknownOutcome) || !errors.Is(err, entra.ErrThrottled) {
			t.Errorf("error %v, want throttled and nothing unknown", err)
		}
		if got := requests.Load(); got != 2 {
			t.Errorf("%d requests, want 2: at once and after 1.2 s; 2.4 s more is past the deadline", got)
		}
	})
}

func TestSignInFailures(t *testing.T) {
	handler := func(http.ResponseWriter, *http.Request) { t.Error("a request without a token") }
	for _, tc := range []struct {
		name string
		cred fixedToken
		want error
	}{
		{"refused", fixedToken{err: errors.New("AADSTS7000215: Invalid client secret")}, entra.ErrUnauthorized},
		{"no network", fixedToken{err: &timeoutError{}}, entra.ErrUnavailable},
		{"empty", fixedToken{}, entra.ErrUnauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, handler, Options{Credential: tc.cred}, func(t *testing.T, c *Client) {
				if err := dismissUser(ctx(t), c); !errors.Is(err, tc.want) || errors.Is(err, entra.ErrUnknownOutcome) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
			})
		})
	}
}

type timeoutError struct{}

func (*timeoutError) Error() string   { return "dial tcp: i/o timeout" }
func (*timeoutError) Timeout() bool   { return true }
func (*timeoutError) Temporary() bool { return true }

// A 401 is answered once with a new token, whether its claims challenge makes
// sense or not.
func TestClaimsChallenge(t *testing.T) {
	for _, tc := range []struct {
		name, header string
		requests     int64
		always       bool
	}{
		{"good", `Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="`, 2, false},
		{"good, for ever", `Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="`, 2, true},
		{"none, for ever", `Bearer realm=""`, 2, true},
		{"no value", `Bearer realm="", claims=`, 2, false},
		{"not base64", `Bearer claims="%%%"`, 2, false},
		{"open quote", `Bearer claims="abc`, 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var requests atomic.Int64
			bubble(t, func(w http.ResponseWriter, _ *http.Request) {
				if requests.Add(1) == 1 || tc.always {
					w.Header().Set("WWW-Authenticate", tc.header)
					refuseWith(w, 401, "InvalidAuthenticationToken", "Continuous access evaluation resulted in challenge.")
					return
				}
				w.WriteHeader(http.StatusNoContent)
			}, Options{}, func(t *testing.T, c *Client) {
				err := dismissUser(ctx(t), c)
				if !tc.always && err != nil || tc.always && !errors.Is(err, entra.ErrUnauthorized) {
					t.Errorf("error %v", err)
				}
				if got := requests.Load(); got != tc.requests {
					t.Errorf("%d requests, want %d", got, tc.requests)
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"5", "", 5 * time.Second},
		{"0", "", 0},
		{"-3", "", 0},
		{"1.5", "", 1500 * time.Millisecond},
		{"NaN", "", 0},
		{"1e300", "", 1e9 * time.Second},
		{"soon", "", 0},
		{"Mon, 23 Nov 2026 10:00:30 GMT", "", 30 * time.Second},
		{"Mon, 23 Nov 2026 10:00:30 GMT", "Mon, 23 Nov 2026 10:00:20 GMT", 10 * time.Second},
		{"Mon, 23 Nov 2026 09:00:00 GMT", "", 0},
	} {
		h := http.Header{}
		h.Set("Retry-After", tc.value)
		h.Set("Date", tc.date)
		if diff := cmp.Diff(tc.want, retryAfter(h, now)); diff != "" {
			t.Errorf("Retry-After %q, Date %q (-want +got):\n%s", tc.value, tc.date, diff)
		}
	}
}

// Back-offs grow, differ and stay bounded.
func TestBackoff(t *testing.T) {
	for _, jitter := range []float64{0, 0.5, 0.999} {
		r := retryRules{jitter: func() float64 { return jitter }}
		last := time.Duration(0)
		for n := 1; n < 40; n++ {
			d := r.backoff(throttleBase, n)
			if d < last || d < throttleBase || d > maxBackoff+maxBackoff/4 {
				t.Fatalf("wait %d is %v after %v", n, d, last)
			}
			last = d
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
