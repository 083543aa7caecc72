package evaluate

import "strings"

// identity asks whether the policy is for who signs in.
func (j judge) identity() Reason {
	if j.s.ServicePrincipalID != "" {
		return j.workload()
	}
	u, known := j.w.User(j.s.UserID)
	if !known && (j.s.UserID != "" || guestKind(j.s.ExternalUserType) == "") {
		return Users
	}
	kind, home := u.guest()
	if given := guestKind(j.s.ExternalUserType); given != "" {
		kind = given
	}
	if j.s.ExternalTenantID != "" {
		home = j.s.ExternalTenantID
	}
	c := j.c.Users
	on := func(users, groups, roles []string, guests *guests) bool {
		return named(users, "All") ||
			u.ID != "" && named(users, u.ID) ||
			kind != "" && named(users, "GuestsOrExternalUsers") ||
			named(groups, u.Groups...) || named(roles, u.Roles...) ||
			guests.hold(kind, home)
	}
	return met(on(c.IncludeUsers, c.IncludeGroups, c.IncludeRoles, c.IncludeGuests) &&
		!on(c.ExcludeUsers, c.ExcludeGroups, c.ExcludeRoles, c.ExcludeGuests), Users)
}

// The kinds of guests that the service tells apart.
var guestKinds = []string{"internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider"}

// guestKind is a kind in its own spelling, empty if it is none.
func guestKind(given string) string {
	for _, k := range guestKinds {
		if strings.EqualFold(k, given) {
			return k
		}
	}
	return ""
}

// guest tells what kind of guest a user is, empty for an employee, and where
// from. Who was invited comes from elsewhere; a guest who was not has an account
// of this tenant.
func (u User) guest() (kind, home string) {
	invited := u.ExternalUserState != "" || strings.EqualFold(u.CreationType, "Invitation")
	guest := strings.EqualFold(u.UserType, "Guest")
	switch {
	case guest && invited:
		return "b2bCollaborationGuest", u.HomeTenant
	case invited:
		return "b2bCollaborationMember", u.HomeTenant
	case guest:
		return "internalGuest", ""
	}
	return "", ""
}

// hold says whether a guest is among those that a policy describes. Tenants
// narrow down guests from elsewhere alone.
func (g *guests) hold(kind, home string) bool {
	if g == nil || kind == "" || !named(flags(g.Types), kind) {
		return false
	}
	t := g.ExternalTenants
	if t == nil || kind == "internalGuest" || !t.enumerated() {
		return true
	}
	return home != "" && named(t.Members, home)
}

func (t *tenants) enumerated() bool {
	return strings.EqualFold(t.MembershipKind, "enumerated") || strings.HasSuffix(t.Type, "conditionalAccessEnumeratedExternalTenants")
}

// workload asks whether the policy is for a workload identity. Managed
// identities and what other tenants registered are never meant by the word for
// all.
func (j judge) workload() Reason {
	c := j.c.ClientApplications
	sp, known := j.w.ServicePrincipal(j.s.ServicePrincipalID)
	if c == nil || !known {
		return WorkloadIdentities
	}
	filtered := false
	if c.Filter != nil {
		if !c.Filter.valid(attributeRule) {
			return InvalidCondition
		}
		filtered = c.Filter.rule.holds(sp.attribute)
	}
	own := strings.EqualFold(sp.OwnerTenant, j.w.TenantID()) && !strings.EqualFold(sp.Type, "ManagedIdentity")
	included := named(c.Include, sp.ID) || own && named(c.Include, "ServicePrincipalsInMyTenant") || filtered && c.Filter.includes()
	excluded := named(c.Exclude, sp.ID) || filtered && !c.Filter.includes()
	return met(included && !excluded, WorkloadIdentities)
}
