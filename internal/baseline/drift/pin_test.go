package drift_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// withIDs is the small baseline with the ids of its objects beside their keys.
func withIDs(t *testing.T, tn *tenant) (*baseline.Baseline, string) {
	t.Helper()
	b := load(t, small)
	texts, problems := b.WithIDs(map[string][]byte{"b.yaml": []byte(small)}, adopt.IDs(b, tn.read(), tn.owned))
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	text := string(texts["b.yaml"])
	return load(t, text), text
}

// A baseline with ids plans what one with its record plans, and needs no record.
func TestPinnedNeedsNoRecord(t *testing.T) {
	tn, _ := applied(t, small)
	b, text := withIDs(t, tn)
	if n := strings.Count(text, "id: "); n != len(b.Items())+1 {
		t.Errorf("%d ids of %d in\n%s", n, len(b.Items()), text)
	}
	owned, problems := drift.Pin(b, nil)
	live := answered(b, tn.read())
	confirmed, more := drift.Confirm(b, live, owned)
	if len(problems)+len(more) > 0 {
		t.Fatal(problems, more)
	}
	got := drift.Compare(b, live, drift.Settings{Owned: confirmed})
	if len(got.Actions) > 0 {
		t.Error(shape(got.Actions))
	}
	for kind, records := range tn.owned {
		for key, o := range records {
			if c := confirmed[kind][key]; c.ID != o.ID || c.Hash == "" || c.DisplayName != o.DisplayName {
				t.Errorf("%s %s: %+v, recorded was %+v", kind, key, c, o)
			}
		}
	}
}

// What a file alone says is kept as a record once the tenant has confirmed it; what was
// recorded before stays in any case.
func TestKnown(t *testing.T) {
	bare, full := plan.Owned{ID: ada}, plan.Owned{ID: bg1, Hash: "h"}
	before := plan.OwnedObjects{entra.KindLocation: {"old": bare}}
	got := drift.Known(plan.OwnedObjects{entra.KindLocation: {"old": bare, "new": {ID: bg2}}, entra.KindPolicy: {"CA010": full}}, before)
	if _, kept := got[entra.KindLocation]["new"]; kept || got[entra.KindLocation]["old"] != bare || got[entra.KindPolicy]["CA010"] != full {
		t.Errorf("%+v", got)
	}
}

// Files and record that do not agree are a problem at its place, never a guess.
func TestPinDisagrees(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(tn *tenant, id string)
		want   string
	}{
		{"another is recorded", func(tn *tenant, _ string) { tn.owned[entra.KindPolicy]["CA010"] = plan.Owned{ID: ada} }, "the record in the store says " + ada + " for this key; risksweep baseline adopt --write"},
		{"it is another key's", func(tn *tenant, _ string) {
			tn.owned[entra.KindPolicy]["CA020"] = tn.owned[entra.KindPolicy]["CA010"]
			delete(tn.owned[entra.KindPolicy], "CA010")
		}, "the record in the store has this policy for the key CA020; take one of the two"},
		{"the key was renamed", func(tn *tenant, _ string) {
			tn.owned[entra.KindPolicy]["OLD"] = tn.owned[entra.KindPolicy]["CA010"]
			delete(tn.owned[entra.KindPolicy], "CA010")
		}, "for the key OLD; if the key was renamed: risksweep baseline adopt CA010="},
		{"it is not in the tenant", func(tn *tenant, id string) {
			tn.owned = plan.OwnedObjects{}
			delete(tn.docs[entra.KindPolicy], id)
		}, "the tenant has no policy with this id; ids are of one tenant"},
		{"it was deleted", func(tn *tenant, id string) {
			tn.owned = plan.OwnedObjects{}
			delete(tn.docs[entra.KindPolicy], id)
			tn.live.Deleted[id] = true
		}, "it is among the deleted items: risksweep baseline restore "},
		{"a location is not in the tenant", func(tn *tenant, _ string) {
			id := string(tn.owned[entra.KindLocation]["VPN"].ID)
			tn.owned = plan.OwnedObjects{}
			delete(tn.docs[entra.KindLocation], id)
		}, "the tenant has no named location with this id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn, _ := applied(t, small)
			b, _ := withIDs(t, tn)
			id := string(tn.owned[entra.KindPolicy]["CA010"].ID)
			c.change(tn, id)
			owned, problems := drift.Pin(b, tn.owned)
			if problems == nil {
				_, problems = drift.Confirm(b, tn.read(), owned)
			}
			if len(problems) == 0 || !strings.Contains(problems.Error(), c.want) || problems[0].Line == 0 {
				t.Errorf("%v", problems)
			}
		})
	}
}

// What is recorded and was deleted by hand is not made anew while a file gives its
// id: nobody would know the new one. Nothing else waits for it.
func TestPinnedAndDeletedByHand(t *testing.T) {
	tn, _ := applied(t, small)
	b, _ := withIDs(t, tn)
	id := string(tn.owned[entra.KindPolicy]["CA010"].ID)
	delete(tn.docs[entra.KindPolicy], id)
	live := answered(b, tn.read())
	live.Deleted = map[string]bool{id: true}
	got := drift.Compare(b, live, drift.Settings{Owned: tn.owned})
	for _, e := range got.Entries {
		want := drift.InSync
		if e.Key == "CA010" {
			want = drift.Blocked
		}
		if e.Key != "" && e.Status != want {
			t.Errorf("%s is %s: %v", e.Key, e.Status, e.Reasons)
		}
	}
	for _, a := range got.Actions {
		if a.Status == plan.Ready {
			t.Errorf("%+v", a)
		}
	}
}

// Without a key the id of a pasted object says nothing of ownership; two keys never
// share one.
func TestIDsInFiles(t *testing.T) {
	pasted := fmt.Sprintf("policies:\n  - id: %s\n    displayName: P\n    state: disabled\n    conditions: {applications: {includeApplications: [All]}, users: {includeUsers: [All]}}\n    grantControls: {builtInControls: [mfa]}\n", ada)
	if it := load(t, pasted).Policies[0]; it.ID != "" || it.OldID != ada {
		t.Errorf("%q %q", it.ID, it.OldID)
	}
	for text, want := range map[string]string{
		strings.Replace(pasted, "displayName: P", "key: P\n    displayName: P", 1) + strings.Replace(strings.Replace(pasted, "policies:\n", "", 1), "displayName: P", "key: Q\n    displayName: Q", 1): "b.yaml:8:9: policies[1].id: the id \"" + ada + "\" stands already in b.yaml:2",
		"policies:\n  - {key: P, id: 17, displayName: P, state: disabled}":  `policies[0].id: "17" is no object id`,
		"policies:\n  - {key: P, id: x-y, displayName: P, state: disabled}": `policies[0].id: "x-y" is no object id`,
	} {
		if _, problems := baseline.Parse("b.yaml", []byte(text)); !strings.Contains(problems.Error(), want) {
			t.Errorf("%v\nwant %s in\n%s", problems, want, text)
		}
	}
}
