package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/risksweep/risksweep/internal/audit"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/plan"
	"github.com/risksweep/risksweep/internal/triage"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework that
// the lines of ocsf.jsonl follow.
const OCSFVersion = "1.4.0"

// The class of all lines: Detection Finding, in the category Findings.
const (
	ocsfClass    = 2004
	ocsfCategory = 2
)

// OCSFSource is what every line says of where it comes from.
type OCSFSource struct {
	Version  string // of risksweep
	Run      string
	TenantID string
	// At is the start of the run: the time of decisions, and of
	// detections that bear none.
	At time.Time
}

// OCSF writes ocsf.jsonl: each detection and each decision as a Detection
// Finding for a SIEM.
type OCSF struct {
	lines  lines
	source OCSFSource
	redact Redaction
	asked  *plan.Requested
}

// NewOCSF begins the file.
func NewOCSF(w io.Writer, source OCSFSource, redact Redaction) *OCSF {
	return &OCSF{lines: lines{w: w}, source: source, redact: redact}
}

// Asked says who asked for the run: it stands in the decisions of an order. What
// it says is redacted already.
func (o *OCSF) Asked(by *plan.Requested) { o.asked = by }

// Flush writes what is gathered.
func (o *OCSF) Flush() error { return o.lines.flush() }

type ocsfFinding struct {
	ActivityID   int              `json:"activity_id"`
	ActivityName string           `json:"activity_name"`
	CategoryUID  int              `json:"category_uid"`
	CategoryName string           `json:"category_name"`
	ClassUID     int              `json:"class_uid"`
	ClassName    string           `json:"class_name"`
	TypeUID      int              `json:"type_uid"`
	Time         int64            `json:"time"`
	StartTime    int64            `json:"start_time,omitempty"`
	SeverityID   int              `json:"severity_id"`
	Severity     string           `json:"severity"`
	StatusID     int              `json:"status_id"`
	Status       string           `json:"status"`
	StatusDetail string           `json:"status_detail,omitempty"`
	Message      string           `json:"message"`
	IsAlert      bool             `json:"is_alert"`
	FindingInfo  ocsfInfo         `json:"finding_info"`
	Resources    []ocsfResource   `json:"resources,omitempty"`
	Evidences    []ocsfEvidence   `json:"evidences,omitempty"`
	Observables  []ocsfObservable `json:"observables,omitempty"`
	Metadata     ocsfMetadata     `json:"metadata"`
	Unmapped     map[string]any   `json:"unmapped,omitempty"`
}

type ocsfInfo struct {
	UID          string   `json:"uid"`
	Title        string   `json:"title"`
	Desc         string   `json:"desc,omitempty"`
	Types        []string `json:"types,omitempty"`
	CreatedTime  int64    `json:"created_time,omitempty"`
	ModifiedTime int64    `json:"modified_time,omitempty"`
	DataSources  []string `json:"data_sources,omitempty"`
}

type ocsfResource struct {
	UID  string `json:"uid,omitempty"`
	Name string `json:"name,omitempty"`
	Type string `json:"type"`
}

type ocsfEvidence struct {
	Actor  *ocsfActor    `json:"actor,omitempty"`
	User   *ocsfUser     `json:"user,omitempty"`
	Source *ocsfEndpoint `json:"src_endpoint,omitempty"`
}

type ocsfUser struct {
	UID      string `json:"uid,omitempty"`
	Name     string `json:"name,omitempty"`
	FullName string `json:"full_name,omitempty"`
}

// ocsfActor is who ordered what a finding tells of.
type ocsfActor struct {
	User    *ocsfUser `json:"user,omitempty"`
	AppName string    `json:"app_name,omitempty"`
	AppUID  string    `json:"app_uid,omitempty"`
}

type ocsfEndpoint struct {
	IP       string        `json:"ip,omitempty"`
	Location *ocsfLocation `json:"location,omitempty"`
}

type ocsfLocation struct {
	City    string `json:"city,omitempty"`
	Region  string `json:"region,omitempty"`
	Country string `json:"country,omitempty"`
}

type ocsfObservable struct {
	Name   string `json:"name"`
	TypeID int    `json:"type_id"`
	Type   string `json:"type"`
	Value  string `json:"value"`
}

