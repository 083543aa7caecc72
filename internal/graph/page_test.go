package graph

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/entra"
)

// read walks a collection to its end.
func readDetections(t *testing.T, c *Client, q entra.DetectionQuery) ([]string, error) {
	t.Helper()
	var ids []string
	for page, err := range c.Detections(ctx(t), q) {
		if err != nil {
			if len(page.Items) != 0 {
				t.Errorf("items beside the error %v", err)
			}
			return ids, err
		}
		for i := range page.Items {
			ids = append(ids, page.Items[i].ID)
		}
	}
	return ids, nil
}

func readUsers(t *testing.T, c *Client) (int, error) {
	t.Helper()
	n := 0
	for page, err := range c.RiskyUsers(ctx(t), entra.RiskyUserQuery{}) {
		if err != nil {
			return n, err
		}
		n += len(page.Items)
	}
	return n, nil
}

const detectionsURL = testRoot + "/identityProtection/riskDetections"

func TestPagingGuards(t *testing.T) {
	step := func(r *http.Request) string { return r.URL.Query().Get("step") }
	link := func(s string) string { return detectionsURL + "?step=" + s }
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		want    error
		text    string
		ids     int
	}{
		{"link to another host", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("http://127.0.0.2/v1.0/identityProtection/riskDetections?$skiptoken=x", `{"id":"1"}`))
		}, entra.ErrRedirected, "127.0.0.2", 0},
		{"link to another port", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("http://127.0.0.1:8080/v1.0/identityProtection/riskDetections", `{"id":"1"}`))
		}, entra.ErrRedirected, "8080", 0},
		{"link to another scheme", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("ftp://127.0.0.1/v1.0/identityProtection/riskDetections", `{"id":"1"}`))
		}, entra.ErrRedirected, "ftp", 0},
		{"link to another version", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("http://127.0.0.1/beta/identityProtection/riskDetections", `{"id":"1"}`))
		}, entra.ErrRedirected, "", 0},
		{"link out of the version", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("http://127.0.0.1/v1.0/../_sim/reset", `{"id":"1"}`))
		}, entra.ErrRedirected, "", 0},
		{"link with another's name before it", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("http://127.0.0.1@evil.example/v1.0/x", `{"id":"1"}`))
		}, entra.ErrRedirected, "", 0},
		{"relative link", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("/v1.0/identityProtection/riskDetections?x", `{"id":"1"}`))
		}, entra.ErrMalformed, "absolute", 0},
		{"link to itself", func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, list(link("1"), `{"id":"`+step(r)+`x"}`))
		}, entra.ErrMalformed, "followed before", 1},
		{"links in a circle", func(w http.ResponseWriter, r *http.Request) {
			next := map[string]string{"": "1", "1": "2", "2": "3", "3": "1"}[step(r)]
			answerJSON(w, 200, list(link(next), `{"id":"`+step(r)+`x"}`))
		}, entra.ErrMalformed, "followed before", 3},
		{"repeated pages without end", func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, list(link(step(r)+"1"), `{"id":"1"}`, `{"id":"2"}`))
		}, entra.ErrMalformed, "without new items", 2},
		{"repeated page", func(w http.ResponseWriter, r *http.Request) {
			next := map[string]string{"": link("1"), "1": link("2")}[step(r)]
			id := map[string]string{"": "1", "1": "1", "2": "2"}[step(r)]
			answerJSON(w, 200, list(next, `{"id":"`+id+`"}`))
		}, nil, "", 2},
		{"empty pages without end", func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, list(link(step(r)+"1")))
		}, entra.ErrMalformed, "without new items", 0},
		{"some empty pages", func(w http.ResponseWriter, r *http.Request) {
			if len(step(r)) == 10 {
				answerJSON(w, 200, list("", `{"id":"1"}`))
				return
			}
			answerJSON(w, 200, list(link(step(r)+"1")))
		}, nil, "", 1},
		{"pages without end", func(w http.ResponseWriter, r *http.Request) {
			answerJSON(w, 200, list(link(step(r)+"1"), `{"id":"`+step(r)+`x"}`))
		}, entra.ErrMalformed, "more than 40 pages", 40},
		{"second page refused", func(w http.ResponseWriter, r *http.Request) {
			if step(r) != "" {
				refuseWith(w, 403, "Forbidden", "Your tenant is not licensed for this feature.")
				return
			}
			answerJSON(w, 200, list(link("1"), `{"id":"1"}`))
		}, entra.ErrUnlicensed, "", 1},
		{"no value", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, `{"@odata.context":"x"}`) }, entra.ErrMalformed, "without value", 0},
		{"null value", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, `{"value":null}`) }, entra.ErrMalformed, "null where an array", 0},
		{"no content", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, entra.ErrMalformed, "empty answer", 0},
		{"row without id", func(w http.ResponseWriter, _ *http.Request) {
			answerJSON(w, 200, list("", `{"id":"1"}`, `{"riskLevel":"low"}`))
		}, entra.ErrMalformed, "value[1]: no id", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, tc.handler, Options{MaxPages: 40}, func(t *testing.T, c *Client) {
				if strings.HasSuffix(tc.name, "pages without end") && tc.name != "pages without end" {
					c.maxPages = 1000
				}
				ids, err := readDetections(t, c, entra.DetectionQuery{})
				if tc.want == nil && err != nil || tc.want != nil && !errors.Is(err, tc.want) {
					t.Errorf("error %v, want %v", err, tc.want)
				}
				if err != nil && !strings.Contains(err.Error(), tc.text) {
					t.Errorf("error %q says nothing of %q", err, tc.text)
				}
				if len(ids) != tc.ids {
					t.Errorf("%d rows, want %d", len(ids), tc.ids)
				}
			})
		})
	}
}

