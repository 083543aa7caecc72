package policy

import "github.com/risksweep/risksweep/internal/entra"

// policySchema is graph conditionalAccessPolicy, v1.0.
var policySchema = complete(Member{Name: "conditionalAccessPolicy", Shape: Object, Members: members(
	readOnly("id", "templateId", "createdDateTime", "modifiedDateTime", "deletedDateTime"),
	beta("partialEnablementStrategy"),
	[]Member{
		{Name: "displayName", Shape: Text, Required: true, Doc: "name of the policy, unique within the baseline"},
		{Name: "description", Shape: Text, Nullable: true, Doc: "free text"},
		{Name: "state", Shape: Enum, Required: true, Values: []string{StateEnabled, StateDisabled, StateReportOnly},
			Doc: "report-only is enabledForReportingButNotEnforced"},
		{Name: "conditions", Shape: Object, Required: true, Members: conditionMembers, Doc: "what a sign-in must be for the policy to apply"},
		{Name: "grantControls", Shape: Object, Nullable: true, Members: grantMembers, Doc: "what a sign-in must fulfil, or block"},
		{Name: "sessionControls", Shape: Object, Nullable: true, Members: sessionMembers, Doc: "what holds during the session; a control that is not enabled counts as absent"},
	},
)})

var riskLevels = []string{"low", "medium", "high", "none", "hidden"}

