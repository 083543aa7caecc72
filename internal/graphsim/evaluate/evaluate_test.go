package evaluate

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	tenantID   = "11111111-1111-4111-8111-111111111111"
	sharePoint = "00000003-0000-0ff1-ce00-000000000000"
	vpn        = "5f8a2f0e-0000-4000-8000-000000000001"
	azure      = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c"
)

// place is a named location's document, read.
func place(t *testing.T, document string) Location {
	t.Helper()
	l, err := ReadLocation([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func theWorld(t *testing.T) *Facts {
	t.Helper()
	return &Facts{
		Tenant: tenantID,
		People: []User{
			{ID: "ada", UserType: "Member", Groups: []string{"staff", "team"}, Roles: []string{"role-admin"}},
			{ID: "bob", UserType: "Member"},
			{ID: "guest", UserType: "Guest", CreationType: "Invitation", ExternalUserState: "Accepted"},
			{ID: "known-guest", UserType: "Guest", ExternalUserState: "PendingAcceptance", HomeTenant: "partner"},
			{ID: "local-guest", UserType: "Guest"},
			{ID: "invited-member", UserType: "Member", CreationType: "Invitation"},
		},
		ServicePrincipals: []ServicePrincipal{
			{ID: "sp-sharepoint", AppID: sharePoint, DisplayName: "Office 365 SharePoint Online", OwnerTenant: microsoft},
			{ID: "sp-vpn", AppID: vpn, DisplayName: "Contoso VPN", OwnerTenant: tenantID, Type: "Application", Attributes: map[string]map[string][]string{"Access": {"Needs": {"requireMFA", "blockGuestUsers"}, "Owner": {"Network"}}}},
			{ID: "sp-fake", AppID: "fake", DisplayName: "Office 365 Exchange Online", OwnerTenant: tenantID, Type: "Application"},
			{ID: "sp-managed", AppID: "managed", DisplayName: "func", OwnerTenant: tenantID, Type: "ManagedIdentity"},
			{ID: "sp-foreign", AppID: "foreign", DisplayName: "Vendor", OwnerTenant: "partner", Type: "Application"},
		},
		Places: []Location{
			place(t, `{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"office","isTrusted":true,"ipRanges":[{"cidrAddress":"203.0.113.9/24"},{"cidrAddress":"2001:db8::/32"}]}`),
			place(t, `{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"branch","isTrusted":false,"ipRanges":[{"lowerAddress":"198.51.100.10","upperAddress":"198.51.100.20"}]}`),
			place(t, `{"@odata.type":"#microsoft.graph.countryNamedLocation","id":"states","countriesAndRegions":["US"]}`),
		},
	}
}

// policy is the plain one with parts of its conditions put in.
func policy(parts string) string {
	conditions := map[string]json.RawMessage{
		"users": json.RawMessage(`{"includeUsers":["All"]}`), "applications": json.RawMessage(`{"includeApplications":["All"]}`), "clientAppTypes": json.RawMessage(`["all"]`),
	}
	if parts != "" {
		if err := json.Unmarshal([]byte("{"+parts+"}"), &conditions); err != nil {
			panic(parts + ": " + err.Error())
		}
	}
	data, err := json.Marshal(map[string]any{"id": "p", "state": "enabled", "conditions": conditions})
	if err != nil {
		panic(err)
	}
	return string(data)
}

func rules(mode, rule string) string {
	data, err := json.Marshal(map[string]string{"mode": mode, "rule": rule})
	if err != nil {
		panic(err)
	}
	return string(data)
}

func request(identity, context, conditions string) string {
	if !strings.Contains(identity, "@odata.type") {
		identity = `"@odata.type":"#microsoft.graph.userSignIn","userId":"` + identity + `"`
	}
	if !strings.Contains(context, "@odata.type") {
		context = `"@odata.type":"#microsoft.graph.applicationContext","includeApplications":["` + context + `"]`
	}
	return `{"signInIdentity":{` + identity + `},"signInContext":{` + context + `},"signInConditions":{` + conditions + `}}`
}

func principal(id string) string {
	return `"@odata.type":"#microsoft.graph.servicePrincipalSignIn","servicePrincipalId":"` + id + `"`
}

func external(kind, tenant string) string {
	return `"@odata.type":"#microsoft.graph.userSignIn","externalUserType":"` + kind + `","externalTenantId":"` + tenant + `"`
}

// documented is the policy of the service's own table of examples.
const documented = `"users":{"includeUsers":["All"]},"applications":{"includeApplications":["Office365"]},"locations":{"includeLocations":["states"]},"signInRiskLevels":["high"]`

var cases = []struct {
	name, policy, request string
	want                  Reason
}{
	{"documented: only the user", policy(documented), request("ada", `"@odata.type":"#microsoft.graph.applicationContext"`, ``), Application},
	{"documented: and the application", policy(documented), request("ada", sharePoint, ``), AtLocation},
	{"documented: and the country", policy(documented), request("ada", sharePoint, `"country":"US"`), SignInRisk},
	{"documented: and the risk", policy(documented), request("ada", sharePoint, `"country":"US","signInRiskLevel":"high"`), NotSet},
	{"a group's name is no application", policy(documented), request("ada", "Office365", `"country":"US","signInRiskLevel":"high"`), Application},

	{"off", strings.Replace(policy(""), `"enabled"`, `"disabled"`, 1), request("ada", vpn, ``), PolicyNotEnabled},
	{"report-only counts", strings.Replace(policy(""), `"enabled"`, `"enabledForReportingButNotEnforced"`, 1), request("ada", vpn, ``), NotSet},
	{"no conditions", `{"state":"enabled","conditions":null}`, request("ada", vpn, ``), EmptyPolicy},
	{"an unknown condition", policy(`"times":{"all":true}`), request("ada", vpn, ``), InvalidPolicy},
	{"an unknown condition that says nothing", policy(`"times":null,"clients":[]`), request("ada", vpn, ``), NotSet},
	{"an unknown member within", policy(`"applications":{"includeApplications":["All"],"networkAccess":{"x":1}}`), request("ada", vpn, ``), InvalidPolicy},
	{"a condition of the wrong type", policy(`"platforms":{"includePlatforms":"all"}`), request("ada", vpn, ``), InvalidPolicy},

	{"a user by id", policy(`"users":{"includeUsers":["BOB"]}`), request("bob", vpn, ``), NotSet},
	{"another user", policy(`"users":{"includeUsers":["bob"]}`), request("ada", vpn, ``), Users},
	{"exclusion first", policy(`"users":{"includeUsers":["All"],"excludeGroups":["staff"]}`), request("ada", vpn, ``), Users},
	{"a group", policy(`"users":{"includeGroups":["team"]}`), request("ada", vpn, ``), NotSet},
	{"a role", policy(`"users":{"includeRoles":["role-admin"]}`), request("ada", vpn, ``), NotSet},
	{"a role excluded", policy(`"users":{"includeUsers":["All"],"excludeRoles":["role-admin"]}`), request("ada", vpn, ``), Users},
	{"nobody", policy(`"users":{"includeUsers":["None"]}`), request("ada", vpn, ``), Users},
	{"a stranger", policy(``), request("nobody", vpn, ``), Users},
	{"all guests", policy(`"users":{"includeUsers":["GuestsOrExternalUsers"]}`), request("guest", vpn, ``), NotSet},
	{"all guests, a member", policy(`"users":{"includeUsers":["GuestsOrExternalUsers"]}`), request("bob", vpn, ``), Users},
	{"a kind of guest", policy(`"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest,b2bCollaborationGuest"}}`), request("guest", vpn, ``), NotSet},
	{"a local guest", policy(`"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"internalGuest"}}`), request("local-guest", vpn, ``), NotSet},
	{"an invited member", policy(`"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationMember","externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}}}`), request("invited-member", vpn, ``), NotSet},
	{"another kind of guest", policy(`"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider"}}`), request("guest", vpn, ``), Users},
	{"a guest of a tenant", policy(`"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest","externalTenants":{"membershipKind":"enumerated","members":["partner"]}}}`), request("known-guest", vpn, ``), NotSet},
	{"a guest of who knows where", policy(`"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest","externalTenants":{"membershipKind":"enumerated","members":["partner"]}}}`), request("guest", vpn, ``), Users},
	{"somebody described", policy(`"users":{"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider","externalTenants":{"membershipKind":"enumerated","members":["partner"]}}}`), request(external("serviceProvider", "PARTNER"), vpn, ``), NotSet},
	{"guests excluded", policy(`"users":{"includeUsers":["All"],"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest"}}`), request("guest", vpn, ``), Users},

	{"no application", policy(`"applications":{"includeApplications":["None"]}`), request("ada", vpn, ``), Application},
	{"every application needs none to be given", policy(``), request("ada", `"@odata.type":"#microsoft.graph.applicationContext","includeApplications":[]`, ``), NotSet},
	{"but one to be left out does", policy(`"applications":{"includeApplications":["All"],"excludeApplications":["` + vpn + `"]}`), request("ada", `"@odata.type":"#microsoft.graph.applicationContext","includeApplications":[]`, ``), Application},
	{"an application left out", policy(`"applications":{"includeApplications":["All"],"excludeApplications":["` + vpn + `"]}`), request("ada", vpn, ``), Application},
	{"a suite left out", policy(`"applications":{"includeApplications":["All"],"excludeApplications":["Office365"]}`), request("ada", sharePoint, ``), Application},
	{"a suite's name alone is not enough", policy(`"applications":{"includeApplications":["Office365"]}`), request("ada", "fake", ``), Application},
	{"the portals", policy(`"applications":{"includeApplications":["MicrosoftAdminPortals"]}`), request("ada", azure, ``), NotSet},
	{"one of two applications", policy(`"applications":{"includeApplications":["` + vpn + `"]}`), request("ada", `"@odata.type":"#microsoft.graph.applicationContext","includeApplications":["other","`+vpn+`"]`, ``), NotSet},
	{"by attribute", policy(`"applications":{"includeApplications":[],"applicationFilter":` + rules("include", `CustomSecurityAttribute.Access_Needs -contains "requireMFA"`) + `}`), request("ada", vpn, ``), NotSet},
	{"by attribute, item by item", policy(`"applications":{"includeApplications":[],"applicationFilter":` + rules("include", `CustomSecurityAttribute.Access_Needs -contains "require"`) + `}`), request("ada", vpn, ``), Application},
	{"left out by attribute", policy(`"applications":{"includeApplications":["All"],"applicationFilter":` + rules("exclude", `CustomSecurityAttribute.Access_Owner -eq "network"`) + `}`), request("ada", vpn, ``), Application},
	{"a rule about the wrong thing", policy(`"applications":{"includeApplications":["All"],"applicationFilter":` + rules("exclude", `device.model -eq "x"`) + `}`), request("ada", vpn, ``), InvalidCondition},

	{"an action", policy(`"applications":{"includeUserActions":["urn:user:registersecurityinfo"]}`), request("ada", `"@odata.type":"#microsoft.graph.userActionContext","userAction":"registerSecurityInformation"`, ``), NotSet},
	{"another action", policy(`"applications":{"includeUserActions":["urn:user:registersecurityinfo"]}`), request("ada", `"@odata.type":"#microsoft.graph.userActionContext","userAction":"registerOrJoinDevices"`, ``), UserActions},
	{"an application instead of an action", policy(`"applications":{"includeUserActions":["urn:user:registerdevice"]}`), request("ada", vpn, ``), UserActions},
	{"an action instead of an application", policy(``), request("ada", `"@odata.type":"#microsoft.graph.userActionContext","userAction":"registerOrJoinDevices"`, ``), Application},
	{"a context", policy(`"applications":{"includeAuthenticationContextClassReferences":["c1","c37"]}`), request("ada", `"@odata.type":"#microsoft.graph.authContext","authenticationContextValue":"c37"`, ``), NotSet},
	{"another context", policy(`"applications":{"includeAuthenticationContextClassReferences":["c1"]}`), request("ada", `"@odata.type":"#microsoft.graph.authContext","authenticationContextValue":"c2"`, ``), AuthenticationContext},

	{"a platform", policy(`"platforms":{"includePlatforms":["iOS","linux"]}`), request("ada", vpn, `"devicePlatform":"linux"`), NotSet},
	{"no platform given", policy(`"platforms":{"includePlatforms":["iOS"]}`), request("ada", vpn, ``), DevicePlatform},
	{"every platform", policy(`"platforms":{"includePlatforms":["all"]}`), request("ada", vpn, ``), NotSet},
	{"every platform but", policy(`"platforms":{"includePlatforms":["all"],"excludePlatforms":["iOS"]}`), request("ada", vpn, `"devicePlatform":"iOS"`), DevicePlatform},
	{"every platform but, none given", policy(`"platforms":{"includePlatforms":["all"],"excludePlatforms":["iOS"]}`), request("ada", vpn, `"devicePlatform":"all"`), DevicePlatform},

	{"a client", policy(`"clientAppTypes":["browser"]`), request("ada", vpn, `"clientAppType":"browser"`), NotSet},
	{"another client", policy(`"clientAppTypes":["exchangeActiveSync","other"]`), request("ada", vpn, `"clientAppType":"browser"`), ClientApps},
	{"no client given", policy(`"clientAppTypes":["browser"]`), request("ada", vpn, ``), ClientApps},

	{"an address", policy(`"locations":{"includeLocations":["office"]}`), request("ada", vpn, `"ipAddress":"203.0.113.255"`), NotSet},
	{"an address of the other family", policy(`"locations":{"includeLocations":["office"]}`), request("ada", vpn, `"ipAddress":"2001:db8:ffff::1"`), NotSet},
	{"an address in disguise", policy(`"locations":{"includeLocations":["office"]}`), request("ada", vpn, `"ipAddress":"::ffff:203.0.113.1"`), NotSet},
	{"the end of a range", policy(`"locations":{"includeLocations":["branch"]}`), request("ada", vpn, `"ipAddress":"198.51.100.20"`), NotSet},
	{"past the end of a range", policy(`"locations":{"includeLocations":["branch"]}`), request("ada", vpn, `"ipAddress":"198.51.100.21"`), AtLocation},
	{"everywhere", policy(`"locations":{"includeLocations":["All"]}`), request("ada", vpn, ``), NotSet},
	{"everywhere but trusted", policy(`"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`), request("ada", vpn, `"ipAddress":"203.0.113.1"`), AtLocation},
	{"everywhere but trusted, from elsewhere", policy(`"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`), request("ada", vpn, `"ipAddress":"198.51.100.15"`), NotSet},
	{"everywhere but trusted, from who knows where", policy(`"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`), request("ada", vpn, ``), AtLocation},
	{"the tenant's own network", policy(`"locations":{"includeLocations":["All"],"excludeLocations":["` + compliantNetwork + `"]}`), request("ada", vpn, `"country":"US"`), NotSet},
	{"a location that is gone", policy(`"locations":{"includeLocations":["gone"]}`), request("ada", vpn, `"country":"US"`), AtLocation},

	{"a device", policy(`"devices":{"deviceFilter":` + rules("include", `device.isCompliant -eq True -and device.operatingSystem -startsWith "win"`) + `}`), request("ada", vpn, `"deviceInfo":{"isCompliant":true,"operatingSystem":"Windows"}`), NotSet},
	{"a device left out", policy(`"devices":{"deviceFilter":` + rules("exclude", `device.trustType -eq "ServerAD"`) + `}`), request("ada", vpn, `"deviceInfo":{"trustType":"ServerAD"}`), Devices},
	{"an unregistered device, positive", policy(`"devices":{"deviceFilter":` + rules("include", `device.extensionAttribute1 -eq "SAW"`) + `}`), request("ada", vpn, `"deviceInfo":{}`), Devices},
	{"an unregistered device, positive, left out", policy(`"devices":{"deviceFilter":` + rules("exclude", `device.extensionAttribute1 -eq "SAW"`) + `}`), request("ada", vpn, `"deviceInfo":{}`), NotSet},
	{"an unregistered device, negative", policy(`"devices":{"deviceFilter":` + rules("include", `device.extensionAttribute1 -ne "SAW"`) + `}`), request("ada", vpn, `"deviceInfo":{}`), NotSet},
	{"no device given", policy(`"devices":{"deviceFilter":` + rules("exclude", `device.extensionAttribute1 -eq "SAW"`) + `}`), request("ada", vpn, ``), Devices},
	{"a rule that is none", policy(`"devices":{"deviceFilter":` + rules("exclude", `device.model like "x"`) + `}`), request("ada", vpn, ``), InvalidCondition},
	{"a mode that is none", policy(`"devices":{"deviceFilter":` + rules("maybe", `device.model -eq "x"`) + `}`), request("ada", vpn, ``), InvalidCondition},

	{"no risk is a level of sign-ins", policy(`"signInRiskLevels":["none"]`), request("ada", vpn, `"signInRiskLevel":"none"`), NotSet},
	{"user risk", policy(`"userRiskLevels":["high"]`), request("ada", vpn, `"userRiskLevel":"medium"`), UserRisk},
	{"insider risk", policy(`"insiderRiskLevels":"minor,elevated"`), request("ada", vpn, `"insiderRiskLevel":"elevated"`), NotSet},
	{"another insider risk", policy(`"insiderRiskLevels":"minor,elevated"`), request("ada", vpn, `"insiderRiskLevel":"moderate"`), InsiderRisk},
	{"a flow", policy(`"authenticationFlows":{"transferMethods":"deviceCodeFlow,authenticationTransfer"}`), request("ada", vpn, `"authenticationFlow":{"transferMethod":"deviceCodeFlow"}`), NotSet},
	{"no flow", policy(`"authenticationFlows":{"transferMethods":"deviceCodeFlow"}`), request("ada", vpn, ``), AuthenticationFlow},

	{"a workload identity", policy(`"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`), request(principal("sp-vpn"), sharePoint, ``), NotSet},
	{"a managed identity", policy(`"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`), request(principal("sp-managed"), sharePoint, ``), WorkloadIdentities},
	{"another tenant's", policy(`"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`), request(principal("sp-foreign"), sharePoint, ``), WorkloadIdentities},
	{"a workload identity left out", policy(`"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"],"servicePrincipalFilter":` + rules("exclude", `CustomSecurityAttribute.Access_Owner -eq "Network"`) + `}`), request(principal("sp-vpn"), sharePoint, ``), WorkloadIdentities},
	{"a workload identity's risk", policy(`"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["sp-vpn"]},"servicePrincipalRiskLevels":["high"]`), request(principal("sp-vpn"), sharePoint, `"servicePrincipalRiskLevel":"low"`), SignInRisk},
	{"a policy for users", policy(``), request(principal("sp-vpn"), sharePoint, ``), WorkloadIdentities},
	{"a policy for workload identities", policy(`"users":{"includeUsers":["None"]},"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]}`), request("ada", sharePoint, ``), Users},
}

func TestEvaluate(t *testing.T) {
	w := theWorld(t)
	for _, c := range cases {
		got, err := Evaluate(w, []json.RawMessage{json.RawMessage(c.policy)}, []byte(c.request))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if want := (Result{c.want == NotSet, c.want}); got[0] != want {
			t.Errorf("%s: %+v, want %+v\n%s\n%s", c.name, got[0], want, c.policy, c.request)
		}
	}
}

// The first condition in the service's order is the one that is named.
func TestFirstReason(t *testing.T) {
	parts := []struct {
		want   Reason
		policy string
	}{
		{Users, `"users":{"includeUsers":["bob"]}`}, {Application, `"applications":{"includeApplications":["None"]}`},
		{DevicePlatform, `"platforms":{"includePlatforms":["iOS"]}`}, {Devices, `"devices":{"deviceFilter":` + rules("include", `device.model -eq "x"`) + `}`},
		{ClientApps, `"clientAppTypes":["other"]`}, {AtLocation, `"locations":{"includeLocations":["office"]}`}, {SignInRisk, `"signInRiskLevels":["high"]`},
		{UserRisk, `"userRiskLevels":["high"]`}, {InsiderRisk, `"insiderRiskLevels":"minor"`}, {AuthenticationFlow, `"authenticationFlows":{"transferMethods":"deviceCodeFlow"}`},
	}
	w := theWorld(t)
	for first := range parts {
		var all []string
		for _, p := range parts[first:] {
			all = append(all, p.policy)
		}
		got, err := Evaluate(w, []json.RawMessage{json.RawMessage(policy(strings.Join(all, ",")))}, []byte(request("ada", vpn, ``)))
		if err != nil || got[0].Reason != parts[first].want {
			t.Errorf("from %s on: %v %v", parts[first].want, got, err)
		}
	}
}

func TestCompliantNetwork(t *testing.T) {
	p, err := ReadPolicy([]byte(policy(`"locations":{"includeLocations":["All"],"excludeLocations":["` + compliantNetwork + `"]}`)))
	if err != nil {
		t.Fatal(err)
	}
	s := SignIn{UserID: "ada", Applications: []string{vpn}, CompliantNetwork: true}
	if got := p.Judge(theWorld(t), &s); got.Reason != AtLocation {
		t.Errorf("from the tenant's own network: %v", got)
	}
}

func TestRules(t *testing.T) {
	device := Device{
		"deviceId": "4D0B", "displayName": "SAW-7 (lab) \"x\"", "ownership": "Company", "isCompliant": false, "model": "Surface Pro", "trustType": "AzureAD",
		"operatingSystemVersion": "10.0.22000", "physicalIds": []string{"[ZTDId]:7", "[GID]:8"}, "extensionAttribute15": "last",
	}
	for rule, want := range map[string]bool{
		`device.deviceid -eq "4d0b"`:                                                                                true,
		`(device.deviceOwnership -eq "company")`:                                                                    true,
		`device.isCompliant -eq "False"`:                                                                            true,
		`device.isCompliant -ne true`:                                                                               true,
		`device.model -notContains "surface"`:                                                                       false,
		`device.model -endsWith "PRO"`:                                                                              true,
		`device.model notStartsWith "x" and device.model ne "y"`:                                                    true,
		`device.physicalIds -contains "[ztdid]:7"`:                                                                  true,
		`device.physicalIds -contains "[ZTDId]"`:                                                                    false,
		`device.physicalIds -notContains "[ZTDId]"`:                                                                 true,
		`device.systemLabels -contains "M365Managed"`:                                                               false,
		`device.systemLabels -notContains "M365Managed"`:                                                            true,
		`device.operatingSystemVersion -in ["10.0.19041", "10.0.22000"]`:                                            true,
		`device.mdmAppId -notIn ["a"]`:                                                                              true,
		`device.mdmAppId -in ["a"]`:                                                                                 false,
		`device.manufacturer -eq null`:                                                                              true,
		`device.manufacturer -ne $null`:                                                                             false,
		`device.manufacturer -eq ""`:                                                                                false,
		"device.displayName -contains \"(lab) `\"x`\"\"":                                                            true,
		`device.extensionAttribute15 -eq "LAST"`:                                                                    true,
		`-not device.trustType -eq "ServerAD"`:                                                                      true,
		`-not (device.trustType -eq "AzureAD" -or device.model -eq "x")`:                                            false,
		`device.model -eq "x" -or device.trustType -eq "AzureAD" -and device.deviceId -eq "4d0b"`:                   true,
		`device.trustType -eq "AzureAD" -or device.trustType -eq "AzureAD" -and device.model -eq "x"`:               true,
		`(device.trustType -eq "AzureAD" -or device.trustType -eq "AzureAD") -and device.model -eq "x"`:             false,
		strings.Repeat("(", 40) + `device.trustType -eq "AzureAD"` + strings.Repeat(")", 40):                        true,
		`device.trustType -eq "AzureAD" -and not (device.deviceId -in ["1","2"]) -and device.isCompliant -eq False`: true,
		`device.operatingSystemVersion -startsWith "10.0" -AND device.ISCOMPLIANT -EQ FALSE`:                        true,
		`device.enrollmentProfileName -notEndsWith "x" -and device.enrollmentProfileName -notContains "x" -and device.profileType -ne "Printer"`: true,
	} {
		r, err := readRule(rule)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		if got := r.holds(device.attribute); got != want {
			t.Errorf("%s: %v", rule, got)
		}
	}
	for _, rule := range []string{
		``, `device`, `device.model`, `device.model -eq`, `device.model -eq x`, `device.model "eq" "x"`, `device.model -like "x"`, `device.model -match "x"`, `device.colour -eq "x"`,
		`user.department -eq "x"`, `device.deviceId -startsWith "x"`, `device.trustType -in ["AzureAD"]`, `device.physicalIds -eq "x"`, `device.isCompliant -eq "Yes"`,
		`device.model -in "x"`, `device.model -in ["x"`, `device.model -in []`, `device.model -in ["x" "y"]`, `device.model -in [null]`, `device.model -contains null`,
		`device.model -eq "x`, `(device.model -eq "x"`, `device.model -eq "x")`, `device.model -eq "x" -and`, `-and device.model -eq "x"`, `device.model -eq "x" device.model -eq "y"`,
		`device.model -eq "x" -and CustomSecurityAttribute.A_B -eq "x"`, `CustomSecurityAttribute.A -eq "x"`, `"device.model" -eq "x"`, `device.extensionAttribute16 -eq "x"`,
		strings.Repeat("(", 200) + `device.model -eq "x"` + strings.Repeat(")", 200), `device.model -eq "` + strings.Repeat("x", maxRule) + `"`,
	} {
		if _, err := readRule(rule); err == nil {
			t.Errorf("%.100q was taken for a rule", rule)
		}
	}
}

func TestReadRequestRefuses(t *testing.T) {
	user, app := `{"@odata.type":"#microsoft.graph.userSignIn","userId":"ada"}`, `{"@odata.type":"#microsoft.graph.applicationContext","includeApplications":["x"]}`
	for body, want := range map[string]string{
		``:   "no JSON object",
		`[]`: "no JSON object",
		`{"signInContext":` + app + `,"signInConditions":{}}`:                                                                  "'signInIdentity' is required",
		`{"signInIdentity":` + user + `,"signInConditions":{}}`:                                                                "'signInContext' is required",
		`{"signInIdentity":` + user + `,"signInContext":` + app + `}`:                                                          "'signInConditions' is required",
		`{"signInIdentity":{"userId":"ada"},"signInContext":` + app + `,"signInConditions":{}}`:                                "'@odata.type' is needed for 'signInIdentity'",
		`{"signInIdentity":` + user + `,"signInContext":{"includeApplications":["x"]},"signInConditions":{}}`:                  "'@odata.type' is needed for 'signInContext'",
		`{"conditionalAccessWhatIfSubject":{},"conditionalAccessContext":{},"conditionalAccessWhatIfConditions":{}}`:           "not a valid parameter",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.agentSignIn"},"signInContext":` + app + `,"signInConditions":{}}`:  "'agentSignIn' is no type",
		`{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn"},"signInContext":` + app + `,"signInConditions":{}}`:   "'userId' of 'signInIdentity' is required",
		`{"signInIdentity":` + user + `,"signInContext":` + app + `,"signInConditions":{"devicePlatform":"chromeOS"}}`:         "'chromeOS' is not a value for 'devicePlatform'",
		`{"signInIdentity":` + user + `,"signInContext":` + app + `,"signInConditions":{"ipAddress":"300.1.1.1"}}`:             "'300.1.1.1' is not a valid address",
		`{"signInIdentity":` + user + `,"signInContext":` + app + `,"signInConditions":{"colour":"red"}}`:                      "'colour' does not exist",
		`{"signInIdentity":` + user + `,"signInContext":` + app + `,"signInConditions":{"deviceInfo":{"isCompliant":"yes"}}}`:  "'isCompliant' to the expected type 'Edm.Boolean'",
		`{"signInIdentity":` + user + `,"signInContext":` + app + `,"signInConditions":{},"appliedPoliciesOnly":"yes"}`:        "'appliedPoliciesOnly'",
		`{"signInIdentity":` + user + `,"signInContext":{"@odata.type":"#microsoft.graph.authContext"},"signInConditions":{}}`: "'authenticationContextValue' of 'signInContext' is required",
	} {
		if _, err := ReadRequest([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
	r, err := ReadRequest([]byte(`{"signInIdentity":` + user + `,"signInContext":` + app + `,"signInConditions":{"devicePlatform":"IOS","deviceInfo":null,"authenticationFlow":{"@odata.type":"x","transferMethod":"devicecodeflow"}},"appliedPoliciesOnly":true}`))
	if err != nil || !r.AppliedOnly || r.SignIn.Platform != "iOS" || r.SignIn.Device != nil || r.SignIn.TransferMethod != "deviceCodeFlow" {
		t.Errorf("%+v %v", r, err)
	}
}

func FuzzRule(f *testing.F) {
	f.Add(`device.model -eq "x" -or -not (device.mdmAppId -in ["a","b"])`)
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := readRule(text); err == nil {
			r.holds(Device{"model": "x"}.attribute)
		}
	})
}
