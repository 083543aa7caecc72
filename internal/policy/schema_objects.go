package policy

// locationSchema is graph namedLocation with its two kinds, v1.0.
var locationSchema = complete(Member{Name: "namedLocation", Shape: Object, Types: []Concrete{
	{Type: TypeIPLocation, Members: members([]Member{
		{Name: "ipRanges", Shape: Object, List: true, Required: true, Doc: "address ranges", Types: []Concrete{
			{Type: typeIPv4, Members: cidrMembers}, {Type: typeIPv6, Members: cidrMembers},
			{Type: typeIPv4Range, Members: fromToMembers}, {Type: typeIPv6Range, Members: fromToMembers},
		}},
		{Name: "isTrusted", Shape: Bool, Default: false, Doc: "whether the location is trusted; false by default"},
	}, locationMembers)},
	{Type: TypeCountryLocation, Members: members([]Member{
		{Name: "countriesAndRegions", Shape: Text, List: true, Required: true, Upper: true, Doc: "ISO 3166-1 alpha-2 codes"},
		{Name: "countryLookupMethod", Shape: Enum, Values: []string{"clientIpAddress", "authenticatorAppGps"}, Default: "clientIpAddress", Doc: "by address (default) or by GPS"},
		{Name: "includeUnknownCountriesAndRegions", Shape: Bool, Default: false, Doc: "whether addresses of no known country belong to it; false by default"},
	}, locationMembers)},
}})

var locationMembers = members([]Member{
	{Name: "displayName", Shape: Text, Required: true, Doc: "name of the location, unique within the baseline"},
}, readOnly("id", "createdDateTime", "modifiedDateTime", "deletedDateTime"))

var cidrMembers = []Member{{Name: "cidrAddress", Shape: Text, Required: true, Doc: "range such as 203.0.113.0/24 or 2001:db8::/32"}}

var fromToMembers = []Member{
	{Name: "lowerAddress", Shape: Text, Required: true, Doc: "first address"},
	{Name: "upperAddress", Shape: Text, Required: true, Doc: "last address"},
}

// strengthSchema is graph authenticationStrengthPolicy, v1.0. Its
// combinationConfigurations are a navigation property with requests of their
// own and no part of the language.
var strengthSchema = complete(Member{Name: "authenticationStrengthPolicy", Shape: Object, Members: members([]Member{
	{Name: "displayName", Shape: Text, Required: true, Doc: "name of the strength, unique within the baseline"},
	{Name: "description", Shape: Text, Nullable: true, Doc: "free text"},
	{Name: "allowedCombinations", Shape: Flags, List: true, Required: true, Doc: "each a combination of methods, joined by commas", Values: []string{
		"password", "voice", "hardwareOath", "softwareOath", "sms", "fido2", "windowsHelloForBusiness", "microsoftAuthenticatorPush",
		"deviceBasedPush", "temporaryAccessPassOneTime", "temporaryAccessPassMultiUse", "email", "x509CertificateSingleFactor",
		"x509CertificateMultiFactor", "federatedSingleFactor", "federatedMultiFactor", "qrCodePin"}},
}, readOnly("id", "createdDateTime", "modifiedDateTime", "policyType", "requirementsSatisfied", "combinationConfigurations"))})

// The built-in authentication strengths, from the weakest to the strongest.
const (
	StrengthMFA               = "00000000-0000-0000-0000-000000000002"
	StrengthPasswordless      = "00000000-0000-0000-0000-000000000003"
	StrengthPhishingResistant = "00000000-0000-0000-0000-000000000004"
)

// PolicyTypeBuiltIn is the policyType of an authentication strength that the
// service brings along.
const PolicyTypeBuiltIn = "builtIn"
