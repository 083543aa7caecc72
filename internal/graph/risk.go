package graph

import (
	"context"
	"fmt"
	"iter"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/identityprotection"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// riskPage is the largest page of the risk collections; one more is an error
// (graph-api §1.2).
const riskPage = 500

// protection is the SDK's entry to ID Protection.
func (c *Client) protection() *identityprotection.IdentityProtectionRequestBuilder {
	return identityprotection.NewIdentityProtectionRequestBuilderInternal(map[string]string{}, c.adapter)
}

func listRisk[T any](ctx context.Context, c *Client, of collection[T], filter *string, resume string) iter.Seq2[entra.Page[T], error] {
	top := int32(riskPage)
	of.first.query = query{Filter: filter, Top: &top}
	of.top = riskPage
	if err := c.hasRisk(); err != nil {
		return failed[T](err)
	}
	first, err := c.from(of.first, resume)
	if err != nil {
		return failed[T](err)
	}
	of.first = first
	return pages(ctx, c, of)
}

// Detections reads the risk detections of users, page by page. A query that
// cannot be put is the sequence's only error.
func (c *Client) Detections(ctx context.Context, q entra.DetectionQuery) iter.Seq2[entra.Page[entra.Detection], error] {
	filter, err := detectionFilter(q)
	if err != nil {
		return failed[entra.Detection](err)
	}
	return listRisk(ctx, c, collection[entra.Detection]{
		first: pathed(abs.GET, c.protection().RiskDetections().BaseRequestBuilder),
		row:   decodeDetection, id: func(d *entra.Detection) string { return d.ID },
	}, filter, q.Resume)
}

// RiskyUsers reads the risky users.
func (c *Client) RiskyUsers(ctx context.Context, q entra.RiskyUserQuery) iter.Seq2[entra.Page[entra.RiskyUser], error] {
	filter, err := riskyUserFilter(q)
	if err != nil {
		return failed[entra.RiskyUser](err)
	}
	return listRisk(ctx, c, collection[entra.RiskyUser]{
		first: pathed(abs.GET, c.protection().RiskyUsers().BaseRequestBuilder),
		row:   decodeRiskyUser, id: func(u *entra.RiskyUser) string { return string(u.ID) },
		endsInBadRequest: true,
	}, filter, q.Resume)
}

// RiskyServicePrincipals reads the risky workload identities. A tenant without
// Workload Identities Premium shows levels as hidden.
func (c *Client) RiskyServicePrincipals(ctx context.Context) iter.Seq2[entra.Page[entra.RiskyServicePrincipal], error] {
	return listRisk(ctx, c, collection[entra.RiskyServicePrincipal]{
		first: pathed(abs.GET, c.protection().RiskyServicePrincipals().BaseRequestBuilder),
		row:   decodeRiskyServicePrincipal, id: func(p *entra.RiskyServicePrincipal) string { return string(p.ID) },
	}, nil, "")
}

// ServicePrincipalDetections reads the detections of some workload identities,
// at most plan.PrincipalBatch, or of all for nil. It asks for equality alone, which is
// what the service documents of this collection.
func (c *Client) ServicePrincipalDetections(ctx context.Context, ids []entra.ID) iter.Seq2[entra.Page[entra.Detection], error] {
	var f conjunction
	if ids != nil {
		if len(ids) == 0 || len(ids) > plan.PrincipalBatch {
			return failed[entra.Detection](fmt.Errorf("graph: a query for %d service principals, not 1 to %d", len(ids), plan.PrincipalBatch))
		}
		equal := make([]string, len(ids))
		for i, id := range ids {
			equal[i] = "servicePrincipalId eq " + literal(string(id))
		}
		f.add(strings.Join(equal, " or "))
	}
	return listRisk(ctx, c, collection[entra.Detection]{
		first: pathed(abs.GET, c.protection().ServicePrincipalRiskDetections().BaseRequestBuilder),
		row:   decodeDetection, id: func(d *entra.Detection) string { return d.ID },
	}, f.filter(), "")
}

// RiskyUser reads one risky user by object id. A user without any risk so far
// is entra.ErrNotFound.
func (c *Client) RiskyUser(ctx context.Context, id string) (entra.RiskyUser, error) {
	if err := c.hasRisk(); err != nil {
		return entra.RiskyUser{}, err
	}
	if id == "" {
		return entra.RiskyUser{}, errNoID
	}
	var u entra.RiskyUser
	r := pathed(abs.GET, c.protection().RiskyUsers().ByRiskyUserId(id).BaseRequestBuilder)
	r.check = func(a *answer) (err error) {
		if u, err = decodeOne(a.body, decodeRiskyUser); err != nil {
			return err
		}
		return sameID(string(u.ID), id)
	}
	if _, err := c.do(ctx, r); err != nil {
		return entra.RiskyUser{}, err
	}
	return u, nil
}

// UserHistory reads the history of a risky user, in the service's order, which
// is not that of time.
func (c *Client) UserHistory(ctx context.Context, userID string) ([]entra.RiskHistoryItem, error) {
	if err := c.hasRisk(); err != nil {
		return nil, err
	}
	if userID == "" {
		return nil, errNoID
	}
	return all(ctx, c, collection[entra.RiskHistoryItem]{
		first: pathed(abs.GET, c.protection().RiskyUsers().ByRiskyUserId(userID).History().BaseRequestBuilder),
		row:   decodeHistoryItem, id: func(h *entra.RiskHistoryItem) string { return string(h.ID) },
	})
}

// ServicePrincipalHistory is UserHistory of a service principal.
func (c *Client) ServicePrincipalHistory(ctx context.Context, id string) ([]entra.RiskHistoryItem, error) {
	if err := c.hasRisk(); err != nil {
		return nil, err
	}
	if id == "" {
		return nil, errNoID
	}
	return all(ctx, c, collection[entra.RiskHistoryItem]{
		first: pathed(abs.GET, c.protection().RiskyServicePrincipals().ByRiskyServicePrincipalId(id).History().BaseRequestBuilder),
		row:   decodeHistoryItem, id: func(h *entra.RiskHistoryItem) string { return string(h.ID) },
	})
}

var errNoID = fmt.Errorf("graph: no id: %w", entra.ErrNotFound)

// sameID checks that the answer is about what was asked.
func sameID(got, want string) error {
	if !strings.EqualFold(got, want) {
		return fmt.Errorf("id: %q in the answer to a call for %q: %w", clip(got), clip(want), entra.ErrMalformed)
	}
	return nil
}

// DecodeDetections reads a page of riskDetections that was kept as it came.
func (c *Client) DecodeDetections(body []byte) (entra.Page[entra.Detection], error) {
	items, next, err := decodePage(string(body), newInterner(), decodeDetection)
	if err != nil {
		return entra.Page[entra.Detection]{}, err
	}
	return entra.Page[entra.Detection]{Items: items, Next: next}, nil
}
