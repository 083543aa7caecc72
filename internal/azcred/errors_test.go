package azcred

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim/oauth"
)

func TestRefusals(t *testing.T) {
	pair, foreign := newCertificate(t), newCertificate(t)
	tests := map[string]struct {
		credential config.Credential
		tenant     string
		want       Error
	}{
		"wrong secret": {credential: config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret("wrong-secret-text")},
			want: Error{Code: "7000215", Status: 401}},
		"unknown application": {credential: config.Credential{Kind: "clientSecret", ClientID: tenantID, ClientSecret: config.NewSecret(secret)},
			want: Error{Code: "700016", Status: 400}},
		"unregistered certificate": {credential: config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: write(t, "c.pem", foreign.pem())},
			want: Error{Code: "700027", Status: 401}},
		"unknown tenant": {tenant: "77777777-2222-3333-4444-555555555555",
			credential: config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)},
			want:       Error{Code: "90002", Status: 400}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t, func(o *oauth.Options) { o.Certificates = []*x509.Certificate{pair.cert} })
			opts := s.options()
			if tt.tenant != "" {
				opts.TenantID = tt.tenant
			}
			c, err := New(tt.credential, opts)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ask(c, GraphScope("global"))
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("error %T %v", err, err)
			}
			if !errors.Is(err, entra.ErrUnauthorized) || refused.Code != tt.want.Code || refused.Status != tt.want.Status || refused.Hint == "" || refused.TraceID == "" {
				t.Errorf("error %#v", refused)
			}
			text := err.Error()
			if strings.ContainsAny(text, "\r\n") || len(text) > 700 || strings.Contains(text, secret) || strings.Contains(text, "wrong-secret-text") {
				t.Errorf("message %q", text)
			}
		})
	}
}

func TestUnavailable(t *testing.T) {
	s := newSignIn(t, nil)
	answer := func(status int, body string) *httptest.Server {
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "/token") {
				s.tls.Config.Handler.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(srv.Close)
		return srv
	}
	tests := map[string]struct {
		status int
		body   string
		want   error
	}{
		"throttled": {429, `{"error":"temporarily_unavailable","error_description":"slow down"}`, entra.ErrThrottled},
		"down":      {503, "<html>", entra.ErrUnavailable},
		"nonsense":  {200, "<html>", entra.ErrUnauthorized},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			srv := answer(tt.status, tt.body)
			c, err := New(config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)},
				Options{TenantID: tenantID, AuthorityHost: srv.URL, Transport: srv.Client(), RetryDelay: time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = ask(c, GraphScope("global")); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		gone := httptest.NewTLSServer(nil)
		gone.Close()
		c, err := New(config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}, Options{TenantID: tenantID, AuthorityHost: gone.URL, RetryDelay: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ask(c, GraphScope("global")); !errors.Is(err, entra.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		c, err := New(config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}, s.options())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err = c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{GraphScope("global")}}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}
