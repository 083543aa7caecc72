// Package conditionalaccess is the simulated tenant's Conditional Access:
// policies, named locations, authentication strengths, contexts and templates,
// with what the service does to what it is sent: defaults, normal forms,
// numbered refusals, soft delete, and writes that take a while to show.
//
// Policies are kept, and judged for whoever asks what would happen (package
// evaluate); nothing is enforced. Who exists in the directory it asks through a
// small interface. It does no I/O and is not safe for
// concurrent use; the front door serialises calls.
package conditionalaccess

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Directory says what exists in the tenant. Ids are compared without regard to
// case.
type Directory interface {
	HasUser(id string) bool
	HasGroup(id string) bool
	// HasRole takes the id of a role template.
	HasRole(templateID string) bool
	// HasApplication takes an application id, not a service principal's.
	HasApplication(appID string) bool
	HasServicePrincipal(id string) bool
	// OwnsServicePrincipal is true for the service principals of applications
	// that were registered in this tenant.
	OwnsServicePrincipal(id string) bool
	HasAgreement(id string) bool
	SecurityDefaults() bool
	// User, ServicePrincipal and Application give what policies are judged by.
	User(id string) (evaluate.User, bool)
	ServicePrincipal(id string) (evaluate.ServicePrincipal, bool)
	Application(appID string) (evaluate.ServicePrincipal, bool)
}

// Options say how the service behaves.
type Options struct {
	// Lag is how long a write takes to become visible.
	Lag time.Duration
	// Cloud is global, usgov, usgovdod or china; empty means global.
	Cloud string
	// License is P2, P1 or none; empty means P2.
	License string
}

// Workload answers for Conditional Access. It implements wire.Workload.
type Workload struct {
	tenantID uuid.UUID
	dir      Directory
	clock    func() time.Time
	opt      Options

	policies, locations, strengths store
	contexts                       []context
	made                           int // ids given out so far

	types types
}

// New makes the Conditional Access of a generated tenant, with its policies
// and locations already in force and the built-in strengths.
func New(t *generate.Tenant, dir Directory, clock func() time.Time, opt Options) *Workload {
	if opt.Cloud == "" {
		opt.Cloud = "global"
	}
	if opt.License == "" {
		opt.License = "P2"
	}
	w := &Workload{dir: dir, clock: clock, opt: opt, types: newTypes(opt.Cloud)}
	w.tenantID, _ = uuid.Parse(t.ID) // the nil id serves as well
	for _, c := range t.Contexts {
		w.contexts = append(w.contexts, context{ID: c.ID, DisplayName: c.DisplayName, Description: c.Description, IsAvailable: c.Available})
	}
	w.builtIn()
	for _, o := range t.Locations {
		if d, schema, p := w.readLocation(o.Body); p == nil {
			d.fill(schema)
			w.locations.items = append(w.locations.items, &item{ID: o.ID, Created: o.Created, versions: []version{{Doc: d, Modified: o.Modified}}})
		}
	}
	for _, o := range t.Policies {
		// What the cloud has no word for was never in its tenants.
		if d, p := w.types.policy.read(o.Body, w.types.lenient); p == nil {
			d.fill(w.types.policy)
			if grant := d.object("grantControls"); grant != nil && controls(grant) == 0 {
				grant["builtInControls"] = []string{"mfa"}
			}
			normalise(d)
			w.policies.items = append(w.policies.items, &item{ID: o.ID, Created: o.Created, versions: []version{{Doc: d, Modified: o.Modified}}})
		}
	}
	return w
}

// Enforced says whether any policy is enabled; security defaults cannot be
// turned on beside one.
func (w *Workload) Enforced() bool {
	return slices.ContainsFunc(w.policies.items, func(i *item) bool {
		return !i.last().gone() && i.last().Doc["state"] == "enabled"
	})
}

// state is what Export gives.
type state struct {
	Policies  []savedItem `json:"policies"`
	Locations []savedItem `json:"namedLocations"`
	Strengths []savedItem `json:"authenticationStrengths"`
	Contexts  []context   `json:"authenticationContexts"`
	Made      int         `json:"made"`
}

// Export gives everything, also what is not visible yet and what was deleted.
func (w *Workload) Export() (json.RawMessage, error) {
	return json.Marshal(state{
		Policies: w.policies.save(), Locations: w.locations.save(), Strengths: w.strengths.save(),
		Contexts: w.contexts, Made: w.made,
	})
}

// Import takes a state back.
func (w *Workload) Import(data json.RawMessage) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading Conditional Access: %w", err)
	}
	var policies, locations, strengths store
	for _, part := range []struct {
		into *store
		from []savedItem
		name string
		read func(json.RawMessage) (document, *refused)
	}{
		{&policies, s.Policies, "policies", func(b json.RawMessage) (document, *refused) { return w.types.policy.read(b, w.types.lenient) }},
		{&locations, s.Locations, "namedLocations", func(b json.RawMessage) (document, *refused) {
			d, _, p := w.readLocation(b)
			return d, p
		}},
		{&strengths, s.Strengths, "authenticationStrengths", func(b json.RawMessage) (document, *refused) { return w.types.strength.read(b, nil) }},
	} {
		if err := part.into.load(part.from, part.read); err != nil {
			return fmt.Errorf("reading Conditional Access: %s: %w", part.name, err)
		}
	}
	w.policies, w.locations, w.strengths = policies, locations, strengths
	w.contexts, w.made = s.Contexts, s.Made
	return nil
}

// newID gives the next id, the same ones in the same tenant.
func (w *Workload) newID() string {
	w.made++
	id := uuid.NewSHA1(w.tenantID, fmt.Appendf(nil, "conditional access object %d", w.made))
	id[6] = id[6]&0x0f | 0x40
	return id.String()
}

func missing(what, id string) *wire.Error {
	return &wire.Error{Status: http.StatusNotFound, Code: "ResourceNotFound", Message: what + " with id " + id + " does not exist in the directory."}
}

func badRequest(format string, args ...any) *wire.Error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: fmt.Sprintf(format, args...)}
}

func unlicensed() *wire.Error {
	return &wire.Error{Status: http.StatusForbidden, Code: "AccessDenied", Message: "Your tenant is not licensed for this feature."}
}

func wrongMethod() *wire.Error {
	return &wire.Error{Status: http.StatusMethodNotAllowed, Code: "BadRequest", Message: "Specified HTTP method is not allowed for the request target."}
}
