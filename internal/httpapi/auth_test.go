package httpapi

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// issuer is a local OpenID Connect issuer.
type issuer struct {
	*httptest.Server
	key   *rsa.PrivateKey
	calls atomic.Int32
	down  atomic.Bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.calls.Add(1)
		if i.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		var v any = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
		if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
			v = map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL + "/a", "token_endpoint": i.URL + "/t",
				"id_token_signing_alg_values_supported": []string{"RS256"}}
		}
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) token(t *testing.T, method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
	t.Helper()
	c := jwt.MapClaims{"iss": i.URL, "aud": "api://risksweep", "sub": "caller", "exp": time.Now().Add(time.Hour).Unix(),
		"nbf": time.Now().Add(-time.Minute).Unix(), "roles": []string{"Runs.Start"}}
	if change != nil {
		change(c)
	}
	tok := jwt.NewWithClaims(method, c)
	tok.Header["kid"] = "k1"
	s, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhoMayCall(t *testing.T) {
	i := newIssuer(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := NewAuth(AuthOptions{Token: "the-token-of-the-api", Issuer: i.URL, Audience: "api://risksweep", Role: "Runs.Start"})
	if err != nil {
		t.Fatal(err)
	}
	h := newAPI(&fake{}, func(o *Options) { o.Auth = auth })
	rs := func(change func(jwt.MapClaims)) string {
		return "Bearer " + i.token(t, jwt.SigningMethodRS256, i.key, change)
	}
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"nothing":          {nil, 401},
		"the token":        {[]string{"Bearer the-token-of-the-api"}, 200},
		"lower case":       {[]string{"bearer the-token-of-the-api"}, 200},
		"a longer token":   {[]string{"Bearer the-token-of-the-api0"}, 401},
		"a part of it":     {[]string{"Bearer the-token"}, 401},
		"empty":            {[]string{"Bearer "}, 401},
		"basic":            {[]string{"Basic the-token-of-the-api"}, 401},
		"two headers":      {[]string{"Bearer the-token-of-the-api", "Bearer the-token-of-the-api"}, 401},
		"entra":            {[]string{rs(nil)}, 200},
		"several roles":    {[]string{rs(func(c jwt.MapClaims) { c["roles"] = []string{"A", "Runs.Start"} })}, 200},
		"without role":     {[]string{rs(func(c jwt.MapClaims) { delete(c, "roles") })}, 403},
		"other role":       {[]string{rs(func(c jwt.MapClaims) { c["roles"] = []string{"Runs.Read"} })}, 403},
		"role in a text":   {[]string{rs(func(c jwt.MapClaims) { c["roles"] = "Runs.Start" })}, 403},
		"other audience":   {[]string{rs(func(c jwt.MapClaims) { c["aud"] = "https://graph.microsoft.com" })}, 401},
		"other issuer":     {[]string{rs(func(c jwt.MapClaims) { c["iss"] = "https://evil.example" })}, 401},
		"expired":          {[]string{rs(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() })}, 401},
		"not yet":          {[]string{rs(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() })}, 401},
		"other key":        {[]string{"Bearer " + i.token(t, jwt.SigningMethodRS256, other, nil)}, 401},
		"unsigned":         {[]string{"Bearer " + i.token(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil)}, 401},
		"signed by a text": {[]string{"Bearer " + i.token(t, jwt.SigningMethodHS256, []byte("public key"), nil)}, 401},
	} {
		t.Run(name, func(t *testing.T) {
			var header []string
			for _, v := range c.header {
				header = append(header, "Authorization", v)
			}
			for _, target := range []string{"/api/runs", "/api/runs/" + id, "/api/runs/" + id + "/files/users.csv", "/api/other"} {
				want := c.status
				if want == 200 && target == "/api/other" {
					want = 404
				}
				w := call(h, "GET", target, "", header...)
				if w.Code != want {
					t.Errorf("%s: got %d %s, want %d", target, w.Code, w.Body, want)
				}
				if w.Code == 401 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer ") {
					t.Errorf("WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
				}
			}
		})
	}
}

