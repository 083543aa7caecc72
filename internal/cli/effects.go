package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/app"
	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/report"
	"github.com/risksweep/risksweep/internal/sweep"
	"github.com/risksweep/risksweep/internal/whatif"
)

// effects says what the baseline's changes mean to people. Without changes
// nobody is read.
func (c *command) effects(ctx context.Context, a *app.App, t config.Tenant, compared sweep.Compared) ([]access.Effect, error) {
	if len(compared.Result.Actions) == 0 {
		return nil, nil
	}
	if err := wholeLists(compared); err != nil {
		return nil, err
	}
	client, err := a.Graph(t)
	if err != nil {
		return nil, err
	}
	objects, keys := objectsOf(compared)
	before, after := whatif.States(objects, keys, compared.Result.Actions)
	names, err := namesOf(ctx, client, compared, whatif.Planned(objects, keys, compared.Result.Actions))
	if err != nil {
		return nil, err
	}
	change := access.NewChange(before, after, access.MicrosoftAppGroups(), names)
	people, err := whatif.ReadPopulation(ctx, client, compared.BreakGlass, nil, change.Set())
	if err != nil {
		return nil, err
	}
	return change.Effects(people.People(change.Set(), whatif.Everybody)), nil
}

// printEffects says it in one line each.
func (c *command) printEffects(effects []access.Effect, actions int) {
	if actions == 0 {
		return
	}
	if len(effects) == 0 {
		fmt.Fprintln(c.Out, "effect: none; nobody is asked for more or for less")
	}
	for _, e := range effects {
		risk := ""
		if e.AtRisk > 0 {
			risk = fmt.Sprintf("; %d of them at risk now", e.AtRisk)
		}
		c.paragraph(0, "effect: %s (%s) %s%s", report.Number(e.Users, "user"), strings.Join(e.Examples, ", "), e.Sentence(), risk)
	}
}
