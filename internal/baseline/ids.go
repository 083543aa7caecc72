package baseline

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// idPattern is what entra.IsID takes, for editors.
const idPattern = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

// id reads the id of an object. Beside a key it says which live object stands for
// the key; without one it is what a pasted object brings along.
func (l *loader) id(n *yamldoc.Node, it *Item) {
	id := n.Get("id")
	switch {
	case id == nil || id.Kind == yamldoc.Null:
	case entra.IsID(id.Value):
		it.OldID = policy.FoldID(id.Value)
		if it.Key != "" {
			it.ID = it.OldID
		}
	case it.Key != "":
		l.Add(id, "%q is no object id; beside a key it says which object of the tenant stands for the key", id.Value)
	}
}

// Problem is what is wrong with a member of the item, with its place.
func (it Item) Problem(member, message string) yamldoc.Problem {
	at := node(it, member)
	return yamldoc.Problem{File: at.File, Line: at.Line, Column: at.Column, Path: at.Path, Message: message}
}

// File is where the item stands.
func (it Item) File() string { return it.node.File }

// Places say of the items of a kind by their keys where they are written.
func (b *Baseline) Places(kind entra.ObjectKind) map[string]string {
	out := map[string]string{}
	if b == nil {
		return out
	}
	for _, it := range b.Items() {
		if it.Kind == kind && it.node != nil {
			out[it.Key] = fmt.Sprintf("%s:%d", it.node.File, it.node.Line)
		}
	}
	return out
}

// WithIDs puts ids beside the keys of a baseline's items, in the texts of its files
// by their names; an item without a key gets that too. It returns the texts that
// change. The ids are by Item.Ref; what has none is left as it is.
func (b *Baseline) WithIDs(texts map[string][]byte, ids map[string]entra.ID) (map[string][]byte, yamldoc.Problems) {
	puts := map[string][]yamldoc.Put{}
	var problems yamldoc.Problems
	used := b.usedIDs()
	for _, it := range b.Items() {
		id := string(ids[it.Ref()])
		if id == "" || it.ID == id {
			continue
		}
		if it.OldID != "" && it.OldID != id && used[it.OldID] {
			problems = append(problems, it.Problem("id", "policies refer to this object by its old id, which "+id+" would replace: write its key there first"))
			continue
		}
		puts[it.File()] = append(puts[it.File()], yamldoc.Put{In: it.node, Members: []yamldoc.Text{{Name: "key", Value: it.Key}, {Name: "id", Value: id}}})
	}
	changed := map[string][]byte{}
	for _, file := range slices.Sorted(maps.Keys(puts)) {
		text, wrong := yamldoc.PutAll(file, texts[file], puts[file])
		problems = append(problems, wrong.Errors()...)
		changed[file] = text
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return changed, nil
}

// usedIDs are the ids of locations and strengths that policies name.
func (b *Baseline) usedIDs() map[string]bool {
	used := map[string]bool{}
	for _, it := range b.Policies {
		policy.EachRef(policy.SchemaOf(it.Kind), it.Want, func(m *policy.Member, name string) {
			if m.Ref == entra.KindLocation || m.Ref == entra.KindStrength {
				used[strings.ToLower(name)] = true
			}
		})
	}
	return used
}
