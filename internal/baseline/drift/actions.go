package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/policy"
)

// actions puts the writes into their order: what policies stand on first, then
// policies, then the deletes backwards.
func (p *planner) actions() []plan.Action {
	var out []plan.Action
	for _, kind := range policy.Kinds {
		for _, status := range []Status{Create, Update} {
			for _, e := range p.entries {
				if e.Kind == kind && e.item != nil && (e.Status == status || e.Status == Renamed && status == Update || e.Status == Blocked && e.exists() != (status == Create)) {
					out = append(out, p.write(e)...)
				}
			}
		}
	}
	for _, e := range p.entries {
		out = append(out, p.exceptions(e)...)
	}
	for _, kind := range []entra.ObjectKind{entra.KindPolicy, entra.KindStrength, entra.KindLocation} {
		for _, e := range p.entries {
			if e.Kind == kind && e.Status == Prune {
				out = append(out, p.remove(e)...)
			}
		}
	}
	return out
}

// write is the create or the update of one object. The changes of an
// authentication strength are two actions where both its texts and its
// combinations differ, for the service takes them in two requests: a PATCH,
// whose body holds displayName and description, and the action
// updateAllowedCombinations, whose body holds allowedCombinations alone. A
// body never holds both.
func (p *planner) write(e *entry) []plan.Action {
	verb := plan.Create
	if e.exists() {
		verb = plan.Update
	}
	a := p.change(e, plan.KindOf(verb, e.Kind))
	a.Promotion = e.Promotion
	if e.promoted && onlyState(e.before, e.want) {
		a.Kind = plan.PromotePolicy
	}
	if e.wrong { // names in it may not be resolved: nothing that could be sent
		return []plan.Action{a}
	}
	a.Change.After = e.want.Document()
	if e.live == nil {
		a.Change.Body = e.want.Document()
		return []plan.Action{a}
	}
	a.Change.Body = policy.UpdateBody(e.Kind, e.before, e.want, e.live)
	combinations, differ := a.Change.Body["allowedCombinations"]
	if e.Kind != entra.KindStrength || !differ || len(a.Change.Body) == 1 {
		return []plan.Action{a}
	}
	second := p.change(e, a.Kind)
	second.Change.After = e.want.Document()
	second.Change.Body = entra.Document{"allowedCombinations": combinations}
	delete(a.Change.Body, "allowedCombinations")
	a.Change.After = e.want.Document()
	a.Change.After["allowedCombinations"] = e.before["allowedCombinations"]
	a.Change.Differences, second.Change.Differences = nil, nil
	for _, d := range e.Differences {
		if d.Path == "allowedCombinations" {
			second.Change.Differences = append(second.Change.Differences, d)
		} else {
			a.Change.Differences = append(a.Change.Differences, d)
		}
	}
	return []plan.Action{a, second}
}

// remove is the delete of one object; a trusted location is un-trusted before,
// for the service refuses to delete one that is trusted.
func (p *planner) remove(e *entry) []plan.Action {
	a := p.change(e, plan.KindOf(plan.Delete, e.Kind))
	a.Reasons = append([]string{"no longer in the baseline"}, a.Reasons...)
	a.Change.Needs = p.users(e)
	return withUntrust(a, e.before)
}

// users are the policies of this plan that use an object and that must have
// been changed or deleted before it can go.
func (p *planner) users(e *entry) []string {
	var out []string
	for _, o := range p.entries {
		if o.Kind == entra.KindPolicy && o.before != nil && o.writes() && policy.RefersTo(o.before, e.ID) {
			out = append(out, o.ref())
		}
	}
	slices.Sort(out)
	return out
}

func withUntrust(a plan.Action, before policy.Canonical) []plan.Action {
	if a.Change.Kind != entra.KindLocation || before["isTrusted"] != true {
		return []plan.Action{a}
	}
	u := a
	u.Kind = plan.UpdateLocation
	u.Reasons = append(slices.Clone(a.Reasons), "a trusted location is un-trusted before it is deleted")
	c := *a.Change
	c.After = before.Document()
	c.After["isTrusted"] = false
	c.Body = c.After.Clone()
	c.Differences = policy.Differences(before, policy.CanonicalOf(c.Kind, c.After), nil)
	u.Change = &c
	a.Change.Needs = append(slices.Clone(a.Change.Needs), a.Change.Ref())
	return []plan.Action{u, a}
}

// Destroy plans the delete of exactly the recorded objects that are in the
// tenant: policies first, then strengths, then locations. A person orders it,
// so no switch of enforcement is asked for what we have made. An enabled policy
// that was adopted protected the tenant before the baseline did: deleting it takes
// the switches that it takes everywhere. An object that a policy not ours, or one
// that stays, still uses is blocked.
func Destroy(live Live, s Settings) []plan.Action {
	p := &planner{b: &baseline.Baseline{}, live: live, index: newIndex(live, s.Owned), s: s, names: NewNamer(live)}
	p.leftovers()
	for _, e := range p.entries {
		if e.Kind != entra.KindPolicy || e.Status != Prune || !e.owned.Adopted || !policy.Enabled(e.before) {
			continue
		}
		if !s.AllowEnabledPolicies {
			e.hold("%s%s", switchEnabled, adoptedEnabled)
		}
		if !s.AllowWeakening {
			e.hold("%s%s", switchWeakening, adoptedEnabled)
		}
	}
	var out []plan.Action
	for _, kind := range []entra.ObjectKind{entra.KindPolicy, entra.KindStrength, entra.KindLocation} {
		for _, e := range p.entries {
			if e.Kind != kind || e.Status != Prune {
				continue
			}
			p.stillUsed(e)
			actions := p.remove(e)
			for i := range actions {
				actions[i].Reasons[0] = "owned by this baseline"
			}
			out = append(out, actions...)
		}
	}
	return out
}

const adoptedEnabled = "it deletes an enabled policy that was adopted, and not made by this baseline"

// stillUsed blocks the delete of what a policy will still refer to.
func (p *planner) stillUsed(e *entry) {
	if e.Kind == entra.KindPolicy {
		return
	}
	for i, d := range p.live.Policies {
		if !policy.RefersTo(p.index.policies[i], e.ID) {
			continue
		}
		if o := p.ofPolicy(d.ID()); o != nil && o.ready() && (o.Status == Prune || !policy.RefersTo(o.want, e.ID)) {
			continue
		}
		e.block("the policy %q (%s) still uses it", d.DisplayName(), d.ID())
	}
}

func (p *planner) ofPolicy(id string) *entry {
	for _, e := range p.entries {
		if e.Kind == entra.KindPolicy && strings.EqualFold(e.ID, id) {
			return e
		}
	}
	return nil
}

// String says what an entry comes to in one line.
func (e Entry) String() string {
	return fmt.Sprintf("%s %s %q: %s", e.Kind, e.Key, e.DisplayName, e.Status)
}
