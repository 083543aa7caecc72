package sweep

import (
	"bytes"
	"context"
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/whatif"
)

// reach gathers whom the live policies reach, and counts those at risk whom none
// does.
func (r *publisher) reach() report.Reached {
	out := report.Reached{Policies: "live", Scope: gather.CoverageOff}
	a := r.snapshot.Access
	if r.res.Unsure.Reach = a == nil; a == nil {
		return out
	}
	out.Scope, out.Risky = a.Scope, r.rows.risky
	for i := range out.Risky {
		u := &out.Risky[i]
		id := entra.NewID(u.ID)
		u.BreakGlass = a.Population.BreakGlass[id]
		u.Privileged = u.Privileged || len(a.Population.Person(id, "").Roles) > 0
	}
	out.Sort()
	if a.Scope == gather.CoverageFull {
		all := a.Population.People(a.Set, whatif.Everybody).Coverage(a.Names)
		out.Coverage = &all
	}
	out = r.Output.Redaction.Reached(out)
	r.res.Uncovered = out.Uncovered()
	for _, u := range out.Risky {
		if u.Reach.Unknown {
			r.res.Unsure.ReachOf = append(r.res.Unsure.ReachOf, u.ID)
		}
	}
	if !slices.Contains(r.res.Unread, report.PartUsers) {
		r.res.Counts["usersUncovered"] = len(r.res.Uncovered)
	}
	return out
}

// writeReached writes coverage.json and coverage.csv.
func (r *publisher) writeReached(ctx context.Context) error {
	var jsonOut, csvOut bytes.Buffer
	if err := report.WriteReached(&jsonOut, &csvOut, r.reached, r.Output.CSV); err != nil {
		return err
	}
	if err := r.led.PutFile(ctx, "coverage.json", jsonOut.Bytes()); err != nil {
		return err
	}
	return r.led.PutFile(ctx, "coverage.csv", csvOut.Bytes())
}
