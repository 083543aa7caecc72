package drift

import (
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
)

func TestAdoptHint(t *testing.T) {
	b, problems := baseline.Parse("b.yaml", []byte(`
namedLocations: [{key: CA010, displayName: VPN, countriesAndRegions: [DE]}]
policies: [{key: CA010, displayName: P, state: disabled, conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}, grantControls: {operator: OR, builtInControls: [mfa]}}]
`))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	p := &planner{b: b}
	for _, c := range []struct {
		e    Entry
		want string
	}{
		{Entry{Kind: entra.KindPolicy, Key: "CA020"}, "risksweep baseline adopt CA020=7"},
		{Entry{Kind: entra.KindPolicy, Key: "CA010"}, "risksweep baseline adopt conditionalAccessPolicy:CA010=7"},
		{Entry{Kind: entra.KindStrength, Key: "Bob's keys"}, `risksweep baseline adopt 'Bob'\''s keys=7'`},
	} {
		if got := p.adoptHint(c.e, "7"); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
