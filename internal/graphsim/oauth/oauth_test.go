package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/risksweep/risksweep/internal/graphsim/oauth"
)

const (
	tenantID  = "aaaaaaaa-0000-4000-8000-000000000001"
	clientID  = "bbbbbbbb-0000-4000-8000-000000000002"
	principal = "cccccccc-0000-4000-8000-000000000003"
	secret    = "s3cret~"
)

type env struct {
	*testing.T
	server *oauth.Server
	url    string
	now    time.Time
}

func start(t *testing.T, certificates ...*x509.Certificate) *env {
	t.Helper()
	e := &env{T: t, now: time.Now()}
	clock := func() time.Time { return e.now }
	e.server = oauth.New(oauth.Options{
		TenantID: tenantID, Domains: []string{"contoso.com"}, ClientID: clientID, ClientSecret: secret, PrincipalID: principal,
		Roles: []string{"Policy.Read.All"}, Now: clock, Certificates: certificates,
	})
	s := httptest.NewServer(e.server)
	t.Cleanup(s.Close)
	e.url = s.URL
	return e
}

func (e *env) send(r *http.Request) (int, map[string]any) {
	e.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		e.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		e.Fatalf("%s: %v", b, err)
	}
	return resp.StatusCode, m
}

func (e *env) post(path string, form url.Values) (int, map[string]any) {
	e.Helper()
	r, err := http.NewRequestWithContext(e.Context(), http.MethodPost, e.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		e.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return e.send(r)
}

func (e *env) get(path string, header ...string) (int, map[string]any) {
	e.Helper()
	r, err := http.NewRequestWithContext(e.Context(), http.MethodGet, e.url+path, nil)
	if err != nil {
		e.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return e.send(r)
}

func form(pairs ...string) url.Values {
	v := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret}, "scope": {"https://graph.microsoft.com/.default"}}
	for i := 0; i < len(pairs); i += 2 {
		v.Del(pairs[i])
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func (e *env) host() string { return strings.TrimPrefix(e.url, "http://") }

func TestTokenSaysWhatGraphReads(t *testing.T) {
	e := start(t)
	for _, tenant := range []string{tenantID, strings.ToUpper(tenantID), "contoso.com", "organizations"} {
		status, body := e.post("/"+tenant+"/oauth2/v2.0/token", form())
		if status != 200 || body["token_type"] != "Bearer" || body["expires_in"] != 3599.0 {
			t.Fatalf("%s: got %d %v", tenant, status, body)
		}
		claims, err := e.server.Verify(body["access_token"].(string), e.host())
		if err != nil {
			t.Fatal(err)
		}
		want := oauth.Claims{AppID: clientID, ObjectID: principal, TenantID: tenantID, Roles: []string{"Policy.Read.All"}, IDType: "app", Version: "1.0"}
		got := *claims
		got.RegisteredClaims = jwt.RegisteredClaims{}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(jwt.ClaimStrings{"https://graph.microsoft.com"}, claims.Audience); d != "" {
			t.Error(d)
		}
	}
}

func TestScopesAndResources(t *testing.T) {
	e := start(t)
	for scope, want := range map[string]string{
		"https://graph.microsoft.us/.default":                                "",
		"https://dod-graph.microsoft.us/.default":                            "",
		"https://microsoftgraph.chinacloudapi.cn//.default":                  "",
		e.url + "/.default":                                                  "",
		"https://localhost:8443/.default":                                    "",
		"https://graph.microsoft.com/.default openid profile offline_access": "",
		oauth.GraphAppID + "/.default":                                       "",
		"https://storage.azure.com/.default":                                 "AADSTS500011",
		"https://example.com/.default":                                       "AADSTS500011",
		"https://graph.microsoft.com/User.Read":                              "AADSTS1002012",
		"User.Read":                                                          "AADSTS1002012",
	} {
		_, body := e.post("/"+tenantID+"/oauth2/v2.0/token", form("scope", scope))
		got, _ := body["error_description"].(string)
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", scope, got, want)
		}
	}
	status, body := e.post("/"+tenantID+"/oauth2/token", form("scope", "", "resource", "https://graph.microsoft.com/"))
	if status != 200 || body["expires_in"] != "3599" || body["resource"] != "https://graph.microsoft.com" {
		t.Errorf("v1 got %d %v", status, body)
	}
}

func TestRefusals(t *testing.T) {
	e := start(t)
	tests := []struct {
		name, tenant string
		form         url.Values
		status       int
		kind, code   string
	}{
		{"wrong secret", tenantID, form("client_secret", "x"), 401, "invalid_client", "AADSTS7000215"},
		{"no secret", tenantID, form("client_secret", ""), 401, "invalid_client", "AADSTS7000216"},
		{"other client", tenantID, form("client_id", principal), 400, "unauthorized_client", "AADSTS700016"},
		{"no client", tenantID, form("client_id", ""), 400, "invalid_request", "AADSTS900144"},
		{"other tenant", "fabrikam.com", form(), 400, "invalid_request", "AADSTS90002"},
		{"no grant", tenantID, form("grant_type", ""), 400, "invalid_request", "AADSTS900144"},
		{"other grant", tenantID, form("grant_type", "password"), 400, "unsupported_grant_type", "AADSTS70003"},
		{"no scope", tenantID, form("scope", ""), 400, "invalid_request", "AADSTS900144"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := e.post("/"+tt.tenant+"/oauth2/v2.0/token", tt.form)
			description, _ := body["error_description"].(string)
			if status != tt.status || body["error"] != tt.kind || !strings.HasPrefix(description, tt.code+": ") {
				t.Errorf("got %d %v %q", status, body["error"], description)
			}
			number, _ := strconv.Atoi(strings.TrimPrefix(tt.code, "AADSTS"))
			if d := cmp.Diff([]any{float64(number)}, body["error_codes"]); d != "" {
				t.Error(d)
			}
			for _, key := range []string{"timestamp", "trace_id", "correlation_id"} {
				if body[key] == "" {
					t.Errorf("no %s", key)
				}
			}
		})
	}
	if status, _ := e.get("/" + tenantID + "/oauth2/v2.0/token"); status != 405 {
		t.Errorf("GET got %d", status)
	}
}

