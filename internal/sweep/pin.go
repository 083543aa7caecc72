package sweep

import (
	"context"

	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/sweep/recovery"
)

// pins reports whether a request goes by the ids in the baseline's files. A
// person's order goes by the record alone.
func (s *Sweeper) pins(req Request) bool { return s.Baseline != nil && !req.ordered() }

// pinned takes into the recovered state what the baseline's files say of whom an
// object stands for. Files and record that do not agree end the run before
// anything is sent.
func (s *Sweeper) pinned(req Request, rec recovery.Recovered) (recovery.Recovered, error) {
	if !s.pins(req) {
		return rec, nil
	}
	owned, problems := drift.Pin(s.Baseline, rec.State.Owned)
	rec.State.Owned = owned
	return rec, problems.Err()
}

// confirmed completes what was pinned with what the tenant has.
func (s *Sweeper) confirmed(snap gather.Snapshot) (gather.Snapshot, error) {
	owned, problems := drift.Confirm(s.Baseline, snap.Live, snap.State.Owned)
	snap.State.Owned = owned
	return snap, problems.Err()
}

// ToAdopt reads the tenant's policies for an adoption, and the record as it is: an
// adoption mends what keeps others from going on.
func (s *Sweeper) ToAdopt(ctx context.Context) (Compared, error) {
	source, start, rec, err := s.look(ctx, recovery.None)
	if err != nil {
		return Compared{}, err
	}
	recorded := rec.State
	rec.State.Owned, _ = drift.Pin(s.Baseline, rec.State.Owned) // so that all are looked for
	snap, err := source.Compared(ctx, start, rec)
	return Compared{State: recorded, Live: snap.Live, BreakGlass: map[entra.ID]bool{}}, err
}
