package generate

// microsoftTenant is the tenant that Microsoft's own applications belong to.
const microsoftTenant = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// wellKnown are applications of Microsoft with the application ids they have
// in every tenant.
var wellKnown = []struct{ appID, name string }{
	{"00000003-0000-0000-c000-000000000000", "Microsoft Graph"},
	{"00000002-0000-0ff1-ce00-000000000000", "Office 365 Exchange Online"},
	{"00000003-0000-0ff1-ce00-000000000000", "Office 365 SharePoint Online"},
	{"797f4846-ba00-4fd7-ba43-dac1f8f63013", "Windows Azure Service Management API"},
	{"00000002-0000-0000-c000-000000000000", "Windows Azure Active Directory"},
	{"cc15fd57-2c6c-4117-a88c-83b1d56b4bbe", "Microsoft Teams Services"},
	{"0000000a-0000-0000-c000-000000000000", "Microsoft Intune"},
	{"d4ebce55-015a-49b5-a083-c84d1797ae8c", "Microsoft Intune Enrollment"},
	{"c44b4083-3bb0-49c1-b47d-974e53cbdf3c", "Azure Portal"},
	{"cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "Azure Key Vault"},
	{"e406a681-f3d4-42a8-90b6-c2b029497af1", "Azure Storage"},
	{"0000000c-0000-0000-c000-000000000000", "Microsoft App Access Panel"},
	{"c5393580-f805-4401-95e8-94b7a6ef2fc2", "Office 365 Management APIs"},
	{"00000009-0000-0000-c000-000000000000", "Power BI Service"},
	{"00000012-0000-0000-c000-000000000000", "Microsoft Rights Management Services"},
	{"00000004-0000-0ff1-ce00-000000000000", "Skype for Business Online"},
}

// applications adds Microsoft's applications, some of the tenant's own, and
// the client's service principal.
func applications(t *Tenant, s source) {
	for _, w := range wellKnown {
		t.ServicePrincipals = append(t.ServicePrincipals, ServicePrincipal{
			ID: s.id(), AppID: w.appID, DisplayName: w.name, OwnerTenant: microsoftTenant, Type: "Application",
			Enabled: true, CreatedAt: t.CreatedAt, Names: []string{w.appID},
		})
	}
	own := func(name, kind string, urls ...string) {
		sp := ServicePrincipal{
			ID: s.id(), AppID: s.id(), DisplayName: name, OwnerTenant: t.ID, Type: kind, Enabled: true,
			CreatedAt: s.between(t.CreatedAt, t.CreatedAt.AddDate(6, 0, 0)), ReplyURLs: urls,
		}
		sp.Names = []string{sp.AppID}
		if kind == "Application" {
			sp.Tags = []string{"WindowsAzureActiveDirectoryIntegratedApp"}
		}
		t.ServicePrincipals = append(t.ServicePrincipals, sp)
	}
	own("Contoso VPN", "Application", "https://vpn.contoso.com/saml/acs")
	own("Contoso Payroll", "Application", "https://payroll.contoso.com/signin-oidc")
	own("Contoso Intranet", "Application", "https://intranet.contoso.com/signin-oidc")
	own("Contoso Expenses", "Application", "https://expenses.contoso.com/auth/callback")
	own("Backup Automation", "Application")
	own("Build Pipeline", "Application")
	own("func-invoices-prod", "ManagedIdentity")
	t.ServicePrincipals = append(t.ServicePrincipals, ServicePrincipal{
		ID: t.Client.ObjectID, AppID: t.Client.AppID, DisplayName: t.Client.DisplayName, OwnerTenant: t.ID,
		Type: "Application", Enabled: true, CreatedAt: t.CreatedAt.AddDate(8, 0, 0),
		Tags: []string{"WindowsAzureActiveDirectoryIntegratedApp"}, Names: []string{t.Client.AppID},
	})
}

// agreements adds the terms of use.
func agreements(t *Tenant, s source) {
	for _, name := range []string{"Contoso Terms of Use", "Guest Access Terms"} {
		t.Agreements = append(t.Agreements, Agreement{ID: s.id(), DisplayName: name, CreatedAt: s.between(t.CreatedAt.AddDate(2, 0, 0), t.CreatedAt.AddDate(5, 0, 0))})
	}
	t.Contexts = []AuthenticationContext{
		{ID: "c1", DisplayName: "Confidential data", Description: "Sites and files that are labelled confidential", Available: true},
		{ID: "c2", DisplayName: "Privileged actions", Description: "Activation of privileged roles", Available: true},
		{ID: "c3", DisplayName: "Trusted network only", Description: "", Available: false},
	}
}
