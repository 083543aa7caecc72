package simulation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/apply"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// process is one runner: it sees the tenant and the store through faults of its
// own, has a clock of its own, and can die at any point.
type process struct {
	w    *world
	name string
	skew atomic.Int64 // of its clock, a time.Duration

	mu       sync.Mutex
	net, fs  *rand.Rand // what happens to requests, and to the store
	faulty   int        // faults in a hundred requests
	requests int
	dieAt    int // request before which, or after the effect of which, it dies; 0: never
	dieLate  bool
	calls    int // of the store
	dieCall  int // call of the store at which it dies; 0: never
	fullCall int // call from which on its store takes nothing more; 0: never
	jumpAt   int // request at which its clock jumps; 0: never
	jump     time.Duration
	dead     bool
	stalled  bool   // it renews no lease
	outage   string // below this path the tenant answers nothing but 503
	leases   []*lease
	between  func(n int) // called before each request, for a second runner
	// lose says of a request whether it is lost on its way.
	lose func(path string) bool

	fenced map[string]time.Time       // user -> last read of its detections by id
	saw    map[string]map[string]bool // user -> open detections in that read
	looked map[string]time.Time       // object id -> last read
	pages  map[string][]any           // path -> rows of the last page
}

var errDead = errors.New("the process has died")

func (w *world) process(name string, n uint64) *process {
	return &process{w: w, name: name, net: rand.New(rand.NewPCG(w.seed, n)), fs: rand.New(rand.NewPCG(w.seed, n+1<<32)),
		fenced: map[string]time.Time{}, saw: map[string]map[string]bool{}, looked: map[string]time.Time{}, pages: map[string][]any{}}
}

func (p *process) now() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "sim", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// sweeper wires a run as the composition root does.
func (p *process) sweeper(base *baseline.Baseline) (*sweep.Sweeper, error) {
	client, err := graph.New(graph.Options{Credential: credential{}, Endpoint: "http://127.0.0.1/v1.0", RequestsPerSecond: 1, Timeout: 30 * time.Second,
		Transport: p, Now: p.now, Jitter: func() float64 { return 0.5 }})
	if err != nil {
		return nil, err
	}
	return &sweep.Sweeper{
		Name: "contoso", TenantID: p.w.sim.TenantID(), Cloud: "global", Reader: client, Writer: func() apply.Writer { return client },
		Ledger: ledger.New(&store{p: p, Store: p.w.store}, "contoso", ledger.Options{Now: p.now}),
		Triage: p.w.rules, Baseline: base,
		Settings: sweep.Settings{Lookback: 720 * time.Hour, Overlap: 48 * time.Hour, FullEvery: fullEvery, Settle: settle, ServicePrincipals: "auto", RequestsPerSecond: 1,
			Enforcement: plan.Enforcement{Dismiss: true, ConfirmCompromised: true, Policies: true},
			Baseline:    baseline.Settings{AllowEnabledPolicies: true, AllowWeakening: true, Prune: true},
			Limits: plan.Limits{MaxDismissals: p.w.dismissals24, MaxConfirmCompromised: maxConfirmed, MaxShareOfRiskyUsers: 1, MaxPolicyCreates: 50,
				MaxPolicyUpdates: 50, MaxPolicyDeletes: 20},
			WriteTimeout: 20 * time.Second, ReadBack: time.Minute, Visibility: time.Minute},
		Output:  sweep.Output{Redaction: report.NewRedaction("none", nil), SLA: report.SLA{High: 24 * time.Hour}},
		Version: "sim", Host: p.name, PID: 1, Now: p.now, Log: slog.New(slog.DiscardHandler),
	}, nil
}

// fault is what happens to one request.
type fault int

const (
	none fault = iota
	throttled
	throttledWithDate
	unavailable
	failedAfter // the effect, then a 500
	refused     // nothing was sent
	resetBefore
	resetAfter
	hangs
	truncated
	loops
	repeats // the rows of the page before come once more
)

