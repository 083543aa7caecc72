package generate

import "time"

// AppRole is a permission that an application of the tenant offers to others.
type AppRole struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

// AppRoleAssignment gives an app role of a resource to a principal.
type AppRoleAssignment struct {
	ID          string    `json:"id"`
	PrincipalID string    `json:"principalId"`
	ResourceID  string    `json:"resourceId"`
	AppRoleID   string    `json:"appRoleId"`
	CreatedAt   time.Time `json:"createdAt"`
}

// graphRoles are some of the app roles that Microsoft Graph offers, with the ids
// that they have in every tenant.
var graphRoles = []AppRole{
	{"1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "Application.ReadWrite.All"},
	{"18a4783c-866b-4cc7-a460-3d5e5662c884", "Application.ReadWrite.OwnedBy"},
	{"06b708a9-e830-4db3-a914-8e69da51d44f", "AppRoleAssignment.ReadWrite.All"},
	{"b0afded3-3588-46d8-8b3d-9842eff778da", "AuditLog.Read.All"},
	{"7ab1d382-f21e-4acd-a863-ba3e13f7da61", "Directory.Read.All"},
	{"19dbc75e-c2e2-444c-a770-ec69d8559fc7", "Directory.ReadWrite.All"},
	{"98830695-27a2-44f7-8c18-0c3ebc9698f6", "GroupMember.Read.All"},
	{"810c84a8-4a9e-49e6-bf7d-12d183f40d01", "Mail.Read"},
	{"b633e1c5-b582-4048-a93e-9f11b44c7e96", "Mail.Send"},
	{"483bed4a-2ad3-4361-a73b-c83ccdbdc53c", "RoleManagement.Read.Directory"},
	{"9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", "RoleManagement.ReadWrite.Directory"},
	{"df021288-bdef-4463-88db-98f22de89214", "User.Read.All"},
}
