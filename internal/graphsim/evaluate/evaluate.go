// Package evaluate judges whether Conditional Access policies apply to a
// sign-in, as the service's What If evaluation does: whom, what and under which
// conditions, exclusions before inclusions, and the first condition that is not
// met as the reason.
//
// It reads policies and named locations as the service's JSON documents and asks
// a World for the people, applications and places that they name. It says which
// policies apply, not what their controls then ask for. It is pure: no I/O, no
// state, safe for concurrent use.
package evaluate

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Reason is why a policy does not apply, by the service's name for it.
type Reason string

// The reasons that the evaluation gives. NotSet is that of a policy that applies.
const (
	NotSet                Reason = "notSet"
	PolicyNotEnabled      Reason = "policyNotEnabled"
	EmptyPolicy           Reason = "emptyPolicy"
	InvalidPolicy         Reason = "invalidPolicy"
	InvalidCondition      Reason = "invalidCondition"
	Users                 Reason = "users"
	WorkloadIdentities    Reason = "workloadIdentities"
	Application           Reason = "application"
	UserActions           Reason = "userActions"
	AuthenticationContext Reason = "authenticationContext"
	DevicePlatform        Reason = "devicePlatform"
	Devices               Reason = "devices"
	ClientApps            Reason = "clientApps"
	AtLocation            Reason = "location"
	SignInRisk            Reason = "signInRisk"
	UserRisk              Reason = "userRisk"
	InsiderRisk           Reason = "insiderRisk"
	AuthenticationFlow    Reason = "authenticationFlow"
)

// Result is the answer for one policy.
type Result struct {
	Applies bool   `json:"policyApplies"`
	Reason  Reason `json:"analysisReasons"`
}

// World is what policies may name. Ids are compared without regard to case.
type World interface {
	// TenantID is the tenant that the policies belong to.
	TenantID() string
	// User finds a user, ServicePrincipal a service principal by its object id
	// and Application one by its application id.
	User(id string) (User, bool)
	ServicePrincipal(id string) (ServicePrincipal, bool)
	Application(appID string) (ServicePrincipal, bool)
	// Locations are all named locations.
	Locations() []Location
}

// User is a user as the directory knows it.
type User struct {
	ID string
	// Groups are the ids of all groups that the user is in, also through other
	// groups.
	Groups []string
	// Roles are the templates of the directory roles that are active for the
	// user over the whole tenant.
	Roles []string
	// UserType, ExternalUserState and CreationType are the user's members of
	// these names; they tell what kind of guest it is.
	UserType, ExternalUserState, CreationType string
	// HomeTenant is where a guest comes from, empty if it is not known.
	HomeTenant string
}

// ServicePrincipal is an application's presence in the tenant.
type ServicePrincipal struct {
	ID, AppID, DisplayName string
	// OwnerTenant is where its application is registered.
	OwnerTenant string
	// Type is servicePrincipalType.
	Type string
	// Attributes are custom security attributes: set, name, values.
	Attributes map[string]map[string][]string
}

// Facts is a World that is written down.
type Facts struct {
	Tenant            string
	People            []User
	ServicePrincipals []ServicePrincipal
	Places            []Location
}

// TenantID implements World.
func (f *Facts) TenantID() string { return f.Tenant }

// User implements World.
func (f *Facts) User(id string) (User, bool) {
	i := slices.IndexFunc(f.People, func(u User) bool { return strings.EqualFold(u.ID, id) })
	if i < 0 {
		return User{}, false
	}
	return f.People[i], true
}

// ServicePrincipal implements World.
func (f *Facts) ServicePrincipal(id string) (ServicePrincipal, bool) {
	return f.principal(func(p ServicePrincipal) bool { return strings.EqualFold(p.ID, id) })
}

// Application implements World.
func (f *Facts) Application(appID string) (ServicePrincipal, bool) {
	return f.principal(func(p ServicePrincipal) bool { return strings.EqualFold(p.AppID, appID) })
}

func (f *Facts) principal(is func(ServicePrincipal) bool) (ServicePrincipal, bool) {
	if i := slices.IndexFunc(f.ServicePrincipals, is); i >= 0 {
		return f.ServicePrincipals[i], true
	}
	return ServicePrincipal{}, false
}

// Locations implements World.
func (f *Facts) Locations() []Location { return f.Places }

// SignIn is a sign-in as it was, or as it is thought to be. What is empty is not
// known.
type SignIn struct {
	// UserID or ServicePrincipalID says who signs in. A guest may be described
	// by ExternalUserType and ExternalTenantID instead of a user of this
	// tenant, or beside one.
	UserID, ExternalUserType, ExternalTenantID string
	ServicePrincipalID                         string

	// Applications, UserAction or AuthenticationContext says to what.
	Applications          []string
	UserAction            string
	AuthenticationContext string

	// Platform and ClientApp may be "all", which says nothing.
	Platform, ClientApp string
	Country             string
	IPAddress           netip.Addr
	// CompliantNetwork says that it comes through the tenant's own network
	// access.
	CompliantNetwork bool
	// Device is nil if nothing is known; an empty one is a device that is not
	// registered.
	Device Device

	SignInRisk, UserRisk, ServicePrincipalRisk, InsiderRisk string
	TransferMethod                                          string
}

