#!/usr/bin/env bash
# azidentity for Go: ParseCertificates does not read a .pfx file as OpenSSL 3
# writes it.
#
# OpenSSL 3 and other tools of today seal PKCS#12 with SHA-256 and encrypt with
# AES. The parser inside knows only the older ways, SHA-1 with triple DES or
# RC2, and says "unknown digest algorithm", which sounds like a bad file. Use
# PEM, "openssl pkcs12 -export -legacy", or read the file with another library
# and give the certificate and key to NewClientCertificateCredential.
#
# Needs Go. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"software.sslmate.com/src/go-pkcs12"
)

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sweeper.contoso.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	check(err)
	certificate, err := x509.ParseCertificate(der)
	check(err)
	for _, way := range []struct {
		name    string
		encoder *pkcs12.Encoder
	}{{"SHA-1, triple DES", pkcs12.LegacyDES}, {"SHA-256, AES", pkcs12.Modern2023}} {
		file, err := way.encoder.Encode(key, certificate, nil, "secret")
		check(err)
		_, _, _, err = pkcs12.DecodeChain(file, "secret")
		fmt.Printf("%s:\n  go-pkcs12: error %v\n", way.name, err)
		_, _, err = azidentity.ParseCertificates(file, []byte("secret"))
		fmt.Printf("  azidentity: error %v\n", err)
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF
{
  go mod init finding
  go get github.com/Azure/azure-sdk-for-go/sdk/azidentity@v1.15.0 \
    software.sslmate.com/src/go-pkcs12@v0.7.4
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
SHA-1, triple DES:
  go-pkcs12: error <nil>
  azidentity: error <nil>
SHA-256, AES:
  go-pkcs12: error <nil>
  azidentity: error pkcs12: unknown digest algorithm: 2.16.840.1.101.3.4.2.1
EOF
)
cat <<EOF
versions: $(go list -m github.com/Azure/azure-sdk-for-go/sdk/azidentity software.sslmate.com/src/go-pkcs12 | paste -sd, | sed "s/,/, /g")
expected: a .pfx file of today, with its password, is read.
happens:  only one sealed and encrypted in the old way is.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
