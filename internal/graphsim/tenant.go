package graphsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/auditlog"
	"github.com/risksweep/risksweep/internal/graphsim/directory"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/oauth"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Tenant is one simulated tenant and its service. It is safe for concurrent
// use and starts no goroutines.
type Tenant struct {
	opt   Options
	clock *clock
	make  builder
	// origin is the state that the tenant was loaded from, nil if generated;
	// born is when it was generated, which a load does not change.
	origin []byte
	born   time.Time
	script []*rule

	who     identity
	auth    *oauth.Server
	ready   func() string
	bucket  bucket
	units   *units
	reports reports
	faults  faults
	journal journal
	ids     ids

	// mu guards the workloads, which need not be safe for concurrent use.
	mu    sync.Mutex
	parts *parts
}

// identity is what sign-in needs to know of the tenant and its one client.
type identity struct {
	tenantID                            string
	domains                             []string
	clientID, clientSecret, principalID string
	clientName                          string
}

// risker is the part of the risk workload that stands outside Graph: what
// happens in the world.
type risker interface {
	raise(Raised) (id string, err error)
	remediate(userPrincipalName, detail string) error
	join(generate.Person)
}

// parts is a generated tenant with the workloads that answer for it.
type parts struct {
	identity  identity
	workloads []workload
	risk      risker
	// people and audit are nil in tests that have no directory and no log.
	people *directory.Workload
	audit  *auditlog.Workload
}

type workload struct {
	name string
	wire.Workload
	// late says that states of former versions lack it.
	late bool
}

// builder makes a tenant as it stands at the time of its birth.
type builder func(opt Options, born time.Time, now func() time.Time) (*parts, error)

// Raised is a risky sign-in that the simulated Microsoft has just seen.
type Raised struct {
	UserPrincipalName string `json:"userPrincipalName"`
	// ServicePrincipal, instead of a user, is one by object id, appId or
	// displayName.
	ServicePrincipal string `json:"servicePrincipal"`
	RiskEventType    string `json:"riskEventType"`
	RiskLevel        string `json:"riskLevel"`
	IPAddress        string `json:"ipAddress"`
}

// New generates a tenant. The error names the option, or the place in the
// fault script, that is wrong.
func New(opt Options) (*Tenant, error) { return newTenant(opt, nil, build) }

// Load makes a tenant from a state that /_sim/state gave. Seed, Users,
// Detections, Policies and SignIns are taken from the state.
func Load(r io.Reader, opt Options) (*Tenant, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading the tenant's state: %w", err)
	}
	return newTenant(opt, data, build)
}

func newTenant(opt Options, state []byte, make builder) (*Tenant, error) {
	var saved *savedState
	if state != nil {
		var err error
		if saved, err = readState(state); err != nil {
			return nil, err
		}
		opt.Seed, opt.Users, opt.Detections, opt.Policies, opt.SignIns = saved.Seed, saved.Users, 0, saved.Policies, saved.SignIns
	}
	opt, err := opt.check()
	if err != nil {
		return nil, err
	}
	script, err := parseScript(opt.FaultsFile, opt.Faults)
	if err != nil {
		return nil, err
	}
	start := opt.Now
	c := newClock(opt.Clock, start)
	if start.IsZero() {
		start = c.now()
	}
	born := start
	if saved != nil {
		born = saved.Born
	}
	t := &Tenant{opt: opt, clock: c, make: make, origin: state, born: born, script: script, bucket: bucket{rate: opt.Rate}}
	if err := t.begin(saved); err != nil {
		return nil, err
	}
	t.who = t.parts.identity
	t.units = newUnits(opt.Rate > 0, opt.Users)
	t.auth = oauth.New(oauth.Options{
		TenantID: t.who.tenantID, Domains: t.who.domains,
		ClientID: t.who.clientID, ClientSecret: t.who.clientSecret, PrincipalID: t.who.principalID, ClientName: t.who.clientName,
		Resources: t.hasResource,
		Roles:     opt.Roles, Lifetime: opt.TokenLifetime, Cloud: opt.Cloud,
		Now: c.now, Wall: c.base, Certificates: opt.ClientCertificates,
	})
	t.ready = sync.OnceValue(t.readyToken)
	return t, nil
}

// hasResource says whether tokens can be had for a name.
func (t *Tenant) hasResource(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.parts.people != nil && t.parts.people.HasResource(name)
}

// begin puts everything to its first state.
func (t *Tenant) begin(saved *savedState) error {
	p, err := t.make(t.opt, t.born, t.clock.now)
	if err != nil {
		return err
	}
	if saved != nil {
		for _, w := range p.workloads {
			data, ok := saved.Workloads[w.name]
			if !ok && w.late {
				continue
			}
			if !ok {
				return fmt.Errorf("the tenant's state has no workload %q", w.name)
			}
			if err := w.Import(data); err != nil {
				return fmt.Errorf("the tenant's state: workload %q: %w", w.name, err)
			}
		}
	}
	t.parts = p
	t.ids.reset(t.opt.Seed)
	t.faults.set(cloneRules(t.script))
	t.bucket.reset()
	t.reports.reset()
	t.journal.reset()
	return nil
}

