package simulation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
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
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/memnet"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// process is one runner: it sees the tenant and the store through faults of its
// own, has a clock of its own, and can die at any point.
type process struct {
	w          *world
	name       string
	configured time.Time    // when its configuration was read
	skew       atomic.Int64 // of its clock, a time.Duration

	share    float64              // of the users at risk that its limits allow; 0: that of its world
	foreign  bool                 // its configuration names another tenant than the one it signs in to
	barred   bool                 // the tenant takes none of its tokens
	undoes   string               // the run that it rolls back, by order
	restores string               // the id of what it brings back, by order
	meant    bool                 // the order says that holders of roles are meant
	ordered  bool                 // it carries out what a person ordered for named users
	change   func(*sweep.Sweeper) // what its configuration says otherwise; nil: nothing
	began    time.Time            // its run, or its last one
	run      string               // the run whose plan it stored last
	atRisk   map[string]bool      // users who were at risk when it read who is
	fewest   int                  // of them, at one time

	mu       sync.Mutex
	net, fs  *rand.Rand // what happens to requests, and to the store
	faulty   int        // faults in a hundred requests
	requests int
	sent     []string // method and path of each
	dieAt    int      // request before which, or after the effect of which, it dies; 0: never
	dieLate  bool
	calls    int // of the store
	dieCall  int // call of the store at which it dies; 0: never
	fullCall int // call from which on its store takes nothing more; 0: never
	appends  int // to files of the store
	goneCall int // call of the store from which on its store is gone; 0: never
	gone     bool
	vanishes bool // it is gone for all
	slowFrom int  // append that takes long, for slowFor; 0: none
	slowFor  time.Duration
	slowLate bool // it takes long once the store has the line
	holdAt   int  // request during which somebody sets HOLD; 0: never
	revokeAt int  // request at which its token is revoked; 0: never
	refusals int  // of one request after the other, for its token
	jumpAt   int  // request at which its clock jumps; 0: never
	jump     time.Duration
	dead     bool
	stalled  bool   // it renews no lease
	outage   string // below this path the tenant answers nothing but 503
	blind    bool   // the tenant refuses to say who may become a member of a group
	leases   []*lease
	between  func(n int) // called before each request, for a second runner
	slowly   func()      // what happens during the append that takes long
	entering func()      // called before each change of the list of plan runs
	// lose says of a request whether it is lost on its way.
	lose func(path string) bool

	tokens    *tokens
	listener  *memnet.Listener
	server    *http.Server
	transport *http.Transport

	fenced map[string]time.Time // user -> last read of its detections by id
	looked map[string]time.Time // object id -> last read
	pages  map[string][]any     // path -> rows of the last page
}

var errDead = errors.New("the process has died")

func (w *world) process(name string, n uint64) *process {
	p := &process{w: w, name: name, tokens: &tokens{world: w}, listener: memnet.Listen(), net: rand.New(rand.NewPCG(w.seed, n)), fs: rand.New(rand.NewPCG(w.seed, n+1<<32)),
		fenced: map[string]time.Time{}, looked: map[string]time.Time{}, pages: map[string][]any{}}
	p.server = &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0)}
	p.transport = &http.Transport{DialContext: p.listener.DialContext, DisableCompression: true}
	go func() { _ = p.server.Serve(p.listener) }() // until hangUp
	w.processes = append(w.processes, p)
	return p
}

func (p *process) now() time.Time { return time.Now().Add(time.Duration(p.skew.Load())) }

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "sim", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// sweeper wires a run as the composition root does.
func (p *process) sweeper(base *baseline.Baseline) (*sweep.Sweeper, error) {
	p.began, p.atRisk, p.fewest = time.Now(), map[string]bool{}, 0
	client, err := graph.New(graph.Options{Credential: p.tokens, Endpoint: "http://127.0.0.1/v1.0", RequestsPerSecond: 1, Timeout: 30 * time.Second,
		Transport: p, Now: p.now, Jitter: func() float64 { return 0.5 }})
	if err != nil {
		return nil, err
	}
	p.configured = time.Now()
	s := &sweep.Sweeper{
		Name: "contoso", TenantID: p.w.sim.TenantID(), Cloud: "global", Reader: client, Writer: func() apply.Writer { return client },
		Ledger: ledger.New(&store{p: p, Store: p.w.store}, "contoso", ledger.Options{Now: p.now}),
		Triage: p.w.rules, Baseline: base, Exceptions: p.w.exceptionsNow(), Access: client,
		Settings: sweep.Settings{Lookback: 720 * time.Hour, Overlap: 48 * time.Hour, FullEvery: fullEvery, Settle: settle, ServicePrincipals: "auto", Coverage: p.w.coverage, RequestsPerSecond: 1,
			Enforcement: plan.Enforcement{Dismiss: true, ConfirmCompromised: true, DismissDetections: true, RevokeSessions: true, DisableAccount: true, ServicePrincipals: true, Policies: true, Exceptions: true, Promote: true},
			Baseline:    drift.Settings{AllowEnabledPolicies: true, AllowWeakening: true, Prune: true},
			Limits: plan.Limits{MaxDismissals: p.w.dismissals24, MaxConfirmCompromised: maxConfirmed, MaxDetectionDismissals: maxClosed, MaxRevocations: maxRevoked, MaxDisables: maxDisabled, MaxServicePrincipals: maxPrincipals, MaxShareOfRiskyUsers: p.allowedShare(), MaxPolicyCreates: 50,
				MaxPolicyUpdates: 50, MaxPolicyDeletes: 20, MaxExceptions: 20, MaxPromotions: maxPromoted},
			WriteTimeout: writeTimeout, ReadBack: time.Minute, Visibility: time.Minute},
		Output:  sweep.Output{Redaction: report.NewRedaction("none", nil), SLA: report.SLA{High: 24 * time.Hour}},
		Version: "sim", Host: p.name, PID: 1, Now: p.now, Log: slog.New(slog.DiscardHandler),
	}
	if p.w.logs {
		s.Logs = client
	}
	if p.foreign {
		s.TenantID = "0f0f0f0f-1111-4222-8333-444444444444"
	}
	if p.change != nil {
		p.change(s)
	}
	return s, nil
}

