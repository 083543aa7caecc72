package azcred

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
)

func fileSecret(t *testing.T, path string) config.Secret {
	t.Helper()
	text := "tenants:\n  - {name: a, tenantId: " + tenantID + ", credential: {kind: clientSecret, clientId: " + clientID + ", clientSecret: {file: " + path + "}}}\n"
	cfg, problems := config.Load(config.LoadOptions{File: write(t, "risksweep.yaml", []byte(text)), Explicit: true})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return cfg.Tenants[0].Credential.ClientSecret
}

func TestRotatedSecretIsReadAgain(t *testing.T) {
	s := newSignIn(t, nil)
	path := write(t, "secret", []byte("expired\n"))
	c, err := New(config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: fileSecret(t, path)}, s.options())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c, GraphScope("global")); !errors.Is(err, entra.ErrUnauthorized) {
		t.Fatalf("error %v", err)
	}
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c, GraphScope("global")); err != nil {
		t.Error(err)
	}
}

func TestRotatedCertificateIsReadAgain(t *testing.T) {
	s := newSignIn(t, nil)
	first, second := newCertificate(t), newCertificate(t)
	path := write(t, "cert.pem", first.pem())
	c, err := New(config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: path}, s.options())
	if err != nil {
		t.Fatal(err)
	}
	r := c.(*cached).inner.(*renewing)
	before, _ := r.current()
	if again, _ := r.current(); again != before {
		t.Error("made anew without a reason")
	}
	_ = os.WriteFile(path, []byte("half a fi"), 0o600)
	if half, err := r.current(); err != nil || half != before {
		t.Errorf("a file that cannot be used took the last certificate away: %v", err)
	}
	_ = os.WriteFile(path, second.pem(), 0o600)
	if after, err := r.current(); err != nil || after == before {
		t.Errorf("the certificate was not read again: %v", err)
	}
}

// The identity library keeps tokens of its own; a refused one must not come
// back from there.
func TestRenewPassesTheLibrarysCache(t *testing.T) {
	s := newSignIn(t, nil)
	c, err := New(config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}, s.options())
	if err != nil {
		t.Fatal(err)
	}
	for i, renew := range []bool{false, false, true} {
		if renew {
			c.(*cached).Renew(time.Now())
		}
		if _, err := ask(c, GraphScope("global")); err != nil {
			t.Fatal(i, err)
		}
	}
	c.(*cached).Renew(time.Now().Add(-time.Hour)) // refused long ago: the token is newer
	if _, err := ask(c, GraphScope("global")); err != nil {
		t.Fatal(err)
	}
	if got := s.asked.Load(); got != 2 {
		t.Errorf("%d token requests, want 2", got)
	}
}

// later answers some requests with a wish to wait.
type later struct {
	next   http.RoundTripper
	path   string
	status int
	after  string
}

func (l later) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, l.path) {
		return l.next.RoundTrip(r)
	}
	return &http.Response{StatusCode: l.status, Header: http.Header{"Retry-After": {l.after}}, Body: http.NoBody, Request: r}, nil
}

// Throttling is told as such wherever in a sign-in it happens.
func TestThrottledSignIn(t *testing.T) {
	for _, path := range []string{"/token", "/.well-known/"} {
		for _, status := range []int{429, 503} {
			s := newSignIn(t, nil)
			o := s.options()
			o.Transport = &http.Client{Transport: later{s.tls.Client().Transport, path, status, "600"}}
			c, err := New(config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}, o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{GraphScope("global")}})
			var e *Error
			if !errors.As(err, &e) || e.Wait() != 10*time.Minute || !errors.Is(err, entra.ErrThrottled) || errors.Is(err, entra.ErrUnauthorized) {
				t.Errorf("%s %d: %v", path, status, err)
			}
		}
	}
}
