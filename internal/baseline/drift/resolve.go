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
// exactly one object is a problem, and is left as it is: never dropped. An id
// that stands for nothing, but stands in the same place of the live object, is
// only worth a note: the service does not ask for it again.
func (p *planner) resolve(e *entry) (want entra.Document, needs, problems []string) {
	it := *e.item
	schema := policy.SchemaOf(it.Kind)
	v := policy.MapRefs(schema, map[string]any(it.Want), func(m *policy.Member, name string) string {
		if slices.Contains(m.Words, name) {
			return name
		}
		var id, need, problem string
		switch {
		case p.isLiveWord(it.Kind, m.Name, name):
			return name
		case m.Ref == entra.KindLocation || m.Ref == entra.KindStrength:
			id, need, problem = p.object(m.Ref, name)
		default:
			var o entra.DirectoryObject
			o, problem = policy.LookUp(p.live.Names, entra.Ref{Kind: m.Ref, Name: name})
			if entra.IsID(name) {
				if problem != "" && p.live.Names[entra.Ref{Kind: m.Ref, Name: name}].Unread == nil && p.asked(m.Ref, name) {
					problem = p.foreignID(m.Ref, name)
				}
				id = name
				break
			}
			if id = string(o.ID); problem != "" && len(m.Words) > 0 && !strings.ContainsAny(name, " @") {
				problem += fmt.Sprintf("; it is none of the special words that this program knows here (%s), and one that is newer needs a newer program", strings.Join(m.Words, ", "))
			}
		}
		if problem != "" {
			problem = it.Place(m.Name, name) + m.Name + ": " + problem
			if !policy.IsDirectory(m.Ref) && p.holds(e, m, name) {
				e.block("%s", problem) // which leaves it in sync if nothing else differs
			} else if p.holds(e, m, name) {
				e.note("%s; the tenant's policy holds it all the same", problem)
			} else {
				problems = append(problems, problem)
			}
			return name
		}
		if need != "" && !slices.Contains(needs, need) {
			needs = append(needs, need)
		}
		return id
	})
	d, _ := v.(map[string]any)
	slices.Sort(needs)
	return d, needs, problems
}

// isLiveWord reports whether a text that is no id and no name that was found
// stands in the same list of a policy of the tenant. The service shows nothing
// but ids and special words there, so it is a word that is newer than this
// program.
func (p *planner) isLiveWord(kind entra.ObjectKind, member, name string) bool {
	if kind != entra.KindPolicy || entra.IsID(name) {
		return false
	}
	return slices.ContainsFunc(p.index.words[[2]string{member, name}], func(of entra.ObjectKind) bool {
		return len(p.live.Names[entra.Ref{Kind: of, Name: name}].Objects) == 0
	})
}

func (p *planner) asked(kind entra.ObjectKind, name string) bool {
	_, ok := p.live.Names[entra.Ref{Kind: kind, Name: name}]
	return ok
}

// holds reports whether the live object of an entry has an id in the same place.
func (p *planner) holds(e *entry, m *policy.Member, id string) bool {
	found := false
	if entra.IsID(id) && (policy.IsDirectory(m.Ref) || p.live.Unreadable(m.Ref) != "") && e.live != nil {
		policy.EachRef(policy.SchemaOf(e.Kind), p.index.canonical(e.Kind, e.live), func(o *policy.Member, s string) {
			found = found || o.Name == m.Name && s == id
		})
	}
	return found
}

// foreignID says what an id is that stands for no location or strength, or was
// found nowhere in the directory.
func (p *planner) foreignID(want entra.ObjectKind, id string) string {
	r := entra.Resolution{Ref: entra.Ref{Kind: want, Name: id}}
	for _, kind := range policy.Kinds {
		if d := p.index.object(kind, id); d != nil && kind != want {
			r.Is = &entra.DirectoryObject{Kind: kind, ID: entra.NewID(id), DisplayName: d.DisplayName()}
			return r.Problem()
		}
	}
	if n, asked := p.live.Names[r.Ref]; asked {
		n.Ref = r.Ref
		return n.Problem()
	}
	return r.Problem()
}

// UnresolvedIDs are the ids of locations and strengths in a baseline that stand for
// none, sorted.
func UnresolvedIDs(b *baseline.Baseline, live Live) []entra.Ref {
	var strays []entra.Ref
	for _, it := range b.Policies {
		policy.EachRef(policy.SchemaOf(it.Kind), it.Want, func(m *policy.Member, name string) {
			ref := entra.Ref{Kind: m.Ref, Name: name}
			if slices.Contains(m.Words, name) || policy.IsDirectory(m.Ref) || !entra.IsID(name) || alwaysThere(m.Ref, name) || live.Unreadable(m.Ref) != "" || live.ByID(m.Ref, name) != nil ||
				slices.ContainsFunc(b.OfKind(m.Ref), func(it baseline.Item) bool { return it.OldID == name }) || slices.Contains(strays, ref) {
				return
			}
			strays = append(strays, ref)
		})
	}
	slices.SortFunc(strays, entra.Ref.Compare)
	return strays
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
	case e.exists(): // its list could not be read
		return policy.FoldID(e.ID), e.item.Ref()
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
		case len(pasted) == 1 && (pasted[0].live != nil || p.index.object(kind, name) == nil):
			id, need = pasted[0].standsFor()
			return id, need, ""
		}
		if alwaysThere(kind, name) || p.index.object(kind, name) != nil {
			return name, "", ""
		}
		if why := p.live.Unreadable(kind); why != "" {
			return "", "", why
		}
		problem = p.foreignID(kind, name)
		if kind == entra.KindLocation {
			problem += " (1040)"
		}
		return "", "", problem
	}
	for _, e := range p.entries {
		if e.item == nil || e.Kind != kind || !strings.EqualFold(e.Key, name) && !strings.EqualFold(e.item.DisplayName(), name) {
			continue
		}
		id, need = e.standsFor()
		return id, need, ""
	}
	if why := p.live.Unreadable(kind); why != "" {
		return "", "", why
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
		problem = fmt.Sprintf("no %s is named %q, neither in the baseline nor in the tenant", kind.Noun(), name)
		if near := yamldoc.Nearest(name, all); near != "" {
			problem += fmt.Sprintf(" (did you mean %q?)", near)
		}
		return "", "", problem
	}
	slices.Sort(found)
	return "", "", fmt.Sprintf("%d objects of kind %s are named %q (%s); give the id", len(found), kind, name, strings.Join(found, ", "))
}
