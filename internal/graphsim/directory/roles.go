package directory

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

func (w *Workload) templateRows() []*row {
	rows := make([]*row, len(w.t.Roles.Templates))
	for n, t := range w.t.Roles.Templates {
		rows[n] = &row{kind: "directoryRoleTemplate", set: w.sets.templates, id: t.ID, get: func(member string) any {
			switch member {
			case "id":
				return t.ID
			case "displayName":
				return t.DisplayName
			case "description":
				return some(t.Description)
			}
			return nil
		}}
	}
	return rows
}

// roleID is the object id of an activated directory role, which differs from
// tenant to tenant and from its template's.
func roleID(t *generate.Tenant, templateID string) string {
	tenant, err := uuid.Parse(t.ID)
	if err != nil {
		tenant = uuid.Nil
	}
	return uuid.NewSHA1(tenant, []byte(templateID)).String()
}

// roleRows are the directory roles that were ever assigned in the tenant.
func (w *Workload) roleRows() []*row {
	assigned := map[string]bool{}
	for _, list := range [][]generate.RoleAssignment{w.t.Roles.Active, w.t.Roles.Eligible} {
		for _, a := range list {
			assigned[a.RoleID] = true
		}
	}
	var rows []*row
	for _, t := range w.t.Roles.Templates {
		if !assigned[t.ID] {
			continue
		}
		id := roleID(w.t, t.ID)
		rows = append(rows, &row{kind: "directoryRole", set: w.sets.roles, id: id, get: func(member string) any {
			switch member {
			case "id":
				return id
			case "displayName":
				return t.DisplayName
			case "description":
				return some(t.Description)
			case "roleTemplateId":
				return t.ID
			}
			return nil
		}})
	}
	return rows
}

func (w *Workload) roleByID(id string) *row {
	for _, x := range w.roleRows() {
		if strings.EqualFold(x.id, id) {
			return x
		}
	}
	return nil
}

func (w *Workload) directoryRoles(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) == 1 {
		return w.listOrOne(r, w.roleRows(), "directoryRoles", nil)
	}
	key := r.Path[1]
	if name, value, ok := alternate(key); ok && strings.EqualFold(name, "roleTemplateId") {
		key = roleID(w.t, lower(value))
	}
	x := w.roleByID(key)
	switch {
	case x == nil:
		return nil, notFound(r.Path[1])
	case len(r.Path) == 2:
		return w.one(r, x, "directoryRoles")
	}
	var ids []string
	for _, a := range w.t.Roles.Active {
		if roleID(w.t, a.RoleID) == x.id && a.Scope == "/" {
			ids = append(ids, a.PrincipalID)
		}
	}
	return w.objects(r, ids, r.Path[3:])
}

func (w *Workload) roleManagement(r *wire.Request) (*wire.Response, *wire.Error) {
	if len(r.Path) < 3 {
		return nil, noSegment(r.Path)
	}
	context := strings.Join(r.Path[:3], "/")
	var rows []*row
	switch r.Path[2] {
	case "roleDefinitions":
		rows = w.definitionRows()
	case "roleAssignments":
		for _, a := range w.t.Roles.Active {
			rows = append(rows, w.assignmentRow(a, "unifiedRoleAssignment"))
		}
	default:
		if w.opt.License != "P2" {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "AadPremiumLicenseRequired", Message: "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license."}
		}
		list, kind := w.t.Roles.Eligible, "unifiedRoleEligibilityScheduleInstance"
		if r.Path[2] == "roleAssignmentScheduleInstances" {
			list, kind = w.t.Roles.Active, "unifiedRoleAssignmentScheduleInstance"
		}
		for _, a := range list {
			if a.End.IsZero() || a.End.After(r.Now) {
				rows = append(rows, w.assignmentRow(a, kind))
			}
		}
	}
	return w.listOrOne(r, rows, context, r.Path[3:])
}

// assignmentRow shows an assignment as one of three types.
func (w *Workload) assignmentRow(a generate.RoleAssignment, kind string) *row {
	at := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t
	}
	sets := map[string]*set{"unifiedRoleAssignment": w.sets.assignments, "unifiedRoleEligibilityScheduleInstance": w.sets.eligible, "unifiedRoleAssignmentScheduleInstance": w.sets.instances}
	return &row{
		kind: kind, set: sets[kind], id: a.ID,
		get: func(member string) any {
			switch member {
			case "id":
				return a.ID
			case "principalId":
				return a.PrincipalID
			case "roleDefinitionId":
				return a.RoleID
			case "directoryScopeId":
				return a.Scope
			case "principalOrganizationId":
				return w.t.ID
			case "startDateTime":
				return at(a.Start)
			case "endDateTime":
				return at(a.End)
			case "memberType":
				return "Direct"
			case "assignmentType":
				return "Assigned"
			case "roleAssignmentOriginId":
				return a.ID
			case "roleEligibilityScheduleId", "roleAssignmentScheduleId":
				return a.ScheduleID
			}
			return nil
		},
		navigation: func(name string) ([]*row, bool) {
			switch name {
			case "principal":
				return w.objectRows([]string{a.PrincipalID}), false
			case "roleDefinition":
				for _, d := range w.definitionRows() {
					if d.id == a.RoleID {
						return []*row{d}, false
					}
				}
			}
			return nil, false // no scope here is an object
		},
	}
}

func (w *Workload) definitionRows() []*row {
	rows := make([]*row, len(w.t.Roles.Templates))
	for n, t := range w.t.Roles.Templates {
		rows[n] = &row{kind: "unifiedRoleDefinition", set: w.sets.definitions, id: t.ID, get: func(member string) any {
			switch member {
			case "id", "templateId":
				return t.ID
			case "displayName":
				return t.DisplayName
			case "description":
				return some(t.Description)
			case "isBuiltIn", "isEnabled":
				return true
			case "isPrivileged":
				return t.Privileged
			case "resourceScopes":
				return []string{"/"}
			case "version":
				return "1"
			case "rolePermissions":
				return json.RawMessage(`[{"allowedResourceActions":[],"condition":null}]`)
			}
			return nil
		}}
	}
	return rows
}
