// Package triage decides on each risky user by an allowlist and escalation
// rules written as YAML: dismiss, confirm compromised, or leave to a person,
// always with a reason.
//
// It is pure: it does no I/O, resolves no names itself and takes the time as a
// value. What it does not know counts as the dangerous case: an unknown value
// never dismisses and never confirms.
package triage

import (
	"net/netip"
	"time"

	"github.com/risksweep/risksweep/internal/entra"
)

// Policy is a triage file, read and checked. Names are not resolved yet.
type Policy struct {
	file        string
	protected   protected
	allowlist   []allowEntry
	escalations []escalation
}

type protected struct{ users, groups, principals []string }

// allowEntry is one entry of the allowlist.
type allowEntry struct {
	id                string
	users, groups     []string
	principals        []string // service principals by object id, app id or name
	groupRiskAccepted bool
	privileged        bool
	// bySignIn says that it closes the sign-ins that it covers and nothing else of
	// the user, safe that it says of them that they were harmless.
	bySignIn, safe bool
	when           allowWhen
	reason, owner  string
	expires        time.Time // the first moment at which it no longer covers
	expiresText    string
}

// allowWhen are the conditions that a detection must all meet to be covered.
type allowWhen struct {
	eventTypes []string
	maxLevel   entra.RiskLevel
	ranges     []netip.Prefix
	countries  []string
}

// escalation is a rule for what must be confirmed compromised.
type escalation struct {
	id string
	// principals are the service principals that it is about, All for all; empty
	// for one that is about users.
	principals []string
	privileged bool
	when       escalateWhen
	reason     string
	// then are the steps besides the confirmation, in their order.
	then []Step
}

// Closing is a sign-in that is closed by itself, with all of its detections.
type Closing struct {
	RequestID  string   `json:"requestId"`
	Detections []string `json:"detections"`
}

// Step is what an escalation has done to the account of a user whom it confirms
// compromised.
type Step string

// The steps, in the order in which they are taken.
const (
	RevokeSessions Step = "revokeSessions"
	DisableAccount Step = "disableAccount"
)

// Steps are all steps in their order.
var Steps = []Step{RevokeSessions, DisableAccount}

type escalateWhen struct {
	eventTypes []string
	minLevel   entra.RiskLevel
	ranges     []netip.Prefix
	countries  []string
}

// Detection is what triage needs of an open detection.
type Detection struct {
	ID        string          `json:"id"`
	EventType string          `json:"riskEventType"`
	IP        string          `json:"ipAddress,omitempty"`
	Country   string          `json:"countryOrRegion,omitempty"`
	City      string          `json:"city,omitempty"`
	Level     entra.RiskLevel `json:"riskLevel"`
	State     entra.RiskState `json:"riskState"`
	Detected  entra.DateTime  `json:"detectedDateTime,omitempty"`
	Updated   entra.DateTime  `json:"lastUpdatedDateTime,omitempty"`
	Activity  entra.DateTime  `json:"activityDateTime,omitempty"`
	// The sign-in: for people who look it up, nothing is decided by it.
	RequestID     string `json:"requestId,omitempty"`
	CorrelationID string `json:"correlationId,omitempty"`
	UserAgent     string `json:"userAgent,omitempty"`
}

// Seen gives what triage needs of a detection.
func Seen(d *entra.Detection) Detection {
	return Detection{ID: d.ID, EventType: d.RiskEventType, IP: d.IPAddress, Country: d.Location.CountryOrRegion, City: d.Location.City,
		Level: d.RiskLevel, State: d.RiskState, Detected: d.DetectedDateTime, Updated: d.LastUpdatedDateTime, Activity: d.ActivityDateTime,
		RequestID: d.RequestID, CorrelationID: d.CorrelationID, UserAgent: d.UserAgent()}
}

// Past is an earlier dismissal or confirmation of a user.
type Past struct {
	At              time.Time
	RiskLastUpdated entra.DateTime
	Detections      []string
	// Pending: it may still take effect. Effective: its effect was seen.
	Pending, Effective bool
}

// Evidence is all that is known of one user.
type Evidence struct {
	User entra.RiskyUser
	// Detections are the open ones, all of them unless Incomplete says why not.
	Detections []Detection
	Incomplete string
	// HeldBack says why nothing may be ordered for the user now: an earlier
	// order may still take effect, and nobody knows.
	HeldBack      string
	Dismissals    []Past
	Confirmations []Past
	// Contained are the steps that were taken before.
	Contained map[string][]Past
	// Closed are the earlier closings of single detections.
	Closed []Past
}

