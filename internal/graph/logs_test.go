package graph

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// scriptedLog is a log whose skip tokens are offsets, as the service's are.
type scriptedLog struct {
	rows    []time.Time // oldest first; a row's id is its place
	ids     []string
	size    int
	asked   int
	between func(asked int) // is called before each answer
	refuse  func(asked int, skip int) int
}

func (l *scriptedLog) add(at time.Time) {
	i, _ := slices.BinarySearchFunc(l.rows, at, func(a, b time.Time) int { return a.Compare(b) })
	l.rows = slices.Insert(l.rows, i, at)
	l.ids = slices.Insert(l.ids, i, fmt.Sprintf("row-%d", len(l.ids)))
}

func (l *scriptedLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.asked++
	if l.between != nil {
		l.between(l.asked)
	}
	q := r.URL.Query()
	skip, _ := strconv.Atoi(q.Get("$skiptoken"))
	if l.refuse != nil {
		if status := l.refuse(l.asked, skip); status != 0 {
			refuseWith(w, status, "BadRequest", "Skip token is unknown.")
			return
		}
	}
	words := strings.Fields(q.Get("$filter"))
	if len(words) != 7 || q.Get("$orderby") != "createdDateTime desc" || q.Get("$top") != "1000" {
		refuseWith(w, http.StatusBadRequest, "BadRequest", r.URL.RawQuery)
		return
	}
	from, _ := time.Parse(time.RFC3339, words[2])
	to, _ := time.Parse(time.RFC3339, words[6])
	var out []string
	for i := len(l.rows) - 1; i >= 0; i-- {
		if !l.rows[i].Before(from) && !l.rows[i].After(to) {
			out = append(out, fmt.Sprintf(`{"id":%q,"createdDateTime":%q}`, l.ids[i], l.rows[i].Format(time.RFC3339)))
		}
	}
	end, next := min(skip+l.size, len(out)), ""
	if end < len(out) {
		q.Set("$skiptoken", strconv.Itoa(end))
		next = testRoot + r.URL.Path[len("/v1.0"):] + "?" + q.Encode()
	}
	answerJSON(w, http.StatusOK, list(next, out[min(skip, len(out)):end]...))
}

func readLog(t *testing.T, c *Client, w entra.LogWindow) (ids []string, err error) {
	for rows, err := range c.SignIns(t.Context(), entra.SignInQuery{LogWindow: w}) {
		if err != nil {
			return ids, err
		}
		for _, s := range rows {
			ids = append(ids, strings.Clone(s.ID))
		}
	}
	return ids, nil
}

