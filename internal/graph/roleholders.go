package graph

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
)

// RoleHolders reads the users who hold one of the roles now, whatever the
// scope, also as members of a group that does, and the groups that they are in.
func (c *Client) RoleHolders(ctx context.Context, roles []entra.ID) ([]entra.RoleHolder, error) {
	rows, err := c.assignments(ctx, heldRoles, "role assignments")
	if err != nil {
		return nil, err
	}
	var holders []entra.RoleHolder
	holds := func(id entra.ID, name string, role entra.ID) {
		at := slices.IndexFunc(holders, func(h entra.RoleHolder) bool { return h.ID == id })
		if at < 0 {
			at = len(holders)
			holders = append(holders, entra.RoleHolder{ID: id, UserPrincipalName: name})
		}
		if !slices.Contains(holders[at].Roles, role) {
			holders[at].Roles = append(holders[at].Roles, role)
		}
	}
	for _, a := range rows {
		if !slices.Contains(roles, a.RoleDefinitionID) {
			continue
		}
		principal := a.Principal
		if principal == nil || principal.Type == "" {
			found, err := c.byIDs(ctx, []string{string(a.PrincipalID)})
			if err != nil {
				return nil, fmt.Errorf("reading the holder of a role: %w", err)
			}
			if len(found) == 0 || found[0].ID != a.PrincipalID {
				continue // gone from the directory
			}
			principal = &found[0]
		}
		switch kindOfType(principal.Type) {
		case entra.KindUser:
			holds(a.PrincipalID, principal.UserPrincipalName, a.RoleDefinitionID)
		case entra.KindGroup:
			members, err := c.Members(ctx, string(a.PrincipalID))
			if err != nil {
				return nil, naming(err, "GroupMember.Read.All")
			}
			for _, m := range members {
				holds(m.ID, m.UserPrincipalName, a.RoleDefinitionID)
			}
		}
	}
	return holders, c.groupsOf(ctx, holders)
}

// groupsOf reads which groups role holders are in.
func (c *Client) groupsOf(ctx context.Context, holders []entra.RoleHolder) error {
	var lookups []*lookup
	for _, h := range holders {
		lookups = append(lookups, &lookup{url: "/users/" + url.PathEscape(string(h.ID)) + "/transitiveMemberOf?$select=id&$top=999"})
	}
	if err := c.lookUp(ctx, lookups); err != nil {
		return fmt.Errorf("reading the groups of role holders: %w", err)
	}
	for i, l := range lookups {
		rows, err := listOf(ctx, c, l, directory(request{}))
		if err != nil {
			return fmt.Errorf("reading the groups of role holders: %w", naming(err, "GroupMember.Read.All"))
		}
		for _, o := range rows {
			if kindOfType(o.Type) == entra.KindGroup {
				holders[i].Groups = append(holders[i].Groups, o.ID)
			}
		}
	}
	return nil
}
