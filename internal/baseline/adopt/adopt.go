// Package adopt takes live objects into ownership of a baseline, and writes a
// tenant as a baseline. It is pure.
package adopt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// Adoption is one live object that now stands for a key.
type Adoption struct {
	Kind        entra.ObjectKind `json:"kind"`
	Key         string           `json:"key"`
	ID          string           `json:"id"`
	DisplayName string           `json:"displayName"`
	// New says that it was adopted now, and not before.
	New bool `json:"adopted"`
	// File is where its id was put beside its key; empty where it was not.
	File string `json:"file,omitempty"`
}

// Order says what to adopt.
type Order struct {
	// Pairs are KEY=ID, or kind:KEY=ID where policies, locations and strengths
	// share a key.
	Pairs []string
	// ByName takes for every item without a live object the one that has its
	// displayName and is nobody's yet.
	ByName bool
	// Write says that the ids come to stand beside the keys in the baseline's
	// files, whatever stands there now.
	Write bool
}

// Adopt takes live objects into ownership: those that the order names, and those
// whose id stands beside a key. Nothing is guessed: a pair that does not fit, two
// candidates, or an id that is not that of the record is a problem, and with a
// problem nothing is adopted. The records given are not changed; the result holds
// all of them.
func Adopt(b *baseline.Baseline, live drift.Live, owned plan.OwnedObjects, o Order) (plan.OwnedObjects, []Adoption, []string) {
	a := &adopter{b: b, live: live, owned: plan.OwnedObjects{}, write: o.Write}
	for _, kind := range policy.Kinds {
		a.owned[kind] = maps.Clone(owned[kind])
		if a.owned[kind] == nil {
			a.owned[kind] = map[string]plan.Owned{}
		}
	}
	for _, p := range o.Pairs {
		if problem := a.pair(p); problem != "" {
			a.problems = append(a.problems, p+": "+problem)
		}
	}
	for _, it := range b.Items() {
		a.byID(it)
		if o.ByName {
			a.byName(it)
		}
		a.agree(it)
	}
	if len(a.problems) > 0 {
		return owned, nil, a.problems
	}
	maps.DeleteFunc(a.owned, func(_ entra.ObjectKind, records map[string]plan.Owned) bool { return len(records) == 0 })
	return a.owned, a.done, nil
}

type adopter struct {
	b        *baseline.Baseline
	live     drift.Live
	owned    plan.OwnedObjects
	done     []Adoption
	problems []string
	write    bool
}

func (a *adopter) pair(p string) string {
	i := strings.LastIndex(p, "=")
	if i < 1 || i == len(p)-1 {
		return "must have the form KEY=ID"
	}
	key, id := p[:i], policy.FoldID(p[i+1:])
	var items []baseline.Item
	for _, it := range a.b.Items() {
		if it.Key == key || it.Ref() == key {
			items = append(items, it)
		}
	}
	switch {
	case len(items) == 0:
		return fmt.Sprintf("the baseline has no key %q", key)
	case len(items) > 1:
		var refs []string
		for _, it := range items {
			refs = append(refs, it.Ref()+"="+id)
		}
		return "several objects have this key; say which: " + strings.Join(refs, " or ")
	}
	d := a.live.ByID(items[0].Kind, id)
	if d == nil {
		return fmt.Sprintf("the tenant has no %s with this id", items[0].Kind)
	}
	return a.take(items[0], d)
}

// stands reports whether a live object is recorded for an item.
func (a *adopter) stands(it baseline.Item) bool {
	o, ok := a.owned[it.Kind][it.Key]
	return ok && a.live.ByID(it.Kind, string(o.ID)) != nil
}

// byID takes the object whose id stands beside the key, where nothing else stands
// for it.
func (a *adopter) byID(it baseline.Item) {
	if it.ID == "" || a.stands(it) {
		return
	}
	if d := a.live.ByID(it.Kind, it.ID); d != nil {
		if problem := a.take(it, d); problem != "" {
			a.problems = append(a.problems, it.Problem("id", problem).Error())
		}
	}
}

