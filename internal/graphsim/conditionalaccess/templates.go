package conditionalaccess

import (
	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// template is a policy that Microsoft recommends.
type template struct{ id, name, description, scenarios, details string }

const (
	everybody = `"users":{"includeUsers":["All"],"excludeUsers":["Current administrator will be excluded"]}`
	allApps   = `"applications":{"includeApplications":["All"]}`
	adminOnly = `"users":{"excludeUsers":["Current administrator will be excluded"],"includeRoles":["62e90394-69f5-4237-9190-012177145e10","194ae4cb-b126-40b2-bd5b-6091b380977d","f28a1f50-f6e7-4571-818b-6a12f2af6b6c","29232cdf-9323-42fd-ade2-1d097af3e4de","b1be1c3e-b65d-4f19-8427-f6fa0d97feb9","729827e3-9c14-49f7-bb1b-9608f156bbb8","b0f54661-2d74-4c50-afa3-1ec803f12efe","fe930be7-5e62-47db-91af-98c3a49a38b1","c4e39bd9-1100-46d3-8c65-fb160da0071f","9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3","158c047a-c907-4556-b7ef-446551a6b5f7","966707d0-3269-4727-9be2-8c3a10f19b9d","7be44c8a-adaf-4e2a-84d6-ab2649e08a13","e8611ab8-c189-46e8-94e1-60213ab1f814"]}`
	wantMFA   = `"grantControls":{"operator":"OR","builtInControls":["mfa"]}`
	wantBlock = `"grantControls":{"operator":"OR","builtInControls":["block"]}`
)

var templates = []template{
	{"c7503427-338e-4c5e-902d-abe252abfb43", "Require multifactor authentication for admins", "Require multifactor authentication for privileged administrative accounts to reduce risk of compromise. This policy will target the same roles as security defaults.",
		"secureFoundation,zeroTrust,protectAdmins", `{"conditions":{` + adminOnly + `,` + allApps + `,"clientAppTypes":["all"]},` + wantMFA + `}`},
	{"b8bda7f8-6584-4446-bce9-d871480e53fa", "Securing security info registration", "Secure when and how users register for Azure AD multifactor authentication and self-service password reset.",
		"secureFoundation,zeroTrust,remoteWork", `{"conditions":{` + everybody + `,"applications":{"includeUserActions":["urn:user:registersecurityinfo"]},"clientAppTypes":["all"],"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}},` + wantMFA + `}`},
	{"0b2282f9-2862-4178-88b5-d79340b36cb8", "Block legacy authentication", "Block legacy authentication endpoints that can be used to bypass multifactor authentication.",
		"secureFoundation,zeroTrust,remoteWork,protectAdmins", `{"conditions":{` + everybody + `,` + allApps + `,"clientAppTypes":["exchangeActiveSync","other"]},` + wantBlock + `}`},
	{"a3d0a415-b068-4326-9251-f9cdf9feeb64", "Require multifactor authentication for all users", "Require multifactor authentication for all user accounts to reduce risk of compromise.",
		"secureFoundation,zeroTrust,remoteWork", `{"conditions":{` + everybody + `,` + allApps + `,"clientAppTypes":["all"]},` + wantMFA + `}`},
	{"a4072ac0-722b-4991-981b-7f9755daef14", "Require multifactor authentication for guest access", "Require guest users perform multifactor authentication when accessing your company resources.",
		"zeroTrust,remoteWork", `{"conditions":{"users":{"includeUsers":["GuestsOrExternalUsers"],"excludeUsers":["Current administrator will be excluded"]},` + allApps + `,"clientAppTypes":["all"]},` + wantMFA + `}`},
	{"d8c51a9a-e6b1-454d-86af-554e7872e2c1", "Require multifactor authentication for Azure management", "Require multifactor authentication to protect privileged access to Azure management.",
		"secureFoundation,zeroTrust,protectAdmins", `{"conditions":{` + everybody + `,"applications":{"includeApplications":["797f4846-ba00-4fd7-ba43-dac1f8f63013"]},"clientAppTypes":["all"]},` + wantMFA + `}`},
	{"6b619f55-792e-45dc-9711-d83ec9d7ae90", "Require multifactor authentication for risky sign-ins", "Require multifactor authentication if the sign-in risk is detected to be medium or high. (Requires a Microsoft Entra ID P2 license)",
		"zeroTrust,remoteWork", `{"conditions":{` + everybody + `,` + allApps + `,"clientAppTypes":["all"],"signInRiskLevels":["high","medium"]},` + wantMFA + `,"sessionControls":{"signInFrequency":{"isEnabled":true,"frequencyInterval":"everyTime","authenticationType":"primaryAndSecondaryAuthentication"}}}`},
	{"634b6de7-c38d-4357-a2c7-3842706eedd7", "Require password change for high-risk users", "Require the user to change their password if the user risk is detected to be high. (Requires a Microsoft Entra ID P2 license)",
		"zeroTrust,remoteWork", `{"conditions":{` + everybody + `,` + allApps + `,"clientAppTypes":["all"],"userRiskLevels":["high"]},"grantControls":{"operator":"AND","builtInControls":["mfa","passwordChange"]},"sessionControls":{"signInFrequency":{"isEnabled":true,"frequencyInterval":"everyTime","authenticationType":"primaryAndSecondaryAuthentication"}}}`},
	{"76c03f19-ea37-4656-a772-a183b4ddb81d", "Require phishing-resistant multifactor authentication for admins", "Require phishing-resistant multifactor authentication for privileged administrative accounts to reduce risk of compromise and phishing attacks.",
		"protectAdmins,emergingThreats", `{"conditions":{` + adminOnly + `,` + allApps + `,"clientAppTypes":["all"]},"grantControls":{"operator":"OR","builtInControls":[],"authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004"}}}`},
	{"4e39a309-931e-4cb1-a371-3beea168002f", "Block access for unknown or unsupported device platform", "Users will be blocked from accessing company resources when the device type is unknown or unsupported.",
		"remoteWork", `{"conditions":{` + everybody + `,` + allApps + `,"clientAppTypes":["all"],"platforms":{"includePlatforms":["all"],"excludePlatforms":["android","iOS","windows","macOS","linux"]}},` + wantBlock + `}`},
}

// templateSet declares the flags of scenarios as a list, which is how the
// filter "scenarios has" works; answers show them as one string.
var templateSet = odata.Collection{
	Type: "microsoft.graph.conditionalAccessTemplate", Filterable: true, DefaultTop: 100,
	Members: []odata.Member{
		{Name: "id", Kind: odata.String}, {Name: "name", Kind: odata.String}, {Name: "description", Kind: odata.String},
		{Name: "scenarios", Kind: odata.Enum, Collection: true, Enum: enumeration("templateScenarios", "new secureFoundation zeroTrust remoteWork protectAdmins emergingThreats unknownFutureValue")},
		{Name: "details", Kind: odata.Complex, NoFilter: true, NoOrder: true},
	},
}

func (w *Workload) serveTemplates(r *wire.Request, rest []string) (*wire.Response, *wire.Error) {
	var records []record
	for _, t := range templates {
		details, bad := w.types.detail.read([]byte(t.details), w.types.lenient)
		if bad != nil { // a cloud that has no word for it has no such template
			continue
		}
		details.fill(w.types.detail)
		normalise(details)
		records = append(records, record{t.id, func(member string) any {
			switch member {
			case "id":
				return t.id
			case "name":
				return t.name
			case "description":
				return t.description
			case "scenarios":
				return t.scenarios
			}
			out := writer{unknownEnums: r.UnknownEnums, strength: func(id string) any {
				if i := w.strengths.find(id); i != nil {
					return w.showStrength(r, row{i, i.last()}, nil, &body.Object{}, r.Root+"/$metadata#policies/authenticationStrengthPolicies('"+id+"')")
				}
				return nil
			}}
			return out.write(w.types.detail, details, &body.Object{}, nil)
		}})
	}
	return serveRecords(r, rest, records, &templateSet, "identity/conditionalAccess/templates", "ConditionalAccessTemplate")
}
