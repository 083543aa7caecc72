package baseline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// resolve replaces the names of an item by ids. What this plan has yet to make
// stands as "{{kind:key}}" and is named in needs. A name that does not lead to
// exactly one object is a problem, and is left as it is: never dropped.
func (p *planner) resolve(it Item) (want entra.Document, needs, problems []string) {
	schema := entra.SchemaOf(it.Kind)
	v := mapRefs(schema, map[string]any(it.Want.Clone()), func(m *entra.Member, name string) string {
		if slices.Contains(m.Words, name) {
			return name
		}
		var id, need, problem string
		switch {
		case m.Ref == entra.KindLocation || m.Ref == entra.KindStrength:
			id, need, problem = p.object(m.Ref, name)
		case entra.IsID(name):
			id = name
		default:
			var o entra.DirectoryObject
			o, problem = lookUp(p.live.Names, entra.Ref{Kind: m.Ref, Name: name})
			id = fold(o.ID)
		}
		if problem != "" {
			problems = append(problems, m.Name+": "+problem)
			return name
		}
		if need != "" && !slices.Contains(needs, need) {
			needs = append(needs, need)
		}
		return id
	})
	d, _ := v.(map[string]any)
	slices.Sort(needs)
	return entra.Canonical(it.Kind, d), needs, problems
}

// object finds a named location or strength: by id among the live ones, by key
// or name in the baseline, by name among the live ones.
func (p *planner) object(kind entra.ObjectKind, name string) (id, need, problem string) {
	if entra.IsID(name) {
		if kind == entra.KindLocation && (name == entra.LegacyTrustedIPs || name == entra.CompliantNetwork) || p.live.byID(kind, name) != nil {
			return name, "", ""
		}
		return "", "", fmt.Sprintf("no %s has the id %s (1040)", kind, name)
	}
	for _, e := range p.entries {
		if e.item == nil || e.Kind != kind || !strings.EqualFold(e.Key, name) && !strings.EqualFold(e.item.DisplayName(), name) {
			continue
		}
		switch {
		case e.live != nil:
			return fold(e.ID), "", ""
		case e.Adopt != "": // blocked; this is what it would be
			return fold(e.Adopt), e.item.ref(), ""
		}
		return "{{" + e.item.ref() + "}}", e.item.ref(), ""
	}
	var found []string
	var all []string
	for _, d := range p.live.list(kind) {
		all = append(all, d.DisplayName())
		if strings.EqualFold(d.DisplayName(), name) {
			found = append(found, d.ID())
		}
	}
	switch len(found) {
	case 1:
		return fold(found[0]), "", ""
	case 0:
		if kind == entra.KindLocation && strings.EqualFold(name, entra.CompliantNetworkName) {
			return entra.CompliantNetwork, "", ""
		}
		problem = fmt.Sprintf("no %s is named %q, neither in the baseline nor in the tenant", kind, name)
		if near := yamldoc.Nearest(name, all); near != "" {
			problem += fmt.Sprintf(" (did you mean %q?)", near)
		}
		return "", "", problem
	}
	slices.Sort(found)
	return "", "", fmt.Sprintf("%d objects of kind %s are named %q (%s); give the id", len(found), kind, name, strings.Join(found, ", "))
}
