package report

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	fastjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// maxLine bounds a line that is read back.
const maxLine = 16 << 20

// UserLine is what is read back of a line of users.jsonl.
type UserLine struct {
	ID             entra.ID        `json:"id"`
	Name           string          `json:"userPrincipalName"`
	DisplayName    string          `json:"userDisplayName"`
	RiskLevel      entra.RiskLevel `json:"riskLevel"`
	RiskState      entra.RiskState `json:"riskState"`
	RiskUpdated    entra.DateTime  `json:"riskLastUpdatedDateTime"`
	OpenDetections int             `json:"openDetections"`
	Decision       json.RawMessage `json:"decision"`
	IsDeleted      bool            `json:"isDeleted"`
	Evidence       *Evidence       `json:"evidence"`
	ReachedBy      []access.Met    `json:"reachedBy"`
	// ChangedBy says who settled the risk, or confirmed it, by hand.
	ChangedBy *audit.ChangedBy `json:"changedBy"`
}

// asWritten takes what a service may have sent and a file has kept: names that
// stand twice, in any case, and text that is not UTF-8.
var asWritten = fastjson.JoinOptions(fastjson.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// ReadLines yields the documents of a JSON Lines file.
func ReadLines[T any](r io.Reader) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(make([]byte, 64<<10), maxLine)
		for n := 1; in.Scan(); n++ {
			var v T
			if err := fastjson.Unmarshal(in.Bytes(), &v, asWritten); err != nil {
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

// overdue reports whether risk of a level that waits for a person does so too long.
func (s SLA) overdue(l entra.RiskLevel, ageHours float64) bool {
	limit := s.of(l)
	return limit > 0 && ageHours > limit.Hours()
}

// maxWaiting bounds the list of who waits to the most urgent; all decisions are in
// the report anyway.
const maxWaiting = 1000

// Waiting lists who waits for a person of those written: the highest level first,
// of one level the longest waiting.
func (w *Users) Waiting(now time.Time, sla SLA) []Waiting {
	list := slices.Clone(w.waiting)
	for i := range list {
		one := &list[i]
		one.AgeHours = hours(one.OpenSince, now)
		one.Overdue = sla.overdue(one.RiskLevel, one.AgeHours)
	}
	slices.SortFunc(list, func(a, b Waiting) int { return -compareWaiting(&a, &b) })
	return list
}

// wait keeps a user who waits for a person, as the files name the user.
func (w *Users) wait(u *entra.RiskyUser, d triage.Decision, e *Evidence) {
	one := Waiting{ID: string(u.ID), Name: u.UserPrincipalName, RiskLevel: u.RiskLevel, Code: d.Code, Reasons: d.Reasons, OpenSince: d.OpenSince,
		Privileged: d.Privileged, Deleted: u.IsDeleted != nil && *u.IsDeleted, Evidence: e}
	switch {
	case len(w.waiting) < maxWaiting:
		heap.Push(&w.waiting, one)
	case compareUrgency(&one, &w.waiting[0]) > 0: // the least urgent goes
		w.waiting[0] = one
		heap.Fix(&w.waiting, 0)
	}
}

// waitingHeap has the least urgent on top.
type waitingHeap []Waiting

func (h waitingHeap) Len() int           { return len(h) }
func (h waitingHeap) Less(i, j int) bool { return compareUrgency(&h[i], &h[j]) < 0 }
func (h waitingHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *waitingHeap) Push(w any)        { *h = append(*h, w.(Waiting)) }
func (h *waitingHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	*h = (*h)[:last]
	return w
}

// compareUrgency orders by level, then by who holds a directory role, then by age.
func compareUrgency(a, b *Waiting) int {
	return cmp.Or(LevelRank(a.RiskLevel)-LevelRank(b.RiskLevel), first(a.Privileged)-first(b.Privileged), compareWaiting(a, b))
}

// compareWaiting orders by level, then by age; one whose age is not known counts as the
// oldest, for nobody can say that it is not.
func compareWaiting(a, b *Waiting) int {
	return cmp.Or(LevelRank(a.RiskLevel)-LevelRank(b.RiskLevel), first(a.OpenSince.IsZero())-first(b.OpenSince.IsZero()), b.OpenSince.Compare(a.OpenSince), strings.Compare(b.ID, a.ID))
}

func hours(since, now time.Time) float64 {
	if since.IsZero() || now.Before(since) {
		return 0
	}
	return max(math.Floor(now.Sub(since).Hours()*100)/100, 0.01) // a minute tells less than an hour from nothing
}

// ReadPolicies reads policies.json.
func ReadPolicies(r io.Reader) (Policies, error) {
	var p Policies
	dec := json.NewDecoder(r)
	dec.UseNumber()
	err := dec.Decode(&p)
	if errors.Is(err, io.EOF) {
		err = errors.New("policies.json is empty")
	}
	return p, err
}

// ReadCoverage reads a run's status and coverage from its report.json, and no
// further: the decisions that follow are as many as the tenant's risky users.
func ReadCoverage(r io.Reader) (status string, c Coverage, err error) {
	var read *Coverage
	switch err := ReadMembers(r, map[string]any{"status": &status, "coverage": &read}); {
	case err != nil:
		return "", c, err
	case read == nil:
		return "", c, errors.New("report.json has no coverage")
	}
	return status, *read, nil
}