func TestBasicAuthentication(t *testing.T) {
	e := start(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/common/oauth2/v2.0/token", strings.NewReader(form("client_id", "", "client_secret", "").Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(clientID, url.QueryEscape(secret))
	if status, body := e.send(r); status != 200 {
		t.Errorf("got %d %v", status, body)
	}
}

func TestExpiryAndForeignTokens(t *testing.T) {
	e := start(t)
	_, body := e.post("/common/oauth2/v2.0/token", form())
	token := body["access_token"].(string)
	message := func(token string) string {
		_, err := e.server.Verify(token, e.host())
		var te *oauth.TokenError
		if !errors.As(err, &te) {
			return ""
		}
		if te.Code != "InvalidAuthenticationToken" {
			t.Errorf("code %q", te.Code)
		}
		return te.Message
	}
	if m := message(token); m != "" {
		t.Fatal(m)
	}
	e.now = e.now.Add(3598 * time.Second)
	if m := message(token); m != "" {
		t.Errorf("a second before the end: %s", m)
	}
	e.now = e.now.Add(time.Second)
	if m := message(token); m != "Lifetime validation failed, the token is expired." {
		t.Errorf("at the end: %q", m)
	}
	foreign := start(t)
	_, body = foreign.post("/common/oauth2/v2.0/token", form())
	if m := message(body["access_token"].(string)); m != "Access token validation failure. Invalid signature." {
		t.Errorf("a token of another tenant: %q", m)
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"tid": tenantID}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	if m := message(unsigned); m == "" {
		t.Error("an unsigned token is taken")
	}
	other, err := e.server.Issue("x", "https://storage.azure.com", "1.0", 0)
	if err != nil {
		t.Fatal(err)
	}
	if m := message(other); m != "Access token validation failure. Invalid audience." {
		t.Errorf("a token for storage: %q", m)
	}
	if m := message("opaque"); m != "CompactToken parsing failed with error code: 80049217" {
		t.Errorf("no token at all: %q", m)
	}
}

// certificate makes a client certificate.
func certificate(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, c
}

func assertion(t *testing.T, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for k, v := range header {
		token.Header[k] = v
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAssertions(t *testing.T) {
	key, cert := certificate(t)
	otherKey, other := certificate(t)
	known := start(t, cert)
	open := start(t)
	claims := func(e *env, pairs ...any) jwt.MapClaims {
		c := jwt.MapClaims{
			"aud": e.url + "/" + tenantID + "/oauth2/v2.0/token", "iss": clientID, "sub": clientID, "jti": "1",
			"nbf": time.Now().Unix(), "exp": time.Now().Add(10 * time.Minute).Unix(),
		}
		for i := 0; i < len(pairs); i += 2 {
			c[pairs[i].(string)] = pairs[i+1]
		}
		return c
	}
	s1, s256 := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw)
	o256 := sha256.Sum256(other.Raw)
	x5t := map[string]any{"x5t": base64.RawURLEncoding.EncodeToString(s1[:])}
	x5t256 := map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(s256[:])}
	withChain := map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(s256[:]), "x5c": []string{base64.StdEncoding.EncodeToString(cert.Raw)}}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	federated := jwt.MapClaims{"iss": "https://token.example.com", "sub": "repo:contoso/sweep", "aud": "api://AzureADTokenExchange", "exp": time.Now().Add(time.Hour).Unix()}
	stale := jwt.MapClaims{"iss": "https://token.example.com", "sub": "s", "aud": "a", "exp": time.Now().Add(-time.Hour).Unix()}
	tests := []struct {
		name, assertion string
		e               *env
		want            string
	}{
		{"x5t, RS256", assertion(t, jwt.SigningMethodRS256, key, x5t, claims(known)), known, ""},
		{"x5t#S256, PS256", assertion(t, jwt.SigningMethodPS256, key, x5t256, claims(known)), known, ""},
		{"another key behind a known thumbprint", assertion(t, jwt.SigningMethodPS256, otherKey, x5t256, claims(known)), known, "AADSTS700027"},
		{"another certificate", assertion(t, jwt.SigningMethodPS256, otherKey, map[string]any{"x5t#S256": base64.StdEncoding.EncodeToString(o256[:])}, claims(known)), known, "AADSTS700027"},
		{"none registered", assertion(t, jwt.SigningMethodPS256, key, x5t256, claims(open)), open, ""},
		{"none registered, own chain", assertion(t, jwt.SigningMethodPS256, key, withChain, claims(open)), open, ""},
		{"none registered, broken signature", assertion(t, jwt.SigningMethodPS256, otherKey, withChain, claims(open)), open, "AADSTS700027"},
		{"other issuer", assertion(t, jwt.SigningMethodPS256, key, x5t256, claims(known, "iss", "x")), known, "AADSTS700021"},
		{"other audience", assertion(t, jwt.SigningMethodPS256, key, x5t256, claims(known, "aud", "https://example.com/"+tenantID)), known, "AADSTS700023"},
		{"expired", assertion(t, jwt.SigningMethodPS256, key, x5t256, claims(known, "exp", time.Now().Add(-time.Minute).Unix())), known, "AADSTS700024"},
		{"not yet", assertion(t, jwt.SigningMethodPS256, key, x5t256, claims(known, "nbf", time.Now().Add(time.Hour).Unix())), known, "AADSTS700024"},
		{"federated", assertion(t, jwt.SigningMethodES256, ec, nil, federated), known, ""},
		{"federated, stale", assertion(t, jwt.SigningMethodES256, ec, nil, stale), known, "AADSTS700024"},
		{"no JWT", "nonsense", known, "AADSTS50027"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := tt.e.post("/"+tenantID+"/oauth2/v2.0/token", form("client_secret", "",
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", tt.assertion))
			got, _ := body["error_description"].(string)
			if tt.want == "" && status != 200 || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %d %q, want %q", status, got, tt.want)
			}
		})
	}
}

