package directory

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// within gives everything in a group, also through nested groups, each once.
func (w *Workload) within(g generate.Group) []string {
	seen := map[string]bool{g.ID: true}
	var ids []string
	queue := slices.Clone(g.Members)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if seen[id] {
			continue
		}
		seen[id] = true
		ids = append(ids, id)
		if n, ok := w.index.groups[lower(id)]; ok {
			queue = append(queue, w.t.Groups[n].Members...)
		}
	}
	return ids
}

// groupsOf gives the groups that something is a member of.
func (w *Workload) groupsOf(id string, transitive bool) []string {
	seen := map[string]bool{}
	queue := []string{id}
	var ids []string
	for len(queue) > 0 {
		member := queue[0]
		queue = queue[1:]
		for _, g := range w.t.Groups {
			if seen[g.ID] || !slices.ContainsFunc(g.Members, func(m string) bool { return strings.EqualFold(m, member) }) {
				continue
			}
			seen[g.ID] = true
			ids = append(ids, g.ID)
			if transitive {
				queue = append(queue, g.ID)
			}
		}
	}
	return ids
}

func (w *Workload) memberOf(r *wire.Request, id string) (*wire.Response, *wire.Error) {
	return w.objects(r, w.memberIDs(id, r.Path[2] == "transitiveMemberOf"), r.Path[3:])
}

// memberIDs are the groups and roles that something is a member of.
func (w *Workload) memberIDs(id string, transitive bool) []string {
	ids := w.groupsOf(id, transitive)
	// Directory roles count as membership, too; those of a group reach its
	// members only transitively.
	holders := []string{id}
	if transitive {
		holders = append(holders, ids...)
	}
	for _, a := range w.t.Roles.Active {
		if role := roleID(w.t, a.RoleID); slices.Contains(holders, a.PrincipalID) && a.Scope == "/" && !slices.Contains(ids, role) {
			ids = append(ids, role)
		}
	}
	return ids
}

// objects lists directory objects of all sorts; rest may cut them down to one
// type and to their number.
func (w *Workload) objects(r *wire.Request, ids, rest []string) (*wire.Response, *wire.Error) {
	l := listing{set: w.sets.objects, context: "directoryObjects", typed: true, plain: len(rest) == 0 && strings.EqualFold(r.Path[len(r.Path)-1], "getByIds")}
	if l.plain { // an answer to ids comes whole
		all, whole := *w.sets.objects, *w.sets.objects.Collection
		whole.DefaultTop, whole.MaxTop = maxByIDs, maxByIDs
		all.Collection = &whole
		l.set = &all
	}
	only := ""
	if len(rest) > 0 && rest[0] != "$count" {
		only = casts[rest[0]]
		l.set = map[string]*set{"user": w.sets.users, "group": w.sets.groups, "servicePrincipal": w.sets.principals, "directoryRole": w.sets.roles}[only]
		l.context, l.typed, l.advanced = only+"s", false, true
		rest = rest[1:]
	}
	l.countOnly = len(rest) > 0
	for _, id := range ids {
		x := w.object(id)
		if x == nil {
			x = w.roleByID(id)
		}
		if x != nil && (only == "" || x.kind == only) {
			l.rows = append(l.rows, x)
		}
	}
	return w.list(r, l)
}
