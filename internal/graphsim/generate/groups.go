package generate

import "strings"

// groups makes the groups. All are there in a tenant of any size; in a tiny
// one some have no members.
func groups(t *Tenant, s source, c *cast) {
	id := func(positions []int) []string {
		ids := make([]string, len(positions))
		for i, p := range positions {
			ids[i] = t.People[p].ID
		}
		return ids
	}
	one := func(position int) []int {
		if position < 0 {
			return nil
		}
		return []int{position}
	}
	add := func(name, description string, members []string) *Group {
		g := Group{
			ID: s.id(), DisplayName: name, Description: description, SecurityEnabled: true,
			MailNickname: strings.ReplaceAll(name, " ", ""), CreatedAt: s.between(t.CreatedAt, t.CreatedAt.AddDate(7, 0, 0)), Members: members,
		}
		t.Groups = append(t.Groups, g)
		return &t.Groups[len(t.Groups)-1]
	}

	// A good part of the ordinary staff uses the VPN: at least six with ada.
	ordinary := c.ordinary
	staff := max(min(5, len(ordinary)), len(ordinary)*2/5)
	contractors := add("VPN Contractors", "External staff with VPN access", id(c.guests[:(len(c.guests)+1)/2])).ID
	add("VPN Users", "People who reach the corporate network by VPN", append(id(append(one(c.ada), ordinary[:staff]...)), contractors))
	executives := one(c.ceo)
	if n := len(ordinary); n-staff > 0 {
		executives = append(executives, ordinary[n-min(max(n/40, 1), n-staff):]...)
	}
	add("Executives", "The executive board and its office", id(executives))
	add("CA Break Glass", "Emergency access accounts, excluded from every Conditional Access policy", id(c.breakGlass))
	add("VPN Admins", "Administrators of the VPN gateways", id(c.admins[:(len(c.admins)+1)/2])).RoleAssignable = true
	all := add("All Employees", "Everybody who works here", id(c.allStaff))
	all.Types, all.MembershipRule = []string{"DynamicMembership"}, `(user.userType -eq "Member")`
	add("All Guests", "Everybody who was invited", id(c.guests))
	for _, d := range departmentNames {
		team := add(d, "The "+d+" team", id(c.employeesInDepartment[d]))
		team.Types, team.MailEnabled = []string{"Unified"}, true
		team.MailNickname = address(d)
		team.Mail = team.MailNickname + "@" + t.Domain
	}
	var services []string
	for _, sp := range t.ServicePrincipals {
		if sp.DisplayName == "Backup Automation" || sp.DisplayName == "Build Pipeline" {
			services = append(services, sp.ID)
		}
	}
	add("Automation Accounts", "Service principals that run jobs", services)
	add("CA Pilot", "First to get new Conditional Access policies", id(ordinary[:min(len(ordinary), 3+len(ordinary)/25)]))
}