var faultNames = [...]string{"", "429", "429 with Retry-After", "503", "500 after the effect", "connection refused", "reset before the effect", "reset after the effect", "timeout", "truncated", "looping link", "repeated rows"}

// RoundTrip carries one request to the tenant, or not.
func (p *process) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if p.between != nil {
		if p.between(p.requests + 1); r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
	}
	res, err := p.carry(r, body)
	if errors.Is(err, errHangs) {
		// Without the lock: nothing moves in virtual time that holds one.
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return res, err
}

var errHangs = errors.New("no answer comes")

// carry decides what happens to one request, and lets it.
func (p *process) carry(r *http.Request, body []byte) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil, errDead
	}
	if p.requests++; p.requests == p.jumpAt {
		p.w.say("%s: its clock jumps by %s", p.name, p.jump)
		p.skew.Add(int64(p.jump))
	}
	p.renew()
	p.w.befall()
	f := none
	if !p.w.quiet && p.net.IntN(100) < p.faulty {
		f = fault(1 + p.net.IntN(len(faultNames)-1))
	}
	path := strings.TrimPrefix(r.URL.Path, "/v1.0")
	if p.outage != "" && !p.w.quiet && strings.HasPrefix(path, p.outage) {
		f = unavailable
	}
	trace := httptrace.ContextClientTrace(r.Context())
	note := func(f func(*httptrace.ClientTrace)) {
		if trace != nil {
			f(trace)
		}
	}
	note(func(t *httptrace.ClientTrace) {
		if t.GetConn != nil {
			t.GetConn(r.URL.Host)
		}
	})
	if f != none {
		p.w.say("%s: %s %s: %s", p.name, r.Method, path, faultNames[f])
	}
	if f == refused {
		return nil, fmt.Errorf("dial: connection refused")
	}
	note(func(t *httptrace.ClientTrace) {
		if t.WroteHeaders != nil {
			t.WroteHeaders()
		}
	})
	dies := p.dieAt > 0 && p.requests == p.dieAt
	switch {
	case dies && !p.dieLate:
		p.die(r.Method + " " + path)
		return nil, errDead
	case p.lose != nil && p.lose(path):
		p.w.say("%s: %s %s: lost on its way", p.name, r.Method, path)
		return nil, io.ErrUnexpectedEOF
	case f == throttled:
		return answer(r, 429, nil, `{"error":{"code":"TooManyRequests","message":"Too many requests."}}`), nil
	case f == throttledWithDate:
		return answer(r, 429, http.Header{"Retry-After": {"3"}}, `{"error":{"code":"TooManyRequests","message":"Too many requests."}}`), nil
	case f == unavailable:
		return answer(r, 503, nil, `{"error":{"code":"ServiceUnavailable","message":""}}`), nil
	case f == resetBefore:
		return nil, io.ErrUnexpectedEOF
	case f == hangs && p.net.IntN(2) == 0:
		return nil, errHangs
	}
	rec := p.w.serve(p, r, body, path)
	switch {
	case dies:
		p.die(r.Method + " " + path + ", after its effect")
		return nil, errDead
	case f == failedAfter:
		return answer(r, 500, nil, `{"error":{"code":"InternalServerError","message":""}}`), nil
	case f == resetAfter:
		return nil, io.ErrUnexpectedEOF
	case f == hangs:
		return nil, errHangs
	}
	data := rec.Body.Bytes()
	if _, paged := pageSizes[path]; paged && rec.Code == 200 {
		data = p.page(path, data, f == repeats && r.URL.Query().Has("$skiptoken"))
	}
	if f == truncated && len(data) > 2 {
		data = data[:len(data)/2]
	}
	if f == loops {
		data = bytes.Replace(data, []byte(`"value":`), []byte(`"@odata.nextLink":"`+"http://"+r.URL.Host+r.URL.RequestURI()+`","value":`), 1)
	}
	res := answer(r, rec.Code, rec.Header(), string(data))
	return res, nil
}

