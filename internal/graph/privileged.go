package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// assignment is a role assignment or an eligible one.
type assignment struct {
	ID               string         `json:"id"`
	PrincipalID      entra.ID       `json:"principalId"`
	RoleDefinitionID entra.ID       `json:"roleDefinitionId"`
	Principal        *directoryItem `json:"principal"`
	DirectoryScopeID string         `json:"directoryScopeId"`
}

// heldRoles is the list of the roles that are held now.
const heldRoles = "roleAssignments"

// assignments reads a list of role assignments, with whom each is for.
func (c *Client) assignments(ctx context.Context, list, what string) ([]assignment, error) {
	r := get("/roleManagement/directory/"+list+"{?%24expand}", nil)
	r.query = query{Expand: []string{"principal"}}
	rows, err := all(ctx, c, collection[assignment]{first: r, row: decodeJSON[assignment], id: func(a *assignment) string { return a.ID }})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, naming(err, "RoleManagement.Read.Directory"))
	}
	for _, a := range rows {
		if a.PrincipalID == "" || a.RoleDefinitionID == "" {
			return nil, fmt.Errorf("role assignment %q without principal or role: %w", a.ID, entra.ErrMalformed)
		}
	}
	return rows, nil
}

// access lets a principal be, or become, a member or owner of a group.
type access struct {
	ID          string   `json:"id"`
	PrincipalID entra.ID `json:"principalId"`
	AccessID    string   `json:"accessId"`
}

// key tells rows apart; empty for one without id.
func (a *access) key() string {
	if a.ID == "" {
		return ""
	}
	return a.ID + " " + string(a.PrincipalID)
}

// reach is a principal that a role reaches, and how.
type reach struct {
	principal entra.ID
	how       string
}

// privileges finds whom directory roles reach.
type privileges struct {
	*Client
	users map[entra.ID][]string
	// principals are the service principals among those whom roles reach.
	principals map[entra.ID][]string
	kinds      map[entra.ID]entra.ObjectKind // empty for kinds that hold no members
	names      map[entra.ID]string           // of groups
	done       map[entra.ID]bool             // groups that were looked through
}

