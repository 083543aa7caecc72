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
// would not hold. What cannot be judged is not held to be fulfilled. A plan
// without a ready change reads nothing.
func (j *job) guardExpectations(ctx context.Context, p *plan.Plan, snap gather.Snapshot) {
	var ready []plan.Action
	for _, a := range p.Actions {
		if a.Change != nil && a.Status == plan.Ready {
			ready = append(ready, a)
		}
	}
	if len(j.Expectations) == 0 || len(ready) == 0 || j.req.Destroy {
		return
	}
	broken, err := j.brokenBy(ctx, snap, ready)
	switch {
	case err != nil:
		broken = []string{"the expectations cannot be judged: " + err.Error()}
	case len(broken) == 0:
		return
	}
	for _, text := range broken {
		p.RefuseChanges(expectationsKey, text, j.Settings.RequestsPerSecond)
	}
}

// brokenBy says which expectations would not hold after the changes.
func (s *Sweeper) brokenBy(ctx context.Context, snap gather.Snapshot, ready []plan.Action) ([]string, error) {
	keys := map[entra.ID]string{}
	for key, o := range snap.State.Owned[entra.KindPolicy] {
		keys[o.ID] = key
	}
	objects := whatif.Objects{Policies: snap.Live.Policies, Locations: snap.Live.Locations, Strengths: snap.Live.Strengths}
	e := whatif.Expected{Context: ctx, Facts: whatif.NewFacts(s.Access, entra.NewID(snap.Tenant.ID)), Set: whatif.Planned(objects, keys, ready)}
	var err error
	if e.Names, err = s.Access.Resolve(ctx, expectation.Refs(s.Expectations)); err != nil {
		return nil, err
	}
	if needs, groups := whatif.NeedsPopulation(s.Expectations, e.Names); needs {
		breakGlass := map[entra.ID]bool{}
		for id := range snap.BreakGlass {
			breakGlass[id] = true
		}
		if e.Population, err = whatif.ReadPopulation(ctx, s.Access, breakGlass, groups, e.Set); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, v := range expectation.Judge(s.Expectations, e.Set, e) {
		if !v.Holds {
			out = append(out, fmt.Sprintf("the expectation %q (%s:%d) would not hold: %s", v.Name, v.File, v.Line, strings.Join(v.Failures, "; ")))
		}
	}
	return out, nil
}
