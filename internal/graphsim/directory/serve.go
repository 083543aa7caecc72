package directory

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

func lower(s string) string { return strings.ToLower(s) }

// Claims says whether a path, or the beginning of one, is the directory's.
func (w *Workload) Claims(path []string) bool {
	if len(path) == 0 {
		return false
	}
	at := func(i int, names ...string) bool { return len(path) <= i || slices.Contains(names, path[i]) }
	cast := func(i int) bool {
		return len(path) <= i || (len(path) <= i+2 && (path[i] == "$count" && len(path) == i+1 || casts[path[i]] != "" && at(i+1, "$count")))
	}
	switch path[0] {
	case "users":
		return len(path) <= 2 || (at(2, "memberOf", "transitiveMemberOf") && cast(3)) || (len(path) == 3 && at(2, "manager", "directReports", "checkMemberGroups", "getMemberGroups", "checkMemberObjects", "getMemberObjects", "revokeSignInSessions"))
	case "groups":
		return len(path) <= 2 || at(2, "members", "transitiveMembers", "owners", "memberOf", "transitiveMemberOf") && cast(3) || reference(path)
	case "servicePrincipals":
		return len(path) <= 2 || at(2, "memberOf", "transitiveMemberOf") && cast(3) || len(path) <= 4 && at(2, "appRoleAssignments")
	case "directoryRoleTemplates", "organization", "subscribedSkus", "applications":
		return len(path) <= 2
	case "directoryRoles":
		return len(path) <= 2 || at(2, "members") && cast(3)
	case "directoryObjects":
		return len(path) <= 2
	case "roleManagement":
		return len(path) <= 4 && at(1, "directory") && at(2, "roleAssignments", "roleDefinitions", "roleEligibilityScheduleInstances", "roleAssignmentScheduleInstances")
	case "policies":
		return len(path) <= 2 && at(1, "identitySecurityDefaultsEnforcementPolicy")
	case "identityGovernance":
		if len(path) > 1 && path[1] == "privilegedAccess" {
			return len(path) <= 5 && at(2, "group") && at(3, "eligibilityScheduleInstances", "assignmentScheduleInstances")
		}
		return len(path) <= 4 && at(1, "termsOfUse") && at(2, "agreements")
	case "directory":
		return len(path) <= 3 && at(1, "deletedItems")
	}
	return false
}

// casts are the types that a list of directory objects can be cut down to.
var casts = map[string]string{
	"microsoft.graph.user": "user", "microsoft.graph.group": "group", "microsoft.graph.servicePrincipal": "servicePrincipal", "microsoft.graph.directoryRole": "directoryRole",
}

