// Package entra holds the words that every room speaks: detections, risky
// users, service principals, policy documents, directory objects and the kinds
// of error that a call to the service can end in.
//
// It is a leaf: plain values, no I/O, no SDK type, nothing of ours imported.
// A value that Graph sent is never lost: every decoded resource keeps its
// document as it came, and an enum member that we do not know keeps its text.
package entra

import (
	"time"
)

// DateTime is an Edm.DateTimeOffset as Graph wrote it: UTC with Z and up to
// seven fractional digits. Empty means null or absent.
type DateTime string

// Time parses the value. An empty or malformed value gives the zero time and
// false.
func (d DateTime) Time() (time.Time, bool) {
	if d == "" {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(d))
	return t, err == nil
}

// NewDateTime writes t as Graph does.
func NewDateTime(t time.Time) DateTime {
	return DateTime(t.UTC().Truncate(100 * time.Nanosecond).Format(time.RFC3339Nano))
}

// Location is a signInLocation.
type Location struct {
	City            string          `json:"city,omitempty"`
	State           string          `json:"state,omitempty"`
	CountryOrRegion string          `json:"countryOrRegion,omitempty"`
	GeoCoordinates  *GeoCoordinates `json:"geoCoordinates,omitempty"`
}

// GeoCoordinates is a position in degrees and metres; a nil member is null.
type GeoCoordinates struct {
	Altitude  *float64 `json:"altitude,omitempty"`
	Latitude  *float64 `json:"latitude,omitempty"`
	Longitude *float64 `json:"longitude,omitempty"`
}

// Detection is a riskDetection, or a servicePrincipalRiskDetection when
// ServicePrincipalID is set. Strings are empty when null or absent.
type Detection struct {
	ID                  string
	Activity            string
	ActivityDateTime    DateTime
	AdditionalInfo      string
	CorrelationID       string
	DetectedDateTime    DateTime
	DetectionTimingType string
	IPAddress           string
	LastUpdatedDateTime DateTime
	Location            Location
	RequestID           string
	RiskDetail          RiskDetail
	RiskEventType       string
	RiskLevel           RiskLevel
	RiskState           RiskState
	Source              string
	TokenIssuerType     string
	UserDisplayName     string
	UserID              ID
	UserPrincipalName   string

	AppID                       string
	KeyIDs                      []string
	ServicePrincipalID          ID
	ServicePrincipalDisplayName string

	// Raw is the document as Graph sent it.
	Raw string
}

// RiskyUser is a riskyUser. IsDeleted and IsProcessing are nil when null or
// absent; nil is never taken for false.
type RiskyUser struct {
	ID                      ID
	IsDeleted               *bool
	IsProcessing            *bool
	RiskDetail              RiskDetail
	RiskLastUpdatedDateTime DateTime
	RiskLevel               RiskLevel
	RiskState               RiskState
	UserDisplayName         string
	UserPrincipalName       string

	// Raw is the document as Graph sent it.
	Raw string
}

// RiskHistoryItem is a riskyUserHistoryItem.
type RiskHistoryItem struct {
	RiskyUser
	UserID         ID
	InitiatedBy    string
	ActivityDetail RiskDetail
	RiskEventTypes []string
}

// RiskyServicePrincipal is a riskyServicePrincipal.
type RiskyServicePrincipal struct {
	ID                      ID
	AppID                   string
	DisplayName             string
	IsEnabled               *bool
	IsProcessing            *bool
	RiskDetail              RiskDetail
	RiskLastUpdatedDateTime DateTime
	RiskLevel               RiskLevel
	RiskState               RiskState
	ServicePrincipalType    string

	// Raw is the document as Graph sent it.
	Raw string
}

// Page is one page of a collection. Items and what they point to are valid
// until the next page is asked for. Next is the link of the following page,
// empty on the last; it is opaque and may be stored to go on from here.
type Page[T any] struct {
	Items []T
	Next  string
}

// DetectionQuery selects detections. Members that are set are joined with
// "and", except that Open and UpdatedSince together mean "open, or updated
// since": a row that is open and is closed while the pages are read moves its
// lastUpdatedDateTime, so no row leaves that selection and the offsets of the
// service's skip tokens stay right.
type DetectionQuery struct {
	Open              bool      // open states only (RiskState.Open)
	UpdatedSince      time.Time // lastUpdatedDateTime not before
	DetectedSince     time.Time // detectedDateTime not before
	UserIDs           []ID      // at most 60
	UserPrincipalName string
	UserDisplayName   string
	Level             RiskLevel
	State             RiskState
	Filter            string // a raw OData expression, joined with "and"
	Resume            string // a stored Page.Next: go on from there
}

// RiskyUserQuery selects risky users; the members combine as in
// DetectionQuery.
type RiskyUserQuery struct {
	Open              bool
	UpdatedSince      time.Time // riskLastUpdatedDateTime not before
	IDs               []ID      // at most 60
	UserPrincipalName string
	Level             RiskLevel
	State             RiskState
	Filter            string
	Resume            string
}
