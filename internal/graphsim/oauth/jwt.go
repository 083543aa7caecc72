package oauth

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Claims is what a token of this tenant says.
type Claims struct {
	AppID    string   `json:"appid"`
	Party    string   `json:"azp"`
	ObjectID string   `json:"oid"`
	TenantID string   `json:"tid"`
	Roles    []string `json:"roles"`
	IDType   string   `json:"idtyp"`
	Version  string   `json:"ver"`
	jwt.RegisteredClaims
}

// TokenError says why a token is not accepted, in the service's words.
type TokenError struct {
	Code, Message string
}

func (e *TokenError) Error() string { return e.Code + ": " + e.Message }

// Issue signs a token of the tenant's client for an audience. The issuer is an
// absolute URL; a lifetime of 0 means the configured one.
func (s *Server) Issue(issuer, audience, version string, lifetime time.Duration) (string, error) {
	key, err := s.key()
	if err != nil {
		return "", fmt.Errorf("making the signing key: %w", err)
	}
	if lifetime <= 0 {
		lifetime = s.opt.Lifetime
	}
	now := s.opt.Now().Truncate(time.Second)
	claims := jwt.MapClaims{
		"aud": audience, "iss": issuer,
		// Real tokens are valid a little before they are issued, so that
		// clocks may differ.
		"iat": now.Add(-5 * time.Minute).Unix(), "nbf": now.Add(-5 * time.Minute).Unix(),
		"exp": now.Add(lifetime).Unix(),
		"aio": uuid.NewString(), "uti": uuid.NewString(), "idtyp": "app",
		"oid": s.opt.PrincipalID, "sub": s.opt.PrincipalID, "tid": s.opt.TenantID,
		"ver": version,
	}
	if acceptsAudience(audience, "") {
		claims["roles"] = s.opt.Roles // they are Graph's
	}
	// The versions name the client differently.
	if version == "2.0" {
		claims["azp"], claims["azpacr"] = s.opt.ClientID, "1"
	} else {
		claims["appid"], claims["appidacr"], claims["app_displayname"] = s.opt.ClientID, "1", s.opt.ClientName
		claims["idp"] = "https://sts.windows.net/" + s.opt.TenantID + "/"
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = keyID(key)
	token.Header["x5t"] = keyID(key)
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return signed, nil
}

// Verify checks a token that came back with a call to host: signature, tenant,
// audience and expiry. The error is a *TokenError.
func (s *Server) Verify(token, host string) (*Claims, error) {
	s.mu.Lock()
	claims := s.verified[token]
	s.mu.Unlock()
	if claims == nil {
		var err error
		if claims, err = s.parse(token); err != nil {
			return nil, err
		}
		s.mu.Lock()
		if len(s.verified) >= 1000 {
			clear(s.verified)
		}
		s.verified[token] = claims
		s.mu.Unlock()
	}
	now := s.opt.Now()
	if claims.ExpiresAt == nil || !now.Before(claims.ExpiresAt.Time) {
		return nil, &TokenError{"InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."}
	}
	if claims.NotBefore != nil && now.Before(claims.NotBefore.Time) {
		return nil, &TokenError{"InvalidAuthenticationToken", "Lifetime validation failed, the token is not yet valid."}
	}
	if !slices.ContainsFunc(claims.Audience, func(aud string) bool { return acceptsAudience(aud, host) }) {
		return nil, &TokenError{"InvalidAuthenticationToken", "Access token validation failure. Invalid audience."}
	}
	return claims, nil
}

// parse checks what does not change with time: form, signature and tenant.
func (s *Server) parse(token string) (*Claims, error) {
	key, err := s.key()
	if err != nil {
		return nil, &TokenError{"InternalServerError", err.Error()}
	}
	claims := &Claims{}
	_, err = jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()).
		ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return &key.PublicKey, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, &TokenError{"InvalidAuthenticationToken", "CompactToken parsing failed with error code: 80049217"}
	case err != nil:
		return nil, &TokenError{"InvalidAuthenticationToken", "Access token validation failure. Invalid signature."}
	}
	if claims.AppID == "" {
		claims.AppID, claims.Party = claims.Party, ""
	}
	switch {
	case claims.TenantID != s.opt.TenantID:
		return nil, &TokenError{"InvalidAuthenticationToken", "Access token validation failure. Invalid tenant."}
	}
	return claims, nil
}

// GraphRoots gives the root of Microsoft Graph in each cloud (graph-api §6).
func GraphRoots() map[string]string {
	return map[string]string{
		"global":   "https://graph.microsoft.com",
		"usgov":    "https://graph.microsoft.us",
		"usgovdod": "https://dod-graph.microsoft.us",
		"china":    "https://microsoftgraph.chinacloudapi.cn",
	}
}

// LoginHosts gives the sign-in host of each cloud.
func LoginHosts() map[string]string {
	return map[string]string{
		"global":   "login.microsoftonline.com",
		"usgov":    "login.microsoftonline.us",
		"usgovdod": "login.microsoftonline.us",
		"china":    "login.chinacloudapi.cn",
	}
}

// acceptsAudience says whether a resource is Graph's: by application id, by
// its root in any cloud, or by the origin under which this server is reached.
func acceptsAudience(audience, host string) bool {
	if audience == GraphAppID {
		return true
	}
	audience = strings.TrimSuffix(audience, "/")
	if slices.Contains(slices.Collect(maps.Values(GraphRoots())), audience) {
		return true
	}
	u, err := url.Parse(audience)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" || u.RawQuery != "" {
		return false
	}
	return strings.EqualFold(u.Host, host) || loopback(u.Hostname())
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// keyID names a signing key by a hash of its modulus.
func keyID(key *rsa.PrivateKey) string {
	sum := sha256.Sum256(key.N.Bytes())
	return base64.RawURLEncoding.EncodeToString(sum[:20])
}
