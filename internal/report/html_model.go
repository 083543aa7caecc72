package report

import (
	"cmp"
	"encoding/json"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// pageModel is what the template shows.
type pageModel struct {
	Report
	CSS             template.CSS
	JS              template.JS
	CSSHash, JSHash string

	Took       time.Duration
	Outcomes   []outcomeCount
	Actions    []plan.Outcome
	ActionsCut int
	Overdue    int
	SLA        string // in words
	Waits      int
	History    []Point
	Types      []counted
	Days       []counted
	Countries  []counted
	Codes      []counted
	Parts      []pathCount
	SPs        []servicePrincipalRow
	LeftOut    int

	// SkippedBaseline is why nothing was compared with a baseline.
	SkippedBaseline string

	HistoryChart, TypeChart, DayChart, CodeChart template.HTML
}

// slaText says how long each level may wait.
func slaText(s SLA) string {
	var parts []string
	for _, l := range []struct {
		name string
		may  time.Duration
	}{{"high", s.High}, {"medium", s.Medium}, {"low", s.Low}} {
		if l.may > 0 {
			parts = append(parts, ageText(l.may.Hours())+" for "+l.name)
		}
	}
	return strings.Join(parts, ", ")
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
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	RiskLevel   string `json:"riskLevel"`
	RiskState   string `json:"riskState"`
}

// pageData gathers what the page shows of a report.
func pageData(r Report, x Extras, p *page) (*pageModel, error) {
	m := &pageModel{Report: r, CSS: p.css, JS: p.js, CSSHash: p.cssHash, JSHash: p.jsHash,
		Took: r.FinishedAt.Sub(r.StartedAt).Round(100 * time.Millisecond), SLA: slaText(x.SLA), History: x.History}
	for _, s := range r.Skipped {
		if why, ok := strings.CutPrefix(s, "baseline: "); ok {
			m.SkippedBaseline = why
		}
	}
	m.countOutcomes()
	m.Waits = max(r.Counts["needsPerson"], len(r.NeedsPerson))
	for _, w := range r.NeedsPerson {
		if w.Overdue {
			m.Overdue++
		}
	}
	for path, n := range r.Requests.ByPath {
		m.Parts = append(m.Parts, pathCount{path, n})
	}
	slices.SortFunc(m.Parts, func(a, b pathCount) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Path, b.Path)) })
	for _, raw := range r.ServicePrincipals {
		var sp servicePrincipalRow
		if err := json.Unmarshal(raw, &sp); err != nil {
			return nil, err
		}
		m.SPs = append(m.SPs, sp)
	}
	return m, m.draw()
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
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), b.N-a.N, cmp.Compare(a.Status, b.Status))
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
func (m *pageModel) draw() (err error) {
	t := m.Report.Breakdown
	if t == nil {
		t = NewTally()
	}
	m.Types, m.Countries, m.Days = most(t.ByType), most(t.ByCountry), most(t.ByDay)
	slices.SortFunc(m.Days, func(a, b counted) int { return cmp.Compare(b.Key, a.Key) })
	codes := map[string]Split{}
	for code, n := range t.ByCode {
		codes[code] = Split{All: n}
	}
	m.Codes = most(codes)
	if m.HistoryChart, err = historyChart(m.History); err != nil {
		return err
	}
	if m.TypeChart, err = typeChart(m.Types); err != nil {
		return err
	}
	if m.DayChart, err = dayChart(t.ByDay); err != nil {
		return err
	}
	m.CodeChart, err = codeChart(m.Codes)
	return err
}

// CodeTexts says what each code of a decision means.
var CodeTexts = map[string]string{
	triage.CodeAllowlisted:      "every open detection is covered by the allowlist",
	triage.CodeEscalated:        "an escalation rule matches",
	triage.CodeNotAtRisk:        "the user is not at risk: nothing to decide",
	triage.CodeUnknownState:     "the service sent a value that is not known",
	triage.CodeDeleted:          "the account is deleted, or it is not known whether it is",
	triage.CodeProcessing:       "the service is recomputing the risk, or it is not known whether it is",
	triage.CodeProtected:        "the protected section names the user",
	triage.CodeProtectionBroken: "the protected section could not be resolved",
	triage.CodeBreakGlass:       "a break-glass account of the baseline",
	triage.CodePrivileged:       "the user holds a directory role",
	triage.CodeRolesUnknown:     "directory roles could not be read",
	triage.CodeIncomplete:       "the open detections may be incomplete",
	triage.CodeNoDetections:     "at risk without an open detection that could be read",
	triage.CodeUncovered:        "at least one open detection is not covered by the allowlist",
	triage.CodeUnknownLevel:     "the user's risk level is not low, medium or high",
	triage.CodeLevelAbove:       "the user's level is above that of its detections",
	triage.CodePending:          "an earlier order may still take effect",
	triage.CodeRepeated:         "dismissed three times in 30 days",
	triage.CodeIneffective:      "an earlier dismissal had no effect",
	triage.CodeEscalatedOnce:    "confirmed compromised in this risk episode already",
	triage.CodeEscalationHidden: "an unknown value keeps an escalation from being ruled out",
}

func codeText(code string) string {
	if s, ok := CodeTexts[code]; ok {
		return s
	}
	if code == "" {
		return "no rule file: not decided"
	}
	return code
}
