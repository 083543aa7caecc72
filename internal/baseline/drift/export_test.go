package drift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// exported exports a tenant as the command does and reads the text back.
func exported(t *testing.T, tn *tenant) (string, *baseline.Baseline) {
	t.Helper()
	live := tn.read()
	export, err := adopt.Export(live, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(export.Text), load(t, string(export.Text))
}

func TestExportLoadsAdoptsAndPlansNothing(t *testing.T) {
	tn, _ := applied(t, small)
	tn.owned = plan.OwnedObjects{}
	id := tn.put(entra.KindPolicy, "", doc(t, `{"displayName":"Blocks # all: \"x\"","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},
		"users":{"includeUsers":["All"],"excludeGroups":["f0000000-0000-0000-0000-000000000001"]},"somethingNew":{"a":[1,{"b":null}]},"times":{"x":"y"}},
		"grantControls":{"operator":"OR","builtInControls":["block","quantum"]},"sessionControls":{"newControl":{"isEnabled":true}}}`))
	tn.put(entra.KindPolicy, "", doc(t, `{"displayName":"All out","state":"enabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}},"grantControls":{"operator":"OR","builtInControls":["block"]}}`))
	tn.put(entra.KindLocation, "", doc(t, `{"@odata.type":"#microsoft.graph.compliantNetworkNamedLocation","displayName":"Net","compliantNetworkType":"x"}`))
	tn.put(entra.KindLocation, "", doc(t, `{"displayName":"Near","countriesAndRegions":["NO","DE"],"includeUnknownCountriesAndRegions":true}`))
	text, b := exported(t, tn)
	for _, want := range []string{"excludeGroups: [Finance, CA Break Glass]\n", "excludeUsers: [bg1@contoso.com, bg2@contoso.com]\n", "excludeLocations: [Corporate VPN]\n", "id: Keys only\n", "acceptLockout: true",
		"excludeGroups: [f0000000-0000-0000-0000-000000000001]\n", "      - {cidrAddress: \"203.0.113.0/24\"}\n", "\"@odata.type\": \"#microsoft.graph.compliantNetworkNamedLocation\"\n",
		`allowUnknown: ["conditions.somethingNew","conditions.times","grantControls.builtInControls","sessionControls.newControl"]`} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, not := range []string{"clientAppTypes", "ipNamedLocation", "countryLookupMethod"} {
		if strings.Contains(text, not) {
			t.Errorf("%q, which goes without saying, is in\n%s", not, text)
		}
	}
	owned, done, problems := adopt.Adopt(b, tn.read(), tn.owned, adopt.Order{ByName: true})
	if len(problems) > 0 || len(done) != 8 {
		t.Fatal(problems, done)
	}
	tn.owned = owned
	r := tn.plan(b, drift.Settings{})
	for _, e := range r.Entries {
		if e.Status != drift.InSync {
			t.Error(e)
		}
	}
	if len(r.Actions) > 0 {
		t.Error(shape(r.Actions))
	}
	tn.docs[entra.KindPolicy][id]["state"] = "disabled"
	if got := shape(tn.plan(b, everything).Actions); len(got) != 1 {
		t.Error("drift of an exported policy is not seen:", got)
	}
}

func doc(t testing.TB, text string) entra.Document {
	t.Helper()
	d, err := entra.ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestExportLeavesOutWhatCannotStand(t *testing.T) {
	tn, _ := applied(t, small)
	tn.put(entra.KindPolicy, "", tn.docs[entra.KindPolicy][string(tn.owned[entra.KindPolicy]["CA010"].ID)])
	text, b := exported(t, tn)
	if len(b.Policies) != 1 || strings.Count(text, "# left out") != 2 {
		t.Errorf("%d policies in\n%s", len(b.Policies), text)
	}
}

func TestExportRefsConverge(t *testing.T) {
	tn := newTenant()
	const app = "aaaa0000-0000-0000-0000-000000000009"
	tn.put(entra.KindPolicy, "", doc(t, `{"displayName":"P","state":"disabled","conditions":{"applications":{"includeApplications":["`+app+`"]},"users":{"includeGroups":["`+finance+`"]}},"grantControls":{"builtInControls":["mfa"]}}`))
	live := tn.read()
	if d := cmp.Diff([]entra.Ref{{Kind: entra.KindApplication, Name: app}}, adopt.ExportRefs(live)); d != "" {
		t.Fatal(d)
	}
	live.Names[entra.Ref{Kind: entra.KindApplication, Name: app}] = entra.Resolution{Objects: []entra.DirectoryObject{{Kind: entra.KindApplication, ID: app, DisplayName: "Payroll"}}}
	if d := cmp.Diff([]entra.Ref{{Kind: entra.KindApplication, Name: "Payroll"}}, adopt.ExportRefs(live)); d != "" {
		t.Fatal(d)
	}
	live.Names[entra.Ref{Kind: entra.KindApplication, Name: "Payroll"}] = entra.Resolution{Objects: []entra.DirectoryObject{{ID: app}, {ID: "other"}}}
	if got := adopt.ExportRefs(live); len(got) != 0 {
		t.Fatal(got)
	}
	export, err := adopt.Export(live, nil)
	if err != nil || !strings.Contains(string(export.Text), "- "+app+" # Payroll\n") {
		t.Errorf("%v in\n%s", err, export.Text)
	}
}

func TestAdopt(t *testing.T) {
	tn, b := applied(t, small)
	id := string(tn.owned[entra.KindPolicy]["CA010"].ID)
	other := tn.put(entra.KindPolicy, "", entra.Document{"displayName": "Other"})
	for _, c := range []struct {
		name    string
		pairs   []string
		byName  bool
		change  func(plan.OwnedObjects)
		problem string
		adopted int
	}{
		{"by pair", []string{"CA010=" + id}, false, func(o plan.OwnedObjects) { delete(o[entra.KindPolicy], "CA010") }, "", 1},
		{"by name", nil, true, func(o plan.OwnedObjects) { delete(o[entra.KindPolicy], "CA010"); delete(o[entra.KindLocation], "VPN") }, "", 2},
		{"under a new key", []string{"CA010=" + id}, false, func(o plan.OwnedObjects) {
			o[entra.KindPolicy]["OLD"] = o[entra.KindPolicy]["CA010"]
			delete(o[entra.KindPolicy], "CA010")
		}, "", 1},
		{"no such key", []string{"CA011=" + id}, false, nil, "no key", 0},
		{"no such id", []string{"CA010=" + bg1}, false, nil, "no conditionalAccessPolicy with this id", 0},
		{"no pair", []string{"CA010"}, false, nil, "KEY=ID", 0},
		{"stands already", []string{"CA010=" + other}, false, nil, "stands for " + id + " already", 0},
		{"another's", []string{"CA020=" + id}, false, func(o plan.OwnedObjects) { delete(o[entra.KindPolicy], "CA020") }, "stands for the key CA010 already", 0},
		{"of another kind", []string{"namedLocation:VPN=" + id}, false, nil, "no namedLocation with this id", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			owned := plan.OwnedObjects{}
			for kind, m := range tn.owned {
				owned[kind] = map[string]plan.Owned{}
				for k, o := range m {
					owned[kind][k] = o
				}
			}
			if c.change != nil {
				c.change(owned)
			}
			got, done, problems := adopt.Adopt(b, tn.read(), owned, adopt.Order{Pairs: c.pairs, ByName: c.byName})
			if len(done) != c.adopted || (c.problem == "") != (len(problems) == 0) || !strings.Contains(strings.Join(problems, ""), c.problem) {
				t.Fatal(done, problems)
			}
			if c.problem == "" {
				if left := drift.Compare(b, answered(b, tn.read()), drift.Settings{Owned: got}).Actions; len(left) > 0 {
					t.Error(shape(left))
				}
			}
		})
	}
}

func TestDestroy(t *testing.T) {
	tn, b := applied(t, small)
	tn.put(entra.KindPolicy, "", entra.Document{"displayName": "Not ours"})
	actions := drift.Destroy(tn.read(), drift.Settings{Owned: tn.owned})
	want := []string{"deletePolicy CA010 ready", "deletePolicy CA020 ready", "deleteStrength Keys only ready", "updateLocation VPN ready", "deleteLocation VPN ready"}
	if d := cmp.Diff(want, shape(actions)); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff([]string{"conditionalAccessPolicy:CA020", "namedLocation:VPN"}, actions[4].Change.Needs); d != "" {
		t.Error(d)
	}
	tn.apply(t, actions)
	if n := len(tn.docs[entra.KindPolicy]) + len(tn.docs[entra.KindLocation]) + len(tn.docs[entra.KindStrength]); n != 2 {
		t.Errorf("%d objects left, want the foreign policy and the built-in strength", n)
	}
	_ = b
}

// TestDestroyOfWhatWasAdopted: an enabled policy that protected the tenant before
// the baseline did takes the switches that it takes everywhere; what the baseline
// made goes by the order alone.
func TestDestroyOfWhatWasAdopted(t *testing.T) {
	for name, c := range map[string]struct {
		state   string
		adopted bool
		s       drift.Settings
		want    string
	}{
		"made, enabled":          {"enabled", false, drift.Settings{}, "ready"},
		"adopted, report-only":   {"enabledForReportingButNotEnforced", true, drift.Settings{}, "ready"},
		"adopted, enabled":       {"enabled", true, drift.Settings{}, "notEnabled"},
		"with one switch":        {"enabled", true, drift.Settings{AllowWeakening: true}, "notEnabled"},
		"with the other":         {"enabled", true, drift.Settings{AllowEnabledPolicies: true}, "notEnabled"},
		"with both, prune aside": {"enabled", true, drift.Settings{AllowEnabledPolicies: true, AllowWeakening: true}, "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			tn, _ := applied(t, small)
			o := tn.owned[entra.KindPolicy]["CA020"]
			o.Adopted = c.adopted
			tn.owned[entra.KindPolicy]["CA020"] = o
			live := tn.read()
			for _, d := range live.Policies {
				if d.ID() == string(o.ID) {
					d["state"] = c.state
				}
			}
			c.s.Owned = tn.owned
			actions := drift.Destroy(live, c.s)
			uses := "ready"
			if c.want != "ready" { // it stays, and so does what it names
				uses = "blocked"
			}
			want := []string{"deletePolicy CA010 ready", "deletePolicy CA020 " + c.want, "deleteStrength Keys only " + uses, "updateLocation VPN " + uses, "deleteLocation VPN " + uses}
			if d := cmp.Diff(want, shape(actions)); d != "" {
				t.Error(d)
			}
			if text := strings.Join(actions[1].Reasons, "\n"); c.want != "ready" && !strings.Contains(text, "adopted, and not made by this baseline") {
				t.Error(text)
			}
		})
	}
}

