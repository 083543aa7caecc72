package graph_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	jsonformat "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/identity"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim"
	"github.com/risksweep/risksweep/internal/policy"
)

func mfaPolicy(name string) entra.Document {
	return entra.Document{
		"displayName": name, "state": "enabledForReportingButNotEnforced",
		"conditions": map[string]any{
			"signInRiskLevels": []any{"high", "medium"}, "clientAppTypes": []any{"all"},
			"applications": map[string]any{"includeApplications": []any{"All"}},
			"users":        map[string]any{"includeUsers": []any{"All"}},
		},
		"grantControls": map[string]any{"operator": "OR", "builtInControls": []any{"mfa"}},
	}
}

// Policies, locations and strengths are made, read, changed and deleted, and
// nothing that the service keeps of them is lost on the way.
func TestSimulatedObjects(t *testing.T) {
	sim, c, root := tenant(t, graphsim.Options{Seed: 5, Users: 10, Policies: 7})
	policies, err := c.Objects(t.Context(), entra.KindPolicy)
	if err != nil || len(policies) != 7 {
		t.Fatalf("%d policies, %v", len(policies), err)
	}
	for i, row := range rows(t, root, sim.Token(), "/identity/conditionalAccess/policies") {
		if text(row, "id") != policies[i].ID() || len(row) != len(policies[i]) {
			t.Errorf("policy %d lost something: %v, %v", i, row, policies[i])
		}
	}

	location, _, err := c.CreateObject(t.Context(), entra.KindLocation, entra.Document{
		"@odata.type": "#microsoft.graph.ipNamedLocation", "displayName": "Office", "isTrusted": true,
		"ipRanges": []any{map[string]any{"@odata.type": "#microsoft.graph.iPv4CidrRange", "cidrAddress": "203.0.113.0/24"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	strength, _, err := c.CreateObject(t.Context(), entra.KindStrength, entra.Document{
		"displayName": "Keys", "allowedCombinations": []any{"fido2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	body := mfaPolicy("CA010")
	body["conditions"].(map[string]any)["locations"] = map[string]any{"includeLocations": []any{"All"}, "excludeLocations": []any{location.ID()}}
	policy, requestID, err := c.CreateObject(t.Context(), entra.KindPolicy, body)
	if err != nil || requestID == "" || policy.ID() == "" || policy.Text("state") != "enabledForReportingButNotEnforced" {
		t.Fatalf("%v, %q, %v", policy, requestID, err)
	}

	names, err := c.Resolve(t.Context(), []entra.Ref{{Kind: entra.KindLocation, Name: "Office"}, {Kind: entra.KindStrength, Name: "Keys"}, {Kind: entra.KindPolicy, Name: "CA010"}, {Kind: entra.KindLocation, Name: "Nowhere"}})
	if err != nil {
		t.Fatal(err)
	}
	for ref, id := range map[entra.Ref]string{{Kind: entra.KindLocation, Name: "Office"}: location.ID(), {Kind: entra.KindStrength, Name: "Keys"}: strength.ID(), {Kind: entra.KindPolicy, Name: "CA010"}: policy.ID()} {
		if o, ok := names[ref].Resolved(); !ok || o.ID != entra.NewID(id) {
			t.Errorf("%v is %v", ref, names[ref])
		}
	}

	if _, err := c.UpdateObject(t.Context(), entra.KindPolicy, policy.ID(), entra.Document{"state": "disabled", "sessionControls": nil}); err != nil {
		t.Error(err)
	}
	if got, err := c.Object(t.Context(), entra.KindPolicy, policy.ID()); err != nil || got.Text("state") != "disabled" || !cmp.Equal(got["conditions"], policy["conditions"]) {
		t.Errorf("%v, %v", got, err)
	}
	for _, body := range []entra.Document{{"displayName": "Passkeys"}, {"allowedCombinations": []any{"fido2", "windowsHelloForBusiness"}}} {
		if _, err := c.UpdateObject(t.Context(), entra.KindStrength, strength.ID(), body); err != nil {
			t.Error(err)
		}
	}
	if got, err := c.Object(t.Context(), entra.KindStrength, strength.ID()); err != nil || got.DisplayName() != "Passkeys" || len(got["allowedCombinations"].([]any)) != 2 {
		t.Errorf("%v, %v", got, err)
	}

	// Refusals: in use and trusted, not there, not valid.
	if _, err := c.DeleteObject(t.Context(), entra.KindLocation, location.ID()); !errors.Is(err, entra.ErrBadRequest) {
		t.Errorf("deleting a trusted location in use: %v", err)
	}
	if _, _, err := c.CreateObject(t.Context(), entra.KindPolicy, entra.Document{"displayName": "nothing else"}); !errors.Is(err, entra.ErrBadRequest) || errors.Is(err, entra.ErrUnknownOutcome) {
		t.Errorf("an invalid policy: %v", err)
	}
	if _, err := c.Object(t.Context(), entra.KindPolicy, "00000000-0000-4000-8000-000000000000"); !errors.Is(err, entra.ErrNotFound) {
		t.Errorf("unknown policy: %v", err)
	}

	if gone, err := c.Deleted(t.Context(), entra.KindPolicy, policy.ID()); gone || err != nil {
		t.Errorf("deleted too early: %t, %v", gone, err)
	}
	if _, err := c.DeleteObject(t.Context(), entra.KindPolicy, policy.ID()); err != nil {
		t.Error(err)
	}
	if gone, err := c.Deleted(t.Context(), entra.KindPolicy, policy.ID()); !gone || err != nil {
		t.Errorf("not among the deleted items: %t, %v", gone, err)
	}
	if _, err := c.UpdateObject(t.Context(), entra.KindLocation, location.ID(), entra.Document{"@odata.type": "#microsoft.graph.ipNamedLocation", "isTrusted": false}); err != nil {
		t.Error(err)
	}
	for _, o := range []struct {
		kind entra.ObjectKind
		id   string
	}{{entra.KindLocation, location.ID()}, {entra.KindStrength, strength.ID()}} {
		if _, err := c.DeleteObject(t.Context(), o.kind, o.id); err != nil {
			t.Error(err)
		}
		if _, err := c.Object(t.Context(), o.kind, o.id); !errors.Is(err, entra.ErrNotFound) {
			t.Errorf("%s after its end: %v", o.kind, err)
		}
	}
	effects := 0
	for _, e := range sim.Journal() {
		if e.Effect {
			effects++
		}
	}
	if effects != 10 {
		t.Errorf("%d effects, want 10: 3 creates, 4 updates, 3 deletes", effects)
	}
}

// The stock SDK makes, changes and deletes policies of the simulated tenant
// with its typed models.
func TestSimulatorServesTheStockSDKPolicies(t *testing.T) {
	sim, _, root := tenant(t, graphsim.Options{Seed: 5, Users: 10, Policies: 3})
	access := identity.NewConditionalAccessRequestBuilderInternal(map[string]string{}, stock(t, root, sim.Token()))

	policy := models.NewConditionalAccessPolicy()
	name, state := "Risky sign-in requires MFA", models.ENABLEDFORREPORTINGBUTNOTENFORCED_CONDITIONALACCESSPOLICYSTATE
	policy.SetDisplayName(&name)
	policy.SetState(&state)
	applications := models.NewConditionalAccessApplications()
	applications.SetIncludeApplications([]string{"All"})
	everyone := models.NewConditionalAccessUsers()
	everyone.SetIncludeUsers([]string{"All"})
	conditions := models.NewConditionalAccessConditionSet()
	conditions.SetApplications(applications)
	conditions.SetUsers(everyone)
	conditions.SetClientAppTypes([]models.ConditionalAccessClientApp{models.ALL_CONDITIONALACCESSCLIENTAPP})
	conditions.SetSignInRiskLevels([]models.RiskLevel{models.HIGH_RISKLEVEL, models.MEDIUM_RISKLEVEL})
	policy.SetConditions(conditions)
	operator := "OR"
	grant := models.NewConditionalAccessGrantControls()
	grant.SetOperator(&operator)
	grant.SetBuiltInControls([]models.ConditionalAccessGrantControl{models.MFA_CONDITIONALACCESSGRANTCONTROL})
	policy.SetGrantControls(grant)

	made, err := access.Policies().Post(t.Context(), policy, nil)
	if err != nil {
		t.Fatal(err)
	}
	if made.GetId() == nil || *made.GetDisplayName() != name || *made.GetState() != state || len(made.GetConditions().GetSignInRiskLevels()) != 2 || made.GetModifiedDateTime() != nil {
		t.Errorf("made %v", made.GetBackingStore().Enumerate())
	}
	change := models.NewConditionalAccessPolicy()
	disabled := models.DISABLED_CONDITIONALACCESSPOLICYSTATE
	change.SetState(&disabled)
	if _, err := access.Policies().ByConditionalAccessPolicyId(*made.GetId()).Patch(t.Context(), change, nil); err != nil {
		t.Fatal(err)
	}
	got, err := access.Policies().ByConditionalAccessPolicyId(*made.GetId()).Get(t.Context(), nil)
	if err != nil || *got.GetState() != disabled || len(got.GetConditions().GetSignInRiskLevels()) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	all, err := access.Policies().Get(t.Context(), nil)
	if err != nil || len(all.GetValue()) != 4 {
		t.Errorf("%v, %v", all, err)
	}
	if err := access.Policies().ByConditionalAccessPolicyId(*made.GetId()).Delete(t.Context(), nil); err != nil {
		t.Error(err)
	}

	office, trusted, cidr := "Office", true, "203.0.113.0/24"
	// The generated type does not send its own name, which the service needs.
	ipType, rangeType := "#microsoft.graph.ipNamedLocation", "#microsoft.graph.iPv4CidrRange"
	location := models.NewIpNamedLocation()
	location.SetOdataType(&ipType)
	location.SetDisplayName(&office)
	location.SetIsTrusted(&trusted)
	ipRange := models.NewIPv4CidrRange()
	ipRange.SetOdataType(&rangeType)
	ipRange.SetCidrAddress(&cidr)
	location.SetIpRanges([]models.IpRangeable{ipRange})
	place, err := access.NamedLocations().Post(t.Context(), location, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ip, ok := place.(models.IpNamedLocationable); !ok || len(ip.GetIpRanges()) != 1 || !*ip.GetIsTrusted() {
		t.Errorf("location %v", place.GetBackingStore().Enumerate())
	}
}

// What the baseline applies, the stock SDK reads with its typed models, and what
// they hold is what the baseline says.
func TestTheStockSDKReadsTheBaseline(t *testing.T) {
	sim, c, root := tenant(t, graphsim.Options{Seed: 5, Users: 10, Policies: 0})
	b, problems := baseline.Load(os.DirFS("../../examples"), "baseline")
	if b == nil {
		t.Fatal(problems)
	}
	live := drift.Live{}
	var err error
	if live.Names, err = c.Resolve(t.Context(), b.Refs()); err != nil {
		t.Fatal(err)
	}
	told, err := c.Identify(t.Context(), b.IDs())
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(live.Names, told)
	if live.Tenant, err = c.Tenant(t.Context()); err != nil {
		t.Fatal(err)
	}
	if live.Strengths, err = c.Objects(t.Context(), entra.KindStrength); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	want := map[entra.ObjectKind]map[string]entra.Document{entra.KindPolicy: {}, entra.KindLocation: {}}
	for _, a := range drift.Compare(b, live, drift.Settings{}).Actions {
		text, err := json.Marshal(a.Change.Body)
		if err != nil {
			t.Fatal(err)
		}
		for ref, id := range ids {
			text = []byte(strings.ReplaceAll(string(text), "{{"+ref+"}}", id))
		}
		body, err := entra.ParseDocument(text)
		if err != nil {
			t.Fatal(err)
		}
		made, _, err := c.CreateObject(t.Context(), a.Change.Kind, body)
		if err != nil {
			t.Fatal(err)
		}
		ids[string(a.Change.Kind)+":"+a.Change.Key] = made.ID()
		want[a.Change.Kind][made.ID()] = policy.CanonicalOf(a.Change.Kind, body).Document()
	}
	if len(want[entra.KindPolicy]) != len(b.Policies) || len(want[entra.KindLocation]) != len(b.Locations) {
		t.Fatalf("made %v", ids)
	}

	access := identity.NewConditionalAccessRequestBuilderInternal(map[string]string{}, stock(t, root, sim.Token()))
	policies, err := access.Policies().Get(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	locations, err := access.NamedLocations().Get(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[entra.ObjectKind]map[string]entra.Document{entra.KindPolicy: {}, entra.KindLocation: {}}
	for _, p := range policies.GetValue() {
		got[entra.KindPolicy][*p.GetId()] = written(t, entra.KindPolicy, p)
	}
	for _, l := range locations.GetValue() {
		if _, ours := want[entra.KindLocation][*l.GetId()]; ours { // the tenant has some of its own
			got[entra.KindLocation][*l.GetId()] = written(t, entra.KindLocation, l)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-baseline +stock SDK)\n%s", d)
	}
}

// written is the canonical form of what a typed model would send.
func written(t *testing.T, kind entra.ObjectKind, model serialization.Parsable) entra.Document {
	t.Helper()
	w := jsonformat.NewJsonSerializationWriter()
	defer w.Close()
	if err := w.WriteObjectValue("", model); err != nil {
		t.Fatal(err)
	}
	text, err := w.GetSerializedContent()
	if err != nil {
		t.Fatal(err)
	}
	d, err := entra.ParseDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	return policy.CanonicalOf(kind, d).Document()
}
