package drift

import (
	"fmt"
	"maps"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// Pin takes into the records what the baseline's files say beside their keys: a
// baseline with ids needs no record. Where both speak and do not agree, nobody
// knows which object is ours, and each such place is a problem. The records given
// are not changed.
func Pin(b *baseline.Baseline, owned plan.OwnedObjects) (plan.OwnedObjects, yamldoc.Problems) {
	pinned := plan.CloneOwned(owned)
	var problems yamldoc.Problems
	for _, it := range b.Items() {
		if it.ID == "" {
			continue
		}
		if recorded, ok := owned[it.Kind][it.Key]; ok && recorded.ID != "" {
			if recorded.ID != entra.NewID(it.ID) {
				problems = append(problems, it.Problem("id", fmt.Sprintf("the record in the store says %s for this key; risksweep baseline adopt --write puts that here", recorded.ID)))
			}
			continue
		}
		if other := keyOf(owned[it.Kind], it.ID); other != "" {
			hint := "take one of the two out of the baseline"
			if !has(b, it.Kind, other) {
				hint = "if the key was renamed: " + (&planner{b: b}).adoptHint(Entry{Kind: it.Kind, Key: it.Key}, it.ID)
			}
			problems = append(problems, it.Problem("id", fmt.Sprintf("the record in the store has this %s for the key %s; %s", it.Kind.Noun(), other, hint)))
			continue
		}
		if pinned[it.Kind] == nil {
			pinned[it.Kind] = map[string]plan.Owned{}
		}
		pinned[it.Kind][it.Key] = plan.Owned{ID: entra.NewID(it.ID)}
	}
	return pinned, problems
}

// Confirm completes the records that Pin has taken from the files with what the
// tenant has. An object that was looked for and is not there is a problem.
func Confirm(b *baseline.Baseline, live Live, owned plan.OwnedObjects) (plan.OwnedObjects, yamldoc.Problems) {
	confirmed := plan.CloneOwned(owned)
	var problems yamldoc.Problems
	for _, it := range b.Items() {
		o, ok := owned[it.Kind][it.Key]
		if !ok || it.ID == "" || o != (plan.Owned{ID: entra.NewID(it.ID)}) || live.Unreadable(it.Kind) != "" {
			continue
		}
		d := live.ByID(it.Kind, it.ID)
		switch {
		case d == nil:
			problems = append(problems, it.Problem("id", live.Missing(it)))
		case d.Text("policyType") == policy.PolicyTypeBuiltIn:
			problems = append(problems, it.Problem("id", "a built-in authentication strength belongs to the service"))
		default:
			confirmed[it.Kind][it.Key] = plan.Owned{ID: o.ID, Hash: policy.CanonicalHash(it.Kind, d), DisplayName: d.DisplayName(), Adopted: true}
		}
	}
	return confirmed, problems
}

// Known are the records to keep: those that were kept before, and those of which more
// is known by now than what a file says.
func Known(owned, before plan.OwnedObjects) plan.OwnedObjects {
	known := plan.CloneOwned(owned)
	for kind, records := range known {
		maps.DeleteFunc(records, func(key string, o plan.Owned) bool { return o == plan.Owned{ID: o.ID} && o != before[kind][key] })
	}
	return known
}

// Missing says that the tenant has not what a file gives the id of, and what to do.
func (l Live) Missing(it baseline.Item) string {
	s := fmt.Sprintf("the tenant has no %s with this id; ", it.Kind.Noun())
	if l.Deleted[it.ID] {
		return s + "it is among the deleted items: risksweep baseline restore " + it.ID + " brings it back; or take the id out to have a new one made"
	}
	return s + "ids are of one tenant: take it out to have a new one made, or put the right one here"
}

// keyOf is the key that an id is recorded for, empty if it is for none.
func keyOf(records map[string]plan.Owned, id string) string {
	for _, key := range policy.SortedKeys(records) {
		if records[key].ID == entra.NewID(id) {
			return key
		}
	}
	return ""
}

func has(b *baseline.Baseline, kind entra.ObjectKind, key string) bool {
	for _, it := range b.OfKind(kind) {
		if it.Key == key {
			return true
		}
	}
	return false
}
