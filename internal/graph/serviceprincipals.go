package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
)

// ServicePrincipals reads what the directory says of workload identities by
// object id, and what they may do. One that does not exist is left out.
func (c *Client) ServicePrincipals(ctx context.Context, ids []entra.ID) (map[entra.ID]entra.ServicePrincipal, error) {
	found, err := principalsOf[entra.ServicePrincipal](ctx, c, "id,appId,displayName,appOwnerOrganizationId", ids, func(p *entra.ServicePrincipal) entra.ID { return p.ID })
	if err != nil {
		return nil, err
	}
	return found, c.permissions(ctx, found)
}

// principalsOf reads members of service principals by object id.
func principalsOf[T any](ctx context.Context, c *Client, members string, ids []entra.ID, id func(*T) entra.ID) (map[entra.ID]T, error) {
	lookups, err := c.lookUpIDs(ctx, "/servicePrincipals/", members, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[entra.ID]T, len(ids))
	for i, l := range lookups {
		switch {
		case errors.Is(l.err, entra.ErrNotFound):
			continue
		case l.err != nil:
			return nil, l.err
		}
		var p T
		if err := json.Unmarshal(l.body, &p); err != nil {
			return nil, fmt.Errorf("service principal %s: %w: %w", ids[i], entra.ErrMalformed, err)
		}
		if err := sameID(string(id(&p)), string(ids[i])); err != nil {
			return nil, err
		}
		out[ids[i]] = p
	}
	return out, nil
}

// appRoleAssignment gives a principal an app role of a resource.
type appRoleAssignment struct {
	ID          string   `json:"id"`
	AppRoleID   entra.ID `json:"appRoleId"`
	PrincipalID entra.ID `json:"principalId"`
	ResourceID  entra.ID `json:"resourceId"`
}

// resource is an application that offers app roles.
type resource struct {
	entra.ServicePrincipal
	AppRoles []struct {
		ID    entra.ID `json:"id"`
		Value string   `json:"value"`
	} `json:"appRoles"`
}

// noRole is the app role of who is assigned to an application and to none of its
// roles.
const noRole = "00000000-0000-0000-0000-000000000000"

// permissions adds the application permissions of Microsoft's own APIs with which
// service principals can change something. What cannot be read of one is said of
// that one.
func (c *Client) permissions(ctx context.Context, of map[entra.ID]entra.ServicePrincipal) error {
	var ids, offers []entra.ID
	var lookups []*lookup
	for id, p := range of {
		if !p.FirstParty() { // those are only reported
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		lookups = append(lookups, &lookup{url: "/servicePrincipals/" + string(id) + "/appRoleAssignments"})
	}
	if err := c.lookUp(ctx, lookups); err != nil {
		return fmt.Errorf("reading application permissions: %w", err)
	}
	held := map[entra.ID][]appRoleAssignment{}
	unknown := map[entra.ID]error{}
	for i, id := range ids {
		rows, err := listOf(ctx, c, lookups[i], collection[appRoleAssignment]{row: decodeJSON[appRoleAssignment], id: func(a *appRoleAssignment) string { return a.ID }})
		for _, a := range rows {
			switch {
			case a.PrincipalID != id:
				err = fmt.Errorf("app role assignment %q of the principal %q, for which nobody asked: %w", clip(a.ID), clip(string(a.PrincipalID)), entra.ErrMalformed)
			case !entra.IsID(string(a.ResourceID)) || a.AppRoleID == "":
				err = fmt.Errorf("app role assignment %q without role or resource: %w", clip(a.ID), entra.ErrMalformed)
			case a.AppRoleID != noRole && !slices.Contains(offers, a.ResourceID):
				offers = append(offers, a.ResourceID)
			}
		}
		held[id], unknown[id] = rows, naming(err, "Application.Read.All")
		if err != nil && ctx.Err() != nil {
			return err
		}
	}
	offered, err := principalsOf[resource](ctx, c, "id,appId,displayName,appOwnerOrganizationId,appRoles", offers, func(r *resource) entra.ID { return r.ID })
	if err != nil && ctx.Err() != nil {
		return err
	}
	for _, id := range ids {
		p := of[id]
		p.PermissionsUnknown = unknown[id]
		for _, a := range held[id] {
			if a.AppRoleID == noRole {
				continue
			}
			if err != nil {
				p.PermissionsUnknown = naming(err, "Application.Read.All")
				break
			}
			if name := permissionOf(a, offered); name != "" && !slices.Contains(p.Permissions, name) {
				p.Permissions = append(p.Permissions, name)
			}
		}
		slices.Sort(p.Permissions)
		of[id] = p
	}
	return nil
}

// permissionOf names an app role with which something can be changed; empty for
// one to read, and for the roles of applications that are not Microsoft's.
func permissionOf(a appRoleAssignment, offered map[entra.ID]resource) string {
	r, known := offered[a.ResourceID]
	if known && r.OwnerTenant != "" && !r.FirstParty() {
		return ""
	}
	for _, role := range r.AppRoles {
		if role.ID == a.AppRoleID && role.Value != "" {
			if entra.OnlyReads(role.Value) {
				return ""
			}
			return role.Value + " of " + r.DisplayName
		}
	}
	if !known {
		return fmt.Sprintf("the app role %s of the application %s, which is not in the directory", a.AppRoleID, a.ResourceID)
	}
	return fmt.Sprintf("the app role %s of %s, which it does not describe", a.AppRoleID, r.DisplayName)
}

// lookUpIDs looks directory objects up by object id, each with some of its members.
func (c *Client) lookUpIDs(ctx context.Context, path, members string, ids []entra.ID) ([]*lookup, error) {
	lookups := make([]*lookup, len(ids))
	for i, id := range ids {
		if !entra.IsID(string(id)) {
			return nil, fmt.Errorf("graph: %q is no object id: %w", clip(string(id)), entra.ErrBadRequest)
		}
		lookups[i] = &lookup{url: path + string(id) + "?$select=" + members}
	}
	return lookups, c.lookUp(ctx, lookups)
}
