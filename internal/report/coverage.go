package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
)

// Reached is coverage.json: whom the policies reach, the users at risk first.
type Reached struct {
	SchemaVersion int    `json:"schemaVersion"`
	Policies      string `json:"policies"` // live: as they were read
	// Scope is whom the run judged: full (everybody), risky (users whose risk is
	// open) or off (nobody).
	Scope string `json:"scope"`
	// Risky are the users whose risk is open: those whose risk no policy meets
	// first, in each part those who hold a directory role, then by level.
	Risky []RiskyReach `json:"risky"`
	// Everybody, if the scope is full.
	*access.Coverage
}

// RiskyReach is which enabled policies would meet the risk of a user.
type RiskyReach struct {
	ID         string          `json:"id"`
	Name       string          `json:"userPrincipalName"`
	RiskLevel  entra.RiskLevel `json:"riskLevel"`
	Privileged bool            `json:"privileged,omitempty"`
	BreakGlass bool            `json:"breakGlass,omitempty"`
	*access.Reach
}

// Uncovered are the users whose risk surely no enabled policy meets. Break-glass
// accounts are not among them: nothing is to be demanded of these.
func (r *Reached) Uncovered() []RiskyReach {
	if r == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(r.Risky), func(u RiskyReach) bool { return u.BreakGlass || !u.Reach.Uncovered() })
}

// Sort puts first who needs a look first.
func (r *Reached) Sort() {
	rank := func(u RiskyReach) int {
		switch {
		case u.Reach.Uncovered():
			return 0
		case !u.Covered():
			return 1
		}
		return 2
	}
	slices.SortStableFunc(r.Risky, func(a, b RiskyReach) int {
		return cmp.Or(rank(a)-rank(b), first(b.Privileged)-first(a.Privileged), LevelRank(b.RiskLevel)-LevelRank(a.RiskLevel), cmp.Compare(a.ID, b.ID))
	})
}

func first(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Reached redacts the names of people.
func (r Redaction) Reached(c Reached) Reached {
	if !r.Active() {
		return c
	}
	c.Risky = slices.Clone(c.Risky)
	for i := range c.Risky {
		u := &c.Risky[i]
		u.Name = r.Text(u.Name)
	}
	if c.Coverage == nil {
		return c
	}
	all := *c.Coverage
	all.Gaps, all.Demands = slices.Clone(all.Gaps), slices.Clone(all.Demands)
	for i := range all.Gaps {
		all.Gaps[i].Examples = r.Names(all.Gaps[i].Examples)
	}
	for i := range all.Demands {
		d := &all.Demands[i]
		d.Because = slices.Clone(d.Because)
		for j := range d.Because {
			d.Because[j].ExcludedBy = r.principal(d.Because[j].ExcludedBy)
		}
	}
	c.Coverage = &all
	return c
}

// ReachColumns are the columns of coverage.csv.
var ReachColumns = []string{"kind", "users", "privileged", "who", "riskLevel", "situation", "reachedBy", "why"}

// WriteReached writes coverage.json and coverage.csv: a row for each user at
// risk, then one for each gap.
func WriteReached(jsonOut, csvOut io.Writer, c Reached, form CSVForm) error {
	c.SchemaVersion = 1
	nonNil(&c.Risky)
	if c.Coverage != nil {
		all := *c.Coverage
		nonNil(&all.Demands)
		nonNil(&all.Groups)
		nonNil(&all.Gaps)
		c.Coverage = &all
	}
	if err := encode(jsonOut, c, " "); err != nil {
		return err
	}
	w := newCSV(csvOut, ReachColumns, form)
	row := func(cells ...string) {
		for _, s := range cells {
			w.text(s)
		}
		w.end()
	}
	for _, u := range c.Risky {
		row("risky", "1", strconv.Itoa(first(u.Privileged)), cmp.Or(u.Name, u.ID), string(u.RiskLevel), "", ReachedText(u.Reach), UnmetText(u.NotReached))
	}
	if c.Coverage != nil {
		for _, g := range c.Gaps {
			var nearest []string
			for _, n := range g.Nearest {
				nearest = append(nearest, n.DisplayName+": "+n.Lacks)
			}
			row("gap", strconv.Itoa(g.Users), strconv.Itoa(g.Privileged), strings.Join(g.Examples, "; "), "", access.SituationText(g.Situation), "", strings.Join(nearest, "; "))
		}
	}
	return w.flush()
}

// The words for who is reached by no policy.
const (
	reachedByNone = "(none)"
	reachUnknown  = "(not known)"
)

// ReachedText names the policies that meet a risk; empty if nobody judged it.
func ReachedText(r *access.Reach) string {
	switch {
	case r == nil:
		return ""
	case r.Unknown:
		return reachUnknown
	case !r.Covered():
		return reachedByNone
	}
	names := make([]string, len(r.ReachedBy))
	for i, m := range r.ReachedBy {
		names[i] = m.DisplayName
	}
	return strings.Join(names, "; ")
}

// UnmetText says of each policy why it does not meet a risk.
func UnmetText(list []access.Unmet) string {
	out := make([]string, len(list))
	for i, u := range list {
		out[i] = u.DisplayName + ": " + u.Why
	}
	return strings.Join(out, "; ")
}
