package conditionalaccess

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/odata"
)

// kind is how a property is written in JSON.
type kind uint8

const (
	aText kind = iota
	aBool
	anInt
	aTime
	anEnum
	someFlags // one string, members joined by commas
	someTexts
	someEnums
	anObject
	someObjects
	aStrength // kept by its id, shown whole
)

// property is one member of a type of the metadata.
type property struct {
	name string
	kind kind
	// null says that it may be null, need that a create must give it.
	null, need bool
	// readOnly members are ignored when they are sent.
	readOnly bool
	enum     *odata.Enumeration
	of       *schema
	// words are special values of a list, in the spelling that they are kept
	// in; they are taken in any case.
	words []string
	// value is what an absent member becomes, beside null and [].
	value any
}

// schema is a type of the metadata; properties are in the order of answers.
type schema struct {
	name       string
	properties []property
	// derived are the types of an abstract one, by their names.
	derived []*schema
	// typed says that a body must carry the type, and that answers do.
	typed bool
	// unnamed gives the type that a body means that carries none, if it may.
	unnamed func(map[string]json.RawMessage) string
}

func (s *schema) find(name string) *property {
	for i := range s.properties {
		if s.properties[i].name == name {
			return &s.properties[i]
		}
	}
	return nil
}

// without is the type as a cloud has it that lacks some members.
func (s *schema) without(names ...string) *schema {
	c := *s
	c.properties = slices.DeleteFunc(slices.Clone(s.properties), func(p property) bool { return slices.Contains(names, p.name) })
	return &c
}

func enumeration(name, members string) *odata.Enumeration {
	e := &odata.Enumeration{Name: "microsoft.graph." + name, Members: strings.Fields(members)}
	if i := slices.Index(e.Members, unknownFuture); i >= 0 {
		e.Known = i + 1
	}
	return e
}

const unknownFuture = "unknownFutureValue"

// types are the types as the cloud at hand has them.
type types struct {
	policy, ip, country, strength *schema
	detail                        *schema
	combinations                  *odata.Enumeration
	// lenient are members that are passed over where the tenant is made.
	lenient []string
}

func list(name string, words ...string) property {
	return property{name: name, kind: someTexts, words: words}
}

func object(name string, of *schema) property {
	return property{name: name, kind: anObject, of: of, null: true}
}

