// Package generate makes up a tenant that looks real: people, groups, roles,
// applications, agreements, and Conditional Access policies with the named
// locations they use. The same seed, counts and time give the same tenant,
// down to every id.
//
// It is data only: it answers no calls, does no I/O and knows nothing of
// Graph's wire format beyond the policy bodies, which it writes as an
// administrator would send them.
package generate

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// Tenant is a generated tenant. Slices are in no meaningful order; ids are
// GUIDs in lower case.
type Tenant struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	// Domain is the default verified domain, InitialDomain the
	// onmicrosoft.com one.
	Domain        string    `json:"domain"`
	InitialDomain string    `json:"initialDomain"`
	CreatedAt     time.Time `json:"createdAt"`
	Client        Client    `json:"client"`
	// People are all users, the deleted ones last. As many as were asked for
	// are not deleted.
	People []Person `json:"people"`
	Groups []Group  `json:"groups"`
	Roles  Roles    `json:"roles"`
	// ServicePrincipals include the client's own.
	ServicePrincipals []ServicePrincipal `json:"servicePrincipals"`
	// AppRoleAssignments are the application permissions that principals hold.
	AppRoleAssignments []AppRoleAssignment `json:"appRoleAssignments,omitempty"`
	Agreements         []Agreement         `json:"agreements"`
	// GroupAccess are the eligible and timed memberships of groups.
	GroupAccess []GroupAccess `json:"groupAccess,omitempty"`
	// Contexts are the authentication contexts that were set up.
	Contexts []AuthenticationContext `json:"contexts"`
	// Locations and Policies are Conditional Access objects as they were at
	// first; what became of them is that workload's to keep.
	Locations []Object `json:"-"`
	Policies  []Object `json:"-"`
}

// Client is the application that calls the tenant.
type Client struct {
	AppID       string `json:"appId"`
	ObjectID    string `json:"objectId"`
	Secret      string `json:"secret"`
	DisplayName string `json:"displayName"`
}

// Person is a user. Country is an ISO 3166-1 alpha-2 code.
type Person struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName"`
	GivenName         string `json:"givenName"`
	Surname           string `json:"surname"`
	// Mail is empty for a person without a mailbox.
	Mail       string `json:"mail"`
	Country    string `json:"country"`
	City       string `json:"city"`
	Department string `json:"department"`
	JobTitle   string `json:"jobTitle"`
	Guest      bool   `json:"guest"`
	// Local is set for a guest with an account of this tenant, Invited for a
	// member with one of another.
	Local     bool      `json:"local,omitempty"`
	Invited   bool      `json:"invited,omitempty"`
	Enabled   bool      `json:"enabled"`
	Deleted   bool      `json:"deleted"`
	CreatedAt time.Time `json:"createdAt"`
	// DisabledAt is set for who was disabled later than the tenant was made.
	DisabledAt time.Time `json:"disabledAt,omitzero"`
	// SessionsFrom is when the sessions were last revoked.
	SessionsFrom time.Time `json:"sessionsFrom,omitzero"`
	// DeletedAt is set for the deleted.
	DeletedAt time.Time `json:"deletedAt,omitzero"`
}

// External says that a person's account is one of another tenant.
func (p *Person) External() bool { return p.Guest && !p.Local || p.Invited }

// Group is a security or Microsoft 365 group. Members are ids of people,
// groups and service principals.
type Group struct {
	ID              string `json:"id"`
	DisplayName     string `json:"displayName"`
	Description     string `json:"description"`
	MailNickname    string `json:"mailNickname"`
	Mail            string `json:"mail"`
	SecurityEnabled bool   `json:"securityEnabled"`
	MailEnabled     bool   `json:"mailEnabled"`
	RoleAssignable  bool   `json:"roleAssignable"`
	// Types holds Unified and DynamicMembership, as groupTypes does.
	Types          []string  `json:"types,omitempty"`
	MembershipRule string    `json:"membershipRule"`
	CreatedAt      time.Time `json:"createdAt"`
	Members        []string  `json:"members,omitempty"`
}

// Roles are the directory roles and who holds them.
type Roles struct {
	Templates []RoleTemplate `json:"templates"`
	// Active and Eligible are assignments now in force and those that may be
	// activated.
	Active   []RoleAssignment `json:"active"`
	Eligible []RoleAssignment `json:"eligible"`
}

// RoleTemplate is a built-in directory role; its definition has the same id.
type RoleTemplate struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
	Privileged  bool   `json:"privileged"`
}

// RoleAssignment gives a role to a user, group or service principal.
type RoleAssignment struct {
	ID          string `json:"id"`
	PrincipalID string `json:"principalId"`
	RoleID      string `json:"roleId"`
	Scope       string `json:"scope"`
	// ScheduleID is the schedule that an instance belongs to.
	ScheduleID string `json:"scheduleId"`
	// End is zero for a permanent one.
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"`
}

