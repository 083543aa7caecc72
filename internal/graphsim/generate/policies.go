package generate

import (
	"encoding/json"
	"fmt"
	"time"
)

type object = map[string]any

// scope is whom a policy is for and what it may refer to.
type scope struct {
	t              *Tenant
	users          object
	office, abroad string // ids of the two locations
	apps           map[string]string
}

// archetype is a policy as many tenants have it.
type archetype struct {
	name  string
	state string
	make  func(scope) (conditions, grant, session object)
}

const (
	on       = "enabled"
	off      = "disabled"
	reported = "enabledForReportingButNotEnforced"
)

var (
	allApps = object{"includeApplications": []string{"All"}}
	mfa     = object{"operator": "OR", "builtInControls": []string{"mfa"}}
	block   = object{"operator": "OR", "builtInControls": []string{"block"}}
)

var archetypes = []archetype{
	{"Require MFA", on, func(s scope) (object, object, object) {
		return object{"users": s.users, "applications": allApps, "clientAppTypes": []string{"all"}}, mfa, nil
	}},
	{"Block legacy authentication", on, func(s scope) (object, object, object) {
		return object{"users": s.users, "applications": allApps, "clientAppTypes": []string{"exchangeActiveSync", "other"}}, block, nil
	}},
	{"Phishing-resistant MFA for administrators", reported, func(s scope) (object, object, object) {
		users := object{"includeRoles": []string{globalAdministrator, securityAdministrator, authAdministrator}, "excludeGroups": s.users["excludeGroups"]}
		return object{"users": users, "applications": allApps, "clientAppTypes": []string{"all"}},
			object{"operator": "OR", "authenticationStrength": object{"id": "00000000-0000-0000-0000-000000000004"}}, nil
	}},
	{"Block access from barred countries", off, func(s scope) (object, object, object) {
		return object{"users": s.users, "applications": allApps, "clientAppTypes": []string{"all"}, "locations": object{"includeLocations": []string{s.abroad}}}, block, nil
	}},
	{"MFA for Azure management outside the corporate network", reported, func(s scope) (object, object, object) {
		return object{
			"users": s.users, "applications": object{"includeApplications": []string{s.apps["Windows Azure Service Management API"]}}, "clientAppTypes": []string{"all"},
			"locations": object{"includeLocations": []string{"All"}, "excludeLocations": []string{s.office}},
		}, mfa, nil
	}},
	{"Secure the registration of security information", on, func(s scope) (object, object, object) {
		return object{
			"users": s.users, "applications": object{"includeUserActions": []string{"urn:user:registersecurityinfo"}}, "clientAppTypes": []string{"all"},
			"locations": object{"includeLocations": []string{"All"}, "excludeLocations": []string{"AllTrusted"}},
		}, mfa, nil
	}},
	{"Compliant device for Office 365", reported, func(s scope) (object, object, object) {
		return object{
			"users": s.users, "applications": object{"includeApplications": []string{"Office365"}}, "clientAppTypes": []string{"browser", "mobileAppsAndDesktopClients"},
			"platforms": object{"includePlatforms": []string{"windows", "macOS"}},
		}, object{"operator": "OR", "builtInControls": []string{"compliantDevice", "domainJoinedDevice"}}, nil
	}},
	{"App protection on phones", off, func(s scope) (object, object, object) {
		return object{
			"users": s.users, "applications": object{"includeApplications": []string{"Office365"}}, "clientAppTypes": []string{"all"},
			"platforms": object{"includePlatforms": []string{"android", "iOS"}},
		}, object{"operator": "OR", "builtInControls": []string{"compliantApplication"}}, nil
	}},
	{"Block device code flow", reported, func(s scope) (object, object, object) {
		return object{
			"users": s.users, "applications": allApps, "clientAppTypes": []string{"all"},
			"authenticationFlows": object{"transferMethods": "deviceCodeFlow"},
		}, block, nil
	}},
	{"No persistent browser sessions on unmanaged devices", off, func(s scope) (object, object, object) {
		return object{
				"users": s.users, "applications": allApps, "clientAppTypes": []string{"browser"},
				"devices": object{"deviceFilter": object{"mode": "exclude", "rule": `device.isCompliant -eq True -or device.trustType -eq "ServerAD"`}},
			}, nil, object{
				"persistentBrowser": object{"isEnabled": true, "mode": "never"},
				"signInFrequency": object{
					"isEnabled": true, "type": "hours", "value": 4,
					"authenticationType": "primaryAndSecondaryAuthentication", "frequencyInterval": "timeBased",
				},
			}
	}},
	{"Terms of use for guests", on, func(s scope) (object, object, object) {
		users := object{
			"includeGuestsOrExternalUsers": object{
				"guestOrExternalUserTypes": "b2bCollaborationGuest,b2bDirectConnectUser",
				"externalTenants":          object{"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all"},
			},
			"excludeGroups": s.users["excludeGroups"],
		}
		return object{"users": users, "applications": allApps, "clientAppTypes": []string{"all"}},
			object{"operator": "AND", "builtInControls": []string{"mfa"}, "termsOfUse": []string{s.t.Agreements[0].ID}}, nil
	}},
	{"Password change on high user risk", reported, func(s scope) (object, object, object) {
		return object{"users": s.users, "applications": allApps, "clientAppTypes": []string{"all"}, "userRiskLevels": []string{"high"}},
			object{"operator": "AND", "builtInControls": []string{"mfa", "passwordChange"}},
			object{"signInFrequency": object{"isEnabled": true, "frequencyInterval": "everyTime", "authenticationType": "primaryAndSecondaryAuthentication"}}
	}},
	{"App control for unmanaged browsers", off, func(s scope) (object, object, object) {
		return object{"users": s.users, "applications": object{"includeApplications": []string{s.apps["Office 365 SharePoint Online"], s.apps["Contoso Intranet"]}}, "clientAppTypes": []string{"browser"}},
			nil, object{
				"cloudAppSecurity":                object{"isEnabled": true, "cloudAppSecurityType": "monitorOnly"},
				"applicationEnforcedRestrictions": object{"isEnabled": true},
			}
	}},
	{"Confidential data needs MFA", on, func(s scope) (object, object, object) {
		return object{"users": s.users, "applications": object{"includeAuthenticationContextClassReferences": []string{"c1"}}, "clientAppTypes": []string{"all"}}, mfa, nil
	}},
}

