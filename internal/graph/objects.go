package graph

import (
	"context"
	"fmt"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoftgraph/msgraph-sdk-go/identity"

	"github.com/risksweep/risksweep/internal/entra"
)

// access is the SDK's entry to Conditional Access.
func (c *Client) access() *identity.ConditionalAccessRequestBuilder {
	return identity.NewConditionalAccessRequestBuilderInternal(map[string]string{}, c.adapter)
}

// strengths has the same objects as the path below /identity, but does not
// count against the rate of Conditional Access (graph-api §5.1).
const strengths = "/policies/authenticationStrengthPolicies"

// collectionOf is a call on all objects of a kind.
func (c *Client) collectionOf(method abs.HttpMethod, kind entra.ObjectKind) (request, error) {
	switch kind {
	case entra.KindPolicy:
		return pathed(method, c.access().Policies().BaseRequestBuilder), nil
	case entra.KindLocation:
		return pathed(method, c.access().NamedLocations().BaseRequestBuilder), nil
	case entra.KindStrength:
		return request{method: method, template: "{+baseurl}" + strengths, safe: method == abs.GET}, nil
	case entra.KindAgreement:
		return request{method: method, template: "{+baseurl}/identityGovernance/termsOfUse/agreements", safe: method == abs.GET}, nil
	case entra.KindContext:
		return pathed(method, c.access().AuthenticationContextClassReferences().BaseRequestBuilder), nil
	}
	return request{}, fmt.Errorf("graph: no list of kind %q: %w", kind, entra.ErrUnsupported)
}

// itemOf is a call on one object.
func (c *Client) itemOf(method abs.HttpMethod, kind entra.ObjectKind, id string) (request, error) {
	if id == "" {
		return request{}, errNoID
	}
	switch kind {
	case entra.KindPolicy:
		return pathed(method, c.access().Policies().ByConditionalAccessPolicyId(id).BaseRequestBuilder), nil
	case entra.KindLocation:
		return pathed(method, c.access().NamedLocations().ByNamedLocationId(id).BaseRequestBuilder), nil
	case entra.KindStrength:
		return request{method: method, template: "{+baseurl}" + strengths + "/{id}", params: map[string]string{"id": id}, safe: method == abs.GET}, nil
	}
	return request{}, fmt.Errorf("graph: no objects of kind %q: %w", kind, entra.ErrUnsupported)
}

// handedList is a list that was read to resolve names. The next Objects of its
// kind takes it instead of asking again; it goes stale by any write and after
// handoverTime.
type handedList struct {
	docs []entra.Document
	at   time.Time
}

const handoverTime = time.Minute

// Objects lists all policies, named locations or authentication strengths, as
// lossless documents. No page size is asked for: with a small one the service
// has cut lists short without a next link (graph-api §3.1). The list is at most
// a minute old and newer than every write of this client.
func (c *Client) Objects(ctx context.Context, kind entra.ObjectKind) ([]entra.Document, error) {
	c.mu.Lock()
	handed, ok := c.handover[kind]
	delete(c.handover, kind)
	c.mu.Unlock()
	if ok && time.Since(handed.at) < handoverTime {
		return handed.docs, nil
	}
	return c.list(ctx, kind)
}

func (c *Client) list(ctx context.Context, kind entra.ObjectKind) ([]entra.Document, error) {
	first, err := c.collectionOf(abs.GET, kind)
	if err != nil {
		return nil, err
	}
	docs, err := all(ctx, c, collection[entra.Document]{
		first: first, row: decodeDocument, id: func(d *entra.Document) string { return d.ID() },
	})
	if docs == nil && err == nil {
		docs = []entra.Document{}
	}
	return docs, err
}

func (c *Client) handOver(kind entra.ObjectKind, docs []entra.Document) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handover[kind] = handedList{docs: docs, at: time.Now()}
}

func (c *Client) forgetLists() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.handover)
}

// Object reads one object by id; entra.ErrNotFound if it is not there, or not
// there yet: a fresh one may take a while to show (graph-api §3.7).
func (c *Client) Object(ctx context.Context, kind entra.ObjectKind, id string) (entra.Document, error) {
	r, err := c.itemOf(abs.GET, kind, id)
	if err != nil {
		return nil, err
	}
	return c.document(ctx, r, id)
}

// document reads the one object that a request asks for.
func (c *Client) document(ctx context.Context, r request, id string) (entra.Document, error) {
	var doc entra.Document
	r.check = func(a *answer) (err error) {
		if doc, err = entra.ParseDocument([]byte(a.body)); err != nil {
			return fmt.Errorf("%w: %w", entra.ErrMalformed, err)
		}
		return sameID(doc.ID(), id)
	}
	if _, err := c.do(ctx, r); err != nil {
		return nil, err
	}
	return doc, nil
}

// CreateObject creates an object from a document and gives it as the service
// keeps it, and the service's request id. It is one request, never repeated
// after it may have had an effect: such a failure, also an answer that cannot
// be read, wraps entra.ErrUnknownOutcome.
func (c *Client) CreateObject(ctx context.Context, kind entra.ObjectKind, body entra.Document) (entra.Document, string, error) {
	r, err := c.collectionOf(abs.POST, kind)
	if err != nil {
		return nil, "", err
	}
	if r, err = r.with(body); err != nil {
		return nil, "", err
	}
	var doc entra.Document
	r.check = func(a *answer) (err error) {
		if doc, err = entra.ParseDocument([]byte(a.body)); err != nil {
			return fmt.Errorf("%w: %w", entra.ErrMalformed, err)
		}
		if doc.ID() == "" {
			return fmt.Errorf("an object without id: %w", entra.ErrMalformed)
		}
		return nil
	}
	defer c.forgetLists()
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, requestIDOf(nil, err), err
	}
	return doc, a.requestID, nil
}

// UpdateObject sends the members of a document that are to change, null
// included, and gives the service's request id; see CreateObject for failures.
// The combinations of a strength have an action of their own, which takes nothing
// else: it is one request, so that no update can be half made.
func (c *Client) UpdateObject(ctx context.Context, kind entra.ObjectKind, id string, body entra.Document) (string, error) {
	method, action := abs.PATCH, ""
	if _, combinations := body["allowedCombinations"]; combinations && kind == entra.KindStrength {
		if len(body) > 1 {
			return "", fmt.Errorf("graph: allowedCombinations and other members in one update: %w", entra.ErrBadRequest)
		}
		method, action = abs.POST, "/updateAllowedCombinations"
	}
	r, err := c.itemOf(method, kind, id)
	if err != nil {
		return "", err
	}
	r.template += action
	if r, err = r.with(body); err != nil {
		return "", err
	}
	defer c.forgetLists()
	a, err := c.do(ctx, r)
	return requestIDOf(a, err), err
}

// DeleteObject deletes an object and gives the service's request id; see
// CreateObject for failures. Policies and named locations can be restored for
// 30 days.
func (c *Client) DeleteObject(ctx context.Context, kind entra.ObjectKind, id string) (string, error) {
	r, err := c.itemOf(abs.DELETE, kind, id)
	if err != nil {
		return "", err
	}
	defer c.forgetLists()
	a, err := c.do(ctx, r)
	return requestIDOf(a, err), err
}
