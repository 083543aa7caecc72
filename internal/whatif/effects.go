package whatif

import (
	"context"
	"fmt"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
)

// Namer gives the names of objects of the directory.
type Namer interface {
	ObjectNames(ctx context.Context, ids []string) (map[string]entra.DirectoryObject, error)
}

// ReadNames reads the names of groups and applications. Those of locations are
// in the documents, those of the locations of a plan in its actions.
func ReadNames(ctx context.Context, r Namer, o Objects, actions []plan.Action, ids ...entra.ID) (access.Names, error) {
	known, err := r.ObjectNames(ctx, entra.Texts(ids))
	if err != nil {
		return nil, err
	}
	return namesOf(o, actions, known), nil
}

func namesOf(o Objects, actions []plan.Action, known map[string]entra.DirectoryObject) access.Names {
	places := map[entra.ID]string{}
	for _, d := range o.Locations {
		places[entra.NewID(d.ID())] = d.DisplayName()
	}
	for _, a := range actions {
		if a.Change != nil && a.Change.Kind == entra.KindLocation && a.Change.After != nil {
			places[a.Change.PlannedID()] = a.Change.After.DisplayName()
		}
	}
	return func(kind entra.ObjectKind, id entra.ID) string {
		if kind == entra.KindLocation {
			return places[id]
		}
		return known[string(id)].DisplayName
	}
}

// HasChanges reports whether a plan changes an object, blocked changes aside.
func HasChanges(actions []plan.Action) bool {
	for _, a := range actions {
		if a.Change != nil && a.Status != plan.Blocked {
			return true
		}
	}
	return false
}

// Explain says in the plan what its changes mean to people: each by itself, and
// all together. It reads of the population what is missing.
func Explain(ctx context.Context, r interface {
	PopulationReader
	Namer
}, people *Population, o Objects, keys map[entra.ID]string, p *plan.Plan) error {
	before, after := States(o, keys, p.Actions)
	set := Planned(o, keys, p.Actions)
	names, err := ReadNames(ctx, r, o, p.Actions, append(set.Groups(), set.Apps()...)...)
	if err != nil {
		return fmt.Errorf("reading names: %w", err)
	}
	change := access.NewChange(before, after, access.MicrosoftAppGroups(), names)
	if err := people.ReadUsers(ctx, r, change.Set()); err != nil {
		return err
	}
	folded := people.People(change.Set(), Everybody)
	for i := range p.Actions {
		a := &p.Actions[i]
		if a.Change == nil || a.Status == plan.Blocked {
			continue
		}
		id := a.Subject.ID
		if id == "" {
			id = a.Change.PlannedID()
		}
		c := *a.Change
		list, through := change.EffectsOf(folded, id)
		c.Effects, c.Through = effects(list), through
		a.Change = &c
	}
	p.Effects = effects(change.Effects(folded))
	return nil
}

func effects(list []access.Effect) []plan.Effect {
	out := make([]plan.Effect, len(list))
	for i, e := range list {
		out[i] = plan.Effect(e)
	}
	return out
}
