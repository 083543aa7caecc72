package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/risksweep/risksweep/internal/access"
	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/triage"
)

// lines gathers JSON Lines.
type lines struct {
	w   io.Writer
	buf []byte
	err error
}

// raw adds one document as it came, on one line.
func (l *lines) raw(doc string) error {
	if strings.IndexByte(doc, '\n') < 0 && strings.IndexByte(doc, '\r') < 0 {
		l.buf = append(l.buf, doc...)
	} else {
		var one bytes.Buffer
		if err := json.Compact(&one, []byte(doc)); err != nil {
			return err
		}
		l.buf = append(l.buf, one.Bytes()...)
	}
	return nil
}

func (l *lines) end() error {
	l.buf = append(l.buf, '\n')
	if len(l.buf) >= csvFlush {
		return l.flush()
	}
	return l.err
}

func (l *lines) flush() error {
	if l.err == nil && len(l.buf) > 0 {
		_, l.err = l.w.Write(l.buf)
		l.buf = l.buf[:0]
	}
	return l.err
}

// files are the JSON Lines and the CSV of one list, and the SIEM's file beside them.
type files struct {
	lines  lines
	csv    *csvWriter
	redact Redaction
	ocsf   *OCSF
}

func newFiles(jsonl, csv io.Writer, columns []string, redact Redaction, form CSVForm) files {
	return files{lines: lines{w: jsonl}, csv: newCSV(csv, columns, form), redact: redact}
}

// Also writes to a SIEM's file too: every detection, or every decision.
func (f *files) Also(o *OCSF) { f.ocsf = o }

// end ends the line of either file.
func (f *files) end() error {
	f.csv.end()
	return errors.Join(f.lines.end(), f.csv.err)
}

// Flush writes what is gathered, also of the SIEM's file.
func (f *files) Flush() error {
	var siem error
	if f.ocsf != nil {
		siem = f.ocsf.Flush()
	}
	return errors.Join(siem, f.lines.flush(), f.csv.flush())
}

// DetectionColumns are the columns of detections.csv.
var DetectionColumns = []string{"id", "detectedDateTime", "activityDateTime", "lastUpdatedDateTime", "userId", "userPrincipalName",
	"userDisplayName", "riskEventType", "riskLevel", "riskState", "riskDetail", "ipAddress", "city", "state", "countryOrRegion",
	"latitude", "longitude", "activity", "detectionTimingType", "source", "tokenIssuerType", "correlationId", "requestId", "additionalInfo"}

// Detections writes detections.jsonl and detections.csv.
type Detections struct{ files }

// NewDetections begins both files.
func NewDetections(jsonl, csv io.Writer, redact Redaction, form CSVForm) *Detections {
	return &Detections{newFiles(jsonl, csv, DetectionColumns, redact, form)}
}

// Write adds one detection to both files.
func (w *Detections) Write(d *entra.Detection) error {
	if w.ocsf != nil {
		if err := w.ocsf.Detection(d); err != nil {
			return err
		}
	}
	raw := d.Raw
	if w.redact.Active() {
		hidden := *d
		w.redact.detection(&hidden)
		var err error
		if raw, err = w.redact.document(raw); err != nil {
			return err
		}
		d = &hidden
	}
	if err := w.lines.raw(raw); err != nil {
		return err
	}
	c := w.csv
	for _, s := range [...]string{d.ID, c.form.Time(d.DetectedDateTime), c.form.Time(d.ActivityDateTime), c.form.Time(d.LastUpdatedDateTime), string(d.UserID),
		d.UserPrincipalName, d.UserDisplayName, d.RiskEventType, string(d.RiskLevel), string(d.RiskState), string(d.RiskDetail), d.IPAddress,
		d.Location.City, d.Location.State, d.Location.CountryOrRegion} {
		c.text(s)
	}
	var lat, long *float64
	if g := d.Location.GeoCoordinates; g != nil {
		lat, long = g.Latitude, g.Longitude
	}
	c.decimal(lat)
	c.decimal(long)
	for _, s := range [...]string{d.Activity, d.DetectionTimingType, d.Source, d.TokenIssuerType, d.CorrelationID, d.RequestID, d.AdditionalInfo} {
		c.text(s)
	}
	return w.end()
}

// UserRow is one risky user with the decision on it.
type UserRow struct {
	User           entra.RiskyUser
	Decision       triage.Decision
	OpenDetections int
	// Open are the open detections, the newest first.
	Open []triage.Detection
	// Reach is which policies would meet the risk; nil if that was not judged.
	Reach    *access.Reach
	AgeHours float64
	Overdue  bool
	// ChangedBy says who settled the risk, or confirmed it, by hand.
	ChangedBy *audit.ChangedBy
}

