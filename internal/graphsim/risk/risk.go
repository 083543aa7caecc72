// Package risk is the Identity Protection part of the simulated tenant: risk
// detections, risky users and their history, the same for workload identities,
// and the feedback that an administrator gives on them. It answers as the
// documentation of Microsoft Graph v1.0 says, for any client.
//
// It also holds what happens in the simulated world: Raise is a risky sign-in
// that Microsoft has just seen, Remediate a user who proved to be the owner.
//
// All state is in memory; the same seed, tenant and clock give the same risk.
// A Workload is not safe for concurrent use: the front door calls it under its
// lock.
package risk

import (
	"net/http"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// Options say how the service behaves.
type Options struct {
	Seed uint64
	// Born is when the tenant was made, which the generated times lie before;
	// zero means the time that the clock shows.
	Born time.Time
	// Lag is how long feedback takes to show; isProcessing is true meanwhile.
	Lag time.Duration
	// Cloud is global, usgov, usgovdod or china (which has no Identity
	// Protection); License is P2, P1 or none. Empty means global and P2.
	Cloud, License string
}

// Workload is the service. It implements wire.Workload.
type Workload struct {
	opt   Options
	clock func() time.Time

	people []person
	// workloads are the service principals that may be at risk: the tenant's own
	// first, then the client's, then Microsoft's.
	workloads []subject
	atFirst   int // of them are generated with risk
	byID      map[string]int
	byUPN     map[string]int
	// admin is the object id of an administrator of the past.
	admin string

	users, principals *register
	queue             []pending
}

var _ wire.Workload = (*Workload)(nil)

// person is what risk needs to know of a user.
type person struct {
	id, upn, name  string
	home           uint16
	guest, deleted bool
	// vpn, privileged, executive and special (break-glass accounts) only cast
	// the people of the examples.
	vpn, privileged, executive, special bool
}

func (p *person) subject() subject {
	return subject{id: p.id, upn: p.upn, name: p.name, deleted: p.deleted, level: levelNone, state: stateNone}
}

// New makes the risk of a tenant with exactly so many user detections; with
// none nobody is at risk.
func New(t *generate.Tenant, detections int, clock func() time.Time, opt Options) *Workload {
	if opt.License == "" {
		opt.License = "P2"
	}
	if opt.Born.IsZero() {
		opt.Born = clock()
	}
	w := &Workload{
		opt: opt, clock: clock, byID: map[string]int{}, byUPN: map[string]int{},
		users: newRegister(opt.Seed, false), principals: newRegister(opt.Seed, true),
	}
	w.meet(t)
	w.fill(detections)
	return w
}

// meet takes over what the tenant says about its people.
func (w *Workload) meet(t *generate.Tenant) {
	vpn, executives, privileged := map[string]bool{}, map[string]bool{}, map[string]bool{}
	groups := map[string]*generate.Group{}
	for i := range t.Groups {
		groups[t.Groups[i].ID] = &t.Groups[i]
	}
	var spread func(id string, into map[string]bool)
	spread = func(id string, into map[string]bool) {
		if into[id] {
			return
		}
		into[id] = true
		if g := groups[id]; g != nil {
			for _, m := range g.Members {
				spread(m, into)
			}
		}
	}
	for i := range t.Groups {
		switch t.Groups[i].DisplayName {
		case "VPN Users":
			spread(t.Groups[i].ID, vpn)
		case "Executives":
			spread(t.Groups[i].ID, executives)
		}
	}
	for _, list := range [][]generate.RoleAssignment{t.Roles.Active, t.Roles.Eligible} {
		for _, a := range list {
			spread(a.PrincipalID, privileged)
		}
	}
	w.people = make([]person, len(t.People))
	for i, p := range t.People {
		w.people[i] = person{
			id: p.ID, upn: p.UserPrincipalName, name: p.DisplayName, home: home(p.Country, p.ID), guest: p.Guest, deleted: p.Deleted,
			vpn: vpn[p.ID], privileged: privileged[p.ID], executive: executives[p.ID] || strings.HasPrefix(p.UserPrincipalName, "ceo@"),
			special: strings.HasPrefix(p.DisplayName, "Break Glass"),
		}
		w.byID[strings.ToLower(p.ID)] = i
		w.byUPN[strings.ToLower(p.UserPrincipalName)] = i
		if w.admin == "" && privileged[p.ID] && !w.people[i].special {
			w.admin = p.ID
		}
	}
	var client, foreign []subject
	for _, p := range t.ServicePrincipals {
		s := subject{
			id: p.ID, appID: p.AppID, name: p.DisplayName, principalType: p.Type, disabled: !p.Enabled, level: levelNone, state: stateNone,
		}
		switch {
		case p.Type != "Application": // managed identities are out of scope
		case p.ID == t.Client.ObjectID:
			client = append(client, s)
		case p.OwnerTenant != "" && p.OwnerTenant != t.ID:
			foreign = append(foreign, s)
		default:
			w.workloads = append(w.workloads, s)
		}
	}
	w.atFirst = min(3, len(w.workloads))
	w.workloads = append(append(w.workloads, client...), foreign...)
}

// home is the place that a country's people usually sign in from.
func home(country, id string) uint16 {
	for i := range places {
		if places[i].country == country && i != vpnPlace {
			return uint16(i) //nolint:gosec // a short table
		}
	}
	if id == "" {
		return 1
	}
	return 1 + uint16(id[0])%uint16(len(places)-1) //nolint:gosec // a short table
}

// retention is how long detections stay visible (graph-api §7).
func (w *Workload) retention() time.Duration {
	if w.opt.License == "P2" {
		return 90 * day
	}
	return 30 * day
}

// The entity sets below identityProtection.
const (
	detectionsPath          = "riskDetections"
	usersPath               = "riskyUsers"
	principalsPath          = "riskyServicePrincipals"
	principalDetectionsPath = "servicePrincipalRiskDetections"
)

// Claims says whether a path is of Identity Protection.
func (w *Workload) Claims(path []string) bool {
	if w.opt.Cloud == "china" || len(path) == 0 || path[0] != "identityProtection" {
		return false
	}
	if len(path) == 1 {
		return true
	}
	switch path[1] {
	case detectionsPath, principalDetectionsPath:
		return len(path) <= 3
	case usersPath, principalsPath:
		return len(path) <= 3 || (path[3] == "history" && len(path) <= 5) ||
			(path[3] == "history" && len(path) == 6 && path[5] == "history" && path[1] == usersPath)
	}
	return false
}

// Needs gives the app roles of a call (graph-api §1.4).
func (w *Workload) Needs(method string, path []string) ([][]string, *wire.Error) {
	denied := &wire.Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "You cannot perform the requested operation, required scopes are missing in the token."}
	area := "IdentityRiskEvent"
	if len(path) > 1 {
		switch path[1] {
		case usersPath:
			area = "IdentityRiskyUser"
		case principalsPath:
			area = "IdentityRiskyServicePrincipal"
		}
	} else {
		return [][]string{
			{"IdentityRiskEvent.Read.All"}, {"IdentityRiskEvent.ReadWrite.All"},
			{"IdentityRiskyUser.Read.All"}, {"IdentityRiskyUser.ReadWrite.All"},
			{"IdentityRiskyServicePrincipal.Read.All"}, {"IdentityRiskyServicePrincipal.ReadWrite.All"},
		}, denied
	}
	write := []string{area + ".ReadWrite.All"}
	if method == http.MethodGet || method == http.MethodHead {
		return [][]string{{area + ".Read.All"}, write}, denied
	}
	return [][]string{write}, denied
}
