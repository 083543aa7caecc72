package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/risksweep/risksweep/internal/baseline/adopt"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graph"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/yamldoc"
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
// adopted, and nothing is written.
func (a *App) Adopt(ctx context.Context, t config.Tenant, o adopt.Order) (adopted []adopt.Adoption, problems []string, err error) {
	s, err := a.Sweeper(t)
	if err != nil {
		return nil, nil, err
	}
	var files baselineFiles
	if o.Write {
		if other := a.sharesBaseline(t); other != "" {
			return nil, []string{fmt.Sprintf("--write: the baseline of %s is also that of %s, and ids are of one tenant: give each a copy of its own", t.Name, other)}, nil
		}
		var wrong yamldoc.Problems
		if files, s.Baseline, wrong = readFiles(t.Baseline); wrong.Err() != nil {
			return nil, nil, wrong.Err()
		}
	}
	lease, err := s.Ledger.Lock(ctx, blobstore.Holder{Run: "baseline adopt", Host: s.Host, PID: s.PID, Since: s.Now().UTC()})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }() // it ends by itself
	compared, err := s.ToAdopt(ctx)
	if err != nil {
		return nil, nil, err
	}
	objects, adopted, problems := adopt.Adopt(s.Baseline, compared.Live, compared.State.Owned, o)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	var changed map[string][]byte
	if o.Write {
		ids := adopt.IDs(s.Baseline, compared.Live, objects)
		var wrong yamldoc.Problems
		if changed, wrong = s.Baseline.WithIDs(files, ids); wrong.Err() != nil {
			return nil, nil, wrong.Err()
		}
		adopted = adopt.Written(s.Baseline, adopted, objects, ids)
	}
	state, version, err := s.Ledger.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	state.Owned = objects
	if _, err = s.Ledger.SaveState(ctx, state, version); err != nil {
		return nil, nil, err
	}
	return adopted, nil, files.write(changed)
}

// sharesBaseline is another tenant that has files of this one's baseline.
func (a *App) sharesBaseline(t config.Tenant) string {
	within := func(file, folder string) bool {
		rel, err := filepath.Rel(folder, file)
		return err == nil && filepath.IsLocal(rel)
	}
	for _, o := range slices.Concat(a.Config.Tenants, a.Config.Others) {
		if o.Name != t.Name && o.Baseline != "" && (within(o.Baseline, t.Baseline) || within(t.Baseline, o.Baseline)) {
			return o.Name
		}
	}
	return ""
}

// Export writes a tenant as a baseline. Ids become names as far as the tenant
// lets their kind be read; the text says where it does not.
func (a *App) Export(ctx context.Context, t config.Tenant) (adopt.Exported, error) {
	varies, err := a.varies(ctx, t)
	if err != nil {
		return adopt.Exported{}, err
	}
	t.Baseline, t.Triage = "", ""
	compared, err := a.Compare(ctx, t)
	if err != nil {
		return adopt.Exported{}, err
	}
	client, err := a.Graph(t)
	if err != nil {
		return adopt.Exported{}, err
	}
	live := compared.Live
	if live.Names == nil {
		live.Names = entra.Names{}
	}
	for refs := adopt.ExportRefs(live); len(refs) > 0; refs = adopt.ExportRefs(live) {
		if err := nameForExport(ctx, client, refs, &live); err != nil {
			return adopt.Exported{}, err
		}
	}
	live.Members = map[entra.ID][]entra.DirectoryObject{}
	for _, g := range adopt.GlassGroups(live) {
		members, err := client.Members(ctx, string(g))
		if entra.Unavailable(err) || errors.Is(err, entra.ErrNotFound) {
			continue // the proposal names the users as well
		}
		if err != nil {
			return adopt.Exported{}, fmt.Errorf("reading the members of an excluded group: %w", err)
		}
		live.Members[g] = members
	}
	return adopt.Export(live, varies)
}

// varies says in which members the tenant differs from its baseline, by the ids of
// objects; nothing where there is no baseline yet, or none that can be compared.
func (a *App) varies(ctx context.Context, t config.Tenant) (map[string][]string, error) {
	t.Triage, t.Exceptions, t.Expectations = "", "", ""
	if t.Baseline == "" {
		return nil, nil
	}
	if b, problems := a.Baseline(t); b == nil || problems.Err() != nil {
		return nil, nil
	}
	compared, err := a.Compare(ctx, t)
	var problems yamldoc.Problems
	if errors.As(err, &problems) || entra.Unavailable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, e := range compared.Result.Entries {
		id := policy.FoldID(cmp.Or(e.ID, e.Adopt))
		for _, d := range e.Differences {
			if id != "" && d.Path != "" {
				out[id] = append(out[id], d.Path)
			}
		}
	}
	return out, nil
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
