package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// ServicePrincipalRow is one risky service principal with the decision on it.
type ServicePrincipalRow struct {
	Risk           entra.RiskyServicePrincipal
	Decision       triage.Decision
	OpenDetections int
	// Open are the open detections, the newest first; Detections are all that the
	// service keeps, as it sent them.
	Open       []triage.Detection
	Detections []json.RawMessage
	// FirstParty says that the application is Microsoft's own; nil if it is not
	// known whose it is. Own says that it is the identity of the run itself.
	FirstParty *bool
	Own        bool
	// ChangedBy says who settled the risk, or confirmed it, by hand.
	ChangedBy *audit.ChangedBy
	AgeHours  float64
	Overdue   bool
}

// PrincipalColumns are the columns of serviceprincipals.csv.
var PrincipalColumns = []string{"id", "displayName", "appId", "servicePrincipalType", "isEnabled", "riskLevel", "riskState", "riskDetail",
	"riskLastUpdatedDateTime", "isProcessing", "openDetections", "openSince", "verdict", "code", "rule", "needsPerson", "privileged", "ownIdentity",
	"firstParty", "reasons", "ageHours", "overdue", "types", "addresses", "places", "ruleOwner", "ruleExpires"}

// principalTail is what a line of serviceprincipals.jsonl holds besides Graph's own
// members.
type principalTail struct {
	OpenDetections int   `json:"openDetections"`
	OwnIdentity    bool  `json:"ownIdentity"`
	FirstParty     *bool `json:"firstParty"`
	// ChangedBy says who settled the risk, or confirmed it, by hand.
	ChangedBy *audit.ChangedBy `json:"changedBy,omitempty"`
	Decision  *triage.Decision `json:"decision"`
	Evidence  *Evidence        `json:"evidence,omitempty"`
	AgeHours  *float64         `json:"ageHours,omitempty"`
	Overdue   bool             `json:"overdue,omitempty"`
	// Detections stand in serviceprincipals.jsonl alone.
	Detections []json.RawMessage `json:"detections,omitzero"`
}

// ServicePrincipals writes serviceprincipals.jsonl and serviceprincipals.csv, and
// keeps what of them report.json shows.
type ServicePrincipals struct {
	files
	shown []json.RawMessage
	wait  []Waiting
}

// NewServicePrincipals begins both files.
func NewServicePrincipals(jsonl, csv io.Writer, redact Redaction, form CSVForm) *ServicePrincipals {
	return &ServicePrincipals{files: newFiles(jsonl, csv, PrincipalColumns, redact, form)}
}

// Shown are the rows as report.json holds them.
func (w *ServicePrincipals) Shown() []json.RawMessage { return w.shown }

// Waiting are those that wait for a person.
func (w *ServicePrincipals) Waiting() []Waiting { return w.wait }

// Write adds one service principal to both files.
func (w *ServicePrincipals) Write(row ServicePrincipalRow) error {
	if w.ocsf != nil && row.Decision.Verdict != "" {
		if err := w.ocsf.PrincipalDecision(row); err != nil {
			return err
		}
	}
	p, raw := row.Risk, row.Risk.Raw
	detections := row.Detections
	if w.redact.Active() {
		p.DisplayName = w.redact.Text(p.DisplayName)
		var err error
		if raw, err = w.redact.document(raw); err != nil {
			return err
		}
		detections = make([]json.RawMessage, len(row.Detections))
		for i, d := range row.Detections {
			hidden, err := w.redact.document(string(d))
			if err != nil {
				return err
			}
			detections[i] = json.RawMessage(hidden)
		}
		row.Decision = w.redact.Decision(row.Decision, row.Open, row.Risk.DisplayName)
	}
	if row.Decision.NeedsPerson {
		w.wait = append(w.wait, principalWaits(p, row.Decision, row.AgeHours, row.Overdue))
	}
	tail := principalTail{OpenDetections: row.OpenDetections, OwnIdentity: row.Own, FirstParty: row.FirstParty, Evidence: w.redact.evidenceOf(row.Open), ChangedBy: w.redact.ChangedBy(row.ChangedBy), Overdue: row.Overdue}
	if row.Decision.Verdict != "" {
		tail.Decision = &row.Decision
	}
	if !row.Decision.OpenSince.IsZero() {
		tail.AgeHours = &row.AgeHours
	}
	shown, err := joined(raw, tail)
	if err != nil {
		return fmt.Errorf("service principal %s: %w", p.ID, err)
	}
	w.shown = append(w.shown, shown)
	if tail.Detections = detections; detections == nil {
		tail.Detections = []json.RawMessage{}
	}
	line, err := joined(raw, tail)
	if err != nil {
		return err
	}
	if err := w.lines.raw(string(line)); err != nil {
		return err
	}
	w.cells(p, row, tail)
	return w.end()
}

