package drift

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

const (
	switchEnabled   = "enforcement.allowEnabledPolicies is off: "
	switchWeakening = "enforcement.allowWeakening is off: "
	switchPrune     = "enforcement.prune is off"
)

// preconditions block what the tenant as it is cannot safely take.
func (p *planner) preconditions() {
	for _, e := range p.entries {
		if e.Kind != entra.KindPolicy || e.want == nil || e.Status == InSync {
			continue
		}
		p.licence(e)
		if slices.Contains(policy.Strings(e.want, policy.PathGrant), "approvedApplication") {
			e.block("%s (1909)", baseline.RetiredControl)
		}
		if policy.ForPeople(e.want) {
			for _, s := range p.glass.refused {
				e.block("%s", s)
			}
		}
		if policy.Has(e.want, policy.PathWorkloads) && p.live.Self.ID == "" {
			e.block("the identity that the job runs as is not known, so it cannot be excluded")
		}
		if policy.Enabled(e.want) {
			p.enabling(e)
		}
	}
}

// enabling judges a policy that would be enabled after the write.
func (p *planner) enabling(e *entry) {
	if policy.ForPeople(e.want) {
		for _, s := range p.glass.unsure {
			e.block("%s", s)
		}
	}
	if !policy.Enabled(e.before) {
		switch on := p.live.Tenant.SecurityDefaults; {
		case on == nil:
			e.block("it could not be read whether security defaults are on; no policy can be enabled while they are")
		case *on:
			e.block("security defaults are on; no policy can be enabled while they are")
		}
	}
	if p.live.Tenant.OnPremisesSynced && slices.Contains(policy.Strings(e.want, policy.PathUsers+".includeUsers"), policy.WordAll) {
		p.synchronising(e)
	}
}

// licence blocks conditions that the tenant is known to have no licence for.
func (p *planner) licence(e *entry) {
	t := p.live.Tenant
	if t.PlansUnknown {
		return
	}
	for _, c := range []struct {
		path, needs string
		have        bool
	}{
		{"conditions", "Microsoft Entra ID P1", t.PlanP1},
		{"conditions.signInRiskLevels", "Microsoft Entra ID P2", t.PlanP2},
		{"conditions.userRiskLevels", "Microsoft Entra ID P2", t.PlanP2},
		{"conditions.servicePrincipalRiskLevels", "Workload Identities Premium", t.WorkloadPremium},
		{policy.PathWorkloads, "Workload Identities Premium", t.WorkloadPremium},
	} {
		if policy.Has(e.want, c.path) && !c.have {
			e.block("%s needs a licence that the tenant lacks: %s", c.path, c.needs)
		}
	}
}

// guards hold back what the switches of enforcement do not allow.
func (p *planner) guards() {
	for _, e := range p.entries {
		if e.Status == Prune {
			p.prune(e)
		}
		if !e.writes() {
			continue
		}
		var changes, weakens []string
		if e.Kind == entra.KindPolicy {
			changes, weakens = p.policyEffects(e)
		} else {
			changes, weakens = p.sharedEffects(e)
		}
		if len(changes) > 0 && !p.s.AllowEnabledPolicies {
			e.hold("%s%s", switchEnabled, strings.Join(changes, "; "))
		}
		if len(weakens) > 0 && !p.s.AllowWeakening {
			e.hold("%s%s", switchWeakening, strings.Join(weakens, "; "))
		}
	}
	for _, e := range p.entries { // after the policies are judged
		if e.Status == Prune && len(e.held) == 0 {
			p.stillUsed(e)
		}
	}
}

// prune judges the delete of what is no longer in the baseline.
func (p *planner) prune(e *entry) {
	switch {
	case !p.s.Prune:
		e.hold("%s", switchPrune)
	case p.b.Empty() && !p.s.Undo:
		e.block("an empty baseline never prunes")
	case p.keyOf(e) != "":
		e.block("the baseline has %q under the key %s; if the key was renamed: %s", e.DisplayName, p.keyOf(e), p.adoptHint(Entry{Kind: e.Kind, Key: p.keyOf(e)}, e.ID))
	case e.owned.Hash == "" || e.owned.Hash != e.before.HashWithout(e.excepted):
		e.block("it was changed since we last wrote it; delete it by hand, or adopt it again")
	}
}

