package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/policy"
)

// Difference is what changed between two runs.
type Difference struct {
	From string `json:"from"`
	To   string `json:"to"`
	// New, Gone and Risen are users whose risk is open now and was not, was
	// open and is not, or is higher than it was or confirmed now.
	New   []Changed `json:"new"`
	Gone  []Changed `json:"gone"`
	Risen []Changed `json:"risen"`
	// Risen also are users whose level is not understood any more. Drifted are
	// objects that were changed, ours or not, or that stand otherwise beside the
	// baseline; without Was they are new, without Is they are gone.
	Drifted []Changed `json:"drifted"`
	// NotCompared are the parts that one of the runs did not read: users,
	// policies.
	NotCompared []string `json:"notCompared,omitempty"`
	// Between is what happened between two stored runs that are compared by hand:
	// what was sent to the tenant, and each step of what did not stay as it became.
	Between []Event `json:"between,omitempty"`
	// Total counts all, also those beyond the thousand that are listed.
	Total map[string]int `json:"total"`
}

// Changed is one user or policy that changed.
type Changed struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
	// Members say of an object which of its members differ between the runs, and
	// in which of them it now differs from the baseline.
	Members []string `json:"members,omitempty"`
	// Paths are the members in which an object that is not ours changed.
	Paths []string `json:"paths,omitempty"`
	// ChangedBy says who did it, if the audit log was read.
	ChangedBy *audit.ChangedBy `json:"changedBy,omitempty"`

	// Kind is that of an object; Live is the object as it is now, in canonical
	// form, unless it is gone or ours.
	Kind entra.ObjectKind `json:"-"`
	Live policy.Canonical `json:"-"`
}

// Foreign reports whether it is an object of the tenant that no baseline of ours
// has.
func (c Changed) Foreign() bool {
	return c.Kind != "" && (c.Was == unmanaged || c.Was == "") && (c.Is == unmanaged || c.Is == "")
}

// unmanaged is the standing of an object that is not ours.
const unmanaged = "unmanaged"

// Side is one of the two runs of a comparison.
type Side struct {
	Run      string
	Users    io.Reader // users.jsonl
	Policies Policies
	Unread   []string // as in Coverage
}

// Compare says what changed from one run to another.
func Compare(before, after Side) (Difference, error) {
	d := Difference{From: before.Run, To: after.Run, New: []Changed{}, Gone: []Changed{}, Risen: []Changed{}, Drifted: []Changed{}, Total: map[string]int{}}
	for _, part := range []string{PartUsers, PartPolicies} {
		if slices.Contains(before.Unread, part) || slices.Contains(after.Unread, part) {
			d.NotCompared = append(d.NotCompared, part)
		}
	}
	if !slices.Contains(d.NotCompared, PartUsers) {
		if err := d.compareUsers(before, after); err != nil {
			return d, err
		}
	}
	if !slices.Contains(d.NotCompared, PartPolicies) {
		d.comparePolicies(before.Policies, after.Policies)
	}
	return d, nil
}

func (d *Difference) add(list *[]Changed, kind string, c Changed) {
	d.Total[kind]++
	if len(*list) < maxWaiting {
		*list = append(*list, c)
	}
}

