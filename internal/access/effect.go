package access

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
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
	// Also are the widest of each further policy that changes the same.
	Also   []string `json:"also,omitempty"`
	AtRisk int      `json:"atRisk"` // of the users, those whose risk is open now
}

// State is a set of policies with the objects that it refers to.
type State struct {
	Policies             []Policy
	Locations, Strengths []entra.Document
}

// Change is two states of the policies beside each other, prepared for asking
// what differs for whom.
type Change struct {
	set           *Set
	before, after flags // the policies of each state; those that stay as they are are in both
	at            map[entra.ID]versions
	users         map[entra.ID][]entra.ID // changed location or strength -> policies of the state after that name it
	old           int                     // from this place on stand policies of the state after alone
	same          []bool                  // of those: the policy is as before, what it names is not
	grid          grid
}

// versions are the places of one policy in the two states, -1 where it is in
// one of them only.
type versions struct{ before, after int }

// afterPrefix keeps the locations and strengths of the two states apart: the
// same one may hold other addresses after the change.
const afterPrefix = "after:"

// NewChange prepares the comparison of two states.
func NewChange(before, after State, groups AppGroups, name Names) *Change {
	c := &Change{at: map[entra.ID]versions{}, users: map[entra.ID][]entra.ID{}}
	changed := map[entra.ID]bool{}
	locations := append(slices.Clone(before.Locations), changedObjects(before.Locations, after.Locations, changed)...)
	strengths := append(slices.Clone(before.Strengths), changedObjects(before.Strengths, after.Strengths, changed)...)
	trusted := newTrust(before.Locations, after.Locations, changed)
	if trusted.differs() {
		locations = append(locations, entra.Document{"@odata.type": "#microsoft.graph.ipNamedLocation", "id": nowhere, "ipRanges": []any{}})
	}

	var policies []Policy
	for i, p := range before.Policies {
		c.at[entra.NewID(p.Document.ID())] = versions{i, -1}
		p.Document, _ = trusted.spelled(p.Document, trusted.before)
		policies = append(policies, p)
	}
	both, old := map[int]bool{}, len(policies)
	for _, p := range after.Policies {
		id := entra.NewID(p.Document.ID())
		doc, spelled := trusted.spelled(p.Document, trusted.after)
		doc, named := renamed(doc, changed)
		named = append(named, spelled...)
		slices.Sort(named)
		for _, o := range slices.Compact(named) {
			c.users[o] = append(c.users[o], id)
		}
		v, existed := c.at[id]
		if existed && len(named) == 0 && reflect.DeepEqual(before.Policies[v.before].Document, p.Document) {
			both[v.before] = true
			c.at[id] = versions{v.before, v.before}
			continue
		}
		if !existed {
			v.before = -1
		}
		c.at[id] = versions{v.before, len(policies)}
		c.same = append(c.same, existed && reflect.DeepEqual(before.Policies[v.before].Document, p.Document))
		policies = append(policies, Policy{Key: p.Key, Document: doc})
	}
	c.set = NewSet(policies, locations, strengths, groups)
	c.before, c.after, c.old = newFlags(len(policies)), newFlags(len(policies)), old
	for i := range policies {
		if i < old {
			c.before.set(i)
		}
		if i >= old || both[i] {
			c.after.set(i)
		}
	}
	c.grid = c.set.newGrid(func(kind entra.ObjectKind, id entra.ID) string {
		return name(kind, entra.NewID(strings.TrimPrefix(string(id), afterPrefix)))
	})
	return c
}

// trust is which named locations are trusted in the two states. If that
// differs, the word for all of them is spelled out.
type trust struct {
	before, after []any // ids
	changed       []entra.ID
}

// nowhere is a location that holds no address.
const nowhere = "nowhere"

func newTrust(before, after []entra.Document, changed map[entra.ID]bool) trust {
	t := trust{before: []any{nowhere}, after: []any{nowhere}}
	add := func(list *[]any, d entra.Document, differs bool) {
		if d["isTrusted"] == true {
			*list = append(*list, d.ID())
			if id := entra.NewID(d.ID()); differs && !slices.Contains(t.changed, id) {
				t.changed = append(t.changed, id)
			}
		}
	}
	left := map[entra.ID]bool{}
	for _, d := range after {
		left[entra.NewID(d.ID())] = true
		add(&t.after, d, changed[entra.NewID(d.ID())])
	}
	for _, d := range before {
		id := entra.NewID(d.ID())
		add(&t.before, d, changed[id] || !left[id])
	}
	return t
}

func (t trust) differs() bool { return len(t.changed) > 0 }

