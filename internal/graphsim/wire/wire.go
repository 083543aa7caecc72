// Package wire is the counter between the simulated service's front door and
// its workloads: what a workload is given of an HTTP request and what it may
// answer. The front door (package graphsim) has already checked the token,
// throttled, and split the path; it turns the answer into Graph's envelope.
//
// It never does I/O and holds no state.
package wire

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Request is one authenticated call to one workload.
type Request struct {
	Method string
	// Path holds the decoded segments after the version, keys in
	// parentheses already split off into segments of their own:
	// /v1.0/users('a@b')/memberOf and /v1.0/users/a@b/memberOf both give
	// ["users", "a@b", "memberOf"]. A call with a named alternate key gives
	// "appId='...'" as the segment.
	Path []string
	// Query holds the raw query options, names as sent.
	Query  url.Values
	Header http.Header
	// Body is the decoded (gunzipped) body, nil if there was none.
	Body []byte
	// Now is the service's time of this call.
	Now time.Time
	// Root is the absolute service root the caller used, without a trailing
	// slash: "http://127.0.0.1:8890/v1.0". Contexts and next links start
	// with it.
	Root string
	// URL is the request's own URL, path and raw query, for next links.
	URL *url.URL
	// AppID and PrincipalID are the caller's client id and the object id of
	// its service principal (initiatedBy of what it does).
	AppID, PrincipalID string
	// Roles are the app roles in the caller's token.
	Roles []string
	// UnknownEnums is true if the caller sent
	// Prefer: include-unknown-enum-members.
	UnknownEnums bool
	// Eventual is true if the caller sent ConsistencyLevel: eventual.
	Eventual bool
}

// Response is a successful answer. A nil Body sends no body.
type Response struct {
	Status int
	Header http.Header
	// Body is marshalled with encoding/json; a json.RawMessage is sent as it
	// is and a string as text/plain.
	Body any
	// Effect says that the call changed the tenant (for the journal).
	Effect bool
	// Deeds are what was done (for the audit log).
	Deeds []Deed
}

// Deed is something that was done, in the words of the audit log.
type Deed struct {
	// Activity is its activityDisplayName, Service its loggedByService, and
	// Operation its operationType.
	Activity  string   `json:"activity"`
	Service   string   `json:"service"`
	Category  string   `json:"category"`
	Operation string   `json:"operation"`
	Targets   []Target `json:"targets"`
}

// Target is what it was done to.
type Target struct {
	ID                string   `json:"id"`
	Name              string   `json:"name,omitempty"`
	Type              string   `json:"type,omitempty"`
	UserPrincipalName string   `json:"userPrincipalName,omitempty"`
	GroupType         string   `json:"groupType,omitempty"`
	Changed           []Change `json:"changed,omitempty"`
}

// Change is a property before and after; nil is no value.
type Change struct {
	Name string  `json:"name"`
	Old  *string `json:"old,omitempty"`
	New  *string `json:"new,omitempty"`
}

// Error is the service's refusal: status, error.code and error.message of
// Graph's envelope.
type Error struct {
	Status        int
	Code, Message string
	Header        http.Header
	// InnerCode is innerError.code, left out if empty.
	InnerCode string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Workload answers the calls of one part of the service. Claims says whether
// a path is this workload's; Serve is called only for paths it claims.
type Workload interface {
	Claims(path []string) bool
	// Needs returns the app roles of which the token must hold at least one
	// set (each inner slice: all of them), and the error for a token that
	// has none of them.
	Needs(method string, path []string) (anyOf [][]string, denied *Error)
	Serve(*Request) (*Response, *Error)
	// Export gives the workload's whole state as JSON that Import takes back.
	Export() (json.RawMessage, error)
	Import(json.RawMessage) error
}
