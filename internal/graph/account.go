package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

const accountMembers = "id,userPrincipalName,accountEnabled,signInSessionsValidFromDateTime,onPremisesSyncEnabled"

// Accounts reads the accounts of users by object id. One that does not exist is
// left out.
func (c *Client) Accounts(ctx context.Context, ids []entra.ID) (map[entra.ID]entra.Account, error) {
	lookups, err := c.lookUpIDs(ctx, "/users/", accountMembers, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[entra.ID]entra.Account, len(ids))
	for i, l := range lookups {
		switch {
		case errors.Is(l.err, entra.ErrNotFound):
			continue
		case l.err != nil:
			return nil, l.err
		}
		var row struct {
			ID                string          `json:"id"`
			UserPrincipalName string          `json:"userPrincipalName"`
			AccountEnabled    *bool           `json:"accountEnabled"`
			ValidFrom         *entra.DateTime `json:"signInSessionsValidFromDateTime"`
			Synced            *bool           `json:"onPremisesSyncEnabled"`
		}
		if err := json.Unmarshal(l.body, &row); err != nil {
			return nil, fmt.Errorf("user %s: %w: %w", ids[i], entra.ErrMalformed, err)
		}
		if err := sameID(row.ID, string(ids[i])); err != nil {
			return nil, err
		}
		a := entra.Account{ID: ids[i], UserPrincipalName: row.UserPrincipalName, AccountEnabled: row.AccountEnabled,
			OnPremisesSyncEnabled: row.Synced != nil && *row.Synced}
		if row.ValidFrom != nil {
			a.SignInSessionsValidFromDateTime = *row.ValidFrom
		}
		out[ids[i]] = a
	}
	return out, nil
}

// actOnAccount orders one kind of containment of one user.
func (c *Client) actOnAccount(ctx context.Context, kind plan.Kind, ids []string) (requestID string, err error) {
	if len(ids) != 1 || !entra.IsID(ids[0]) {
		return "", fmt.Errorf("graph: %s takes one user by object id, not %d: %w", kind, len(ids), entra.ErrBadRequest)
	}
	r := request{method: abs.POST, template: "{+baseurl}/users/{id}/revokeSignInSessions", params: map[string]string{"id": ids[0]}}
	if kind != plan.RevokeSessions {
		r.method, r.template = abs.PATCH, "{+baseurl}/users/{id}"
		if r, err = r.with(map[string]bool{"accountEnabled": kind == plan.EnableAccount}); err != nil {
			return "", err
		}
	}
	a, err := c.do(ctx, r)
	return requestIDOf(a, err), err
}
