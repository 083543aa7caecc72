package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/entra"
)

// Effect is what a change of the policies means to people.
type Effect struct {
	Change    string   `json:"change"` // such as "demands mfa" or "no longer blocks"
	Users     int      `json:"users"`
	Examples  []string `json:"examples"`
	Situation string   `json:"situation"` // the widest in which it holds
	AtRisk    int      `json:"atRisk"`    // of the users, those whose risk is open now
	width     float64
}

// State is a set of policies with the objects that it refers to.
type State struct {
	Policies             []Policy
	Locations, Strengths []entra.Document
}

// Change is two states of the policies beside each other, prepared for asking
// what differs for whom.
type Change struct {
	set    *Set
	before flags // the policies of the state before; the others are those after
	grid   grid
}

// afterPrefix keeps the named locations of the two states apart: the same one
// may hold other addresses after the change.
const afterPrefix = "after:"

// NewChange prepares the comparison of two states.
func NewChange(before, after State, groups AppGroups, name Names) *Change {
	policies := slices.Clone(before.Policies)
	n := len(policies)
	locations := slices.Clone(before.Locations)
	ids := map[entra.ID]bool{}
	for _, d := range after.Locations {
		ids[entra.NewID(d.ID())] = true
		d = d.Clone()
		d["id"] = afterPrefix + d.ID()
		locations = append(locations, d)
	}
	for _, p := range after.Policies {
		d := p.Document.Clone()
		c, _ := d["conditions"].(map[string]any)
		l, _ := c["locations"].(map[string]any)
		for _, side := range []string{"includeLocations", "excludeLocations"} {
			list, _ := l[side].([]any)
			for i, v := range list {
				if s, ok := v.(string); ok && ids[entra.NewID(s)] {
					list[i] = afterPrefix + s
				}
			}
		}
		policies = append(policies, Policy{Key: p.Key, Document: d})
	}
	c := &Change{set: NewSet(policies, locations, append(slices.Clone(before.Strengths), after.Strengths...), groups), before: newFlags(len(policies))}
	for i := range n {
		c.before.set(i)
	}
	c.grid = c.set.newGrid(func(kind entra.ObjectKind, id entra.ID) string {
		return name(kind, entra.NewID(strings.TrimPrefix(string(id), afterPrefix)))
	})
	return c
}

// Set is the set that people are to be folded by for Effects.
func (c *Change) Set() *Set { return c.set }

// Effects says for whom what changes, most people first. People must be those
// of the change's own set.
func (c *Change) Effects(people *People) []Effect {
	byChange := map[string]*Effect{}
	done := map[*reach][]effectOn{}
	for _, class := range people.classes() {
		on, judged := done[class.reach]
		if !judged {
			on = c.on(class.reach)
			done[class.reach] = on
		}
		for _, e := range on {
			key := e.change + "\x00" + e.situation
			sum := byChange[key]
			if sum == nil {
				sum = &Effect{Change: e.change, Situation: e.situation, Examples: []string{}, width: e.width}
				byChange[key] = sum
			}
			sum.Users += class.people
			sum.AtRisk += class.atRisk
			if room := mostExamples - len(sum.Examples); room > 0 {
				sum.Examples = append(sum.Examples, class.examples[:min(room, len(class.examples))]...)
			}
		}
	}
	var out []Effect
	for _, e := range byChange {
		out = append(out, *e)
	}
	slices.SortFunc(out, func(a, b Effect) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(b.width, a.width), cmp.Compare(a.Change, b.Change), cmp.Compare(a.Situation, b.Situation))
	})
	return out
}

// effectOn is an effect on all who are reached alike.
type effectOn struct {
	change, situation string
	width             float64
}

// on compares the two states for one reach: where a control is surely demanded
// by one and surely not by the other. What is blocked demands nothing else.
func (c *Change) on(r *reach) []effectOn {
	demands := map[string]Demand{}
	for _, p := range c.set.policies {
		for _, d := range p.controls.demands {
			demands[d.String()] = d
		}
	}
	var out []effectOn
	for _, name := range slices.Sorted(maps.Keys(demands)) {
		d := demands[name]
		gained, lost := "demands "+name, "no longer demands "+name
		if name == block {
			gained, lost = "blocks", "no longer blocks"
		}
		for _, e := range []struct {
			change string
			after  bool
		}{{gained, true}, {lost, false}} {
			if b, ok := c.widest(r, d, e.after); ok {
				out = append(out, effectOn{e.change, SituationText(c.grid.situation(b)), c.grid.width(b)})
			}
		}
	}
	return out
}

// widest is the widest situation in which the state demands d and the other one
// does not.
func (c *Change) widest(r *reach, d Demand, after bool) (box, bool) {
	var demanding, other []int
	for i, p := range c.set.policies {
		if !c.set.enabled.has(i) || len(p.controls.demands) == 0 {
			continue
		}
		meets := c.set.Demands(i, d)
		switch ours := c.before.has(i) != after; {
		case ours && meets && r.must.has(i) && !c.set.doubtful.has(i):
			demanding = append(demanding, i)
		case !ours && (meets || p.controls.blocks()) && (r.may.has(i) || c.set.broken.has(i)):
			other = append(other, i)
		}
	}
	var found box
	width := 0.0
	for _, i := range demanding {
		at := c.grid.where(i)
		if at == nil {
			continue
		}
		rest, _ := c.grid.subtract([]box{at}, other)
		for _, b := range rest {
			if w := c.grid.width(b); w > width {
				found, width = b, w
			}
		}
	}
	return found, found != nil
}

// where is the situation in which the policy surely applies, nil if there is
// none.
func (g grid) where(p int) box {
	b := make(box, len(g))
	for d := range g {
		if b[d] = slices.Clone(g[d].must[p]); b[d].empty() {
			return nil
		}
	}
	return b
}

// Sentence says the effect in one line, the examples aside.
func (e Effect) Sentence() string {
	demand, lost := strings.CutPrefix(e.Change, "no longer demands ")
	if !lost {
		demand = strings.TrimPrefix(e.Change, "demands ")
	}
	verb := "must"
	if lost {
		verb = "no longer must"
	}
	words := verb + " " + cmp.Or(demandWords[demand], "meet "+demand)
	switch e.Change {
	case "blocks":
		words = "are blocked"
	case "no longer blocks":
		words = "are no longer blocked"
	}
	return words + " " + e.Situation
}

var demandWords = map[string]string{
	"mfa": "pass MFA", "passwordChange": "change the password", "compliantDevice": "use a compliant device", "domainJoinedDevice": "use a hybrid joined device",
	"approvedApplication": "use an approved app", "compliantApplication": "use an app under app protection", "riskRemediation": "remediate the risk",
}
