// Package graphsim is a simulated Microsoft Entra tenant that speaks Microsoft
// Graph over HTTP: risk, directory and Conditional Access, with sign-in,
// throttling, lag and faults, so that a client of the real service cannot tell
// the difference. It is written from Microsoft's documentation and metadata,
// for any client of that slice of Graph.
//
// This package is the front door: it splits paths, checks tokens and app
// roles, throttles, plays fault scripts, unpacks batches, and writes Graph's
// envelope. What the service knows and does is in the workloads below it
// (directory, risk, conditionalaccess), which answer through package wire.
//
// It imports nothing of the product and never calls out. All its state is in
// memory; the same seed and clock give the same tenant.
package graphsim

import (
	"crypto/x509"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Options says what tenant to make and how its service behaves. The zero value
// is an empty tenant of the global cloud with a P2 licence, on the real clock,
// without throttling, lag or faults.
type Options struct {
	// Seed decides every name, id and number of the generated tenant.
	Seed uint64
	// Users, Detections and Policies are exact counts; 0 means none.
	Users, Detections, Policies int
	// SignIns is how many sign-ins there were in the four weeks before; they go
	// on at the same pace as the clock does. 0 means none at all.
	SignIns int
	// Now is where the service's clock starts; from there it runs on. Zero
	// means the real time.
	Now time.Time
	// Clock replaces the clock that the service's time runs by; nil means
	// the system's.
	Clock func() time.Time
	// Rate is how many requests per second the tenant allows on
	// /identityProtection and /identity together, with no burst, and turns on
	// the own limits of the directory and of the logs. 0 means no throttling.
	Rate float64
	// Lag is how long a write takes to become visible; 0 means at once.
	Lag time.Duration
	// AuditDelay is how long a change takes to show in the audit log; 0 means
	// at once.
	AuditDelay time.Duration
	// AppRestore lets applications restore deleted policies and locations, not
	// persons alone.
	AppRestore bool
	// Beta lets lists of the beta version be read: agents at risk, and the policies
	// that v1.0 hides.
	Beta bool
	// Faults is a fault script (YAML or JSON) and FaultsFile its name for
	// messages.
	Faults     []byte
	FaultsFile string
	// Roles are the app roles of every token; nil means all of AllRoles, an
	// empty slice none.
	Roles []string
	// Token is a fixed opaque token that is accepted beside signed ones and
	// becomes the ready token. Empty: the ready token is a signed one.
	Token string
	// Cloud is global, usgov, usgovdod or china; empty means global.
	Cloud string
	// License is P2, P1 or none; empty means P2.
	License string
	// TokenLifetime is how long issued tokens live; 0 means about an hour.
	TokenLifetime time.Duration
	// ClientCertificates are those registered for the client; with none, any
	// well-formed certificate assertion is believed.
	ClientCertificates []*x509.Certificate
}

// check fills defaults in and refuses what makes no sense.
func (o Options) check() (Options, error) {
	if o.Cloud == "" {
		o.Cloud = "global"
	}
	if o.License == "" {
		o.License = "P2"
	}
	if o.FaultsFile == "" {
		o.FaultsFile = "faults"
	}
	if o.Roles == nil {
		o.Roles = AllRoles()
	}
	switch {
	case o.Users < 0 || o.Detections < 0 || o.Policies < 0 || o.SignIns < 0:
		return o, fmt.Errorf("users, detections, policies and sign-ins cannot be negative")
	case o.SignIns > maxSignIns:
		return o, fmt.Errorf("%d sign-ins are more than the %d that the simulator makes", o.SignIns, maxSignIns)
	case o.Detections > 0 && o.Users == 0:
		return o, fmt.Errorf("%d detections need at least one user", o.Detections)
	case o.Policies > maxPolicies:
		return o, fmt.Errorf("%d policies are more than the %d a tenant holds", o.Policies, maxPolicies)
	case o.Rate < 0 || math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0):
		return o, fmt.Errorf("rate %v is not a number of requests per second", o.Rate)
	case o.Lag < 0 || o.AuditDelay < 0 || o.TokenLifetime < 0:
		return o, fmt.Errorf("lag, audit delay and token lifetime cannot be negative")
	case !slices.Contains([]string{"global", "usgov", "usgovdod", "china"}, o.Cloud):
		return o, fmt.Errorf("cloud %q is not one of global, usgov, usgovdod, china", o.Cloud)
	case !slices.Contains([]string{"P2", "P1", "none"}, o.License):
		return o, fmt.Errorf("licence %q is not one of P2, P1, none", o.License)
	case strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return o, fmt.Errorf("a token is printable ASCII without spaces")
	}
	for _, r := range o.Roles {
		if r == "" || strings.ContainsAny(r, " \t,") {
			return o, fmt.Errorf("role %q is not the name of an app role", r)
		}
	}
	return o, nil
}

// maxSignIns bounds what each reading of the log goes through.
const maxSignIns = 1_000_000

// maxPolicies is the service's limit (graph-api §3.12).
const maxPolicies = 240

// Ready is what a client needs to know of a running tenant; it marshals to the
// line that `risksweep sim` prints.
type Ready struct {
	Graph        string `json:"graph"`
	Authority    string `json:"authority"`
	TenantID     string `json:"tenantId"`
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	Token        string `json:"token"`
	GraphTLS     string `json:"graphTLS,omitempty"`
	AuthorityTLS string `json:"authorityTLS,omitempty"`
	CA           string `json:"ca,omitempty"`
}
