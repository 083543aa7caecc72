package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// pageModel is what the template shows.
type pageModel struct {
	Report
	CSS             template.CSS
	JS              template.JS
	CSSHash, JSHash string

	Heading    string // of an order; empty for a sweep
	NotRead    string // in words; empty if all was read
	Took       time.Duration
	People     string // in a sentence, as Done
	Done       string
	Outcomes   []outcomeCount
	Waiting    []Waiting
	Oldest     float64 // hours
	Actions    []plan.Outcome
	ActionsCut int
	Overdue    int
	Privileged int
	SLA        string // in words
	Waits      int
	History    []Point
	Types      []counted
	Days       []counted
	Countries  []counted
	MostOfOne  int // detections of the country with the most
	Codes      []counted
	Parts      []pathCount
	Reach      *reachModel           // nil: nobody was judged by the policies
	SPs        []servicePrincipalRow // whose risk is open
	ClosedSPs  []servicePrincipalRow
	// RiskyAgents are those whose risk is open.
	RiskyAgents   []entra.RiskyAgent
	SkippedAgents string
	LeftOut       int

	// Skipped parts: why nothing was compared with a baseline, or decided.
	SkippedBaseline, SkippedTriage, SkippedCoverage, SkippedPrincipals string

	HistoryChart, TypeChart, DayChart, CodeChart *chart
}

type outcomeCount struct {
	Kind   plan.Kind
	Status plan.OutcomeStatus
	N      int
}

type pathCount struct {
	Path string
	N    int
}

type servicePrincipalRow struct {
	ID             string           `json:"id"`
	DisplayName    string           `json:"displayName"`
	RiskLevel      string           `json:"riskLevel"`
	RiskState      string           `json:"riskState"`
	OpenDetections int              `json:"openDetections"`
	OwnIdentity    bool             `json:"ownIdentity"`
	FirstParty     bool             `json:"firstParty"`
	Overdue        bool             `json:"overdue"`
	Decision       *triage.Decision `json:"decision"`
	ChangedBy      *audit.ChangedBy `json:"changedBy"`
}

// waits reports whether it needs a person.
func (p servicePrincipalRow) waits() bool { return p.Decision != nil && p.Decision.NeedsPerson }

// pageData gathers what the page shows of a report.
func pageData(r Report, x PageDetails, p *page) (*pageModel, error) {
	m := &pageModel{Report: r, CSS: p.css, JS: p.js, CSSHash: p.cssHash, JSHash: p.jsHash,
		Took: r.FinishedAt.Sub(r.StartedAt).Round(100 * time.Millisecond), SLA: slaText(x.SLA), History: x.History}
	m.Heading, m.NotRead = r.Order.Title(), UnreadText(r.Kind, r.Coverage)
	skipped := map[string]*string{"baseline": &m.SkippedBaseline, "triage": &m.SkippedTriage, "coverage": &m.SkippedCoverage, "agents": &m.SkippedAgents, "servicePrincipals": &m.SkippedPrincipals}
	for _, s := range r.Skipped {
		if part, why, _ := strings.Cut(s, ": "); skipped[part] != nil {
			*skipped[part] = why
		}
	}
	m.countOutcomes()
	m.Done = doneText(r.Outcomes)
	if len(r.Outcomes) == 0 && (r.Status == "failed" || r.Status == "cancelled") {
		m.Done = "Nothing was done."
	}
	if missed := r.Order.Missed(r.Outcomes); r.Mode == "apply" && missed != "" {
		m.Done = strings.TrimSpace(strings.ToUpper(missed[:1]) + missed[1:] + ". " + m.Done)
	}
	m.wait()
	for path, n := range r.Requests.ByPath {
		m.Parts = append(m.Parts, pathCount{path, n})
	}
	slices.SortFunc(m.Parts, func(a, b pathCount) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Path, b.Path)) })
	for _, raw := range r.ServicePrincipals {
		var sp servicePrincipalRow
		if err := json.Unmarshal(raw, &sp); err != nil {
			return nil, err
		}
		if entra.RiskState(sp.RiskState).Open() {
			m.SPs = append(m.SPs, sp)
		} else {
			m.ClosedSPs = append(m.ClosedSPs, sp)
		}
	}
	slices.SortStableFunc(m.SPs, func(a, b servicePrincipalRow) int {
		return cmp.Or(first(b.waits())-first(a.waits()), LevelRank(entra.RiskLevel(b.RiskLevel))-LevelRank(entra.RiskLevel(a.RiskLevel)))
	})
	if r.Beta != nil {
		for _, raw := range r.Beta.Agents {
			var a entra.RiskyAgent
			if err := json.Unmarshal(raw, &a); err != nil {
				return nil, err
			}
			if a.RiskState.Open() {
				m.RiskyAgents = append(m.RiskyAgents, a)
			}
		}
	}
	m.Warnings = slices.DeleteFunc(slices.Clone(m.Warnings), func(w string) bool { return slices.Contains(m.Next, w) })
	m.Reach = reachOf(x.Reached)
	m.draw()
	return m, nil
}

// Missing reports whether a part of the tenant was not read.
func (m *pageModel) Missing(part string) bool { return slices.Contains(m.Coverage.Unread, part) }

// Undecided says why the number of users who need a person is not known; empty
// if it is.
func (m *pageModel) Undecided() string {
	switch {
	case m.SkippedTriage != "":
		return m.SkippedTriage
	case m.Missing(PartUsers):
		return "the run ended before all risky users were read"
	}
	return ""
}

