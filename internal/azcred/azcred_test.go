package azcred

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
	"github.com/risksweep/risksweep/internal/graphsim/oauth"
)

const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "99999999-2222-3333-4444-555555555555"
	secret   = "the-client-secret"
)

// signIn is the simulated tenant's sign-in behind TLS and plain HTTP.
type signIn struct {
	tls, plain *httptest.Server
	asked      atomic.Int32 // token requests
}

func newSignIn(t *testing.T, change func(*oauth.Options)) *signIn {
	t.Helper()
	for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_CERTIFICATE_PATH",
		"AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT"} {
		t.Setenv(name, "")
		_ = os.Unsetenv(name) // Setenv restores it
	}
	o := oauth.Options{TenantID: tenantID, Domains: []string{"contoso.example"}, ClientID: clientID, ClientSecret: secret,
		PrincipalID: "88888888-2222-3333-4444-555555555555", Roles: []string{"IdentityRiskyUser.Read.All"}, Now: time.Now}
	if change != nil {
		change(&o)
	}
	server := oauth.New(o)
	s := &signIn{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/token") {
			s.asked.Add(1)
		}
		server.ServeHTTP(w, r)
	})
	s.tls, s.plain = httptest.NewTLSServer(handler), httptest.NewServer(handler)
	t.Cleanup(s.tls.Close)
	t.Cleanup(s.plain.Close)
	return s
}

func (s *signIn) options() Options {
	return Options{TenantID: tenantID, AuthorityHost: s.tls.URL, Transport: s.tls.Client()}
}

func ask(c azcore.TokenCredential, scope string) (azcore.AccessToken, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
}

// claims are what the simulated tenant put into a token.
func claims(t *testing.T, token string) jwt.MapClaims {
	t.Helper()
	c := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, c); err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type certificate struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

func newCertificate(t *testing.T) certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "job"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate{cert, key}
}

func (c certificate) pem() []byte {
	der, _ := x509.MarshalPKCS8PrivateKey(c.key)
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})...)
}

func (c certificate) pfx(t *testing.T, encoder *pkcs12.Encoder, password string) []byte {
	t.Helper()
	data, err := encoder.Encode(c.key, c.cert, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func federatedToken(t *testing.T) []byte {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "https://issuer.example", "sub": "system:serviceaccount:risk:sweep",
		"aud": []string{"api://AzureADTokenExchange"}, "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte("k"))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(token)
}

// fakeCLI puts an az into PATH that answers as the real one does.
func fakeCLI(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "az"), []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestEveryKindSignsIn(t *testing.T) {
	pair := newCertificate(t)
	other := newCertificate(t)
	tests := map[string]struct {
		credential func(*testing.T, *signIn) config.Credential
		options    func(*signIn, *Options)
	}{
		"client secret": {credential: func(*testing.T, *signIn) config.Credential {
			return config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}
		}},
		"client secret by domain over plain loopback": {
			credential: func(*testing.T, *signIn) config.Credential {
				return config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}
			},
			options: func(s *signIn, o *Options) {
				o.AuthorityHost, o.Transport, o.TenantID = s.plain.URL, nil, "contoso.example"
			}},
		"certificate PEM": {credential: func(t *testing.T, _ *signIn) config.Credential {
			return config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: write(t, "c.pem", pair.pem())}
		}},
		"certificate PEM with its chain": {credential: func(t *testing.T, _ *signIn) config.Credential {
			foreign := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.cert.Raw})
			return config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: write(t, "c.pem", append(foreign, pair.pem()...)), SendCertificateChain: true}
		}},
		"certificate PFX of OpenSSL 3": {credential: func(t *testing.T, _ *signIn) config.Credential {
			return config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: write(t, "c.pfx", pair.pfx(t, pkcs12.Modern2023, "pass")), CertificatePassword: config.NewSecret("pass")}
		}},
		"certificate PFX of old": {credential: func(t *testing.T, _ *signIn) config.Credential {
			return config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: write(t, "c.pfx", pair.pfx(t, pkcs12.LegacyDES, "pass")), CertificatePassword: config.NewSecret("pass")}
		}},
		"certificate PFX without password": {credential: func(t *testing.T, _ *signIn) config.Credential {
			return config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: write(t, "c.pfx", pair.pfx(t, pkcs12.Modern2023, ""))}
		}},
		"managed identity": {credential: func(t *testing.T, s *signIn) config.Credential {
			t.Setenv("IDENTITY_ENDPOINT", s.plain.URL+"/msi/token")
			t.Setenv("IDENTITY_HEADER", "header")
			return config.Credential{Kind: "managedIdentity"}
		}},
		"user-assigned managed identity": {credential: func(t *testing.T, s *signIn) config.Credential {
			t.Setenv("IDENTITY_ENDPOINT", s.plain.URL+"/msi/token")
			t.Setenv("IDENTITY_HEADER", "header")
			return config.Credential{Kind: "managedIdentity", ClientID: clientID}
		}},
		"managed identity by object id": {credential: func(t *testing.T, s *signIn) config.Credential {
			t.Setenv("IDENTITY_ENDPOINT", s.plain.URL+"/msi/token")
			t.Setenv("IDENTITY_HEADER", "header")
			return config.Credential{Kind: "managedIdentity", ObjectID: "88888888-2222-3333-4444-555555555555"}
		}},
		"workload identity": {credential: func(t *testing.T, _ *signIn) config.Credential {
			return config.Credential{Kind: "workloadIdentity", ClientID: clientID, TokenFile: write(t, "token", federatedToken(t))}
		}},
		"workload identity of the environment": {credential: func(t *testing.T, _ *signIn) config.Credential {
			t.Setenv("AZURE_CLIENT_ID", clientID)
			t.Setenv("AZURE_FEDERATED_TOKEN_FILE", write(t, "token", federatedToken(t)))
			return config.Credential{Kind: "workloadIdentity"}
		}},
		"default from the environment": {credential: func(t *testing.T, _ *signIn) config.Credential {
			t.Setenv("AZURE_CLIENT_ID", clientID)
			t.Setenv("AZURE_TENANT_ID", tenantID)
			t.Setenv("AZURE_CLIENT_SECRET", secret)
			return config.Credential{Kind: "default"}
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t, func(o *oauth.Options) { o.Certificates = []*x509.Certificate{pair.cert} })
			opts := s.options()
			if tt.options != nil {
				tt.options(s, &opts)
			}
			c, err := New(tt.credential(t, s), opts)
			if err != nil {
				t.Fatal(err)
			}
			token, err := ask(c, GraphScope("global"))
			if err != nil {
				t.Fatal(err)
			}
			got := claims(t, token.Token)
			if got["tid"] != tenantID || got["aud"] != "https://graph.microsoft.com" || got["appid"] != clientID {
				t.Errorf("claims %v", got)
			}
			if left := time.Until(token.ExpiresOn); left < 50*time.Minute || left > 65*time.Minute {
				t.Errorf("expires in %v", left)
			}
		})
	}
}

