package graphsim

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/graphsim/oauth"
)

// documented are requests of Microsoft's pages and of programs that are used
// with the real service; {user} and the like are filled in from the tenant.
// want must stand in the answer.
var documented = []struct {
	method, path, body string
	eventual           bool
	status             int
	want               string
}{
	// Risk.
	{method: "GET", path: "/identityProtection/riskyUsers", want: `#identityProtection/riskyUsers"`},
	{method: "GET", path: "/identityProtection/riskyUsers?$filter=riskLevel eq microsoft.graph.riskLevel'medium'", want: `"value":[`},
	{method: "GET", path: "/identityProtection/riskyUsers?$filter=riskState eq microsoft.graph.riskState'atRisk' and riskLevel ne 'low'&$select=id,riskLevel&$top=5", want: `(id,riskLevel)`},
	{method: "GET", path: "/identityProtection/riskyUsers/{risky}", want: `"riskState":`},
	{method: "GET", path: "/identityProtection/riskyUsers/{risky}/history", want: `"initiatedBy":`},
	{method: "GET", path: "/identityProtection/riskDetections?$filter=riskLevel eq 'high'&$top=500", want: `"value":[`},
	{method: "GET", path: "/identityProtection/riskDetections?$filter=riskEventType eq 'unfamiliarFeatures' or riskLevel eq 'medium'", want: `"riskEventType":`},
	{method: "GET", path: "/identityProtection/riskyServicePrincipals?$count=true&$top=1", want: `"@odata.count":`},
	{method: "GET", path: "/identityProtection/servicePrincipalRiskDetections?$filter=riskState eq 'atRisk'", want: `"value":[`},
	{method: "POST", path: "/identityProtection/riskyUsers/dismiss", body: `{"userIds":["{risky}"]}`, status: 204},
	{method: "POST", path: "/identityProtection/riskyUsers/confirmCompromised", body: `{"userIds":["{risky}"]}`, status: 204},
	// Conditional Access.
	{method: "GET", path: "/identity/conditionalAccess/policies?$filter=state eq 'enabled'&$orderby=displayName&$count=true", want: `"@odata.count":`},
	{method: "POST", path: "/identity/conditionalAccess/policies", status: 201, want: `"excludeLocations":["AllTrusted"]`, body: `{"displayName":"Access to EXO requires MFA","state":"enabledForReportingButNotEnforced",
		"conditions":{"clientAppTypes":["mobileAppsAndDesktopClients","browser"],"applications":{"includeApplications":["00000002-0000-0ff1-ce00-000000000000"]},"users":{"includeGroups":["{group}"]},"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}},
		"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`},
	{method: "POST", path: "/identity/conditionalAccess/policies", status: 201, want: `"servicePrincipalRiskLevels":`, body: `{"displayName":"A provider's body","state":"disabled",
		"conditions":{"applications":{"includeApplications":["All"],"excludeApplications":[],"includeUserActions":[]},"clientApplications":null,"clientAppTypes":["all"],"devices":null,"locations":null,"platforms":null,
			"servicePrincipalRiskLevels":[],"signInRiskLevels":[],"userRiskLevels":[],
			"users":{"includeUsers":["All"],"excludeUsers":[],"includeGroups":[],"excludeGroups":[],"includeRoles":[],"excludeRoles":["{role}"]}},
		"grantControls":{"operator":"OR","builtInControls":["block"],"customAuthenticationFactors":[],"termsOfUse":[]},"sessionControls":null}`},
	{method: "POST", path: "/identity/conditionalAccess/policies", status: 201, want: `"signInFrequency":{`, body: `{"@odata.type":"#microsoft.graph.conditionalAccessPolicy","displayName":"Sessions","state":"disabled",
		"conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]},"clientAppTypes":["all"]},
		"sessionControls":{"signInFrequency":{"isEnabled":true,"type":"hours","value":10,"authenticationType":"primaryAndSecondaryAuthentication","frequencyInterval":"timeBased"},"persistentBrowser":{"isEnabled":true,"mode":"never"}}}`},
	{method: "POST", path: "/identity/conditionalAccess/namedLocations", status: 201, want: `"64:ff9b::/96"`, body: `{"@odata.type":"#microsoft.graph.ipNamedLocation","displayName":"Addresses","isTrusted":false,
		"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"1.1.1.1/32"},{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"64:ff9b::/96"}]}`},
	{method: "POST", path: "/identity/conditionalAccess/namedLocations", status: 201, want: `"includeUnknownCountriesAndRegions":true`, body: `{"@odata.type":"#microsoft.graph.countryNamedLocation","displayName":"Places","countriesAndRegions":["US","GB"],"includeUnknownCountriesAndRegions":true}`},
	{method: "GET", path: "/identity/conditionalAccess/namedLocations?$filter=isof('microsoft.graph.countryNamedLocation')", want: `"countriesAndRegions":`},
	{method: "GET", path: "/policies/authenticationStrengthPolicies?$filter=policyType eq 'builtIn'", want: `Phishing-resistant MFA`},
	{method: "GET", path: "/policies/authenticationStrengthPolicies?$filter=allowedCombinations/any(x:x has 'sms, password')&$select=displayName", want: `"value":[{"displayName":"Multifactor authentication"}]`},
	{method: "GET", path: "/policies/authenticationStrengthPolicies/00000000-0000-0000-0000-000000000002/usage", want: `"mfa":`},
	{method: "GET", path: "/identity/conditionalAccess/authenticationStrength/authenticationMethodModes", want: `"fido2"`},
	{method: "GET", path: "/identity/conditionalAccess/authenticationContextClassReferences?$filter=isAvailable eq true", want: `"c1"`},
	{method: "GET", path: "/identity/conditionalAccess/templates?$filter=scenarios has microsoft.graph.templateScenarios'secureFoundation'", want: `"scenarios":`},
	{method: "POST", path: "/identity/conditionalAccess/evaluate", want: `"policyApplies":true,"analysisReasons":"notSet"`, body: `{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"{user}"},
		"signInContext":{"@odata.type":"#microsoft.graph.applicationContext","includeApplications":["00000003-0000-0ff1-ce00-000000000000"]},
		"signInConditions":{"devicePlatform":"android","clientAppType":"browser","signInRiskLevel":"high","userRiskLevel":"high","country":"US","ipAddress":"40.77.182.32","insiderRiskLevel":"elevated",
			"authenticationFlow":{"transferMethod":"deviceCodeFlow"},"deviceInfo":{"isCompliant":true}},"appliedPoliciesOnly":true}`},
	{method: "POST", path: "/identity/conditionalAccess/evaluate", want: `"analysisReasons":"application"`, body: `{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"{user}"},
		"signInContext":{"@odata.type":"#microsoft.graph.authContext","authenticationContextValue":"c37"},
		"signInConditions":{"devicePlatform":"windows","clientAppType":"mobileAppsAndDesktopClients","signInRiskLevel":"medium","userRiskLevel":"none","country":"US","ipAddress":"40.77.182.32","insiderRiskLevel":"moderate",
			"authenticationFlow":{"transferMethod":"authenticationTransfer"},"deviceInfo":{"profileType":"Standard"}}}`},
	{method: "POST", path: "/identity/conditionalAccess/evaluate", want: `#Collection(microsoft.graph.whatIfAnalysisResult)"`, body: `{"signInIdentity":{"@odata.type":"#microsoft.graph.userSignIn","userId":"{user}"},
		"signInContext":{"@odata.type":"#microsoft.graph.userActionContext","userAction":"registerSecurityInformation"},
		"signInConditions":{"devicePlatform":"macOS","clientAppType":"browser","signInRiskLevel":"low","userRiskLevel":"high","servicePrincipalRiskLevel":"none","country":"CA","ipAddress":"40.77.182.32","insiderRiskLevel":"minor",
			"authenticationFlow":{"transferMethod":"deviceCodeFlow"},"deviceInfo":{"trustType":"EntraID"}},"appliedPoliciesOnly":true}`},
	{method: "POST", path: "/identity/conditionalAccess/evaluate", status: 400, want: `conditionalAccessWhatIfConditions`, body: `{"conditionalAccessWhatIfSubject":{"@odata.type":"#microsoft.graph.userSubject","userId":"{user}"},"conditionalAccessWhatIfConditions":{}}`},
	// The log.
	{method: "GET", path: "/auditLogs/directoryAudits?$filter=loggedByService eq 'Conditional Access' and activityDateTime ge 2026-11-01T00:00:00Z&$top=999&$orderby=activityDateTime desc", want: `"activityDisplayName":"Add named location"`},
	{method: "GET", path: "/auditLogs/directoryAudits?$filter=targetResources/any(t: t/displayName eq 'Access to EXO requires MFA')", want: `"activityDisplayName":"Add conditional access policy"`},
	{method: "GET", path: "/auditLogs/directoryAudits?$filter=startswith(activityDisplayName,'Dismiss')", want: `"initiatedBy":{"user":null,"app":{`},
	{method: "GET", path: "/auditLogs/signIns?$filter=createdDateTime ge 2026-11-10T00:00:00Z and createdDateTime le 2026-11-20T00:00:00Z&$top=5", want: `$skiptoken=`},
	{method: "GET", path: "/auditLogs/signIns?$filter=startsWith(appDisplayName,'Office 365')&$orderby=createdDateTime&$top=10", want: `"enforcedGrantControls":["Mfa"]`},
	{method: "GET", path: "/auditLogs/signIns?$filter=userId eq '{user}' and createdDateTime ge 2026-11-01T00:00:00Z", want: `#auditLogs/signIns"`},
	{method: "POST", path: "/auditLogs/signIns/confirmSafe", body: `{"requestIds":["00000000-1111-4000-8000-000000000000"]}`, status: 400, want: `These requestIds do not exist in your tenant or they are not risky`},
	{method: "POST", path: "/users/{user}/revokeSignInSessions", want: `#Edm.Boolean","value":true`},
	{method: "POST", path: "/groups/{group}/members/$ref", body: `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/{user}"}`, status: 400, want: `'members'`},
	{method: "DELETE", path: "/groups/{group}/members/{user}/$ref", status: 204},
	{method: "POST", path: "/groups/{group}/members/$ref", body: `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/{user}"}`, status: 204},
	// People.
	{method: "GET", path: "/users?$select=displayName,id&$filter=identities/any(c:c/issuerAssignedId eq '{upn}' and c/issuer eq 'contoso.onmicrosoft.com')", want: `"{user}"`},
	{method: "GET", path: "/users?$select=id,lastPasswordChangeDateTime", want: `"lastPasswordChangeDateTime":"`},
	{method: "GET", path: "/users?$select=id,signInActivity", want: `"signInActivity":null`},
	{method: "GET", path: "/users?$count=true&$filter=endsWith(userPrincipalName,'contoso.com')&$orderby=userPrincipalName&$select=id", eventual: true, want: `"@odata.count":`},
	{method: "GET", path: `/users?$search="displayName:ada"&$orderby=displayName&$count=true`, eventual: true, want: `"@odata.count":`},
	{method: "GET", path: "/users/$count", eventual: true},
	{method: "GET", path: "/users?$filter=assignedLicenses/$count eq 0&$count=true", eventual: true, want: `"@odata.count":`},
	{method: "GET", path: "/users?$expand=manager($select=id,displayName)&$select=id", want: `"manager":{"@odata.type":"#microsoft.graph.user","displayName":`},
	{method: "GET", path: "/users/{user}?$expand=manager($levels=max;$select=id,displayName)&$select=id,accountEnabled&$count=true", eventual: true, want: `"manager":{`},
	{method: "GET", path: "/users/{upn}?$select=consentProvidedForMinor,aboutMe,mailboxSettings", want: `"consentProvidedForMinor":null`},
	{method: "GET", path: "/users/{user}?$expand=memberOf", want: `"memberOf":[`},
	{method: "GET", path: "/users/{user}/manager", want: `"@odata.type":"#microsoft.graph.user"`},
	{method: "GET", path: "/users/{chief}/directReports", want: `"@odata.type":"#microsoft.graph.user"`},
	{method: "GET", path: "/users/{user}/transitiveMemberOf/microsoft.graph.group?$count=true", eventual: true, want: `"@odata.count":`},
	{method: "POST", path: "/users/{user}/checkMemberGroups", body: `{"groupIds":["{group}"]}`, want: `#Collection(Edm.String)`},
	{method: "POST", path: "/users/{user}/getMemberGroups", body: `{"securityEnabledOnly":true}`, want: `#Collection(Edm.String)`},
	// Groups, applications.
	{method: "GET", path: "/groups?$select=id,assignedLabels", want: `"assignedLabels":[]`},
	{method: "GET", path: "/groups?$expand=members($select=id)&$select=id&$top=3", want: `(id,members(id))`},
	{method: "GET", path: "/groups?$filter=NOT groupTypes/any(c:c eq 'Unified')&$count=true", eventual: true, want: `"@odata.count":`},
	{method: "GET", path: "/groups/{group}?$select=accessType,unseenCount,isArchived", want: `"accessType":null`},
	{method: "GET", path: "/groups/{group}/members?$top=5&$select=id", want: `#directoryObjects(id)`},
	{method: "GET", path: "/groups/{group}/transitiveMembers/$count", eventual: true},
	{method: "GET", path: "/groups/{group}/transitiveMembers/microsoft.graph.user?$count=true&$orderby=displayName&$search=\"displayName:a\"&$select=displayName,id", eventual: true, want: `"@odata.count":`},
	{method: "GET", path: "/servicePrincipals?$select=id,verifiedPublisher", want: `"verifiedPublisher":null`},
	{method: "GET", path: "/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')?$expand=owners,appRoleAssignments", want: `"owners":[]`},
	{method: "GET", path: "/servicePrincipals?$filter=appRoles/any(a:a/value eq 'User.Read')", want: `"value":[]`},
	{method: "GET", path: "/applications?$select=id,appId,displayName&$expand=owners", want: `"owners":[]`},
	// Roles.
	{method: "GET", path: "/roleManagement/directory/roleAssignments?$top=999", want: `#roleManagement/directory/roleAssignments"`},
	{method: "GET", path: "/roleManagement/directory/roleAssignments?$expand=directoryScope", want: `"directoryScope":null`},
	{method: "GET", path: "/roleManagement/directory/roleAssignments?$filter=roleDefinitionId eq '{role}'&$expand=principal", want: `#roleManagement/directory/roleAssignments(principal())`},
	{method: "GET", path: "/roleManagement/directory/roleAssignments?$expand=principal", want: `"accountEnabled":true`},
	{method: "GET", path: "/roleManagement/directory/roleDefinitions?$filter=isBuiltIn eq true", want: `"a92aed5d-d78a-4d16-b381-09adb37eb3b0"`},
	{method: "GET", path: "/roleManagement/directory/roleEligibilityScheduleInstances?$expand=principal,roleDefinition", want: `"roleDefinition":{`},
	{method: "GET", path: "/directoryRoles(roleTemplateId='{role}')/members", want: `"@odata.type":`},
	{method: "GET", path: "/directoryRoleTemplates", want: `"59d46f88-662b-457b-bceb-5c3809e5908f"`},
	// The rest of the directory.
	{method: "POST", path: "/directoryObjects/getByIds", body: `{"ids":["{user}","{group}"],"types":["user","group","device"]}`, want: `"@odata.type":"#microsoft.graph.group"`},
	{method: "GET", path: "/organization?$select=id,verifiedDomains,partnerTenantType", want: `"partnerTenantType":null`},
	{method: "GET", path: "/subscribedSkus", want: `"servicePlans":`},
	{method: "GET", path: "/identityGovernance/termsOfUse/agreements", want: `"isViewingBeforeAcceptanceRequired":`},
	{method: "GET", path: "/policies/identitySecurityDefaultsEnforcementPolicy", want: `"isEnabled":false`},
	{method: "POST", path: "/$batch", body: `{"requests":[{"id":"1","method":"GET","url":"/users/{user}?$select=id"},{"id":"2","dependsOn":["1"],"method":"GET","url":"/groups?$top=1&$select=id"}]}`, want: `"status":200`},
	// What the service refuses.
	{method: "GET", path: "/users?$select=id,aboutMe", status: 501, want: `aboutMe`},
	{method: "GET", path: "/users?$select=id,favouriteColour", status: 400, want: `Could not find a property named 'favouriteColour' on type 'microsoft.graph.user'`},
	{method: "GET", path: "/users?$expand=messages", status: 400, want: `cannot be expanded`},
	{method: "GET", path: "/policies/activityBasedTimeoutPolicies", status: 400, want: `Resource not found for the segment 'activityBasedTimeoutPolicies'.`},
	{method: "GET", path: "/users/{user}/messages", status: 400, want: `Resource not found for the segment 'messages'.`},
	{method: "GET", path: "/deviceManagement/managedDevices", status: 400, want: `Resource not found for the segment 'deviceManagement'.`},
	{method: "GET", path: "/me", status: 400, want: `/me request is only valid with delegated authentication flow.`},
	{method: "GET", path: "/me/memberOf", status: 400, want: `/me request is only valid with delegated authentication flow.`},
}

