package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// userItem is what is read of a user to judge sign-ins.
type userItem struct {
	ID                entra.ID `json:"id"`
	UserPrincipalName string   `json:"userPrincipalName"`
	UserType          string   `json:"userType"`
	CreationType      string   `json:"creationType"`
}

const signInSelect = "id,userPrincipalName,userType,creationType"

func (i userItem) memberships() entra.Memberships {
	kind, known := entra.GuestKind(i.UserType, i.CreationType, i.UserPrincipalName)
	return entra.Memberships{ID: i.ID, UserPrincipalName: i.UserPrincipalName, Guest: kind, GuestUnknown: !known}
}

// Memberships reads what Conditional Access asks of who a user is, by object id.
func (c *Client) Memberships(ctx context.Context, userID string) (entra.Memberships, error) {
	if userID == "" {
		return entra.Memberships{}, errNoID
	}
	var user userItem
	r := get("/users/{id}{?%24select}", map[string]string{"id": userID})
	r.query = query{Select: strings.Split(signInSelect, ",")}
	r.check = func(a *answer) error {
		if err := json.Unmarshal([]byte(a.body), &user); err != nil {
			return fmt.Errorf("%w: %w", entra.ErrMalformed, err)
		}
		return sameID(string(user.ID), userID)
	}
	if _, err := c.do(ctx, r); err != nil {
		return entra.Memberships{}, fmt.Errorf("reading user %s: %w", userID, err)
	}
	m := user.memberships()
	type member struct {
		Type           string   `json:"@odata.type"`
		ID             entra.ID `json:"id"`
		RoleTemplateID entra.ID `json:"roleTemplateId"`
	}
	of := get("/users/{id}/transitiveMemberOf{?%24top}", map[string]string{"id": userID})
	top := int32(directoryPage)
	of.query = query{Top: &top}
	list, err := all(ctx, c, collection[member]{first: of, row: decodeJSON[member], id: func(m *member) string { return string(m.ID) }})
	if err != nil {
		return entra.Memberships{}, fmt.Errorf("reading the groups of user %s: %w", userID, err)
	}
	for _, g := range list {
		switch {
		case g.Type == "":
			return entra.Memberships{}, fmt.Errorf("group %s of user %s without a type: %w", g.ID, userID, entra.ErrMalformed)
		case strings.HasSuffix(g.Type, ".group"):
			m.Groups = append(m.Groups, g.ID)
		case strings.HasSuffix(g.Type, ".directoryRole") && g.RoleTemplateID != "":
			m.Roles = append(m.Roles, g.RoleTemplateID)
		}
	}
	slices.Sort(m.Groups)
	slices.Sort(m.Roles)
	return m, nil
}

// Users lists all users with what Conditional Access asks of them, groups and
// roles aside.
func (c *Client) Users(ctx context.Context) iter.Seq2[[]entra.Memberships, error] {
	return c.users(ctx, "")
}

// Guests lists the users whose type is Guest.
func (c *Client) Guests(ctx context.Context) iter.Seq2[[]entra.Memberships, error] {
	return c.users(ctx, "userType eq 'Guest'")
}

func (c *Client) users(ctx context.Context, filter string) iter.Seq2[[]entra.Memberships, error] {
	r := get("/users{?%24filter,%24select,%24top}", nil)
	top := int32(directoryPage)
	r.query = query{Select: strings.Split(signInSelect, ","), Top: &top}
	if filter != "" {
		r.query.Filter = &filter
	}
	return func(yield func([]entra.Memberships, error) bool) {
		for page, err := range pages(ctx, c, collection[userItem]{first: r, row: decodeJSON[userItem], id: func(i *userItem) string { return string(i.ID) }}) {
			if err != nil {
				yield(nil, fmt.Errorf("listing users: %w", err))
				return
			}
			out := make([]entra.Memberships, len(page.Items))
			for i, u := range page.Items {
				out[i] = u.memberships()
			}
			if !yield(out, nil) {
				return
			}
		}
	}
}

// Application finds the service principals of an application by its display
// name or application id; none is no error.
func (c *Client) Application(ctx context.Context, name string) ([]entra.Application, error) {
	member := "displayName"
	if entra.IsID(name) {
		member = "appId"
	}
	filter := member + " eq " + literal(name)
	r := get("/servicePrincipals{?%24filter,%24select}", nil)
	r.query = query{Filter: &filter, Select: []string{"id", "appId", "displayName", "appOwnerOrganizationId"}}
	return all(ctx, c, collection[entra.Application]{first: r, row: decodeJSON[entra.Application], id: func(a *entra.Application) string { return string(a.ID) }})
}

// Evaluate asks the service's What If, which judges the stored policies; the
// documents are policies with policyApplies and analysisReasons. It changes
// nothing.
func (c *Client) Evaluate(ctx context.Context, body entra.Document) ([]entra.Document, error) {
	r, err := (request{method: abs.POST, template: "{+baseurl}/identity/conditionalAccess/evaluate", safe: true}).with(body)
	if err != nil {
		return nil, err
	}
	return all(ctx, c, collection[entra.Document]{first: r, row: decodeJSON[entra.Document], id: func(d *entra.Document) string { return d.ID() }})
}

// ActiveRoles reads who holds a directory role now and in the whole tenant:
// users and groups, by the role's template id. A role of a smaller scope does
// not count for Conditional Access.
func (c *Client) ActiveRoles(ctx context.Context) (entra.ActiveRoles, error) {
	list, err := c.assignments(ctx, heldRoles, "role assignments")
	if err != nil {
		return entra.ActiveRoles{}, err
	}
	out := entra.ActiveRoles{Holders: map[entra.ID][]entra.ID{}}
	for _, a := range list {
		kind := entra.KindGroup // one without a type is read as a group: if it is none, nobody is in it
		if a.Principal != nil && a.Principal.Type != "" {
			kind = kindOfType(a.Principal.Type)
		}
		if a.DirectoryScopeID != "/" || kind != entra.KindUser && kind != entra.KindGroup {
			continue
		}
		if out.Holders[a.PrincipalID] == nil && kind == entra.KindGroup {
			out.Groups = append(out.Groups, a.PrincipalID)
		}
		out.Holders[a.PrincipalID] = append(out.Holders[a.PrincipalID], a.RoleDefinitionID)
	}
	slices.Sort(out.Groups)
	return out, nil
}