// Uncompared says why nothing is known of the tenant's policies; empty if they
// were compared.
func (m *pageModel) Uncompared() string {
	switch {
	case m.SkippedBaseline != "":
		return m.SkippedBaseline
	case m.Missing(PartPolicies):
		return "not all policies and locations were read"
	}
	return ""
}

// Undoes reports whether the run takes back what another one did, or brings back
// what was deleted.
func (m *pageModel) Undoes() bool { return m.Kind == ofRollback || m.Kind == ofRestore }

// ListsDecisions reports whether the page has a table of decisions.
func (m *pageModel) ListsDecisions() bool {
	return m.Kind != ofDestroy && m.Kind != ofRollback && m.Counts["users"] > 0
}

// MostUrgent orders those who wait as a person should look at them: by level, in
// each level those who are overdue, then those who hold a directory role, then by
// age.
func MostUrgent(list []Waiting) []Waiting {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Waiting) int {
		return cmp.Or(LevelRank(b.RiskLevel)-LevelRank(a.RiskLevel), first(b.Overdue)-first(a.Overdue), first(b.Privileged)-first(a.Privileged), cmp.Compare(b.AgeHours, a.AgeHours))
	})
	return list
}

// wait puts those who wait for a person in the order in which to look at them.
func (m *pageModel) wait() {
	m.Waiting = MostUrgent(m.NeedsPerson)
	m.Waits = max(m.Counts["needsPerson"], len(m.Waiting))
	for _, w := range m.Waiting {
		m.Oldest = max(m.Oldest, w.AgeHours)
		if w.Overdue {
			m.Overdue++
		}
		if w.Privileged {
			m.Privileged++
		}
	}
	switch {
	case m.Heading != "":
		return
	case m.SkippedTriage != "":
		m.People = "No rule decided about anybody."
	case len(m.Coverage.Unread) == len(Parts):
		m.People = "Nothing was read."
	case m.Missing(PartUsers) && m.Waits == 0:
		m.People = "Not all risky users were read."
	case m.Missing(PartUsers):
		m.People = "Not all risky users were read. Of those read, " + Number(m.Waits, "user") + " need a person"
	case m.Waits == 0:
		m.People = nobody
	case m.Waits == 1:
		m.People = "1 user needs a person"
	default:
		m.People = Number(m.Waits, "user") + " need a person"
	}
	if m.Waits > 0 && m.SkippedTriage == "" {
		if m.Overdue > 0 {
			m.People += ", " + m.OverdueText() + " beyond the SLA"
		}
		m.People += "."
	}
	switch n := m.Counts["servicePrincipalsNeedPerson"]; {
	case n > 0 && m.People == nobody:
		m.People = "No user needs a person, but " + needs(n) + "."
	case n > 0:
		m.People = strings.TrimSuffix(m.People, ".") + ", and " + needs(n) + "."
	}
}

const nobody = "Nobody needs a person."

// needs says how many service principals need a person.
func needs(n int) string {
	if n == 1 {
		return "1 service principal does"
	}
	return Number(n, "service principal") + " do"
}

// OverdueText says how many wait too long; of those beyond the list it is not
// known.
func (m *pageModel) OverdueText() string {
	if len(m.Waiting) < m.Waits {
		return fmt.Sprintf("at least %d", m.Overdue)
	}
	return fmt.Sprint(m.Overdue)
}

// countOutcomes counts outcomes by kind and status, and puts the actions that
// somebody must look at first.
func (m *pageModel) countOutcomes() {
	type key struct {
		kind   plan.Kind
		status plan.OutcomeStatus
	}
	counts := map[key]int{}
	m.Actions = append(slices.Clone(m.Report.Outcomes), m.Settled...)
	for _, o := range m.Actions {
		counts[key{o.Kind, o.Status}]++
	}
	for k, n := range counts {
		m.Outcomes = append(m.Outcomes, outcomeCount{k.kind, k.status, n})
	}
	slices.SortFunc(m.Outcomes, func(a, b outcomeCount) int {
		return cmp.Or(a.Kind.Rank()-b.Kind.Rank(), b.N-a.N, cmp.Compare(a.Status, b.Status))
	})
	slices.SortStableFunc(m.Actions, func(a, b plan.Outcome) int { return urgency(a.Status) - urgency(b.Status) })
	if n := len(m.Actions); n > maxActionRows {
		m.ActionsCut, m.Actions = n-maxActionRows, m.Actions[:maxActionRows]
	}
}

func urgency(s plan.OutcomeStatus) int {
	switch {
	case s == plan.OverDismissed:
		return 0
	case s.Bad():
		return 1
	}
	return 2
}

// draw makes the charts and their tables.
func (m *pageModel) draw() {
	t := m.Report.Breakdown
	if t == nil {
		t = NewTally()
	}
	m.Types, m.Countries, m.Days = most(t.ByType), most(t.ByCountry), most(t.ByDay)
	if len(m.Countries) > 0 {
		m.MostOfOne = m.Countries[0].All
	}
	slices.SortFunc(m.Days, func(a, b counted) int { return cmp.Compare(b.Key, a.Key) })
	codes := map[string]Split{}
	for code, n := range t.ByCode {
		codes[code] = Split{All: n}
	}
	m.Codes = most(codes)
	m.HistoryChart, m.TypeChart = historyChart(m.History), typeChart(m.Types)
	m.DayChart, m.CodeChart = dayChart(t.ByDay), codeChart(m.Codes)
}
