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
	{"00000005-0000-0ff1-ce00-000000000000", "Office 365 Yammer"},
	{"00000007-0000-0000-c000-000000000000", "Common Data Service"},
	{"00000015-0000-0000-c000-000000000000", "Microsoft Dynamics ERP"},
	{"01fc33a7-78ba-4d2f-a4b7-768e336e890e", "MS-PIM"},
	{"04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI"},
	{"05a65629-4c1b-48c1-a78b-804c4abdd4af", "Microsoft Cloud App Security"},
	{"09abbdfd-ed23-44ee-a2d9-a627aa1c90f3", "Microsoft Planner"},
	{"0af06dc6-e4b5-4f28-818e-e78e62d137a5", "Windows 365"},
	{"14d82eec-204b-4c2f-b7e8-296a70dab67e", "Microsoft Graph Command Line Tools"},
	{"1950a258-227b-4e31-a9cf-717495945fc2", "Microsoft Azure PowerShell"},
	{"19db86c3-b2b9-44cc-b339-36da233a3be2", "My Signins"},
	{"1b730954-1685-4b74-9bfd-dac224a7b894", "Azure Active Directory PowerShell"},
	{"1fec8e78-bce4-4aaf-ab1b-5451cc387264", "Microsoft Teams"},
	{"2634dd23-5e5a-431c-81ca-11710d9079f4", "Microsoft Stream Service"},
	{"270efc09-cd0d-444b-a71f-39af4910ec45", "Windows Cloud Login"},
	{"2793995e-0a7d-40d7-bd35-6968ba142197", "My Apps"},
	{"29d9ed98-a469-4536-ade2-f981bc1d605e", "Microsoft Authentication Broker"},
	{"372140e0-b3b7-4226-8ef9-d57986796201", "Microsoft Azure Windows Virtual Machine Sign-in"},
	{"38aa3b87-a06d-4817-b275-7a316988d93b", "Windows Sign In"},
	{"45a330b1-b1ec-4cc1-9161-9f03992aa49f", "Windows Store for Business"},
	{"475226c6-020e-4fb2-8a90-7a972cbfc1d4", "PowerApps Service"},
	{"4765445b-32c6-49b0-83e6-1d93765276ca", "OfficeHome"},
	{"499b84ac-1321-427f-aa17-267ca6975798", "Azure DevOps"},
	{"5e3ce6c0-2b1f-4285-8d4b-75ee78787346", "Microsoft Teams Web Client"},
	{"60c8bde5-3167-4f92-8fdb-059f6176dc0f", "Enterprise Roaming and Backup"},
	{"66a88757-258c-4c72-893c-3e8bed4d6899", "Office 365 Search Service"},
	{"74658136-14ec-4630-ad9b-26e160ff0fc6", "ADIbizaUX"},
	{"7b7531ad-5926-4f2d-8a1d-38495ad33e17", "Azure Advanced Threat Protection"},
	{"7df0a125-d3be-4c96-aa54-591f83ff541c", "Microsoft Flow Service"},
	{"80ccca67-54bd-44ab-8625-4b79c4dc7775", "Microsoft 365 Security and Compliance Center"},
	{"871c010f-5e61-4fb1-83ac-98610a7e9110", "Microsoft Power BI"},
	{"89bee1f7-5e6e-4d8a-9f3d-ecd601259da7", "Office365 Shell WCSS-Client"},
	{"8c59ead7-d703-4a27-9e55-c96a0054c8d2", "My Profile"},
	{"93625bc8-bfe2-437a-97e0-3d0060024faa", "Microsoft password reset service"},
	{"94c63fef-13a3-47bc-8074-75af8c65887a", "Office Delve"},
	{"95de633a-083e-42f5-b444-a4295d8e9314", "Microsoft Whiteboard Services"},
	{"981f26a1-7f43-403b-a875-f8b09b8cd720", "Azure Multi-Factor Auth Client"},
	{"9cdead84-a844-4324-93f2-b2e6bb768d07", "Azure Virtual Desktop"},
	{"a4a365df-50f1-4397-bc59-1a1564b8bb9c", "Microsoft Remote Desktop"},
	{"ab9b8c07-8f02-4f72-87fa-80105867a763", "OneDrive SyncEngine"},
	{"c9a559d2-7aab-4f13-a6ed-e7e9c52aec87", "Microsoft Forms"},
	{"cb1056e2-e479-49de-ae31-7812af012ed8", "Microsoft Azure Active Directory Connect"},
	{"d3590ed6-52b3-4102-aeff-aad2292ab01c", "Microsoft Office"},
	{"de8bc8b5-d9f9-48b1-a8ad-b748da725064", "Graph Explorer"},
	{"fb78d390-0c51-40cd-8e17-fdbfab77341b", "Microsoft Exchange REST API Based PowerShell"},
	{"fc780465-2017-40d4-a0c5-307022471b92", "WindowsDefenderATP"},
}

// resources are the addresses under which tokens for them are asked.
var resources = map[string][]string{
	"00000003-0000-0000-c000-000000000000": {"https://graph.microsoft.com"},
	"00000002-0000-0000-c000-000000000000": {"https://graph.windows.net"},
	"00000002-0000-0ff1-ce00-000000000000": {"https://outlook.office365.com", "https://outlook.office.com"},
	"797f4846-ba00-4fd7-ba43-dac1f8f63013": {"https://management.core.windows.net/", "https://management.azure.com/"},
	"cfa8b339-82a2-471a-a3c9-0fc0be7a4093": {"https://vault.azure.net"},
	"e406a681-f3d4-42a8-90b6-c2b029497af1": {"https://storage.azure.com/"},
	"c5393580-f805-4401-95e8-94b7a6ef2fc2": {"https://manage.office.com"},
	"00000009-0000-0000-c000-000000000000": {"https://analysis.windows.net/powerbi/api"},
	"fc780465-2017-40d4-a0c5-307022471b92": {"https://securitycenter.onmicrosoft.com/windowsatpservice"},
}

// applications adds Microsoft's applications, some of the tenant's own, and
// the client's service principal.
func applications(t *Tenant, s source, seed uint64) {
	microsoft := newSource(seed, "first-party applications")
	for _, w := range wellKnown {
		var roles []AppRole
		if w.name == "Microsoft Graph" {
			roles = graphRoles
		}
		t.ServicePrincipals = append(t.ServicePrincipals, ServicePrincipal{
			ID: microsoft.id(), AppID: w.appID, DisplayName: w.name, OwnerTenant: microsoftTenant, Type: "Application",
			Enabled: true, CreatedAt: t.CreatedAt, Names: append([]string{w.appID}, resources[w.appID]...), AppRoles: roles,
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
