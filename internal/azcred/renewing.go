package azcred

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
)

// renewing is the identity library's credential, made anew when a secret or a
// certificate in a file has changed, after a refusal, and when the token that
// the library keeps must not be used again.
type renewing struct {
	credential config.Credential
	opts       Options
	client     policy.ClientOptions

	mu    sync.Mutex
	inner azcore.TokenCredential
	seen  [sha256.Size]byte // of what inner was made of
	stale bool              // inner is to be made anew in any case
	force bool              // the library's own cache is to be passed by
}

// GetToken signs in with what the files hold now.
func (r *renewing) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	inner, err := r.current()
	if err != nil {
		return azcore.AccessToken{}, &Error{Kind: r.credential.Kind, Tenant: r.opts.TenantID, Message: err.Error(), sentinel: entra.ErrUnauthorized}
	}
	r.mu.Lock()
	// The library keeps tokens of managed identities for the whole process;
	// claims are its way to ask for another.
	if r.force && o.Claims == "" && r.credential.Kind == config.KindManagedIdentity {
		o.Claims = "{}"
	}
	r.mu.Unlock()
	t, err := inner.GetToken(ctx, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.force = false
	} else if errors.Is(err, entra.ErrUnauthorized) {
		r.stale = true // files that the library reads by itself may have changed
	}
	return t, err
}

// forget has the next token be a new one.
func (r *renewing) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stale, r.force = true, true
}

// current gives the credential of what the files hold now. A file that cannot
// be used, as in the middle of a rotation, leaves the last one in place.
func (r *renewing) current() (azcore.TokenCredential, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// One sign-in uses one text of each secret, and keeps just that one out of
	// its messages.
	c := r.credential
	c.ClientSecret, c.CertificatePassword = pin(c.ClientSecret), pin(c.CertificatePassword)
	opts := r.opts
	hash := sha256.New()
	fmt.Fprintf(hash, "%q %q ", c.ClientSecret.Reveal(), c.CertificatePassword.Reveal())
	if c.Kind == config.KindClientCertificate {
		data, err := opts.ReadFile(c.CertificatePath)
		hash.Write(data)
		opts.ReadFile = func(string) ([]byte, error) { return data, err }
	}
	seen := [sha256.Size]byte(hash.Sum(nil))
	if r.inner != nil && seen == r.seen && !r.stale {
		return r.inner, nil
	}
	inner, err := build(c, opts, r.client)
	switch {
	case err == nil:
		secrets := []config.Secret{c.ClientSecret, c.CertificatePassword}
		r.inner, r.seen, r.stale = &translated{inner: inner, kind: c.Kind, tenant: opts.TenantID, secrets: secrets}, seen, false
	case r.inner == nil:
		return nil, fmt.Errorf("credential of kind %s: %w", c.Kind, explainSetup(err))
	}
	return r.inner, nil
}

func pin(s config.Secret) config.Secret { return config.NewSecret(s.Reveal()) }
