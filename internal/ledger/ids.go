package ledger

import "context"

// RunIDs lists the ids of the runs, newest first, without reading them; limit 0
// is all.
func (l *Ledger) RunIDs(ctx context.Context, limit int) ([]string, error) {
	return l.runIDs(ctx, limit)
}
