package httpapi

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// AuthOptions say who may call. At least one of Token and Issuer is set.
type AuthOptions struct {
	// Token is the bearer token of the API itself. NewToken, if set, gives it
	// anew for each request, so that a rotated one holds at once.
	Token    string
	NewToken func() string
	// Issuer, Audience and Role are what a token of Microsoft Entra ID must
	// carry: who signed it, whom it is for, and the app role of the caller.
	Issuer, Audience, Role string
	// Client fetches the issuer's keys; nil is a client with a time limit.
	Client *http.Client
	Now    func() time.Time
}

// Auth decides who may call.
type Auth struct {
	AuthOptions

	refusals refusals

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	failed   error
	retryAt  time.Time
}

// ErrNoAuth says that the API would be open to everybody.
var ErrNoAuth = errors.New("the API needs a token: set http.token (RISKSWEEP_HTTP_TOKEN), or http.issuer, http.audience and http.role for tokens of Microsoft Entra ID")

// Weak reports that the API's own token is so short that it can be guessed.
func (a *Auth) Weak() bool { return a.Token != "" && len(a.Token) < 16 }

// NewAuth checks the options. It fetches nothing.
func NewAuth(o AuthOptions) (*Auth, error) {
	switch {
	case o.Token == "" && o.Issuer == "":
		return nil, ErrNoAuth
	case o.Issuer != "" && (o.Audience == "" || o.Role == ""):
		return nil, errors.New("http.issuer needs http.audience and http.role")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second, Transport: &bounded{RoundTripper: http.DefaultTransport, now: o.Now},
			// Whose keys are believed is configured, and no answer says otherwise.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &Auth{AuthOptions: o}, nil
}

// bounded cuts answers off at a megabyte: an issuer's keys are small, and what
// reads them would take in all that comes. It also asks no more than ten times
// in ten seconds, for a token that names an unknown key has the keys fetched,
// and anybody can make one.
type bounded struct {
	http.RoundTripper
	now   func() time.Time
	mu    sync.Mutex
	since time.Time
	n     int
}

func (b *bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	b.mu.Lock()
	if now := b.now(); now.Sub(b.since) > 10*time.Second {
		b.since, b.n = now, 0
	}
	b.n++
	often := b.n > 10
	b.mu.Unlock()
	if often {
		return nil, errors.New("the issuer was asked ten times within ten seconds")
	}
	res, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, 1<<20), res.Body}
	}
	return res, err
}

// The ends of an examination.
var (
	errNoToken  = errors.New("a bearer token is missing")
	errBadToken = errors.New("the bearer token is not valid")
	errScheme   = errors.New("a bearer token is missing: the header Authorization must begin with Bearer")
	errNoRole   = errors.New("the token does not carry the app role that is needed")
	errIssuer   = errors.New("the issuer's keys cannot be fetched; try again")
)

// ownToken is what a caller with the API's own token is called.
const ownToken = "http.token"

// check examines one request and names the caller.
func (a *Auth) check(r *http.Request) (caller string, err error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", errNoToken
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errScheme
	}
	if len(values) > 1 || token == "" {
		return "", errBadToken
	}
	// Hashes have one length, so that neither length nor content shows in time.
	own := a.Token
	if a.NewToken != nil {
		own = a.NewToken()
	}
	given, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(own))
	if subtle.ConstantTimeCompare(given[:], want[:]) == 1 && own != "" {
		return ownToken, nil
	}
	if a.Issuer == "" || strings.Count(token, ".") != 2 {
		return "", errBadToken
	}
	return a.checkEntra(r.Context(), token)
}

