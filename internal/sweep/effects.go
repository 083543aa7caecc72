package sweep

import (
	"context"

	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/whatif"
)

// explain says in the plan what its changes mean to people. It only explains:
// where it cannot, the plan is carried out all the same, and the report says
// why.
func (j *job) explain(ctx context.Context, p *plan.Plan, snap gather.Snapshot) {
	a := snap.Access
	if a == nil || !whatif.HasChanges(p.Actions) {
		return
	}
	explained := *p
	explained.Actions = append([]plan.Action{}, p.Actions...)
	err := j.notes.Timed("effects", func() error {
		return whatif.Explain(ctx, j.Access, a.Population, a.Objects, a.Keys, &explained)
	})
	if err != nil {
		j.notes.Skip("effects", err.Error())
		return
	}
	*p = explained
}
