package impact

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/memnet"
	"github.com/risksweep/risksweep/internal/whatif"
)

type bearer string

func (b bearer) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(b), ExpiresOn: time.Now().Add(2000 * time.Hour)}, nil
}

var tenants = flag.Int("tenants", 2, "how many tenants to replay the sign-ins of")

// town is a simulated tenant in virtual time.
type town struct {
	*graphsim.Tenant
	http *http.Client
}

// list reads a collection past the product.
func (x *town) list(t *testing.T, path string) (out []map[string]any) {
	t.Helper()
	for link := "http://127.0.0.1/v1.0" + path; link != ""; {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+x.Token())
		res, err := x.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Next  string `json:"@odata.nextLink"`
			Value []map[string]any
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		if res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(path, res.Status, err)
		}
		out, link = append(out, page.Value...), page.Next
	}
	return out
}

// drawPolicies makes policies of all kinds in a tenant.
func (x *town) drawPolicies(t *testing.T, dice *rand.Rand, n int) {
	t.Helper()
	ids := func(path string) (out []string) {
		for _, o := range x.list(t, path) {
			out = append(out, o["id"].(string))
		}
		return out
	}
	groups, people, places := ids("/groups?$select=id"), ids("/users?$select=id"), append(ids("/identity/conditionalAccess/namedLocations"), "AllTrusted")
	var roles []string
	for _, a := range x.list(t, "/roleManagement/directory/roleAssignments") {
		roles = append(roles, a["roleDefinitionId"].(string))
	}
	pick := func(list ...string) string { return list[dice.IntN(len(list))] }
	quoted := func(list ...string) string { return `["` + strings.Join(list, `","`) + `"]` }
	for i := range n {
		users := pick(`"includeUsers":["All"]`, `"includeUsers":["All"],"excludeGroups":`+quoted(pick(groups...)), `"includeGroups":`+quoted(pick(groups...), pick(groups...)),
			`"includeRoles":`+quoted(pick(roles...), pick(roles...)), `"includeUsers":["GuestsOrExternalUsers"]`, `"includeUsers":`+quoted(people[:20]...),
			`"includeUsers":["All"],"excludeRoles":`+quoted(pick(roles...)), `"includeUsers":["All"],"excludeUsers":`+quoted(people[10:40]...),
			`"includeGuestsOrExternalUsers":{"guestOrExternalUserTypes":"b2bCollaborationGuest","externalTenants":{"@odata.type":"#microsoft.graph.conditionalAccessAllExternalTenants","membershipKind":"all"}}`)
		const exchange, sharePoint, management = "00000002-0000-0ff1-ce00-000000000000", "00000003-0000-0ff1-ce00-000000000000", "797f4846-ba00-4fd7-ba43-dac1f8f63013"
		apps := pick(`"includeApplications":["All"]`, `"includeApplications":["All"]`, `"includeApplications":["Office365"]`, `"includeApplications":["MicrosoftAdminPortals"]`,
			`"includeApplications":`+quoted(exchange, management), `"includeApplications":["All"],"excludeApplications":`+quoted(sharePoint), `"includeApplications":["All"],"excludeApplications":["Office365"]`)
		conditions := []string{`"users":{` + users + `}`, `"applications":{` + apps + `}`, `"clientAppTypes":` + pick(`["all"]`, `["all"]`, `["browser"]`, `["mobileAppsAndDesktopClients","browser"]`, `["exchangeActiveSync","other"]`)}
		for _, c := range []string{
			`"platforms":` + pick(`{"includePlatforms":["iOS","android"]}`, `{"includePlatforms":["all"],"excludePlatforms":["windows","linux"]}`, `{"includePlatforms":["macOS"]}`),
			`"locations":` + pick(`{"includeLocations":["All"],"excludeLocations":`+quoted(pick(places...))+`}`, `{"includeLocations":`+quoted(pick(places...))+`}`),
			`"signInRiskLevels":` + pick(`["high"]`, `["medium","low"]`, `["none"]`),
			`"userRiskLevels":["high","medium"]`,
			`"devices":{"deviceFilter":{"mode":"` + pick("include", "exclude") + `","rule":"` + pick(`device.isCompliant -eq True`, `device.trustType -eq \"ServerAD\"`, `device.displayName -startsWith \"A\"`, `device.isCompliant -ne True -and device.trustType -ne \"Workplace\"`, `device.model -eq \"Surface\"`) + `"}}`,
			`"authenticationFlows":{"transferMethods":"deviceCodeFlow"}`,
		} {
			if dice.IntN(5) == 0 {
				conditions = append(conditions, c)
			}
		}
		grant := pick(`"builtInControls":["mfa"]`, `"builtInControls":["mfa"]`, `"builtInControls":["block"]`, `"builtInControls":["compliantDevice"]`, `"builtInControls":["mfa","compliantDevice"]`,
			`"builtInControls":["domainJoinedDevice","compliantDevice"]`, `"authenticationStrength":{"id":"00000000-0000-0000-0000-000000000004"}`)
		state := pick("enabledForReportingButNotEnforced", "enabledForReportingButNotEnforced", "enabledForReportingButNotEnforced", "enabled")
		if strings.Contains(grant, "block") {
			state = "enabledForReportingButNotEnforced"
		}
		body := fmt.Sprintf(`{"displayName":"Drawn %d","state":"%s","conditions":{%s},"grantControls":{"operator":"%s",%s}}`, i, state, strings.Join(conditions, ","), pick("OR", "AND"), grant)
		status, answer, err := x.Act(t.Context(), graphsim.Act{UserPrincipalName: "bg1@contoso.com", Method: "POST", Path: "/identity/conditionalAccess/policies", Body: json.RawMessage(body)})
		if err != nil || status >= 300 {
			t.Fatalf("%s: %d %s %v", body, status, answer, err)
		}
	}
}