var conditionMembers = members([]Member{
	{Name: "applications", Shape: Object, Nullable: true, Members: members([]Member{
		list("includeApplications", entra.KindApplication, "app ids or names, or a special word", WordAll, WordNone, "Office365", "MicrosoftAdminPortals").betaWords("AllAgentIdResources"),
		list("excludeApplications", entra.KindApplication, "app ids or names", "Office365", "MicrosoftAdminPortals").betaWords("AllAgentIdResources"),
		{Name: "includeUserActions", Shape: Text, List: true, Lower: true, Words: []string{"urn:user:registersecurityinfo", "urn:user:registerdevice"}, Doc: "user actions instead of applications"},
		{Name: "includeAuthenticationContextClassReferences", Shape: Text, List: true, Lower: true, Ref: entra.KindContext, Doc: "authentication contexts c1 to c99 instead of applications"},
		{Name: "applicationFilter", Shape: Object, Nullable: true, Members: filterMembers, Doc: "filter on custom security attributes of applications"},
	}, beta("networkAccess", "globalSecureAccess")), Doc: "which applications, user actions or authentication contexts"},
	{Name: "users", Shape: Object, Nullable: true, Members: []Member{
		list("includeUsers", entra.KindUser, "UPNs or ids, or a special word", WordAll, WordNone, WordGuests).betaWords("AllAgentIdUsers"),
		list("excludeUsers", entra.KindUser, "UPNs or ids; break-glass users are added", WordGuests).betaWords("AllAgentIdUsers"),
		list("includeGroups", entra.KindGroup, "group names or ids"),
		list("excludeGroups", entra.KindGroup, "group names or ids; break-glass groups are added"),
		list("includeRoles", entra.KindRole, "role names or role template ids"),
		list("excludeRoles", entra.KindRole, "role names or role template ids"),
		{Name: "includeGuestsOrExternalUsers", Shape: Object, Nullable: true, Members: guestMembers, Doc: "kinds of guest"},
		{Name: "excludeGuestsOrExternalUsers", Shape: Object, Nullable: true, Members: guestMembers, Doc: "kinds of guest"},
	}, Doc: "which people"},
	{Name: "clientApplications", Shape: Object, Nullable: true, Members: members([]Member{
		list("includeServicePrincipals", entra.KindServicePrincipal, "service principal names or object ids, or ServicePrincipalsInMyTenant", WordOwnTenant, WordNone),
		list("excludeServicePrincipals", entra.KindServicePrincipal, "service principal names or object ids"),
		{Name: "servicePrincipalFilter", Shape: Object, Nullable: true, Members: filterMembers, Doc: "filter on custom security attributes of service principals"},
	}, beta("includeAgentIdServicePrincipals", "excludeAgentIdServicePrincipals", "agentIdServicePrincipalFilter")), Doc: "which workload identities, instead of people"},
	{Name: "clientAppTypes", Shape: Enum, List: true, Default: []string{"all"}, Doc: "which kinds of client; all by default",
		Values: []string{"all", "browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "easSupported", "other"}},
	{Name: "platforms", Shape: Object, Nullable: true, Members: []Member{
		{Name: "includePlatforms", Shape: Enum, List: true, Values: platforms, Doc: "device platforms"},
		{Name: "excludePlatforms", Shape: Enum, List: true, Values: platforms, Doc: "device platforms"},
	}, Doc: "which device platforms"},
	{Name: "locations", Shape: Object, Nullable: true, Members: []Member{
		list("includeLocations", entra.KindLocation, "named locations by key, name or id, or a special word", WordAll, WordAllTrusted),
		list("excludeLocations", entra.KindLocation, "named locations by key, name or id, or a special word", WordAll, WordAllTrusted),
	}, Doc: "where the sign-in comes from"},
	{Name: "devices", Shape: Object, Nullable: true, Members: members([]Member{
		{Name: "deviceFilter", Shape: Object, Nullable: true, Members: filterMembers, Doc: "filter on device attributes"},
	}, beta("includeDevices", "excludeDevices", "includeDeviceStates", "excludeDeviceStates")), Doc: "which devices"},
	{Name: "signInRiskLevels", Shape: Enum, List: true, Values: riskLevels, Doc: "risk of the sign-in (Entra ID P2)"},
	{Name: "userRiskLevels", Shape: Enum, List: true, Values: riskLevels, Doc: "risk of the user (Entra ID P2)"},
	{Name: "servicePrincipalRiskLevels", Shape: Enum, List: true, Values: riskLevels, Doc: "risk of the workload identity (Workload Identities Premium)"},
	{Name: "insiderRiskLevels", Shape: Flags, Nullable: true, Values: []string{"minor", "moderate", "elevated"}, Doc: "insider risk, joined by commas"},
	{Name: "authenticationFlows", Shape: Object, Nullable: true, Members: []Member{
		{Name: "transferMethods", Shape: Flags, Required: true, Values: []string{"none", "deviceCodeFlow", "authenticationTransfer"}, Doc: "flows, joined by commas"},
	}, Doc: "how authentication is transferred"},
}, beta("deviceStates", "times", "agents", "agentContext", "agentIdRiskLevels", "clients", "globalSecureAccess"))

var platforms = []string{"android", "iOS", "windows", "windowsPhone", "macOS", "all", "linux"}

var filterMembers = []Member{
	{Name: "mode", Shape: Enum, Required: true, Values: []string{"include", "exclude"}, Doc: "whether what the rule matches is included or excluded"},
	{Name: "rule", Shape: Text, Required: true, Doc: "the rule, in the service's own syntax"},
}

var guestMembers = []Member{
	{Name: "guestOrExternalUserTypes", Shape: Flags, Required: true, Doc: "kinds of guest, joined by commas",
		Values: []string{"none", "internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider"}},
	{Name: "externalTenants", Shape: Object, Nullable: true, Doc: "from which tenants", Types: []Concrete{
		{Type: typeSomeTenants, Members: []Member{
			{Name: "members", Shape: Text, List: true, Doc: "tenant ids"},
			{Name: "membershipKind", Shape: Enum, Values: []string{"all", "enumerated"}, Default: "enumerated", Doc: "enumerated"},
		}},
		{Type: typeAllTenants, Members: []Member{
			{Name: "membershipKind", Shape: Enum, Values: []string{"all", "enumerated"}, Default: "all", Doc: "all"},
		}},
	}},
}

var grantMembers = []Member{
	{Name: "operator", Shape: Enum, Nullable: true, Values: []string{"AND", "OR"}, Doc: "all of the controls, or one of them"},
	{Name: "builtInControls", Shape: Enum, List: true, Doc: "controls", Values: []string{"block", "mfa", "compliantDevice",
		"domainJoinedDevice", "approvedApplication", "compliantApplication", "passwordChange", "riskRemediation"}},
	{Name: "customAuthenticationFactors", Shape: Text, List: true, Doc: "ids of custom controls"},
	list("termsOfUse", entra.KindAgreement, "terms of use by name or id"),
	{Name: "authenticationStrength", Shape: Object, Nullable: true, Doc: "an authentication strength, as id: with its id, key or name", Members: members([]Member{
		{Name: "id", Shape: Text, Ref: entra.KindStrength, Required: true, Doc: "id, key or name of the strength"},
	}, readOnly("displayName", "description", "createdDateTime", "modifiedDateTime", "policyType", "requirementsSatisfied", "allowedCombinations", "combinationConfigurations"))},
}

var sessionMembers = members([]Member{
	{Name: "applicationEnforcedRestrictions", Shape: Object, Nullable: true, Members: []Member{isEnabled}, Doc: "restrictions that the application enforces"},
	{Name: "cloudAppSecurity", Shape: Object, Nullable: true, Members: []Member{isEnabled,
		{Name: "cloudAppSecurityType", Shape: Enum, Nullable: true, Values: []string{"mcasConfigured", "monitorOnly", "blockDownloads"}, Doc: "what Defender for Cloud Apps does"},
	}, Doc: "Conditional Access App Control"},
	{Name: "disableResilienceDefaults", Shape: Bool, Nullable: true, Doc: "true: no session goes on during an outage unless its controls were checked"},
	{Name: "persistentBrowser", Shape: Object, Nullable: true, Members: []Member{isEnabled,
		{Name: "mode", Shape: Enum, Nullable: true, Values: []string{"always", "never"}, Doc: "whether a browser session is kept after closing"},
	}, Doc: "persistent browser session"},
	{Name: "secureSignInSession", Shape: Object, Nullable: true, Members: []Member{isEnabled}, Doc: "token protection"},
	{Name: "signInFrequency", Shape: Object, Nullable: true, Members: []Member{isEnabled,
		{Name: "frequencyInterval", Shape: Enum, Nullable: true, Values: []string{"timeBased", "everyTime"}, Default: "timeBased", Doc: "by time, or at every sign-in"},
		{Name: "authenticationType", Shape: Enum, Nullable: true, Values: []string{"primaryAndSecondaryAuthentication", "secondaryAuthentication"},
			Default: "primaryAndSecondaryAuthentication", Doc: "what is asked for again"},
		{Name: "type", Shape: Enum, Nullable: true, Values: []string{"days", "hours"}, Doc: "unit of value"},
		{Name: "value", Shape: Whole, Nullable: true, Doc: "hours or days"},
	}, Doc: "how often to sign in again"},
}, beta("continuousAccessEvaluation", "globalSecureAccessFilteringProfile", "networkAccessSecurity", "blockSensitiveActions"))

var isEnabled = Member{Name: "isEnabled", Shape: Bool, Nullable: true, Doc: "false or absent: the control counts as absent"}
