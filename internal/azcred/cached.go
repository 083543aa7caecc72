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
}

func newCached(inner azcore.TokenCredential, now func() time.Time) *cached {
	return &cached{inner: inner, now: now, turn: make(chan struct{}, 1), tokens: map[string]azcore.AccessToken{}}
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
	t, err := c.inner.GetToken(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	c.mu.Lock()
	c.tokens[key] = t
	c.mu.Unlock()
	return t, nil
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
