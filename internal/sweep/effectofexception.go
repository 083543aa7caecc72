package sweep

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
	"github.com/risksweep/risksweep/internal/sweep/gather"
	"github.com/risksweep/risksweep/internal/whatif"
)

// effectsOfExceptions says of each exception that is to begin what its user then
// signs in without, judged beside all other changes of the plan. It explains and
// decides nothing: where it cannot be known, that is said.
func (s *Sweeper) effectsOfExceptions(ctx context.Context, snap gather.Snapshot, d *drift.Result) error {
	if s.Access == nil {
		return nil
	}
	var others []plan.Action
	for _, a := range d.Actions {
		if a.Kind != plan.BeginException {
			others = append(others, a)
		}
	}
	for i := range d.Actions {
		a := &d.Actions[i]
		if a.Kind != plan.BeginException {
			continue
		}
		for _, x := range a.Change.Exclusions {
			text, err := s.effectOfException(ctx, snap, others, *a, x)
			if ctx.Err() != nil {
				return err
			}
			if err != nil {
				text = "what that means to " + x.Who() + " is not known: " + err.Error()
			}
			a.Reasons = append(a.Reasons, text)
		}
	}
	return nil
}

func (s *Sweeper) effectOfException(ctx context.Context, snap gather.Snapshot, others []plan.Action, a plan.Action, x plan.Exclusion) (string, error) {
	objects, keys := snap.Objects(), snap.PolicyKeys()
	_, before := whatif.States(objects, keys, others)
	_, after := whatif.States(objects, keys, append(slices.Clone(others), a))
	names := drift.NewNamer(snap.Live)
	change := access.NewChange(before, after, access.MicrosoftAppGroups(), func(_ entra.ObjectKind, id entra.ID) string { return names[policy.FoldID(string(id))] })
	u, err := whatif.NewFacts(s.Access, entra.NewID(snap.Tenant.ID)).User(ctx, string(x.UserID))
	if err != nil {
		return "", err
	}
	one := access.Person{ID: u.ID, Name: x.Name, Guest: u.Guest, HomeTenant: u.HomeTenant, GuestKind: access.Yes, Privileged: len(u.Roles) > 0, Roles: u.Roles}
	if u.GuestUnknown {
		one.GuestKind = access.Unknown
	}
	people := change.Set().NewPeople([]access.Person{one})
	for _, g := range u.Groups {
		people.Members(g, []entra.ID{u.ID})
	}
	var texts []string
	for _, e := range change.Effects(people) {
		texts = append(texts, strings.Replace(e.Sentence(), "are no longer blocked", "is no longer blocked", 1))
	}
	until := fmt.Sprintf("until %s %s ", x.Until.UTC().Format("2 January 2006"), x.Who())
	if len(texts) == 0 {
		return until + "signs in as before: the policy is not enforced, does not reach the user, or another one asks for the same", nil
	}
	return until + strings.Join(texts, "; and "), nil
}
