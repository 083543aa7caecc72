package access

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Coverage says who is reached by what, and in which situations somebody gets
// in with nothing demanded.
type Coverage struct {
	Users   int              `json:"users"`
	Classes int              `json:"classes"` // of users who are alike in everything that the policies ask
	Demands []DemandCoverage `json:"demands"`
	Groups  []GroupCoverage  `json:"groups"` // break-glass accounts, privileged users, guests, everybody else
	Gaps    []Gap            `json:"gaps"`   // by how many people and how wide
	More    bool             `json:"moreGaps,omitempty"`
	Unknown []string         `json:"unknown,omitempty"` // policies that cannot be judged, with the reason
}

// DemandCoverage is how many users some enabled policy demands it of.
type DemandCoverage struct {
	Demand  string      `json:"demand"`
	With    int         `json:"with"`
	Without int         `json:"without"`
	Unknown int         `json:"unknown,omitempty"` // users of whom it is not known
	Because []Exclusion `json:"because,omitempty"`
}

// Exclusion is a group, role or user that policies leave out.
type Exclusion struct {
	ExcludedBy string `json:"excludedBy"`
	Policy     string `json:"policy"`
	Users      int    `json:"users"`
}

// GroupCoverage is what a part of the users is reached by.
type GroupCoverage struct {
	Group   string         `json:"group"`
	Users   int            `json:"users"`
	Demands map[string]int `json:"demands"` // users by demand
	Nothing int            `json:"nothing"` // users of whom nothing is demanded in any situation
	// Fewer says that members of the group meet fewer demands than others.
	Fewer []string `json:"fewer,omitempty"`
}

// Gap is a situation in which users get in with nothing demanded.
type Gap struct {
	Users      int       `json:"users"`
	Privileged int       `json:"privileged,omitempty"` // of them
	Examples   []string  `json:"examples"`
	Situation  Situation `json:"situation"`
	Nearest    []Nearest `json:"nearest"`
	width      float64
}

// Nearest is a policy that nearly covers a gap, and what it lacks.
type Nearest struct {
	Key         string `json:"key,omitempty"`
	DisplayName string `json:"displayName"`
	Lacks       string `json:"lacks"`
}

const mostGaps = 50

// Coverage judges everybody. Break-glass accounts have a line of their own and
// no gaps: they are meant to get in.
func (p *People) Coverage(name Names) Coverage {
	s := p.set
	g := s.newGrid(name)
	classes := p.folded()
	out := Coverage{Users: len(p.list), Classes: len(classes)}
	s.doubtful.each(func(i int) {
		if s.enabled.has(i) {
			out.Unknown = append(out.Unknown, s.policies[i].name+": "+s.policies[i].trouble)
		}
	})
	out.Demands = p.demands(classes, name)
	out.Groups = p.groups(classes)
	out.Gaps, out.More = p.gaps(classes, g)
	return out
}

// demanding are the enabled policies that demand something of a reach.
func (s *Set) demanding(r *reach, sure bool) []int {
	var out []int
	of := slices.Clone(r.may)
	of.or(s.broken)
	if sure {
		of = slices.Clone(r.must)
		of.without(s.doubtful)
	}
	of.each(func(i int) {
		if s.enabled.has(i) && s.policies[i].controls.mayDemand() {
			out = append(out, i)
		}
	})
	return out
}

func (p *People) demands(classes []*class, name Names) []DemandCoverage {
	of := map[string][]int{} // policies that demand it
	words := map[string]string{}
	for i := range p.set.policies {
		if !p.set.enabled.has(i) || !p.set.forUsers.has(i) {
			continue
		}
		for _, d := range p.set.policies[i].controls.demands {
			of[d.String()] = append(of[d.String()], i)
			words[d.String()] = p.set.DemandText(d)
		}
	}
	var out []DemandCoverage
	for demand, policies := range of {
		d := DemandCoverage{Demand: words[demand]}
		because := map[Exclusion]int{}
		for _, c := range classes {
			switch {
			case slices.ContainsFunc(policies, func(i int) bool { return c.reach.must.has(i) && !p.set.doubtful.has(i) }):
				d.With += c.people
				continue
			case slices.ContainsFunc(policies, c.reach.may.has):
				d.Unknown += c.people
				continue
			}
			d.Without += c.people
			for _, i := range policies {
				for _, id := range p.excludedBy(c, i) {
					because[Exclusion{ExcludedBy: p.nameOf(id, name), Policy: p.set.policies[i].name}] += c.people
				}
			}
		}
		for e, n := range because {
			e.Users = n
			d.Because = append(d.Because, e)
		}
		slices.SortFunc(d.Because, func(a, b Exclusion) int {
			return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.ExcludedBy, b.ExcludedBy), cmp.Compare(a.Policy, b.Policy))
		})
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b DemandCoverage) int {
		return cmp.Or(cmp.Compare(b.With, a.With), cmp.Compare(a.Demand, b.Demand))
	})
	return out
}

func (p *People) nameOf(id entra.ID, name Names) string {
	if i, ok := p.at[id]; ok {
		return p.list[i].Name
	}
	for _, kind := range []entra.ObjectKind{entra.KindGroup, entra.KindRole, entra.KindUser} {
		if n := name(kind, id); n != "" {
			return n
		}
	}
	return string(id)
}

// The parts of a tenant that have a line of their own.
const (
	groupBreakGlass = "break-glass accounts"
	groupPrivileged = "privileged users"
	groupGuests     = "guests"
	groupOthers     = "all other users"
)

