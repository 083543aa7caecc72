package graph

import (
	"context"
	"fmt"
	"slices"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// ActOnUsers orders one kind of action on users in one request: on at most 60
// risky ones, on the account of one, or on at most plan.PrincipalBatch risky
// service principals. Success means that the service took the order, not that it has
// carried it out. It gives the service's request id, also with a refusal. A
// failure that wraps entra.ErrUnknownOutcome may have had its effect.
func (c *Client) ActOnUsers(ctx context.Context, kind plan.Kind, ids []string) (requestID string, err error) {
	var at abs.BaseRequestBuilder
	switch users := c.protection().RiskyUsers(); kind {
	case plan.Dismiss:
		at = users.Dismiss().BaseRequestBuilder
	case plan.ConfirmCompromised:
		at = users.ConfirmCompromised().BaseRequestBuilder
	case plan.ConfirmSafe:
		at = users.ConfirmSafe().BaseRequestBuilder
	case plan.DismissDetections, plan.SafeDetections:
		return c.actOnSignIns(ctx, kind, ids)
	case plan.RevokeSessions, plan.DisableAccount, plan.EnableAccount:
		return c.actOnAccount(ctx, kind, ids)
	case plan.DismissServicePrincipal:
		return c.actOnRisk(ctx, c.protection().RiskyServicePrincipals().Dismiss().BaseRequestBuilder, "servicePrincipalIds", ids, plan.PrincipalBatch)
	case plan.ConfirmServicePrincipalCompromised:
		return c.actOnRisk(ctx, c.protection().RiskyServicePrincipals().ConfirmCompromised().BaseRequestBuilder, "servicePrincipalIds", ids, plan.PrincipalBatch)
	default:
		return "", fmt.Errorf("graph: no action on users: %s: %w", kind, entra.ErrBadRequest)
	}
	return c.actOnRisk(ctx, at, "userIds", ids, maxIDs)
}

// actOnRisk orders something about the risk of some users, or of service principals.
func (c *Client) actOnRisk(ctx context.Context, at abs.BaseRequestBuilder, parameter string, ids []string, most int) (requestID string, err error) {
	if err := c.hasRisk(); err != nil {
		return "", err
	}
	if len(ids) == 0 || len(ids) > most {
		return "", fmt.Errorf("graph: an action on %d ids, not 1 to %d: %w", len(ids), most, entra.ErrBadRequest)
	}
	for _, id := range ids {
		if id == "" {
			return "", errNoID
		}
	}
	r, err := pathed(abs.POST, at).with(map[string][]string{parameter: ids})
	if err != nil {
		return "", err
	}
	a, err := c.do(ctx, r)
	return requestIDOf(a, err), err
}

// actOnSignIns gives feedback on sign-ins, of which only the detections are meant.
func (c *Client) actOnSignIns(ctx context.Context, kind plan.Kind, ids []string) (requestID string, err error) {
	if len(ids) == 0 || len(ids) > maxIDs || slices.Contains(ids, "") {
		return "", fmt.Errorf("graph: feedback on %d sign-ins, not 1 to %d: %w", len(ids), maxIDs, entra.ErrBadRequest)
	}
	if err := c.hasRisk(); err != nil {
		return "", err
	}
	verb := "dismiss"
	if kind == plan.SafeDetections {
		verb = "confirmSafe"
	}
	r, err := request{method: abs.POST, template: "{+baseurl}/auditLogs/signIns/" + verb}.with(map[string][]string{"requestIds": ids})
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
