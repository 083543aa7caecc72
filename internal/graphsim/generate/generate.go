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
	ID, DisplayName string
	// Domain is the default verified domain, InitialDomain the
	// onmicrosoft.com one.
	Domain, InitialDomain string
	CreatedAt             time.Time
	Client                Client
	// People are all users, the deleted ones last. As many as were asked for
	// are not deleted.
	People []Person
	Groups []Group
	Roles  Roles
	// ServicePrincipals include the client's own.
	ServicePrincipals []ServicePrincipal
	Agreements        []Agreement
	// Contexts are the authentication contexts that were set up.
	Contexts []AuthenticationContext
	// Locations and Policies are Conditional Access objects.
	Locations, Policies []Object
}

// Client is the application that calls the tenant.
type Client struct{ AppID, ObjectID, Secret, DisplayName string }

// Person is a user. Country is an ISO 3166-1 alpha-2 code.
type Person struct {
	ID, UserPrincipalName, DisplayName, GivenName, Surname string
	// Mail is empty for a person without a mailbox.
	Mail, Country, City, Department, JobTitle string
	Guest, Enabled, Deleted                   bool
	CreatedAt                                 time.Time
	// DeletedAt is set for the deleted.
	DeletedAt time.Time
}

// Group is a security or Microsoft 365 group. Members are ids of people,
// groups and service principals.
type Group struct {
	ID, DisplayName, Description, MailNickname, Mail string
	SecurityEnabled, MailEnabled, RoleAssignable     bool
	// Types holds Unified and DynamicMembership, as groupTypes does.
	Types          []string
	MembershipRule string
	// HiddenMembership hides the members from who may not read hidden ones.
	HiddenMembership bool
	CreatedAt        time.Time
	Members          []string
}

// Roles are the directory roles and who holds them.
type Roles struct {
	Templates []RoleTemplate
	// Active and Eligible are assignments now in force and those that may be
	// activated.
	Active, Eligible []RoleAssignment
}

// RoleTemplate is a built-in directory role; its definition has the same id.
type RoleTemplate struct {
	ID, DisplayName, Description string
	Privileged                   bool
}

// RoleAssignment gives a role to a user, group or service principal.
type RoleAssignment struct {
	ID, PrincipalID, RoleID, Scope string
	// ScheduleID is the schedule that an instance belongs to.
	ScheduleID string
	Start, End time.Time // End is zero for a permanent one
}

// ServicePrincipal is an application's presence in the tenant.
type ServicePrincipal struct {
	ID, AppID, DisplayName string
	// OwnerTenant is the tenant that registered the application.
	OwnerTenant string
	// Type is Application, ManagedIdentity or Legacy.
	Type      string
	Enabled   bool
	CreatedAt time.Time
	// Tags, ReplyURLs and Names are what the service calls tags, replyUrls
	// and servicePrincipalNames.
	Tags, ReplyURLs, Names []string
}

// Agreement is a terms of use document.
type Agreement struct {
	ID, DisplayName string
	CreatedAt       time.Time
}

// AuthenticationContext is one of c1 to c99.
type AuthenticationContext struct {
	ID, DisplayName, Description string
	Available                    bool
}

// Object is a Conditional Access object: Body is what an administrator sent
// to create it. Modified is zero if it was never changed.
type Object struct {
	ID                string
	Created, Modified time.Time
	Body              json.RawMessage
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
	applications(t, newSource(seed, "applications"))
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