// Reset puts the tenant back to its beginning: its state, its clock if it was
// moved, the fault script it was started with, the journal and the counters.
// Issued tokens stay valid.
func (t *Tenant) Reset() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var saved *savedState
	if t.origin != nil {
		var err error
		if saved, err = readState(t.origin); err != nil {
			return err
		}
	}
	t.clock.restart()
	t.units.reset()
	return t.begin(saved)
}

// TenantID, ClientID and ClientSecret are what a client signs in with.
func (t *Tenant) TenantID() string { return t.who.tenantID }

// ClientID is the application id of the one registered client.
func (t *Tenant) ClientID() string { return t.who.clientID }

// ClientSecret is that client's secret.
func (t *Tenant) ClientSecret() string { return t.who.clientSecret }

// Token is the ready token: the fixed one of Options.Token, or a signed token
// made at the first call. It does not expire.
func (t *Tenant) Token() string { return t.ready() }

func (t *Tenant) readyToken() string {
	if t.opt.Token != "" {
		return t.opt.Token
	}
	root := oauth.GraphRoots()[t.opt.Cloud]
	token, err := t.auth.Issue("https://sts.windows.net/"+t.who.tenantID+"/", root, "1.0", 10*365*24*time.Hour)
	if err != nil {
		// Only a broken source of randomness leads here; sign-in then
		// answers every call with the same error.
		return ""
	}
	return token
}

// Ready describes the tenant to a client that reaches it at a base URL such as
// http://127.0.0.1:8890.
func (t *Tenant) Ready(base string) Ready {
	base = strings.TrimSuffix(base, "/")
	return Ready{
		Graph: base + "/v1.0", Authority: base,
		TenantID: t.who.tenantID, ClientID: t.who.clientID, ClientSecret: t.who.clientSecret,
		Token: t.Token(),
	}
}

// Now is the service's time.
func (t *Tenant) Now() time.Time { return t.clock.now() }

// Advance moves the service's clock on.
func (t *Tenant) Advance(d time.Duration) time.Time { return t.clock.advance(max(d, 0)) }

// Journal returns the requests so far that could have changed something, and
// Requests the counters.
func (t *Tenant) Journal() []Entry {
	entries, _ := t.journal.read()
	return entries
}

// Requests returns the counters.
func (t *Tenant) Requests() Requests {
	_, requests := t.journal.read()
	return requests
}

// SetFaults replaces the fault script; an empty one ends all faults. The error
// joins a *ScriptError for each mistake, and then nothing has changed.
func (t *Tenant) SetFaults(file string, data []byte) error {
	rules, err := parseScript(file, data)
	if err != nil {
		return err
	}
	t.faults.set(rules)
	return nil
}

// Raise lets Microsoft see a risky sign-in of a user; it returns the id of the
// new detection.
func (t *Tenant) Raise(r Raised) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.parts.risk.raise(r)
}

// Remediate lets a user take away the own risk, by MFA or a new password;
// detail is a riskDetail such as userPassedMFADrivenByRiskBasedPolicy.
func (t *Tenant) Remediate(userPrincipalName, detail string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.parts.risk.remediate(userPrincipalName, detail)
}

// Add puts a user, a group, an application, an agreement, a membership, a role
// assignment or an eligibility into the directory, and returns the object.
func (t *Tenant) Add(a directory.Addition) (any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parts.people == nil {
		return nil, errors.New("this tenant has no directory")
	}
	object, err := t.parts.people.Add(a)
	if p, is := t.parts.people.Named(a.UserPrincipalName); err == nil && is && a.Kind == "user" {
		t.parts.risk.join(p)
	}
	return object, err
}

// savedState is the whole tenant as /_sim/state gives it.
type savedState struct {
	SchemaVersion int                        `json:"schemaVersion"`
	Seed          uint64                     `json:"seed"`
	Users         int                        `json:"users"`
	Policies      int                        `json:"policies"`
	SignIns       int                        `json:"signIns,omitempty"`
	Born          time.Time                  `json:"born"`
	TenantID      string                     `json:"tenantId"`
	Workloads     map[string]json.RawMessage `json:"workloads"`
}

const stateVersion = 1

func readState(data []byte) (*savedState, error) {
	var s savedState
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("the tenant's state: %w", err)
	}
	if s.SchemaVersion != stateVersion {
		return nil, fmt.Errorf("the tenant's state has schemaVersion %d; this program reads %d", s.SchemaVersion, stateVersion)
	}
	return &s, nil
}

// State gives the whole tenant as JSON that Load takes back. The clock, the
// journal, the counters and the fault script are not part of it.
func (t *Tenant) State() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := savedState{
		SchemaVersion: stateVersion, Seed: t.opt.Seed, Users: t.opt.Users, Policies: t.opt.Policies, SignIns: t.opt.SignIns,
		Born: t.born, TenantID: t.who.tenantID, Workloads: map[string]json.RawMessage{},
	}
	for _, w := range t.parts.workloads {
		data, err := w.Export()
		if err != nil {
			return nil, fmt.Errorf("exporting the %s workload: %w", w.name, err)
		}
		s.Workloads[w.name] = data
	}
	return encode(s)
}

func cloneRules(rules []*rule) []*rule {
	out := make([]*rule, len(rules))
	for i, r := range rules {
		c := *r
		c.matched, c.fired = 0, 0
		out[i] = &c
	}
	return out
}
