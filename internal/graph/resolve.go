package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// directoryItem is what is read of an object of the directory.
type directoryItem struct {
	Type               string   `json:"@odata.type"`
	ID                 entra.ID `json:"id"`
	AppID              entra.ID `json:"appId"`
	DisplayName        string   `json:"displayName"`
	UserPrincipalName  string   `json:"userPrincipalName"`
	AccountEnabled     *bool    `json:"accountEnabled"`
	IsAssignableToRole *bool    `json:"isAssignableToRole"`
	GroupTypes         []string `json:"groupTypes"`
}

const (
	userSelect  = "id,displayName,userPrincipalName,accountEnabled"
	groupSelect = "id,displayName,isAssignableToRole,groupTypes"
	spSelect    = "id,appId,displayName,accountEnabled"
)

// object turns an item into the domain's words.
func (i directoryItem) object(kind entra.ObjectKind) entra.DirectoryObject {
	o := entra.DirectoryObject{Kind: kind, ID: i.ID, AppID: string(i.AppID), DisplayName: i.DisplayName,
		UserPrincipalName: i.UserPrincipalName, AccountEnabled: i.AccountEnabled}
	switch kind {
	case entra.KindApplication:
		o.ID = i.AppID // policies name applications by their app id
	case entra.KindGroup:
		o.RoleAssignable = i.IsAssignableToRole != nil && *i.IsAssignableToRole
		for _, t := range i.GroupTypes {
			o.Dynamic = o.Dynamic || t == "DynamicMembership"
		}
	}
	return o
}

// kindOfType maps @odata.type to a kind; empty for types that no name stands
// for.
func kindOfType(t string) entra.ObjectKind {
	switch strings.TrimPrefix(t, "#microsoft.graph.") {
	case "user":
		return entra.KindUser
	case "group":
		return entra.KindGroup
	case "servicePrincipal":
		return entra.KindServicePrincipal
	case "directoryRole", "directoryRoleTemplate":
		return entra.KindRole
	case "application":
		return entra.KindRegistration
	}
	return ""
}

// Resolve finds the objects that names stand for: none, one or several for
// each ref, and exactly the refs that were asked. An id must exist like a name.
// Users are found by UPN or id; groups and service principals by display name
// or id; applications by display name or app id; everything else by display
// name or id from its list. A ref that this tenant or token does not let us
// look up says so in its Unread; any other failure fails the whole.
//
// Directory lookups travel twenty to a request. The named locations and
// authentication strengths that had to be listed are kept for the next Objects.
func (c *Client) Resolve(ctx context.Context, refs []entra.Ref) (entra.Names, error) {
	names := entra.Names{}
	var lookups []*lookup
	var byLookup []func(*lookup) error
	listed := map[entra.ObjectKind]*lookup{}
	lists := map[entra.ObjectKind][]entra.DirectoryObject{}
	unread := map[entra.ObjectKind]error{}
	for _, ref := range refs {
		if _, again := names[ref]; again {
			continue
		}
		names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{}}
		path, err := lookupPath(ref)
		if err != nil {
			return nil, err
		}
		switch {
		case path != "":
			lookups = append(lookups, &lookup{url: path})
			byLookup = append(byLookup, func(l *lookup) error {
				objects, err := c.found(ctx, ref.Kind, l)
				if entra.Unavailable(err) {
					names[ref] = entra.Resolution{Ref: ref, Unread: err}
					return nil
				}
				names[ref] = entra.Resolution{Ref: ref, Objects: objects}
				return err
			})
		case ref.Name == "" || ref.Kind == entra.KindUser:
			// Nothing has such a name.
		case listPath(ref.Kind) != "" && listed[ref.Kind] == nil:
			l := &lookup{url: listPath(ref.Kind)}
			listed[ref.Kind] = l
			lookups = append(lookups, l)
			byLookup = append(byLookup, func(l *lookup) error {
				objects, err := c.found(ctx, ref.Kind, l)
				if entra.Unavailable(err) {
					unread[ref.Kind] = err
					return nil
				}
				lists[ref.Kind] = objects
				return err
			})
		case listPath(ref.Kind) == "" && lists[ref.Kind] == nil && unread[ref.Kind] == nil:
			objects, err := c.listNames(ctx, ref.Kind)
			switch {
			case entra.Unavailable(err):
				unread[ref.Kind] = err
			case err != nil:
				return nil, fmt.Errorf("resolving names of kind %s: %w", ref.Kind, err)
			default:
				lists[ref.Kind] = objects
			}
		}
	}
	if err := c.lookUp(ctx, lookups); err != nil {
		return nil, fmt.Errorf("resolving names: %w", err)
	}
	for i, l := range lookups {
		if err := byLookup[i](l); err != nil {
			return nil, fmt.Errorf("resolving names: %w", err)
		}
	}
	for ref, r := range names {
		if err := unread[ref.Kind]; err != nil && ref.Name != "" {
			r.Unread = err
			names[ref] = r
		} else if list, ok := lists[ref.Kind]; ok {
			r.Objects = matching(list, ref.Name)
			names[ref] = r
		}
	}
	return names, nil
}