// checkEntra validates a token of Microsoft Entra ID: signature by a key of the
// issuer, issuer, audience, times, and the app role.
func (a *Auth) checkEntra(ctx context.Context, token string) (caller string, err error) {
	v, err := a.keys(ctx)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errIssuer, err)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, a.Client), 10*time.Second)
	defer cancel()
	verified, err := v.Verify(ctx, token)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errBadToken, err)
	}
	var claims struct {
		Roles             []string `json:"roles"`
		PreferredUsername string   `json:"preferred_username"`
		UPN               string   `json:"upn"`
		AppName           string   `json:"app_displayname"`
		AppID             string   `json:"appid"`
		AuthorizedParty   string   `json:"azp"`
		ObjectID          string   `json:"oid"`
		Subject           string   `json:"sub"`
	}
	if err := verified.Claims(&claims); err != nil || !slices.Contains(claims.Roles, a.Role) {
		return "", errNoRole
	}
	name := cmp.Or(claims.PreferredUsername, claims.UPN, claims.AppName, claims.AppID, claims.AuthorizedParty)
	id := cmp.Or(claims.ObjectID, claims.Subject)
	switch {
	case name == "" || name == id:
		return id, nil
	case id == "":
		return name, nil
	}
	return name + " (" + id + ")", nil
}

// keys discovers the issuer at the first need. A failure is kept for a short
// while, so that callers cannot make us hammer it.
func (a *Auth) keys(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.verifier != nil {
		return a.verifier, nil
	}
	now := a.Now()
	if a.failed != nil && now.Before(a.retryAt) {
		return nil, a.failed
	}
	// The provider keeps the context for later fetches of keys.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), a.Client), a.Issuer)
	if err != nil {
		a.failed, a.retryAt = err, now.Add(5*time.Second)
		return nil, err
	}
	a.failed = nil
	a.verifier = provider.Verifier(&oidc.Config{ClientID: a.Audience, Now: a.Now,
		SupportedSigningAlgs: []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.ES256, oidc.ES384}})
	return a.verifier, nil
}

// callerKey is under what the context of a request keeps the caller's name.
type callerKey struct{}

// caller names who sent a request that was let in.
func (a *api) caller(r *http.Request) string {
	if name, ok := r.Context().Value(callerKey{}).(string); ok {
		return name
	}
	return a.Caller
}

// guard lets only those pass who may call. A nil Auth lets all pass.
func (a *Auth) guard(api *api, next http.Handler) http.Handler {
	if a == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := a.check(r)
		if err == nil {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
			return
		}
		if say, untold := a.refusals.count(a.Now()); say {
			args := []any{"method", r.Method, "from", r.RemoteAddr, "reason", err}
			if untold > 0 {
				args = append(args, "refusedBefore", untold)
			}
			api.Log.Warn("a call was refused", args...)
		}
		switch {
		case errors.Is(err, errNoToken), errors.Is(err, errScheme):
			w.Header().Set("WWW-Authenticate", api.challenge(r, ""))
			api.fail(w, r, http.StatusUnauthorized, err.Error())
		case errors.Is(err, errNoRole):
			w.Header().Set("WWW-Authenticate", `Bearer realm="risksweep", error="insufficient_scope"`)
			api.fail(w, r, http.StatusForbidden, errNoRole.Error())
		case errors.Is(err, errIssuer):
			w.Header().Set("Retry-After", "10")
			api.fail(w, r, http.StatusServiceUnavailable, errIssuer.Error())
		default:
			w.Header().Set("WWW-Authenticate", api.challenge(r, `, error="invalid_token"`))
			api.fail(w, r, http.StatusUnauthorized, errBadToken.Error())
		}
	})
}

// refusals keeps a caller without a token from filling the log: of a minute it
// tells the first ten, and with the next that it tells how many were not told.
type refusals struct {
	mu     sync.Mutex
	since  time.Time
	n      int
	untold int
}

// toldPerMinute is how many refusals of a minute are logged.
const toldPerMinute = 10

func (c *refusals) count(now time.Time) (say bool, untold int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.since); age < 0 || age >= time.Minute {
		c.since, c.n = now, 0
	}
	if c.n++; c.n > toldPerMinute {
		c.untold++
		return false, 0
	}
	untold, c.untold = c.untold, 0
	return true, untold
}