func TestDestroyKeepsWhatOthersUse(t *testing.T) {
	tn, _ := applied(t, small)
	loc := string(tn.owned[entra.KindLocation]["VPN"].ID)
	tn.put(entra.KindPolicy, "", doc(t, `{"displayName":"Theirs","conditions":{"locations":{"includeLocations":["`+loc+`"]}}}`))
	actions := drift.Destroy(tn.read(), drift.Settings{Owned: tn.owned})
	want := []string{"deletePolicy CA010 ready", "deletePolicy CA020 ready", "deleteStrength Keys only ready", "updateLocation VPN blocked", "deleteLocation VPN blocked"}
	if d := cmp.Diff(want, shape(actions)); d != "" {
		t.Error(d)
	}
}

// TestExportLeavesOutWhatShowsOnlyTogether: what is wrong of objects beside each
// other does not end the export, nor does a kind that could not be read.
func TestExportLeavesOutWhatShowsOnlyTogether(t *testing.T) {
	tn := newTenant()
	for i := range baseline.MaxPolicies + 2 {
		tn.put(entra.KindPolicy, "", doc(t, fmt.Sprintf(`{"displayName":"P%03d","state":"disabled","conditions":{"applications":{"includeApplications":["All"]},"users":{"includeUsers":["All"]}},"grantControls":{"builtInControls":["mfa"]}}`, i)))
	}
	live := tn.read()
	live.Locations = []entra.Document{{"id": policy.CompliantNetwork, "@odata.type": policy.TypeCompliantNetwork, "displayName": policy.CompliantNetworkName}}
	live.Unread = []drift.Unread{{entra.KindStrength, "GET /strengths: 403"}, {entra.KindAgreement, "GET /agreements: 403\n"}}
	export, err := adopt.Export(live, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b := load(t, string(export.Text)); len(b.Policies) != baseline.MaxPolicies {
		t.Errorf("%d policies", len(b.Policies))
	}
	for _, want := range []string{"a tenant holds at most 240 policies", "# could not be read: GET /strengths: 403\n", "ids stand in their place: GET /agreements: 403", "every tenant has it and nobody can make it"} {
		if !strings.Contains(string(export.Text), want) {
			t.Errorf("%q is not in the export", want)
		}
	}
}
