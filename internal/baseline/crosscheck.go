package baseline

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// crossCheck judges what no single object shows: keys and names that stand
// twice, numbers beyond the tenant's, break-glass accounts that are missing.
func (l *loader) crossCheck() {
	for _, kind := range []entra.ObjectKind{entra.KindLocation, entra.KindStrength, entra.KindPolicy} {
		items := l.b.OfKind(kind)
		l.unique(items, "key", func(it Item) string { return it.Key })
		l.unique(items, "displayName", Item.DisplayName)
		l.unique(items, "id", func(it Item) string { return it.ID })
	}
	l.ambiguous()
	for _, c := range []struct {
		items []Item
		most  int
		what  string
	}{
		{l.b.Policies, MaxPolicies, "policies"}, {l.b.Locations, MaxLocations, "named locations"}, {l.b.Strengths, MaxStrengths, "custom authentication strengths"},
	} {
		if len(c.items) > c.most {
			l.Add(c.items[c.most].node, "a tenant holds at most %d %s; these are %d", c.most, c.what, len(c.items))
		}
	}
	if i := slices.IndexFunc(l.b.Policies, func(it Item) bool { return it.Want.Text("state") == policy.StateEnabled }); i >= 0 {
		if n := len(l.b.BreakGlass.Users); n < MinBreakGlass && len(l.b.BreakGlass.Groups) == 0 && !l.brokenGlass {
			l.Warn(node(l.b.Policies[i], "state"), "enabling needs at least %d enabled break-glass accounts; breakGlass names %d, so apply will block every change that leaves a policy enabled", MinBreakGlass, n)
		}
	}
}

// unique reports a text that stands for two objects; case does not tell them
// apart, neither for the service nor for a person.
func (l *loader) unique(items []Item, what string, of func(Item) string) {
	seen := map[string]Item{}
	for _, it := range items {
		s := strings.ToLower(of(it))
		if s == "" {
			continue
		}
		first, ok := seen[s]
		if !ok {
			seen[s] = it
			continue
		}
		if what == "displayName" && it.node.Get("key") == nil && first.node.Get("key") == nil {
			continue // said of the key already, which it stands for
		}
		l.Add(node(it, what), "the %s %q stands already in %s:%d", what, of(it), first.node.File, first.node.Line)
	}
}

// ambiguous reports a key of one location or strength that is the name of
// another: a policy that names it could mean either.
func (l *loader) ambiguous() {
	for _, items := range [][]Item{l.b.Locations, l.b.Strengths} {
		for _, a := range items {
			for _, b := range items {
				if a.node != b.node && a.Key != "" && strings.EqualFold(a.Key, b.DisplayName()) && !strings.EqualFold(a.Key, b.Key) {
					l.Add(node(a, "key"), "the key %q is also the displayName of %s:%d", a.Key, b.node.File, b.node.Line)
				}
			}
		}
	}
}

// node finds where a path of an item stands, or the nearest node above it.
func node(it Item, path string) *yamldoc.Node {
	n := it.node
	for name := range strings.SplitSeq(path, ".") {
		next := n.Get(name)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}
