package simulation

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
)

// judged runs a plan that judges users at risk by the live policies.
func (p priced) judged(t *testing.T, scope string) (sweep.Result, report.Reached, string) {
	t.Helper()
	p.Triage, p.Access, p.Settings.Coverage = nil, p.Reader.(sweep.AccessReader), scope
	res := p.run(t, sweep.Plan)
	in, _, err := p.Ledger.Open(t.Context(), res.Run, "coverage.json")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	var reached report.Reached
	if err := json.Unmarshal(text, &reached); err != nil {
		t.Fatal(err)
	}
	return res, reached, string(text)
}

// Judging those at risk in a night that reads the policies anyway costs the pages
// of the groups that policies name, a request for each role, and three; a directory that refuses to name a group's
// members makes nobody count as uncovered; and names are redacted like all others.
func TestCoverageOfThoseAtRisk(t *testing.T) {
	o := graphsim.Options{Seed: 8, Users: 1500, Detections: 300, Policies: 24}
	synctest.Test(t, func(t *testing.T) {
		p := price(t, o, "policies: []\n", 0)
		p.judged(t, "off")
		before := p.sent.Load()
		p.judged(t, "off")
		without := p.sent.Load() - before
		_, open, text := p.judged(t, "risky")
		extra := int(p.sent.Load() - before - 2*without)
		named, roles := map[string]bool{}, map[string]bool{}
		w := &world{handler: p.sim.Handler()}
		for _, d := range w.list("/identity/conditionalAccess/policies") {
			users, _ := d["conditions"].(map[string]any)["users"].(map[string]any)
			for member, into := range map[string]map[string]bool{"includeGroups": named, "excludeGroups": named, "includeRoles": roles, "excludeRoles": roles} {
				list, _ := users[member].([]any)
				for _, id := range list {
					into[id.(string)] = true
				}
			}
		}
		pages := 0
		for id := range named {
			if code, _ := w.call("GET", "/groups/"+id+"?$select=id", nil); code == 200 {
				pages += max(1, (len(w.list("/groups/"+id+"/transitiveMembers?$top=999&$select=id"))+998)/999)
			}
		}
		if most := pages + len(roles) + 3; extra > most || len(open.Risky) == 0 {
			t.Errorf("%d requests more for %d users, at most %d are allowed: %d pages, %d roles", extra, len(open.Risky), most, pages, len(roles))
		}
		if !strings.Contains(text, "@contoso.com") {
			t.Error("nobody is named")
		}

		p.Output.Redaction = report.NewRedaction("hash", []byte("k"))
		if _, _, text := p.judged(t, "risky"); strings.Contains(text, "@contoso.com") {
			t.Error("a name is not redacted")
		}

		refused := o
		refused.Faults = []byte(`faults: [{match: {method: GET, path: "/groups/*"}, do: {status: 403}}]`)
		res, blind, _ := price(t, refused, "", 0).judged(t, "risky")
		if n, was := len(blind.Uncovered()), len(open.Uncovered()); n > was {
			t.Errorf("%d users are uncovered, and %d where the groups can be read", n, was)
		}
		if res.Status == sweep.Failed {
			t.Error(res.Err)
		}
	})
}
