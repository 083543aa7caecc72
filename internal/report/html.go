package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"iter"
	"strconv"
	"strings"
	"sync"

	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

//go:embed page.tmpl page.css page.js
var pageFiles embed.FS

// Extras are what report.html shows besides report.json.
type Extras struct {
	// Detections gives the open detections of a user, redacted if the report
	// is; nil shows none.
	Detections func(userID string) []triage.Detection
	// History is the open risk of the last runs, the oldest first, this one
	// last.
	History []Point
	SLA     SLA
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
func WriteHTML(w io.Writer, r Report, decisions iter.Seq2[Decided, error], x Extras) error {
	r.fill()
	p, err := newPage(w)
	if err != nil {
		return err
	}
	data, err := pageData(r, x, p)
	if err != nil {
		return err
	}
	p.put("top", data)
	if data.Heading == "" {
		p.put("people", data)
		rows(p, "waiting", data.waitingRows())
		p.put("changes", data)
	}
	p.put("done", data)
	rows(p, "action", data.Actions)
	p.text("</section>\n")
	if data.Heading == "" {
		p.put("policies", data)
		p.put("risk", data)
	}
	if data.ListsDecisions() {
		p.put("decisions", data)
		if err := p.decided(decisions, x, data); err != nil {
			return err
		}
	}
	p.put("bottom", data)
	return p.err
}

// page writes the parts of the page one after the other.
type page struct {
	w     io.Writer
	tmpl  *template.Template
	buf   bytes.Buffer
	err   error
	inRow int

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
	return template.New("page").Funcs(template.FuncMap{
		"when": when, "date": date, "moment": moment, "age": ageText, "code": codeText, "outcome": plan.OutcomeStatus.Words, "kind": func(k plan.Kind) string { return k.Words().Title },
		"word": oneWord, "place": PlaceText, "verdict": verdictText, "why": whyText, "number": Number, "rank": levelRank, "show": firstOf,
		"px":   func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"list": func(v ...any) []any { return v }, "minus": func(b, a int) int { return a - b },
		"upto": func(n int, list []Changed) []Changed { return list[:min(n, len(list))] },
	}).ParseFS(pageFiles, "page.tmpl")
})

// directionMarks turn the reading order of what follows them: a name must not
// do that to a page. They are shown as what they are, odd.
var directionMarks = strings.NewReplacer("\u202a", "\ufffd", "\u202b", "\ufffd", "\u202c", "\ufffd", "\u202d", "\ufffd", "\u202e", "\ufffd",
	"\u2066", "\ufffd", "\u2067", "\ufffd", "\u2068", "\ufffd", "\u2069", "\ufffd", "\u200e", "", "\u200f", "", "\u061c", "")

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
	if p.inRow%chunkRows == 0 {
		if p.inRow > 0 {
			p.text("</tbody>")
		}
		p.text("\n<tbody role=rowgroup>")
	}
	p.inRow++
	p.put(name, tableRow{data, p.inRow > firstRows})
}

// tableRow is a row and whether it is beyond the first ones.
type tableRow struct {
	Row  any
	More bool
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

// decisionRow is one decision as the page shows it.
type decisionRow struct {
	Decided
	D          triage.Decision
	Detections []coveredDetection
	More       int
	Overdue    bool
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

// decided writes the table of decisions, and counts in data what is left out.
func (p *page) decided(decisions iter.Seq2[Decided, error], x Extras, data *pageModel) error {
	open, settled := 0, 0
	for d, err := range decisions {
		if err != nil {
			return err
		}
		n, most := &settled, maxSettledRows
		if d.RiskState.Open() {
			n, most = &open, maxOpenRows
		}
		if *n++; *n > most {
			data.LeftOut++
			continue
		}
		row := decisionRow{Decided: d}
		if err := json.Unmarshal(d.Decision, &row.D); err != nil {
			return fmt.Errorf("the decision on user %s: %w", d.ID, err)
		}
		limit := x.SLA.of(d.RiskLevel)
		row.Overdue = row.D.NeedsPerson && limit > 0 && d.AgeHours > limit.Hours()
		if x.Detections != nil && d.RiskState.Open() {
			for _, one := range x.Detections(d.ID) {
				if len(row.Detections) == maxUserRows {
					row.More++
					continue
				}
				row.Detections = append(row.Detections, coveredDetection{one, row.D.Covered[one.ID]})
			}
		}
		p.row("decision", row)
	}
	p.endRows()
	return p.err
}