func TestDocumentedRequests(t *testing.T) {
	s := world(t, Options{Seed: 3, Users: 60, Detections: 200, Policies: 4, SignIns: 200})
	first := func(path, member string) string {
		rows := s.all(path)
		if len(rows) == 0 {
			t.Fatalf("%s is empty", path)
		}
		text, _ := rows[0][member].(string)
		return text
	}
	upn := "ada@contoso.com"
	names := strings.NewReplacer(
		"{upn}", upn, "{user}", first("/v1.0/users?$filter=userPrincipalName+eq+'"+upn+"'", "id"), "{chief}", "ceo@contoso.com",
		"{group}", first("/v1.0/groups?$filter=displayName+eq+'VPN+Users'", "id"),
		"{risky}", first("/v1.0/identityProtection/riskyUsers?$filter=riskState+eq+'atRisk'+and+isDeleted+eq+false", "id"),
		"{role}", "62e90394-69f5-4237-9190-012177145e10",
	)
	for _, d := range documented {
		path, query, _ := strings.Cut(names.Replace(d.path), "?")
		if query != "" {
			var parts []string
			for part := range strings.SplitSeq(query, "&") {
				name, value, _ := strings.Cut(part, "=")
				parts = append(parts, name+"="+url.QueryEscape(value))
			}
			query = "?" + strings.Join(parts, "&")
		}
		var header []string
		if d.eventual {
			header = []string{"ConsistencyLevel", "eventual"}
		}
		status := d.status
		if status == 0 {
			status = 200
		}
		r := s.do(d.method, "/v1.0"+path+query, names.Replace(d.body), header...)
		if r.status != status || !strings.Contains(r.body, names.Replace(d.want)) {
			t.Errorf("%s %s got %d %.600s, want %d with %s", d.method, d.path, r.status, r.body, status, d.want)
		}
	}
}