type ocsfMetadata struct {
	Version        string      `json:"version"`
	Product        ocsfProduct `json:"product"`
	UID            string      `json:"uid"`
	CorrelationUID string      `json:"correlation_uid,omitempty"`
	OriginalTime   string      `json:"original_time,omitempty"`
	LogProvider    string      `json:"log_provider"`
	TenantUID      string      `json:"tenant_uid,omitempty"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version,omitempty"`
}

// unknownWord stands where Graph left a value empty.
const unknownWord = "(unknown)"

// provider is who found what the lines report.
const provider = "Microsoft Entra ID Protection"

// Detection adds one detection, of a user or of a service principal.
func (o *OCSF) Detection(d *entra.Detection) error {
	if o.redact.Active() {
		hidden := *d
		o.redact.detection(&hidden)
		d = &hidden
	}
	who := ocsfUser{UID: string(d.UserID), Name: d.UserPrincipalName, FullName: d.UserDisplayName}
	kind := "User"
	if d.ServicePrincipalID != "" {
		who, kind = ocsfUser{UID: string(d.ServicePrincipalID), Name: d.ServicePrincipalDisplayName}, "Service principal"
	}
	f := o.finding(d.RiskLevel, d.RiskState)
	f.ActivityID, f.ActivityName = activity(d)
	f.Time = o.millis(d.DetectedDateTime, d.LastUpdatedDateTime, d.ActivityDateTime)
	f.StartTime = millis(d.ActivityDateTime)
	title := cmp.Or(d.RiskEventType, unknownWord)
	f.FindingInfo = ocsfInfo{UID: d.ID, Title: title, CreatedTime: millis(d.DetectedDateTime), ModifiedTime: millis(d.LastUpdatedDateTime), DataSources: []string{provider}}
	if d.RiskEventType != "" {
		f.FindingInfo.Types = []string{d.RiskEventType}
	}
	f.Message = fmt.Sprintf("%s (%s, %s) for %s", title, cmp.Or(string(d.RiskLevel), unknownWord), cmp.Or(string(d.RiskState), unknownWord), cmp.Or(who.Name, who.UID, unknownWord))
	f.Metadata = o.metadata(d.ID, d.DetectedDateTime)
	f.Metadata.CorrelationUID = d.CorrelationID
	f.Resources = []ocsfResource{{UID: who.UID, Name: who.Name, Type: kind}}
	e := ocsfEvidence{User: &who}
	if l := (ocsfLocation{City: d.Location.City, Region: d.Location.State, Country: d.Location.CountryOrRegion}); d.IPAddress != "" || l != (ocsfLocation{}) {
		e.Source = &ocsfEndpoint{IP: d.IPAddress}
		if l != (ocsfLocation{}) {
			e.Source.Location = &l
		}
	}
	f.Evidences = []ocsfEvidence{e}
	f.observe("resources[].name", 4, "User Name", who.Name)
	f.observe("evidences[].src_endpoint.ip", 2, "IP Address", d.IPAddress)
	for name, value := range map[string]string{"activity": d.Activity, "additionalInfo": d.AdditionalInfo, "appId": d.AppID,
		"detectionTimingType": d.DetectionTimingType, "requestId": d.RequestID, "riskDetail": string(d.RiskDetail), "riskLevel": string(d.RiskLevel),
		"riskState": string(d.RiskState), "source": d.Source, "tokenIssuerType": d.TokenIssuerType} {
		if value != "" {
			f.unmapped(name, value)
		}
	}
	return o.add(f)
}

// Decision adds the decision on one user. It is a finding of its own, once for
// each state of the user's risk.
func (o *OCSF) Decision(row UserRow) error {
	return o.decision(row, "riskyUser", "Risky user", "User")
}

