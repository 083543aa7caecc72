package impact

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

const (
	maxNamed = 1000 // people of a policy who are named
	maxShown = 20   // applications, clients and places that a result lists
)

// tally counts what one policy would do.
type tally struct {
	Policy
	judged, applied          int
	refused, asked, unknowns group
	everybody                set
	days                     map[string]bool
	why                      map[string]int
	who                      map[int]*Person
	outcomes                 map[evidence]verdict
	reasons                  map[access.Truth]string
}

func newTally(p Policy) *tally {
	return &tally{Policy: p, refused: newGroup(), asked: newGroup(), unknowns: newGroup(), days: map[string]bool{}, why: map[string]int{}, who: map[int]*Person{},
		outcomes: map[evidence]verdict{}, reasons: map[access.Truth]string{}}
}

// under remembers how sign-ins of one sort fare.
func (t *tally) under(demands []access.Demand, e evidence) verdict {
	v, known := t.outcomes[e]
	if !known {
		v = e.under(demands)
		t.outcomes[e] = v
	}
	return v
}

// reason says why it is not known what the policy would do.
func (t *tally) reason(applies access.Truth, find func() string) string {
	if applies == access.Yes {
		return "how its controls would be met"
	}
	why, known := t.reasons[applies]
	if !known {
		why = cmp.Or(find(), "whether it applies")
		t.reasons[applies] = why
	}
	return why
}

// set is a set of users by their numbers.
type set []uint64

func (s *set) add(n int) {
	for len(*s) <= n/64 {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

func (s set) len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// group is a part of the sign-ins.
type group struct {
	signIns                               int
	users                                 set
	applications, clients, countries, day map[string]int
}

func newGroup() group {
	return group{applications: map[string]int{}, clients: map[string]int{}, countries: map[string]int{}, day: map[string]int{}}
}

// maxKept bounds the names that a group counts by.
const maxKept = 2000

func (g *group) count(p *pending, day string) {
	g.signIns++
	g.users.add(p.user)
	for _, v := range [...]struct {
		into map[string]int
		name string
	}{{g.applications, p.app}, {g.clients, p.client}, {g.countries, p.country}, {g.day, day}} {
		if _, known := v.into[v.name]; !known {
			if len(v.into) >= maxKept {
				continue
			}
			v.into[clone(v.name)] = 1
			continue
		}
		v.into[v.name]++
	}
}

func (t *tally) count(p *pending, v verdict, applies bool, why string) {
	t.judged++
	t.everybody.add(p.user)
	day := p.at.UTC().Format(time.DateOnly)
	t.days[day] = true
	if applies {
		t.applied++
	}
	switch v {
	case refused:
		t.refused.count(p, day)
		t.name(p)
	case asked:
		t.asked.count(p, day)
	case unknown:
		t.unknowns.count(p, day)
		if why != "" {
			t.why[why]++
		}
	}
}

// name notes a person who would be refused.
func (t *tally) name(p *pending) {
	w := t.who[p.user]
	if w == nil {
		if len(t.who) >= maxNamed {
			return
		}
		w = &Person{Last: p.at.UTC()}
		t.who[p.user] = w
	}
	w.SignIns++
	if app := p.app; !slices.Contains(w.Applications, app) && len(w.Applications) < 5 {
		w.Applications = append(w.Applications, clone(app))
	}
}

// Result is what came of all rows. As JSON it is impact.json.
type Result struct {
	SchemaVersion int       `json:"schemaVersion"`
	Days          int       `json:"days"`
	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	// Read are the sign-ins that were read, Early those among them beside that
	// ended before any policy was asked.
	Read     int            `json:"signIns"`
	Early    int            `json:"endedBefore"`
	Note     string         `json:"note"`
	Warnings []string       `json:"warnings,omitempty"`
	Policies []PolicyResult `json:"policies"`
}

// PolicyResult is what one policy would do.
type PolicyResult struct {
	Key         string    `json:"key,omitempty"`
	ID          string    `json:"id,omitempty"`
	DisplayName string    `json:"displayName"`
	State       string    `json:"state"`
	By          string    `json:"by"` // log or replay
	Since       time.Time `json:"since,omitzero"`
	// Note says that the numbers are none about it, because the log does not show
	// what it is for.
	Note string `json:"note,omitempty"`
	// Judged are the sign-ins it was held against, Applied those of which
	// it is known that it applies to them.
	Judged  int            `json:"judged"`
	Applied int            `json:"applied"`
	Users   int            `json:"users"`
	Days    int            `json:"days"`
	Refused Group          `json:"refused"`
	Asked   Group          `json:"asked"`
	Unknown Group          `json:"unknown"`
	Why     map[string]int `json:"unknownBecause,omitempty"`
	// Who are the people who would be refused, those of the most sign-ins first;
	// Unnamed is how many more there are.
	Who     []Person `json:"who"`
	Unnamed int      `json:"unnamed,omitempty"`
}

// Group is a part of the sign-ins, and of whom.
type Group struct {
	SignIns      int       `json:"signIns"`
	Users        int       `json:"users"`
	Applications []Counted `json:"applications,omitempty"`
	Clients      []Counted `json:"clients,omitempty"`
	Countries    []Counted `json:"countries,omitempty"`
	Days         []Counted `json:"days,omitempty"`
}

// Counted is a name and how many sign-ins have it.
type Counted struct {
	Name    string `json:"name"`
	SignIns int    `json:"signIns"`
}

// Person is somebody who would be refused.
type Person struct {
	ID           string    `json:"id"`
	Name         string    `json:"userPrincipalName"`
	SignIns      int       `json:"signIns"`
	Last         time.Time `json:"last"`
	Applications []string  `json:"applications"`
}

func (g *group) result() Group {
	return Group{SignIns: g.signIns, Users: g.users.len(), Applications: most(g.applications), Clients: most(g.clients), Countries: most(g.countries), Days: byName(g.day)}
}

// most lists the names with the most sign-ins.
func most(m map[string]int) []Counted {
	list := byName(m)
	slices.SortStableFunc(list, func(a, b Counted) int { return b.SignIns - a.SignIns })
	return list[:min(len(list), maxShown)]
}

func byName(m map[string]int) []Counted {
	var list []Counted
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, Counted{cmp.Or(name, "(unknown)"), m[name]})
	}
	return list
}

