package graph

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/entra"
)

// claims are the parts of an access token that say for whom it stands and what
// it may do. They are read without checking the signature: the token is the
// service's to judge, this only explains its refusals.
type claims struct {
	AppID    string   `json:"appid"`
	AZP      string   `json:"azp"`
	ObjectID string   `json:"oid"`
	Roles    []string `json:"roles"`
	Scopes   string   `json:"scp"`
	// The names of the application and of the person, by the version of the token.
	AppName           string `json:"app_displayname"`
	UPN               string `json:"upn"`
	PreferredUsername string `json:"preferred_username"`
	UniqueName        string `json:"unique_name"`
}

// parseClaims decodes a token; ok is false for one that is not a JWT.
func parseClaims(token string) (claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return claims{}, false
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return claims{}, false
	}
	if c.AppID == "" {
		c.AppID = c.AZP
	}
	return c, true
}

// permissions are the app roles, or a person's delegated scopes.
func (c claims) permissions() []string {
	return append(append([]string{}, c.Roles...), strings.Fields(c.Scopes)...)
}

// appRoles are what the token says of an application's permissions; nil for that of
// a person, of whom the service asks for a directory role besides.
func (c claims) appRoles() []string {
	if c.Scopes != "" {
		return nil
	}
	return append([]string{}, c.Roles...)
}

func (c *Client) claims(ctx context.Context) (claims, error) {
	t, err := c.signIn(ctx)
	if err != nil {
		return claims{}, err
	}
	parsed, ok := parseClaims(t.Token)
	if !ok {
		return claims{}, fmt.Errorf("reading the access token: %w", entra.ErrOpaqueToken)
	}
	return parsed, nil
}

// signIn asks for a token, and again where that is throttled or unavailable.
func (c *Client) signIn(ctx context.Context) (azcore.AccessToken, error) {
	var t tally
	for {
		one, cancel := context.WithTimeoutCause(ctx, c.timeout, errDeadline)
		token, err := c.credential.GetToken(one, policy.TokenRequestOptions{Scopes: []string{c.scope}, EnableCAE: true})
		if err != nil {
			err = signInError(one, err)
		}
		cancel()
		if err == nil || ctx.Err() != nil || waitAsked(err) == 0 {
			return token, err
		}
		failed := &Error{RetryAfter: waitAsked(err), kind: entra.ErrUnavailable, cause: err, unsent: true}
		wait, again := c.retry.again(&t, failed, true)
		if !again || !c.retry.lasts(ctx, wait, true) {
			return token, err
		}
		c.tellWait(ctx, wait, err)
		if slept := sleep(ctx, wait); slept != nil {
			return token, errors.Join(err, slept)
		}
	}
}

// waitAsked is how long the sign-in address asked to wait, 0 if it did not.
func waitAsked(err error) time.Duration {
	var asked interface{ Wait() time.Duration }
	if errors.As(err, &asked) {
		return asked.Wait()
	}
	return 0
}

// renewToken has the credential forget the token that the service refused, so
// that the next request asks for a new one. A token that was got since then
// stays.
func (c *Client) renewToken(err error) {
	e, ok := asError(err)
	if !ok || e.Status != http.StatusUnauthorized {
		return
	}
	if r, ok := c.credential.(interface{ Renew(refused time.Time) }); ok {
		r.Renew(e.asked)
	}
}

// TokenRoles lists the app roles of the token, or the scopes of a person's. A
// token that is not a JWT is an error that wraps entra.ErrOpaqueToken.
func (c *Client) TokenRoles(ctx context.Context) ([]string, error) {
	t, err := c.claims(ctx)
	if err != nil {
		return nil, err
	}
	return t.permissions(), nil
}

// signInError says that there is no token. A login service that cannot be
// reached is unavailable; everything else is a refusal.
func signInError(ctx context.Context, err error) error {
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("signing in: %w", context.Cause(ctx))
	case errors.Is(err, entra.ErrUnauthorized), errors.Is(err, entra.ErrUnavailable), errors.Is(err, entra.ErrThrottled):
		return err // the credential has said what it is about
	case errors.As(err, &network):
		return fmt.Errorf("signing in: %w: %w", entra.ErrUnavailable, err)
	}
	return fmt.Errorf("signing in: %w: %w", entra.ErrUnauthorized, err)
}

// noting is a credential that notes its failure in the exchange it is asked
// for, to tell it from a failure of the service.
type noting struct{ azcore.TokenCredential }

func (n noting) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := n.TokenCredential.GetToken(ctx, o)
	if x := exchangeOf(ctx); x != nil {
		x.challenged = x.challenged || o.Claims != ""
		if err != nil {
			x.signIn = err
		} else if parsed, ok := parseClaims(t.Token); ok {
			x.roles = parsed.appRoles()
		}
	}
	return t, err
}