func (p *process) die(where string) {
	p.dead = true
	p.w.say("%s: dies at %s", p.name, where)
}

func answer(r *http.Request, code int, h http.Header, body string) *http.Response {
	if h == nil {
		h = http.Header{}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Del("Content-Length")
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}
}

// pageSizes are the pages that a sweep asks for; the service may give smaller
// ones, and then what changes meanwhile shifts the later rows.
var pageSizes = map[string]string{"/identityProtection/riskDetections": "500", "/identityProtection/riskyUsers": "500"}

// serve lets the tenant answer, with the oracle looking on.
func (w *world) serve(p *process, r *http.Request, body []byte, path string) *httptest.ResponseRecorder {
	write := r.Method != http.MethodGet && !strings.HasSuffix(path, "$batch") && !strings.HasSuffix(path, "getByIds")
	var after func(int, []byte)
	if write {
		after = w.beforeWrite(p, r.Method, path, body)
	}
	if w.poison != "" && !w.quiet && strings.Contains(path, "/riskyUsers/") && write && bytes.Contains(body, []byte(w.poison)) {
		rec := httptest.NewRecorder()
		rec.Header().Set("Content-Type", "application/json")
		rec.WriteHeader(http.StatusBadRequest)
		_, _ = rec.WriteString(`{"error":{"code":"BadRequest","message":"One or more ids are not valid."}}`)
		w.say("%s: %s %s: 400 for %s", p.name, r.Method, path, w.poison)
		return rec
	}
	in := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	if q, top := in.URL.Query(), pageSizes[path]; top != "" && q.Get("$top") == top {
		q.Set("$top", strconv.Itoa(w.pageSize))
		in.URL.RawQuery = q.Encode()
	}
	in.Header = r.Header.Clone()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, in)
	if write {
		w.say("%s: %s %s %s: %d", p.name, r.Method, path, body, rec.Code)
		after(rec.Code, rec.Body.Bytes())
	} else {
		p.remember(path, r.URL.Query(), rec)
	}
	return rec
}

// page makes of a page what the service shows: without what is late, and
// perhaps with the rows of the page before once more.
func (p *process) page(path string, data []byte, again bool) []byte {
	var page map[string]any
	if err := json.Unmarshal(data, &page); err != nil {
		panic(err) // the simulator's own answer
	}
	rows, _ := page["value"].([]any)
	rows = slices.DeleteFunc(rows, func(row any) bool {
		at, late := p.w.late[row.(map[string]any)["id"].(string)]
		return late && time.Now().Before(at)
	})
	page["value"] = rows
	if again {
		page["value"] = slices.Concat(p.pages[path], rows)
	}
	p.pages[path] = rows
	out, err := json.Marshal(page)
	if err != nil {
		panic(err) // it was JSON
	}
	return out
}

var userIDs = regexp.MustCompile(`userId eq '([^']+)'|userId in \(([^)]*)\)`)

// remember keeps what the process has read right before it writes.
func (p *process) remember(path string, q url.Values, rec *httptest.ResponseRecorder) {
	if rec.Code != 200 {
		return
	}
	if strings.HasPrefix(path, "/identity/conditionalAccess/policies/") {
		p.looked[path[strings.LastIndex(path, "/")+1:]] = time.Now()
	}
	if path != "/identityProtection/riskDetections" {
		return
	}
	for _, m := range userIDs.FindAllStringSubmatch(q.Get("$filter"), -1) {
		for _, id := range strings.Split(m[1]+m[2], ",") {
			if id = strings.Trim(id, " '"); id != "" {
				p.fenced[id] = time.Now()
			}
		}
	}
}

// renew is what a lease does by itself in a real store.
func (p *process) renew() {
	for _, l := range p.leases {
		if !p.stalled {
			_ = l.Lease.Expires() // to look renews
		}
	}
}
