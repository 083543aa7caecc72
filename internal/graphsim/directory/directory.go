// Package directory is the simulated tenant's directory: users, groups and
// their members, service principals, directory roles with active and eligible
// assignments, the organization and its licences, agreements, deleted users,
// and the security defaults.
//
// It answers reads as Graph v1.0 does, with the directory's own rules for
// queries and app roles. People and groups come from the generated tenant; it
// changes who is a member of a group, whether an account is enabled, when its
// sessions began, and the security defaults. It does no I/O and is not
// safe for concurrent use; the front door serialises calls.
package directory

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Options say how the directory behaves.
type Options struct {
	// License is P2, P1 or none.
	License string
	// Cloud is global, usgov, usgovdod or china.
	Cloud string
}

// Workload answers for the directory. It implements wire.Workload.
type Workload struct {
	t     *generate.Tenant
	clock func() time.Time
	opt   Options

	securityDefaults bool
	// guarded says that the security defaults cannot be turned on now.
	guarded func() bool

	index index
	sets  sets
}

// index finds things by their keys, in lower case.
type index struct {
	people, upns, groups, principals, apps, roles, agreements map[string]int
	resources                                                 map[string]bool
}

// New makes the directory of a generated tenant, which it shares and does not
// change but for Import.
func New(t *generate.Tenant, clock func() time.Time, opt Options) *Workload {
	w := &Workload{t: t, clock: clock, opt: opt, guarded: func() bool { return false }}
	w.rebuild()
	return w
}

// Guard says when the security defaults must stay off: while there are
// Conditional Access policies that are enabled.
func (w *Workload) Guard(when func() bool) { w.guarded = when }

func (w *Workload) rebuild() {
	i := index{
		people: map[string]int{}, upns: map[string]int{}, groups: map[string]int{}, principals: map[string]int{},
		apps: map[string]int{}, roles: map[string]int{}, agreements: map[string]int{}, resources: map[string]bool{},
	}
	for n, p := range w.t.People {
		i.people[strings.ToLower(p.ID)] = n
		if !p.Deleted {
			i.upns[strings.ToLower(p.UserPrincipalName)] = n
		}
	}
	for n, g := range w.t.Groups {
		i.groups[strings.ToLower(g.ID)] = n
	}
	for n, sp := range w.t.ServicePrincipals {
		i.principals[strings.ToLower(sp.ID)] = n
		i.apps[strings.ToLower(sp.AppID)] = n
		for _, name := range append([]string{sp.AppID}, sp.Names...) {
			i.resources[strings.ToLower(strings.TrimRight(name, "/"))] = true
		}
	}
	for n, r := range w.t.Roles.Templates {
		i.roles[strings.ToLower(r.ID)] = n
	}
	for n, a := range w.t.Agreements {
		i.agreements[strings.ToLower(a.ID)] = n
	}
	w.index = i
	w.sets = theSets()
}

// HasUser says whether a user exists and is not deleted.
func (w *Workload) HasUser(id string) bool {
	n, ok := w.index.people[strings.ToLower(id)]
	return ok && !w.t.People[n].Deleted
}

// Person finds a user who is not deleted by the user principal name, with the
// templates of the directory roles that are active for the user, also through
// groups; nil if there is none.
func (w *Workload) Person(userPrincipalName string) (p *generate.Person, templates []string) {
	n, ok := w.index.upns[strings.ToLower(userPrincipalName)]
	if !ok {
		return nil, nil
	}
	p = &w.t.People[n]
	return p, w.activeRoles(append(w.groupsOf(p.ID, true), p.ID))
}

// activeRoles are the templates of the directory roles that are active over the
// whole tenant for any of some principals.
func (w *Workload) activeRoles(holders []string) (templates []string) {
	for _, a := range w.t.Roles.Active {
		if a.Scope == "/" && (a.End.IsZero() || a.End.After(w.clock())) && slices.Contains(holders, a.PrincipalID) {
			templates = append(templates, a.RoleID)
		}
	}
	return templates
}

// HasGroup says whether a group exists.
func (w *Workload) HasGroup(id string) bool { return has(w.index.groups, id) }

// HasRole says whether a directory role template exists.
func (w *Workload) HasRole(templateID string) bool { return has(w.index.roles, templateID) }

// HasApplication says whether an application has a service principal here.
func (w *Workload) HasApplication(appID string) bool { return has(w.index.apps, appID) }

// HasResource says whether a service principal has a name, which is an
// application id or an identifier URI, with or without a slash at its end.
func (w *Workload) HasResource(name string) bool {
	return w.index.resources[strings.ToLower(strings.TrimRight(name, "/"))]
}

// HasServicePrincipal says whether a service principal exists.
func (w *Workload) HasServicePrincipal(id string) bool { return has(w.index.principals, id) }

// OwnsServicePrincipal says whether a service principal's application was
// registered in this tenant.
func (w *Workload) OwnsServicePrincipal(id string) bool {
	n, ok := w.index.principals[strings.ToLower(id)]
	return ok && w.t.ServicePrincipals[n].OwnerTenant == w.t.ID
}

// HasAgreement says whether a terms of use agreement exists.
func (w *Workload) HasAgreement(id string) bool { return has(w.index.agreements, id) }

// SecurityDefaults says whether the security defaults are on.
func (w *Workload) SecurityDefaults() bool { return w.securityDefaults }

func has(m map[string]int, key string) bool {
	_, ok := m[strings.ToLower(key)]
	return ok
}

// state is what Export gives.
type state struct {
	Tenant           *generate.Tenant `json:"tenant"`
	SecurityDefaults bool             `json:"securityDefaults"`
}

// Export gives the whole generated tenant and the security defaults.
func (w *Workload) Export() (json.RawMessage, error) {
	return json.Marshal(state{w.t, w.securityDefaults})
}

// Import takes a state back. The shared tenant is changed in place, so that
// other workloads see the same people.
func (w *Workload) Import(data json.RawMessage) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("reading the directory: %w", err)
	}
	if s.Tenant == nil || s.Tenant.ID == "" {
		return fmt.Errorf("reading the directory: no tenant in it")
	}
	*w.t, w.securityDefaults = *s.Tenant, s.SecurityDefaults
	w.rebuild()
	return nil
}

func badRequest(format string, args ...any) *wire.Error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "Request_BadRequest", Message: fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) *wire.Error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "Request_UnsupportedQuery", Message: fmt.Sprintf(format, args...)}
}

func notFound(key string) *wire.Error {
	return &wire.Error{
		Status: http.StatusNotFound, Code: "Request_ResourceNotFound",
		Message: "Resource '" + key + "' does not exist or one of its queried reference-property objects are not present.",
	}
}

func denied() *wire.Error {
	return &wire.Error{Status: http.StatusForbidden, Code: "Authorization_RequestDenied", Message: "Insufficient privileges to complete the operation."}
}

func noSegment(path []string) *wire.Error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + path[len(path)-1] + "'."}
}

func wrongMethod() *wire.Error {
	return &wire.Error{Status: http.StatusMethodNotAllowed, Code: "Request_BadRequest", Message: "Specified HTTP method is not allowed for the request target."}
}