// Tokens can be had for every resource that the tenant has, and Graph takes
// only its own.
func TestTokensForOtherResources(t *testing.T) {
	s := world(t, Options{Seed: 1, Users: 5})
	ask := func(tenant, path, field, resource string) (string, reply) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.tenant.ClientID()}, "client_secret": {s.tenant.ClientSecret()}, field: {resource}}
		r := s.do("POST", "/"+tenant+path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		var out struct {
			Token string `json:"access_token"`
		}
		_ = json.Unmarshal([]byte(r.body), &out) // an empty token says so
		return out.Token, r
	}
	claims := func(token string) map[string]any {
		var m map[string]any
		if parts := strings.Split(token, "."); len(parts) == 3 {
			_ = json.Unmarshal(segment(parts[1]), &m) // nil says so
		}
		return m
	}
	for _, resource := range []string{"https://management.core.windows.net/", "https://management.azure.com", "https://management.azure.com/", "797f4846-ba00-4fd7-ba43-dac1f8f63013", "https://vault.azure.net"} {
		token, r := ask(s.tenant.TenantID(), "/oauth2/v2.0/token", "scope", resource+"/.default")
		c := claims(token)
		if r.status != 200 || c["aud"] != resource || c["appid"] != s.tenant.ClientID() || c["app_displayname"] != "risk-sweeper" || c["azp"] != nil || c["roles"] != nil {
			t.Errorf("%s: %d %s %v", resource, r.status, r.body, c)
		}
		if r := s.get("/v1.0/users", "Authorization", "Bearer "+token); r.status != 401 {
			t.Errorf("Graph takes a token for %s: %d", resource, r.status)
		}
	}
	if _, r := ask(s.tenant.TenantID(), "/oauth2/v2.0/token", "scope", "https://nobody.example/.default"); r.status != 400 || !strings.Contains(r.body, "AADSTS500011") {
		t.Errorf("an unknown resource: %d %s", r.status, r.body)
	}
	// A federated authority: discovery leads to its one token endpoint.
	if r := s.get("/adfs/.well-known/openid-configuration"); r.status != 200 || !strings.Contains(r.body, s.url+"/adfs/oauth2/token") {
		t.Errorf("adfs discovery: %d %s", r.status, r.body)
	}
	token, r := ask("adfs", "/oauth2/token", "scope", oauth.GraphRoots()["global"]+"/.default openid")
	if r.status != 200 || strings.Contains(r.body, `"expires_in":"`) || s.get("/v1.0/users?$top=1", "Authorization", "Bearer "+token).status != 200 {
		t.Errorf("adfs: %d %s", r.status, r.body)
	}
	if c := claims(token); c["ver"] != "1.0" || c["appid"] == nil || c["azp"] != nil || c["roles"] == nil {
		t.Errorf("claims %v", c)
	}
}

func segment(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