// agree says where the id beside a key is not that of the record, unless it is to
// be written anew.
func (a *adopter) agree(it baseline.Item) {
	o := a.owned[it.Kind][it.Key]
	switch {
	case it.ID == "" || o.ID == entra.NewID(it.ID) && a.stands(it) || a.write && a.stands(it):
	case a.stands(it):
		a.problems = append(a.problems, it.Problem("id", fmt.Sprintf("the object of this key is %s; --write puts that here", o.ID)).Error())
	case a.live.Unreadable(it.Kind) != "":
		a.problems = append(a.problems, it.Problem("id", a.live.Unreadable(it.Kind)).Error())
	default:
		a.problems = append(a.problems, it.Problem("id", a.live.Missing(it)).Error())
	}
}

// IDs are the ids to write beside keys, by Item.Ref: of all that live objects stand
// for.
func IDs(b *baseline.Baseline, live drift.Live, owned plan.OwnedObjects) map[string]entra.ID {
	ids := map[string]entra.ID{}
	for _, it := range b.Items() {
		if o, ok := owned[it.Kind][it.Key]; ok && live.ByID(it.Kind, string(o.ID)) != nil {
			ids[it.Ref()] = o.ID
		}
	}
	return ids
}

// Written adds to what was adopted where ids come to stand in files.
func Written(b *baseline.Baseline, adopted []Adoption, owned plan.OwnedObjects, ids map[string]entra.ID) []Adoption {
	out := slices.Clone(adopted)
	for _, it := range b.Items() {
		id := ids[it.Ref()]
		if id == "" || entra.NewID(it.ID) == id {
			continue
		}
		i := slices.IndexFunc(out, func(a Adoption) bool { return a.Kind == it.Kind && a.Key == it.Key })
		if i < 0 {
			i = len(out)
			out = append(out, Adoption{Kind: it.Kind, Key: it.Key, ID: string(id), DisplayName: owned[it.Kind][it.Key].DisplayName})
		}
		out[i].File = it.File()
	}
	return out
}

// take records a live object for an item.
func (a *adopter) take(it baseline.Item, d entra.Document) string {
	records, id := a.owned[it.Kind], entra.NewID(d.ID())
	if d.Text("policyType") == policy.PolicyTypeBuiltIn {
		return "a built-in authentication strength belongs to the service"
	}
	if o, ok := records[it.Key]; ok && o.ID != id && a.live.ByID(it.Kind, string(o.ID)) != nil {
		return fmt.Sprintf("the key stands for %s already, which is in the tenant", o.ID)
	}
	made := false // by us, and only recorded under another key
	for _, key := range policy.SortedKeys(records) {
		if key == it.Key || records[key].ID != id {
			continue
		}
		if slices.ContainsFunc(a.b.OfKind(it.Kind), func(o baseline.Item) bool { return o.Key == key }) {
			return fmt.Sprintf("the object stands for the key %s already", key)
		}
		made = !records[key].Adopted
		delete(records, key) // the key was renamed in the baseline
	}
	if o, ok := records[it.Key]; ok && o.ID == id {
		made = !o.Adopted
	}
	records[it.Key] = plan.Owned{ID: id, Hash: policy.CanonicalHash(it.Kind, d), DisplayName: d.DisplayName(), Adopted: !made}
	a.done = append(a.done, Adoption{Kind: it.Kind, Key: it.Key, ID: d.ID(), DisplayName: d.DisplayName(), New: true})
	return ""
}

func (a *adopter) byName(it baseline.Item) {
	if a.stands(it) {
		return
	}
	var found []entra.Document
	for _, d := range a.live.List(it.Kind) {
		if strings.EqualFold(d.DisplayName(), it.DisplayName()) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		if problem := a.take(it, found[0]); problem != "" {
			a.problems = append(a.problems, it.Key+": "+problem)
		}
	default:
		var ids []string
		for _, d := range found {
			ids = append(ids, d.ID())
		}
		slices.Sort(ids)
		a.problems = append(a.problems, fmt.Sprintf("%s: %d objects are named %q (%s); say which: %s=ID", it.Key, len(found), it.DisplayName(), strings.Join(ids, ", "), it.Key))
	}
}
