package drift

import (
	"fmt"
	"slices"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// breakGlass is the resolved break-glass part of a plan.
type breakGlass struct {
	users, groups []string            // ids to exclude
	why           map[entra.ID]string // user id -> why it is a break-glass account
	enabled       []string            // ids of the enabled accounts, direct or by group
	members       map[string][]string // group id -> ids of its users, as far as they were read
	// refused is why no policy for people may be written at all, unsure why
	// none may be enabled.
	refused, unsure []string
	warnings        []string
	self            string // the service principal that the job runs as
}

// BreakGlassUsers are the ids of the break-glass accounts, direct or members
// of a break-glass group, with the reason, as far as names and members tell.
func BreakGlassUsers(b *baseline.Baseline, names entra.Names, members map[entra.ID][]entra.DirectoryObject) map[entra.ID]string {
	return resolveBreakGlass(b, names, members).why
}

func resolveBreakGlass(b *baseline.Baseline, names entra.Names, members map[entra.ID][]entra.DirectoryObject) breakGlass {
	s := breakGlass{why: map[entra.ID]string{}, members: map[string][]string{}}
	for _, u := range b.BreakGlass.Users {
		o, problem := policy.LookUp(names, entra.Ref{Kind: entra.KindUser, Name: u})
		if problem != "" {
			s.refused = append(s.refused, "break-glass: "+problem)
			continue
		}
		s.users = append(s.users, string(o.ID))
		s.account(o, "breakGlass.users: "+u)
	}
	for _, g := range b.BreakGlass.Groups {
		o, problem := policy.LookUp(names, entra.Ref{Kind: entra.KindGroup, Name: g})
		if problem != "" {
			s.refused = append(s.refused, "break-glass: "+problem)
			continue
		}
		s.groups = append(s.groups, string(o.ID))
		s.group(o, g, members)
	}
	slices.Sort(s.enabled)
	s.enabled = slices.Compact(s.enabled)
	if len(s.enabled) < baseline.MinBreakGlass {
		s.unsure = append(s.unsure, fmt.Sprintf("enabling needs at least %d enabled break-glass accounts; there are %d", baseline.MinBreakGlass, len(s.enabled)))
	}
	return s
}

func (s *breakGlass) group(o entra.DirectoryObject, name string, members map[entra.ID][]entra.DirectoryObject) {
	list, ok := members[o.ID]
	switch {
	case !ok:
		s.unsure = append(s.unsure, fmt.Sprintf("the members of the break-glass group %q could not be read", name))
	case len(list) > baseline.MaxBreakGlassGroup:
		s.refused = append(s.refused, fmt.Sprintf("the break-glass group %q has %d members; more than %d is refused", name, len(list), baseline.MaxBreakGlassGroup))
	}
	before := len(s.enabled)
	for _, m := range list {
		if m.Kind == "" || m.Kind == entra.KindUser {
			s.members[string(o.ID)] = append(s.members[string(o.ID)], string(m.ID))
			s.account(m, "member of the break-glass group "+name)
		}
	}
	if ok && len(s.enabled) == before {
		s.warnings = append(s.warnings, fmt.Sprintf("the break-glass group %q has no enabled member", name))
	}
}

func (s *breakGlass) account(o entra.DirectoryObject, why string) {
	if _, known := s.why[o.ID]; !known {
		s.why[o.ID] = why
	}
	switch {
	case o.AccountEnabled == nil:
		s.warnings = append(s.warnings, fmt.Sprintf("it is not known whether the break-glass account %s is enabled (%s)", policy.Display(o), why))
	case !*o.AccountEnabled:
		s.warnings = append(s.warnings, fmt.Sprintf("the break-glass account %s is disabled (%s)", policy.Display(o), why))
	default:
		s.enabled = append(s.enabled, string(o.ID))
	}
}

// force excludes the break-glass accounts from a policy for people, and the
// job's own identity from one for workload identities.
func (s *breakGlass) force(d entra.Document) {
	if policy.ForPeople(d) {
		for _, f := range []struct {
			path string
			ids  []string
		}{{pathExcludedUsers, s.users}, {pathExcludedGroups, s.groups}} {
			if more := policy.Minus(f.ids, policy.Strings(d, f.path)); len(more) > 0 {
				policy.Put(d, f.path, policy.JSONList(append(policy.Strings(d, f.path), more...)))
			}
		}
	}
	if policy.ObjectAt(d, policy.PathWorkloads) != nil && s.self != "" {
		if list := policy.Strings(d, policy.PathWorkloads+".excludeServicePrincipals"); !slices.Contains(list, s.self) {
			policy.Put(d, policy.PathWorkloads+".excludeServicePrincipals", policy.JSONList(append(list, s.self)))
		}
	}
}

// covered reports whether a policy excludes everything that force would add.
func (s *breakGlass) covered(d policy.Canonical) bool {
	forced := d.Document()
	s.force(forced)
	return policy.CanonicalOf(entra.KindPolicy, forced).Equal(d)
}

// asItIs is what is wanted of a policy with the break-glass exclusions that it has: a
// group and its members count as the same. Nil if it does not spare all accounts.
func (s *breakGlass) asItIs(want, before policy.Canonical) policy.Canonical {
	if before == nil || !policy.ForPeople(before) || !s.spares(before) {
		return nil
	}
	d := want.Document()
	for _, path := range []string{pathExcludedUsers, pathExcludedGroups} {
		others := slices.DeleteFunc(slices.Clone(policy.Strings(d, path)), s.isBreakGlass)
		ours := slices.DeleteFunc(slices.Clone(policy.Strings(before, path)), func(id string) bool { return !s.isBreakGlass(id) })
		policy.Put(d, path, policy.JSONList(append(others, ours...)))
	}
	return policy.CanonicalOf(entra.KindPolicy, d)
}

const (
	pathExcludedUsers  = policy.PathUsers + ".excludeUsers"
	pathExcludedGroups = policy.PathUsers + ".excludeGroups"
)

// spares reports whether a policy excludes every break-glass account, by itself or by
// a break-glass group that it is known to be in, and every break-glass group, by itself
// or by all of its members.
func (s *breakGlass) spares(d policy.Canonical) bool {
	users, groups := policy.Strings(d, pathExcludedUsers), policy.Strings(d, pathExcludedGroups)
	spared := func(id string) bool {
		return slices.Contains(users, id) || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(s.members[g], id) })
	}
	for _, id := range s.users {
		if !spared(id) {
			return false
		}
	}
	for _, g := range s.groups {
		if slices.Contains(groups, g) {
			continue
		}
		members := s.members[g]
		if len(members) == 0 || slices.ContainsFunc(members, func(id string) bool { return !spared(id) }) {
			return false
		}
	}
	return true
}

// isBreakGlass reports whether an excluded id is one of ours to exclude.
func (s *breakGlass) isBreakGlass(id string) bool {
	return s.self != "" && id == s.self || slices.Contains(s.users, id) || slices.Contains(s.groups, id) || s.why[entra.NewID(id)] != ""
}