// The riskyUsers list may end in a bad request when its last page is full.
// Nothing else may.
func TestLastPageBadRequest(t *testing.T) {
	rows := func(n int) []string {
		s := make([]string, n)
		for i := range s {
			s[i] = fmt.Sprintf(`{"id":"u-%d"}`, i)
		}
		return s
	}
	for _, tc := range []struct {
		name    string
		rows    int
		message string
		code    string
		users   bool
		ok      bool
	}{
		{"full page", 500, "", "BadRequest", true, true},
		{"page not full", 499, "", "BadRequest", true, false},
		{"with a message", 500, "Skip token is invalid.", "BadRequest", true, false},
		{"another code", 500, "", "Forbidden", true, false},
		{"another collection", 500, "", "BadRequest", false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			handler := func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("$skiptoken") != "" {
					refuseWith(w, 400, tc.code, tc.message)
					return
				}
				if r.URL.Query().Get("$top") != "500" {
					t.Errorf("$top %q", r.URL.Query().Get("$top"))
				}
				answerJSON(w, 200, list("http://127.0.0.1"+r.URL.Path+"?$skiptoken=x", rows(tc.rows)...))
			}
			bubble(t, handler, Options{}, func(t *testing.T, c *Client) {
				var n int
				var err error
				if tc.users {
					n, err = readUsers(t, c)
				} else {
					var ids []string
					ids, err = readDetections(t, c, entra.DetectionQuery{})
					n = len(ids)
				}
				if tc.ok && err != nil || !tc.ok && !errors.Is(err, entra.ErrBadRequest) || n != tc.rows {
					t.Errorf("%d rows, error %v", n, err)
				}
			})
		})
	}
}

// A page that comes wrong once is asked for again.
func TestPageIsAskedForAgain(t *testing.T) {
	var requests atomic.Int64
	bubble(t, func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		switch {
		case r.URL.Query().Get("step") == "":
			answerJSON(w, 200, list(detectionsURL+"?step=1", `{"id":"1"}`))
		case n == 2:
			answerJSON(w, 200, `{"value":[{"id":"2"`)
		case n == 3:
			answerJSON(w, 200, list(detectionsURL+"?step=1", `{"id":"2"}`)) // a circle
		default:
			answerJSON(w, 200, list("", `{"id":"2"}`))
		}
	}, Options{}, func(t *testing.T, c *Client) {
		ids, err := readDetections(t, c, entra.DetectionQuery{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1", "2"}, ids); diff != "" {
			t.Error(diff)
		}
	})
}