// Device holds the members of deviceInfo: texts, true or false, and lists of
// texts.
type Device map[string]any

// Evaluate judges policies, given as documents, by a request, given as the body
// of one; the error says what is wrong with the request, or which of the
// documents is none.
func Evaluate(w World, policies []json.RawMessage, request []byte) ([]Result, error) {
	r, err := ReadRequest(request)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(policies))
	for i, document := range policies {
		p, err := ReadPolicy(document)
		if err != nil {
			return nil, fmt.Errorf("policy %d: %w", i, err)
		}
		results[i] = p.Judge(w, &r.SignIn)
	}
	return results, nil
}

// Judge says whether the policy applies to a sign-in.
func (p *Policy) Judge(w World, s *SignIn) Result {
	switch {
	case !strings.EqualFold(p.State, "enabled") && !strings.EqualFold(p.State, "enabledForReportingButNotEnforced"):
		return Result{Reason: PolicyNotEnabled}
	case p.invalid:
		return Result{Reason: InvalidPolicy}
	case p.conditions == nil:
		return Result{Reason: EmptyPolicy}
	}
	j := judge{p.conditions, w, s}
	for _, step := range []func() Reason{
		j.identity, j.target, j.platform, j.device, j.clientApp, j.location,
		j.signInRisk, j.userRisk, j.insiderRisk, j.flow,
	} {
		if reason := step(); reason != NotSet {
			return Result{Reason: reason}
		}
	}
	return Result{Applies: true, Reason: NotSet}
}

// judge holds one policy's conditions against one sign-in. Its steps give
// NotSet for what is met.
type judge struct {
	c *conditions
	w World
	s *SignIn
}

// met gives a step's answer.
func met(yes bool, otherwise Reason) Reason {
	if yes {
		return NotSet
	}
	return otherwise
}

// named says whether a list names one of some values.
func named(list []string, values ...string) bool {
	return slices.ContainsFunc(list, func(have string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(have, v) })
	})
}

func (j judge) platform() Reason {
	c := j.c.Platforms
	if c == nil {
		return NotSet
	}
	all := named(c.Include, "all")
	if unsaid(j.s.Platform) {
		return met(all && len(c.Exclude) == 0, DevicePlatform)
	}
	return met((all || named(c.Include, j.s.Platform)) && !named(c.Exclude, j.s.Platform, "all"), DevicePlatform)
}

// unsaid says whether a platform or client app says nothing.
func unsaid(v string) bool { return v == "" || strings.EqualFold(v, "all") }

func (j judge) clientApp() Reason {
	types := j.c.ClientAppTypes
	switch {
	case len(types) == 0 || named(types, "all"):
		return NotSet
	case unsaid(j.s.ClientApp):
		return ClientApps
	}
	return met(named(types, j.s.ClientApp), ClientApps)
}

func (j judge) device() Reason {
	if j.c.Devices == nil || j.c.Devices.Filter == nil {
		return NotSet
	}
	f := j.c.Devices.Filter
	if !f.valid(deviceRule) {
		return InvalidCondition
	}
	if j.s.Device == nil {
		return Devices
	}
	return met(f.rule.holds(j.s.Device.attribute) == f.includes(), Devices)
}

// risk holds a level against those of the policy.
func risk(levels []string, level string, otherwise Reason) Reason {
	return met(len(levels) == 0 || level != "" && named(levels, level), otherwise)
}

// signInRisk covers users and workload identities, whose risk has no reason of
// its own.
func (j judge) signInRisk() Reason {
	if reason := risk(j.c.SignInRiskLevels, j.s.SignInRisk, SignInRisk); reason != NotSet {
		return reason
	}
	return risk(j.c.ServicePrincipalRiskLevels, j.s.ServicePrincipalRisk, SignInRisk)
}

func (j judge) userRisk() Reason { return risk(j.c.UserRiskLevels, j.s.UserRisk, UserRisk) }

func (j judge) insiderRisk() Reason {
	return risk(flags(j.c.InsiderRiskLevels), j.s.InsiderRisk, InsiderRisk)
}

func (j judge) flow() Reason {
	if j.c.AuthenticationFlows == nil {
		return NotSet
	}
	return risk(flags(j.c.AuthenticationFlows.TransferMethods), j.s.TransferMethod, AuthenticationFlow)
}

// flags cuts a set of members apart; none is no member.
func flags(set string) []string {
	var all []string
	for f := range strings.SplitSeq(set, ",") {
		if f = strings.TrimSpace(f); f != "" && !strings.EqualFold(f, "none") {
			all = append(all, f)
		}
	}
	return all
}