// Needs gives the app roles for a path (graph-api §4).
func (w *Workload) Needs(method string, path []string) ([][]string, *wire.Error) {
	const all, write = "Directory.Read.All", "Directory.ReadWrite.All"
	any1 := func(roles ...string) [][]string {
		var sets [][]string
		for _, r := range roles {
			sets = append(sets, []string{r})
		}
		return sets
	}
	groups := []string{"GroupMember.Read.All", "Group.Read.All", "Group.ReadWrite.All", all, write}
	roles := []string{"RoleManagement.Read.Directory", "RoleManagement.Read.All", "RoleManagement.ReadWrite.Directory"}
	if needs := changing(method, path); needs != nil {
		return needs, denied()
	}
	switch path[0] {
	case "users":
		if len(path) > 2 {
			return append(any1(all, write), []string{"User.Read.All", "GroupMember.Read.All"}, []string{"User.Read.All", "Group.Read.All"}), denied()
		}
		return any1("User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All", all, write), denied()
	case "groups":
		return any1(groups...), denied()
	case "servicePrincipals", "applications":
		return any1("Application.Read.All", "Application.ReadWrite.All", all, write), denied()
	case "directoryRoleTemplates", "directoryRoles":
		return any1(append(roles, all, write)...), denied()
	case "directoryObjects":
		return any1(all, write, "User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Application.Read.All"), denied()
	case "organization":
		return any1("Organization.Read.All", "Organization.ReadWrite.All", all, write), denied()
	case "subscribedSkus":
		return any1("Organization.Read.All", "LicenseAssignment.Read.All", all, write), denied()
	case "roleManagement":
		if len(path) > 2 && path[2] == "roleEligibilityScheduleInstances" {
			return any1(append(roles, "RoleEligibilitySchedule.Read.Directory")...), denied()
		}
		if len(path) > 2 && path[2] == "roleAssignmentScheduleInstances" {
			return any1(append(roles, "RoleAssignmentSchedule.Read.Directory")...), denied()
		}
		return any1(append(roles, all, write)...), denied()
	case "policies":
		if method == http.MethodGet {
			return any1("Policy.Read.All"), denied()
		}
		return [][]string{{"Policy.ReadWrite.SecurityDefaults"}, {"Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"}}, denied()
	case "identityGovernance":
		if len(path) > 3 && path[1] == "privilegedAccess" {
			what := map[string]string{"eligibilityScheduleInstances": "PrivilegedEligibilitySchedule", "assignmentScheduleInstances": "PrivilegedAssignmentSchedule"}[path[3]]
			return any1(what+".Read.AzureADGroup", what+".ReadWrite.AzureADGroup", "PrivilegedAccess.Read.AzureADGroup", "PrivilegedAccess.ReadWrite.AzureADGroup"), denied()
		}
		return any1("Agreement.Read.All", "Agreement.ReadWrite.All"), denied()
	}
	return any1("User.Read.All", all, write), denied()
}

// Serve answers one call.
func (w *Workload) Serve(r *wire.Request) (*wire.Response, *wire.Error) {
	p := r.Path
	if p[0] == "policies" {
		if len(p) == 1 {
			return nil, noSegment(p)
		}
		return w.defaults(r)
	}
	if change := w.change(r); change != nil {
		return change(r)
	}
	if reference(p) {
		return nil, noSegment(p)
	}
	if r.Method == http.MethodPost {
		switch {
		case p[0] == "directoryObjects" && len(p) == 2 && p[1] == "getByIds":
			return w.getByIDs(r)
		case p[0] == "users" && len(p) == 3:
			return w.memberGroups(r)
		}
	}
	if r.Method != http.MethodGet {
		if r.Method == http.MethodPost && len(p) != 1 && len(p) != 3 {
			return nil, wrongMethod()
		}
		return nil, denied() // the tenant's people are not this client's to change
	}
	switch p[0] {
	case "users":
		return w.users(r)
	case "groups":
		return w.groups(r)
	case "servicePrincipals":
		return w.principals(r)
	case "applications":
		return w.applications(r)
	case "directoryRoleTemplates":
		return w.listOrOne(r, w.templateRows(), "directoryRoleTemplates", p[1:])
	case "directoryRoles":
		return w.directoryRoles(r)
	case "directoryObjects":
		return w.anyObject(r)
	case "organization":
		return w.listOrOne(r, []*row{w.organizationRow()}, "organization", p[1:])
	case "subscribedSkus":
		return w.listOrOne(r, w.skuRows(), "subscribedSkus", p[1:])
	case "roleManagement":
		return w.roleManagement(r)
	case "identityGovernance":
		if len(p) > 1 && p[1] == "privilegedAccess" {
			return w.groupAccess(r)
		}
		if len(p) < 3 {
			return nil, noSegment(p)
		}
		return w.listOrOne(r, w.agreementRows(), "identityGovernance/termsOfUse/agreements", p[3:])
	}
	return w.deletedItems(r)
}

