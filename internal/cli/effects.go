package cli

import (
	"context"
	"fmt"

	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/whatif"
)

// effects says what the baseline's changes mean to people, each by itself and
// all together. Without changes nobody is read.
func (c *command) effects(ctx context.Context, a *app.App, t config.Tenant, compared sweep.Compared) (plan.Plan, error) {
	p := plan.Plan{Actions: compared.Result.Actions}
	if !whatif.HasChanges(p.Actions) {
		return p, nil
	}
	if err := wholeLists(compared); err != nil {
		return p, err
	}
	client, err := a.Graph(t)
	if err != nil {
		return p, err
	}
	objects, keys := objectsOf(compared)
	return p, whatif.Explain(ctx, client, whatif.NewPopulation(compared.BreakGlass), objects, keys, &p)
}

// How many effects a terminal has room for; -o wide and plan.json have all.
const (
	shownEffects   = 5 // of all changes together
	shownEffectsOf = 2 // of one
)

// effectsOf gives the lines below one difference: what it means by itself. A
// change that is the only one says it once, as that of all, and so do changes of
// which none means anything.
func (c *command) effectsOf(p plan.Plan, kind, key string) []string {
	changes := 0
	var of *plan.Change
	for _, a := range p.Actions {
		if a.Change != nil && a.Change.Effects != nil {
			changes++
			if string(a.Change.Kind) == kind && a.Change.Key == key {
				of = a.Change
			}
		}
	}
	if of == nil || len(of.Through) == 0 && (changes == 1 || len(of.Effects)+len(p.Effects) == 0) {
		return nil
	}
	return c.some(report.EffectTexts(of.Effects, of.Through), shownEffectsOf)
}

// printEffectsOf prints them; of changes that are told together that of all has
// to do.
func (c *command) printEffectsOf(p plan.Plan, alike []drift.Entry, indent int) {
	if len(alike) > 1 {
		return
	}
	for _, text := range c.effectsOf(p, string(alike[0].Kind), alike[0].Key) {
		c.paragraph(indent, "effect: %s", text)
	}
}

// effectsOfAll says what all changes together mean; nothing where that is not
// known.
func (c *command) effectsOfAll(p plan.Plan) []string {
	return c.some(report.EffectTexts(p.Effects, nil), shownEffects)
}

func (c *command) some(texts []string, n int) []string {
	if len(texts) > n && !c.wide {
		texts = append(texts[:n:n], fmt.Sprintf("and %d more, see plan.json", len(texts)-n))
	}
	return texts
}
