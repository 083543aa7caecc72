package access_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

const (
	ada      = "00000000-0000-4000-8000-00000000a0a0"
	group    = "00000000-0000-4000-8000-0000000000b1"
	admins   = "62e90394-69f5-4237-9190-012177145e10"
	crm      = "00000000-0000-4000-8000-0000000000c1"
	exchange = "00000002-0000-0ff1-ce00-000000000000"
	office   = "00000000-0000-4000-8000-0000000000d1"
	france   = "00000000-0000-4000-8000-0000000000d2"
	robot    = "00000000-0000-4000-8000-0000000000e1"
	partner  = "00000000-0000-4000-8000-0000000000f1"
)

func doc(t testing.TB, text string) entra.Document {
	t.Helper()
	d, err := entra.ParseDocument([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

func locations(t testing.TB) []entra.Document {
	return []entra.Document{
		doc(t, `{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"`+office+`","isTrusted":true,"ipRanges":[
			{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"203.0.113.129/25"},
			{"@odata.type":"#microsoft.graph.iPv6Range","lowerAddress":"2001:db8::1","upperAddress":"2001:db8::ff"}]}`),
		doc(t, `{"@odata.type":"#microsoft.graph.countryNamedLocation","id":"`+france+`","countriesAndRegions":["FR"],"includeUnknownCountriesAndRegions":true}`),
	}
}

// judge judges one policy, which is enabled and asks for MFA of all users for
// all applications where conditions do not say otherwise.
func judge(t testing.TB, conditions string, in access.SignIn) access.Verdict {
	t.Helper()
	d := doc(t, `{"displayName":"P","state":"enabled","grantControls":{"operator":"OR","builtInControls":["mfa"]},"conditions":`+conditions+`}`)
	return access.NewSet([]access.Policy{{Document: d}}, locations(t), nil, access.MicrosoftAppGroups()).Judge(in).Verdict(0)
}

func TestConditions(t *testing.T) {
	user := func(change ...func(*access.SignIn)) access.SignIn {
		in := access.SignIn{User: &access.User{ID: ada, Groups: []entra.ID{group}}, Target: access.Target{App: &access.App{ID: crm, Microsoft: access.No}}}
		for _, c := range change {
			c(&in)
		}
		return in
	}
	from := func(ip, country string) access.SignIn {
		return user(func(in *access.SignIn) {
			if ip != "" {
				in.IP = netip.MustParseAddr(ip)
			}
			in.Country = country
		})
	}
	on := func(properties map[string][]string) access.SignIn {
		return user(func(in *access.SignIn) { in.Device = &access.Device{Properties: properties} })
	}
	all := func(more string) string {
		return `{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}` + more + `}`
	}
	users := func(members string) string {
		return `{"users":{` + members + `},"applications":{"includeApplications":["All"]}}`
	}
	apps := func(members string) string {
		return `{"users":{"includeUsers":["All"]},"applications":{` + members + `}}`
	}
	guest := func(kind, tenant string) access.SignIn {
		return user(func(in *access.SignIn) {
			in.User = &access.User{ID: ada, Guest: kind, GuestUnknown: kind == "", HomeTenant: entra.ID(tenant)}
		})
	}
	worker := access.SignIn{ServicePrincipal: &access.ServicePrincipal{ID: robot, OwnTenant: access.Yes, Attributes: access.Attributes{"Ops_Tier": {"one", "two"}}}, Target: access.Target{App: &access.App{ID: crm}}}

	for _, c := range []struct {
		name, conditions string
		in               access.SignIn
		applies          access.Truth
		reason           access.Reason
	}{
		{"all users, all applications", all(""), user(), access.Yes, access.NotSet},
		{"nobody", users(`"includeUsers":["None"]`), user(), access.No, access.Users},
		{"by id in another case", users(`"includeUsers":["00000000-0000-4000-8000-00000000A0A0"]`), user(), access.Yes, access.NotSet},
		{"by group", users(`"includeGroups":["` + group + `"]`), user(), access.Yes, access.NotSet},
		{"an exclusion beats an inclusion", users(`"includeUsers":["` + ada + `"],"excludeGroups":["` + group + `"]`), user(), access.No, access.Users},
		{"by role, not held", users(`"includeRoles":["` + admins + `"]`), user(), access.No, access.Users},
		{"by role, roles not known", users(`"includeRoles":["` + admins + `"]`), user(func(in *access.SignIn) { in.User.RolesUnknown = true }), access.Unknown, access.Users},
		{"excluded by a group that may hold the user", users(`"includeUsers":["All"],"excludeGroups":["` + partner + `"]`), user(func(in *access.SignIn) { in.User.GroupsUnknown = true }), access.Unknown, access.Users},
		{"excluded surely although groups are not known", users(`"includeGroups":["` + partner + `"],"excludeUsers":["` + ada + `"]`), user(func(in *access.SignIn) { in.User.GroupsUnknown = true }), access.No, access.Users},
		{"a member is no guest", users(`"includeUsers":["GuestsOrExternalUsers"]`), user(), access.No, access.Users},
		{"every kind of guest", users(`"includeUsers":["GuestsOrExternalUsers"]`), guest("internalGuest", ""), access.Yes, access.NotSet},
		{"this kind of guest", users(`"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest,internalGuest","externalTenants":{"membershipKind":"all"}}`), guest("b2bCollaborationGuest", partner), access.Yes, access.NotSet},
		{"another kind of guest", users(`"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider","externalTenants":{"membershipKind":"all"}}`), guest("b2bCollaborationGuest", partner), access.No, access.Users},
		{"a guest of another tenant", users(`"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest","externalTenants":{"membershipKind":"enumerated","members":["` + office + `"]}}`), guest("b2bCollaborationGuest", partner), access.No, access.Users},
		{"a guest of a tenant not known", users(`"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest","externalTenants":{"membershipKind":"enumerated","members":["` + office + `"]}}`), guest("b2bCollaborationGuest", ""), access.Unknown, access.Users},
		{"a guest of a kind not known", users(`"includeUsers":["All"],"excludeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"serviceProvider"}`), guest("", partner), access.Unknown, access.Users},
		{"a workload policy on a user", `{"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]},"applications":{"includeApplications":["All"]}}`, user(), access.No, access.Users},
		{"a user policy on a workload", all(""), worker, access.No, access.WorkloadIdentities},
		{"all workloads of the tenant", `{"clientApplications":{"includeServicePrincipals":["ServicePrincipalsInMyTenant"]},"applications":{"includeApplications":["All"]}}`, worker, access.Yes, access.NotSet},
		{"workloads by attribute", `{"clientApplications":{"servicePrincipalFilter":{"mode":"include","rule":"CustomSecurityAttribute.Ops_Tier -contains \"two\""}},"applications":{"includeApplications":["All"]}}`, worker, access.Yes, access.NotSet},
		{"a workload excluded by attribute", `{"clientApplications":{"includeServicePrincipals":["` + robot + `"],"servicePrincipalFilter":{"mode":"exclude","rule":"CustomSecurityAttribute.Ops_Tier -contains \"two\""}},"applications":{"includeApplications":["All"]}}`, worker, access.No, access.WorkloadIdentities},

		{"another application", apps(`"includeApplications":["` + exchange + `"]`), user(), access.No, access.Application},
		{"a group of applications", apps(`"includeApplications":["Office365"]`), user(func(in *access.SignIn) { in.Target.App.ID = exchange }), access.Yes, access.NotSet},
		{"outside the group of applications", apps(`"includeApplications":["All"],"excludeApplications":["office365"]`), user(), access.Yes, access.NotSet},
		{"by the name of Microsoft's application", apps(`"includeApplications":["Office365"]`), user(func(in *access.SignIn) {
			in.Target.App = &access.App{ID: crm, Name: "Microsoft Planner", Microsoft: access.Yes}
		}), access.Yes, access.NotSet},
		{"one's own application of that name", apps(`"includeApplications":["Office365"]`), user(func(in *access.SignIn) {
			in.Target.App = &access.App{ID: crm, Name: "Microsoft Planner", Microsoft: access.No}
		}), access.No, access.Application},
		{"the word of a group given as the application", apps(`"includeApplications":["Office365"]`), user(func(in *access.SignIn) { in.Target.App = &access.App{} }), access.No, access.Application},
		{"the Azure portal", apps(`"includeApplications":["MicrosoftAdminPortals"]`), user(func(in *access.SignIn) { in.Target.App.ID = "c44b4083-3bb0-49c1-b47d-974e53cbdf3c" }), access.Yes, access.NotSet},
		{"an application filter, attributes not known", apps(`"applicationFilter":{"mode":"include","rule":"CustomSecurityAttribute.Ops_Tier -eq \"one\""}`), user(), access.Unknown, access.Application},
		{"an application filter", apps(`"applicationFilter":{"mode":"include","rule":"CustomSecurityAttribute.Ops_Tier -eq \"one\""}`), user(func(in *access.SignIn) { in.Target.App.Attributes = access.Attributes{"Ops_Tier": {"One"}} }), access.Yes, access.NotSet},
		{"a user action", apps(`"includeUserActions":["urn:user:registersecurityinfo"]`), user(func(in *access.SignIn) { in.Target = access.Target{Action: "urn:user:registersecurityinfo"} }), access.Yes, access.NotSet},
		{"a user action is no application", all(""), user(func(in *access.SignIn) { in.Target = access.Target{Action: "urn:user:registerdevice"} }), access.No, access.Application},
		{"an application is no user action", apps(`"includeUserActions":["urn:user:registersecurityinfo"]`), user(), access.No, access.UserActions},
		{"an authentication context", apps(`"includeAuthenticationContextClassReferences":["c3"]`), user(func(in *access.SignIn) { in.Target = access.Target{Context: "C3"} }), access.Yes, access.NotSet},
		{"another authentication context", apps(`"includeAuthenticationContextClassReferences":["c3"]`), user(func(in *access.SignIn) { in.Target = access.Target{Context: "c4"} }), access.No, access.AuthenticationContexts},

		{"platform", all(`,"platforms":{"includePlatforms":["iOS"]}`), user(func(in *access.SignIn) { in.Platform = "ios" }), access.Yes, access.NotSet},
		{"platform not given", all(`,"platforms":{"includePlatforms":["iOS"]}`), user(), access.Unknown, access.DevicePlatform},
		{"any platform, not given", all(`,"platforms":{"includePlatforms":["all"]}`), user(), access.Yes, access.NotSet},
		{"platform excluded", all(`,"platforms":{"includePlatforms":["all"],"excludePlatforms":["linux"]}`), user(func(in *access.SignIn) { in.Platform = "linux" }), access.No, access.DevicePlatform},
		{"platform with an exclusion, not given", all(`,"platforms":{"includePlatforms":["all"],"excludePlatforms":["linux"]}`), user(), access.Unknown, access.DevicePlatform},
		{"client", all(`,"clientAppTypes":["exchangeActiveSync","other"]`), user(func(in *access.SignIn) { in.Client = "browser" }), access.No, access.ClientApps},
		{"every client", all(`,"clientAppTypes":["all"]`), user(), access.Yes, access.NotSet},
		{"sign-in risk", all(`,"signInRiskLevels":["high","medium"]`), user(func(in *access.SignIn) { in.SignInRisk = "medium" }), access.Yes, access.NotSet},
		{"sign-in risk not given", all(`,"signInRiskLevels":["high"]`), user(), access.Unknown, access.SignInRisk},
		{"user risk", all(`,"userRiskLevels":["high"]`), user(func(in *access.SignIn) { in.UserRisk = "low" }), access.No, access.UserRisk},
		{"insider risk, as flags", all(`,"insiderRiskLevels":"minor, elevated"`), user(func(in *access.SignIn) { in.InsiderRisk = "elevated" }), access.Yes, access.NotSet},
		{"flow", all(`,"authenticationFlows":{"transferMethods":"deviceCodeFlow,authenticationTransfer"}`), user(func(in *access.SignIn) { in.Flow = "deviceCodeFlow" }), access.Yes, access.NotSet},
		{"no flow", all(`,"authenticationFlows":{"transferMethods":"deviceCodeFlow"}`), user(func(in *access.SignIn) { in.Flow = "none" }), access.No, access.AuthenticationFlow},

		{"address", all(`,"locations":{"includeLocations":["` + office + `"]}`), from("203.0.113.200", ""), access.Yes, access.NotSet},
		{"address of a range", all(`,"locations":{"includeLocations":["` + office + `"]}`), from("2001:db8::7f", ""), access.Yes, access.NotSet},
		{"address outside", all(`,"locations":{"includeLocations":["` + office + `"]}`), from("203.0.113.7", ""), access.No, access.Location},
		{"an IPv4 address in IPv6 form", all(`,"locations":{"includeLocations":["` + office + `"]}`), from("::ffff:203.0.113.200", ""), access.Yes, access.NotSet},
		{"trusted excluded", all(`,"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`), from("203.0.113.200", "US"), access.No, access.Location},
		{"all locations, none given", all(`,"locations":{"includeLocations":["All"]}`), from("", ""), access.Yes, access.NotSet},
		{"all but trusted, none given", all(`,"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`), from("", ""), access.Unknown, access.Location},
		{"country", all(`,"locations":{"includeLocations":["` + france + `"]}`), from("", "fr"), access.Yes, access.NotSet},
		{"another country", all(`,"locations":{"includeLocations":["` + france + `"]}`), from("203.0.113.200", "US"), access.No, access.Location},
		{"a country that the service does not know", all(`,"locations":{"includeLocations":["` + france + `"]}`), from("", access.UnknownCountry), access.Yes, access.NotSet},
		{"a location that is not there", all(`,"locations":{"includeLocations":["` + partner + `"]}`), from("203.0.113.7", "US"), access.Unknown, access.Location},

		{"device filter", all(`,"devices":{"deviceFilter":{"mode":"include","rule":"device.trustType -eq \"ServerAD\" -or device.isCompliant -eq True"}}`), on(map[string][]string{"isCompliant": {"true"}, "trustType": {"AzureAD"}}), access.Yes, access.NotSet},
		{"device filter excludes", all(`,"devices":{"deviceFilter":{"mode":"exclude","rule":"device.extensionAttribute1 -eq \"SAW\""}}`), on(map[string][]string{"extensionAttribute1": {"saw"}}), access.No, access.Devices},
		{"a property not known", all(`,"devices":{"deviceFilter":{"mode":"exclude","rule":"device.extensionAttribute1 -eq \"SAW\""}}`), on(nil), access.Unknown, access.Devices},
		{"an unregistered device", all(`,"devices":{"deviceFilter":{"mode":"exclude","rule":"device.extensionAttribute1 -ne \"SAW\""}}`), user(func(in *access.SignIn) { in.Device = &access.Device{Unregistered: true} }), access.No, access.Devices},
		{"a rule that cannot be read", all(`,"devices":{"deviceFilter":{"mode":"exclude","rule":"device.model"}}`), on(nil), access.Unknown, access.InvalidCondition},
		{"a condition that this version does not know", all(`,"agentIdRiskLevels":"high"`), user(), access.Unknown, access.InvalidPolicy},
		{"a condition not known that says nothing", all(`,"agentIdRiskLevels":null,"times":{"excludedRanges":[]}`), user(), access.Yes, access.NotSet},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judge(t, c.conditions, c.in)
			if v.Applies != c.applies || v.Reason != c.reason {
				t.Errorf("applies %v for %v (%s), want %v for %v", v.Applies, v.Reason, v.Why, c.applies, c.reason)
			}
			if (v.Applies == access.Yes) != (v.Why == "") {
				t.Errorf("why %q", v.Why)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	policy := func(state, grant, session string) access.Policy {
		return access.Policy{Document: doc(t, `{"displayName":"P","state":"`+state+`","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]}},"grantControls":`+grant+`,"sessionControls":`+session+`}`)}
	}
	in := access.SignIn{User: &access.User{ID: ada}, Target: access.Target{App: &access.App{}}}
	mfa := policy("enabled", `{"operator":"OR","builtInControls":["mfa"]}`, "null")
	either := policy("enabled", `{"operator":"OR","builtInControls":["mfa","compliantDevice"]}`, "null")
	both := policy("enabled", `{"operator":"AND","builtInControls":["passwordChange","mfa"]}`, `{"signInFrequency":{"isEnabled":true,"frequencyInterval":"everyTime"},"persistentBrowser":{"isEnabled":false,"mode":"never"}}`)
	strength := policy("enabled", `{"operator":"OR","authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004"}}`, "null")
	blocks := policy("enabled", `{"operator":"OR","builtInControls":["block"]}`, "null")
	watched := policy("enabledForReportingButNotEnforced", `{"operator":"OR","builtInControls":["block"]}`, "null")
	off := policy("disabled", `{"operator":"OR","builtInControls":["block"]}`, "null")
	session := policy("enabled", "null", `{"signInFrequency":{"isEnabled":true,"frequencyInterval":"timeBased","type":"hours","value":4}}`)
	for _, c := range []struct {
		name     string
		policies []access.Policy
		result   access.Result
		demands  []access.Demand
		session  []string
		beside   access.Result
	}{
		{"nothing", nil, access.Open, nil, nil, access.Open},
		{"one control", []access.Policy{mfa}, access.Granted, []access.Demand{{"mfa"}}, nil, access.Open},
		{"a demand that another one meets already", []access.Policy{either, mfa, either}, access.Granted, []access.Demand{{"mfa"}}, nil, access.Open},
		{"alternatives", []access.Policy{either, strength}, access.Granted, []access.Demand{{"authenticationStrength:00000000-0000-0000-0000-000000000004"}, {"compliantDevice", "mfa"}}, nil, access.Open},
		{"all of a policy", []access.Policy{both}, access.Granted, []access.Demand{{"mfa"}, {"passwordChange"}}, []string{"signInFrequency: every time"}, access.Open},
		{"block wins", []access.Policy{mfa, blocks}, access.Blocked, nil, nil, access.Open},
		{"session controls alone leave it open", []access.Policy{session, off}, access.Open, nil, []string{"signInFrequency: 4 hours"}, access.Open},
		{"report-only is judged beside", []access.Policy{mfa, watched}, access.Granted, []access.Demand{{"mfa"}}, nil, access.Blocked},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := access.NewSet(c.policies, nil, nil, nil).Judge(in)
			got := j.Outcome()
			same := slices.EqualFunc(got.Demands, c.demands, func(a, b access.Demand) bool { return slices.Equal(a, b) })
			if got.Result != c.result || !same || !slices.Equal(got.Session, c.session) {
				t.Errorf("got %+v, want %s %v %v", got, c.result, c.demands, c.session)
			}
			if beside := j.ReportOnly().Result; beside != c.beside {
				t.Errorf("report-only: %s, want %s", beside, c.beside)
			}
		})
	}
}