// Verdict is what is to be done with a user.
type Verdict string

// The verdicts.
const (
	Dismiss            Verdict = "dismiss"
	ConfirmCompromised Verdict = "confirmCompromised"
	Leave              Verdict = "leave"
	// DismissDetections and ConfirmSafeDetections close single sign-ins: those of
	// Decision.Close.
	DismissDetections     Verdict = "dismissDetections"
	ConfirmSafeDetections Verdict = "confirmSafeDetections"
	// ConfirmSafe is never a rule's: only a person orders it.
	ConfirmSafe Verdict = "confirmSafe"
)

// The codes of decisions: stable words for machines.
const (
	CodeAllowlisted      = "allowlisted"        // dismiss: every open detection is covered
	CodeSignIns          = "signInsAllowlisted" // close the sign-ins that an entry of scope detections covers
	CodeEscalated        = "escalated"          // confirm: an escalation matches
	CodeNotAtRisk        = "notAtRisk"          // the user is not atRisk: nothing to decide
	CodeUnknownState     = "unknownState"       // the riskState is not understood
	CodeUnknownLevel     = "unknownLevel"       // the user's riskLevel is not understood
	CodeDeleted          = "deleted"            // deleted, or not known whether
	CodeProcessing       = "processing"         // being processed, or not known whether
	CodeProtected        = "protected"          // the protected section names the user
	CodeProtectionBroken = "protectionUnknown"  // who is protected, or break-glass, could not be resolved
	CodeBreakGlass       = "breakGlass"         // an emergency account of the baseline
	CodePrivileged       = "privileged"         // a directory role reaches the user
	CodeRolesUnknown     = "rolesUnknown"       // directory roles could not be read
	CodeIncomplete       = "incompleteEvidence"
	CodeNoDetections     = "noOpenDetections"
	CodeUncovered        = "uncovered" // an open detection is not covered
	CodeLevelAbove       = "levelAboveEvidence"
	CodePending          = "pending"           // an earlier order may still take effect
	CodeRepeated         = "dismissedTooOften" // three times in 30 days
	CodeIneffective      = "dismissalWithoutEffect"
	CodeEscalatedOnce    = "escalatedAlready"    // confirmed in this risk episode already
	CodeEscalationHidden = "escalationUndecided" // an unknown value keeps an escalation from being ruled out
	CodeOwnIdentity      = "ownIdentity"         // the identity that the run works as, or not known whether
	CodeFirstParty       = "firstParty"          // an application of Microsoft's, or not known whose
)

// Codes lists every code, for documents and schemas.
func Codes() []string {
	return []string{CodeAllowlisted, CodeSignIns, CodeEscalated, CodeNotAtRisk, CodeUnknownState, CodeUnknownLevel, CodeDeleted, CodeProcessing, CodeProtected,
		CodeProtectionBroken, CodeBreakGlass, CodePrivileged, CodeRolesUnknown, CodeIncomplete, CodeNoDetections, CodeUncovered,
		CodeLevelAbove, CodePending, CodeRepeated, CodeIneffective, CodeEscalatedOnce, CodeEscalationHidden, CodeOwnIdentity, CodeFirstParty}
}

// Decision is what triage says of one user.
type Decision struct {
	Verdict Verdict `json:"verdict"`
	Code    string  `json:"code"`
	// Rule is the allowlist entry or the escalation that decided.
	Rule string `json:"rule,omitempty"`
	// Close are the sign-ins that are to be closed, one by one.
	Close []Closing `json:"close,omitempty"`
	// Then are the steps that are due now on the user's account.
	Then []Step `json:"then,omitempty"`
	// Rules are the rules that decided, or covered a part, as they were.
	Rules []UsedRule `json:"rules,omitempty"`
	// Reasons say why. Where a person is needed the first one is what the open
	// detections show.
	Reasons []string `json:"reasons"`
	// NeedsPerson says that the risk is open and no rule settles it; in a report
	// also that what a rule or a person asked for was not carried out, or that the
	// user is confirmed compromised now.
	NeedsPerson bool `json:"needsPerson"`
	// Covered names the allowlist entry for each covered detection.
	Covered map[string]string `json:"covered,omitempty"`
	// NearMisses are entries that nearly cover what is not covered.
	NearMisses []NearMiss `json:"nearMisses,omitempty"`
	Privileged bool       `json:"privileged"`
	// OpenSince is when the oldest open detection was detected.
	OpenSince time.Time `json:"openSince,omitzero"`
}
