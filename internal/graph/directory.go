package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// directory describes a collection of directory objects.
func (c *Client) directory(first request) collection[directoryItem] {
	return collection[directoryItem]{first: first, row: decodeJSON[directoryItem], id: func(i *directoryItem) string { return string(i.ID) }}
}

// decodeJSON reads an item by encoding/json: for the small lists of the
// directory, where speed does not matter.
func decodeJSON[T any](r *rowReader, v *T) error {
	raw, err := r.raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%s: %w: %w", r.place(), entra.ErrMalformed, err)
	}
	return nil
}

// directoryPage is the largest page of directory collections (graph-api §4).
const directoryPage = 999

// Members lists the users in a group, also through nested groups, with whether
// their account is enabled (nil where the token may not see it).
func (c *Client) Members(ctx context.Context, groupID string) ([]entra.DirectoryObject, error) {
	if groupID == "" {
		return nil, errNoID
	}
	// Without the cast to users: that is an advanced query, answered from an
	// index that lags behind.
	r := get("/groups/{id}/transitiveMembers{?%24select,%24top}", map[string]string{"id": groupID})
	top := int32(directoryPage)
	r.query = query{Select: strings.Split(userSelect, ","), Top: &top}
	users := []entra.DirectoryObject{}
	for page, err := range pages(ctx, c, c.directory(r)) {
		if err != nil {
			return nil, fmt.Errorf("members of group %s: %w", groupID, err)
		}
		for _, i := range page.Items {
			switch kindOfType(i.Type) {
			case entra.KindUser:
				users = append(users, i.object(entra.KindUser))
			default:
				if i.Type == "" {
					return nil, fmt.Errorf("members of group %s: %s without a type: %w", groupID, i.ID, entra.ErrMalformed)
				}
			}
		}
	}
	return users, nil
}

func texts(ids []entra.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = string(id)
	}
	return out
}

// maxByIDs is how many ids getByIds takes (graph-api §4).
const maxByIDs = 1000

// byIDs finds objects by id; those that do not exist are not among them.
func (c *Client) byIDs(ctx context.Context, ids []string) ([]directoryItem, error) {
	var items []directoryItem
	for start := 0; start < len(ids); start += maxByIDs {
		r, err := request{method: abs.POST, template: "{+baseurl}/directoryObjects/getByIds", safe: true}.with(map[string]any{
			"ids": ids[start:min(start+maxByIDs, len(ids))], "types": []string{"user", "group", "servicePrincipal"},
		})
		if err != nil {
			return nil, err
		}
		found, err := all(ctx, c, c.directory(r))
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

// ObjectNames names users, groups, service principals and, by their app id,
// applications. Ids that nothing has are left out; what is no id at all is
// passed over. The map is keyed by the ids as they were given.
func (c *Client) ObjectNames(ctx context.Context, ids []string) (map[string]entra.DirectoryObject, error) {
	asked := map[string][]string{} // lower-case id -> as given
	var unique []string
	for _, id := range ids {
		if !isID(id) {
			continue
		}
		key := strings.ToLower(id)
		if _, again := asked[key]; !again {
			unique = append(unique, id)
		}
		if !slices.Contains(asked[key], id) {
			asked[key] = append(asked[key], id)
		}
	}
	names := map[string]entra.DirectoryObject{}
	if len(unique) == 0 {
		return names, nil
	}
	note := func(id string, o entra.DirectoryObject) {
		for _, given := range asked[strings.ToLower(id)] {
			names[given] = o
		}
	}
	items, err := c.byIDs(ctx, unique)
	if err != nil {
		return nil, fmt.Errorf("naming objects: %w", err)
	}
	for _, i := range items {
		if kind := kindOfType(i.Type); kind != "" {
			note(string(i.ID), i.object(kind))
		}
	}
	var lookups []*lookup
	var appIDs []string
	for _, id := range unique {
		if _, known := names[id]; !known {
			appIDs = append(appIDs, id)
			lookups = append(lookups, &lookup{url: "/servicePrincipals?$filter=" + url.QueryEscape("appId eq "+literal(id)) + "&$select=" + spSelect})
		}
	}
	if err := c.lookUp(ctx, lookups); err != nil {
		return nil, fmt.Errorf("naming applications: %w", err)
	}
	for i, l := range lookups {
		found, err := c.found(ctx, entra.KindApplication, l)
		if err != nil {
			return nil, fmt.Errorf("naming applications: %w", err)
		}
		if len(found) == 1 {
			note(appIDs[i], found[0])
		}
	}
	return names, nil
}