// Privileged reads whom a directory role reaches, active or eligible, whatever
// the role and its scope: who holds it, and who is a member or an owner of a
// group that does, also through groups within groups, or may become one
// (PIM for Groups). An owner counts since owners change who is a member. What
// cannot be read is an error, also where the service says that the licence is
// missing: whoever is not known may be among them.
func (c *Client) Privileged(ctx context.Context) (*entra.Privileged, error) {
	p := &privileges{Client: c, users: map[entra.ID][]string{}, principals: map[entra.ID][]string{}, kinds: map[entra.ID]entra.ObjectKind{}, names: map[entra.ID]string{}, done: map[entra.ID]bool{}}
	open, err := p.holders(ctx)
	for err == nil && len(open) > 0 {
		var groups []entra.ID
		if groups, err = p.sort(ctx, open); err == nil {
			open, err = p.within(ctx, groups)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, found := range []map[entra.ID][]string{p.users, p.principals} {
		for _, how := range found {
			slices.Sort(how)
		}
	}
	return &entra.Privileged{Users: p.users, Principals: p.principals}, nil
}

// holders reads who holds a role by an assignment of their own.
func (p *privileges) holders(ctx context.Context) ([]reach, error) {
	var out []reach
	roles := p.roleNames(ctx)
	for _, of := range []struct{ list, what, how string }{
		{heldRoles, "role assignments", "holds the directory role "},
		{"roleEligibilityScheduleInstances", "eligible roles", "is eligible for the directory role "},
	} {
		rows, err := p.assignments(ctx, of.list, of.what)
		if err != nil {
			return nil, err
		}
		for _, a := range rows {
			if a.Principal != nil && a.Principal.Type != "" {
				p.note(a.PrincipalID, a.Principal)
			}
			out = append(out, reach{a.PrincipalID, of.how + cmp.Or(roles[a.RoleDefinitionID], string(a.RoleDefinitionID))})
		}
	}
	return out, nil
}

// roleNames names the directory roles. A role of the tenant's own, and what
// cannot be read, keeps its id: only words hang on it.
func (p *privileges) roleNames(ctx context.Context) map[entra.ID]string {
	l := &lookup{url: listPath(entra.KindRole)}
	if err := p.lookUp(ctx, []*lookup{l}); err != nil {
		return nil
	}
	roles, err := p.found(ctx, entra.KindRole, l)
	if err != nil {
		return nil
	}
	names := map[entra.ID]string{}
	for _, r := range roles {
		names[r.ID] = r.DisplayName
	}
	return names
}

// naming adds to a refusal for want of permission which app role lets the
// request through.
func naming(err error, role string) error {
	if errors.Is(err, entra.ErrForbidden) {
		return fmt.Errorf("%w; the app role %s is needed", err, role)
	}
	return err
}

func (p *privileges) note(id entra.ID, o *directoryItem) {
	p.kinds[id] = kindOfType(o.Type)
	if p.kinds[id] == entra.KindGroup && o.DisplayName != "" {
		p.names[id] = o.DisplayName
	}
}

// sort notes the users among principals and gives the groups that were not
// looked through yet. A principal that is gone from the directory counts as a
// user.
func (p *privileges) sort(ctx context.Context, open []reach) ([]entra.ID, error) {
	var untold []entra.ID
	for _, r := range open {
		if _, known := p.kinds[r.principal]; !known && !slices.Contains(untold, r.principal) {
			untold = append(untold, r.principal)
		}
	}
	if len(untold) > 0 {
		objects, err := p.byIDs(ctx, entra.Texts(untold))
		if err != nil {
			return nil, fmt.Errorf("reading whom roles reach: %w", err)
		}
		for i := range objects {
			if objects[i].Type == "" {
				return nil, fmt.Errorf("reading whom roles reach: %s without a type: %w", objects[i].ID, entra.ErrMalformed)
			}
			p.note(objects[i].ID, &objects[i])
		}
	}
	var groups []entra.ID
	for _, r := range open {
		switch kind, known := p.kinds[r.principal]; {
		case !known, kind == entra.KindUser:
			if how := p.users[r.principal]; !slices.Contains(how, r.how) {
				p.users[r.principal] = append(how, r.how)
			}
		case kind == entra.KindServicePrincipal:
			if how := p.principals[r.principal]; !slices.Contains(how, r.how) {
				p.principals[r.principal] = append(how, r.how)
			}
		case kind == entra.KindGroup && !p.done[r.principal]:
			p.done[r.principal] = true
			groups = append(groups, r.principal)
		}
	}
	return groups, nil
}

// within reads whom groups pass their roles on to.
func (p *privileges) within(ctx context.Context, groups []entra.ID) ([]reach, error) {
	objects := []struct{ list, what, how string }{
		{"transitiveMembers", "members", "is a member of "},
		{"owners", "owners", "is an owner of "},
	}
	accesses := []struct{ list, what, how, role string }{
		{"eligibilityScheduleInstances", "who may become a member or owner", "may become ", "PrivilegedEligibilitySchedule.Read.AzureADGroup"},
		{"assignmentScheduleInstances", "who is a member or owner for a time", "is ", "PrivilegedAssignmentSchedule.Read.AzureADGroup"},
	}
	var listed, accessed []*lookup
	for _, g := range groups {
		for _, of := range objects {
			listed = append(listed, &lookup{url: "/groups/" + url.PathEscape(string(g)) + "/" + of.list + "?$select=id,displayName&$top=999"})
		}
		for _, of := range accesses {
			accessed = append(accessed, &lookup{url: "/identityGovernance/privilegedAccess/group/" + of.list + "?$filter=" + url.QueryEscape("groupId eq "+literal(string(g)))})
		}
	}
	if err := p.lookUp(ctx, slices.Concat(listed, accessed)); err != nil {
		return nil, fmt.Errorf("reading whom groups pass roles on to: %w", err)
	}
	var out []reach
	for i, g := range groups {
		through := "the privileged group " + string(g)
		if name := p.names[g]; name != "" {
			through = fmt.Sprintf("the privileged group %q (%s)", name, g)
		}
		for j, of := range objects {
			rows, err := listOf(ctx, p.Client, listed[i*len(objects)+j], directory(request{}))
			if err != nil {
				return nil, fmt.Errorf("reading the %s of %s: %w", of.what, through, naming(err, "GroupMember.Read.All"))
			}
			for k := range rows {
				if rows[k].Type == "" {
					return nil, fmt.Errorf("reading the %s of %s: %s without a type: %w", of.what, through, rows[k].ID, entra.ErrMalformed)
				}
				p.note(rows[k].ID, &rows[k])
				out = append(out, reach{rows[k].ID, of.how + through})
			}
		}
		for j, of := range accesses {
			rows, err := listOf(ctx, p.Client, accessed[i*len(accesses)+j], collection[access]{row: decodeJSON[access], id: (*access).key})
			if err != nil {
				return nil, fmt.Errorf("reading %s of %s: %w", of.what, through, naming(err, of.role))
			}
			for _, a := range rows {
				if a.PrincipalID == "" {
					return nil, fmt.Errorf("reading %s of %s: %q without principal: %w", of.what, through, a.ID, entra.ErrMalformed)
				}
				as := "a member of "
				if !strings.EqualFold(a.AccessID, "member") {
					as = "an owner of "
				}
				out = append(out, reach{a.PrincipalID, of.how + as + through})
			}
		}
	}
	return out, nil
}

// listOf reads a collection whose first page a lookup brought.
func listOf[T any](ctx context.Context, c *Client, l *lookup, of collection[T]) ([]T, error) {
	if l.err != nil {
		return nil, l.err
	}
	items, next, err := decodePage(string(l.body), newInterner(), of.row)
	if err == nil && next != "" {
		err = c.follow(next)
	}
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", pathOf(l.url), err)
	}
	for i := range items {
		if of.id(&items[i]) == "" {
			return nil, fmt.Errorf("GET %s: value[%d]: no id: %w", pathOf(l.url), i, entra.ErrMalformed)
		}
	}
	if next == "" {
		return items, nil
	}
	of.first = request{method: abs.GET, link: next, safe: true}
	more, err := all(ctx, c, of)
	return append(items, more...), err
}
