package impact

import (
	"reflect"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Choose takes the policies of a set that are to be judged: without names those
// that are report-only, and those that are new or changed beside what is live. A
// policy that is live as it is, but for being report-only, is judged by the log.
// The second result are the names that stand for no policy.
func Choose(set *access.Set, live []entra.Document, names []string) (chosen []Policy, strange []string) {
	byID := map[entra.ID]entra.Document{}
	for _, d := range live {
		byID[entra.NewID(d.ID())] = d
	}
	want := map[int]bool{}
	for _, name := range names {
		places := set.Find(name)
		if len(places) == 0 {
			strange = append(strange, name)
		}
		for _, at := range places {
			want[at] = true
		}
	}
	for at := range set.Len() {
		p := set.Policy(at)
		state := set.State(at)
		d := byID[entra.NewID(p.Document.ID())]
		same := d != nil && SameButState(d, p.Document)
		observed := same && strings.EqualFold(d.Text("state"), policy.StateReportOnly)
		moved := d == nil || !same || !strings.EqualFold(d.Text("state"), state)
		switch {
		case len(names) > 0 && !want[at]:
			continue
		case len(names) == 0 && (strings.EqualFold(state, "disabled") || !strings.EqualFold(state, policy.StateReportOnly) && !moved):
			continue
		}
		c := Policy{Key: p.Key, DisplayName: p.Document.DisplayName(), State: state, ID: entra.NewID(p.Document.ID()), Place: at}
		if strings.HasPrefix(string(c.ID), "{{") {
			c.ID = "" // not made yet
		}
		if observed || same && len(names) > 0 && !moved && !strings.EqualFold(state, "disabled") {
			c.Place, c.Since = -1, policy.LastChange(d)
		}
		c.Silent = Silent(p.Document, c.Place >= 0)
		chosen = append(chosen, c)
	}
	slices.SortStableFunc(chosen, func(a, b Policy) int { return strings.Compare(a.DisplayName, b.DisplayName) })
	return chosen, strange
}

// SameButState reports whether two policies mean the same, their states aside.
func SameButState(a, b entra.Document) bool {
	x, y := policy.CanonicalOf(entra.KindPolicy, a).Document(), policy.CanonicalOf(entra.KindPolicy, b).Document()
	for _, d := range []entra.Document{x, y} {
		delete(d, "state")
		delete(d, "id")
	}
	return reflect.DeepEqual(x, y)
}
