// Package azuritetest starts Azurite, the emulator of Azure Storage, for tests:
// on a free port, in memory, from the npm package that package-lock.json pins.
//
// It fails the test if Azurite cannot start; it never skips, and it is never
// part of the product.
package azuritetest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// The account that every Azurite has; its key is published with it.
const (
	Account = "devstoreaccount1"
	Key     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Server is a running Azurite.
type Server struct {
	// URL is that of the account, without a slash at its end.
	URL string
	// CA is the file with the certificate of an HTTPS server, Pool what holds
	// it; empty for plain HTTP.
	CA   string
	Pool *x509.CertPool
}

// ConnectionString names the account with its key.
func (s *Server) ConnectionString() string { return ConnectionString(s.URL) }

// ConnectionString is that of the account whose URL a container's begins with.
func ConnectionString(url string) string {
	base, _, _ := strings.Cut(url, "/"+Account)
	scheme, _, _ := strings.Cut(base, ":")
	return fmt.Sprintf("DefaultEndpointsProtocol=%s;AccountName=%s;AccountKey=%s;BlobEndpoint=%s/%s;", scheme, Account, Key, base, Account)
}

var containers atomic.Int64

// Container is the address of a container that no other test uses.
func (s *Server) Container() string {
	return fmt.Sprintf("%s/c%d-%d", s.URL, os.Getpid(), containers.Add(1))
}

// Token is an access token as Azurite's OAuth takes it: it checks audience,
// issuer and times, and no signature.
func Token(lasts time.Duration) string {
	part := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err) // a map of texts and numbers
		}
		return base64.RawURLEncoding.EncodeToString(data)
	}
	now := time.Now()
	return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"aud": "https://storage.azure.com", "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/",
		"nbf": now.Add(-time.Minute).Unix(), "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(lasts).Unix(),
	}) + "." + base64.RawURLEncoding.EncodeToString([]byte("signature"))
}

type shared struct {
	once   sync.Once
	server *Server
	err    error
}

var plain, secure shared

// Shared is the plain HTTP server of this test binary, started at the first
// need.
func Shared(t testing.TB) *Server { return plain.get(t, false) }

// SharedTLS is the HTTPS server of this test binary, which also takes tokens.
func SharedTLS(t testing.TB) *Server { return secure.get(t, true) }

func (s *shared) get(t testing.TB, tls bool) *Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = start(tls) })
	if s.err != nil {
		t.Fatalf("Azurite does not start: %v", s.err)
	}
	return s.server
}

// Start starts a plain HTTP server for a program that is no test, or for a test
// that leaves so much in it that it would slow down for others; it ends with the
// program.
func Start() (*Server, error) { return start(false) }

// home is the folder of this package, where npm puts what the lock file pins: a
// test runs somewhere below the module's root.
func home() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "internal", "blobstore", "azuritetest"), nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("run it in the module's folder: no go.mod above the working directory")
		}
		dir = up
	}
}

// install runs npm ci if that was not done yet; test binaries that start at
// the same time wait for each other.
func install(home string) error {
	lock := flock.New(filepath.Join(home, "package.json"))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Unlock()
	if _, err := os.Stat(filepath.Join(home, "node_modules", ".package-lock.json")); err == nil {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = home
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
}

var listening = regexp.MustCompile(`listens on https?://127\.0\.0\.1:(\d+)`)

func start(tls bool) (*Server, error) {
	home, err := home()
	if err != nil {
		return nil, err
	}
	if err := install(home); err != nil {
		return nil, err
	}
	args := []string{filepath.Join(home, "node_modules", "azurite", "dist", "src", "blob", "main.js"),
		"--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--silent", "--disableTelemetry"}
	s, scheme := &Server{}, "http"
	if tls {
		scheme = "https"
		dir, err := os.MkdirTemp("", "azurite")
		if err != nil {
			return nil, err
		}
		s.CA = filepath.Join(dir, "cert.pem")
		key := filepath.Join(dir, "key.pem")
		if s.Pool, err = certificate(s.CA, key); err != nil {
			return nil, err
		}
		args = append(args, "--cert", s.CA, "--key", key, "--oauth", "basic")
	}
	cmd := exec.Command("node", args...)
	cmd.Dir = os.TempDir()
	endWithTest(cmd)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("node is needed: %w", err)
	}
	port := make(chan string, 1)
	go func() {
		defer close(port)
		lines := bufio.NewScanner(out)
		for lines.Scan() { // to the end, so that it never blocks on its output
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				port <- m[1]
			}
		}
	}()
	select {
	case p, ok := <-port:
		if !ok {
			_ = cmd.Wait() // its error is in stderr
			return nil, fmt.Errorf("it ended: %s", stderr.String())
		}
		s.URL = scheme + "://127.0.0.1:" + p + "/" + Account
		return s, nil
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("it does not listen after a minute: %s", stderr.String())
	}
}

// certificate makes a self-signed certificate for this machine.
func certificate(certFile, keyFile string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "azurite"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certFile, certPEM, 0o600); err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)
}
