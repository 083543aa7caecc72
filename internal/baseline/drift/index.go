package drift

import (
	"slices"
	"strings"
	"unicode"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// index finds the objects of the tenant and of the records: a comparison asks for
// each of them many times.
type index struct {
	byID   map[place]entra.Document
	named  map[place][]entra.Document // by the name as names are compared
	owners map[place][]string         // the keys for which an id is recorded, sorted
	// policies are the canonical forms of the live policies, in their order, and
	// forms the same by id.
	policies []policy.Canonical
	forms    map[string]policy.Canonical
	// words are the kinds of object of the directory that may be named where a
	// text that is no id stands in a live policy, by the name of the list and the
	// text.
	words map[[2]string][]entra.ObjectKind
}

// place is a kind of object and an id or a name.
type place struct {
	kind entra.ObjectKind
	text string
}

func newIndex(live Live, owned plan.OwnedObjects) index {
	x := index{byID: map[place]entra.Document{}, named: map[place][]entra.Document{}, owners: map[place][]string{}, forms: map[string]policy.Canonical{}, words: map[[2]string][]entra.ObjectKind{}}
	for _, kind := range policy.Kinds {
		for _, d := range live.List(kind) {
			if at := (place{kind, d.ID()}); x.byID[at] == nil {
				x.byID[at] = d
			}
			at := place{kind, folded(d.DisplayName())}
			x.named[at] = append(x.named[at], d)
		}
		for _, key := range policy.SortedKeys(owned[kind]) {
			at := place{kind, string(owned[kind][key].ID)}
			x.owners[at] = append(x.owners[at], key)
		}
	}
	for _, d := range live.Policies {
		c := policy.CanonicalOf(entra.KindPolicy, d)
		x.policies = append(x.policies, c)
		if id := d.ID(); x.forms[id] == nil {
			x.forms[id] = c
		}
		policy.EachRef(policy.SchemaOf(entra.KindPolicy), c, func(m *policy.Member, s string) {
			at := [2]string{m.Name, s}
			if policy.IsDirectory(m.Ref) && !entra.IsID(s) && !slices.Contains(x.words[at], m.Ref) {
				x.words[at] = append(x.words[at], m.Ref)
			}
		})
	}
	return x
}

func (x index) object(kind entra.ObjectKind, id string) entra.Document {
	return x.byID[place{kind, string(entra.NewID(id))}]
}

func (x index) namesakes(kind entra.ObjectKind, name string) []entra.Document {
	return x.named[place{kind, folded(name)}]
}

func (x index) keys(kind entra.ObjectKind, id string) []string {
	return x.owners[place{kind, string(entra.NewID(id))}]
}

// folded is the one form of all texts that strings.EqualFold holds for equal.
func folded(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return unicode.SimpleFold(r) < r }) {
		return s
	}
	return strings.Map(func(r rune) rune {
		for f := unicode.SimpleFold(r); ; f = unicode.SimpleFold(f) {
			if f <= r { // the orbit has come round to its least
				return f
			}
		}
	}, s)
}

// canonical is the canonical form of an object of the tenant.
func (x index) canonical(kind entra.ObjectKind, d entra.Document) policy.Canonical {
	if c := x.forms[d.ID()]; c != nil && kind == entra.KindPolicy {
		return c
	}
	return policy.CanonicalOf(kind, d)
}