// newTypes builds the metadata (csdl; differences between clouds graph-api §6).
func newTypes(cloud string) types {
	levels := enumeration("riskLevel", "low medium high hidden none unknownFutureValue")
	grants := enumeration("conditionalAccessGrantControl", "block mfa compliantDevice domainJoinedDevice approvedApplication compliantApplication passwordChange unknownFutureValue riskRemediation")
	if cloud == "china" {
		grants = enumeration("conditionalAccessGrantControl", "block mfa compliantDevice domainJoinedDevice approvedApplication compliantApplication passwordChange unknownFutureValue")
	}
	methods := "password voice hardwareOath softwareOath sms fido2 windowsHelloForBusiness microsoftAuthenticatorPush deviceBasedPush temporaryAccessPassOneTime temporaryAccessPassMultiUse email x509CertificateSingleFactor x509CertificateMultiFactor federatedSingleFactor federatedMultiFactor unknownFutureValue"
	if cloud == "global" || cloud == "china" {
		methods += " qrCodePin"
	}
	combinations := enumeration("authenticationMethodModes", methods)
	platforms := enumeration("conditionalAccessDevicePlatform", "android iOS windows windowsPhone macOS all unknownFutureValue linux")

	filter := &schema{name: "conditionalAccessFilter", properties: []property{
		{name: "mode", kind: anEnum, need: true, enum: enumeration("filterMode", "include exclude")}, {name: "rule", kind: aText, need: true},
	}}
	// All tenants may be meant without a type, listed ones not: a client that
	// sends both so sees the first taken and the second refused
	// (terraform-provider-azuread#1555, #1601).
	membership := func(kind string) property {
		return property{name: "membershipKind", kind: anEnum, null: true, enum: enumeration("conditionalAccessExternalTenantsMembershipKind", kind), value: kind}
	}
	const allTenants = "conditionalAccessAllExternalTenants"
	tenants := &schema{name: "conditionalAccessExternalTenants", unnamed: always(allTenants), properties: []property{membership("all enumerated")}, derived: []*schema{
		{name: allTenants, typed: true, unnamed: always(allTenants), properties: []property{membership("all")}},
		{name: "conditionalAccessEnumeratedExternalTenants", typed: true, properties: []property{membership("enumerated"), list("members")}},
	}}
	guests := &schema{name: "conditionalAccessGuestsOrExternalUsers", properties: []property{
		{name: "guestOrExternalUserTypes", kind: someFlags, need: true, enum: enumeration("conditionalAccessGuestOrExternalUserTypes", "none internalGuest b2bCollaborationGuest b2bCollaborationMember b2bDirectConnectUser otherExternalUser serviceProvider unknownFutureValue")},
		object("externalTenants", tenants),
	}}
	people := []string{"All", "None", "GuestsOrExternalUsers"}
	apps := []string{"All", "None", "Office365", "MicrosoftAdminPortals"}
	places := []string{"All", "AllTrusted"}
	conditions := &schema{name: "conditionalAccessConditionSet", properties: []property{
		{name: "userRiskLevels", kind: someEnums, enum: levels},
		{name: "signInRiskLevels", kind: someEnums, enum: levels},
		{name: "clientAppTypes", kind: someEnums, enum: enumeration("conditionalAccessClientApp", "all browser mobileAppsAndDesktopClients exchangeActiveSync easSupported other unknownFutureValue"), value: []string{"all"}},
		{name: "servicePrincipalRiskLevels", kind: someEnums, enum: levels},
		{name: "insiderRiskLevels", kind: someFlags, null: true, enum: enumeration("conditionalAccessInsiderRiskLevels", "minor moderate elevated unknownFutureValue")},
		object("platforms", &schema{name: "conditionalAccessPlatforms", properties: []property{
			{name: "includePlatforms", kind: someEnums, enum: platforms}, {name: "excludePlatforms", kind: someEnums, enum: platforms},
		}}),
		object("locations", &schema{name: "conditionalAccessLocations", properties: []property{list("includeLocations", places...), list("excludeLocations", places...)}}),
		object("devices", &schema{name: "conditionalAccessDevices", properties: []property{object("deviceFilter", filter)}}),
		object("clientApplications", &schema{name: "conditionalAccessClientApplications", properties: []property{
			list("includeServicePrincipals", "ServicePrincipalsInMyTenant", "None"), list("excludeServicePrincipals"), object("servicePrincipalFilter", filter),
		}}),
		object("authenticationFlows", &schema{name: "conditionalAccessAuthenticationFlows", properties: []property{
			{name: "transferMethods", kind: someFlags, need: true, enum: enumeration("conditionalAccessTransferMethods", "none deviceCodeFlow authenticationTransfer unknownFutureValue")},
		}}),
		object("applications", &schema{name: "conditionalAccessApplications", properties: []property{
			list("includeApplications", apps...), list("excludeApplications", apps...),
			list("includeUserActions", registerInfo, registerDevice), list("includeAuthenticationContextClassReferences"), object("applicationFilter", filter),
		}}),
		object("users", &schema{name: "conditionalAccessUsers", properties: []property{
			list("includeUsers", people...), list("excludeUsers", people...), list("includeGroups"), list("excludeGroups"), list("includeRoles"), list("excludeRoles"),
			object("includeGuestsOrExternalUsers", guests), object("excludeGuestsOrExternalUsers", guests),
		}}),
	}}
	grant := &schema{name: "conditionalAccessGrantControls", properties: []property{
		{name: "operator", kind: anEnum, null: true, enum: enumeration("operator", "AND OR")},
		{name: "builtInControls", kind: someEnums, enum: grants}, list("customAuthenticationFactors"), list("termsOfUse"),
		{name: "authenticationStrength", kind: aStrength, null: true},
	}}
	enabled := property{name: "isEnabled", kind: aBool, null: true}
	control := func(name string, more ...property) *schema {
		return &schema{name: name, properties: append(more, enabled)}
	}
	session := &schema{name: "conditionalAccessSessionControls", properties: []property{
		{name: "disableResilienceDefaults", kind: aBool, null: true},
		object("applicationEnforcedRestrictions", control("applicationEnforcedRestrictionsSessionControl")),
		object("cloudAppSecurity", control("cloudAppSecuritySessionControl", property{name: "cloudAppSecurityType", kind: anEnum, null: true, enum: enumeration("cloudAppSecuritySessionControlType", "mcasConfigured monitorOnly blockDownloads unknownFutureValue")})),
		object("signInFrequency", control("signInFrequencySessionControl",
			property{name: "value", kind: anInt, null: true},
			property{name: "type", kind: anEnum, null: true, enum: enumeration("signinFrequencyType", "days hours")},
			property{name: "authenticationType", kind: anEnum, null: true, enum: enumeration("signInFrequencyAuthenticationType", "primaryAndSecondaryAuthentication secondaryAuthentication unknownFutureValue")},
			property{name: "frequencyInterval", kind: anEnum, null: true, enum: enumeration("signInFrequencyInterval", "timeBased everyTime unknownFutureValue")})),
		object("persistentBrowser", control("persistentBrowserSessionControl", property{name: "mode", kind: anEnum, null: true, enum: enumeration("persistentBrowserSessionMode", "always never")})),
		object("secureSignInSession", control("secureSignInSessionControl")),
	}}
	var lenient []string
	if cloud == "china" {
		lenient = []string{"userRiskLevels", "signInRiskLevels", "servicePrincipalRiskLevels", "insiderRiskLevels", "authenticationStrength"}
		conditions, grant = conditions.without(lenient...), grant.without("authenticationStrength")
	}
	id := property{name: "id", kind: aText, readOnly: true}
	at := func(name string) property { return property{name: name, kind: aTime, null: true, readOnly: true} }
	t := types{combinations: combinations, lenient: lenient}
	t.detail = &schema{name: "conditionalAccessPolicyDetail", properties: []property{object("conditions", conditions), object("grantControls", grant), object("sessionControls", session)}}
	t.policy = &schema{name: "conditionalAccessPolicy", properties: []property{
		id, {name: "templateId", kind: aText, null: true, readOnly: true}, {name: "displayName", kind: aText, need: true}, {name: "description", kind: aText, null: true},
		at("createdDateTime"), at("modifiedDateTime"),
		{name: "state", kind: anEnum, need: true, enum: enumeration("conditionalAccessPolicyState", "enabled disabled enabledForReportingButNotEnforced")},
		at("deletedDateTime"), object("sessionControls", session), {name: "conditions", kind: anObject, of: conditions, need: true}, object("grantControls", grant),
	}}
	place := func(name string, more ...property) *schema {
		return &schema{name: name, typed: true, properties: append([]property{id, {name: "displayName", kind: aText, need: true}, at("createdDateTime"), at("modifiedDateTime"), at("deletedDateTime")}, more...)}
	}
	cidr := func(name string) *schema {
		return &schema{name: name, typed: true, unnamed: family, properties: []property{{name: "cidrAddress", kind: aText, need: true}}}
	}
	span := func(name string) *schema {
		return &schema{name: name, typed: true, properties: []property{{name: "lowerAddress", kind: aText, need: true}, {name: "upperAddress", kind: aText, need: true}}}
	}
	t.ip = place("ipNamedLocation", property{name: "isTrusted", kind: aBool, value: false}, property{name: "ipRanges", kind: someObjects, need: true,
		of: &schema{name: "ipRange", unnamed: family, derived: []*schema{cidr("iPv4CidrRange"), cidr("iPv6CidrRange"), span("iPv4Range"), span("iPv6Range")}}})
	t.country = place("countryNamedLocation", property{name: "countriesAndRegions", kind: someTexts, need: true},
		property{name: "countryLookupMethod", kind: anEnum, enum: enumeration("countryLookupMethodType", "clientIpAddress authenticatorAppGps unknownFutureValue"), value: "clientIpAddress"},
		property{name: "includeUnknownCountriesAndRegions", kind: aBool, value: false})
	t.strength = &schema{name: "authenticationStrengthPolicy", properties: []property{
		id, at("createdDateTime"), at("modifiedDateTime"), {name: "displayName", kind: aText, need: true}, {name: "description", kind: aText, null: true},
		{name: "policyType", kind: anEnum, readOnly: true, enum: enumeration("authenticationStrengthPolicyType", "builtIn custom unknownFutureValue")},
		{name: "requirementsSatisfied", kind: someFlags, readOnly: true, enum: enumeration("authenticationStrengthRequirements", "none mfa unknownFutureValue")},
		{name: "allowedCombinations", kind: someTexts, need: true},
		{name: "combinationConfigurations", kind: someObjects, of: &schema{name: "authenticationCombinationConfiguration", derived: []*schema{
			{name: "fido2CombinationConfiguration", typed: true, properties: []property{id, {name: "appliesToCombinations", kind: someTexts, need: true}, {name: "allowedAAGUIDs", kind: someTexts, need: true}}},
			{name: "x509CertificateCombinationConfiguration", typed: true, properties: []property{id, {name: "appliesToCombinations", kind: someTexts, need: true}, list("allowedIssuerSkis"), list("allowedPolicyOIDs")}},
		}}},
	}}
	if cloud != "global" { // no soft delete there
		t.policy, t.ip, t.country = t.policy.without("deletedDateTime"), t.ip.without("deletedDateTime"), t.country.without("deletedDateTime")
	}
	return t
}

