package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/risksweep/risksweep/internal/entra"
)

// ServicePrincipals reads what the directory says of workload identities by
// object id. One that does not exist is left out.
func (c *Client) ServicePrincipals(ctx context.Context, ids []entra.ID) (map[entra.ID]entra.ServicePrincipal, error) {
	lookups, err := c.lookUpIDs(ctx, "/servicePrincipals/", "id,appId,displayName,appOwnerOrganizationId", ids)
	if err != nil {
		return nil, err
	}
	out := make(map[entra.ID]entra.ServicePrincipal, len(ids))
	for i, l := range lookups {
		switch {
		case errors.Is(l.err, entra.ErrNotFound):
			continue
		case l.err != nil:
			return nil, l.err
		}
		var p entra.ServicePrincipal
		if err := json.Unmarshal(l.body, &p); err != nil {
			return nil, fmt.Errorf("service principal %s: %w: %w", ids[i], entra.ErrMalformed, err)
		}
		if err := sameID(string(p.ID), string(ids[i])); err != nil {
			return nil, err
		}
		out[ids[i]] = p
	}
	return out, nil
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
