package entra

import "time"

// LogWindow is the part of a log that is read: rows from From on, and before or
// at To. A log shows rows some minutes late, and keeps them for 30 days, or 7
// without a licence.
type LogWindow struct{ From, To time.Time }

// AuditQuery selects directory audits.
type AuditQuery struct {
	LogWindow
	// Services are those that logged them; none means all. Targets are ids of
	// objects that were changed, whatever service says so. A row needs one of
	// either.
	Services []string
	Targets  []ID
}

// The services whose audits speak of what the product looks after.
const (
	ServiceConditionalAccess  = "Conditional Access"
	ServiceAuthentication     = "Authentication Methods" // of authentication strengths
	ServiceIdentityProtection = "Identity Protection"
)

// Audit is a directoryAudit: who did what to what.
type Audit struct {
	ID               string
	ActivityDateTime DateTime
	Activity         string // activityDisplayName; its case differs
	Category         string
	CorrelationID    string
	Service          string // loggedByService
	Operation        string // operationType
	Result           string // success, failure, timeout
	By               Initiator
	Targets          []AuditTarget
}

// Initiator is who did it: a person, an application, or nobody that the log
// names, which is what the service's own changes may show.
type Initiator struct {
	UserID            ID
	UserPrincipalName string
	UserDisplayName   string
	IPAddress         string

	AppID                ID
	AppName              string
	ServicePrincipalID   ID
	ServicePrincipalName string
}

// Identity is whom a token stands for.
type Identity struct {
	AppID    ID
	ObjectID ID // of the service principal, or of a person who is signed in
}

// AuditTarget is an object that was changed.
type AuditTarget struct {
	ID                ID
	DisplayName       string
	Type              string
	UserPrincipalName string
	Changed           []AuditChange
}

// AuditChange is one member of a target before and after, as the log words it;
// nil is null. Of a policy it is the whole policy as JSON text.
type AuditChange struct {
	Name     string
	Old, New *string
}

// SignInQuery selects sign-ins.
type SignInQuery struct {
	LogWindow
	UserIDs []ID // at most 60; none means everybody
}

// SignIn is a row of the sign-in log, of an interactive sign-in. One sign-in may
// have several rows: those share the CorrelationID. Strings are empty when null
// or absent.
type SignIn struct {
	ID                string
	CreatedDateTime   DateTime
	CorrelationID     string
	UserID            ID
	UserPrincipalName string
	AppID             ID // the client application
	AppDisplayName    string
	ResourceID        ID // what it signs in to
	ResourceName      string
	ClientApp         string // clientAppUsed
	IPAddress         string
	CountryOrRegion   string
	HomeTenantID      ID
	RiskDuring        string // riskLevelDuringSignIn
	RiskAggregated    string
	ErrorCode         int
	FailureReason     string
	ConditionalAccess string // conditionalAccessStatus
	Device            SignInDevice
	// Policies are what each policy made of it; PoliciesShown says that the
	// service told. It does not tell a caller who may not read policies. Rows
	// share what is equal: it is not to be changed.
	Policies      []*AppliedPolicy
	PoliciesShown bool
}

// SignInDevice is the device of a sign-in. A nil member is null or absent.
type SignInDevice struct {
	ID              string
	DisplayName     string
	OperatingSystem string
	Browser         string
	TrustType       string // in the log's words: Azure AD joined
	IsCompliant     *bool
	IsManaged       *bool
}

// AppliedPolicy is what one policy made of a sign-in.
type AppliedPolicy struct {
	ID     ID
	Result string // of appliedConditionalAccessPolicyResult
	// MFAAlone says that it demands a second factor and nothing else.
	MFAAlone bool
}

// The results of report-only policies.
const (
	ReportOnlySuccess     = "reportOnlySuccess"     // its controls were met
	ReportOnlyFailure     = "reportOnlyFailure"     // would have been refused
	ReportOnlyInterrupted = "reportOnlyInterrupted" // would have been asked
	ReportOnlyNotApplied  = "reportOnlyNotApplied"
)
