package access_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

const (
	headOffice = "11111111-0000-4000-8000-000000000001"
	depot      = "11111111-0000-4000-8000-000000000002"
)

func policyDoc(t *testing.T, id, state, conditions, controls string) access.Policy {
	return access.Policy{Document: doc(t, `{"id":"`+id+`","displayName":"`+id+`","state":"`+state+`","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"clientAppTypes":["all"]`+conditions+`},"grantControls":{"operator":"OR",`+controls+`}}`)}
}

func location(t *testing.T, id, cidr string, trusted bool) entra.Document {
	d := doc(t, `{"@odata.type":"#microsoft.graph.ipNamedLocation","id":"`+id+`","displayName":"`+id[len(id)-1:]+`","ipRanges":[{"cidrAddress":"`+cidr+`"}]}`)
	d["isTrusted"] = trusted
	return d
}

// effects says what one change means by itself and through which policies, and
// what all changes mean.
func effects(before, after access.State, of string) (one, through, all []string) {
	c := access.NewChange(before, after, access.MicrosoftAppGroups(), func(_ entra.ObjectKind, id entra.ID) string { return string(id[len(id)-1:]) })
	people := c.Set().NewPeople([]access.Person{{ID: ada, Name: "ada"}, {ID: "b", Name: "bob", AtRisk: true}})
	sentences := func(list []access.Effect) (out []string) {
		for _, e := range list {
			out = append(out, e.Sentence())
		}
		return out
	}
	list, through := c.EffectsOf(people, entra.ID(of))
	return sentences(list), through, sentences(c.Effects(people))
}