func (w *Workload) users(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) == 1 || r.Path[1] == "$count" {
		var rows []*row
		// A look-up by a key needs no walk through everybody.
		for n := range w.t.People {
			if !w.t.People[n].Deleted {
				rows = append(rows, w.userRow(n))
			}
		}
		return w.list(r, listing{rows: rows, set: w.sets.users, context: "users", countOnly: len(r.Path) == 2})
	}
	key := r.Path[1]
	if name, value, ok := alternate(key); ok && strings.EqualFold(name, "userPrincipalName") {
		key = value
	}
	n, ok := w.index.people[lower(key)]
	if !ok || w.t.People[n].Deleted {
		n, ok = w.index.upns[lower(key)]
	}
	if !ok {
		return nil, notFound(key)
	}
	if len(r.Path) > 2 {
		switch r.Path[2] {
		case "manager":
			if m := w.managerOf(&w.t.People[n]); m != nil {
				return w.oneOf(r, m[0], "directoryObjects", true)
			}
			return nil, notFound("manager")
		case "directReports":
			var ids []string
			for _, x := range w.reportsOf(&w.t.People[n]) {
				ids = append(ids, x.id)
			}
			return w.objects(r, ids, nil)
		case "memberOf", "transitiveMemberOf":
			return w.memberOf(r, w.t.People[n].ID)
		}
		return nil, wrongMethod() // actions are POST
	}
	return w.one(r, w.userRow(n), "users")
}

func (w *Workload) groups(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) == 1 || r.Path[1] == "$count" {
		rows := make([]*row, len(w.t.Groups))
		for n := range w.t.Groups {
			rows[n] = w.groupRow(n)
		}
		return w.list(r, listing{rows: rows, set: w.sets.groups, context: "groups", countOnly: len(r.Path) == 2})
	}
	n, ok := w.index.groups[lower(r.Path[1])]
	switch {
	case !ok && uuid.Validate(r.Path[1]) != nil:
		return nil, badRequest("Invalid object identifier '%s'.", r.Path[1])
	case !ok:
		return nil, notFound(r.Path[1])
	case len(r.Path) == 2:
		return w.one(r, w.groupRow(n), "groups")
	case strings.EqualFold(r.Path[2], "memberOf"), strings.EqualFold(r.Path[2], "transitiveMemberOf"):
		return w.memberOf(r, w.t.Groups[n].ID)
	}
	ids := w.t.Groups[n].Members
	switch r.Path[2] {
	case "transitiveMembers":
		ids = w.within(w.t.Groups[n])
	case "owners":
		ids = w.ownersOf(w.t.Groups[n].ID)
	}
	return w.objects(r, ids, r.Path[3:])
}

func (w *Workload) principals(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) == 1 || r.Path[1] == "$count" {
		rows := make([]*row, len(w.t.ServicePrincipals))
		for n := range w.t.ServicePrincipals {
			rows[n] = w.principalRow(n)
		}
		return w.list(r, listing{rows: rows, set: w.sets.principals, context: "servicePrincipals", countOnly: len(r.Path) == 2})
	}
	key, found := r.Path[1], w.index.principals
	if name, value, ok := alternate(key); ok {
		if !strings.EqualFold(name, "appId") {
			return nil, badRequest("The key '%s' is not a key of type 'microsoft.graph.servicePrincipal'.", name)
		}
		key, found = value, w.index.apps
	}
	n, ok := found[lower(key)]
	if !ok {
		return nil, notFound(key)
	}
	if len(r.Path) > 2 {
		if r.Path[2] == "appRoleAssignments" {
			return w.appRoleAssignments(r, w.t.ServicePrincipals[n].ID)
		}
		return w.memberOf(r, w.t.ServicePrincipals[n].ID)
	}
	return w.one(r, w.principalRow(n), "servicePrincipals")
}

// alternate splits a named key such as appId='...'.
func alternate(segment string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(segment, "=")
	value = strings.TrimSpace(value)
	if !ok || len(value) < 2 || value[0] != '\'' || value[len(value)-1] != '\'' {
		return "", "", false
	}
	return strings.TrimSpace(name), strings.ReplaceAll(value[1:len(value)-1], "''", "'"), true
}

func (w *Workload) anyObject(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) == 1 {
		return nil, unsupported("The query is not supported on the collection 'directoryObjects'.")
	}
	x := w.object(r.Path[1])
	if x == nil {
		return nil, notFound(r.Path[1])
	}
	return w.oneOf(r, x, "directoryObjects", true)
}

