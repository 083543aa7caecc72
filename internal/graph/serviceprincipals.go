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
	lookups := make([]*lookup, len(ids))
	for i, id := range ids {
		if !entra.IsID(string(id)) {
			return nil, fmt.Errorf("graph: %q is no object id: %w", clip(string(id)), entra.ErrBadRequest)
		}
		lookups[i] = &lookup{url: "/servicePrincipals/" + string(id) + "?$select=id,appId,displayName,appOwnerOrganizationId"}
	}
	if err := c.lookUp(ctx, lookups); err != nil {
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