// matching finds a name in a list: an id alone if it is one, else all objects
// of that display name. Case does not matter, as it does not to the service;
// two objects that differ in nothing else are two.
func matching(list []entra.DirectoryObject, name string) []entra.DirectoryObject {
	hits := []entra.DirectoryObject{}
	for _, o := range list {
		if o.ID == entra.NewID(name) {
			return []entra.DirectoryObject{o}
		}
		if strings.EqualFold(o.DisplayName, name) {
			hits = append(hits, o)
		}
	}
	return hits
}

// listPath is where a short list of a kind is read within a batch.
func listPath(kind entra.ObjectKind) string {
	switch kind {
	case entra.KindRole:
		return "/directoryRoleTemplates"
	case entra.KindAgreement:
		return "/identityGovernance/termsOfUse/agreements"
	}
	return ""
}

// lookupPath is the read of one name, empty for kinds that are found in lists
// and for names that nobody can have.
func lookupPath(ref entra.Ref) (string, error) {
	byName := func(set, fields string) string {
		return set + "?$filter=" + url.QueryEscape("displayName eq "+literal(ref.Name)) + "&$select=" + fields
	}
	byID := func(set, fields string) string {
		return set + "/" + ref.Name + "?$select=" + fields
	}
	switch ref.Kind {
	case entra.KindUser:
		switch {
		case entra.IsID(ref.Name):
			return byID("/users", userSelect), nil
		case strings.Contains(ref.Name, "@") && strings.HasPrefix(ref.Name, "$"):
			return "/users(" + url.PathEscape(literal(ref.Name)) + ")?$select=" + userSelect, nil
		case strings.Contains(ref.Name, "@"):
			return "/users/" + url.PathEscape(ref.Name) + "?$select=" + userSelect, nil
		}
		return "", nil
	case entra.KindGroup, entra.KindServicePrincipal:
		set, fields := "/groups", groupSelect
		if ref.Kind == entra.KindServicePrincipal {
			set, fields = "/servicePrincipals", spSelect
		}
		switch {
		case ref.Name == "":
			return "", nil
		case entra.IsID(ref.Name):
			return byID(set, fields), nil
		}
		return byName(set, fields), nil
	case entra.KindApplication:
		switch {
		case ref.Name == "":
			return "", nil
		case entra.IsID(ref.Name):
			return byAppID(ref.Name), nil
		}
		return byName("/servicePrincipals", spSelect), nil
	case entra.KindRole, entra.KindAgreement, entra.KindLocation, entra.KindStrength, entra.KindPolicy, entra.KindContext:
		return "", nil
	}
	return "", fmt.Errorf("graph: names of kind %q: %w", ref.Kind, entra.ErrUnsupported)
}

// found reads the answer to a lookup: one object, or a list of them that may
// go on. What is not there, or is no possible key, is no object; a list that
// this cloud does not have is empty.
func (c *Client) found(ctx context.Context, kind entra.ObjectKind, l *lookup) ([]entra.DirectoryObject, error) {
	switch {
	case errors.Is(l.err, entra.ErrNotFound), errors.Is(l.err, entra.ErrBadRequest), errors.Is(l.err, entra.ErrUnsupported):
		return []entra.DirectoryObject{}, nil
	case l.err != nil:
		return nil, l.err
	}
	bad := func(err error) error {
		return fmt.Errorf("GET %s: %w: %w", pathOf(l.url), entra.ErrMalformed, err)
	}
	var answer struct {
		directoryItem
		Value *[]directoryItem `json:"value"`
		Next  string           `json:"@odata.nextLink"`
	}
	if err := json.Unmarshal(l.body, &answer); err != nil {
		return nil, bad(err)
	}
	items := []directoryItem{answer.directoryItem}
	if answer.Value != nil {
		items = *answer.Value
	} else if answer.ID == "" {
		return nil, bad(errors.New("neither an object nor a list"))
	}
	if answer.Next != "" {
		if err := c.follow(answer.Next); err != nil {
			return nil, bad(err)
		}
		more, err := all(ctx, c, directory(request{method: abs.GET, link: answer.Next, safe: true}))
		if err != nil {
			return nil, err
		}
		items = append(items, more...)
	}
	objects := make([]entra.DirectoryObject, len(items))
	for i, item := range items {
		objects[i] = item.object(kind)
		if objects[i].ID == "" {
			return nil, bad(errors.New("an object without id"))
		}
	}
	return objects, nil
}

// pathOf cuts the query off, which may hold a person's name.
func pathOf(u string) string {
	p, _, _ := strings.Cut(u, "?")
	return p
}

// listNames reads the names of policies, locations and strengths from their
// list, which it leaves for the next Objects.
func (c *Client) listNames(ctx context.Context, kind entra.ObjectKind) ([]entra.DirectoryObject, error) {
	docs, err := c.list(ctx, kind)
	if err != nil {
		return nil, err
	}
	objects := make([]entra.DirectoryObject, len(docs))
	for i, d := range docs {
		objects[i] = entra.DirectoryObject{Kind: kind, ID: entra.NewID(d.ID()), DisplayName: d.DisplayName()}
	}
	c.handOver(kind, docs)
	return objects, nil
}
