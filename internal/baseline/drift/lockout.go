package drift

import (
	"fmt"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// outcome is one policy as it stands after the run.
type outcome struct {
	doc policy.Canonical
	own *entry // nil: not ours
}

// after is the set of policies that the ready writes would leave.
func (p *planner) after() []outcome {
	ours := map[string]*entry{}
	for _, e := range slices.Backward(p.entries) { // the first of an id counts
		if e.Kind == entra.KindPolicy {
			ours[string(entra.NewID(e.ID))] = e
		}
	}
	var out []outcome
	for i, d := range p.live.Policies {
		e := ours[d.ID()]
		switch {
		case e != nil && e.Status == Prune && e.ready():
		case e != nil && e.want != nil && e.ready():
			out = append(out, outcome{e.want, e})
		default:
			out = append(out, outcome{p.index.policies[i], e})
		}
	}
	for _, e := range p.entries {
		if e.Kind == entra.KindPolicy && e.Status == Create && e.ready() {
			out = append(out, outcome{e.want, e})
		}
	}
	return out
}

// lockout shows over the resulting set of policies that nobody is locked out who
// must not be: every enabled policy leaves the break-glass accounts and the
// job's own identity alone, and none blocks everyone unless that is accepted.
// A policy of this baseline that would violate it is blocked; policies not
// ours only warn.
func (p *planner) lockout() {
	trusted, unknown := p.trusted(), p.live.Unreadable(entra.KindLocation)
	anywhere := trusted || unknown != "" // what is not ours is given the benefit of the doubt
	for _, o := range p.after() {
		if !policy.Enabled(o.doc) {
			continue
		}
		var faults []string
		if hit := p.reached(o.doc); len(hit) > 0 {
			faults = append(faults, "it does not exclude the break-glass account "+strings.Join(hit, ", "))
		}
		if p.reachesSelf(o.doc) {
			faults = append(faults, "it does not exclude the identity that the job runs as")
		}
		switch accepted := o.own != nil && o.own.item != nil && o.own.item.AcceptLockout; {
		case accepted:
		case policy.BlocksEveryone(o.doc, &anywhere):
			faults = append(faults, "it "+policy.LockoutText(o.doc, p.glass.isBreakGlass)+"; acceptLockout: true on the policy accepts that")
		case unknown != "" && o.own != nil && o.own.ready() && policy.BlocksEveryone(o.doc, &trusted):
			faults = append(faults, "it blocks everyone unless a location is trusted, and "+unknown)
		}
		for _, f := range faults {
			if o.own != nil && o.own.ready() {
				o.own.block("%s", f)
				continue
			}
			whose := "not ours"
			if o.own != nil {
				whose = "as it is in the tenant"
			}
			p.warnings = append(p.warnings, fmt.Sprintf("the enabled policy %q, %s: %s", o.doc.DisplayName(), whose, f))
		}
	}
}

// trusted reports whether any location is trusted after the run.
func (p *planner) trusted() bool {
	for _, d := range p.live.Locations {
		e := p.ofLocation(d.ID())
		switch {
		case e == nil || !e.ready():
			if policy.CanonicalOf(entra.KindLocation, d)["isTrusted"] == true {
				return true
			}
		case e.want["isTrusted"] == true:
			return true
		}
	}
	for _, e := range p.entries {
		if e.Kind == entra.KindLocation && e.Status == Create && e.ready() && e.want["isTrusted"] == true {
			return true
		}
	}
	return false
}

func (p *planner) ofLocation(id string) *entry {
	for _, e := range p.entries {
		if e.Kind == entra.KindLocation && strings.EqualFold(e.ID, id) {
			return e
		}
	}
	return nil
}

// reached names the break-glass accounts that an enabled policy may hold for.
func (p *planner) reached(d policy.Canonical) []string {
	u := policy.ObjectAt(d, policy.PathUsers)
	if u == nil {
		return nil
	}
	all := slices.Contains(policy.Strings(u, "includeUsers"), policy.WordAll) || len(policy.Strings(u, "includeRoles")) > 0
	var out []string
	for _, account := range policy.SortedKeys(p.glass.why) {
		id := string(account)
		groups := p.groupsOf(id)
		switch {
		case slices.Contains(policy.Strings(u, "excludeUsers"), id), len(policy.Both(groups, policy.Strings(u, "excludeGroups"))) > 0:
		case all, slices.Contains(policy.Strings(u, "includeUsers"), id), len(policy.Both(groups, policy.Strings(u, "includeGroups"))) > 0:
			out = append(out, p.names.Name(id))
		}
	}
	return out
}

// groupsOf are the break-glass groups that a user is known to be in.
func (p *planner) groupsOf(user string) []string {
	var out []string
	for _, g := range p.glass.groups {
		if slices.Contains(p.glass.members[g], user) {
			out = append(out, g)
		}
	}
	return out
}

// reachesSelf reports whether a policy for workload identities may hold for
// the job.
func (p *planner) reachesSelf(d policy.Canonical) bool {
	c, self := policy.ObjectAt(d, policy.PathWorkloads), p.glass.self
	if c == nil || self == "" || slices.Contains(policy.Strings(c, "excludeServicePrincipals"), self) {
		return false
	}
	included := policy.Strings(c, "includeServicePrincipals")
	return slices.Contains(included, policy.WordOwnTenant) || slices.Contains(included, self) || policy.Has(c, "servicePrincipalFilter")
}
