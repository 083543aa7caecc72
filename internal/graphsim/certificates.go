package graphsim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const caFile = "ca.pem"

// certifiedNames are the names the TLS listener goes by: its own, and those of
// the real service in every cloud, for clients whose names are led here.
func certifiedNames() []string {
	return []string{
		"localhost",
		"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn",
		"login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn", "login.partner.microsoftonline.cn",
		"login.microsoft.com", "login.windows.net", "sts.windows.net",
	}
}

// writeCertificates makes a certificate authority and a server certificate of
// its own, and writes the authority's certificate to ca.pem in a folder. The
// authority's key is forgotten at once, so that trusting it stays harmless.
func writeCertificates(dir string) (tls.Certificate, error) {
	none := tls.Certificate{}
	wrap := func(err error) (tls.Certificate, error) {
		return none, fmt.Errorf("making the TLS certificate: %w", err)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return wrap(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return wrap(err)
	}
	// By the real clock: the callers' TLS libraries know no other.
	from, to := time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	serial := func() *big.Int { return new(big.Int).SetInt64(time.Now().UnixNano()) }
	ca := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Simulated tenant CA"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return wrap(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: from, NotAfter: to,
		DNSNames: certifiedNames(), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return wrap(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return wrap(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	if err := os.WriteFile(filepath.Join(dir, caFile), text, 0o644); err != nil { //nolint:gosec // a public certificate
		return wrap(err)
	}
	return tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: key}, nil
}
