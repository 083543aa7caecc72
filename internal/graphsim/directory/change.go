package directory

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

const (
	manageRoleGroups = "RoleManagement.ReadWrite.Directory"
	maxBound         = 20
)

// reference says whether a path leads to the members of a group as links, or to
// one member.
func reference(path []string) bool {
	switch {
	case len(path) < 4 || path[0] != "groups" || path[2] != "members":
		return false
	case len(path) == 4:
		return path[3] == "$ref" || casts[path[3]] == "" && path[3] != "$count"
	}
	return len(path) == 5 && path[4] == "$ref"
}

// changing gives the app roles of what changes people and groups, nil for
// anything else (evidence-api §8, §9).
func changing(method string, path []string) [][]string {
	const write = "Directory.ReadWrite.All"
	switch {
	case method == http.MethodGet:
	case path[0] == "users" && len(path) == 3 && path[2] == "revokeSignInSessions":
		return [][]string{{"User.RevokeSessions.All"}, {"User.ReadWrite.All"}, {write}}
	case path[0] == "users" && len(path) == 2 && method == http.MethodPatch:
		return [][]string{{"User.EnableDisableAccount.All", "User.Read.All"}, {"User.ReadWrite.All"}, {write}}
	case reference(path), path[0] == "groups" && len(path) == 2 && method == http.MethodPatch:
		return [][]string{{"GroupMember.ReadWrite.All"}, {"Group.ReadWrite.All"}, {write}}
	}
	return nil
}

// change finds what a request changes, nil if it is nothing of the kind.
func (w *Workload) change(r *wire.Request) func(*wire.Request) (*wire.Response, *wire.Error) {
	p := r.Path
	switch {
	case p[0] == "users" && len(p) == 3 && p[2] == "revokeSignInSessions":
		if r.Method != http.MethodPost {
			return func(*wire.Request) (*wire.Response, *wire.Error) { return nil, wrongMethod() }
		}
		return w.revoke
	case p[0] == "users" && len(p) == 2 && r.Method == http.MethodPatch:
		return w.patchUser
	case p[0] == "groups" && len(p) == 2 && r.Method == http.MethodPatch:
		return w.bindMembers
	case reference(p) && len(p) == 4 && p[3] == "$ref" && r.Method == http.MethodPost:
		return w.addMember
	case reference(p) && r.Method == http.MethodDelete && len(p) == 5:
		return w.removeMember
	case reference(p) && r.Method == http.MethodDelete && p[3] != "$ref":
		return w.deleteThrough
	}
	return nil
}

// person finds a user who is not deleted by id or user principal name.
func (w *Workload) person(key string) *generate.Person {
	n, ok := w.index.people[lower(key)]
	if !ok || w.t.People[n].Deleted {
		if n, ok = w.index.upns[lower(key)]; !ok {
			return nil
		}
	}
	return &w.t.People[n]
}

func userTarget(p *generate.Person) wire.Target {
	return wire.Target{ID: p.ID, Name: p.DisplayName, Type: "User", UserPrincipalName: p.UserPrincipalName}
}

