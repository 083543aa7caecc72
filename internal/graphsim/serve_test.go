package graphsim

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	tenant, err := newTenant(Options{Token: "ready", Faults: []byte("faults: [{match: {path: /users/slow}, do: {delay: 1h}}]")}, nil, fakeBuild(nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	dir := filepath.Join(t.TempDir(), "tls")
	readied, ended := make(chan Ready, 1), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, tenant, ServeOptions{Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", TLSDir: dir, Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))}, func(r Ready) { readied <- r })
	}()
	var ready Ready
	select {
	case ready = <-readied:
	case err := <-ended:
		t.Fatal(err)
	}
	if ready.CA != filepath.Join(dir, "ca.pem") || ready.GraphTLS != ready.AuthorityTLS+"/v1.0" || !strings.HasPrefix(ready.AuthorityTLS, "https://localhost:") {
		t.Errorf("ready %+v", ready)
	}
	ca, err := os.ReadFile(ready.CA)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("ca.pem holds no certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	get := func(url string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer ready")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read to the end
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for _, graph := range []string{ready.Graph, ready.GraphTLS} {
		status, body := get(graph + "/identityProtection/riskyUsers")
		if status != 200 || !strings.Contains(body, `"@odata.nextLink":"`+graph+`/identityProtection/riskyUsers?`) {
			t.Errorf("%s got %d %s; next links keep scheme and host", graph, status, body)
		}
	}
	for _, name := range []string{"graph.microsoft.com", "login.microsoftonline.com"} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(strings.Replace(ready.AuthorityTLS, "localhost", "127.0.0.1", 1), "https://"), &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = conn.Close()
	}
	// A call that a fault holds for an hour does not hold the end.
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		r, _ := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, ready.Graph+"/users/slow", nil)
		r.Header.Set("Authorization", "Bearer ready")
		if resp, err := client.Do(r); err == nil {
			_ = resp.Body.Close()
		}
	}()
	for tenant.Requests().ByPath["/v1.0/users/slow"] == 0 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serving ended with %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("serving ended after %v", took)
	}
	<-waiting
}

func TestServeRefusesWhatCannotWork(t *testing.T) {
	tenant, err := New(Options{Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, opt := range []ServeOptions{
		{}, {ListenTLS: "127.0.0.1:0"}, {Listen: "127.0.0.1:99999"}, {Listen: "127.0.0.1:0", ListenTLS: "127.0.0.1:0", TLSDir: filepath.Join(file, "x")},
	} {
		if err := Serve(t.Context(), tenant, opt, nil); err == nil {
			t.Errorf("%+v is taken", opt)
		}
	}
}
