// Package oauth is the simulated tenant's sign-in: the OAuth 2.0 token
// endpoints (v1 and v2, client credentials by secret, certificate or federated
// token), OpenID Connect and instance discovery, signing keys, the managed
// identity endpoints of App Service and of virtual machines, and the cloud
// metadata that other tools start from. It issues signed tokens with app roles
// and checks the tokens that come back.
//
// It knows one tenant and one client, keeps no sessions, and never signs in
// people. It does not decide what a token may do; that is the workloads' part.
package oauth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"net/http"
	"strings"
	"sync"
	"time"
)

// GraphAppID is the application id of Microsoft Graph in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// Options describes the tenant's one client and what its tokens say.
type Options struct {
	// TenantID is the tenant's id; Domains are its verified domain names,
	// which may stand in its place in URLs.
	TenantID string
	Domains  []string
	// ClientID, ClientSecret and PrincipalID are the registered
	// application's id, its secret, and its service principal's object id.
	ClientID, ClientSecret, PrincipalID string
	// ClientName is the application's name.
	ClientName string
	// Resources says whether the tenant has a service principal with a name
	// (an application id or an identifier URI): a token can be had for it,
	// which Graph does not take. nil means that there are none but Graph.
	Resources func(name string) bool
	// Roles are the app roles that the client was granted.
	Roles []string
	// Lifetime is how long a token lives; 0 means the service's usual hour.
	Lifetime time.Duration
	// Cloud names the cloud that metadata and discovery speak of: global,
	// usgov, usgovdod, china.
	Cloud string
	// Now is the service's clock, by which tokens expire. Wall is the
	// callers' clock, by which their own assertions are dated; nil means Now.
	Now, Wall func() time.Time
	// Certificates are the certificates registered for the client. If there
	// are none, a well-formed certificate assertion is believed: the
	// simulated application registration has no place to upload one.
	Certificates []*x509.Certificate
}

// Server answers sign-in calls. It is safe for concurrent use.
type Server struct {
	opt Options
	key func() (*rsa.PrivateKey, error)

	mu       sync.Mutex
	verified map[string]*Claims
}

// New returns the sign-in of one tenant. The signing key is made at first use.
func New(opt Options) *Server {
	if opt.Lifetime <= 0 {
		opt.Lifetime = 3599 * time.Second
	}
	if opt.Wall == nil {
		opt.Wall = opt.Now
	}
	return &Server{
		opt: opt,
		key: sync.OnceValues(func() (*rsa.PrivateKey, error) {
			return rsa.GenerateKey(rand.Reader, 2048)
		}),
		verified: map[string]*Claims{},
	}
}

// Handles says whether a call is a sign-in call.
func (s *Server) Handles(r *http.Request) bool {
	return s.route(r) != nil
}

// ServeHTTP answers a sign-in call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.route(r)
	if h == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.Header().Set("Pragma", "no-cache")
	w.Header().Set("Date", s.opt.Now().UTC().Format(http.TimeFormat))
	h(w, r)
}

// route finds the endpoint of a call, nil if it is none of ours.
func (s *Server) route(r *http.Request) http.HandlerFunc {
	path := strings.ToLower(strings.TrimSuffix(r.URL.Path, "/"))
	if r.Method == http.MethodGet && r.Header.Get("X-IDENTITY-HEADER") != "" {
		// IDENTITY_ENDPOINT may name any path of this server.
		return s.managedIdentity
	}
	switch path {
	case "/metadata/endpoints":
		return s.cloudMetadata
	case "/metadata/identity/oauth2/token", "/msi/token":
		return s.managedIdentity
	case "/common/discovery/instance":
		return s.instanceDiscovery
	}
	tenant, rest, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || tenant == "" {
		return nil
	}
	switch rest {
	case "oauth2/v2.0/token":
		return func(w http.ResponseWriter, r *http.Request) { s.token(w, r, tenant, true) }
	case "oauth2/token":
		return func(w http.ResponseWriter, r *http.Request) { s.token(w, r, tenant, false) }
	case "v2.0/.well-known/openid-configuration":
		return func(w http.ResponseWriter, r *http.Request) { s.openID(w, r, tenant, true) }
	case ".well-known/openid-configuration":
		return func(w http.ResponseWriter, r *http.Request) { s.openID(w, r, tenant, false) }
	case "discovery/v2.0/keys", "discovery/keys":
		return s.keys
	case "oauth2/v2.0/authorize", "oauth2/authorize", "oauth2/v2.0/devicecode", "oauth2/devicecode":
		return func(w http.ResponseWriter, r *http.Request) {
			s.refuse(w, r, http.StatusBadRequest, "unsupported_response_type", 70007, "this tenant signs in applications only; use the client credentials flow.")
		}
	}
	return nil
}

// origin is the scheme and host that the caller used.
func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// adfs stands in the place of a tenant for clients that sign in through
// Active Directory Federation Services: there is one path of endpoints, and it
// takes scopes.
const adfs = "adfs"

// knows says whether a tenant segment of a URL means this tenant.
func (s *Server) knows(tenant string) bool {
	switch tenant {
	case "common", "organizations", adfs, strings.ToLower(s.opt.TenantID):
		return true
	}
	for _, d := range s.opt.Domains {
		if strings.EqualFold(d, tenant) {
			return true
		}
	}
	return false
}