// UserColumns are the columns of users.csv.
var UserColumns = []string{"id", "userPrincipalName", "userDisplayName", "riskLevel", "riskState", "riskDetail", "riskLastUpdatedDateTime",
	"isDeleted", "isProcessing", "openDetections", "openSince", "verdict", "code", "rule", "needsPerson", "privileged", "reasons", "ageHours", "overdue", "types", "addresses", "places",
	"ruleOwner", "ruleExpires", "reachedBy"}

// Users writes users.jsonl and users.csv.
type Users struct {
	files
	waiting waitingHeap
}

// NewUsers begins both files.
func NewUsers(jsonl, csv io.Writer, redact Redaction, form CSVForm) *Users {
	return &Users{files: newFiles(jsonl, csv, UserColumns, redact, form)}
}

// userTail is what a line of users.jsonl holds besides Graph's own members.
type userTail struct {
	OpenDetections int              `json:"openDetections"`
	Decision       *triage.Decision `json:"decision"`
	Evidence       *Evidence        `json:"evidence,omitempty"`
	ChangedBy      *audit.ChangedBy `json:"changedBy,omitempty"`
	// ReachedBy are the enabled policies that would meet the risk; absent if
	// that was not judged, or the risk is not open.
	ReachedBy []access.Met `json:"reachedBy,omitzero"`
}

// Write adds one user to both files.
func (w *Users) Write(row UserRow) error {
	if w.ocsf != nil && row.Decision.Verdict != "" {
		if err := w.ocsf.Decision(row); err != nil {
			return err
		}
	}
	u, raw := row.User, row.User.Raw
	if w.redact.Active() {
		w.redact.user(&u)
		var err error
		if raw, err = w.redact.document(raw); err != nil {
			return err
		}
		row.Decision = w.redact.Decision(row.Decision, row.Open, row.User.UserPrincipalName, row.User.UserDisplayName)
	}
	tail := userTail{OpenDetections: row.OpenDetections, Evidence: w.redact.evidenceOf(row.Open), ChangedBy: w.redact.ChangedBy(row.ChangedBy)}
	if row.Reach != nil {
		tail.ReachedBy = row.Reach.ReachedBy
	}
	if row.Decision.Verdict != "" {
		tail.Decision = &row.Decision
	}
	if row.Decision.NeedsPerson {
		w.wait(&u, row.Decision, tail.Evidence)
	}
	doc := strings.TrimSpace(raw)
	if len(doc) < 2 || doc[0] != '{' || doc[len(doc)-1] != '}' {
		return fmt.Errorf("user %s: the document is no JSON object", u.ID)
	}
	if err := w.lines.raw(doc); err != nil {
		return err
	}
	o := object{b: bytes.TrimRight(w.lines.buf[:len(w.lines.buf)-1], " \t"), html: true} // open the document again
	tail.members(&o)
	o.end()
	if w.lines.buf = o.b; o.err != nil {
		return o.err
	}
	c := w.csv
	for _, s := range [...]string{string(u.ID), u.UserPrincipalName, u.UserDisplayName, string(u.RiskLevel), string(u.RiskState), string(u.RiskDetail),
		c.form.Time(u.RiskLastUpdatedDateTime)} {
		c.text(s)
	}
	c.tristate(u.IsDeleted)
	c.tristate(u.IsProcessing)
	c.number(row.OpenDetections)
	c.time(row.Decision.OpenSince)
	c.text(string(row.Decision.Verdict))
	c.text(row.Decision.Code)
	c.text(row.Decision.Rule)
	c.flag(row.Decision.NeedsPerson)
	c.flag(row.Decision.Privileged)
	c.text(strings.Join(row.Decision.Reasons, "; "))
	if row.Decision.OpenSince.IsZero() {
		c.text("")
	} else {
		c.decimal(&row.AgeHours)
	}
	c.flag(row.Overdue)
	e := cmp.Or(tail.Evidence, &Evidence{})
	for _, list := range [...][]string{e.Types, e.Addresses, e.Places} {
		c.text(strings.Join(list, "; "))
	}
	owners, expiries := ruleWords(row.Decision.Rules)
	c.text(owners)
	c.text(expiries)
	c.text(ReachedText(row.Reach))
	return w.end()
}

// ruleWords gives the owners of rules and the days on which they expire.
func ruleWords(rules []triage.UsedRule) (owners, expiries string) {
	var who, until []string
	for _, u := range rules {
		if u.Owner != "" && !slices.Contains(who, u.Owner) {
			who = append(who, u.Owner)
		}
		if u.Expires != "" && !slices.Contains(until, u.Expires) {
			until = append(until, u.Expires)
		}
	}
	return strings.Join(who, "; "), strings.Join(until, "; ")
}