// Result ends the count.
func (i *Impact) Result() Result {
	i.settle(time.Time{})
	r := Result{SchemaVersion: 1, From: i.window.From.UTC(), To: i.window.To.UTC(), Days: int(i.window.To.Sub(i.window.From).Round(time.Hour).Hours() / 24), Read: i.signIns, Early: i.early, Note: Note, Policies: []PolicyResult{}}
	if i.hidden > 0 {
		r.Warnings = append(r.Warnings, "the log does not say what policies made of a sign-in: the application lacks Policy.Read.All (or Policy.Read.ConditionalAccess)")
	}
	ids := make([]entra.ID, len(i.names))
	for id, n := range i.numbers {
		ids[n] = id
	}
	for _, t := range i.policies {
		p := PolicyResult{Key: t.Key, ID: string(t.ID), DisplayName: t.DisplayName, State: t.State, By: ByLog, Since: t.Since.UTC(), Note: t.Silent, Judged: t.judged, Applied: t.applied,
			Users: t.everybody.len(), Days: len(t.days), Refused: t.refused.result(), Asked: t.asked.result(), Unknown: t.unknowns.result(), Why: t.why, Who: []Person{}}
		if t.Place >= 0 {
			p.By = ByReplay
		}
		for n, w := range t.who {
			w.ID, w.Name = string(ids[n]), i.names[n]
			p.Who = append(p.Who, *w)
		}
		slices.SortFunc(p.Who, func(a, b Person) int { return cmp.Or(b.SignIns-a.SignIns, cmp.Compare(a.Name, b.Name)) })
		p.Unnamed = p.Refused.Users - len(p.Who)
		r.Policies = append(r.Policies, p)
	}
	return r
}
