package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/entra"
)

// well answers every call with the least that it takes.
func well(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		answerJSON(w, 200, `{"id":"`+userA+`","riskLevel":"high","riskState":"atRisk"}`)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// numbered keeps one token until it is told that the token was refused.
type numbered struct{ n atomic.Int64 }

func (c *numbered) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: fmt.Sprint("token-", c.n.Load()), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (c *numbered) Renew(time.Time) { c.n.Add(1) }

// oldToken refuses the first token, the later ones are good.
func oldToken(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Authorization") == "Bearer token-0" {
		refuseWith(w, 401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
		return true
	}
	return false
}

func TestARefusedTokenIsRenewed(t *testing.T) {
	for name, call := range map[string]func(context.Context, *Client) error{"read": readUser, "write": dismissUser} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(w http.ResponseWriter, r *http.Request) {
				if !oldToken(w, r) {
					well(w, r)
				}
			}, Options{Credential: &numbered{}}, func(t *testing.T, c *Client) {
				if err := call(ctx(t), c); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// One 401 within a batch has that entry asked again, once.
func TestARefusedTokenWithinABatch(t *testing.T) {
	for _, always := range []bool{false, true} {
		batches := 0
		bubble(t, func(w http.ResponseWriter, r *http.Request) {
			batches++
			var in struct{ Requests []batchRequest }
			_ = json.NewDecoder(r.Body).Decode(&in)
			out := []map[string]any{}
			for i, one := range in.Requests {
				status := 200
				if i == 0 && (batches == 1 || always) {
					status = 401
				}
				out = append(out, map[string]any{"id": one.ID, "status": status, "body": map[string]any{"error": map[string]any{"code": "InvalidAuthenticationToken"}}})
			}
			body, _ := json.Marshal(map[string]any{"responses": out})
			answerJSON(w, 200, string(body))
		}, Options{Credential: &numbered{}}, func(t *testing.T, c *Client) {
			lookups := []*lookup{{url: "/users/a"}, {url: "/users/b"}}
			if err := c.lookUp(ctx(t), lookups); err != nil {
				t.Fatal(err)
			}
			if got := errors.Is(lookups[0].err, entra.ErrUnauthorized); got != always || lookups[1].err != nil || batches != 2 {
				t.Errorf("always %t: %v, %v after %d batches", always, lookups[0].err, lookups[1].err, batches)
			}
		})
	}
}

// asking is a sign-in that is throttled at first.
type asking struct {
	times int
	wait  time.Duration
}

type throttledSignIn struct{ wait time.Duration }

func (e throttledSignIn) Error() string       { return "the sign-in address throttles" }
func (e throttledSignIn) Unwrap() error       { return entra.ErrThrottled }
func (e throttledSignIn) Wait() time.Duration { return e.wait }

func (c *asking) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if c.times--; c.times >= 0 {
		return azcore.AccessToken{}, throttledSignIn{c.wait}
	}
	return azcore.AccessToken{Token: jwt("A"), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A wait is kept if the run lasts as long, and told as throttling if not.
func TestLongWaits(t *testing.T) {
	hour := func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "3600")
		refuseWith(w, 429, "TooManyRequests", "")
	}
	roles := func(ctx context.Context, c *Client) error { _, err := c.TokenRoles(ctx); return err }
	for _, tc := range []struct {
		name   string
		within time.Duration
		signIn int
		call   func(context.Context, *Client) error
		ok     bool
	}{
		{"read in time", 2 * time.Hour, 0, readUser, true},
		{"read out of time", 30 * time.Minute, 0, readUser, false},
		{"write", 2 * time.Hour, 0, dismissUser, false},
		{"sign-in in time", 4 * time.Hour, 1, readUser, true},
		{"sign-in out of time", 30 * time.Minute, 1, readUser, false},
		{"sign-in before all", 4 * time.Hour, 1, roles, true},
		{"sign-in before all, out of time", 30 * time.Minute, 1, roles, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := 0
			bubble(t, func(w http.ResponseWriter, r *http.Request) {
				if n++; n == 1 {
					hour(w)
					return
				}
				well(w, r)
			}, Options{Credential: &asking{tc.signIn, time.Hour}}, func(t *testing.T, c *Client) {
				within, cancel := context.WithTimeout(ctx(t), tc.within)
				defer cancel()
				begin := time.Now()
				err := tc.call(within, c)
				switch {
				case tc.ok && (err != nil || time.Since(begin) < time.Hour):
					t.Errorf("after %s: %v", time.Since(begin), err)
				case !tc.ok && (!errors.Is(err, entra.ErrThrottled) || errors.Is(err, entra.ErrUnauthorized) || time.Since(begin) > time.Minute):
					t.Errorf("after %s: %v", time.Since(begin), err)
				}
			})
		})
	}
}