func TestAzureCLI(t *testing.T) {
	newSignIn(t, nil) // clears the environment
	args := filepath.Join(t.TempDir(), "args")
	fakeCLI(t, fmt.Sprintf("echo \"$@\" >> %s\necho '{\"accessToken\":\"cli-token\",\"expires_on\":%d,\"tokenType\":\"Bearer\"}'\n", args, time.Now().Add(time.Hour).Unix()))
	c, err := New(config.Credential{Kind: "azureCLI"}, Options{TenantID: tenantID})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		token, err := ask(c, GraphScope("usgov"))
		if err != nil {
			t.Fatal(err)
		}
		if token.Token != "cli-token" {
			t.Errorf("token %q", token.Token)
		}
	}
	data, err := os.ReadFile(args) //nolint:gosec // the test's own
	if err != nil {
		t.Fatal(err)
	}
	if got := string(data); strings.Count(got, "\n") != 1 || !strings.Contains(got, "--resource https://graph.microsoft.us") || !strings.Contains(got, "--tenant "+tenantID) {
		t.Errorf("az was called with %q", got)
	}
}

func TestAzureCLINotSignedIn(t *testing.T) {
	newSignIn(t, nil)
	fakeCLI(t, "echo 'ERROR: Please run '\"'az login'\"' to setup account.' >&2\nexit 1\n")
	c, err := New(config.Credential{Kind: "azureCLI"}, Options{TenantID: tenantID})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ask(c, GraphScope("global"))
	if !errors.Is(err, entra.ErrUnauthorized) || !strings.Contains(err.Error(), "run az login") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v", err)
	}
}

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

func TestStatic(t *testing.T) {
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"exp": now.Add(time.Minute).Unix()}).SignedString([]byte("k"))
	if err != nil {
		t.Fatal(err)
	}
	opts := Options{Now: func() time.Time { return now }}
	for _, text := range []string{"opaque", signed} {
		c, err := New(config.Credential{Kind: "static", Token: config.NewSecret(text)}, opts)
		if err != nil {
			t.Fatal(err)
		}
		token, err := ask(c, GraphScope("global"))
		if err != nil || token.Token != text || !token.ExpiresOn.After(now) {
			t.Errorf("%s: %v %v", text, token, err)
		}
	}
	c, err := New(config.Credential{Kind: "static", Token: config.NewSecret(signed)}, opts)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	_, err = ask(c, GraphScope("global"))
	if !errors.Is(err, entra.ErrUnauthorized) || strings.Contains(err.Error(), signed) {
		t.Errorf("error %v", err)
	}
	if _, err := New(config.Credential{Kind: "static"}, opts); err == nil {
		t.Error("no token was taken")
	}
}

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
