package azcred

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/graphsim"
)

// The simulated tenant, served as a process of its own would be, takes the
// tokens that it gave: over TLS with its own authority, and plain.
func TestTokensOpenTheSimulatedTenant(t *testing.T) {
	newSignIn(t, nil) // clears the environment
	tenant, err := graphsim.New(graphsim.Options{Seed: 1, Users: 3})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ready, ended := make(chan graphsim.Ready, 1), make(chan error, 1)
	go func() {
		ended <- graphsim.Serve(ctx, tenant, graphsim.ServeOptions{Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", TLSDir: t.TempDir()}, func(r graphsim.Ready) { ready <- r })
	}()
	var info graphsim.Ready
	select {
	case info = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	ca, err := os.ReadFile(info.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		t.Fatal("no certificate authority")
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	defer client.CloseIdleConnections()

	pair := newCertificate(t)
	credentials := map[string]config.Credential{
		"client secret": {Kind: "clientSecret", ClientID: info.ClientID, ClientSecret: config.NewSecret(info.ClientSecret)},
		"certificate":   {Kind: "clientCertificate", ClientID: info.ClientID, CertificatePath: write(t, "c.pem", pair.pem()), SendCertificateChain: true},
		"workload":      {Kind: "workloadIdentity", ClientID: info.ClientID, TokenFile: write(t, "token", federatedToken(t))},
		"managed":       {Kind: "managedIdentity", ClientID: info.ClientID}, // the library keeps tokens by identity for the whole process
		"static":        {Kind: "static", Token: config.NewSecret(info.Token)},
	}
	t.Setenv("IDENTITY_ENDPOINT", info.Authority+"/msi/token")
	t.Setenv("IDENTITY_HEADER", "header")
	for name, credential := range credentials {
		for authority, graph := range map[string]string{info.Authority: info.Graph, info.AuthorityTLS: info.GraphTLS} {
			c, err := New(credential, Options{TenantID: info.TenantID, AuthorityHost: authority, Transport: client})
			if err != nil {
				t.Errorf("%s at %s: %v", name, authority, err)
				continue
			}
			token, err := ask(c, GraphScope("global"))
			if err != nil {
				t.Errorf("%s at %s: %v", name, authority, err)
				continue
			}
			if status := get(t, client, graph+"/organization", token.Token); status == http.StatusUnauthorized || status == http.StatusForbidden {
				t.Errorf("%s at %s: the tenant refused its own token with %d", name, graph, status)
			}
			if status := get(t, client, graph+"/organization", token.Token+"x"); status != http.StatusUnauthorized {
				t.Errorf("%s at %s: a broken token was answered with %d", name, graph, status)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// get returns the status of a call with a token.
func get(t *testing.T, client *http.Client, address, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode
}
