package sweep

import (
	"context"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/whatif"
)

// AccessReader is the part of a tenant that judging sign-ins needs.
type AccessReader interface {
	whatif.Reader
	gather.AccessReader
}

// expectationsKey is the configuration key that a refusal names.
const expectationsKey = "tenants[].expectations"

// guardExpectations refuses all changes of a plan after which an expectation
// would not hold. What cannot be judged is not held to be fulfilled. A plan run
// says as well what the changes that are not enabled would come to. Without a
// change nothing is read.
func (j *job) guardExpectations(ctx context.Context, p *plan.Plan, snap gather.Snapshot) {
	ready, enabled := readyChanges(p.Actions), readyChanges(p.Enabled())
	if len(j.Expectations) == 0 || j.req.Destroy {
		return
	}
	var broken []string
	if len(ready) > 0 {
		broken = j.against(ctx, snap, ready)
	}
	for _, text := range broken {
		p.RefuseChanges(expectationsKey, text, j.Settings.RequestsPerSecond)
	}
	if j.req.Mode != Plan || j.req.Stored != nil || len(broken) > 0 || len(enabled) == len(ready) {
		return
	}
	for _, text := range j.against(ctx, snap, enabled) { // nothing of it is carried out
		p.Foreseen = append(p.Foreseen, plan.Violation{Kind: plan.UpdatePolicy, Limit: expectationsKey, Text: text})
	}
}

func readyChanges(actions []plan.Action) (ready []plan.Action) {
	for _, a := range actions {
		if a.Change != nil && a.Status == plan.Ready {
			ready = append(ready, a)
		}
	}
	return ready
}

// against says which expectations changes go against; that they cannot be judged
// counts as that.
func (j *job) against(ctx context.Context, snap gather.Snapshot, changes []plan.Action) []string {
	broken, err := j.brokenBy(ctx, snap, changes)
	if err != nil {
		return []string{"the expectations cannot be judged: " + err.Error()}
	}
	return broken
}

// brokenBy says which expectations would not hold after the changes.
func (s *Sweeper) brokenBy(ctx context.Context, snap gather.Snapshot, ready []plan.Action) ([]string, error) {
	e := whatif.Expected{Context: ctx, Facts: whatif.NewFacts(s.Access, entra.NewID(snap.Tenant.ID)), Set: whatif.Planned(snap.Objects(), snap.PolicyKeys(), ready)}
	var err error
	if e.Names, err = s.Access.Resolve(ctx, expectation.Refs(s.Expectations)); err != nil {
		return nil, err
	}
	if needs, groups := whatif.NeedsPopulation(s.Expectations, e.Names); needs {
		if e.Population, err = whatif.ReadPopulation(ctx, s.Access, snap.BreakGlassIDs(), groups, e.Set); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, v := range expectation.Judge(s.Expectations, e.Set, e, s.Baseline.Places(entra.KindPolicy)) {
		if !v.Holds {
			out = append(out, fmt.Sprintf("the expectation %q (%s:%d) would not hold: %s", v.Name, v.File, v.Line, strings.Join(v.Failures, "; ")))
		}
	}
	return out, nil
}