func TestOpenIDClientVerifiesTokens(t *testing.T) {
	e := start(t)
	provider, err := oidc.NewProvider(t.Context(), e.url+"/"+tenantID+"/v2.0")
	if err != nil {
		t.Fatal(err)
	}
	_, body := e.post("/"+tenantID+"/oauth2/v2.0/token", form("scope", e.url+"/.default"))
	token, err := provider.Verifier(&oidc.Config{ClientID: e.url}).Verify(t.Context(), body["access_token"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != principal {
		t.Errorf("subject %q", token.Subject)
	}
	if status, body := e.get("/fabrikam.com/v2.0/.well-known/openid-configuration"); status != 400 || body["error"] != "invalid_tenant" {
		t.Errorf("a foreign tenant got %d %v", status, body)
	}
	status, body := e.get("/contoso.com/.well-known/openid-configuration")
	if status != 200 || body["token_endpoint"] != e.url+"/contoso.com/oauth2/token" || body["issuer"] != e.url+"/"+tenantID+"/" {
		t.Errorf("v1 discovery %d %v", status, body)
	}
}

func TestInstanceDiscovery(t *testing.T) {
	e := start(t)
	for endpoint, want := range map[string]int{
		"https://login.microsoftonline.com/common/oauth2/v2.0/authorize": 200,
		"https://login.microsoftonline.us/x/oauth2/v2.0/authorize":       200,
		"https://localhost:8443/" + tenantID + "/oauth2/v2.0/authorize":  200,
		"https://evil.example.com/common":                                400,
		"":                                                               400,
	} {
		status, body := e.get("/common/discovery/instance?api-version=1.1&authorization_endpoint=" + url.QueryEscape(endpoint))
		if status != want {
			t.Errorf("%s got %d %v", endpoint, status, body)
		}
	}
	_, body := e.get("/common/discovery/instance?authorization_endpoint=" + url.QueryEscape("https://localhost:8443/"+tenantID+"/oauth2/v2.0/authorize"))
	if got := body["tenant_discovery_endpoint"]; got != "https://localhost:8443/"+tenantID+"/v2.0/.well-known/openid-configuration" {
		t.Errorf("got %v", got)
	}
}

func TestManagedIdentity(t *testing.T) {
	e := start(t)
	const q = "?api-version=2019-08-01&resource=https%3A%2F%2Fgraph.microsoft.com"
	tests := []struct {
		name, path string
		header     []string
		status     int
		kind       any
	}{
		{"App Service", "/msi/token" + q, []string{"X-IDENTITY-HEADER", "h"}, 200, nil},
		{"App Service at any path", "/identity/token" + q, []string{"X-IDENTITY-HEADER", "h"}, 200, nil},
		{"no header", "/msi/token" + q, nil, 401, "unauthorized"},
		{"virtual machine", "/metadata/identity/oauth2/token" + q, []string{"Metadata", "true"}, 200, nil},
		{"virtual machine without header", "/metadata/identity/oauth2/token" + q, nil, 400, "bad_request_102"},
		{"user-assigned", "/msi/token" + q + "&client_id=" + clientID, []string{"X-IDENTITY-HEADER", "h"}, 200, nil},
		{"unknown identity", "/msi/token" + q + "&client_id=x", []string{"X-IDENTITY-HEADER", "h"}, 400, "invalid_request"},
		{"no resource", "/msi/token?api-version=2019-08-01", []string{"X-IDENTITY-HEADER", "h"}, 400, "bad_request_102"},
		{"other resource", "/msi/token?api-version=2019-08-01&resource=https://vault.azure.net", []string{"X-IDENTITY-HEADER", "h"}, 400, "invalid_resource"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := e.get(tt.path, tt.header...)
			if status != tt.status || body["error"] != tt.kind {
				t.Fatalf("got %d %v", status, body)
			}
			if status != 200 {
				return
			}
			if _, err := e.server.Verify(body["access_token"].(string), e.host()); err != nil {
				t.Error(err)
			}
			if on, err := strconv.ParseInt(body["expires_on"].(string), 10, 64); err != nil || on != e.now.Unix()+3599 {
				t.Errorf("expires_on %v", body["expires_on"])
			}
		})
	}
}

func TestCloudMetadata(t *testing.T) {
	e := start(t)
	status, body := e.get("/metadata/endpoints?api-version=2022-09-01")
	if status != 200 || body["name"] != "AzureCloud" || body["microsoftGraphResourceId"] != e.url+"/" {
		t.Errorf("got %d %v", status, body)
	}
	if login := body["authentication"].(map[string]any)["loginEndpoint"]; login != e.url {
		t.Errorf("loginEndpoint %v", login)
	}
}