func (d *Difference) compareUsers(before, after Side) error {
	type risk struct {
		name  string
		level entra.RiskLevel
		state entra.RiskState
	}
	// What the files begin with alike has not changed: after a quiet night that
	// is all of them.
	was, is := bufio.NewReaderSize(before.Users, 64<<10), bufio.NewReaderSize(after.Users, 64<<10)
	if err := skipAlike(was, is); err != nil {
		return fmt.Errorf("runs %s and %s: %w", before.Run, after.Run, err)
	}
	type line struct {
		ID        entra.ID         `json:"id"`
		Name      string           `json:"userPrincipalName"`
		RiskLevel entra.RiskLevel  `json:"riskLevel"`
		RiskState entra.RiskState  `json:"riskState"`
		ChangedBy *audit.ChangedBy `json:"changedBy"`
	}
	open := map[entra.ID]risk{}
	for u, err := range ReadLines[line](was) {
		if err != nil {
			return fmt.Errorf("run %s: %w", before.Run, err)
		}
		if u.RiskState.Open() {
			open[u.ID] = risk{u.Name, u.RiskLevel, u.RiskState}
		}
	}
	for u, err := range ReadLines[line](is) {
		if err != nil {
			return fmt.Errorf("run %s: %w", after.Run, err)
		}
		stood, known := open[u.ID]
		delete(open, u.ID)
		c := Changed{ID: string(u.ID), Name: u.Name, Was: string(stood.level), Is: string(u.RiskLevel), ChangedBy: u.ChangedBy}
		a, okA := stood.level.Rank()
		b, okB := u.RiskLevel.Rank()
		switch {
		case !known && u.RiskState.Open():
			d.add(&d.New, "new", c)
		case known && !u.RiskState.Open():
			c.Is = string(u.RiskState)
			d.add(&d.Gone, "gone", c)
		case known && stood.state != u.RiskState && u.RiskState == entra.StateConfirmedCompromised:
			c.Is = string(u.RiskState)
			d.add(&d.Risen, "risen", c)
		case known && okA && (b > a || !okB && u.RiskLevel != entra.LevelNone):
			d.add(&d.Risen, "risen", c)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(open)) { // no longer listed at all
		d.add(&d.Gone, "gone", Changed{ID: string(id), Name: open[id].name, Was: string(open[id].level)})
	}
	return nil
}

// skipAlike reads on to the first lines in which two files differ.
func skipAlike(a, b *bufio.Reader) error {
	for {
		x, errX := peekLine(a)
		y, errY := peekLine(b)
		if err := errors.Join(errX, errY); err != nil || len(x) == 0 || !bytes.Equal(x, y) {
			return err
		}
		_, errX = a.Discard(len(x))
		_, errY = b.Discard(len(y))
		if err := errors.Join(errX, errY); err != nil {
			return err
		}
	}
}

// peekLine is the next line; nothing if there is none, or none that ends within
// the buffer.
func peekLine(in *bufio.Reader) ([]byte, error) {
	for n := max(in.Buffered(), 1); ; n = min(2*n, in.Size()) {
		text, err := in.Peek(n)
		if end := bytes.IndexByte(text, '\n'); end >= 0 {
			return text[:end+1], nil
		}
		if errors.Is(err, io.EOF) || n == in.Size() {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (d *Difference) comparePolicies(before, after Policies) {
	stood := map[string]PolicyRow{}
	for _, p := range before.Objects {
		stood[p.Identity()] = p
	}
	for _, p := range after.Objects {
		was := stood[p.Identity()]
		delete(stood, p.Identity())
		c := Changed{ID: p.ID, Name: p.DisplayName, Was: was.Status, Is: p.Status, ChangedBy: p.ChangedBy, Kind: p.Kind}
		if p.Status == unmanaged && p.Live != nil {
			c.Live = policy.CanonicalOf(p.Kind, p.Live)
			if was.Status == unmanaged && was.Live != nil {
				c.Paths = policy.DifferentPaths(policy.CanonicalOf(p.Kind, was.Live), c.Live)
			}
		}
		c.Members = Members(was, p)
		if was.Status != p.Status {
			for _, text := range texts(p.Differences) {
				if !slices.Contains(c.Members, text) {
					c.Members = append(c.Members, "not as the baseline says: "+text)
				}
			}
		}
		if was.Status != p.Status || len(c.Paths) > 0 || len(c.Members) > 0 {
			d.add(&d.Drifted, "drifted", c)
		}
	}
	for _, p := range before.Objects { // in the order of the file
		if _, gone := stood[p.Identity()]; gone {
			d.add(&d.Drifted, "drifted", Changed{ID: p.ID, Name: p.DisplayName, Was: p.Status, Kind: p.Kind})
		}
	}
}

// Identity is what makes two rows of policies.json the same object: its key in
// the baseline, for its id may be given only between the two runs, else the id.
func (p PolicyRow) Identity() string {
	if p.Key != "" {
		return string(p.Kind) + "/key/" + p.Key
	}
	return string(p.Kind) + "/id/" + p.ID
}
