package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// directory describes a collection of directory objects.
func directory(first request) collection[directoryItem] {
	return collection[directoryItem]{first: first, row: decodeJSON[directoryItem], id: func(i *directoryItem) string { return string(i.ID) }}
}

// decodeJSON reads an item by encoding/json: for the small lists of the
// directory, where speed does not matter.
func decodeJSON[T any](r *rowReader, v *T) error {
	_, err := decodeKept(r, v)
	return err
}

// decodeKept does the same and gives the document.
func decodeKept[T any](r *rowReader, v *T) (json.RawMessage, error) {
	raw, err := r.raw()
	if err == nil {
		if err = json.Unmarshal(raw, v); err != nil {
			err = fmt.Errorf("%s: %w: %w", r.place(), entra.ErrMalformed, err)
		}
	}
	return raw, err
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
	for page, err := range pages(ctx, c, directory(r)) {
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

// maxByIDs is how many ids getByIds takes (graph-api §4).
const maxByIDs = 1000

// byIDs finds objects by id, of the given types or else of all that a policy
// can name; those that do not exist are not among them.
func (c *Client) byIDs(ctx context.Context, ids []string, types ...string) ([]directoryItem, error) {
	if len(types) == 0 {
		types = []string{"user", "group", "servicePrincipal"}
	}
	var items []directoryItem
	for start := 0; start < len(ids); start += maxByIDs {
		r, err := request{method: abs.POST, template: "{+baseurl}/directoryObjects/getByIds", safe: true}.with(map[string]any{
			"ids": ids[start:min(start+maxByIDs, len(ids))], "types": types,
		})
		if err != nil {
			return nil, err
		}
		found, err := all(ctx, c, directory(r))
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}