func principalWaits(p entra.RiskyServicePrincipal, d triage.Decision, age float64, overdue bool) Waiting {
	return Waiting{ID: string(p.ID), Name: p.DisplayName, RiskLevel: p.RiskLevel, Code: d.Code, Reasons: d.Reasons, OpenSince: d.OpenSince,
		AgeHours: age, Overdue: overdue, Privileged: d.Privileged}
}

// PrincipalsWaiting are those of the rows of report.json that wait for a person.
func PrincipalsWaiting(rows []json.RawMessage) ([]Waiting, error) {
	var out []Waiting
	for _, raw := range rows {
		var p entra.RiskyServicePrincipal
		var t principalTail
		if err := errors.Join(json.Unmarshal(raw, &p), json.Unmarshal(raw, &t)); err != nil {
			return nil, err
		}
		if t.Decision != nil && t.Decision.NeedsPerson {
			age := 0.0
			if t.AgeHours != nil {
				age = *t.AgeHours
			}
			out = append(out, principalWaits(p, *t.Decision, age, t.Overdue))
		}
	}
	return out, nil
}

// cells adds the line of the CSV file.
func (w *ServicePrincipals) cells(p entra.RiskyServicePrincipal, row ServicePrincipalRow, tail principalTail) {
	c, d := w.csv, row.Decision
	for _, s := range [...]string{string(p.ID), p.DisplayName, p.AppID, p.ServicePrincipalType} {
		c.text(s)
	}
	c.tristate(p.IsEnabled)
	for _, s := range [...]string{string(p.RiskLevel), string(p.RiskState), string(p.RiskDetail), c.form.Time(p.RiskLastUpdatedDateTime)} {
		c.text(s)
	}
	c.tristate(p.IsProcessing)
	c.number(row.OpenDetections)
	c.time(d.OpenSince)
	for _, s := range [...]string{string(d.Verdict), d.Code, d.Rule} {
		c.text(s)
	}
	c.flag(d.NeedsPerson)
	c.flag(d.Privileged)
	c.flag(row.Own)
	c.tristate(row.FirstParty)
	c.text(strings.Join(d.Reasons, "; "))
	c.decimal(tail.AgeHours)
	c.flag(row.Overdue)
	e := cmp.Or(tail.Evidence, &Evidence{})
	for _, list := range [...][]string{e.Types, e.Addresses, e.Places} {
		c.text(strings.Join(list, "; "))
	}
	owners, expiries := ruleWords(d.Rules)
	c.text(owners)
	c.text(expiries)
}

// joined is a document of Graph with members of ours at its end.
func joined(raw string, tail any) ([]byte, error) {
	text, err := json.Marshal(tail)
	if err != nil {
		return nil, err
	}
	var doc bytes.Buffer
	if err := json.Compact(&doc, []byte(raw)); err != nil {
		return nil, err
	}
	b := doc.Bytes()
	if len(b) < 2 || b[0] != '{' {
		return nil, fmt.Errorf("the document is no JSON object")
	}
	b = b[:len(b)-1]
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(b, text[1:]...), nil
}
