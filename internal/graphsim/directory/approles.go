package directory

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/risksweep/risksweep/internal/graphsim/body"
	"github.com/risksweep/risksweep/internal/graphsim/generate"
	"github.com/risksweep/risksweep/internal/graphsim/odata"
	"github.com/risksweep/risksweep/internal/graphsim/wire"
)

// appRoles are the permissions that an application offers, as its service
// principal shows them.
func appRoles(sp *generate.ServicePrincipal) []*body.Object {
	out := []*body.Object{}
	for _, r := range sp.AppRoles {
		out = append(out, (&body.Object{}).Set("allowedMemberTypes", []string{"Application"}).Set("description", r.Value).
			Set("displayName", r.Value).Set("id", r.ID).Set("isEnabled", true).Set("origin", "Application").Set("value", r.Value))
	}
	return out
}

// appRoleAssignments serves the application permissions that a service principal
// holds.
func (w *Workload) appRoleAssignments(r *wire.Request, id string) (*wire.Response, *wire.Error) {
	rows := w.appRoleRows(id)
	context := "servicePrincipals('" + id + "')/appRoleAssignments"
	if len(r.Path) == 3 {
		return w.list(r, listing{rows: rows, set: w.sets.appRoleAssignments, context: context, plain: true})
	}
	for _, x := range rows {
		if x.id == r.Path[3] {
			return w.one(r, x, context)
		}
	}
	return nil, notFound(r.Path[3])
}

func (w *Workload) appRoleRows(principal string) []*row {
	rows := []*row{}
	for _, a := range w.t.AppRoleAssignments {
		if a.PrincipalID == principal {
			rows = append(rows, w.appRoleRow(a))
		}
	}
	return rows
}

func (w *Workload) appRoleRow(a generate.AppRoleAssignment) *row {
	name := func(id string) any {
		if x := w.object(id); x != nil {
			return x.get("displayName")
		}
		return nil
	}
	return &row{kind: "appRoleAssignment", set: w.sets.appRoleAssignments, id: a.ID, get: func(member string) any {
		switch member {
		case "id":
			return a.ID
		case "appRoleId":
			return guid(a.AppRoleID)
		case "createdDateTime":
			return a.CreatedAt
		case "principalDisplayName":
			return name(a.PrincipalID)
		case "principalId":
			return guid(a.PrincipalID)
		case "principalType":
			return "ServicePrincipal"
		case "resourceDisplayName":
			return name(a.ResourceID)
		case "resourceId":
			return guid(a.ResourceID)
		case "deletedDateTime":
			return time.Time{}
		}
		return nil
	}}
}

func guid(s string) any {
	id, err := uuid.Parse(s)
	if err != nil {
		return odata.Value{}
	}
	return id
}

// addAppRole grants an application permission to a service principal.
func (w *Workload) addAppRole(a Addition) (any, error) {
	x, err := w.who(a)
	if err != nil {
		return nil, err
	}
	resource, err := w.principal(cmp.Or(a.Resource, "00000003-0000-0000-c000-000000000000"))
	if err != nil {
		return nil, fmt.Errorf("resource: %w", err)
	}
	if x.kind != "servicePrincipal" || resource.kind != "servicePrincipal" {
		return nil, fmt.Errorf("an app role goes from one application to another")
	}
	roles := w.t.ServicePrincipals[w.index.principals[lower(resource.id)]].AppRoles
	i := slices.IndexFunc(roles, func(r generate.AppRole) bool {
		return strings.EqualFold(r.Value, a.AppRole) || strings.EqualFold(r.ID, a.AppRole)
	})
	role := generate.AppRole{ID: a.AppRole}
	switch {
	case i >= 0:
		role = roles[i]
	case uuid.Validate(a.AppRole) != nil:
		return nil, fmt.Errorf("appRole: %v offers no app role %q", resource.get("displayName"), a.AppRole)
	}
	id, err := w.newID(a.ID)
	if err != nil {
		return nil, err
	}
	given := generate.AppRoleAssignment{ID: id, PrincipalID: x.id, ResourceID: resource.id, AppRoleID: role.ID, CreatedAt: w.clock()}
	w.t.AppRoleAssignments = append(w.t.AppRoleAssignments, given)
	return whole(w.appRoleRow(given)), nil
}
