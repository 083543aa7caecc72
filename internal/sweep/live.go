package sweep

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/ledger"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
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

// objectKinds are the kinds of a baseline's objects.
var objectKinds = [...]entra.ObjectKind{entra.KindPolicy, entra.KindLocation, entra.KindStrength}

// readLive reads what the baseline is compared with: one list per kind, and the
// recorded objects that the lists do not show.
func (r *run) readLive(ctx context.Context) (drift.Live, error) {
	live, err := readLists(ctx, r.Reader, r.rec.State)
	live.Names, live.Members, live.Tenant = r.directory.names, r.directory.members, r.tenant
	r.lists = map[entra.ObjectKind][]entra.Document{entra.KindPolicy: live.Policies, entra.KindLocation: live.Locations, entra.KindStrength: live.Strengths}
	return live, err
}

// planDrift compares the baseline with the tenant. What only a part of the
// tenants needs is read only then: the job's own identity for policies that hold
// for workload identities, and the names of what live policies refer to where
// there is a difference to put into words.
func (r *run) planDrift(ctx context.Context, live *drift.Live) (drift.Result, error) {
	settings := r.Settings.Baseline
	settings.Owned = recovery.Owned(r.rec.State)
	if drift.NeedsSelf(r.Baseline, live.Policies) {
		if err := readSelf(ctx, r.Reader, live); err != nil {
			return drift.Result{}, err
		}
	}
	if drift.NeedsSyncAccounts(r.Baseline, live.Tenant) {
		var err error
		if live.SyncAccounts, err = r.Reader.RoleHolders(ctx, drift.SyncRoles()); err != nil {
			if ctx.Err() != nil {
				return drift.Result{}, err
			}
			live.SyncError = err.Error()
		}
	}
	if strays := drift.Strays(r.Baseline, *live); len(strays) > 0 {
		told, err := r.Reader.Identify(ctx, strays)
		if err != nil {
			return drift.Result{}, err
		}
		maps.Copy(live.Names, told)
	}
	res := drift.Compare(r.Baseline, *live, settings)
	if !res.NeedsNames() {
		return res, nil
	}
	// They are for the words alone: where they are not ours to read, ids stand.
	if err := nameLive(ctx, r.Reader, live); err != nil && !entra.NotOurs(err) {
		return drift.Result{}, err
	}
	return drift.Compare(r.Baseline, *live, settings), nil
}

// readLists lists the tenant's objects and looks for the recorded ones that the
// lists do not show.
func readLists(ctx context.Context, reader PolicyReader, state ledger.State) (drift.Live, error) {
	live := drift.Live{Deleted: map[string]bool{}, ObjectNames: map[string]entra.DirectoryObject{}}
	lists := map[entra.ObjectKind]*[]entra.Document{
		entra.KindPolicy: &live.Policies, entra.KindLocation: &live.Locations, entra.KindStrength: &live.Strengths,
	}
	for _, kind := range objectKinds {
		docs, err := reader.Objects(ctx, kind)
		if entra.NotOurs(err) && kind != entra.KindPolicy {
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

// planDestroy plans the delete of exactly what the state records as owned.
func (r *run) planDestroy(ctx context.Context) error {
	live, err := r.readLive(ctx)
	if err != nil {
		return err
	}
	if len(live.Unread) > 0 {
		return fmt.Errorf("listing %s: %w: %s", live.Unread[0].Kind, entra.ErrForbidden, live.Unread[0].Reason)
	}
	r.drift.Actions = drift.Destroy(live, recovery.Owned(r.rec.State))
	return nil
}

// Compared is a tenant beside its baseline.
type Compared struct {
	Live   drift.Live
	State  ledger.State
	Result drift.Result
	// BreakGlass are the ids of the break-glass accounts.
	BreakGlass map[entra.ID]bool
}

// Compare reads the tenant's policies and compares them with the baseline,
// without a run: nothing is stored. Without a baseline only the live side is
// read.
func (s *Sweeper) Compare(ctx context.Context) (Compared, error) {
	r := &run{Sweeper: s, started: s.Now().UTC(), directory: directory{members: map[entra.ID][]entra.DirectoryObject{}, errors: map[entra.ID]error{}, groups: map[entra.ID][]entra.ID{}}}
	if err := r.readState(ctx); err != nil {
		return Compared{}, err
	}
	if err := r.readTenant(ctx); err != nil {
		return Compared{}, err
	}
	var err error
	if r.rec, err = r.recovered(ctx, r.rec.Stored, recovery.None); err != nil {
		return Compared{}, fmt.Errorf("taking in what earlier runs left: %w", err)
	}
	if r.Baseline != nil {
		if r.directory.names, err = r.lookUp(ctx, r.Baseline.Refs(), r.Baseline.IDs()); err != nil {
			return Compared{}, fmt.Errorf("resolving names: %w", err)
		}
		if r.breakGlass, err = r.readBreakGlass(ctx); err != nil {
			return Compared{}, err
		}
	}
	if r.Baseline == nil {
		live, err := r.readToExport(ctx)
		return Compared{State: r.rec.State, Live: live}, err
	}
	live, err := r.readLive(ctx)
	if err != nil {
		return Compared{}, err
	}
	c := Compared{State: r.rec.State, BreakGlass: map[entra.ID]bool{}}
	for id := range r.breakGlass {
		c.BreakGlass[id] = true
	}
	c.Result, err = r.planDrift(ctx, &live)
	c.Live = live
	return c, err
}

// readToExport reads what an export writes. Only the policies must be there:
// what else may not be read is noted, and the export goes on without it.
func (r *run) readToExport(ctx context.Context) (drift.Live, error) {
	live := drift.Live{Deleted: map[string]bool{}, ObjectNames: map[string]entra.DirectoryObject{}, Tenant: r.tenant}
	for _, l := range []struct {
		kind entra.ObjectKind
		into *[]entra.Document
	}{{entra.KindPolicy, &live.Policies}, {entra.KindLocation, &live.Locations}, {entra.KindStrength, &live.Strengths}} {
		docs, err := r.Reader.Objects(ctx, l.kind)
		switch {
		case entra.NotOurs(err) && l.kind != entra.KindPolicy:
			live.Unread = append(live.Unread, drift.Unread{Kind: l.kind, Reason: err.Error()})
		case err != nil:
			return live, fmt.Errorf("listing %s: %w", l.kind, err)
		}
		*l.into = docs
	}
	err := nameLive(ctx, r.Reader, &live)
	if entra.NotOurs(err) {
		live.Unread, err = append(live.Unread, drift.Unread{Kind: entra.KindUser, Reason: err.Error()}), nil
	}
	return live, err
}

// missingOwned looks by id for the recorded objects that a list does not show:
// one that is there all the same joins the list, one among the deleted items is
// marked, and only what is in neither counts as gone.
func missingOwned(ctx context.Context, reader PolicyReader, kind entra.ObjectKind, owned map[string]ledger.Owned, list *[]entra.Document, deleted map[string]bool) error {
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