func (o *OCSF) decision(row UserRow, kind, title, resource string) error {
	u, d := row.User, row.Decision
	if o.redact.Active() {
		d = o.redact.Decision(d, row.Open, u.UserPrincipalName, u.UserDisplayName)
		o.redact.user(&u)
	}
	f := o.finding(u.RiskLevel, u.RiskState)
	f.ActivityID, f.ActivityName = 2, "Update"
	f.Time = o.source.At.UnixMilli()
	switch {
	case d.NeedsPerson:
		f.StatusID, f.Status = 1, "New"
	case d.Verdict == triage.Dismiss || d.Verdict == triage.ConfirmCompromised || d.Verdict == triage.ConfirmSafe || len(d.Close) > 0:
		f.StatusID, f.Status = 2, "In Progress"
	case !u.RiskState.Open(): // nothing is left to do, also where it was done before
		f.ActivityID, f.ActivityName = 3, "Close"
	}
	f.IsAlert = d.NeedsPerson
	f.StatusDetail = d.Code
	verdict := cmp.Or(string(d.Verdict), unknownWord)
	f.FindingInfo = ocsfInfo{UID: strings.TrimRight(kind+"/"+string(u.ID)+"/"+string(u.RiskLastUpdatedDateTime), "/"), Title: title + ": " + verdict,
		Desc: strings.Join(d.Reasons, "; "), Types: []string{kind}, ModifiedTime: millis(u.RiskLastUpdatedDateTime), DataSources: []string{provider}}
	if !d.OpenSince.IsZero() {
		f.FindingInfo.CreatedTime, f.StartTime = d.OpenSince.UnixMilli(), d.OpenSince.UnixMilli()
	}
	f.Message = fmt.Sprintf("%s: %s (%s)", cmp.Or(u.UserPrincipalName, string(u.ID), unknownWord), verdict, cmp.Or(d.Code, unknownWord))
	f.Metadata = o.metadata(o.source.Run+"/"+string(u.ID), u.RiskLastUpdatedDateTime)
	f.Metadata.LogProvider = "risksweep"
	f.Resources = []ocsfResource{{UID: string(u.ID), Name: u.UserPrincipalName, Type: resource}}
	f.observe("resources[].name", 4, "User Name", u.UserPrincipalName)
	f.unmapped("verdict", verdict)
	f.unmapped("code", d.Code)
	f.unmapped("rule", d.Rule)
	f.unmapped("needsPerson", d.NeedsPerson)
	f.unmapped("openDetections", row.OpenDetections)
	f.unmapped("riskLevel", u.RiskLevel)
	f.unmapped("riskState", u.RiskState)
	o.ordered(f, d)
	if by := o.redact.ChangedBy(row.ChangedBy); by != nil {
		f.unmapped("changedBy", by)
	}
	return o.add(f)
}

// PrincipalDecision adds the decision on one service principal, in the form of
// that on a user.
func (o *OCSF) PrincipalDecision(row ServicePrincipalRow) error {
	u := row.Risk.AsUser()
	u.UserDisplayName = ""
	return o.decision(UserRow{User: u, Decision: row.Decision, OpenDetections: row.OpenDetections, Open: row.Open, ChangedBy: row.ChangedBy}, "riskyServicePrincipal", "Risky service principal", "Service principal")
}

// Policy adds a policy, location or strength that is not what the baseline says,
// and that somebody has changed.
func (o *OCSF) Policy(row PolicyRow) error {
	f := o.finding("", "")
	f.ActivityID, f.ActivityName, f.IsAlert = 1, "Create", true
	f.StatusID, f.Status = 1, "New"
	f.SeverityID, f.Severity = 3, "Medium"
	f.Time = o.millis(row.ChangedBy.At)
	f.FindingInfo = ocsfInfo{UID: strings.TrimRight(string(row.Kind)+"/"+cmp.Or(row.ID, row.Key)+"/"+string(row.ChangedBy.At), "/"), Title: "Drift: " + row.DisplayName,
		Desc: row.ChangedBy.Text(), Types: []string{"policyDrift"}, DataSources: []string{"Microsoft Entra audit log"}}
	f.Message = fmt.Sprintf("%s: %s, %s", cmp.Or(row.DisplayName, row.ID, unknownWord), row.Status, row.ChangedBy.Text())
	f.Metadata = o.metadata(o.source.Run+"/"+string(row.Kind)+"/"+cmp.Or(row.Key, row.ID), row.ChangedBy.At)
	f.Metadata.LogProvider = "risksweep"
	f.Resources = []ocsfResource{{UID: row.ID, Name: row.DisplayName, Type: string(row.Kind)}}
	if row.ChangedBy.Kind == audit.User {
		f.Evidences = []ocsfEvidence{{User: &ocsfUser{Name: row.ChangedBy.Name}}}
	}
	f.unmapped("key", row.Key)
	f.unmapped("status", row.Status)
	f.unmapped("changedBy", row.ChangedBy)
	return o.add(f)
}