// spelled gives the policy with the ids in place of the word, and the changed
// locations that it means by it.
func (t trust) spelled(doc entra.Document, ids []any) (entra.Document, []entra.ID) {
	if !t.differs() {
		return doc, nil
	}
	out := doc.Clone()
	conditions, _ := out["conditions"].(map[string]any)
	l, _ := conditions["locations"].(map[string]any)
	var named []entra.ID
	for _, side := range []string{"includeLocations", "excludeLocations"} {
		list, _ := l[side].([]any)
		at := slices.IndexFunc(list, func(v any) bool { s, _ := v.(string); return entra.NewID(s) == wordTrusted })
		if at >= 0 {
			l[side] = slices.Concat(list[:at], ids, list[at+1:])
			named = t.changed
		}
	}
	return out, slices.Clone(named)
}

// changedObjects are the objects of the state after that are new or other than
// before, under names of their own; changed takes their ids.
func changedObjects(before, after []entra.Document, changed map[entra.ID]bool) (out []entra.Document) {
	was := map[entra.ID]entra.Document{}
	for _, d := range before {
		was[entra.NewID(d.ID())] = d
	}
	for _, d := range after {
		id := entra.NewID(d.ID())
		if old, ok := was[id]; ok && reflect.DeepEqual(old, d) {
			continue
		}
		changed[id] = true
		d = d.Clone()
		d["id"] = afterPrefix + d.ID()
		out = append(out, d)
	}
	return out
}

// renamed lets a policy name the changed objects by the names that they have
// after the change, and says which it names.
func renamed(doc entra.Document, changed map[entra.ID]bool) (out entra.Document, named []entra.ID) {
	out = doc.Clone()
	swap := func(v any) any {
		s, _ := v.(string)
		if id := entra.NewID(s); s != "" && changed[id] {
			named = append(named, id)
			return afterPrefix + s
		}
		return v
	}
	conditions, _ := out["conditions"].(map[string]any)
	l, _ := conditions["locations"].(map[string]any)
	for _, side := range []string{"includeLocations", "excludeLocations"} {
		list, _ := l[side].([]any)
		for i, v := range list {
			list[i] = swap(v)
		}
	}
	grant, _ := out["grantControls"].(map[string]any)
	if s, _ := grant["authenticationStrength"].(map[string]any); s != nil {
		s["id"] = swap(s["id"])
	}
	return out, named
}

// Set is the set that people are to be folded by for Effects.
func (c *Change) Set() *Set { return c.set }

// Effects says for whom what changes, most people first. People must be those
// of the change's own set.
func (c *Change) Effects(people *People) []Effect { return c.effects(people, c.before, c.after) }

// EffectsOf says what the change of one object means by itself, all others being
// as they were. Through names the policies that stay as they are and come to
// mean something else, because they name the location or strength.
func (c *Change) EffectsOf(people *People, id entra.ID) (list []Effect, through []string) {
	swapped := []entra.ID{id}
	if _, isPolicy := c.at[id]; !isPolicy {
		swapped = nil
		for _, p := range c.users[id] {
			if v := c.at[p]; v.before >= 0 && v.after >= c.old && c.same[v.after-c.old] {
				swapped = append(swapped, p)
				through = append(through, c.set.Name(v.before))
			}
		}
	}
	after := slices.Clone(c.before)
	for _, p := range swapped {
		v := c.at[p]
		if v.before >= 0 {
			after.unset(v.before)
		}
		if v.after >= 0 {
			after.set(v.after)
		}
	}
	if list = c.effects(people, c.before, after); len(list) == 0 {
		through = nil
	}
	return list, through
}

func (c *Change) effects(people *People, from, to flags) []Effect {
	demands := c.demandsOf(from, to)
	if len(demands) == 0 {
		return nil
	}
	type sum struct {
		Effect
		width float64
	}
	byChange := map[string]*sum{}
	done := map[*reach][]effectOn{}
	for _, class := range people.folded() {
		on, judged := done[class.reach]
		if !judged {
			on = c.on(class.reach, demands, from, to)
			done[class.reach] = on
		}
		for _, e := range on {
			key := e.change + "\x00" + strings.Join(e.situations, "\x00")
			s := byChange[key]
			if s == nil {
				s = &sum{Effect{Change: e.change, Situation: e.situations[0], Also: e.situations[1:], Examples: []string{}}, e.width}
				byChange[key] = s
			}
			s.Users += class.people
			s.AtRisk += class.atRisk
			if room := mostExamples - len(s.Examples); room > 0 {
				s.Examples = append(s.Examples, class.examples[:min(room, len(class.examples))]...)
			}
		}
	}
	sums := slices.SortedFunc(maps.Values(byChange), func(a, b *sum) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(b.width, a.width), cmp.Compare(a.Change, b.Change), cmp.Compare(a.Situation, b.Situation))
	})
	out := make([]Effect, len(sums))
	for i, s := range sums {
		out[i] = s.Effect
	}
	return out
}