func TestEffectsOfOneChange(t *testing.T) {
	mfa, block := `"builtInControls":["mfa"]`, `"builtInControls":["block"]`
	outside := `,"locations":{"includeLocations":["All"],"excludeLocations":["AllTrusted"]}`
	atOffice := `,"locations":{"includeLocations":["` + headOffice + `"]}`
	strength := `"authenticationStrength":{"id":"s1"}`
	state := func(places []entra.Document, policies ...access.Policy) access.State {
		return access.State{Policies: policies, Locations: places}
	}
	places := func(trusted bool, cidr string) []entra.Document {
		return []entra.Document{location(t, headOffice, cidr, trusted), location(t, depot, "192.0.2.0/24", true)}
	}
	for name, c := range map[string]struct {
		before, after     access.State
		of                string
		one, through, all []string
	}{
		"another policy demands the same": {
			before: state(nil, policyDoc(t, "p1", "enabled", "", mfa)),
			after:  state(nil, policyDoc(t, "p1", "enabled", "", mfa), policyDoc(t, "p2", "enabled", `,"signInRiskLevels":["high"]`, mfa)),
			of:     "p2",
		},
		"report-only": {
			before: state(nil),
			after:  state(nil, policyDoc(t, "p1", "enabledForReportingButNotEnforced", "", mfa)),
			of:     "p1",
		},
		"a session control": {
			before: state(nil, policyDoc(t, "p1", "enabled", "", mfa)),
			after:  state(nil, policyDoc(t, "p1", "enabled", "", mfa+`},"sessionControls":{"persistentBrowser":{"isEnabled":true,"mode":"never"}`)),
			of:     "p1", one: []string{"are held to the session control persistentBrowser: never at every application"}, all: []string{"are held to the session control persistentBrowser: never at every application"},
		},
		"in situations of many policies": {
			before: state(nil, policyDoc(t, "p1", "enabled", `,"signInRiskLevels":["high"]`, mfa)),
			after: state(nil, policyDoc(t, "p1", "enabled", `,"signInRiskLevels":["high"]`, mfa), policyDoc(t, "p2", "enabled", `,"signInRiskLevels":["medium","high"]`, block),
				policyDoc(t, "p3", "enabled", `,"authenticationFlows":{"transferMethods":"deviceCodeFlow"}`, block), policyDoc(t, "p4", "enabled", `,"signInRiskLevels":["high"]`, block)),
			of: "p3", one: []string{"are blocked at every application when the flow is deviceCodeFlow"},
			all: []string{"are blocked at every application when the sign-in risk is medium or high; also at every application when the flow is deviceCodeFlow"},
		},
		"a strength by its name": {
			before: state(nil),
			after:  access.State{Policies: []access.Policy{policyDoc(t, "p1", "enabled", "", strength)}, Strengths: []entra.Document{{"id": "s1", "displayName": "Keys alone"}}},
			of:     "p1", one: []string{"must meet the authentication strength Keys alone at every application"}, all: []string{"must meet the authentication strength Keys alone at every application"},
		},
		"each its own": {
			before: state(nil, policyDoc(t, "p1", "enabled", "", mfa)),
			after:  state(nil, policyDoc(t, "p2", "enabled", "", mfa)),
			of:     "p1", one: []string{"no longer must pass MFA at every application"},
		},
		"addresses of a location, the policy as it was": {
			before: state(places(true, "198.51.100.0/24"), policyDoc(t, "p1", "enabled", outside, mfa)),
			after:  state(places(true, "198.51.100.0/25"), policyDoc(t, "p1", "enabled", outside, mfa)),
			of:     headOffice, one: []string{"must pass MFA at every application when the location is 1"}, through: []string{"p1"}, all: []string{"must pass MFA at every application when the location is 1"},
		},
		"a location is no longer trusted": {
			before: state(places(true, "198.51.100.0/24"), policyDoc(t, "p1", "enabled", outside, block)),
			after:  state(places(false, "198.51.100.0/24"), policyDoc(t, "p1", "enabled", outside, block)),
			of:     headOffice, one: []string{"are blocked at every application when the location is 1"}, through: []string{"p1"}, all: []string{"are blocked at every application when the location is 1"},
		},
		"a trusted location goes": {
			before: state(places(true, "198.51.100.0/24"), policyDoc(t, "p1", "enabled", outside, block)),
			after:  state(places(true, "198.51.100.0/24")[:1], policyDoc(t, "p1", "enabled", outside, block)),
			of:     depot, one: []string{"are blocked at every application when the location is 2"}, through: []string{"p1"}, all: []string{"are blocked at every application when the location is 2"},
		},
		"the last trusted location goes": {
			before: state(places(true, "198.51.100.0/24")[:1], policyDoc(t, "p1", "enabled", `,"locations":{"includeLocations":["AllTrusted"]}`, block)),
			after:  state(nil, policyDoc(t, "p1", "enabled", `,"locations":{"includeLocations":["AllTrusted"]}`, block)),
			of:     headOffice, one: []string{"are no longer blocked at every application when the location is 1"}, through: []string{"p1"}, all: []string{"are no longer blocked at every application when the location is 1"},
		},
		"a location that only changed policies name": {
			before: state(places(false, "198.51.100.0/24")),
			after:  state(places(false, "198.51.100.0/25"), policyDoc(t, "p1", "enabled", atOffice, block)),
			of:     headOffice, all: []string{"are blocked at every application when the location is 1"},
		},
		"what a strength satisfies": {
			before: access.State{Policies: []access.Policy{policyDoc(t, "p1", "enabled", "", strength)}, Strengths: []entra.Document{{"id": "s1", "requirementsSatisfied": "mfa"}}},
			after:  access.State{Policies: []access.Policy{policyDoc(t, "p1", "enabled", "", strength)}, Strengths: []entra.Document{{"id": "s1", "requirementsSatisfied": "none"}}},
			of:     "s1", one: []string{"must meet the authentication strength s1 at every application", "no longer must meet the authentication strength s1 at every application"}, through: []string{"p1"},
			all: []string{"must meet the authentication strength s1 at every application", "no longer must meet the authentication strength s1 at every application"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			one, through, all := effects(c.before, c.after, c.of)
			slices.Sort(one)
			slices.Sort(all)
			if diff := cmp.Diff([][]string{c.one, c.through, c.all}, [][]string{one, through, all}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
