package access_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim/evaluate"
)

var pairs = flag.Int("pairs", 20_000, "sign-ins and policies that are judged by both evaluators")

// The simulated service has an evaluator of its own, written from the
// documents of the service without a look at this one. Both must say of every
// policy and sign-in whether it applies, and the first thing not met.
func TestTheServicesEvaluatorAgrees(t *testing.T) {
	g := &maker{rand.New(rand.NewPCG(1, 2))}
	judged, applied := 0, 0
	for judged < *pairs {
		w := g.world()
		var policies []access.Policy
		var raw []json.RawMessage
		for i := range 1 + g.IntN(6) {
			text := g.policy(i)
			raw = append(raw, json.RawMessage(text))
			policies = append(policies, access.Policy{Document: doc(t, text)})
		}
		set := access.NewSet(policies, w.locations, nil, access.MicrosoftAppGroups())
		for range 5 {
			in, request := g.signIn(w)
			theirs, err := evaluate.Evaluate(w.facts, raw, []byte(request))
			if err != nil {
				t.Fatalf("%s: %v", request, err)
			}
			j := set.Judge(in)
			for i, r := range theirs {
				judged++
				v := j.Verdict(i)
				if v.Applies == access.Yes {
					applied++
				}
				if r.Applies != (v.Applies == access.Yes) || string(r.Reason) != v.Reason.String() {
					t.Fatalf("after %d pairs: the service says %v, %s; here %v, %s (%s)\npolicy %s\nsign-in %s", judged, r.Applies, r.Reason, v.Applies, v.Reason, v.Why, raw[i], request)
				}
			}
		}
	}
	if applied < judged/30 {
		t.Errorf("only %d of %d policies apply: the comparison says little", applied, judged)
	}
}

// maker makes tenants, policies and sign-ins over small vocabularies.
type maker struct{ *rand.Rand }

type world struct {
	facts     *evaluate.Facts
	locations []entra.Document
	users     []*access.User
	apps      []*access.App
	workers   []*access.ServicePrincipal
}

func guid(kind string, n int) string { return fmt.Sprintf("%s-0000-4000-8000-%012d", kind, n) }

func (g *maker) chance(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *maker, list []T) T { return list[g.IntN(len(list))] }

func (g *maker) some(list []string) []string {
	out := []string{}
	for _, s := range list {
		if g.chance(3) {
			out = append(out, s)
		}
	}
	return out
}

