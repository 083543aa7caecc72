package app

import (
	"context"

	"github.com/risksweep/risksweep/internal/plan"
)

// Overdue are the exclusions by exceptions whose end has passed and that no run
// has taken back, as the tenant's state has them.
func (a *App) Overdue(ctx context.Context, tenant string) ([]plan.Exclusion, error) {
	if a.Store == nil {
		return nil, nil
	}
	state, _, err := a.Ledger(tenant).State(ctx)
	if err != nil {
		return nil, err
	}
	var out []plan.Exclusion
	for _, x := range state.Exclusions {
		if !a.opt.Now().Before(x.Until) {
			out = append(out, x)
		}
	}
	return out, nil
}

// CountOverdue counts them. In a large fleet the number is read no more often than the
// page of the fleet is written.
func (a *App) CountOverdue(ctx context.Context, tenant string) (int, error) {
	kept, _ := a.overdue.LoadOrStore(tenant, new(watched[int]))
	return kept.(*watched[int]).get(a.pageWait(), a.opt.Now, func() (int, error) {
		list, err := a.Overdue(ctx, tenant)
		return len(list), err
	})
}
