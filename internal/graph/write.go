package graph

import (
	"context"
	"fmt"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// Dismiss dismisses the risk of at most 60 users in one request. Success means
// that the service took the order, not that it has carried it out. It gives the
// service's request id, also with a refusal. A failure that wraps
// entra.ErrUnknownOutcome may have had its effect.
func (c *Client) Dismiss(ctx context.Context, userIDs []string) (requestID string, err error) {
	return c.userAction(ctx, c.protection().RiskyUsers().Dismiss().BaseRequestBuilder, userIDs)
}

// ConfirmCompromised confirms at most 60 users compromised; see Dismiss.
func (c *Client) ConfirmCompromised(ctx context.Context, userIDs []string) (requestID string, err error) {
	return c.userAction(ctx, c.protection().RiskyUsers().ConfirmCompromised().BaseRequestBuilder, userIDs)
}

// ConfirmSafe confirms at most 60 users safe; see Dismiss.
func (c *Client) ConfirmSafe(ctx context.Context, userIDs []string) (requestID string, err error) {
	return c.userAction(ctx, c.protection().RiskyUsers().ConfirmSafe().BaseRequestBuilder, userIDs)
}

func (c *Client) userAction(ctx context.Context, at abs.BaseRequestBuilder, ids []string) (string, error) {
	if err := c.hasRisk(); err != nil {
		return "", err
	}
	if len(ids) == 0 || len(ids) > maxIDs {
		return "", fmt.Errorf("graph: an action on %d users, not 1 to %d: %w", len(ids), maxIDs, entra.ErrBadRequest)
	}
	for _, id := range ids {
		if id == "" {
			return "", errNoID
		}
	}
	r, err := pathed(abs.POST, at).with(map[string][]string{"userIds": ids})
	if err != nil {
		return "", err
	}
	a, err := c.do(ctx, r)
	return requestIDOf(a, err), err
}

// requestIDOf is the service's id of a call that was answered.
func requestIDOf(a *answer, err error) string {
	if a != nil {
		return a.requestID
	}
	if e, ok := asError(err); ok {
		return e.RequestID
	}
	return ""
}
