package graph

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// The SDK does not know deletedItems yet.
const deletedItems = "/identity/conditionalAccess/deletedItems/"

// deletedOf is where the deleted objects of a kind lie. Clouds other than the
// worldwide one keep no deleted items, and strengths are kept nowhere: that is
// entra.ErrUnsupported.
func (c *Client) deletedOf(kind entra.ObjectKind) (string, error) {
	names := map[entra.ObjectKind]string{entra.KindPolicy: "policies", entra.KindLocation: "namedLocations"}
	name, kept := names[kind]
	switch {
	case !kept:
		return "", fmt.Errorf("graph: no deleted items of kind %q: %w", kind, entra.ErrUnsupported)
	case c.cloud != "" && c.cloud != "global":
		return "", fmt.Errorf("graph: the cloud %s keeps no deleted items: %w", c.cloud, entra.ErrUnsupported)
	}
	return deletedItems + name, nil
}

// DeletedObjects lists the deleted policies or named locations, which stay for
// 30 days.
func (c *Client) DeletedObjects(ctx context.Context, kind entra.ObjectKind) ([]entra.Document, error) {
	at, err := c.deletedOf(kind)
	if err != nil {
		return nil, err
	}
	list, err := all(ctx, c, collection[entra.Document]{
		first: get(at, nil), row: decodeDocument, id: func(d *entra.Document) string { return d.ID() },
	})
	return list, forPersons(err, "GET", c.base.JoinPath(at).String())
}

// forPersons adds to a refusal what a person can send where the service lets no
// application do it.
func forPersons(err error, method, url string) error {
	if e, ok := asError(err); ok && e.Status == http.StatusForbidden {
		e.kind = entra.ErrForbidden // whatever the text says elsewhere: no licence mends it
		return fmt.Errorf("%w; %w: one who holds the role Conditional Access Administrator can send: az rest --method %s --url %s",
			err, entra.ErrPersonsOnly, strings.ToLower(method), url)
	}
	return err
}

// DeletedObject reads one of them; entra.ErrNotFound if it is not there.
func (c *Client) DeletedObject(ctx context.Context, kind entra.ObjectKind, id string) (entra.Document, error) {
	at, err := c.deletedOf(kind)
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, errNoID
	}
	return c.document(ctx, get(at+"/{id}", map[string]string{"id": id}), id)
}

// Deleted reports whether an object lies among the deleted items. In a cloud that
// keeps none, and for kinds that are not kept, it is false.
func (c *Client) Deleted(ctx context.Context, kind entra.ObjectKind, id string) (bool, error) {
	_, err := c.DeletedObject(ctx, kind, id)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, entra.ErrNotFound), errors.Is(err, entra.ErrUnsupported):
		return false, nil
	}
	return false, err
}

// RestoreObject takes an object out of the deleted items. It comes back under its
// id and in the state it had: an enabled policy enforces at once. See
// CreateObject for failures. Where the service refuses applications, the failure
// says what a person can send instead.
func (c *Client) RestoreObject(ctx context.Context, kind entra.ObjectKind, id string) (string, error) {
	at, err := c.deletedOf(kind)
	if err != nil {
		return "", err
	}
	if id == "" {
		return "", errNoID
	}
	r := request{method: abs.POST, template: "{+baseurl}" + at + "/{id}/restore", params: map[string]string{"id": id}}
	defer c.forgetLists()
	a, err := c.do(ctx, r)
	requestID := requestIDOf(a, err)
	return requestID, forPersons(err, "POST", c.base.JoinPath(at, id, "restore").String())
}
