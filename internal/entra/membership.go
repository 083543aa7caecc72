package entra

import "strings"

// Memberships are what Conditional Access asks of who a user is.
type Memberships struct {
	ID                ID     `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	// Guest is the kind of guest or external user, in the words of
	// guestOrExternalUserTypes; empty for a member of the tenant.
	Guest string `json:"guest,omitempty"`
	// GuestUnknown is a guest of whom the directory does not say which kind.
	GuestUnknown bool `json:"guestUnknown,omitempty"`
	// Groups are all groups that the user is in, also through others; Roles
	// the template ids of the directory roles that are active in the whole
	// tenant.
	Groups []ID `json:"groups"`
	Roles  []ID `json:"roles"`
}

// ActiveRoles are who holds a directory role now and in the whole tenant.
type ActiveRoles struct {
	Holders map[ID][]ID // user or group -> template ids of the roles
	Groups  []ID        // of the holders, those that are groups
}

// Application is the service principal of an application in the tenant.
type Application struct {
	ID          ID     `json:"id"` // of the service principal
	AppID       ID     `json:"appId"`
	DisplayName string `json:"displayName"`
	// OwnerTenant is the tenant that the application belongs to.
	OwnerTenant ID `json:"appOwnerOrganizationId"`
}

// MicrosoftTenant is the tenant that owns Microsoft's own applications.
const MicrosoftTenant ID = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// GuestKind tells the kind of guest or external user from what the directory
// says of a user: userType, creationType and the user principal name. The
// second result is false where the three do not tell it. Empty and true is a
// member of the tenant.
//
// The directory shows no B2B direct connect users and no service providers:
// they have no object in the tenant.
func GuestKind(userType, creationType, userPrincipalName string) (string, bool) {
	invited := strings.EqualFold(creationType, "Invitation") || strings.Contains(strings.ToUpper(userPrincipalName), "#EXT#")
	switch {
	case strings.EqualFold(userType, "Guest") && invited:
		return "b2bCollaborationGuest", true
	case strings.EqualFold(userType, "Guest"):
		return "internalGuest", true
	case invited:
		return "b2bCollaborationMember", true
	case userType == "":
		return "", false
	}
	return "", true
}
