package gather

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// PolicyReader is the part of a tenant that a baseline is compared with.
type PolicyReader interface {
	Objects(context.Context, entra.ObjectKind) ([]entra.Document, error)
	Object(ctx context.Context, kind entra.ObjectKind, id string) (entra.Document, error)
	Deleted(ctx context.Context, kind entra.ObjectKind, id string) (bool, error)
	ObjectNames(ctx context.Context, ids []string) (map[string]entra.DirectoryObject, error)
	Identify(context.Context, []entra.Ref) (entra.Names, error)
	Self(context.Context) (entra.DirectoryObject, error)
}

// ObjectKinds are the kinds of a baseline's objects.
var ObjectKinds = [...]entra.ObjectKind{entra.KindPolicy, entra.KindLocation, entra.KindStrength}

// readLive reads one list per kind, and the recorded objects that the lists do
// not show.
func (r *reading) readLive(ctx context.Context) (err error) {
	r.Live, err = readLists(ctx, r.Reader, r.State)
	r.Live.Names, r.Live.Members, r.Live.Tenant = r.directory.names, r.directory.members, r.Tenant
	return err
}

// readPolicies reads what the baseline is compared with. What only a part of the
// tenants needs is read only then: the job's own identity for policies that hold
// for workload identities, and the accounts that synchronise the directory.
func (r *reading) readPolicies(ctx context.Context) (err error) {
	if !r.liveRead {
		if err := r.readLive(ctx); err != nil {
			return err
		}
	}
	if r.Exceptions != nil {
		for _, id := range drift.ExcludedGroups(r.State.Owned, r.Live.Policies) {
			if err := r.readMembers(ctx, id); err != nil {
				return err
			}
		}
	}
	if drift.NeedsSelf(r.Baseline, r.Live.Policies) {
		if err := readSelf(ctx, r.Reader, &r.Live); err != nil {
			return err
		}
	}
	if drift.NeedsSyncAccounts(r.Baseline, r.Live.Tenant) {
		if r.Live.SyncAccounts, err = r.Reader.RoleHolders(ctx, drift.SyncRoles()); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.Live.SyncError = err.Error()
		}
	}
	if strays := drift.UnresolvedIDs(r.Baseline, r.Live); len(strays) > 0 {
		told, err := r.Reader.Identify(ctx, strays)
		if err != nil {
			return err
		}
		r.Live.Names = maps.Clone(r.Live.Names)
		maps.Copy(r.Live.Names, told)
	}
	return nil
}

// Named adds the names of what live policies refer to. They are for the words of
// a difference alone: where they are not ours to read, ids stand.
func (s Source) Named(ctx context.Context, snap Snapshot) (Snapshot, error) {
	if err := nameLive(ctx, s.Reader, &snap.Live); err != nil && !entra.Unavailable(err) {
		return snap, err
	}
	return snap, nil
}

// readLists lists the tenant's objects and looks for the recorded ones that the
// lists do not show.
func readLists(ctx context.Context, reader PolicyReader, state ledger.State) (drift.Live, error) {
	live := drift.Live{Deleted: map[string]bool{}, ObjectNames: map[string]entra.DirectoryObject{}}
	lists := map[entra.ObjectKind]*[]entra.Document{
		entra.KindPolicy: &live.Policies, entra.KindLocation: &live.Locations, entra.KindStrength: &live.Strengths,
	}
	for _, kind := range ObjectKinds {
		docs, err := reader.Objects(ctx, kind)
		if entra.Unavailable(err) && kind != entra.KindPolicy {
			live.Unread = append(live.Unread, drift.Unread{Kind: kind, Reason: entra.Resolution{Ref: entra.Ref{Kind: kind}, Unread: err}.Refusal()})
			continue
		}
		if err != nil {
			return live, fmt.Errorf("listing %s: %w", kind, err)
		}
		*lists[kind] = docs
		if err := missingOwned(ctx, reader, kind, state.Owned[kind], lists[kind], live.Deleted); err != nil {
			return live, err
		}
	}
	return live, nil
}

// readSelf reads the job's own identity. Only policies for workload identities
// need it, and where it cannot be known the baseline blocks them.
func readSelf(ctx context.Context, reader PolicyReader, live *drift.Live) (err error) {
	live.Self, err = reader.Self(ctx)
	switch {
	case errors.Is(err, entra.ErrOpaqueToken), errors.Is(err, entra.ErrForbidden), errors.Is(err, entra.ErrNotFound):
		live.Self = entra.DirectoryObject{}
	case err != nil:
		return fmt.Errorf("reading the job's own identity: %w", err)
	}
	return nil
}

// nameLive reads the names of what live policies refer to.
func nameLive(ctx context.Context, reader PolicyReader, live *drift.Live) error {
	ids := policy.DirectoryIDs(live.Policies, live.Names)
	if len(ids) == 0 {
		return nil
	}
	names, err := reader.ObjectNames(ctx, ids)
	if err != nil {
		return fmt.Errorf("naming what policies refer to: %w", err)
	}
	live.ObjectNames = names
	return nil
}

// readToExport reads what an export writes. Only the policies must be there:
// what else may not be read is noted, and the export goes on without it.
func (r *reading) readToExport(ctx context.Context) error {
	live := &r.Live
	*live = drift.Live{Deleted: map[string]bool{}, ObjectNames: map[string]entra.DirectoryObject{}, Tenant: r.Tenant}
	for _, l := range []struct {
		kind entra.ObjectKind
		into *[]entra.Document
	}{{entra.KindPolicy, &live.Policies}, {entra.KindLocation, &live.Locations}, {entra.KindStrength, &live.Strengths}} {
		docs, err := r.Reader.Objects(ctx, l.kind)
		switch {
		case entra.Unavailable(err) && l.kind != entra.KindPolicy:
			live.Unread = append(live.Unread, drift.Unread{Kind: l.kind, Reason: err.Error()})
		case err != nil:
			return fmt.Errorf("listing %s: %w", l.kind, err)
		}
		*l.into = docs
	}
	err := nameLive(ctx, r.Reader, live)
	if entra.Unavailable(err) {
		live.Unread, err = append(live.Unread, drift.Unread{Kind: entra.KindUser, Reason: err.Error()}), nil
	}
	return err
}

// missingOwned looks by id for the recorded objects that a list does not show:
// one that is there all the same joins the list, one among the deleted items is
// marked, and only what is in neither counts as gone.
func missingOwned(ctx context.Context, reader PolicyReader, kind entra.ObjectKind, owned map[string]plan.Owned, list *[]entra.Document, deleted map[string]bool) error {
	listed := map[string]bool{}
	for _, d := range *list {
		listed[d.ID()] = true
	}
	for key, o := range owned {
		if listed[string(o.ID)] {
			continue
		}
		doc, err := reader.Object(ctx, kind, string(o.ID))
		switch {
		case err == nil:
			*list = append(*list, doc)
			continue
		case !errors.Is(err, entra.ErrNotFound):
			return fmt.Errorf("reading %s %s (%s): %w", kind, key, o.ID, err)
		}
		gone, err := reader.Deleted(ctx, kind, string(o.ID))
		if err != nil {
			return fmt.Errorf("looking for %s %s among the deleted items: %w", kind, key, err)
		}
		deleted[string(o.ID)] = gone
	}
	return nil
}
