package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// maxLine bounds a line that is read back.
const maxLine = 16 << 20

// UserLine is what is read back of a line of users.jsonl.
type UserLine struct {
	ID             string          `json:"id"`
	Name           string          `json:"userPrincipalName"`
	DisplayName    string          `json:"userDisplayName"`
	RiskLevel      entra.RiskLevel `json:"riskLevel"`
	RiskState      entra.RiskState `json:"riskState"`
	RiskUpdated    entra.DateTime  `json:"riskLastUpdatedDateTime"`
	OpenDetections int             `json:"openDetections"`
	Decision       json.RawMessage `json:"decision"`
}

// ReadLines yields the documents of a JSON Lines file.
func ReadLines[T any](r io.Reader) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(make([]byte, 64<<10), maxLine)
		for n := 1; in.Scan(); n++ {
			var v T
			if err := json.Unmarshal(in.Bytes(), &v); err != nil {
				yield(v, fmt.Errorf("line %d: %w", n, err))
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			var zero T
			yield(zero, err)
		}
	}
}

// decisionHead is what a summary needs of a decision.
type decisionHead struct {
	Code        string    `json:"code"`
	Reasons     []string  `json:"reasons"`
	NeedsPerson bool      `json:"needsPerson"`
	OpenSince   time.Time `json:"openSince"`
}

// Decisions reads users.jsonl back as the decisions of report.json.
func Decisions(r io.Reader, now time.Time) iter.Seq2[Decided, error] {
	return func(yield func(Decided, error) bool) {
		for u, err := range ReadLines[UserLine](r) {
			if err != nil {
				yield(Decided{}, err)
				return
			}
			var head decisionHead
			if len(u.Decision) > 0 {
				if err := json.Unmarshal(u.Decision, &head); err != nil {
					yield(Decided{}, err)
					return
				}
			}
			d := Decided{ID: u.ID, Name: u.Name, RiskLevel: u.RiskLevel, RiskState: u.RiskState, OpenDetections: u.OpenDetections,
				Decision: u.Decision, AgeHours: hours(head.OpenSince, now)}
			if d.Decision == nil {
				d.Decision = json.RawMessage("null")
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// SLA is how long risk of each level may wait for a person.
type SLA struct{ High, Medium, Low time.Duration }

func (s SLA) of(l entra.RiskLevel) time.Duration {
	switch l {
	case entra.LevelHigh:
		return s.High
	case entra.LevelMedium:
		return s.Medium
	case entra.LevelLow:
		return s.Low
	}
	return s.High // not known: as if it were high
}

// maxWaiting bounds the list of who waits; all decisions are in the report
// anyway.
const maxWaiting = 1000

// WaitingFor gathers who waits for a person from users.jsonl, the longest
// waiting first.
func WaitingFor(r io.Reader, now time.Time, sla SLA) ([]Waiting, error) {
	var out []Waiting
	for u, err := range ReadLines[UserLine](r) {
		if err != nil {
			return nil, err
		}
		var head decisionHead
		if len(u.Decision) == 0 || string(u.Decision) == "null" {
			continue
		}
		if err := json.Unmarshal(u.Decision, &head); err != nil {
			return nil, err
		}
		if !head.NeedsPerson {
			continue
		}
		w := Waiting{ID: u.ID, Name: u.Name, RiskLevel: u.RiskLevel, Code: head.Code, Reasons: head.Reasons, OpenSince: head.OpenSince,
			AgeHours: hours(head.OpenSince, now)}
		limit := sla.of(u.RiskLevel)
		w.Overdue = limit > 0 && w.AgeHours > limit.Hours()
		out = insertOldest(out, w)
	}
	return out, nil
}

// insertOldest keeps the oldest in order, up to maxWaiting.
func insertOldest(list []Waiting, w Waiting) []Waiting {
	i := len(list)
	for i > 0 && list[i-1].AgeHours < w.AgeHours {
		i--
	}
	if i == maxWaiting {
		return list
	}
	list = append(list, Waiting{})
	copy(list[i+1:], list[i:])
	list[i] = w
	if len(list) > maxWaiting {
		list = list[:maxWaiting]
	}
	return list
}

func hours(since, now time.Time) float64 {
	if since.IsZero() || now.Before(since) {
		return 0
	}
	return float64(int(now.Sub(since).Hours()*10)) / 10
}

// Difference is what changed between two runs.
type Difference struct {
	From string `json:"from"`
	To   string `json:"to"`
	// New, Gone and Risen are users whose risk is open now and was not, was
	// open and is not, or is higher than it was.
	New   []Changed `json:"new"`
	Gone  []Changed `json:"gone"`
	Risen []Changed `json:"risen"`
	// Drifted are objects whose standing beside the baseline changed.
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
		case known && okA && okB && b > a:
			add(&d.Risen, "risen", c)
		}
	}
	for id, was := range open { // no longer listed at all
		add(&d.Gone, "gone", Changed{ID: id, Name: was.name, Was: string(was.level)})
	}
	stood := map[string]string{}
	for _, p := range before.Objects {
		stood[string(p.Kind)+p.ID+p.Key] = p.Status
	}
	for _, p := range after.Objects {
		if was := stood[string(p.Kind)+p.ID+p.Key]; was != p.Status {
			add(&d.Drifted, "drifted", Changed{ID: p.ID, Name: p.DisplayName, Was: was, Is: p.Status})
		}
	}
	return d, nil
}

// ReadPolicies reads policies.json.
func ReadPolicies(r io.Reader) (Policies, error) {
	var p Policies
	err := json.NewDecoder(r).Decode(&p)
	if errors.Is(err, io.EOF) {
		err = errors.New("policies.json is empty")
	}
	return p, err
}
