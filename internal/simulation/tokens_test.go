package simulation

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// sortedNames are the UPNs of all users.
func sortedNames(w *world) []string { return slices.Sorted(maps.Keys(w.names)) }

// tokens are those of one process. It keeps one until it is told that the
// service refused it, as the product's own credentials do.
type tokens struct {
	mu      sync.Mutex
	n       int // the token that it has
	got     time.Time
	revoked int // this token and those before are refused
	world   *world
}

// claims show in a token whom it stands for, if it shows that.
func (c *tokens) claims() string {
	if c.world == nil || c.world.apps.claims == "" {
		return ""
	}
	return "." + c.world.apps.claims + ".unsigned"
}

// GetToken gives the token.
func (c *tokens) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == 0 {
		c.n, c.got = 1, time.Now()
	}
	return azcore.AccessToken{Token: fmt.Sprint("sim", c.n, c.claims()), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// Renew forgets a token that was refused.
func (c *tokens) Renew(refused time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.got.After(refused) {
		c.n, c.got = c.n+1, time.Now()
	}
}

func (c *tokens) revoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.revoked = max(c.n, 1)
}

// admits says whether the tenant takes the token of a request.
func (p *process) admits(r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens.mu.Lock()
	defer p.tokens.mu.Unlock()
	var n int
	if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer sim%d", &n); err == nil && n > p.tokens.revoked {
		p.refusals = 0
		return true
	}
	p.refusals++
	p.w.say("%s: %s %s: 401", p.name, r.Method, r.URL.Path)
	if p.refusals > 3 { // a few may be under way at once
		p.w.breaks("a 401 is answered once by a new token", "%s is refused %d times", p.name, p.refusals)
	}
	if p.refusals > 10 {
		p.die("a token that is refused for ever")
	}
	return false
}
