package adopt

import (
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/baseline"
	"github.com/risksweep/risksweep/internal/baseline/drift"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// excludedEverywhere are the users and groups that every policy for people excludes:
// where a tenant has emergency accounts, they are among these.
func excludedEverywhere(live drift.Live) (users, groups []string) {
	first := true
	for _, d := range live.Policies {
		c := policy.CanonicalOf(entra.KindPolicy, d)
		if !policy.ForPeople(c) {
			continue
		}
		u, g := policy.Strings(c, policy.PathUsers+".excludeUsers"), policy.Strings(c, policy.PathUsers+".excludeGroups")
		if first {
			users, groups, first = u, g, false
			continue
		}
		users, groups = policy.Both(users, u), policy.Both(groups, g)
	}
	return slices.DeleteFunc(slices.Clone(users), func(id string) bool { return !entra.IsID(id) }), groups
}

// GlassGroups are the groups whose members say which users a proposal need not name.
func GlassGroups(live drift.Live) []entra.ID {
	_, groups := excludedEverywhere(live)
	var out []entra.ID
	for _, g := range groups {
		out = append(out, entra.NewID(g))
	}
	return out
}

// proposeGlass proposes the emergency accounts: a group where they are all in it. It
// stays a comment, for nobody can see from outside what an account is for.
func (x *exporter) proposeGlass() {
	users, groups := excludedEverywhere(x.live)
	groups = slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return len(x.live.Members[entra.NewID(g)]) > baseline.MaxBreakGlassGroup })
	users = slices.DeleteFunc(users, func(u string) bool {
		return slices.ContainsFunc(groups, func(g string) bool {
			return slices.ContainsFunc(x.live.Members[entra.NewID(g)], func(m entra.DirectoryObject) bool { return string(m.ID) == u })
		})
	})
	named := func(ref entra.ObjectKind, ids []string) string {
		var out []string
		for _, id := range ids {
			text, _ := x.refName(&policy.Member{Ref: ref}, id)
			out = append(out, scalar(text))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	if len(users)+len(groups) == 0 {
		x.line(0, "# Name the emergency accounts that no policy may lock out; they are excluded from every policy:")
		x.line(0, "# breakGlass: {users: [bg1@example.com, bg2@example.com]}")
		return
	}
	var parts []string
	if len(users) > 0 {
		parts = append(parts, "users: "+named(entra.KindUser, users))
	}
	if len(groups) > 0 {
		parts = append(parts, "groups: "+named(entra.KindGroup, groups))
	}
	x.line(0, "# Every policy for people excludes these. If they are the emergency accounts that no policy")
	x.line(0, "# may lock out, take the # of the next line away; else name the right ones:")
	x.line(0, "# breakGlass: {%s}", strings.Join(parts, ", "))
}

// leavable are the members in which an object differs from the baseline and that can be
// left to the tenant.
func (x *exporter) leavable(kind entra.ObjectKind, id string) []string {
	if kind != entra.KindPolicy {
		return nil
	}
	var out []string
	for _, p := range x.varies[policy.FoldID(id)] {
		if baseline.MayBeUnmanaged(p) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}
