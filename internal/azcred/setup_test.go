package azcred

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/risksweep/risksweep/internal/config"
)

func TestClouds(t *testing.T) {
	got := map[string][3]string{}
	for _, c := range []string{"", "global", "usgov", "usgovdod", "china"} {
		got[c] = [3]string{Authority(c), GraphEndpoint(c), GraphScope(c)}
	}
	want := map[string][3]string{
		"":         {"https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/.default"},
		"global":   {"https://login.microsoftonline.com", "https://graph.microsoft.com/v1.0", "https://graph.microsoft.com/.default"},
		"usgov":    {"https://login.microsoftonline.us", "https://graph.microsoft.us/v1.0", "https://graph.microsoft.us/.default"},
		"usgovdod": {"https://login.microsoftonline.us", "https://dod-graph.microsoft.us/v1.0", "https://dod-graph.microsoft.us/.default"},
		"china":    {"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/v1.0", "https://microsoftgraph.chinacloudapi.cn/.default"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stores := map[string]string{
		"https://a.blob.core.windows.net/c": "global", "https://a.blob.core.usgovcloudapi.net/c": "usgov", "https://a.blob.core.chinacloudapi.cn/c/p": "china",
		"file:/x": "global", "https://a.blob.core.windows.net/blob.core.chinacloudapi.cn": "global",
	}
	for address, want := range stores {
		if got := StoreCloud(address); got != want {
			t.Errorf("StoreCloud(%s) = %s, want %s", address, got, want)
		}
	}
}

// Each cloud signs in at its own address unless told otherwise, and only a
// host that is none of Microsoft's goes without instance discovery.
func TestAuthority(t *testing.T) {
	tests := []struct {
		opts    Options
		want    string
		foreign bool
	}{
		{Options{}, "https://login.microsoftonline.com/", false},
		{Options{Cloud: "usgovdod"}, "https://login.microsoftonline.us/", false},
		{Options{Cloud: "china"}, "https://login.chinacloudapi.cn/", false},
		{Options{Cloud: "china", AuthorityHost: "https://login.partner.microsoftonline.cn"}, "https://login.partner.microsoftonline.cn/", false},
		{Options{AuthorityHost: "https://localhost:8443"}, "https://localhost:8443/", true},
		{Options{AuthorityHost: "http://127.0.0.1:8890/"}, "https://127.0.0.1:8890/", true},
	}
	for _, tt := range tests {
		o, err := clientOptions(tt.opts)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := o.Cloud.ActiveDirectoryAuthorityHost; got != tt.want || foreignAuthority(got) != tt.foreign {
			t.Errorf("%+v: %s, foreign %v", tt.opts, got, foreignAuthority(got))
		}
	}
	for _, host := range []string{"http://login.example", "::", "login.example"} {
		if _, err := New(config.Credential{Kind: "default"}, Options{TenantID: tenantID, AuthorityHost: host}); err == nil {
			t.Errorf("%s was taken", host)
		}
	}
}

func TestBadCertificates(t *testing.T) {
	pair, other := newCertificate(t), newCertificate(t)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	cert := block("CERTIFICATE", pair.cert.Raw)
	keyDER, _ := x509.MarshalPKCS8PrivateKey(other.key)
	tests := map[string]struct {
		data     []byte
		password string
		want     string
	}{
		"no key":         {cert, "", "it holds no private key"},
		"no certificate": {block("PRIVATE KEY", keyDER), "", "it holds no certificate"},
		"another key":    {append(cert, block("PRIVATE KEY", keyDER)...), "", "none of its certificates belongs to its private key"},
		"elliptic":       {append(cert, block("PRIVATE KEY", ecDER)...), "", "its private key is not RSA, which Microsoft Entra asks for"},
		"encrypted":      {block("ENCRYPTED PRIVATE KEY", keyDER), "", "its private key is encrypted, which PEM files are not read with; use a PFX file, or a key without a password"},
		"two keys":       {append(pair.pem(), block("PRIVATE KEY", keyDER)...), "", "it holds more than one private key"},
		"broken":         {block("CERTIFICATE", []byte("x")), "", "a certificate in it cannot be read"},
		"broken key":     {block("PRIVATE KEY", []byte("x")), "", "its private key cannot be read"},
		"wrong password": {pair.pfx(t, pkcs12.Modern2023, "right"), "not-right", "the password is wrong or missing (certificatePassword)"},
		"nonsense":       {[]byte("nonsense"), "", "it is neither PEM nor a PFX file with one certificate and its private key"},
	}
	for name, tt := range tests {
		path := write(t, "c", tt.data)
		_, err := New(config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: path, CertificatePassword: config.NewSecret(tt.password)}, Options{TenantID: tenantID})
		want := "credential of kind clientCertificate: certificate " + path + ": " + tt.want
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	gone := filepath.Join(t.TempDir(), "gone")
	if _, err := New(config.Credential{Kind: "clientCertificate", ClientID: clientID, CertificatePath: gone}, Options{TenantID: tenantID}); err == nil ||
		err.Error() != "credential of kind clientCertificate: certificate "+gone+": no such file or directory" {
		t.Error(err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestStore(t *testing.T) {
	for _, kind := range []string{"connectionString", "sas", "static"} {
		if _, err := Store(config.Store{Credential: config.StoreCredential{Credential: config.Credential{Kind: kind}}}, Options{}); err == nil {
			t.Errorf("%s gave a token credential", kind)
		}
	}
	s := newSignIn(t, nil)
	credential := config.StoreCredential{TenantID: tenantID, AuthorityHost: s.tls.URL,
		Credential: config.Credential{Kind: "clientSecret", ClientID: clientID, ClientSecret: config.NewSecret(secret)}}
	c, err := Store(config.Store{Credential: credential}, Options{Transport: s.tls.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c, GraphScope("global")); err != nil {
		t.Error(err)
	}

	// A container of another cloud is signed in to there.
	var host string
	credential.AuthorityHost = ""
	c, err = Store(config.Store{URL: "https://a.blob.core.usgovcloudapi.net/c", Credential: credential}, Options{
		RetryDelay: time.Millisecond, Transport: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			host = r.URL.Host
			return nil, errors.New("this is as far as it goes")
		})}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(c, "https://storage.azure.com/.default"); err == nil || host != "login.microsoftonline.us" {
		t.Errorf("asked at %s: %v", host, err)
	}
}

func TestIncompleteSetup(t *testing.T) {
	newSignIn(t, nil) // clears the environment
	for clientID, want := range map[string]string{
		"":       "credential of kind workloadIdentity: clientId is missing, and AZURE_CLIENT_ID is not set either",
		clientID: "credential of kind workloadIdentity: tokenFile is missing, and AZURE_FEDERATED_TOKEN_FILE is not set either",
	} {
		if _, err := New(config.Credential{Kind: "workloadIdentity", ClientID: clientID}, Options{TenantID: tenantID}); err == nil || err.Error() != want {
			t.Error(err)
		}
	}
	_, err := New(config.Credential{Kind: "magic"}, Options{TenantID: tenantID})
	if err == nil || err.Error() != "credential of kind magic: there is no such kind" {
		t.Error(err)
	}
}