// conditionalAccess makes two named locations, if there are policies to use
// them, and the policies: first for everybody, then team by team.
func conditionalAccess(t *Tenant, s source, policies int, now time.Time) {
	if policies == 0 {
		return
	}
	sc := scope{t: t, apps: map[string]string{}}
	for _, sp := range t.ServicePrincipals {
		sc.apps[sp.DisplayName] = sp.AppID
	}
	born := func() (created time.Time) { return s.between(now.AddDate(-3, 0, 0), now.AddDate(0, -2, 0)) }
	location := func(body object) string {
		o := Object{ID: s.id(), Created: born(), Body: marshal(body)}
		o.Modified = o.Created
		t.Locations = append(t.Locations, o)
		return o.ID
	}
	sc.office = location(object{
		"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "Corporate VPN", "isTrusted": true,
		"ipRanges": []object{
			{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "203.0.113.0/24"},
			{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "198.51.100.128/25"},
			{"@odata.type": "#microsoft.graph.iPv6CidrRange", "cidrAddress": "2001:db8:1000::/48"},
		},
	})
	sc.abroad = location(object{
		"@odata.type": "#microsoft.graph.countryNamedLocation", "displayName": "Barred countries",
		"countriesAndRegions": []string{"CU", "IR", "KP", "SY"}, "countryLookupMethod": "clientIpAddress", "includeUnknownCountriesAndRegions": false,
	})
	for i := range policies {
		kind := archetypes[i%len(archetypes)]
		round := i / len(archetypes)
		who := "Global"
		sc.users = object{"includeUsers": []string{"All"}, "excludeGroups": []string{t.Group("CA Break Glass").ID}}
		if round > 0 {
			who = departmentNames[(round-1)%len(departmentNames)]
			sc.users = object{"includeGroups": []string{t.Group(who).ID}, "excludeGroups": []string{t.Group("CA Break Glass").ID}}
		}
		name := who + " - " + kind.name
		if again := (round - 1) / len(departmentNames); round > 0 && again > 0 {
			name += fmt.Sprintf(" (ring %d)", again+1)
		}
		conditions, grant, session := kind.make(sc)
		body := object{"displayName": name, "state": kind.state, "conditions": conditions, "grantControls": nil, "sessionControls": nil}
		if grant != nil {
			body["grantControls"] = grant
		}
		if session != nil {
			body["sessionControls"] = session
		}
		o := Object{ID: s.id(), Created: born(), Body: marshal(body)}
		if s.IntN(3) > 0 {
			o.Modified = s.between(o.Created, now)
		}
		t.Policies = append(t.Policies, o)
	}
}

func marshal(body object) json.RawMessage {
	b, err := json.Marshal(body)
	if err != nil { // maps of strings, numbers and lists always marshal
		panic(err)
	}
	return b
}