var (
	userIDs   = []string{guid("00000001", 1), guid("00000001", 2), guid("00000001", 3)}
	groupIDs  = []string{guid("00000002", 1), guid("00000002", 2), guid("00000002", 3)}
	roleIDs   = []string{"62e90394-69f5-4237-9190-012177145e10", "194ae4cb-b126-40b2-bd5b-6091b380977d"}
	appIDs    = []string{guid("00000003", 1), guid("00000003", 2), "00000002-0000-0ff1-ce00-000000000000", "c44b4083-3bb0-49c1-b47d-974e53cbdf3c", guid("00000003", 3)}
	workerIDs = []string{guid("00000004", 1), guid("00000004", 2), guid("00000004", 3), guid("00000004", 4), guid("00000004", 5)}
	placeIDs  = []string{guid("00000005", 1), guid("00000005", 2), guid("00000005", 3)}
	tenants   = []string{guid("00000006", 1), guid("00000006", 2)}
	guests    = []string{"internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "serviceProvider"}
	rules     = []string{
		`device.trustType -eq \"ServerAD\"`, `device.isCompliant -ne True -or device.model -startsWith \"Sur\"`, `-not (device.model -contains \"face\") -and device.operatingSystem -in [\"Windows\", \"iOS\"]`,
		`device.physicalIds -contains \"[OrderId]:1\"`, `device.extensionAttribute1 -notEndsWith \"w\"`, `device.displayName -eq null`, `device.model`,
	}
	attributeRules = []string{`CustomSecurityAttribute.Ops_Tier -eq \"one\"`, `CustomSecurityAttribute.Ops_Tier -contains \"two\" -or CustomSecurityAttribute.Ops_Tier -ne \"one\"`}
)

func (g *maker) world() world {
	own := guid("00000006", 9)
	w := world{facts: &evaluate.Facts{Tenant: own}}
	for _, id := range userIDs {
		u := evaluate.User{ID: id, Groups: g.some(groupIDs), Roles: g.some(roleIDs), UserType: "Member"}
		a := &access.User{ID: entra.NewID(id), Groups: entra.NewIDs(u.Groups), Roles: entra.NewIDs(u.Roles)}
		switch g.IntN(6) {
		case 0:
			u.UserType, a.Guest = "Guest", "internalGuest"
		case 1:
			u.UserType, u.CreationType, u.ExternalUserState, a.Guest = "Guest", "Invitation", "Accepted", "b2bCollaborationGuest"
		case 2:
			u.CreationType, u.ExternalUserState, a.Guest = "Invitation", "Accepted", "b2bCollaborationMember"
		}
		if strings.HasPrefix(a.Guest, "b2b") { // the service knows where they come from
			u.HomeTenant = pick(g, tenants)
			a.HomeTenant = entra.NewID(u.HomeTenant)
		}
		w.facts.People = append(w.facts.People, u)
		w.users = append(w.users, a)
	}
	for i, id := range appIDs {
		p := evaluate.ServicePrincipal{ID: workerIDs[i], AppID: id, DisplayName: pick(g, []string{"Ours", "Microsoft Planner", "Sway"}), OwnerTenant: pick(g, []string{own, string(entra.MicrosoftTenant)}), Type: "Application",
			Attributes: map[string]map[string][]string{"Ops": {}}}
		switch i { // Microsoft's own have one name everywhere
		case 2:
			p.DisplayName, p.OwnerTenant = "Office 365 Exchange Online", string(entra.MicrosoftTenant)
		case 3:
			p.DisplayName, p.OwnerTenant = "Azure Portal", string(entra.MicrosoftTenant)
		}
		attributes := access.Attributes{}
		if v := g.some([]string{"one", "two"}); len(v) > 0 {
			p.Attributes["Ops"]["Tier"], attributes["Ops_Tier"] = v, v
		}
		microsoft := access.No
		if p.OwnerTenant != own {
			microsoft = access.Yes
		}
		w.facts.ServicePrincipals = append(w.facts.ServicePrincipals, p)
		w.apps = append(w.apps, &access.App{ID: entra.NewID(id), Name: p.DisplayName, Microsoft: microsoft, Attributes: attributes})
		w.workers = append(w.workers, &access.ServicePrincipal{ID: entra.NewID(p.ID), OwnTenant: access.Yes - microsoft, Attributes: attributes})
	}
	for i, text := range []string{
		`{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"%s","displayName":"A","isTrusted":true,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"203.0.113.0/24"}]}`,
		`{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"%s","displayName":"B","isTrusted":false,"ipRanges":[{"@odata.type":"#microsoft.graph.iPv4CidrRange","cidrAddress":"203.0.113.128/25"},{"@odata.type":"#microsoft.graph.iPv6CidrRange","cidrAddress":"2001:db8::/64"},{"@odata.type":"#microsoft.graph.iPv4Range","lowerAddress":"192.0.2.10","upperAddress":"192.0.2.20"}]}`,
		`{"@odata.type":"#microsoft.graph.countryNamedLocation","id":"%s","displayName":"C","countriesAndRegions":["FR","DE"],"includeUnknownCountriesAndRegions":false}`,
	} {
		text = fmt.Sprintf(text, placeIDs[i])
		place, err := evaluate.ReadLocation([]byte(text))
		if err != nil {
			panic(err)
		}
		d, err := entra.ParseDocument([]byte(text))
		if err != nil {
			panic(err)
		}
		w.facts.Places, w.locations = append(w.facts.Places, place), append(w.locations, d)
	}
	return w
}

// policy draws one policy as JSON. Ids come in either case.
func (g *maker) policy(i int) string {
	list := func(of []string, all ...string) string {
		l := g.some(of)
		switch {
		case len(all) == 0 && !g.chance(3): // exclusions are few
			l = []string{}
		case len(all) > 0 && (len(l) == 0 || g.chance(2)):
			l = []string{pick(g, all)}
		}
		for k := range l {
			if g.chance(8) {
				l[k] = strings.ToUpper(l[k])
			}
		}
		b, _ := json.Marshal(l)
		return string(b)
	}
	var c []string
	add := func(format string, a ...any) { c = append(c, fmt.Sprintf(format, a...)) }
	maybe := func(n int, format string, a ...any) {
		if g.chance(n) {
			add(format, a...)
		}
	}
	guestsObject := func() string {
		kinds := strings.Join(g.some(guests), ",")
		if kinds == "" {
			kinds = "internalGuest"
		}
		tenant := `{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}`
		if g.chance(2) {
			tenant = `{"@odata.type":"#microsoft.graph.conditionalAccessEnumeratedExternalTenants","membershipKind":"enumerated","members":` + list(tenants, tenants...) + `}`
		}
		return fmt.Sprintf(`{"guestOrExternalUserTypes":"%s","externalTenants":%s}`, kinds, tenant)
	}
	if g.chance(6) {
		filter := "null"
		if g.chance(3) {
			filter = fmt.Sprintf(`{"mode":"%s","rule":"%s"}`, pick(g, []string{"include", "exclude"}), pick(g, attributeRules))
		}
		add(`"clientApplications":{"includeServicePrincipals":%s,"excludeServicePrincipals":%s,"servicePrincipalFilter":%s}`, list(workerIDs, "ServicePrincipalsInMyTenant"), list(workerIDs[:1]), filter)
		maybe(2, `"servicePrincipalRiskLevels":%s`, list([]string{"low", "high"}, "medium"))
	} else {
		guest, notGuest := "null", "null"
		if g.chance(4) {
			guest = guestsObject()
		}
		if g.chance(6) {
			notGuest = guestsObject()
		}
		add(`"users":{"includeUsers":%s,"excludeUsers":%s,"includeGroups":%s,"excludeGroups":%s,"includeRoles":%s,"excludeRoles":%s,"includeGuestsOrExternalUsers":%s,"excludeGuestsOrExternalUsers":%s}`,
			list(userIDs, "All", "All", "None", "GuestsOrExternalUsers"), list(userIDs[:1]), list(groupIDs[:1]), list(groupIDs[1:]), list(roleIDs[:1]), list(roleIDs[1:]), guest, notGuest)
		maybe(8, `"userRiskLevels":%s`, list([]string{"low", "medium", "high"}))
	}
	switch g.IntN(8) {
	case 0:
		add(`"applications":{"includeUserActions":["%s"]}`, pick(g, []string{"urn:user:registersecurityinfo", "urn:user:registerdevice"}))
	case 1:
		add(`"applications":{"includeAuthenticationContextClassReferences":%s}`, list([]string{"c1", "c2"}, "c3"))
	default:
		filter := "null"
		if g.chance(5) {
			filter = fmt.Sprintf(`{"mode":"%s","rule":"%s"}`, pick(g, []string{"include", "exclude"}), pick(g, attributeRules))
		}
		add(`"applications":{"includeApplications":%s,"excludeApplications":%s,"applicationFilter":%s}`, list(append([]string{"Office365"}, appIDs...), "All", "All", "MicrosoftAdminPortals", "None"), list(append([]string{"Office365"}, appIDs[:2]...)), filter)
	}
	maybe(4, `"clientAppTypes":%s`, list([]string{"browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other"}, "all"))
	maybe(6, `"platforms":{"includePlatforms":%s,"excludePlatforms":%s}`, list([]string{"android", "iOS", "linux"}, "all"), list([]string{"iOS"}))
	maybe(5, `"locations":{"includeLocations":%s,"excludeLocations":%s}`, list(placeIDs, "All", "AllTrusted"), list(append([]string{"AllTrusted"}, placeIDs...)))
	maybe(8, `"signInRiskLevels":%s`, list([]string{"none", "low", "medium", "high"}))
	maybe(12, `"insiderRiskLevels":"%s"`, strings.Join(append(g.some([]string{"minor", "moderate"}), "elevated"), ","))
	maybe(12, `"authenticationFlows":{"transferMethods":"%s"}`, strings.Join(append(g.some([]string{"deviceCodeFlow"}), "authenticationTransfer"), ","))
	maybe(8, `"devices":{"deviceFilter":{"mode":"%s","rule":"%s"}}`, pick(g, []string{"include", "exclude"}), pick(g, rules))
	state := pick(g, []string{"enabled", "enabled", "enabled", "enabledForReportingButNotEnforced", "disabled"})
	grant := pick(g, []string{`{"operator":"OR","builtInControls":["mfa"]}`, `{"operator":"OR","builtInControls":["block"]}`, `null`})
	session := "null"
	if grant == "null" {
		session = `{"signInFrequency":{"isEnabled":true,"frequencyInterval":"everyTime"}}`
	}
	return fmt.Sprintf(`{"id":"%s","displayName":"P%d","state":"%s","conditions":{%s},"grantControls":%s,"sessionControls":%s}`, guid("00000007", i), i, state, strings.Join(c, ","), grant, session)
}

// signIn draws a sign-in, as it is judged here and as the service is asked.
func (g *maker) signIn(w world) (access.SignIn, string) {
	in := access.SignIn{AsGiven: true}
	var conditions []string
	given := func(name, value string, into *string) {
		if !g.chance(3) {
			*into = value
			conditions = append(conditions, fmt.Sprintf(`%q:%q`, name, value))
		}
	}
	who := ""
	if g.chance(5) {
		in.ServicePrincipal = pick(g, w.workers)
		who = fmt.Sprintf(`{"@odata.type":"#microsoft.graph.servicePrincipalSignIn","servicePrincipalId":"%s"}`, in.ServicePrincipal.ID)
	} else {
		in.User = pick(g, w.users)
		who = fmt.Sprintf(`{"@odata.type":"#microsoft.graph.userSignIn","userId":"%s"}`, in.User.ID)
	}
	what := ""
	switch g.IntN(6) {
	case 0:
		in.Target.Action, what = "urn:user:registersecurityinfo", `{"@odata.type":"#microsoft.graph.userActionContext","userAction":"registerSecurityInformation"}`
	case 1:
		in.Target.Context = pick(g, []string{"c1", "c2"})
		what = fmt.Sprintf(`{"@odata.type":"#microsoft.graph.authContext","authenticationContextValue":"%s"}`, in.Target.Context)
	default:
		in.Target.App = pick(g, w.apps)
		what = fmt.Sprintf(`{"@odata.type":"#microsoft.graph.applicationContext","includeApplications":["%s"]}`, in.Target.App.ID)
	}
	given("devicePlatform", pick(g, []string{"android", "iOS", "linux", "windows"}), &in.Platform)
	given("clientAppType", pick(g, []string{"browser", "mobileAppsAndDesktopClients", "exchangeActiveSync", "other"}), &in.Client)
	given("country", pick(g, []string{"FR", "US"}), &in.Country)
	given("signInRiskLevel", pick(g, []string{"none", "low", "medium", "high"}), &in.SignInRisk)
	given("userRiskLevel", pick(g, []string{"none", "low", "medium", "high"}), &in.UserRisk)
	given("servicePrincipalRiskLevel", pick(g, []string{"low", "medium", "high"}), &in.ServicePrincipalRisk)
	given("insiderRiskLevel", pick(g, []string{"minor", "moderate", "elevated"}), &in.InsiderRisk)
	if g.chance(2) {
		in.IP = netip.MustParseAddr(pick(g, []string{"203.0.113.7", "203.0.113.200", "192.0.2.15", "198.51.100.1", "2001:db8::1"}))
		conditions = append(conditions, fmt.Sprintf(`"ipAddress":"%s"`, in.IP))
	}
	if g.chance(3) {
		in.Flow = pick(g, []string{"deviceCodeFlow", "authenticationTransfer"})
		conditions = append(conditions, fmt.Sprintf(`"authenticationFlow":{"transferMethod":"%s"}`, in.Flow))
	}
	if g.chance(2) {
		in.Device = &access.Device{Properties: map[string][]string{}}
		var info []string
		for name, values := range map[string][]string{"trustType": {"ServerAD", "AzureAD"}, "model": {"Surface", "Other"}, "operatingSystem": {"Windows", "iOS"}, "extensionAttribute1": {"SAW", "x"}, "displayName": {"pc"}} {
			if g.chance(2) {
				v := pick(g, values)
				in.Device.Properties[name] = []string{v}
				info = append(info, fmt.Sprintf("%q:%q", name, v))
			}
		}
		if g.chance(2) {
			in.Device.Properties["isCompliant"], info = []string{"true"}, append(info, `"isCompliant":true`)
		}
		if g.chance(2) {
			in.Device.Properties["physicalIds"], info = []string{"[OrderId]:1", "x"}, append(info, `"physicalIds":["[OrderId]:1","x"]`)
		}
		conditions = append(conditions, `"deviceInfo":{`+strings.Join(info, ",")+`}`)
	}
	return in, fmt.Sprintf(`{"signInIdentity":%s,"signInContext":%s,"signInConditions":{%s}}`, who, what, strings.Join(conditions, ","))
}
