package entra

import "strings"

// Account is what containment has to know of a user's account.
type Account struct {
	ID                ID     `json:"id"`
	UserPrincipalName string `json:"userPrincipalName,omitempty"`
	// AccountEnabled is nil if the service did not say.
	AccountEnabled *bool `json:"accountEnabled,omitempty"`
	// SignInSessionsValidFromDateTime is the time before which no session and no
	// refresh token counts.
	SignInSessionsValidFromDateTime DateTime `json:"signInSessionsValidFromDateTime,omitempty"`
	// OnPremisesSyncEnabled says that a synchronisation from on-premises owns the
	// account, and writes back what it knows of it.
	OnPremisesSyncEnabled bool `json:"onPremisesSyncEnabled,omitempty"`
}

// External reports whether somebody is at home in another tenant, which keeps
// their sessions.
func (a Account) External() bool {
	return strings.Contains(strings.ToUpper(a.UserPrincipalName), "#EXT#@")
}

// Enabled and Disabled report what the service has said of the account; of one
// of which it said nothing, neither.
func (a Account) Enabled() bool  { return a.AccountEnabled != nil && *a.AccountEnabled }
func (a Account) Disabled() bool { return a.AccountEnabled != nil && !*a.AccountEnabled }
