package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/yamldoc"
)

// resolve replaces the names of an item by ids. What this plan has yet to make
// stands as "{{kind:key}}" and is named in needs. A name that does not lead to
// exactly one object is a problem, and is left as it is: never dropped.
func (p *planner) resolve(it baseline.Item) (want entra.Document, needs, problems []string) {
	schema := policy.SchemaOf(it.Kind)
	v := policy.MapRefs(schema, map[string]any(it.Want.Clone()), func(m *policy.Member, name string) string {
		if slices.Contains(m.Words, name) {
			return name
		}
		var id, need, problem string
		switch {
		case p.isLiveWord(it.Kind, m.Name, name):
			return name
		case m.Ref == entra.KindLocation || m.Ref == entra.KindStrength:
			id, need, problem = p.object(m.Ref, name)
		case entra.IsID(name):
			id = name
		default:
			var o entra.DirectoryObject
			o, problem = policy.LookUp(p.live.Names, entra.Ref{Kind: m.Ref, Name: name})
			if id = string(o.ID); problem != "" && len(m.Words) > 0 && !strings.ContainsAny(name, " @") {
				problem += fmt.Sprintf("; it is none of the special words that this program knows here (%s), and one that is newer needs a newer program", strings.Join(m.Words, ", "))
			}
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
	return policy.Canonical(it.Kind, d), needs, problems
}

// isLiveWord reports whether a text that is no id and no name that was found
// stands in the same list of a policy of the tenant. The service shows nothing
// but ids and special words there, so it is a word that is newer than this
// program.
func (p *planner) isLiveWord(kind entra.ObjectKind, member, name string) bool {
	if kind != entra.KindPolicy || entra.IsID(name) {
		return false
	}
	found := false
	for _, d := range p.live.Policies {
		policy.EachRef(policy.SchemaOf(kind), policy.Canonical(kind, d), func(m *policy.Member, s string) {
			found = found || m.Name == member && s == name && policy.IsDirectory(m.Ref) && len(p.live.Names[entra.Ref{Kind: m.Ref, Name: name}].Objects) == 0
		})
	}
	return found
}

// byOldID finds the object of the baseline that had an id where it was pasted
// from.
func (p *planner) byOldID(kind entra.ObjectKind, id string) (found []*entry) {
	for _, e := range p.entries {
		if e.item != nil && e.Kind == kind && e.item.OldID == id {
			found = append(found, e)
		}
	}
	return found
}

// standsFor is the id of an object of the baseline, or what stands for it until
// it is made.
func (e *entry) standsFor() (id, need string) {
	switch {
	case e.live != nil:
		return policy.FoldID(e.ID), ""
	case e.Adopt != "": // blocked; this is what it would be
		return policy.FoldID(e.Adopt), e.item.Ref()
	}
	return "{{" + e.item.Ref() + "}}", e.item.Ref()
}

// object finds a named location or strength: by id among those of the baseline
// and the live ones, by key or name in the baseline, by name among the live
// ones.
func (p *planner) object(kind entra.ObjectKind, name string) (id, need, problem string) {
	if entra.IsID(name) {
		switch pasted := p.byOldID(kind, name); {
		case len(pasted) > 1:
			return "", "", fmt.Sprintf("%d objects of the baseline have the id %s; give the key of one", len(pasted), name)
		case len(pasted) == 1 && (pasted[0].live != nil || p.live.ByID(kind, name) == nil):
			id, need = pasted[0].standsFor()
			return id, need, ""
		}
		if kind == entra.KindLocation && (name == policy.LegacyTrustedIPs || name == policy.CompliantNetwork) || p.live.ByID(kind, name) != nil {
			return name, "", ""
		}
		if kind == entra.KindLocation {
			return "", "", fmt.Sprintf("no %s has the id %s (1040)", kind, name)
		}
		return "", "", fmt.Sprintf("no %s has the id %s", kind, name)
	}
	for _, e := range p.entries {
		if e.item == nil || e.Kind != kind || !strings.EqualFold(e.Key, name) && !strings.EqualFold(e.item.DisplayName(), name) {
			continue
		}
		id, need = e.standsFor()
		return id, need, ""
	}
	var found []string
	var all []string
	for _, d := range p.live.List(kind) {
		all = append(all, d.DisplayName())
		if strings.EqualFold(d.DisplayName(), name) {
			found = append(found, d.ID())
		}
	}
	switch len(found) {
	case 1:
		return policy.FoldID(found[0]), "", ""
	case 0:
		if kind == entra.KindLocation && strings.EqualFold(name, policy.CompliantNetworkName) {
			return policy.CompliantNetwork, "", ""
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