// Every request of a collection carries the headers that the service forgets
// between pages, and a stored link goes on where it stood.
func TestHeadersAndResume(t *testing.T) {
	inner := pagesOf(4, nil)
	bubble(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Prefer"); got != "include-unknown-enum-members" {
			t.Errorf("Prefer %q", got)
		}
		if got := r.Header.Get("Authorization"); got != "Bearer opaque" {
			t.Errorf("Authorization %q", got)
		}
		if got := r.Header.Get("User-Agent"); got != "sweeper/1" {
			t.Errorf("User-Agent %q", got)
		}
		if got := r.Header.Get("Accept-Encoding"); got != "" {
			t.Errorf("Accept-Encoding %q", got)
		}
		w.Header().Set("Date", "Mon, 23 Nov 2026 10:00:00 GMT")
		inner(w, r)
	}, Options{UserAgent: "sweeper/1"}, func(t *testing.T, c *Client) {
		var links []string
		for page, err := range c.Detections(ctx(t), entra.DetectionQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			links = append(links, page.Next)
		}
		if len(links) != 4 || links[3] != "" {
			t.Fatalf("links %q", links)
		}
		ids, err := readDetections(t, c, entra.DetectionQuery{Resume: links[1]})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"row-2", "row-3"}, ids); diff != "" {
			t.Error(diff)
		}
		if _, err := readDetections(t, c, entra.DetectionQuery{Resume: "https://evil.example/v1.0/x"}); !errors.Is(err, entra.ErrRedirected) {
			t.Errorf("resuming elsewhere: %v", err)
		}
		if want := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC); !c.ServerTime().Equal(want) {
			t.Errorf("server time %v", c.ServerTime())
		}
		if diff := cmp.Diff(map[string]int{"/identityProtection/riskDetections": 6}, c.Stats().ByPath); diff != "" {
			t.Error(diff)
		}
	})
}

// The page after the one in hand is asked for while the consumer works, and
// not more than that one.
func TestReadsOnePageAhead(t *testing.T) {
	var served atomic.Int64
	bubble(t, pagesOf(10, func(http.ResponseWriter) bool { served.Add(1); time.Sleep(time.Second); return true }), Options{}, func(t *testing.T, c *Client) {
		begin := time.Now()
		n := int64(0)
		for _, err := range c.Detections(ctx(t), entra.DetectionQuery{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			time.Sleep(time.Second)
			if ahead := served.Load() - n; ahead > 2 {
				t.Errorf("%d pages ahead", ahead)
			}
		}
		if took := time.Since(begin); took > 12*time.Second {
			t.Errorf("took %v; reading and working did not overlap", took)
		}
	})
}

// Leaving the loop ends the reading at once; the bubble sees to it that no
// goroutine stays.
func TestLeavingTheLoop(t *testing.T) {
	for _, leaveAfter := range []int{1, 2, 5} {
		bubble(t, pagesOf(10, func(http.ResponseWriter) bool { time.Sleep(time.Second); return true }), Options{}, func(t *testing.T, c *Client) {
			n := 0
			var left time.Time
			for _, err := range c.Detections(ctx(t), entra.DetectionQuery{}) {
				if err != nil {
					t.Fatal(err)
				}
				if n++; n == leaveAfter {
					left = time.Now()
					break
				}
			}
			if since := time.Since(left); since != 0 {
				t.Errorf("the loop ended %v after it was left", since)
			}
			func() {
				defer func() { _ = recover() }()
				for range c.Detections(ctx(t), entra.DetectionQuery{}) {
					panic("the consumer")
				}
			}()
		})
	}
}
