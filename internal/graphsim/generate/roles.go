package generate

import "time"

// templates are built-in roles with the ids they have in every tenant.
var templates = []struct {
	id, name    string
	privileged  bool
	description string
}{
	{"62e90394-69f5-4237-9190-012177145e10", "Global Administrator", true, "Can manage all aspects of Microsoft Entra ID and Microsoft services that use Microsoft Entra identities."},
	{"e8611ab8-c189-46e8-94e1-60213ab1f814", "Privileged Role Administrator", true, "Can manage role assignments in Microsoft Entra ID, and all aspects of Privileged Identity Management."},
	{"7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator", true, "Can access to view, set and reset authentication method information for any user (admin or non-admin)."},
	{"194ae4cb-b126-40b2-bd5b-6091b380977d", "Security Administrator", true, "Can read security information and reports, and manage configuration in Microsoft Entra ID and Office 365."},
	{"b1be1c3e-b65d-4f19-8427-f6fa0d97feb9", "Conditional Access Administrator", true, "Can manage Conditional Access capabilities."},
	{"fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator", true, "Can manage all aspects of users and groups, including resetting passwords for limited admins."},
	{"9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", "Application Administrator", true, "Can create and manage all aspects of app registrations and enterprise apps."},
	{"158c047a-c907-4556-b7ef-446551a6b5f7", "Cloud Application Administrator", true, "Can create and manage all aspects of app registrations and enterprise apps except App Proxy."},
	{"c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator", true, "Can access to view, set and reset authentication method information for any non-admin user."},
	{"729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator", true, "Can reset passwords for non-administrators and Helpdesk Administrators."},
	{"3a2c62db-5318-420d-8d74-23affee5d9d5", "Intune Administrator", true, "Can manage all aspects of the Intune product."},
	{"8ac3fc64-6eca-42ea-9e69-59f4c7b60eb2", "Hybrid Identity Administrator", true, "Can manage Active Directory to Microsoft Entra cloud provisioning and federation settings."},
	{"f2ef992c-3afb-46b9-b7cf-a126ee74c451", "Global Reader", true, "Can read everything that a Global Administrator can, but not update anything."},
	{"5d6b6bb7-de71-4623-b4af-96380a352509", "Security Reader", true, "Can read security information and reports in Microsoft Entra ID and Office 365."},
	{"5f2222b1-57c3-48ba-8ad5-d4759f1fde6f", "Security Operator", true, "Can create and manage security events."},
	{"966707d0-3269-4727-9be2-8c3a10f19b9d", "Password Administrator", true, "Can reset passwords for non-administrators and Password Administrators."},
	{"9360feb5-f418-4baa-8175-e2a00bac4301", "Directory Writers", true, "Can read and write basic directory information."},
	{"d29b2b05-8046-44ba-8758-1e26182fcf32", "Directory Synchronization Accounts", true, "Only used by Microsoft Entra Connect service."},
	{"0526716b-113d-4c15-b2c8-68e3c22b9f80", "Authentication Policy Administrator", false, "Can create and manage the authentication methods policy, tenant-wide MFA settings and password protection policy."},
	{"45d8d3c5-c802-45c6-b32a-1d70b5e1e86e", "Identity Governance Administrator", false, "Manage access using Microsoft Entra ID for identity governance scenarios."},
	{"29232cdf-9323-42fd-ade2-1d097af3e4de", "Exchange Administrator", false, "Can manage all aspects of the Exchange product."},
	{"f28a1f50-f6e7-4571-818b-6a12f2af6b6c", "SharePoint Administrator", false, "Can manage all aspects of the SharePoint service."},
	{"69091246-20e8-4a56-aa4d-066075b2a7a8", "Teams Administrator", false, "Can manage the Microsoft Teams service."},
	{"fdd7a751-b60b-444a-984c-02652fe8fa1c", "Groups Administrator", false, "Members of this role can create and manage groups and group settings."},
	{"b0f54661-2d74-4c50-afa3-1ec803f12efe", "Billing Administrator", false, "Can perform common billing related tasks like updating payment information."},
	{"17315797-102d-40b4-93e0-432062caca18", "Compliance Administrator", false, "Can read and manage compliance configuration and reports in Microsoft Entra ID and Microsoft 365."},
	{"4d6ac14f-3453-41d0-bef9-a3e0c569773a", "License Administrator", false, "Can manage product licenses on users and groups."},
	{"11648597-926c-4cf3-9c36-bcebb0ba8dcc", "Power Platform Administrator", false, "Can create and manage all aspects of Microsoft Dynamics 365, Power Apps and Power Automate."},
	{"7698a772-787b-4ac8-901f-60d6b08affd2", "Cloud Device Administrator", false, "Limited access to manage devices in Microsoft Entra ID."},
	{"9f06204d-73c1-4d4c-880a-6edb90606fd8", "Microsoft Entra Joined Device Local Administrator", false, "Users assigned to this role are added to the local administrators group on Microsoft Entra joined devices."},
	{"8329153b-31d0-4727-b945-745eb3bc5f31", "Domain Name Administrator", false, "Can manage domain names in cloud and on-premises."},
	{"d37c8bed-0711-4417-ba38-b4abe66ce4c2", "Network Administrator", false, "Can manage network locations and review enterprise network design insights for Microsoft 365 services."},
	{"2b745bdf-0803-4d80-aa65-822c4493daac", "Office Apps Administrator", false, "Can manage Office apps cloud services, including policy and settings management."},
	{"cf1c38e5-3621-4004-a7cb-879624dced7c", "Application Developer", false, "Can create application registrations independent of the 'Users can register applications' setting."},
	{"95e79109-95c0-4d8e-aee3-d01accf2d47b", "Guest Inviter", false, "Can invite guest users independent of the 'members can invite guests' setting."},
	{"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", "Directory Readers", false, "Can read basic directory information."},
	{"4a5d8f65-41da-4de4-8968-e035b65339cf", "Reports Reader", false, "Can read sign-in and audit reports."},
	{"790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", "Message Center Reader", false, "Can read messages and updates for their organization in Office 365 Message Center only."},
	{"f023fd81-a637-4b56-95fd-791ac0226033", "Service Support Administrator", false, "Can read service health information and manage support tickets."},
	{"10dae51f-b6af-4016-8d66-8c2a99b929b3", "Guest User", false, "Default role for guest users. Can read a limited set of directory information."},
	{"a0b1b346-4d3e-4e8b-98f8-753987be4970", "User", false, "Default role for member users. Can read all and write a limited set of directory information."},
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
	for _, r := range templates {
		t.Roles.Templates = append(t.Roles.Templates, RoleTemplate{ID: r.id, DisplayName: r.name, Description: r.description, Privileged: r.privileged})
	}
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