// The user actions.
const (
	registerInfo   = "urn:user:registersecurityinfo"
	registerDevice = "urn:user:registerdevice"
)

// members declares a type for $filter, $select and $orderby.
func (s *schema) members() []odata.Member {
	all := make([]odata.Member, 0, len(s.properties))
	for _, p := range s.properties {
		m := odata.Member{Name: p.name, Enum: p.enum}
		switch p.kind {
		case aText:
			m.Kind = odata.String
		case someTexts:
			m.Kind, m.Collection = odata.String, true
		case aBool:
			m.Kind = odata.Bool
		case anInt:
			m.Kind = odata.Int
		case aTime:
			m.Kind = odata.DateTime
		case anEnum, someFlags:
			m.Kind = odata.Enum
		case someEnums:
			m.Kind, m.Collection = odata.Enum, true
		case anObject:
			m.Kind, m.Type, m.Members = odata.Complex, "microsoft.graph."+p.of.name, p.of.members()
		default:
			m.Kind, m.Collection, m.NoFilter, m.NoOrder = odata.Complex, p.kind == someObjects, true, true
		}
		all = append(all, m)
	}
	return all
}

func always(name string) func(map[string]json.RawMessage) string {
	return func(map[string]json.RawMessage) string { return name }
}

// family is the type of a range that comes without one, as Terraform's older
// client has sent them to the service for years.
func family(raw map[string]json.RawMessage) string {
	address := string(raw["cidrAddress"])
	switch {
	case strings.Contains(address, ":"):
		return "iPv6CidrRange"
	case address != "":
		return "iPv4CidrRange"
	}
	return ""
}
