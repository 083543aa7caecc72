package cli_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
)

// azurite is `azurite key` or `azurite token`: it makes a container of its own
// the store of the script, and the sign-in to it by connection string, or by
// the token of a managed identity over HTTPS.
func azurite(t testing.TB) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) != 1 {
			ts.Fatalf("usage: azurite key|token")
		}
		switch args[0] {
		case "key":
			s := azuritetest.Shared(t)
			ts.Setenv("RISKSWEEP_STORE_URL", s.Container()+"/some/prefix")
			ts.Setenv("RISKSWEEP_STORE_CREDENTIAL_KIND", "connectionString")
			ts.Setenv("RISKSWEEP_STORE_CONNECTION_STRING", s.ConnectionString())
		case "token":
			s := azuritetest.SharedTLS(t)
			identity := httptest.NewServer(http.HandlerFunc(issue))
			ts.Defer(identity.Close)
			ts.Setenv("RISKSWEEP_STORE_URL", s.Container())
			ts.Setenv("RISKSWEEP_STORE_CREDENTIAL_KIND", "managedIdentity")
			ts.Setenv("IDENTITY_ENDPOINT", identity.URL)
			ts.Setenv("IDENTITY_HEADER", "header")
			ts.Setenv("SSL_CERT_FILE", s.CA)
		default:
			ts.Fatalf("azurite %s: key or token", args[0])
		}
	}
}

// issue answers as the identity endpoint of App Service and Functions does.
func issue(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-IDENTITY-HEADER") != "header" || r.URL.Query().Get("resource") != "https://storage.azure.com" {
		http.Error(w, `{"statusCode":400,"message":"no such resource"}`, http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"access_token": azuritetest.Token(time.Hour), "token_type": "Bearer", "resource": "https://storage.azure.com",
		"expires_on": fmt.Sprint(time.Now().Add(time.Hour).Unix()),
	})
}
