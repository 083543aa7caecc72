package sweep

import (
	"context"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/expectation"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/whatif"
)

// AccessReader is the part of a tenant that judging sign-ins needs.
type AccessReader interface {
	whatif.Reader
	whatif.PopulationReader
}

// expectationsKey is the configuration key that a refusal names.
const expectationsKey = "tenants[].expectations"

// guardExpectations refuses all changes of a plan after which an expectation
// would not hold. What cannot be judged is not held to be fulfilled. A plan
// without a ready change reads nothing.
func (r *run) guardExpectations(ctx context.Context) {
	var ready []plan.Action
	for _, a := range r.res.Plan.Actions {
		if a.Change != nil && a.Status == plan.Ready {
			ready = append(ready, a)
		}
	}
	if len(r.Expectations) == 0 || len(ready) == 0 || r.req.Destroy {
		return
	}
	broken, err := r.brokenBy(ctx, ready)
	switch {
	case err != nil:
		broken = []string{"the expectations cannot be judged: " + err.Error()}
	case len(broken) == 0:
		return
	}
	for _, text := range broken {
		r.res.Plan.RefuseChanges(expectationsKey, text, r.Settings.RequestsPerSecond)
	}
}

// brokenBy says which expectations would not hold after the changes.
func (r *run) brokenBy(ctx context.Context, ready []plan.Action) ([]string, error) {
	keys := map[entra.ID]string{}
	for key, o := range r.rec.State.Owned[entra.KindPolicy] {
		keys[o.ID] = key
	}
	objects := whatif.Objects{Policies: r.lists[entra.KindPolicy], Locations: r.lists[entra.KindLocation], Strengths: r.lists[entra.KindStrength]}
	e := whatif.Expected{Context: ctx, Facts: whatif.NewFacts(r.Access, entra.NewID(r.tenant.ID)), Set: whatif.Planned(objects, keys, ready)}
	var err error
	if e.Names, err = r.Access.Resolve(ctx, expectation.Refs(r.Expectations)); err != nil {
		return nil, err
	}
	if needs, groups := whatif.NeedsPopulation(r.Expectations, e.Names); needs {
		breakGlass := map[entra.ID]bool{}
		for id := range r.breakGlass {
			breakGlass[id] = true
		}
		if e.Population, err = whatif.ReadPopulation(ctx, r.Access, breakGlass, groups, e.Set); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, v := range expectation.Judge(r.Expectations, e.Set, e) {
		if !v.Holds {
			out = append(out, fmt.Sprintf("the expectation %q (%s:%d) would not hold: %s", v.Name, v.File, v.Line, strings.Join(v.Failures, "; ")))
		}
	}
	return out, nil
}