// revoke ends somebody's sessions. Those of guests are kept where they come from.
func (w *Workload) revoke(r *wire.Request) (*wire.Response, *wire.Error) {
	p := w.person(r.Path[1])
	if p == nil {
		return nil, notFound(r.Path[1])
	}
	a := &wire.Response{Status: http.StatusOK, Body: (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#Edm.Boolean").Set("value", true)}
	if !p.External() {
		p.SessionsFrom, a.Effect = r.Now, true
		a.Deeds = []wire.Deed{{Activity: "Update StsRefreshTokenValidFrom Timestamp", Service: "Core Directory", Category: "UserManagement", Operation: "Update", Targets: []wire.Target{userTarget(p)}}}
	}
	return a, nil
}

// protectors are the roles that may disable administrators: Global and Privileged
// Authentication Administrator.
var protectors = []string{"62e90394-69f5-4237-9190-012177145e10", "7be44c8a-adaf-4e2a-84d6-ab2649e08a13"}

// patchUser enables or disables an account; nothing else of a user is changed
// here.
func (w *Workload) patchUser(r *wire.Request) (*wire.Response, *wire.Error) {
	p := w.person(r.Path[1])
	if p == nil {
		return nil, notFound(r.Path[1])
	}
	var in map[string]json.RawMessage
	if json.Unmarshal(r.Body, &in) != nil || len(in) == 0 {
		return nil, badRequest("The request body is empty or no object.")
	}
	on := p.Enabled
	for name, raw := range in {
		switch {
		case strings.Contains(name, "@"):
		case name != "accountEnabled":
			return nil, denied()
		case string(raw) == "null" || json.Unmarshal(raw, &on) != nil:
			return nil, badRequest("Cannot convert a value to target type 'Edm.Boolean'.")
		}
	}
	roles := func(id string) []string { return w.activeRoles(append(w.groupsOf(id, true), id)) }
	if len(roles(p.ID)) > 0 && !slices.ContainsFunc(roles(r.PrincipalID), func(role string) bool { return slices.Contains(protectors, role) }) {
		return nil, denied()
	}
	a := &wire.Response{Status: http.StatusNoContent, Effect: on != p.Enabled}
	if !a.Effect {
		return a, nil
	}
	was := `[` + map[bool]string{true: "true", false: "false"}[p.Enabled] + `]`
	is := `[` + map[bool]string{true: "true", false: "false"}[on] + `]`
	activity := "Enable account"
	if p.Enabled, p.DisabledAt = on, r.Now; !on {
		activity = "Disable account"
	}
	target := userTarget(p)
	target.Changed = []wire.Change{{Name: "AccountEnabled", Old: &was, New: &is}}
	a.Deeds = []wire.Deed{{Activity: activity, Service: "Core Directory", Category: "UserManagement", Operation: "Update", Targets: []wire.Target{target}}}
	return a, nil
}

// groupOf finds the group of a request whose members a caller may change.
func (w *Workload) groupOf(r *wire.Request) (*generate.Group, *wire.Error) {
	n, ok := w.index.groups[lower(r.Path[1])]
	if !ok {
		return nil, notFound(r.Path[1])
	}
	g := &w.t.Groups[n]
	switch {
	case g.RoleAssignable && !slices.Contains(r.Roles, manageRoleGroups):
		return nil, denied()
	case g.MembershipRule != "":
		return nil, badRequest("The members of a group with dynamic membership cannot be changed.")
	}
	return g, nil
}

func membership(activity, operation string, g *generate.Group, x *row) wire.Deed {
	kind := map[string]string{"user": "User", "group": "Group", "servicePrincipal": "ServicePrincipal"}[x.kind]
	member := wire.Target{ID: x.id, Type: kind}
	member.Name, _ = x.get("displayName").(string)
	member.UserPrincipalName, _ = x.get("userPrincipalName").(string)
	groupID, name := `"`+g.ID+`"`, `"`+g.DisplayName+`"`
	change := func(property, value string) wire.Change {
		if operation == "Assign" {
			return wire.Change{Name: property, New: &value}
		}
		return wire.Change{Name: property, Old: &value}
	}
	member.Changed = []wire.Change{change("Group.ObjectID", groupID), change("Group.DisplayName", name)}
	return wire.Deed{
		Activity: activity, Service: "Core Directory", Category: "GroupManagement", Operation: operation,
		Targets: []wire.Target{member, {ID: g.ID, Name: g.DisplayName, Type: "Group", GroupType: "azureAD"}},
	}
}

// join adds members to a group: all or, with one that cannot be, none.
func (w *Workload) join(g *generate.Group, links []string) (*wire.Response, *wire.Error) {
	var rows []*row
	for _, link := range links {
		id := link[strings.LastIndexByte(link, '/')+1:]
		x := w.object(id)
		if x == nil {
			return nil, notFound(id)
		}
		if slices.Contains(g.Members, x.id) || slices.ContainsFunc(rows, func(y *row) bool { return y.id == x.id }) {
			return nil, badRequest("One or more added object references already exist for the following modified properties: 'members'.")
		}
		if err := mayJoin(*g, x); err != nil {
			return nil, badRequest("Invalid object reference: %v.", err)
		}
		rows = append(rows, x)
	}
	a := &wire.Response{Status: http.StatusNoContent, Effect: len(rows) > 0}
	for _, x := range rows {
		g.Members = append(g.Members, x.id)
		a.Deeds = append(a.Deeds, membership("Add member to group", "Assign", g, x))
	}
	w.rebuild()
	return a, nil
}

func (w *Workload) addMember(r *wire.Request) (*wire.Response, *wire.Error) {
	g, e := w.groupOf(r)
	if e != nil {
		return nil, e
	}
	var in struct {
		ID string `json:"@odata.id"`
	}
	if json.Unmarshal(r.Body, &in) != nil || in.ID == "" {
		return nil, badRequest("The request body must hold the property '@odata.id'.")
	}
	return w.join(g, []string{in.ID})
}

func (w *Workload) bindMembers(r *wire.Request) (*wire.Response, *wire.Error) {
	g, e := w.groupOf(r)
	if e != nil {
		return nil, e
	}
	var in map[string][]string
	if json.Unmarshal(r.Body, &in) != nil || len(in) != 1 || in["members@odata.bind"] == nil {
		return nil, denied() // nothing else of a group is this client's to change
	}
	links := in["members@odata.bind"]
	if len(links) > maxBound {
		return nil, badRequest("The property 'members@odata.bind' holds %d references; at most %d are allowed.", len(links), maxBound)
	}
	return w.join(g, links)
}

func (w *Workload) removeMember(r *wire.Request) (*wire.Response, *wire.Error) {
	g, e := w.groupOf(r)
	if e != nil {
		return nil, e
	}
	x := w.object(r.Path[3])
	if x == nil {
		return nil, notFound(r.Path[3])
	}
	n := slices.Index(g.Members, x.id)
	if n < 0 {
		return nil, badRequest("One or more removed object references do not exist for the following modified properties: 'members'.")
	}
	g.Members = slices.Delete(slices.Clone(g.Members), n, n+1)
	w.rebuild()
	return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: []wire.Deed{membership("Remove member from group", "Unassign", g, x)}}, nil
}

// deleteThrough is what a request to remove a member does that forgets $ref: it
// deletes the user, if the caller may.
func (w *Workload) deleteThrough(r *wire.Request) (*wire.Response, *wire.Error) {
	n, ok := w.index.people[lower(r.Path[3])]
	switch {
	case !ok || w.t.People[n].Deleted:
		return nil, notFound(r.Path[3])
	case !slices.Contains(r.Roles, "User.ReadWrite.All") && !slices.Contains(r.Roles, "Directory.ReadWrite.All"):
		return nil, denied()
	}
	p := w.t.People[n]
	p.Deleted, p.Enabled, p.DeletedAt = true, false, r.Now
	w.t.People = append(slices.Delete(w.t.People, n, n+1), p) // the deleted stand last
	w.rebuild()
	return &wire.Response{Status: http.StatusNoContent, Effect: true, Deeds: []wire.Deed{{
		Activity: "Delete user", Service: "Core Directory", Category: "UserManagement", Operation: "Delete", Targets: []wire.Target{userTarget(&p)},
	}}}, nil
}
