package graph

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// idTypes are the types that a written id is looked for among: those that a
// policy names, and the registration of an application, whose object id is
// taken for the app id.
var idTypes = []string{"user", "group", "servicePrincipal", "application"}

// Identify verifies ids: whether each is an object of the kind of its ref and,
// if it is not, what it really is. The names of the refs must be ids. What this
// tenant or token does not let us look up says so in its Unread.
//
// A thousand ids travel in a request, app ids twenty. More is asked only of an
// id that nothing of its kind has.
func (c *Client) Identify(ctx context.Context, refs []entra.Ref) (entra.Names, error) {
	names := entra.Names{}
	var objects, apps []entra.Ref
	for _, ref := range refs {
		if _, again := names[ref]; again || !entra.IsID(ref.Name) {
			continue
		}
		names[ref] = entra.Resolution{Ref: ref, Objects: []entra.DirectoryObject{}}
		if ref.Kind == entra.KindApplication {
			apps = append(apps, ref)
		} else {
			objects = append(objects, ref)
		}
	}
	for _, step := range []func() error{
		func() error { return c.verifyObjects(ctx, names, objects) },
		func() error { return c.verifyApplications(ctx, names, apps) },
		func() error { return c.verifyObjects(ctx, names, unknown(names, apps)) },
		func() error { return c.verifyApplications(ctx, names, unknown(names, objects)) },
		func() error { return c.recogniseRoles(ctx, names) },
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("verifying ids: %w", err)
		}
	}
	return names, nil
}

// unknown are the refs of which nothing was found yet.
func unknown(names entra.Names, refs []entra.Ref) []entra.Ref {
	var out []entra.Ref
	for _, ref := range refs {
		if r := names[ref]; len(r.Objects) == 0 && r.Is == nil && r.Unread == nil {
			out = append(out, ref)
		}
	}
	return out
}

// verifyObjects looks ids up as object ids. Where the token may not ask for all
// types at once, each kind that is wanted is asked for by itself.
func (c *Client) verifyObjects(ctx context.Context, names entra.Names, refs []entra.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	items, err := c.byIDs(ctx, idsOf(refs), idTypes...)
	if !entra.Unavailable(err) {
		note(names, refs, items)
		return err
	}
	for _, t := range idTypes[:3] {
		var some []entra.Ref
		for _, ref := range refs {
			if ref.Kind == kindOfType(t) {
				some = append(some, ref)
			}
		}
		if len(some) == 0 {
			continue
		}
		items, err := c.byIDs(ctx, idsOf(some), t)
		switch {
		case entra.Unavailable(err):
			for _, ref := range some {
				names[ref] = entra.Resolution{Ref: ref, Unread: err}
			}
		case err != nil:
			return err
		}
		note(names, some, items)
	}
	return nil
}

// note enters the objects that were found for refs.
func note(names entra.Names, refs []entra.Ref, items []directoryItem) {
	byID := make(map[entra.ID]directoryItem, len(items))
	for _, i := range items {
		byID[i.ID] = i
	}
	for _, ref := range refs {
		i, ok := byID[entra.NewID(ref.Name)]
		kind := kindOfType(i.Type)
		if !ok || kind == "" {
			continue
		}
		r := names[ref]
		if o := i.object(kind); kind == ref.Kind {
			r.Objects = []entra.DirectoryObject{o}
		} else {
			r.Is = &o
		}
		names[ref] = r
	}
}

// byAppID is the look-up of a service principal by its app id.
func byAppID(id string) string {
	return "/servicePrincipals?$filter=" + url.QueryEscape("appId eq "+literal(id)) + "&$select=" + spSelect
}

// verifyApplications looks ids up as app ids. Where an id of another kind cannot be
// looked up so, it stays unknown: nothing of its own kind has it anyway.
func (c *Client) verifyApplications(ctx context.Context, names entra.Names, refs []entra.Ref) error {
	if len(refs) == 0 {
		return nil
	}
	var lookups []*lookup
	byID := map[string]*lookup{}
	for _, id := range idsOf(refs) {
		byID[id] = &lookup{url: byAppID(id)}
		lookups = append(lookups, byID[id])
	}
	if err := c.lookUp(ctx, lookups); err != nil {
		return err
	}
	for _, ref := range refs {
		r := names[ref]
		kind := entra.KindServicePrincipal
		if ref.Kind == entra.KindApplication {
			kind = ref.Kind
		}
		found, err := c.found(ctx, kind, byID[strings.ToLower(ref.Name)])
		switch {
		case entra.Unavailable(err) && ref.Kind == entra.KindApplication:
			r.Unread = err
		case entra.Unavailable(err):
		case err != nil:
			return err
		case len(found) > 0 && ref.Kind == entra.KindApplication:
			r.Objects = found
		case len(found) > 0:
			r.Is = &found[0]
		}
		names[ref] = r
	}
	return nil
}

// recogniseRoles looks for the ids that are still unknown among the roles. It
// is read for nothing else, so a refusal leaves them unknown.
func (c *Client) recogniseRoles(ctx context.Context, names entra.Names) error {
	var refs []entra.Ref
	for ref := range names {
		if ref.Kind != entra.KindRole {
			refs = append(refs, ref)
		}
	}
	if refs = unknown(names, refs); len(refs) == 0 {
		return nil
	}
	l := &lookup{url: listPath(entra.KindRole)}
	if err := c.lookUp(ctx, []*lookup{l}); err != nil {
		return err
	}
	roles, err := c.found(ctx, entra.KindRole, l)
	if entra.Unavailable(err) {
		return nil
	}
	for _, ref := range refs {
		if i := slices.IndexFunc(roles, func(o entra.DirectoryObject) bool { return o.ID == entra.NewID(ref.Name) }); i >= 0 {
			r := names[ref]
			r.Is = &roles[i]
			names[ref] = r
		}
	}
	return err
}

// idsOf are the ids that refs name, each once, in lower case.
func idsOf(refs []entra.Ref) []string {
	seen := map[string]bool{}
	var ids []string
	for _, ref := range refs {
		if id := strings.ToLower(ref.Name); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// ObjectNames names users, groups, service principals and, by their app id,
// applications. Ids that nothing has are left out; what is no id at all is
// passed over, and so are the applications if they are not ours to read. The
// map is keyed by the ids as they were given.
func (c *Client) ObjectNames(ctx context.Context, ids []string) (map[string]entra.DirectoryObject, error) {
	asked := map[string][]string{} // lower-case id -> as given
	var unique []string
	for _, id := range ids {
		if !entra.IsID(id) {
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
			lookups = append(lookups, &lookup{url: byAppID(id)})
		}
	}
	if err := c.lookUp(ctx, lookups); err != nil {
		return nil, fmt.Errorf("naming applications: %w", err)
	}
	for i, l := range lookups {
		found, err := c.found(ctx, entra.KindApplication, l)
		switch {
		case entra.Unavailable(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("naming applications: %w", err)
		}
		if len(found) == 1 {
			note(appIDs[i], found[0])
		}
	}
	return names, nil
}