func (c *class) group() string {
	switch {
	case c.breakGlass:
		return groupBreakGlass
	case c.privileged:
		return groupPrivileged
	case c.guest:
		return groupGuests
	}
	return groupOthers
}

// groups compares the parts of the tenant. Privileged users of whom less is
// demanded than of most others come first.
func (p *People) groups(classes []*class) []GroupCoverage {
	by := map[string]*GroupCoverage{}
	for _, c := range classes {
		g := by[c.group()]
		if g == nil {
			g = &GroupCoverage{Group: c.group(), Demands: map[string]int{}}
			by[c.group()] = g
		}
		g.Users += c.people
		seen := map[string]bool{}
		for _, i := range p.set.demanding(c.reach, true) {
			for _, d := range p.set.policies[i].controls.demands {
				seen[p.set.DemandText(d)] = true
			}
		}
		for d := range seen {
			g.Demands[d] += c.people
		}
		if len(p.set.demanding(c.reach, false)) == 0 {
			g.Nothing += c.people
		}
	}
	if admins, others := by[groupPrivileged], by[groupOthers]; admins != nil && others != nil {
		for d, n := range others.Demands {
			if missing := admins.Users - admins.Demands[d]; 2*n > others.Users && missing > 0 {
				admins.Fewer = append(admins.Fewer, fmt.Sprintf("%s is demanded of most other users, but not of %d of %d privileged ones", d, missing, admins.Users))
			}
		}
		slices.Sort(admins.Fewer)
	}
	order := []string{groupBreakGlass, groupPrivileged, groupGuests, groupOthers}
	if a := by[groupPrivileged]; a != nil && len(a.Fewer) > 0 {
		order[0], order[1] = order[1], order[0]
	}
	var out []GroupCoverage
	for _, name := range order {
		if g := by[name]; g != nil {
			out = append(out, *g)
		}
	}
	return out
}

func (p *People) gaps(classes []*class, g grid) (gaps []Gap, more bool) {
	byBox := map[string]*Gap{}
	boxes := map[string]box{}
	reachOf := map[string]*class{}
	judged := map[*reach]bool{}
	for _, c := range classes {
		if c.breakGlass {
			continue
		}
		r := c.reach
		if !judged[r] {
			judged[r] = true
			r.gaps, r.more = g.open(p.set.demanding(r, false))
		}
		more = more || r.more
		for _, b := range r.gaps {
			key := b.key()
			gap := byBox[key]
			if gap == nil {
				gap = &Gap{width: g.width(b)}
				byBox[key], boxes[key], reachOf[key] = gap, b, c
			}
			gap.Users += c.people
			if c.privileged {
				gap.Privileged += c.people
			}
			if room := mostExamples - len(gap.Examples); room > 0 {
				gap.Examples = append(gap.Examples, c.examples[:min(room, len(c.examples))]...)
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(byBox), func(a, b string) int {
		x, y := byBox[a], byBox[b]
		return cmp.Or(cmp.Compare(float64(y.Users)*y.width, float64(x.Users)*x.width), cmp.Compare(y.Users, x.Users), cmp.Compare(a, b))
	})
	if len(keys) > mostGaps {
		keys, more = keys[:mostGaps], true
	}
	for _, k := range keys {
		gap := byBox[k]
		gap.Situation = g.situation(boxes[k])
		gap.Nearest = p.nearest(reachOf[k], boxes[k], g)
		gaps = append(gaps, *gap)
	}
	return gaps, more
}

func (b box) key() string {
	var k strings.Builder
	for _, f := range b {
		k.WriteString(span{must: f}.key())
	}
	return k.String()
}

// nearest are the policies that would cover all of the gap if one or two
// things were different.
func (p *People) nearest(c *class, b box, g grid) []Nearest {
	type candidate struct {
		Nearest
		lacks int
	}
	var all []candidate
	for i := range p.set.policies {
		pol := &p.set.policies[i]
		if len(pol.controls.demands) == 0 || !p.set.forUsers.has(i) || pol.problem != 0 {
			continue
		}
		var lacks []string
		switch {
		case p.set.reportOnly.has(i):
			lacks = append(lacks, "it is report-only")
		case !p.set.enabled.has(i):
			lacks = append(lacks, "it is disabled")
		}
		if !c.reach.must.has(i) {
			if len(p.excludedBy(c, i)) > 0 {
				lacks = append(lacks, "it excludes them")
			} else {
				lacks = append(lacks, "it does not include them")
			}
		}
		for d, a := range g {
			if !b[d].within(a.must[i]) {
				lacks = append(lacks, fmt.Sprintf("%s %s", a.name, strings.Join(a.missing(b[d], i), ", ")))
			}
		}
		if len(lacks) > 0 && len(lacks) <= 2 {
			all = append(all, candidate{Nearest{Key: pol.Key, DisplayName: pol.name, Lacks: strings.Join(lacks, "; ")}, len(lacks)})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(a.lacks, b.lacks) })
	var out []Nearest
	for _, c := range all[:min(3, len(all))] {
		out = append(out, c.Nearest)
	}
	return out
}

// missing are the values of a part of the axis in which the policy does not
// surely apply.
func (a axis) missing(part flags, policy int) []string {
	out := slices.Clone(part)
	out.without(a.must[policy])
	return a.words(out)
}

func shortList(list []string) string { return strings.Join(short(list), ", ") }

func more(n int) string { return fmt.Sprintf("and %d more", n) }
