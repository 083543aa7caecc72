package azcred

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// early is how long before its expiry a token is replaced.
const early = 5 * time.Minute

// cached keeps tokens until shortly before they expire. Some credentials start
// a process for every token, and Graph's adapter asks before every request.
// One caller at a time asks for a token; the others wait for it.
type cached struct {
	inner azcore.TokenCredential
	now   func() time.Time
	turn  chan struct{} // holds one value while somebody asks

	mu     sync.Mutex
	tokens map[string]azcore.AccessToken
	got    map[string]time.Time
	renew  bool // the next token must be a new one
}

func newCached(inner azcore.TokenCredential, now func() time.Time) *cached {
	return &cached{inner: inner, now: now, turn: make(chan struct{}, 1), tokens: map[string]azcore.AccessToken{}, got: map[string]time.Time{}}
}

// GetToken returns a token that is good for a while. Claims (continuous access
// evaluation) always ask anew.
func (c *cached) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	key := strings.Join(o.Scopes, " ") + "\x00" + o.TenantID
	if t, ok := c.fresh(key); ok && o.Claims == "" {
		return t, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return azcore.AccessToken{}, context.Cause(ctx)
	}
	if t, ok := c.fresh(key); ok && o.Claims == "" {
		return t, nil
	}
	c.mu.Lock()
	renew := c.renew
	c.mu.Unlock()
	if renew {
		if r, ok := c.inner.(interface{ forget() }); ok {
			r.forget()
		}
	}
	t, err := c.inner.GetToken(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	c.mu.Lock()
	c.tokens[key], c.got[key], c.renew = t, time.Now(), false
	c.mu.Unlock()
	return t, nil
}

// Renew forgets the tokens that a service may have refused: those that were
// kept when the refused request asked for its own.
func (c *cached) Renew(refused time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, at := range c.got {
		if !at.After(refused) {
			delete(c.tokens, key)
			delete(c.got, key)
			c.renew = true
		}
	}
}

func (c *cached) fresh(key string) (azcore.AccessToken, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tokens[key]
	now := c.now()
	if !ok || !now.Before(t.ExpiresOn.Add(-early)) || !t.RefreshOn.IsZero() && !now.Before(t.RefreshOn) {
		return azcore.AccessToken{}, false
	}
	return t, true
}