// Each row is read once, whatever becomes of the log and its links meanwhile.
func TestLogIsReadOnce(t *testing.T) {
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	window := entra.LogWindow{From: begin, To: begin.Add(20 * 24 * time.Hour)}
	for _, tc := range []struct {
		name  string
		alter func(l *scriptedLog)
		late  int // rows that may be missed
		fails bool
	}{
		{name: "at rest"},
		{name: "a late row between pages", late: 3, alter: func(l *scriptedLog) {
			l.between = func(asked int) {
				if asked == 3 || asked == 5 || asked == 9 {
					l.add(begin.Add(20*24*time.Hour - time.Minute))
				}
			}
		}},
		{name: "a late row where it is read", late: 2, alter: func(l *scriptedLog) {
			l.between = func(asked int) {
				if asked == 2 || asked == 4 {
					l.add(begin.Add(19*24*time.Hour + 18*time.Hour))
				}
			}
		}},
		{name: "rows that get too old", alter: func(l *scriptedLog) {
			old := 0
			l.between = func(asked int) {
				if asked == 4 { // before the window: nobody asks for them
					l.rows, l.ids = l.rows[old:], l.ids[old:]
				}
			}
		}},
		{name: "a link that is forgotten", alter: func(l *scriptedLog) {
			l.refuse = func(asked, skip int) int {
				if skip > 0 && asked%3 == 0 {
					return http.StatusBadRequest
				}
				return 0
			}
		}},
		{name: "no link at all", fails: true, alter: func(l *scriptedLog) {
			l.refuse = func(asked, _ int) int {
				if asked > 4 {
					return http.StatusBadRequest
				}
				return 0
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := &scriptedLog{size: 37}
			for i := range 1200 {
				l.add(begin.Add(time.Duration(i*i) * time.Second)) // dense at first, several slices long
			}
			if tc.alter != nil {
				tc.alter(l)
			}
			bubble(t, l.ServeHTTP, Options{RequestsPerSecond: 1}, func(t *testing.T, c *Client) {
				start := time.Now()
				got, err := readLog(t, c, window)
				if (err != nil) != tc.fails {
					t.Fatalf("error %v", err)
				}
				if err != nil {
					return
				}
				counts := map[string]int{}
				for _, id := range got {
					counts[id]++
				}
				for id, n := range counts {
					if n != 1 {
						t.Errorf("%s came %d times", id, n)
					}
				}
				if len(counts) < 1200 || len(counts) > 1200+tc.late {
					t.Errorf("%d of 1200 rows", len(counts))
				}
				if took := time.Since(start); took < time.Duration(l.asked-1)*2*time.Second {
					t.Errorf("%d requests in %v: more than 5 in 10 s", l.asked, took)
				}
			})
		})
	}
}

// A day of 200,000 sign-ins costs its pages and at most two requests more, and none
// of them is more than the service allows: five in ten seconds.
func TestADayOfSignIns(t *testing.T) {
	const rows, step = 200_000, 432 * time.Millisecond
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	// at gives the row at a place, newest first.
	at := func(n int) time.Time { return begin.Add(day - time.Duration(n+1)*step).Truncate(time.Second) }
	var asked []time.Time
	over := 0
	serve := func(w http.ResponseWriter, r *http.Request) {
		now := time.Now()
		asked = append(asked, now)
		if n := len(asked); n > 5 && now.Sub(asked[n-6]) < 10*time.Second {
			over++
			refuseWith(w, http.StatusTooManyRequests, "TooManyRequests", "Too many requests.")
			return
		}
		q := r.URL.Query()
		words := strings.Fields(q.Get("$filter"))
		from, _ := time.Parse(time.RFC3339, words[2])
		to, _ := time.Parse(time.RFC3339, words[6])
		first := sort.Search(rows, func(n int) bool { return !at(n).After(to) })
		last := sort.Search(rows, func(n int) bool { return at(n).Before(from) })
		skip, _ := strconv.Atoi(q.Get("$skiptoken"))
		var b strings.Builder
		b.WriteString(`{"value":[`)
		end := min(first+skip+logPage, last)
		for n := first + skip; n < end; n++ {
			if n > first+skip {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":"row-%d","createdDateTime":"%s"}`, n, at(n).Format(time.RFC3339))
		}
		b.WriteByte(']')
		if end < last {
			q.Set("$skiptoken", strconv.Itoa(skip+logPage))
			fmt.Fprintf(&b, `,"@odata.nextLink":%q`, testRoot+r.URL.Path[len("/v1.0"):]+"?"+q.Encode())
		}
		b.WriteByte('}')
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, b.String())
	}
	bubble(t, serve, Options{RequestsPerSecond: 1}, func(t *testing.T, c *Client) {
		got := 0
		for page, err := range c.SignIns(t.Context(), entra.SignInQuery{LogWindow: entra.LogWindow{From: begin, To: begin.Add(day)}}) {
			if err != nil {
				t.Fatal(err)
			}
			got += len(page)
		}
		if got != rows || len(asked) > rows/logPage+2 || over != 0 {
			t.Errorf("%d rows in %d requests, %d of them refused", got, len(asked), over)
		}
	})
}

// What the logs refuse is told apart by its cause.
// Of a log whose rows do not come newest first nothing is known of what was not read:
// a slice of it that breaks off is an error, and is never taken for whole.
func TestALogWithoutOrder(t *testing.T) {
	at := func(minute int) string {
		return time.Date(2026, 11, 20, 12, minute, 0, 0, time.UTC).Format(time.RFC3339)
	}
	w := entra.LogWindow{From: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 20, 23, 0, 0, 0, time.UTC)}
	row := func(id string, minute int) string {
		return fmt.Sprintf(`{"id":%q,"createdDateTime":%q}`, id, at(minute))
	}
	for _, tc := range []struct {
		minutes []int
		whole   bool
	}{{[]int{30, 20}, true}, {[]int{20, 30}, false}} {
		bubble(t, func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); {
			case q.Get("$skiptoken") != "":
				refuseWith(w, http.StatusBadRequest, "BadRequest", "Skip token is unknown.")
			case strings.Contains(q.Get("$filter"), "le 2026-11-20T23:00:00Z"):
				answerJSON(w, http.StatusOK, list(testRoot+"/auditLogs/signIns?$skiptoken=1", row("a", tc.minutes[0]), row("b", tc.minutes[1])))
			default:
				answerJSON(w, http.StatusOK, list(""))
			}
		}, Options{}, func(t *testing.T, c *Client) {
			if ids, err := readLog(t, c, w); (err == nil) != tc.whole || len(ids) != 2 {
				t.Errorf("rows at minutes %v: %v, %v", tc.minutes, ids, err)
			}
		})
	}
}

func TestLogRefusals(t *testing.T) {
	for _, tc := range []struct {
		code, message string
		roles         []string
		want          error
	}{
		{"Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license", []string{"AuditLog.Read.All"}, entra.ErrUnlicensed},
		{"Authentication_MSGraphPermissionMissing", "Calling principal does not have required MSGraph permissions AuditLog.Read.All", []string{"User.Read.All"}, entra.ErrForbidden},
	} {
		bubble(t, func(w http.ResponseWriter, _ *http.Request) { refuseWith(w, http.StatusForbidden, tc.code, tc.message) },
			Options{Credential: fixedToken{token: jwt(tc.roles...)}}, func(t *testing.T, c *Client) {
				_, err := readLog(t, c, entra.LogWindow{From: time.Now().Add(-time.Hour), To: time.Now()})
				if !errors.Is(err, tc.want) {
					t.Errorf("%s: %v, want %v", tc.code, err, tc.want)
				}
			})
	}
}