// notLogged reports whether a policy asks for what the log does not say.
func notLogged(d entra.Document) bool {
	conditions, _ := d["conditions"].(map[string]any)
	levels, _ := conditions["userRiskLevels"].([]any)
	return conditions["authenticationFlows"] != nil || conditions["devices"] != nil || len(levels) > 0
}

// What a replay says of a policy that is live and unchanged is what the log says
// of it, or that the log does not say enough:
//
//	go test ./internal/impact -run TestReplayAgreesWithTheLog -tenants 100
func TestReplayAgreesWithTheLog(t *testing.T) {
	for seed := range uint64(*tenants) { //nolint:gosec // a small number
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { agrees(t, seed+1) })
		})
	}
}

func agrees(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 11))
	sim, err := graphsim.New(graphsim.Options{Seed: seed, Users: 60, Policies: 12, SignIns: 1200, TokenLifetime: 2000 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	l := memnet.Listen()
	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	transport := &http.Transport{DialContext: l.DialContext, DisableCompression: true}
	defer func() { _ = server.Close() }()
	defer transport.CloseIdleConnections()
	x := &town{sim, &http.Client{Transport: transport}}
	x.drawPolicies(t, dice, 30)
	born := time.Now().Add(time.Minute)
	time.Sleep(20 * 24 * time.Hour)
	c, err := graph.New(graph.Options{Endpoint: "http://127.0.0.1/v1.0", Credential: bearer(sim.Token()), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	var objects whatif.Objects
	for kind, list := range map[entra.ObjectKind]*[]entra.Document{entra.KindPolicy: &objects.Policies, entra.KindLocation: &objects.Locations, entra.KindStrength: &objects.Strengths} {
		if *list, err = c.Objects(ctx, kind); err != nil {
			t.Fatal(err)
		}
	}
	set := whatif.Live(objects, nil)
	people, err := whatif.ReadPopulation(ctx, c, nil, nil, set)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	o := Options{Window: entra.LogWindow{From: born, To: now}, TenantID: entra.NewID(sim.TenantID()), Set: set, People: people.UsersByID()}
	for at := range set.Len() {
		if set.State(at) == "disabled" {
			continue
		}
		p := Policy{DisplayName: set.Policy(at).Document.DisplayName(), State: set.State(at), ID: entra.NewID(set.Policy(at).Document.ID()), Place: -1}
		o.Policies = append(o.Policies, p)
		p.Place = at
		o.Policies = append(o.Policies, p)
	}
	i := New(o)
	known, doubt, different := 0, 0, map[string]int{}
	i.observe = func(p *pending) {
		for n := 0; n < len(p.verdicts); n += 2 {
			log, own := p.verdicts[n], p.verdicts[n+1]
			enforced := i.policies[n].State == "enabled"
			switch {
			case own == unknown, own == satisfied && log == notApplied && notLogged(set.Policy(i.policies[n+1].Place).Document):
				doubt++ // met if it applies, which is not known, and so harmless
			case log == own, enforced && (log == refused && own == asked || log == satisfied && own == asked):
				known++ // whoever is asked by an enabled policy does it, or does not
			default:
				different[fmt.Sprintf("%s (%s): the log says %d, the replay %d", i.policies[n].DisplayName, i.policies[n].State, log, own)]++
			}
		}
	}
	rows := 0
	for page, err := range c.SignIns(ctx, entra.SignInQuery{LogWindow: o.Window}) {
		if err != nil {
			t.Fatal(err)
		}
		for n := range page {
			i.Add(&page[n])
			rows++
		}
	}
	r := i.Result()
	for text, n := range different {
		t.Errorf("seed %d, %d times: %s", seed, n, text)
	}
	if known < doubt || r.Read+r.Early >= rows || r.Read < 700 {
		t.Errorf("seed %d: %d known, %d unknown, %d sign-ins of %d rows", seed, known, doubt, r.Read, rows)
	}
}