// ordered says in the decision of an order who gave it, and why.
func (o *OCSF) ordered(f *ocsfFinding, d triage.Decision) {
	by := o.asked
	if by == nil || d.Rule != ruleOrder {
		return
	}
	actor := &ocsfActor{}
	if by.By != "" {
		actor.User = &ocsfUser{Name: by.By}
		f.unmapped("orderedBy", by.By)
	}
	if s := by.SignedInAs; s != nil {
		f.unmapped("signedInAs", s.String())
		if actor.AppUID = s.AppID; s.Kind == entra.SignedInApp {
			actor.AppName = s.Name
		}
	}
	if by.Reason != "" {
		f.unmapped("orderReason", by.Reason)
	}
	f.unmapped("orderedThrough", by.Through)
	f.Evidences = append(f.Evidences, ocsfEvidence{Actor: actor})
}

func (o *OCSF) finding(level entra.RiskLevel, state entra.RiskState) *ocsfFinding {
	f := &ocsfFinding{CategoryUID: ocsfCategory, CategoryName: "Findings", ClassUID: ocsfClass, ClassName: "Detection Finding", IsAlert: state.Open()}
	f.SeverityID, f.Severity = severity(level)
	f.StatusID, f.Status = status(state)
	return f
}

func (f *ocsfFinding) unmapped(name string, value any) {
	if f.Unmapped == nil {
		f.Unmapped = map[string]any{}
	}
	f.Unmapped[name] = value
}

func (f *ocsfFinding) observe(name string, id int, kind, value string) {
	if value != "" {
		f.Observables = append(f.Observables, ocsfObservable{Name: name, TypeID: id, Type: kind, Value: value})
	}
}

func (o *OCSF) metadata(uid string, original entra.DateTime) ocsfMetadata {
	return ocsfMetadata{Version: OCSFVersion, Product: ocsfProduct{Name: "risksweep", VendorName: "risksweep", Version: o.source.Version},
		UID: uid, OriginalTime: string(original), LogProvider: provider, TenantUID: o.source.TenantID}
}

func (o *OCSF) add(f *ocsfFinding) error {
	f.TypeUID = f.ClassUID*100 + f.ActivityID
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := o.lines.raw(string(text)); err != nil {
		return err
	}
	return o.lines.end()
}

// severity is OCSF's severity_id of a riskLevel.
func severity(l entra.RiskLevel) (int, string) {
	switch l {
	case entra.LevelNone:
		return 1, "Informational"
	case entra.LevelLow:
		return 2, "Low"
	case entra.LevelMedium:
		return 3, "Medium"
	case entra.LevelHigh:
		return 4, "High"
	case "", entra.LevelHidden:
		return 0, "Unknown"
	}
	return 99, string(l)
}

// status is OCSF's status_id of a riskState.
func status(s entra.RiskState) (int, string) {
	switch s {
	case entra.StateAtRisk:
		return 1, "New"
	case entra.StateConfirmedCompromised:
		return 2, "In Progress"
	case entra.StateDismissed, entra.StateConfirmedSafe:
		return 3, "Suppressed"
	case entra.StateRemediated, entra.StateNone:
		return 4, "Resolved"
	case "":
		return 0, "Unknown"
	}
	return 99, string(s)
}

// activity says whether a detection is new, was updated since, or is closed.
func activity(d *entra.Detection) (int, string) {
	switch {
	case !d.RiskState.Open():
		return 3, "Close"
	case d.LastUpdatedDateTime != "" && millis(d.LastUpdatedDateTime) > millis(d.DetectedDateTime):
		return 2, "Update"
	}
	return 1, "Create"
}

// millis is a time in milliseconds since 1970, 0 if it is not known.
func millis(d entra.DateTime) int64 {
	t, ok := d.Time()
	if !ok {
		return 0
	}
	return t.UnixMilli()
}

// millis is the first time that is known, else that of the run.
func (o *OCSF) millis(times ...entra.DateTime) int64 {
	for _, d := range times {
		if n := millis(d); n != 0 {
			return n
		}
	}
	return o.source.At.UnixMilli()
}