// An issuer that never stops talking costs no memory, and lets nobody in.
func TestAnIssuerThatFloods(t *testing.T) {
	var sent atomic.Int64
	flood := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for piece := bytes.Repeat([]byte(" "), 64<<10); sent.Load() < 1<<30; sent.Add(int64(len(piece))) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}))
	t.Cleanup(flood.Close)
	auth, err := NewAuth(AuthOptions{Issuer: flood.URL, Audience: "api://risksweep", Role: "Runs.Start"})
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	token := "Bearer " + i.token(t, jwt.SigningMethodRS256, i.key, func(c jwt.MapClaims) { c["iss"] = flood.URL })
	if w := call(newAPI(&fake{}, func(o *Options) { o.Auth = auth }), "GET", "/api/runs", "", "Authorization", token); w.Code != 503 {
		t.Errorf("got %d, want 503", w.Code)
	}
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("%d MiB were taken in", n>>20)
	}
}

// Tokens that anybody can make, each with a key of its own, do not have the
// issuer asked each time; and nobody else is asked than the issuer.
func TestForgedTokensDoNotHammerTheIssuer(t *testing.T) {
	i := newIssuer(t)
	auth, err := NewAuth(AuthOptions{Issuer: i.URL, Audience: "api://risksweep", Role: "Runs.Start"})
	if err != nil {
		t.Fatal(err)
	}
	h := newAPI(&fake{}, func(o *Options) { o.Auth = auth })
	if w := call(h, "GET", "/api/runs", "", "Authorization", "Bearer "+i.token(t, jwt.SigningMethodRS256, i.key, nil)); w.Code != 200 {
		t.Fatalf("got %d", w.Code)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		if w := call(h, "GET", "/api/runs", "", "Authorization", "Bearer "+i.token(t, jwt.SigningMethodRS256, other, nil)); w.Code == 200 {
			t.Fatal("a forged token opens the API")
		}
	}
	if n := i.calls.Load(); n > 10 {
		t.Errorf("the issuer was asked %d times", n)
	}
	if w := call(h, "GET", "/api/runs", "", "Authorization", "Bearer "+i.token(t, jwt.SigningMethodRS256, i.key, nil)); w.Code != 200 {
		t.Errorf("a good token got %d meanwhile", w.Code)
	}
	elsewhere := httptest.NewServer(http.RedirectHandler(i.URL+"/.well-known/openid-configuration", http.StatusFound))
	t.Cleanup(elsewhere.Close)
	if auth, err = NewAuth(AuthOptions{Issuer: elsewhere.URL, Audience: "api://risksweep", Role: "Runs.Start"}); err != nil {
		t.Fatal(err)
	}
	before := i.calls.Load()
	w := call(newAPI(&fake{}, func(o *Options) { o.Auth = auth }), "GET", "/api/runs", "", "Authorization", "Bearer "+i.token(t, jwt.SigningMethodRS256, i.key, nil))
	if w.Code != 503 || i.calls.Load() != before {
		t.Errorf("got %d, and the redirect was followed %d times", w.Code, i.calls.Load()-before)
	}
}

