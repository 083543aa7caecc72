package report

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
)

// Difference is what changed between two runs.
type Difference struct {
	From string `json:"from"`
	To   string `json:"to"`
	// New, Gone and Risen are users whose risk is open now and was not, was
	// open and is not, or is higher than it was.
	New   []Changed `json:"new"`
	Gone  []Changed `json:"gone"`
	Risen []Changed `json:"risen"`
	// Risen also are users whose level is not understood any more. Drifted are
	// objects whose standing beside the baseline changed; without Was they are
	// new, without Is they are gone.
	Drifted []Changed `json:"drifted"`
	// Total counts all, also those beyond the thousand that are listed.
	Total map[string]int `json:"total"`
}

// Changed is one user or policy that changed.
type Changed struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
}

// Compare says what changed from one run's users.jsonl and policies.json to
// another's.
func Compare(from, to string, usersBefore, usersAfter io.Reader, before, after Policies) (Difference, error) {
	d := Difference{From: from, To: to, New: []Changed{}, Gone: []Changed{}, Risen: []Changed{}, Drifted: []Changed{}, Total: map[string]int{}}
	type risk struct {
		name  string
		level entra.RiskLevel
	}
	open := map[string]risk{}
	for u, err := range ReadLines[UserLine](usersBefore) {
		if err != nil {
			return d, fmt.Errorf("run %s: %w", from, err)
		}
		if u.RiskState.Open() {
			open[u.ID] = risk{u.Name, u.RiskLevel}
		}
	}
	add := func(list *[]Changed, kind string, c Changed) {
		d.Total[kind]++
		if len(*list) < maxWaiting {
			*list = append(*list, c)
		}
	}
	for u, err := range ReadLines[UserLine](usersAfter) {
		if err != nil {
			return d, fmt.Errorf("run %s: %w", to, err)
		}
		was, known := open[u.ID]
		delete(open, u.ID)
		c := Changed{ID: u.ID, Name: u.Name, Was: string(was.level), Is: string(u.RiskLevel)}
		a, okA := was.level.Rank()
		b, okB := u.RiskLevel.Rank()
		switch {
		case !known && u.RiskState.Open():
			add(&d.New, "new", c)
		case known && !u.RiskState.Open():
			c.Is = string(u.RiskState)
			add(&d.Gone, "gone", c)
		case known && okA && (b > a || !okB && u.RiskLevel != entra.LevelNone):
			add(&d.Risen, "risen", c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(open)) { // no longer listed at all
		add(&d.Gone, "gone", Changed{ID: id, Name: open[id].name, Was: string(open[id].level)})
	}
	stood := map[string]PolicyRow{}
	for _, p := range before.Objects {
		stood[p.identity()] = p
	}
	for _, p := range after.Objects {
		was := stood[p.identity()]
		delete(stood, p.identity())
		if was.Status != p.Status {
			add(&d.Drifted, "drifted", Changed{ID: p.ID, Name: p.DisplayName, Was: was.Status, Is: p.Status})
		}
	}
	for _, p := range before.Objects { // in the order of the file
		if _, gone := stood[p.identity()]; gone {
			add(&d.Drifted, "drifted", Changed{ID: p.ID, Name: p.DisplayName, Was: p.Status})
		}
	}
	return d, nil
}

// identity is what makes two rows of policies.json the same object: its key in
// the baseline, for its id may be given only between the two runs, else the id.
func (p PolicyRow) identity() string {
	if p.Key != "" {
		return string(p.Kind) + "/key/" + p.Key
	}
	return string(p.Kind) + "/id/" + p.ID
}
