package report

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

//go:embed page.tmpl page.css page.js
var pageFiles embed.FS

// PageDetails are what report.html shows besides report.json.
type PageDetails struct {
	// Detections gives the open detections of a user, redacted if the report
	// is; nil shows none.
	Detections func(userID string) []triage.Detection
	// History is the open risk of the last runs, the oldest first, this one
	// last.
	History []Point
	SLA     SLA
	// Reached is whom the policies reach, redacted if the report is; nil shows
	// nothing of it.
	Reached *Reached
	// Cloud says which admin center links lead to; empty has none.
	Cloud string
}

// The bounds of the page. Everything is in the CSV and JSON files beside it.
const (
	maxOpenRows    = 20_000 // decisions on users whose risk is open
	maxSettledRows = 2_000  // decisions on the others
	maxActionRows  = 5_000
	maxUserRows    = 50 // detections listed for one user
	chunkRows      = 100
	firstRows      = 15 // rows of the tables above the decisions that a script leaves to be seen at first
)

// WriteHTML writes report.html: one file that needs nothing else, with the
// decisions streamed.
func WriteHTML(w io.Writer, r Report, decisions iter.Seq2[Decided, error], x PageDetails) error {
	r.fill()
	out := bufio.NewWriterSize(w, outBuffer)
	p, err := newPage(out)
	if err != nil {
		return err
	}
	p.of = pageOf{r.Tenant, x.Cloud}
	data, err := pageData(r, x, p)
	if err != nil {
		return err
	}
	p.put("top", data)
	if data.Heading == "" {
		p.put("people", data)
		p.waiting(data.waitingRows())
		p.put("changes", data)
	}
	p.put("done", data)
	rows(p, "action", data.Actions)
	p.text("</section>\n")
	if data.Heading == "" {
		p.put("policies", data)
		p.put("reach", data)
		p.put("risk", data)
	}
	if data.ListsDecisions() {
		p.put("decisions", data)
		if err := p.decided(decisions, x, data); err != nil {
			return err
		}
	}
	p.put("bottom", data)
	return errors.Join(p.err, out.Flush())
}

// outBuffer is how much is collected before it is written on.
const outBuffer = 16 << 10

// page writes the parts of the page one after the other.
type page struct {
	w     io.Writer
	tmpl  *template.Template
	buf   bytes.Buffer
	rows  markup // of decisions
	err   error
	inRow int
	of    pageOf

	css     template.CSS
	js      template.JS
	cssHash string
	jsHash  string
}

func newPage(w io.Writer) (*page, error) {
	p := &page{w: w}
	for _, f := range []struct {
		name string
		put  func(text, hash string)
	}{
		{"page.css", func(text, hash string) { p.css, p.cssHash = template.CSS(text), hash }}, //nolint:gosec // our own file
		{"page.js", func(text, hash string) { p.js, p.jsHash = template.JS(text), hash }},     //nolint:gosec // our own file
	} {
		text, err := pageFiles.ReadFile(f.name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		f.put(string(text), "sha256-"+base64.StdEncoding.EncodeToString(sum[:]))
	}
	var err error
	p.tmpl, err = pageTemplate()
	return p, err
}

// pageTemplate is parsed once, and made safe for HTML once.
var pageTemplate = sync.OnceValues(func() (*template.Template, error) {
	return newTemplate().ParseFS(pageFiles, "page.tmpl")
})

// newTemplate is an empty template with the functions of the page.
func newTemplate() *template.Template {
	return template.New("page").Funcs(template.FuncMap{
		"when": when, "date": date, "moment": moment, "age": ageText, "code": codeText, "outcome": plan.OutcomeStatus.Words, "kind": func(k plan.Kind) string { return k.Words().Title },
		"word": oneWord, "people": peopleHTML, "place": PlaceText, "verdict": verdictText, "why": whyText, "number": Number, "testsDue": GlassTestsDue, "rank": LevelRank, "effects": EffectTexts, "situation": access.SituationText, "unmet": UnmetText, "demands": DemandCounts, "because": BecauseText, "show": firstOf,
		"px":   func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"list": func(v ...any) []any { return v }, "minus": func(b, a int) int { return a - b },
		"upto": func(n int, list []Changed) []Changed { return list[:min(n, len(list))] },
	})
}

// directionMarks turn the reading order of what follows them: a name must not
// do that to a page. They are shown as what they are, odd.
var directionMarks = strings.NewReplacer(directions...)

var directions = []string{"\u202a", "\ufffd", "\u202b", "\ufffd", "\u202c", "\ufffd", "\u202d", "\ufffd", "\u202e", "\ufffd",
	"\u2066", "\ufffd", "\u2067", "\ufffd", "\u2068", "\ufffd", "\u2069", "\ufffd", "\u200e", "", "\u200f", "", "\u061c", ""}

// put writes one part.
func (p *page) put(name string, data any) {
	if p.err != nil {
		return
	}
	p.buf.Reset()
	if p.err = p.tmpl.ExecuteTemplate(&p.buf, name, data); p.err == nil {
		_, p.err = directionMarks.WriteString(p.w, p.buf.String())
	}
}

func (p *page) text(s string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, s)
	}
}