func TestAnIssuerThatIsDownLetsNobodyIn(t *testing.T) {
	i := newIssuer(t)
	i.down.Store(true)
	now := time.Now()
	auth, err := NewAuth(AuthOptions{Issuer: i.URL, Audience: "api://risksweep", Role: "Runs.Start", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	h := newAPI(&fake{}, func(o *Options) { o.Auth = auth })
	token := "Bearer " + i.token(t, jwt.SigningMethodRS256, i.key, nil)
	for range 5 {
		if w := call(h, "GET", "/api/runs", "", "Authorization", token); w.Code != 503 {
			t.Fatalf("got %d, want 503", w.Code)
		}
	}
	if n := i.calls.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times within the pause, want 1", n)
	}
	i.down.Store(false)
	now = now.Add(6 * time.Second)
	if w := call(h, "GET", "/api/runs", "", "Authorization", token); w.Code != 200 {
		t.Errorf("got %d after the issuer came back, want 200", w.Code)
	}
	// Without a token of its own the empty one opens nothing.
	if w := call(h, "GET", "/api/runs", "", "Authorization", "Bearer "); w.Code != 401 {
		t.Errorf("got %d for an empty token, want 401", w.Code)
	}
}

func TestAnOpenAPIIsRefused(t *testing.T) {
	for name, o := range map[string]AuthOptions{
		"nothing":       {},
		"only audience": {Audience: "a", Role: "r"},
		"no role":       {Issuer: "https://issuer.example", Audience: "a"},
		"no audience":   {Issuer: "https://issuer.example", Role: "r"},
	} {
		if a, err := NewAuth(o); err == nil {
			t.Errorf("%s: got %v, want an error", name, a)
		}
	}
	if a, err := NewAuth(AuthOptions{Token: "short"}); err != nil || !a.Weak() {
		t.Errorf("a short token: %v", err)
	}
}

// A token that is read anew takes the old one's place, and none at all lets
// nobody in. Without an issuer nobody is asked about what looks like a token of
// Microsoft Entra ID.
func TestATokenThatIsReadAnew(t *testing.T) {
	now := "the-second-token-of-the-api"
	auth, err := NewAuth(AuthOptions{Token: "the-token-of-the-api", NewToken: func() string { return now }})
	if err != nil {
		t.Fatal(err)
	}
	may := func(header string) error {
		r := httptest.NewRequest("POST", "/v1/runs", nil)
		r.Header.Set("Authorization", header)
		_, err := auth.check(r)
		return err
	}
	if err := may("Bearer  " + now + " "); err != nil {
		t.Errorf("the new token: %v", err)
	}
	for _, header := range []string{"Bearer the-token-of-the-api", "Bearer a.b.c", "Bearer ", "Bearer"} {
		if err := may(header); err != errBadToken {
			t.Errorf("%q: %v", header, err)
		}
	}
	for _, header := range []string{"Basic " + now, now, ""} {
		if err := may(header); err != errScheme {
			t.Errorf("%q: %v", header, err)
		}
	}
	now = ""
	for _, header := range []string{"Bearer the-token-of-the-api", "Bearer the-second-token-of-the-api", "Bearer ", "Bearer"} {
		if err := may(header); err != errBadToken {
			t.Errorf("once there is no token, %q: %v", header, err)
		}
	}
}

// An order names its caller as the token does.
func TestWhoOrdered(t *testing.T) {
	i := newIssuer(t)
	auth, err := NewAuth(AuthOptions{Token: "the-token-of-the-api", Issuer: i.URL, Audience: "api://risksweep", Role: "Runs.Start", Client: i.Client()})
	if err != nil {
		t.Fatal(err)
	}
	entra := func(change func(jwt.MapClaims)) string { return i.token(t, jwt.SigningMethodRS256, i.key, change) }
	for token, want := range map[string]string{
		"the-token-of-the-api": "http.token",
		entra(nil):             "caller",
		entra(func(c jwt.MapClaims) { c["preferred_username"], c["oid"] = "ada@contoso.com", "o1" }):           "ada@contoso.com (o1)",
		entra(func(c jwt.MapClaims) { c["azp"], c["oid"] = "app1", "o2" }):                                     "app1 (o2)",
		entra(func(c jwt.MapClaims) { c["app_displayname"], c["appid"], c["oid"] = "pipeline", "app1", "o2" }): "pipeline (o2)",
	} {
		f := &fake{}
		w := call(newAPI(f, func(o *Options) { o.Auth = auth }), "POST", "/api/runs", `{"tenant":"contoso","mode":"plan"}`, "Authorization", "Bearer "+token)
		if w.Code != 202 || len(f.orders) != 1 || f.orders[0].By != want {
			t.Errorf("%d %s: %+v, want %q", w.Code, w.Body, f.orders, want)
		}
	}
}
