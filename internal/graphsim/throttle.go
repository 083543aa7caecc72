package graphsim

import (
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// bucket allows one call per 1/rate seconds for the whole tenant, without a
// burst (graph-api §5.1).
type bucket struct {
	mu   sync.Mutex
	rate float64
	free time.Time // when the next call is allowed
}

func (b *bucket) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = time.Time{}
}

// allow takes the bucket's one token if it is there.
func (b *bucket) allow(now time.Time) bool {
	if b.rate <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.free) {
		return false
	}
	b.free = now.Add(time.Duration(float64(time.Second) / b.rate))
	return true
}

// limited says whether a path falls under the tenant's identity bucket.
func limited(path []string) bool {
	return len(path) > 0 && (path[0] == "identityProtection" || path[0] == "identity")
}

// reports is the pace of the logs: so many requests in ten seconds
// (evidence-api §11).
type reports struct {
	mu    sync.Mutex
	taken []time.Time
}

const maxReports = 5

func (p *reports) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = nil
}

// take books a call; the refusal carries Retry-After.
func (p *reports) take(now time.Time) *wire.Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = slices.DeleteFunc(p.taken, func(t time.Time) bool { return now.Sub(t) >= unitWindow || t.After(now) })
	if len(p.taken) < maxReports {
		p.taken = append(p.taken, now)
		return nil
	}
	wait := p.taken[0].Add(unitWindow).Sub(now)
	return &wire.Error{
		Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Too many requests.",
		Header: http.Header{"Retry-After": {strconv.Itoa(int(max(1, math.Ceil(wait.Seconds()))))}},
	}
}

// reported says whether a path is one of the logs.
func reported(path []string) bool { return len(path) > 0 && path[0] == "auditLogs" }

// tooMany is the bare 429 of Identity Protection and Conditional Access.
func tooMany() *wire.Error {
	return &wire.Error{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Too many requests."}
}

// units is the directory's budget of resource units per ten seconds, which
// depends on the size of the tenant (graph-api §5.2).
type units struct {
	mu     sync.Mutex
	on     bool
	limit  int
	window time.Time
	spent  int
}

const unitWindow = 10 * time.Second

func newUnits(on bool, users int) *units {
	limit := 8000
	switch {
	case users < 50:
		limit = 3500
	case users <= 500:
		limit = 5000
	}
	return &units{on: on, limit: limit}
}

func (u *units) reset() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.window, u.spent = time.Time{}, 0
}

// spend books a call's cost; the refusal carries Retry-After.
func (u *units) spend(now time.Time, cost int) (http.Header, *wire.Error) {
	header := http.Header{"X-Ms-Resource-Unit": {strconv.Itoa(cost)}}
	if !u.on {
		return header, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.window) >= unitWindow || now.Before(u.window) {
		u.window, u.spent = now, 0
	}
	// A throttled call counts too, so that hammering prolongs nothing but
	// never helps either: the window ends when it ends.
	u.spent += cost
	share := float64(u.spent) / float64(u.limit)
	if share > 0.8 {
		header.Set("x-ms-throttle-limit-percentage", strconv.FormatFloat(min(share, 1.8), 'f', 2, 64))
	}
	if u.spent <= u.limit {
		return header, nil
	}
	wait := u.window.Add(unitWindow).Sub(now)
	header.Set("Retry-After", strconv.Itoa(int(max(1, math.Ceil(wait.Seconds())))))
	header.Set("x-ms-throttle-scope", "Tenant_Application/ReadWrite")
	header.Set("x-ms-throttle-information", "ResourceUnitLimitExceeded")
	return nil, &wire.Error{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "Please retry again later.", InnerCode: "429", Header: header}
}

// unitCost is what a directory call costs.
func unitCost(path []string, query url.Values) int {
	cost := 2
	if len(path) > 0 {
		switch strings.ToLower(path[len(path)-1]) {
		case "members", "memberof":
			cost = 3
		case "transitivemembers", "transitivememberof", "microsoft.graph.user", "getbyids":
			cost = 5
		}
	}
	if query.Has("$select") {
		cost--
	}
	if query.Has("$expand") {
		cost++
	}
	if top, err := strconv.Atoi(query.Get("$top")); err == nil && top < 20 {
		cost--
	}
	return max(cost, 1)
}
