package oauth

import (
	"crypto/sha1" //nolint:gosec // x5t is defined as a SHA-1 thumbprint
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticate checks who the caller is: a secret in the form or in basic
// authentication, or a signed assertion.
func (s *Server) authenticate(r *http.Request) *failure {
	form := r.PostForm
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, pass, ok := r.BasicAuth(); ok && secret == "" {
		// RFC 6749 §2.3.1: both halves are form-encoded first.
		if u, err := url.QueryUnescape(user); err == nil {
			user = u
		}
		if p, err := url.QueryUnescape(pass); err == nil {
			pass = p
		}
		id, secret = user, pass
	}
	if id == "" {
		return missing("client_id")
	}
	if !strings.EqualFold(id, s.opt.ClientID) {
		return &failure{http.StatusBadRequest, "unauthorized_client", 700016, "Application with identifier '" + id + "' was not found in the directory '" + s.opt.TenantID + "'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."}
	}
	assertion := form.Get("client_assertion")
	switch {
	case assertion != "":
		if form.Get("client_assertion_type") != assertionType {
			return &failure{http.StatusBadRequest, "invalid_request", 50027, "The client_assertion_type must be '" + assertionType + "'."}
		}
		return s.assertion(r, assertion)
	case secret == "":
		return &failure{http.StatusUnauthorized, "invalid_client", 7000216, "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."}
	case subtle.ConstantTimeCompare([]byte(secret), []byte(s.opt.ClientSecret)) != 1:
		return &failure{http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + s.opt.ClientID + "'."}
	}
	return nil
}

// assertion checks a client assertion. One with a certificate's thumbprint in
// its header is signed by the client itself; any other comes from a federated
// issuer (a workload identity), whose keys lie outside this tenant: its form
// and dates are checked, its signature is not.
func (s *Server) assertion(r *http.Request, raw string) *failure {
	var claims jwt.RegisteredClaims
	token, _, err := jwt.NewParser().ParseUnverified(raw, &claims)
	if err != nil {
		return &failure{http.StatusUnauthorized, "invalid_client", 50027, "JWT token is invalid or malformed."}
	}
	now := s.opt.Wall()
	if claims.ExpiresAt == nil || !now.Before(claims.ExpiresAt.Time) {
		return &failure{http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range."}
	}
	if claims.NotBefore != nil && now.Add(clockSkew).Before(claims.NotBefore.Time) {
		return &failure{http.StatusUnauthorized, "invalid_client", 700024, "Client assertion is not within its valid time range."}
	}
	thumb, byCertificate := thumbprint(token.Header)
	if !byCertificate {
		if claims.Issuer == "" || claims.Subject == "" || len(claims.Audience) == 0 {
			return &failure{http.StatusUnauthorized, "invalid_client", 700213, "No matching federated identity record found for presented assertion: issuer, subject and audience are required."}
		}
		return nil
	}
	if !strings.EqualFold(claims.Issuer, s.opt.ClientID) || !strings.EqualFold(claims.Subject, s.opt.ClientID) {
		return &failure{http.StatusUnauthorized, "invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id' parameter."}
	}
	if !s.ownAudience(r, claims.Audience) {
		return &failure{http.StatusUnauthorized, "invalid_client", 700023, "Client assertion audience claim does not match Realm issuer."}
	}
	return s.certificate(token, raw, thumb)
}

// certificate checks the assertion's signature against the registered
// certificates, or, with none registered, against the chain it brought along.
func (s *Server) certificate(token *jwt.Token, raw string, thumb []byte) *failure {
	refused := &failure{http.StatusUnauthorized, "invalid_client", 700027, "The certificate with identifier used to sign the client assertion is not registered on application."}
	candidates := s.opt.Certificates
	if len(candidates) == 0 {
		brought, err := chain(token.Header)
		if err != nil {
			return refused
		}
		if brought == nil {
			return nil
		}
		candidates = []*x509.Certificate{brought}
	}
	for _, c := range candidates {
		sum1, sum256 := sha1.Sum(c.Raw), sha256.Sum256(c.Raw) //nolint:gosec // a thumbprint, not a signature
		if string(sum1[:]) != string(thumb) && string(sum256[:]) != string(thumb) {
			continue
		}
		_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256", "PS256"}), jwt.WithoutClaimsValidation()).
			Parse(raw, func(*jwt.Token) (any, error) { return c.PublicKey, nil })
		if err == nil {
			return nil
		}
	}
	return refused
}

// ownAudience says whether an assertion is meant for this tenant's endpoint.
func (s *Server) ownAudience(r *http.Request, audience []string) bool {
	for _, a := range audience {
		u, err := url.Parse(a)
		if err != nil {
			continue
		}
		tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
		host := u.Host
		if s.knows(strings.ToLower(tenant)) && (strings.EqualFold(host, r.Host) || strings.EqualFold(host, LoginHosts()[s.opt.Cloud])) {
			return true
		}
	}
	return false
}

// thumbprint reads x5t#S256 or x5t, which callers send as base64, base64url or
// hexadecimal.
func thumbprint(header map[string]any) ([]byte, bool) {
	for _, name := range []string{"x5t#S256", "x5t"} {
		text, ok := header[name].(string)
		if !ok {
			continue
		}
		if b, err := hex.DecodeString(text); err == nil && (len(b) == sha1.Size || len(b) == sha256.Size) {
			return b, true
		}
		text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, true // names a certificate that nobody can have
		}
		return b, true
	}
	return nil, false
}

// chain returns the leaf of x5c, nil if the header has none.
func chain(header map[string]any) (*x509.Certificate, error) {
	list, ok := header["x5c"].([]any)
	if !ok || len(list) == 0 {
		return nil, nil //nolint:nilnil // no chain is an ordinary case here
	}
	text, ok := list[0].(string)
	if !ok {
		return nil, errors.New("x5c is not text")
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