// deletedItems are the deleted users; nothing else is kept.
func (w *Workload) deletedItems(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) < 3 {
		return nil, noSegment(r.Path)
	}
	kind, cast := casts[r.Path[2]]
	var rows []*row
	for n, p := range w.t.People {
		if !p.Deleted {
			continue
		}
		if !cast && strings.EqualFold(p.ID, r.Path[2]) {
			return w.oneOf(r, w.userRow(n), "directoryObjects", true)
		}
		rows = append(rows, w.userRow(n))
	}
	switch {
	case !cast:
		return nil, notFound(r.Path[2])
	case kind != "user":
		return w.list(r, listing{set: w.sets.groups, context: kind + "s"})
	}
	return w.list(r, listing{rows: rows, set: w.sets.users, context: "users"})
}

// maxByIDs and maxGroupChecks are the service's limits (graph-api §4).
const (
	maxByIDs       = 1000
	maxGroupChecks = 20
)

func (w *Workload) getByIDs(r *wire.Request) (*wire.Response, *wire.Error) {
	var in struct {
		IDs   []string `json:"ids"`
		Types []string `json:"types"`
	}
	if err := json.Unmarshal(r.Body, &in); err != nil || in.IDs == nil {
		return nil, badRequest("Invalid value specified for property 'ids' of resource 'DirectoryObject'.")
	}
	if len(in.IDs) > maxByIDs {
		return nil, badRequest("Too many ids were given: %d. The maximum is %d.", len(in.IDs), maxByIDs)
	}
	for _, id := range in.IDs {
		if uuid.Validate(id) != nil {
			return nil, badRequest("Invalid GUID:%s", id)
		}
	}
	seen := map[string]bool{}
	var ids []string
	for _, id := range in.IDs {
		x := w.object(id)
		if x == nil || seen[x.id] || (len(in.Types) > 0 && !slices.ContainsFunc(in.Types, func(t string) bool { return strings.EqualFold(t, x.kind) || strings.EqualFold(t, "directoryObject") })) {
			continue
		}
		seen[x.id] = true
		ids = append(ids, x.id)
	}
	return w.objects(r, ids, nil)
}

// memberGroups answers checkMemberGroups and its kin.
func (w *Workload) memberGroups(r *wire.Request) (*wire.Response, *wire.Error) {
	key := r.Path[1]
	n, ok := w.index.people[lower(key)]
	if !ok || w.t.People[n].Deleted {
		if n, ok = w.index.upns[lower(key)]; !ok {
			return nil, notFound(key)
		}
	}
	var in struct {
		GroupIDs            []string `json:"groupIds"`
		IDs                 []string `json:"ids"`
		SecurityEnabledOnly *bool    `json:"securityEnabledOnly"`
	}
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return nil, badRequest("The request body is not valid: %v", err)
	}
	mine := w.groupsOf(w.t.People[n].ID, true)
	result := []string{}
	switch r.Path[2] {
	case "checkMemberGroups", "checkMemberObjects":
		asked := slices.Concat(in.GroupIDs, in.IDs)
		if len(asked) > maxGroupChecks {
			return nil, badRequest("Too many group ids were included in the request: %d. The maximum is %d.", len(asked), maxGroupChecks)
		}
		for _, id := range asked {
			if slices.ContainsFunc(mine, func(m string) bool { return strings.EqualFold(m, id) }) {
				result = append(result, id)
			}
		}
	default:
		if in.SecurityEnabledOnly == nil {
			return nil, badRequest("Invalid value specified for property 'securityEnabledOnly'.")
		}
		for _, id := range mine {
			if !*in.SecurityEnabledOnly || w.t.Groups[w.index.groups[lower(id)]].SecurityEnabled {
				result = append(result, id)
			}
		}
	}
	out := (&body.Object{}).Set("@odata.context", r.Root+"/$metadata#Collection(Edm.String)").Set("value", result)
	return &wire.Response{Status: http.StatusOK, Body: out}, nil
}