// keyOf is the key under which the baseline has an object of this name that is
// not in the tenant otherwise, empty if there is none.
func (p *planner) keyOf(e *entry) string {
	for _, o := range p.entries {
		if o.item != nil && o.Kind == e.Kind && o.live == nil && strings.EqualFold(o.DisplayName, e.DisplayName) {
			return o.Key
		}
	}
	return ""
}

// policyEffects says what a write changes for the people that an enabled
// policy holds for, and what of that weakens it.
func (p *planner) policyEffects(e *entry) (changes, weakens []string) {
	switch {
	case e.Status == Prune && policy.Enabled(e.before):
		return []string{"it deletes an enabled policy"}, []string{"it deletes an enabled policy"}
	case e.Status == Prune:
	case e.before == nil && policy.Enabled(e.want):
		changes = append(changes, "it creates an enabled policy")
	case e.before == nil:
	case policy.Enabled(e.before) || policy.Enabled(e.want):
		if policy.Effect(e.before) != policy.Effect(e.want) {
			changes = append(changes, "it changes the effect of an enabled policy")
		}
		if policy.Enabled(e.before) {
			weakens = policy.Weakening(e.before, e.want, p.glass.isBreakGlass)
		}
	}
	return changes, weakens
}

// sharedEffects judges a write to a location or strength by the live enabled
// policies that use it, ours or not. One that this plan makes or enables is
// judged for itself.
func (p *planner) sharedEffects(e *entry) (changes, weakens []string) {
	included, excluded, grants := p.enabledUsers(e)
	used := append(append(slices.Clone(included), excluded...), grants...)
	slices.Sort(used)
	if used = slices.Compact(used); len(used) == 0 {
		return nil, nil
	}
	by := " of the enabled policy " + strings.Join(used, ", ")
	more, less := p.scope(e)
	if !more && !less {
		return nil, nil
	}
	changes = append(changes, "it changes the effect"+by)
	switch {
	case len(grants) > 0 && more:
		weakens = append(weakens, "it allows more combinations for a grant"+by)
	case len(included) > 0 && less:
		weakens = append(weakens, "it narrows what is included"+by)
	case len(excluded) > 0 && more:
		weakens = append(weakens, "it widens an exclusion"+by)
	}
	return changes, weakens
}

// enabledUsers names the enabled policies that include, exclude or demand an
// object. A trusted location is also in AllTrusted.
func (p *planner) enabledUsers(e *entry) (included, excluded, grants []string) {
	id := policy.FoldID(e.ID)
	trusted := e.before["isTrusted"] == true || e.want["isTrusted"] == true
	is := func(s string) bool { return id != "" && s == id || trusted && s == policy.WordAllTrusted }
	judge := func(d policy.Canonical) {
		if !policy.Enabled(d) {
			return
		}
		name := quote(d.DisplayName())
		if slices.ContainsFunc(policy.Strings(d, "conditions.locations.includeLocations"), is) {
			included = append(included, name)
		}
		if slices.ContainsFunc(policy.Strings(d, "conditions.locations.excludeLocations"), is) {
			excluded = append(excluded, name)
		}
		if id != "" && policy.TextAt(d, "grantControls.authenticationStrength.id") == id {
			grants = append(grants, name)
		}
	}
	for _, d := range p.index.policies {
		judge(d)
	}
	return included, excluded, grants
}

// scope reports whether a location comes to hold more places, or a strength
// more combinations, and whether less.
func (p *planner) scope(e *entry) (more, less bool) {
	if e.Kind == entra.KindStrength {
		before, want := policy.Strings(e.before, "allowedCombinations"), policy.Strings(e.want, "allowedCombinations")
		return !policy.Subset(want, before) && e.before != nil, !policy.Subset(before, want) && e.want != nil
	}
	before, want := e.before, e.want
	if before["isTrusted"] != want["isTrusted"] && (before != nil || want["isTrusted"] == true) && (want != nil || before["isTrusted"] == true) {
		more, less = want["isTrusted"] == true, before["isTrusted"] == true
	}
	if before == nil && want["isTrusted"] != true || want == nil && before["isTrusted"] != true {
		// Policies that name it cannot exist yet, or not any more; only
		// AllTrusted reaches a location by itself.
		return more, less
	}
	more = more || !policy.ScopeOf(want).Within(policy.ScopeOf(before))
	less = less || !policy.ScopeOf(before).Within(policy.ScopeOf(want))
	if before["countryLookupMethod"] != want["countryLookupMethod"] && before != nil && want != nil {
		more, less = true, true
	}
	return more, less
}

func quote(s string) string { return `"` + s + `"` }
