package entra

import (
	"cmp"
	"time"
)

// ObjectKind is the kind of a directory or policy object that a name can
// stand for.
type ObjectKind string

// The kinds that names are resolved for.
const (
	KindUser             ObjectKind = "user"
	KindGroup            ObjectKind = "group"
	KindServicePrincipal ObjectKind = "servicePrincipal" // by displayName, object id; workload identities
	KindApplication      ObjectKind = "application"      // by displayName or appId of a service principal; the result's ID is the appId
	KindRole             ObjectKind = "role"             // a directory role template
	KindLocation         ObjectKind = "namedLocation"
	KindStrength         ObjectKind = "authenticationStrength"
	KindAgreement        ObjectKind = "termsOfUse"
	KindPolicy           ObjectKind = "conditionalAccessPolicy"
	KindContext          ObjectKind = "authenticationContext" // by id: c1 to c99
	KindRegistration     ObjectKind = "appRegistration"       // only ever what an id turns out to be
)

// Ref is a name that an operator wrote: a UPN, a display name or an id.
type Ref struct {
	Kind ObjectKind `json:"kind"`
	Name string     `json:"name"`
}

// Compare orders refs by kind, then by name.
func (r Ref) Compare(o Ref) int {
	return cmp.Or(cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.Name, o.Name))
}

// DirectoryObject is what a name resolved to.
type DirectoryObject struct {
	Kind              ObjectKind `json:"kind"`
	ID                ID         `json:"id"`
	AppID             string     `json:"appId,omitempty"`
	DisplayName       string     `json:"displayName,omitempty"`
	UserPrincipalName string     `json:"userPrincipalName,omitempty"`
	// AccountEnabled is nil when the service did not say.
	AccountEnabled *bool `json:"accountEnabled,omitempty"`
	// RoleAssignable and Dynamic are facts of a group: isAssignableToRole and
	// a groupTypes member DynamicMembership.
	RoleAssignable bool `json:"roleAssignable,omitempty"`
	Dynamic        bool `json:"dynamic,omitempty"`
}

// Names answers refs from what was resolved at the start of a run.
type Names map[Ref]Resolution

// Tenant is what the service says of the tenant itself.
type Tenant struct {
	ID               string `json:"id"`
	DisplayName      string `json:"displayName"`
	OnPremisesSynced bool   `json:"onPremisesSyncEnabled"`
	PlanP1           bool   `json:"entraIdP1"`
	PlanP2           bool   `json:"entraIdP2"`
	WorkloadPremium  bool   `json:"workloadIdentitiesPremium"`
	SecurityDefaults *bool  `json:"securityDefaults,omitempty"`
	PlansUnknown     bool   `json:"plansUnknown,omitempty"` // the licence could not be read
	VerifiedDomain   string `json:"verifiedDomain,omitempty"`
}

// Privileged is every user and service principal that a directory role reaches,
// active or eligible, directly or through groups.
type Privileged struct {
	// Users says of each user object id how, in words that go on from "the
	// user".
	Users map[ID][]string
	// Principals says the same of service principals, in words that go on from
	// "the service principal".
	Principals map[ID][]string
}

// RoleHolder is a user who holds a directory role now, alone or by a group.
type RoleHolder struct {
	ID                ID
	UserPrincipalName string
	Roles             []ID // of those that were asked for
	Groups            []ID // that the user is in, also through other groups
}

// RequestStats counts what one client sent.
type RequestStats struct {
	Total     int            `json:"total"`
	Throttled int            `json:"throttled"`
	Retried   int            `json:"retried"`
	ByPath    map[string]int `json:"byPath,omitempty"` // first two path segments -> requests
	Waited    time.Duration  `json:"-"`                // spent waiting for the pace or a back-off
}
