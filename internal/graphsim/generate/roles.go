package generate

import (
	_ "embed" // the table of roles
	"strings"
	"time"
)

// roleTemplates is a table of the built-in roles with the ids they have in every
// tenant: id, name, whether it is privileged, and a description for some.
//
//go:embed roletemplates.tsv
var roleTemplates string

// templates reads the table.
func templates() []RoleTemplate {
	var all []RoleTemplate
	for line := range strings.Lines(roleTemplates) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, RoleTemplate{ID: f[0], DisplayName: f[1], Privileged: f[2] == "true", Description: f[3]})
	}
	return all
}

// Ids of roles that are given out.
const (
	globalAdministrator   = "62e90394-69f5-4237-9190-012177145e10"
	securityAdministrator = "194ae4cb-b126-40b2-bd5b-6091b380977d"
	authAdministrator     = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
	directoryReaders      = "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"
)

// dealt are the roles that administrators get in turn.
var dealt = []string{
	securityAdministrator,
	"fe930be7-5e62-47db-91af-98c3a49a38b1", // User Administrator
	"29232cdf-9323-42fd-ade2-1d097af3e4de", // Exchange Administrator
	"729827e3-9c14-49f7-bb1b-9608f156bbb8", // Helpdesk Administrator
	"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", // Conditional Access Administrator
	"3a2c62db-5318-420d-8d74-23affee5d9d5", // Intune Administrator
	"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", // Application Administrator
	"f2ef992c-3afb-46b9-b7cf-a126ee74c451", // Global Reader
}

// roles gives out roles: standing ones to the break-glass accounts, each
// administrator one active and one eligible, one through a group, and one to
// a service principal.
func roles(t *Tenant, s source, c *cast, now time.Time) {
	t.Roles.Templates = templates()
	active := func(principal, role string) {
		t.Roles.Active = append(t.Roles.Active, RoleAssignment{
			ID: s.id(), ScheduleID: s.id(), PrincipalID: principal, RoleID: role, Scope: "/",
			Start: s.between(t.CreatedAt.AddDate(7, 0, 0), now),
		})
	}
	eligible := func(principal, role string) {
		start := s.between(now.AddDate(0, -5, 0), now)
		t.Roles.Eligible = append(t.Roles.Eligible, RoleAssignment{
			ID: s.id(), ScheduleID: s.id(), PrincipalID: principal, RoleID: role, Scope: "/", Start: start, End: start.AddDate(1, 0, 0),
		})
	}
	for _, at := range c.breakGlass {
		active(t.People[at].ID, globalAdministrator)
	}
	for i, at := range c.admins {
		active(t.People[at].ID, dealt[i%len(dealt)])
		if i%3 == 0 {
			eligible(t.People[at].ID, globalAdministrator)
		}
	}
	if g := t.Group("VPN Admins"); g != nil {
		active(g.ID, authAdministrator)
	}
	// One of the ordinary staff, last in line, may become an administrator.
	if n := len(c.ordinary); n > 8 {
		eligible(t.People[c.ordinary[n-1]].ID, "fe930be7-5e62-47db-91af-98c3a49a38b1")
	}
	for _, sp := range t.ServicePrincipals {
		if sp.DisplayName == "Backup Automation" {
			active(sp.ID, directoryReaders)
		}
	}
}