// demandsOf are the demands of the policies that are in one of the states only:
// nothing else can change for anybody.
func (c *Change) demandsOf(from, to flags) []Demand {
	demands := map[string]Demand{}
	for i, p := range c.set.policies {
		if from.has(i) == to.has(i) || !c.set.enabled.has(i) {
			continue
		}
		for _, d := range p.controls.demands {
			demands[d.String()] = d
		}
		for _, control := range p.controls.session {
			demands[sessionPrefix+control] = Demand{sessionPrefix + control}
		}
	}
	var out []Demand
	for _, name := range slices.Sorted(maps.Keys(demands)) {
		out = append(out, demands[name])
	}
	return out
}

// sessionPrefix begins a session control among the demands that are compared.
const sessionPrefix = "session control "

// asks reports whether the policy at place i demands d, or has the session
// control.
func (c *Change) asks(i int, d Demand) bool {
	if control, ok := strings.CutPrefix(d[0], sessionPrefix); ok {
		return slices.Contains(c.set.policies[i].controls.session, control)
	}
	return c.set.Demands(i, d)
}

// effectOn is an effect on all who are reached alike.
type effectOn struct {
	change     string
	situations []string // the widest first
	width      float64  // of that
}

// on compares the two states for one reach: where a control is surely demanded
// by one and surely not by the other. What is blocked demands nothing else.
func (c *Change) on(r *reach, demands []Demand, from, to flags) []effectOn {
	var out []effectOn
	for _, d := range demands {
		name := strings.ReplaceAll(c.set.DemandText(d), afterPrefix, "")
		gained, lost := "demands "+name, "no longer demands "+name
		if name == block {
			gained, lost = "blocks", "no longer blocks"
		}
		for _, e := range []struct {
			change string
			of, to flags
		}{{gained, to, from}, {lost, from, to}} {
			if found := c.widest(r, d, e.of, e.to); len(found) > 0 {
				on := effectOn{change: e.change, width: c.grid.width(found[0])}
				for _, b := range found {
					if text := SituationText(c.grid.situation(b)); !slices.Contains(on.situations, text) {
						on.situations = append(on.situations, text)
					}
				}
				out = append(out, on)
			}
		}
	}
	return out
}

// widest are situations in which one state demands d and the other one does not:
// the widest one of each policy, where none is part of another, the widest first.
func (c *Change) widest(r *reach, d Demand, of, than flags) []box {
	var demanding, other []int
	for i, p := range c.set.policies {
		if !c.set.enabled.has(i) || p.controls.empty() {
			continue
		}
		meets := c.asks(i, d)
		if of.has(i) && !than.has(i) && meets && r.must.has(i) && !c.set.doubtful.has(i) {
			demanding = append(demanding, i)
		}
		if than.has(i) && (meets || p.controls.blocks() || p.controls.unread) && (r.may.has(i) || c.set.broken.has(i)) {
			other = append(other, i)
		}
	}
	var found []box
	for _, i := range demanding {
		at := c.grid.where(i)
		if at == nil {
			continue
		}
		rest, _ := c.grid.subtract([]box{at}, other)
		if len(rest) > 0 {
			found = append(found, slices.MaxFunc(rest, func(a, b box) int { return cmp.Compare(c.grid.width(a), c.grid.width(b)) }))
		}
	}
	found = widest(found, 0)
	slices.SortStableFunc(found, func(a, b box) int { return cmp.Compare(c.grid.width(b), c.grid.width(a)) })
	return found
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
	no := map[bool]string{true: "no longer "}[lost]
	words := no + "must " + cmp.Or(demandWords[demand], "meet "+demand)
	if control, ok := strings.CutPrefix(demand, sessionPrefix); ok {
		words = "are " + no + "held to the session control " + control
	}
	switch e.Change {
	case "blocks":
		words = "are blocked"
	case "no longer blocks":
		words = "are no longer blocked"
	}
	if s, ok := strings.CutPrefix(demand, strengthPrefix); ok && !strings.Contains(demand, " or ") {
		words = no + "must meet the authentication strength " + s
	}
	words += " " + e.Situation
	for n, s := range e.Also {
		if n == mostAlso {
			return words + fmt.Sprintf("; and in %d more situations", len(e.Also)-n)
		}
		words += "; also " + s
	}
	return words
}

// mostAlso is how many further situations one line says.
const mostAlso = 4

var demandWords = map[string]string{
	"mfa": "pass MFA", "passwordChange": "change the password", "compliantDevice": "use a compliant device", "domainJoinedDevice": "use a hybrid joined device",
	"approvedApplication": "use an approved app", "compliantApplication": "use an app under app protection", "riskRemediation": "remediate the risk",
}