// GroupAccess lets a principal be, or become, a member or owner of a group.
type GroupAccess struct {
	ID          string `json:"id"`
	ScheduleID  string `json:"scheduleId"`
	GroupID     string `json:"groupId"`
	PrincipalID string `json:"principalId"`
	// Access is member or owner.
	Access string `json:"access"`
	// Eligible says that it must be activated first.
	Eligible bool `json:"eligible"`
	// End is zero for a permanent one.
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"`
}

// ServicePrincipal is an application's presence in the tenant.
type ServicePrincipal struct {
	ID          string `json:"id"`
	AppID       string `json:"appId"`
	DisplayName string `json:"displayName"`
	// OwnerTenant is the tenant that registered the application.
	OwnerTenant string `json:"ownerTenant"`
	// Type is Application, ManagedIdentity or Legacy.
	Type      string    `json:"type"`
	Enabled   bool      `json:"enabled"`
	CreatedAt time.Time `json:"createdAt"`
	// Tags, ReplyURLs and Names are what the service calls tags, replyUrls
	// and servicePrincipalNames.
	Tags      []string `json:"tags,omitempty"`
	ReplyURLs []string `json:"replyUrls,omitempty"`
	Names     []string `json:"names,omitempty"`
	// AppRoles are the permissions that it offers to other applications.
	AppRoles []AppRole `json:"appRoles,omitempty"`
	// Attributes are custom security attributes: set, name, values.
	Attributes map[string]map[string][]string `json:"attributes,omitempty"`
}

// Agreement is a terms of use document.
type Agreement struct {
	ID          string    `json:"id"`
	DisplayName string    `json:"displayName"`
	CreatedAt   time.Time `json:"createdAt"`
}

// AuthenticationContext is one of c1 to c99.
type AuthenticationContext struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Description string `json:"description"`
	Available   bool   `json:"available"`
}

// Object is a Conditional Access object: Body is what an administrator sent
// to create it. Modified is zero if it was never changed.
type Object struct {
	ID       string          `json:"id"`
	Created  time.Time       `json:"created"`
	Modified time.Time       `json:"modified,omitzero"`
	Body     json.RawMessage `json:"body"`
}

// Population makes a tenant with exactly users users that are not deleted and
// exactly policies policies, as it stands at now. Each part of it depends on
// the seed and on its own count alone where it can, so that asking for more
// policies leaves the people as they are.
func Population(seed uint64, users, policies int, now time.Time) *Tenant {
	now = now.UTC().Truncate(time.Second)
	s := newSource(seed, "tenant")
	t := &Tenant{
		ID: s.id(), DisplayName: "Contoso", Domain: "contoso.com", InitialDomain: "contoso.onmicrosoft.com",
		CreatedAt: now.AddDate(-9, 0, -s.IntN(300)).Add(-time.Duration(s.IntN(86400)) * time.Second),
		Client:    Client{AppID: s.id(), ObjectID: s.id(), Secret: "sim8Q~" + s.secret(34), DisplayName: "risk-sweeper"},
	}
	cast := people(t, newSource(seed, "people"), max(users, 0), now)
	applications(t, newSource(seed, "applications"), seed)
	groups(t, newSource(seed, "groups"), cast)
	roles(t, newSource(seed, "roles"), cast, now)
	agreements(t, newSource(seed, "agreements"))
	conditionalAccess(t, newSource(seed, "policies"), max(policies, 0), now)
	return t
}

// Group finds a group by its name, nil if there is none.
func (t *Tenant) Group(displayName string) *Group {
	for i := range t.Groups {
		if t.Groups[i].DisplayName == displayName {
			return &t.Groups[i]
		}
	}
	return nil
}

// Person finds a person by the user principal name, nil if there is none.
func (t *Tenant) Person(userPrincipalName string) *Person {
	for i := range t.People {
		if t.People[i].UserPrincipalName == userPrincipalName {
			return &t.People[i]
		}
	}
	return nil
}

// source is a stream of random numbers of its own for each subject.
type source struct{ *rand.Rand }

func newSource(seed uint64, subject string) source {
	var b [32]byte
	copy(b[8:], subject)
	binary.LittleEndian.PutUint64(b[:], seed)
	return source{rand.New(rand.NewChaCha8(b))} //nolint:gosec // a made-up tenant, no secrets
}

func (s source) id() string {
	var b uuid.UUID
	binary.BigEndian.PutUint64(b[:8], s.Uint64())
	binary.BigEndian.PutUint64(b[8:], s.Uint64())
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return b.String()
}

func (s source) secret(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[s.IntN(len(alphabet))]
	}
	return string(b)
}

func pick[T any](s source, list []T) T { return list[s.IntN(len(list))] }

// between is a moment from one time on and before another.
func (s source) between(from, to time.Time) time.Time {
	seconds := int64(to.Sub(from) / time.Second)
	if seconds <= 0 {
		return from
	}
	return from.Add(time.Duration(s.Int64N(seconds)) * time.Second)
}
