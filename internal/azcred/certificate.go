package azcred

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/risksweep/risksweep/internal/config"
)

// readCertificate reads a certificate chain, the leaf first, and its private
// key from a PEM or PFX file. azidentity's own reader does not know what
// OpenSSL 3 writes by default.
func readCertificate(c config.Credential, readFile func(string) ([]byte, error)) ([]*x509.Certificate, crypto.PrivateKey, error) {
	data, err := readFile(c.CertificatePath)
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return nil, nil, fmt.Errorf("certificate %s: %w", c.CertificatePath, err)
	}
	var chain []*x509.Certificate
	var key crypto.PrivateKey
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		chain, key, err = fromPEM(data)
	} else {
		chain, key, err = fromPFX(data, c.CertificatePassword.Reveal())
	}
	if err == nil {
		chain, err = leafFirst(chain, key)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %s: %w", c.CertificatePath, err)
	}
	return chain, key, nil
}

func fromPEM(data []byte) (chain []*x509.Certificate, key crypto.PrivateKey, err error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return chain, key, nil
		}
		switch {
		case block.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, nil, errors.New("a certificate in it cannot be read")
			}
			chain = append(chain, c)
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
			return nil, nil, errors.New("its private key is encrypted, which PEM files are not read with; use a PFX file, or a key without a password")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			if key != nil {
				return nil, nil, errors.New("it holds more than one private key")
			}
			if key, err = parseKey(block.Bytes); err != nil {
				return nil, nil, err
			}
		}
	}
}

func parseKey(der []byte) (crypto.PrivateKey, error) {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	return nil, errors.New("its private key cannot be read")
}

func fromPFX(data []byte, password string) ([]*x509.Certificate, crypto.PrivateKey, error) {
	key, leaf, rest, err := pkcs12.DecodeChain(data, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, nil, errors.New("the password is wrong or missing (certificatePassword)")
	case err != nil:
		return nil, nil, errors.New("it is neither PEM nor a PFX file with one certificate and its private key")
	}
	return append([]*x509.Certificate{leaf}, rest...), key, nil
}

// leafFirst finds the certificate that belongs to the key. Entra takes RSA
// keys only.
func leafFirst(chain []*x509.Certificate, key crypto.PrivateKey) ([]*x509.Certificate, error) {
	switch key.(type) {
	case *rsa.PrivateKey:
	case nil:
		return nil, errors.New("it holds no private key")
	case *ecdsa.PrivateKey:
		return nil, errors.New("its private key is not RSA, which Microsoft Entra asks for")
	default:
		return nil, errors.New("its private key is of a kind that cannot sign in; it must be RSA")
	}
	if len(chain) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	public := &key.(*rsa.PrivateKey).PublicKey
	for i, c := range chain {
		if public.Equal(c.PublicKey) {
			ordered := append([]*x509.Certificate{c}, chain[:i]...)
			return append(ordered, chain[i+1:]...), nil
		}
	}
	return nil, errors.New("none of its certificates belongs to its private key")
}
