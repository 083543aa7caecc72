package azcred

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/graphsim/oauth"
)

func TestTokensAreRefreshed(t *testing.T) {
	s := newSignIn(t, func(o *oauth.Options) { o.Lifetime = 5*time.Minute + 2*time.Second })
	c, err := New(config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}, s.options())
	if err != nil {
		t.Fatal(err)
	}
	first, err := ask(c, GraphScope("global"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ask(c, GraphScope("global"))
	if err != nil {
		t.Fatal(err)
	}
	if first.Token != again.Token || s.asked.Load() != 1 {
		t.Errorf("the token was not kept: %d requests", s.asked.Load())
	}
	time.Sleep(2100 * time.Millisecond) // five minutes are left, by the real clock
	later, err := ask(c, GraphScope("global"))
	if err != nil {
		t.Fatal(err)
	}
	if later.Token == first.Token || s.asked.Load() != 2 {
		t.Errorf("the token was not refreshed: %d requests", s.asked.Load())
	}
	if _, err := ask(c, "https://graph.example/.default"); err == nil {
		t.Error("the simulated tenant gave a token for a resource that it does not know")
	}
}

// turning is a credential whose every token is new and lives ten minutes.
type turning struct {
	now   func() time.Time
	asked atomic.Int32
	hold  chan struct{}
}

func (f *turning) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if f.hold != nil {
		<-f.hold
	}
	return azcore.AccessToken{Token: fmt.Sprint("token-", f.asked.Add(1)), ExpiresOn: f.now().Add(10 * time.Minute)}, nil
}

func TestCacheRefreshesBeforeExpiry(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	c := newCached(&turning{now: clock}, clock)
	var got []string
	for _, step := range []time.Duration{0, 4 * time.Minute, time.Minute + time.Second, time.Minute, 4 * time.Minute} {
		now = now.Add(step)
		token, err := c.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{"s"}})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, token.Token)
	}
	if diff := cmp.Diff([]string{"token-1", "token-1", "token-2", "token-2", "token-3"}, got); diff != "" {
		t.Error(diff)
	}
	token, _ := c.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{"s"}, Claims: "c"})
	if token.Token != "token-4" {
		t.Errorf("claims were answered with %s", token.Token)
	}
}

func TestCacheAsksOnceForMany(t *testing.T) {
	inner := &turning{now: time.Now, hold: make(chan struct{})}
	c := newCached(inner, time.Now)
	results := make(chan string, 20)
	for range 20 {
		go func() {
			token, _ := c.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{"s"}})
			results <- token.Token
		}()
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("stopped"))
	inner.hold <- struct{}{}
	for range 20 {
		if got := <-results; got != "token-1" {
			t.Errorf("got %s", got)
		}
	}
	if _, err := newCachedBusy(c).GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{"other"}}); err == nil || err.Error() != "stopped" {
		t.Errorf("error %v, want the context's cause", err)
	}
}

// newCachedBusy is c while somebody else asks for a token.
func newCachedBusy(c *cached) *cached {
	c.turn <- struct{}{}
	return c
}