// row writes one row of a table, in bodies of a hundred that a browser lays out
// only when they are looked at.
func (p *page) row(name string, data any) {
	p.beginRow()
	p.put(name, tableRow{data, p.inRow > firstRows, p.of})
}

func (p *page) beginRow() {
	if p.inRow%chunkRows == 0 {
		if p.inRow > 0 {
			p.text("</tbody>")
		}
		p.text("\n<tbody role=rowgroup>")
	}
	p.inRow++
}

// endRow writes a row that was collected.
func (p *page) endRow() {
	if p.err == nil {
		_, p.err = p.w.Write(p.rows.Bytes())
	}
	p.rows.Reset()
}

// tableRow is a row and whether it is beyond the first ones.
type tableRow struct {
	Row  any
	More bool
	pageOf
}

func (p *page) endRows() {
	if p.inRow == 0 {
		p.text("\n<tbody role=rowgroup>")
	}
	p.text("</tbody>\n</table>\n")
	p.inRow = 0
}

// rows writes a whole table body; a table without rows was not begun.
func rows[T any](p *page, name string, list []T) {
	if len(list) == 0 {
		return
	}
	for _, v := range list {
		p.row(name, v)
	}
	p.endRows()
}

// waiting writes the table of those who wait for a person.
func (p *page) waiting(list []waitingRow) {
	if len(list) == 0 {
		return
	}
	for _, row := range list {
		p.beginRow()
		waitingHTML(&p.rows, row, p.inRow > firstRows, p.of)
		p.endRow()
	}
	p.endRows()
}

// decisionRow is one decision as the page shows it.
type decisionRow struct {
	Decided
	D          triage.Decision
	Detections []coveredDetection
	More       int
	Overdue    bool
}

// rowUrgency is what decisions are sorted by.
type rowUrgency struct {
	open, privileged bool
	level            int
	age              float64
	at               int // among those read
}

// compare is negative if a comes after b on the page: open risk stands first, then
// come the level, those who hold a directory role, and the longest open.
func (a *rowUrgency) compare(b *rowUrgency) int {
	return cmp.Or(first(a.open)-first(b.open), a.level-b.level, first(a.privileged)-first(b.privileged), cmp.Compare(a.age, b.age), b.at-a.at)
}

// keptRow is what is kept of a decision until all are read.
type keptRow struct {
	rowUrgency
	verdict, code, rule  string
	riskLevel            entra.RiskLevel
	riskState            entra.RiskState
	openDetections       int32
	deleted, needsPerson bool
	reachedBy            []access.Met
	// text is the user's id and name, the reasons and what is covered, one after
	// the other; ends is where the first three of them end.
	text string
	ends [3]int32
}

func keep(d *Decided, urgency rowUrgency) *keptRow {
	k := &keptRow{rowUrgency: urgency, verdict: d.said.verdict, code: d.said.code, rule: d.said.rule, riskLevel: d.RiskLevel, riskState: d.RiskState,
		openDetections: int32(d.OpenDetections), deleted: d.Deleted, needsPerson: d.said.needsPerson, reachedBy: d.ReachedBy}
	k.ends[0] = int32(len(d.ID))
	k.ends[1] = k.ends[0] + int32(len(d.Name))
	k.ends[2] = k.ends[1] + int32(len(d.said.reasons))
	var b strings.Builder
	b.Grow(int(k.ends[2]) + len(d.said.covered))
	b.WriteString(d.ID)
	b.WriteString(d.Name)
	b.Write(d.said.reasons)
	b.Write(d.said.covered)
	k.text = b.String()
	return k
}

