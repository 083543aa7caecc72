package azcred

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/golang-jwt/jwt/v5"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
)

// static is a token that was handed in. It cannot be refreshed, but its file is
// read anew each time.
type static struct {
	token config.Secret
	now   func() time.Time
}

func newStatic(token config.Secret, now func() time.Time) (azcore.TokenCredential, error) {
	if token.IsZero() {
		return nil, errors.New("credential of kind static: there is no token")
	}
	return &static{token: token, now: now}, nil
}

// expiry is the token's own, zero if it does not show it.
func expiry(token string) time.Time {
	// The signature is the service's to check; only the expiry matters here.
	var claims jwt.RegisteredClaims
	if _, _, err := jwt.NewParser().ParseUnverified(token, &claims); err == nil && claims.ExpiresAt != nil {
		return claims.ExpiresAt.Time
	}
	return time.Time{}
}

// GetToken returns the token while it is good.
func (s *static) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if err := ctx.Err(); err != nil {
		return azcore.AccessToken{}, err
	}
	now := s.now()
	token := s.token.Reveal()
	expires := expiry(token)
	if expires.IsZero() {
		expires = now.Add(time.Hour)
	}
	if !now.Before(expires) {
		return azcore.AccessToken{}, &Error{Kind: config.KindStatic, Message: fmt.Sprintf("the token expired at %s", expires.UTC().Format(time.RFC3339)), sentinel: entra.ErrUnauthorized}
	}
	return azcore.AccessToken{Token: token, ExpiresOn: expires}, nil
}
