package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
)

// reachModel is what the page shows of whom the policies reach.
type reachModel struct {
	*Reached
	Says string
	// Look are the users at risk whom no policy surely meets, as many as there is
	// room for; Left counts the others of them.
	Look []RiskyReach
	Left int
	// By counts the other users at risk by the policies that meet them.
	By       []reachedBy
	MoreGaps int
}

type reachedBy struct {
	Policies string
	Users    int
}

const (
	maxLook = 200
	maxGaps = 20
)

// reachOf is nil if nobody was judged.
func reachOf(r *Reached) *reachModel {
	if r == nil || r.Scope == "off" || r.Scope == "" {
		return nil
	}
	m := &reachModel{Reached: r}
	by := map[string]int{}
	none, unknown, breakGlass := 0, 0, 0
	for _, u := range r.Risky {
		switch {
		case u.Covered():
			by[ReachedText(u.Reach)]++
			continue
		case u.BreakGlass:
			breakGlass++
		case u.Reach.Unknown:
			unknown++
		default:
			none++
		}
		if len(m.Look) == maxLook {
			m.Left++
			continue
		}
		m.Look = append(m.Look, u)
	}
	for p, n := range by {
		m.By = append(m.By, reachedBy{p, n})
	}
	slices.SortFunc(m.By, func(a, b reachedBy) int {
		return cmp.Or(b.Users-a.Users, strings.Compare(a.Policies, b.Policies))
	})
	m.Says = reachSays(len(r.Risky), none, unknown, breakGlass)
	if r.Coverage != nil {
		all := *r.Coverage
		if n := len(all.Gaps); n > maxGaps {
			m.MoreGaps, all.Gaps = n-maxGaps, all.Gaps[:maxGaps]
		}
		shown := *r
		shown.Coverage, m.Reached = &all, &shown
	}
	return m
}

func reachSays(all, none, unknown, breakGlass int) string {
	met := all - none - unknown - breakGlass
	var text string
	switch {
	case all == 0:
		return "Nobody's risk is open."
	case met == all && all == 1:
		return "An enabled policy would meet the risk of the one user at risk."
	case met == all:
		return fmt.Sprintf("An enabled policy would meet the risk of all %d users at risk.", all)
	case met == 0:
		text = "No enabled policy would surely meet the risk of the " + Number(all, "user") + " at risk"
	default:
		text = fmt.Sprintf("An enabled policy would meet the risk of %d of %d users at risk", met, all)
	}
	for _, c := range []struct {
		n    int
		what string
	}{{none, "met by none"}, {unknown, "not known"}, {breakGlass, "break-glass, met by none"}} {
		if c.n > 0 {
			text += fmt.Sprintf("; %d %s", c.n, c.what)
		}
	}
	return text + "."
}

// DemandCounts says how many users each demand reaches.
func DemandCounts(m map[string]int) string {
	list := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(m[b]-m[a], cmp.Compare(a, b)) })
	for i, d := range list {
		list[i] = fmt.Sprintf("%s %d", d, m[d])
	}
	return strings.Join(list, ", ")
}

// BecauseText says which exclusions keep users from a demand.
func BecauseText(list []access.Exclusion) string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = fmt.Sprintf("%s excludes %s (%d)", e.Policy, e.ExcludedBy, e.Users)
	}
	return strings.Join(out, "; ")
}