// row is the decision again.
func (k *keptRow) row() (row decisionRow, err error) {
	e := k.ends
	row = decisionRow{Decided: Decided{ID: k.text[:e[0]], Name: k.text[e[0]:e[1]], RiskLevel: k.riskLevel, RiskState: k.riskState, OpenDetections: int(k.openDetections),
		AgeHours: k.age, Deleted: k.deleted, ReachedBy: k.reachedBy, Privileged: k.privileged}}
	row.D, err = said{verdict: k.verdict, code: k.code, rule: k.rule, needsPerson: k.needsPerson,
		reasons: []byte(k.text[e[1]:e[2]]), covered: []byte(k.text[e[2]:])}.decision()
	return row, err
}

// urgent are the most urgent rows read so far, the least urgent one on top once
// there are as many as there is room for.
type urgent struct {
	rows []*keptRow
	most int
}

func (h *urgent) Len() int           { return len(h.rows) }
func (h *urgent) Less(i, j int) bool { return h.rows[i].compare(&h.rows[j].rowUrgency) < 0 }
func (h *urgent) Swap(i, j int)      { h.rows[i], h.rows[j] = h.rows[j], h.rows[i] }
func (h *urgent) Push(any)           {} // rows are appended, or take the place of the top
func (h *urgent) Pop() any           { return nil }

// take keeps a decision if it is among the most urgent, and reports whether it or
// another had to go.
func (h *urgent) take(d *Decided, u rowUrgency) (left bool) {
	if len(h.rows) < h.most {
		if h.rows = append(h.rows, keep(d, u)); len(h.rows) == h.most {
			heap.Init(h)
		}
		return false
	}
	if u.compare(&h.rows[0].rowUrgency) > 0 {
		h.rows[0] = keep(d, u)
		heap.Fix(h, 0)
	}
	return true
}

// Is names what the row can be chosen by.
func (r decisionRow) Is() string {
	words := string(r.D.Verdict)
	if r.D.NeedsPerson {
		words = "person"
	}
	if r.Overdue {
		words += " overdue"
	}
	return words
}

type coveredDetection struct {
	triage.Detection
	Entry string
}

// decided writes the table of decisions, the most urgent first, and counts in
// data what is left out. Until they are sorted it holds the rows that there is
// room for, packed.
func (p *page) decided(decisions iter.Seq2[Decided, error], x PageDetails, data *pageModel) error {
	open, settled := urgent{most: maxOpenRows}, urgent{most: maxSettledRows}
	var m members
	n := 0
	for d, err := range decisions {
		if err != nil {
			return err
		}
		if d.said.verdict == "" {
			if d.said, err = m.said(d.Decision); err != nil {
				return fmt.Errorf("the decision on user %s: %w", d.ID, err)
			}
		}
		u := rowUrgency{open: d.RiskState.Open(), level: LevelRank(d.RiskLevel), privileged: d.Privileged, age: d.AgeHours, at: n}
		n++
		rows := &settled
		if u.open {
			rows = &open
		}
		if rows.take(&d, u) {
			data.LeftOut++
		}
	}
	for _, rows := range [][]*keptRow{open.rows, settled.rows} {
		slices.SortFunc(rows, func(a, b *keptRow) int { return b.compare(&a.rowUrgency) })
		for _, kept := range rows {
			if err := p.decision(kept, x); err != nil {
				return err
			}
		}
	}
	p.endRows()
	return p.err
}

func (p *page) decision(kept *keptRow, x PageDetails) error {
	row, err := kept.row()
	if err != nil {
		return fmt.Errorf("the decision on user %s: %w", row.ID, err)
	}
	row.Overdue = row.D.NeedsPerson && x.SLA.overdue(row.RiskLevel, row.AgeHours)
	if x.Detections != nil && kept.open {
		for _, one := range x.Detections(row.ID) {
			if len(row.Detections) == maxUserRows {
				row.More++
				continue
			}
			row.Detections = append(row.Detections, coveredDetection{one, row.D.Covered[one.ID]})
		}
	}
	p.beginRow()
	decisionHTML(&p.rows, row, p.of)
	p.endRow()
	return p.err
}