// allowedShare is the share of the users at risk that the limits allow.
func (p *process) allowedShare() float64 {
	return cmp.Or(p.share, p.w.share, 1)
}

func (p *process) die(where string) {
	p.dead = true
	p.w.say("%s: dies at %s", p.name, where)
}

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
	in := httptest.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if q, top := in.URL.Query(), pageSizes[path]; top != "" && q.Get("$top") == top {
		q.Set("$top", strconv.Itoa(w.pageSize))
		in.URL.RawQuery = q.Encode()
	}
	in.Header = r.Header.Clone()
	in.Header.Set("Authorization", "Bearer sim") // whichever token it was
	if !write && path == "/identityProtection/riskyUsers" && !strings.Contains(in.URL.Query().Get("$filter"), "id ") {
		w.countAtRisk(p)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, in)
	if write {
		w.say("%s: %s %s %s: %d", p.name, r.Method, path, body, rec.Code)
		after(rec.Code, rec.Body.Bytes())
	} else {
		if p.blind && !w.quiet && path == "/$batch" {
			rec.Body = refuseBelow(body, rec.Body.Bytes(), "/identityGovernance/privilegedAccess/")
		}
		p.remember(path, r.URL.Query(), rec)
		w.shout(path, rec)
	}
	return rec
}

var personIDs = regexp.MustCompile(`"(userId|id)":"[0-9a-f]{8}-[^"]*"`)

// shout writes the ids of people in the risk lists in upper case, in some
// worlds: the service does not promise either case.
func (w *world) shout(path string, rec *httptest.ResponseRecorder) {
	if !w.shouts || !strings.HasPrefix(path, "/identityProtection/risk") {
		return
	}
	body := personIDs.ReplaceAllFunc(rec.Body.Bytes(), func(m []byte) []byte {
		name, id, _ := bytes.Cut(m, []byte(":"))
		return slices.Concat(name, []byte(":"), bytes.ToUpper(id))
	})
	rec.Body = bytes.NewBuffer(body)
}

// refuseBelow turns the answers to some requests of a batch into refusals.
func refuseBelow(asked, answered []byte, below string) *bytes.Buffer {
	var in struct{ Requests []struct{ ID, URL string } }
	var out struct {
		Responses []map[string]any `json:"responses"`
	}
	if json.Unmarshal(asked, &in) != nil || json.Unmarshal(answered, &out) != nil {
		return bytes.NewBuffer(answered) // a batch that was refused as a whole
	}
	for _, q := range in.Requests {
		for _, a := range out.Responses {
			if a["id"] == q.ID && strings.HasPrefix(q.URL, below) {
				a["status"], a["body"] = http.StatusForbidden, map[string]any{"error": map[string]any{"code": "Authorization_RequestDenied", "message": "Insufficient privileges to complete the operation."}}
			}
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		panic(err) // it was JSON
	}
	return bytes.NewBuffer(text)
}

var userIDs = regexp.MustCompile(`userId eq '([^']+)'|userId in \(([^)]*)\)`)

// remember keeps what the process has read right before it writes.
func (p *process) remember(path string, q url.Values, rec *httptest.ResponseRecorder) {
	if rec.Code != 200 {
		return
	}
	if strings.HasPrefix(path, "/identity/conditionalAccess/policies/") || strings.HasPrefix(path, "/identity/conditionalAccess/deletedItems/policies/") {
		p.looked[path[strings.LastIndex(path, "/")+1:]] = time.Now()
	}
	p.rememberPrincipals(path, q)
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
		if !p.stalled && !p.gone {
			_ = l.Lease.Expires() // to look renews
		}
	}
}

// leased reports whether the process holds the lease, as the store sees it. The
// caller holds the process's lock.
func (p *process) leased() bool {
	return len(p.leases) > 0 && !(p.stalled && time.Now().After(p.leases[len(p.leases)-1].ends))
}
