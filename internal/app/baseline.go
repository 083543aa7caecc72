package app

import (
	"context"
	"fmt"

	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/sweep"
)

// Compare compares a tenant with its baseline, as it is now. Nothing is stored.
func (a *App) Compare(ctx context.Context, t config.Tenant) (sweep.Compared, error) {
	s, err := a.Sweeper(t)
	if err != nil {
		return sweep.Compared{}, err
	}
	return s.Compare(ctx)
}

// Adopt takes live objects into ownership of a tenant's baseline; see
// adopt.Adopt. It holds the tenant's lease from before the look until the state
// is stored, so that no run writes meanwhile. With a problem nothing is
// adopted.
func (a *App) Adopt(ctx context.Context, t config.Tenant, pairs []string, byName bool) (adopted []adopt.Adoption, problems []string, err error) {
	s, err := a.Sweeper(t)
	if err != nil {
		return nil, nil, err
	}
	lease, err := s.Ledger.Lock(ctx, blobstore.Holder{Run: "baseline adopt", Host: s.Host, PID: s.PID, Since: s.Now().UTC()})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }() // it ends by itself
	compared, err := s.Compare(ctx)
	if err != nil {
		return nil, nil, err
	}
	objects, adopted, problems := adopt.Adopt(s.Baseline, compared.Live, compared.State.Owned, pairs, byName)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	state, version, err := s.Ledger.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	state.Owned = objects
	_, err = s.Ledger.SaveState(ctx, state, version)
	return adopted, nil, err
}

// Export writes a tenant as a baseline. Ids become names as far as the tenant
// lets their kind be read; the text says where it does not.
func (a *App) Export(ctx context.Context, t config.Tenant) ([]byte, error) {
	t.Baseline, t.Triage = "", ""
	compared, err := a.Compare(ctx, t)
	if err != nil {
		return nil, err
	}
	client, err := a.Graph(t)
	if err != nil {
		return nil, err
	}
	live := compared.Live
	if live.Names == nil {
		live.Names = entra.Names{}
	}
	for refs := adopt.ExportRefs(live); len(refs) > 0; refs = adopt.ExportRefs(live) {
		if err := nameForExport(ctx, client, refs, &live); err != nil {
			return nil, err
		}
	}
	return adopt.Export(live)
}

// nameForExport asks for names, one kind after the other. A kind that this
// tenant does not let us read is noted in the export, where ids stand instead.
func nameForExport(ctx context.Context, client *graph.Client, refs []entra.Ref, live *drift.Live) error {
	byKind := map[entra.ObjectKind][]entra.Ref{}
	for _, ref := range refs {
		byKind[ref.Kind] = append(byKind[ref.Kind], ref)
	}
	for kind, refs := range byKind {
		names, err := client.Resolve(ctx, refs)
		if err != nil {
			return fmt.Errorf("resolving names: %w", err)
		}
		noted := false
		for _, ref := range refs {
			n := names[ref]
			live.Names[ref] = n
			if n.Unread != nil && !noted {
				noted = true
				live.Unread = append(live.Unread, drift.Unread{Kind: kind, Reason: n.Refusal()})
			}
		}
	}
	return nil
}
