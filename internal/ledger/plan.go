package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/risksweep/risksweep/internal/plan"
)

// Plan reads the plan that a run has stored. The error wraps ErrChanged if it is
// no longer what the run recorded.
func (l *Ledger) Plan(ctx context.Context, run string) (plan.Plan, error) {
	var p plan.Plan
	file, _, err := l.OpenProved(ctx, run, "plan.json")
	if err != nil {
		return p, fmt.Errorf("plan.json of run %s: %w", run, err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("plan.json of run %s: %w", run, err)
	}
	if p.SchemaVersion != plan.SchemaVersion {
		return p, fmt.Errorf("plan.json of run %s has schema version %d; this program reads %d", run, p.SchemaVersion, plan.SchemaVersion)
	}
	return p, nil
}
