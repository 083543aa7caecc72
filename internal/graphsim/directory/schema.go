package directory

import (
	"slices"
	"strings"
	"sync"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// set declares a collection of the directory and what an answer shows without
// $select.
type set struct {
	*odata.Collection
	shown map[string]bool
	// filled are the members that this tenant has values for.
	filled map[string]bool
}

// sets are the collections; objects holds the members of all directory objects
// together, for lists that mix them.
type sets struct {
	groupEligible, groupAssigned                                    *set
	users, groups, principals, objects, applications                *set
	templates, roles, assignments, eligible, instances, definitions *set
	organization, skus, agreements, defaults                        *set
	appRoleAssignments                                              *set
}

func text(names ...string) []odata.Member {
	return kind(odata.Member{Kind: odata.String}, names)
}

func texts(names ...string) []odata.Member {
	return kind(odata.Member{Kind: odata.String, Collection: true}, names)
}

func flags(names ...string) []odata.Member { return kind(odata.Member{Kind: odata.Bool}, names) }
func times(names ...string) []odata.Member { return kind(odata.Member{Kind: odata.DateTime}, names) }

// opaque members are shown and selected, but not searched in.
func opaque(names ...string) []odata.Member {
	return kind(odata.Member{Kind: odata.Complex, Collection: true, NoFilter: true, NoOrder: true}, names)
}

// blob is one such object, not a list.
func blob(names ...string) []odata.Member {
	return kind(odata.Member{Kind: odata.Complex, NoFilter: true, NoOrder: true}, names)
}

func kind(like odata.Member, names []string) []odata.Member {
	members := make([]odata.Member, len(names))
	for i, n := range names {
		members[i] = like
		members[i].Name = n
	}
	return members
}

func newSet(c odata.Collection, shown, hidden []odata.Member) *set {
	s := &set{Collection: &c, shown: map[string]bool{}, filled: map[string]bool{}}
	for _, m := range shown {
		s.shown[m.Name] = true
	}
	c.Members = slices.Concat(shown, hidden)
	for _, m := range c.Members {
		s.filled[m.Name] = true
	}
	s.complete(strings.TrimPrefix(c.Type, "microsoft.graph."))
	return s
}

// theSets are the same for all tenants.
var theSets = sync.OnceValue(newSets)

func newSets() sets {
	// Pages of 100 up to 999, a chain of at most 15 clauses (graph-api §4).
	big := odata.Collection{Filterable: true, Orderable: true, Countable: true, Searchable: true, DefaultTop: 100, MaxTop: 999, MaxOr: 15, PageSizeMessage: pageSize}
	of := func(name string) odata.Collection {
		c := big
		c.Type = "microsoft.graph." + name
		return c
	}
	small := func(name string, filterable bool, expandable ...string) odata.Collection {
		return odata.Collection{Type: "microsoft.graph." + name, Filterable: filterable, DefaultTop: 10_000, Expandable: expandable}
	}
	users := newSet(of("user"), slices.Concat(
		texts("businessPhones"), text("displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName", "id"),
	), slices.Concat(
		times("deletedDateTime"), flags("accountEnabled"), text("ageGroup", "city", "companyName", "country"), times("createdDateTime"),
		text("creationType", "department", "employeeId", "employeeType", "externalUserState"), texts("imAddresses"),
		text("mailNickname", "onPremisesImmutableId"), flags("onPremisesSyncEnabled"), texts("otherMails"), text("postalCode"), texts("proxyAddresses"),
		text("state", "streetAddress", "usageLocation", "userType"), opaque("assignedLicenses", "assignedPlans", "identities"),
		times("lastPasswordChangeDateTime", "signInSessionsValidFromDateTime"),
	))
	groups := newSet(of("group"), slices.Concat(
		text("id"), times("deletedDateTime"), text("classification"), times("createdDateTime"), texts("creationOptions"), text("description", "displayName"),
		times("expirationDateTime"), texts("groupTypes"), flags("isAssignableToRole"), text("mail"), flags("mailEnabled"), text("mailNickname", "membershipRule", "membershipRuleProcessingState"),
		text("onPremisesDomainName"), times("onPremisesLastSyncDateTime"), text("onPremisesNetBiosName", "onPremisesSamAccountName", "onPremisesSecurityIdentifier"), flags("onPremisesSyncEnabled"),
		text("preferredDataLocation", "preferredLanguage"), texts("proxyAddresses"), times("renewedDateTime"), texts("resourceBehaviorOptions", "resourceProvisioningOptions"),
		flags("securityEnabled"), text("securityIdentifier", "theme", "uniqueName", "visibility"), opaque("onPremisesProvisioningErrors", "serviceProvisioningErrors"),
	), opaque("assignedLicenses"))
	principals := newSet(of("servicePrincipal"), slices.Concat(
		text("id"), times("deletedDateTime"), flags("accountEnabled"), texts("alternativeNames"), text("appDisplayName", "appDescription", "appId", "applicationTemplateId"),
		[]odata.Member{{Name: "appOwnerOrganizationId", Kind: odata.GUID}}, flags("appRoleAssignmentRequired"), times("createdDateTime"), text("description", "disabledByMicrosoftStatus", "displayName", "homepage", "loginUrl", "logoutUrl", "notes"),
		texts("notificationEmailAddresses"), text("preferredSingleSignOnMode", "preferredTokenSigningKeyThumbprint"), texts("replyUrls", "servicePrincipalNames"), text("servicePrincipalType", "signInAudience"),
		texts("tags"), text("tokenEncryptionKeyId"), opaque("addIns", "appRoles", "keyCredentials", "oauth2PermissionScopes", "passwordCredentials", "resourceSpecificApplicationPermissions"),
	), nil)
	applications := newSet(of("application"), slices.Concat(
		text("id"), times("deletedDateTime"), text("appId", "applicationTemplateId", "createdByAppId"), times("createdDateTime"), text("description", "disabledByMicrosoftStatus", "displayName", "groupMembershipClaims"),
		texts("identifierUris"), flags("isDeviceOnlyAuthSupported", "isFallbackPublicClient"), text("notes", "publisherDomain", "samlMetadataUrl", "serviceManagementReference", "signInAudience"), texts("tags"), text("tokenEncryptionKeyId", "uniqueName"),
		opaque("addIns", "appRoles", "keyCredentials", "passwordCredentials", "requiredResourceAccess"), blob("api", "certification", "defaultRedirectUri", "info", "optionalClaims", "parentalControlSettings", "publicClient", "requestSignatureVerification", "servicePrincipalLockConfiguration", "spa", "verifiedPublisher", "web"),
	), nil)
	objects := newSet(of("directoryObject"), slices.Concat(text("id"), times("deletedDateTime")), nil)
	objects.Members = slices.Clone(objects.Members)
	for _, s := range []*set{users, groups, principals} {
		for _, m := range s.Members {
			if m.Navigation {
				continue
			}
			if _, _, there := objects.Lookup(m.Name); !there {
				objects.Members = append(objects.Members, m)
			}
		}
	}
	instance := func(name string, extra []odata.Member) *set {
		return newSet(small(name, true, "principal", "roleDefinition", "directoryScope", "appScope", "activatedUsing"), slices.Concat(text("id", "principalId", "roleDefinitionId", "directoryScopeId", "appScopeId"), times("startDateTime", "endDateTime"), extra), nil)
	}
	access := func(name string, extra ...string) *set {
		c := odata.Collection{Type: "microsoft.graph." + name, Filterable: true, DefaultTop: 100, MaxTop: 999, PageSizeMessage: pageSize, Expandable: []string{"group", "principal", "activatedUsing"}}
		return newSet(c, slices.Concat(text("id"), times("startDateTime", "endDateTime"), text("accessId", "groupId", "principalId", "memberType"), text(extra...)), nil)
	}
	return sets{
		groupEligible: access("privilegedAccessGroupEligibilityScheduleInstance", "eligibilityScheduleId"),
		groupAssigned: access("privilegedAccessGroupAssignmentScheduleInstance", "assignmentScheduleId", "assignmentType"),
		users:         users, groups: groups, principals: principals, objects: objects, applications: applications,
		templates:   newSet(small("directoryRoleTemplate", false), slices.Concat(text("id"), times("deletedDateTime"), text("description", "displayName")), nil),
		roles:       newSet(small("directoryRole", true), slices.Concat(text("id"), times("deletedDateTime"), text("description", "displayName", "roleTemplateId")), nil),
		assignments: newSet(odata.Collection{Type: "microsoft.graph.unifiedRoleAssignment", Filterable: true, DefaultTop: 10_000, MaxTop: 999, PageSizeMessage: pageSize, Expandable: []string{"principal", "roleDefinition", "directoryScope", "appScope"}}, text("id", "principalId", "roleDefinitionId", "directoryScopeId", "appScopeId"), text("principalOrganizationId", "condition")),
		definitions: newSet(small("unifiedRoleDefinition", true), slices.Concat(text("id", "description", "displayName"), flags("isBuiltIn", "isEnabled"), texts("resourceScopes"), text("templateId", "version"), opaque("rolePermissions")), flags("isPrivileged")),
		appRoleAssignments: newSet(small("appRoleAssignment", true), slices.Concat(text("id"), times("deletedDateTime"), []odata.Member{{Name: "appRoleId", Kind: odata.GUID}}, times("createdDateTime"),
			text("principalDisplayName"), []odata.Member{{Name: "principalId", Kind: odata.GUID}}, text("principalType", "resourceDisplayName"), []odata.Member{{Name: "resourceId", Kind: odata.GUID}}), nil),
		eligible:  instance("unifiedRoleEligibilityScheduleInstance", text("memberType", "roleEligibilityScheduleId")),
		instances: instance("unifiedRoleAssignmentScheduleInstance", text("assignmentType", "memberType", "roleAssignmentOriginId", "roleAssignmentScheduleId")),
		organization: newSet(small("organization", false), slices.Concat(
			text("id"), times("deletedDateTime"), texts("businessPhones"), text("city", "country", "countryLetterCode"), times("createdDateTime"), text("defaultUsageLocation", "displayName"),
			texts("marketingNotificationEmails"), times("onPremisesLastSyncDateTime"), flags("onPremisesSyncEnabled"), text("partnerTenantType", "postalCode", "preferredLanguage"),
			texts("securityComplianceNotificationMails", "securityComplianceNotificationPhones"), text("state", "street"), texts("technicalNotificationMails"), text("tenantType"),
			opaque("assignedPlans"), blob("privacyProfile"), opaque("provisionedPlans", "verifiedDomains"), text("mobileDeviceManagementAuthority")), nil),
		skus: newSet(small("subscribedSku", false), slices.Concat(text("accountName", "accountId", "appliesTo", "capabilityStatus"), kind(odata.Member{Kind: odata.Int}, []string{"consumedUnits"}),
			text("id", "skuId", "skuPartNumber"), texts("subscriptionIds"), blob("prepaidUnits"), opaque("servicePlans")), nil),
		defaults: newSet(small("identitySecurityDefaultsEnforcementPolicy", false), slices.Concat(text("id", "displayName", "description"), flags("isEnabled")), nil),
		agreements: newSet(odata.Collection{Type: "microsoft.graph.agreement", Filterable: true, DefaultTop: 100, MaxTop: 999}, slices.Concat(
			text("id", "displayName", "userReacceptRequiredFrequency"), flags("isViewingBeforeAcceptanceRequired", "isPerDeviceAcceptanceRequired"), blob("termsExpiration")), nil),
	}
}

func pageSize(given string) string {
	return "Invalid page size specified: '" + given + "'. Must be between 1 and 999 inclusive."
}
