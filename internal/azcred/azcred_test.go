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
