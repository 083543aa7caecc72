package entra

import (
	"slices"
	"strings"
)

// ServicePrincipal is what the directory says of a workload identity.
type ServicePrincipal struct {
	ID          ID     `json:"id"`
	AppID       ID     `json:"appId"`
	DisplayName string `json:"displayName"`
	// OwnerTenant is the tenant that the application is registered in; empty where
	// the service did not say.
	OwnerTenant ID `json:"appOwnerOrganizationId,omitempty"`
	// Permissions are the application permissions that it holds and with which it
	// can change something of the tenant, such as "Mail.Send of Microsoft Graph".
	Permissions []string `json:"-"`
	// PermissionsUnknown says why these could not be read.
	PermissionsUnknown error `json:"-"`
}

// OnlyReads reports whether an application permission of one of Microsoft's own
// APIs is one to read, by its name: Subject.Read.Constraint, and no other verb.
// What is not named so may change something.
func OnlyReads(permission string) bool {
	_, verb, ok := strings.Cut(permission, ".")
	verb, _, _ = strings.Cut(verb, ".")
	return ok && (verb == "Read" || verb == "ReadBasic")
}

// microsoftTenants are those in which Microsoft registers its own applications.
// https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
var microsoftTenants = []ID{"f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47"}

// FirstParty reports whether the application is Microsoft's own.
func (p ServicePrincipal) FirstParty() bool { return slices.Contains(microsoftTenants, p.OwnerTenant) }

// AsUser is the risk of a service principal in the form in which the risk of
// users is judged and kept. Nothing says whether a service principal is deleted.
func (p *RiskyServicePrincipal) AsUser() RiskyUser {
	return RiskyUser{ID: p.ID, IsProcessing: p.IsProcessing, RiskDetail: p.RiskDetail, RiskLastUpdatedDateTime: p.RiskLastUpdatedDateTime,
		RiskLevel: p.RiskLevel, RiskState: p.RiskState, UserDisplayName: p.DisplayName, UserPrincipalName: p.DisplayName, Raw: p.Raw}
}

// PrincipalEventTypes lists the riskEventType values of the detections of
// service principals that this version knows. The service may send others.
var PrincipalEventTypes = []string{
	"adminConfirmedServicePrincipalCompromised", "anomalousServicePrincipalActivity", "generic", "investigationsThreatIntelligence",
	"leakedCredentials", "maliciousApplication", "suspiciousApplication", "suspiciousSignins",
}
