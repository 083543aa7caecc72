// Package azcred makes the one token credential that a configuration asks for,
// in any cloud, and turns the reasons why a sign-in fails into short messages.
// It is the only importer of azidentity.
//
// It never asks for a token by itself, never tries one kind of credential
// after another (but for the kind "default", whose point that is), and never
// shows a secret.
package azcred

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/risksweep/risksweep/internal/config"
)

// Options is what a credential needs besides its configuration.
type Options struct {
	// TenantID is where to sign in.
	TenantID string
	// Cloud is global, usgov, usgovdod or china; empty means global.
	Cloud string
	// AuthorityHost replaces the cloud's sign-in address.
	AuthorityHost string
	// Transport carries the requests; nil means the SDK's own, which trusts
	// the certificates of the system or of SSL_CERT_FILE.
	Transport *http.Client
	// ReadFile opens certificates; nil means os.ReadFile.
	ReadFile func(string) ([]byte, error)
	// RetryDelay is how long to wait before the first of three retries, each
	// wait being twice the one before; 0 means half a second.
	RetryDelay time.Duration
	// Now is the clock that tokens are refreshed by; nil means time.Now.
	Now func() time.Time
}

// New makes the credential of a tenant. It reads certificate files but sends
// nothing. Secrets and certificates in files are read again at every sign-in.
// The credential's method Renew has it forget a token that a service refused. Errors of the credential's GetToken are of type *Error, or wrap the
// context's.
func New(c config.Credential, opts Options) (azcore.TokenCredential, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.ReadFile == nil {
		opts.ReadFile = os.ReadFile
	}
	if c.Kind == config.KindStatic {
		return newStatic(c.Token, opts.Now)
	}
	client, err := clientOptions(opts)
	if err != nil {
		return nil, err
	}
	client.PerRetryPolicies = append(client.PerRetryPolicies, noteThrottling{})
	r := &renewing{credential: c, opts: opts, client: client}
	if _, err := r.current(); err != nil {
		return nil, err
	}
	return newCached(r, opts.Now), nil
}

// Store makes the credential of a store, which signs in at the cloud of the
// store's address unless told otherwise. The kinds connectionString and sas
// need no token: asking for one is an error.
func Store(s config.Store, opts Options) (azcore.TokenCredential, error) {
	c := s.Credential
	opts.Cloud = StoreCloud(s.URL)
	switch c.Kind {
	case config.KindConnectionString, config.KindSAS, config.KindStatic:
		return nil, fmt.Errorf("credential of kind %s signs in to the store without a token", c.Kind)
	}
	if c.TenantID != "" {
		opts.TenantID = c.TenantID
	}
	if c.AuthorityHost != "" {
		opts.AuthorityHost = c.AuthorityHost
	}
	return New(c.Credential, opts)
}

func build(c config.Credential, opts Options, client policy.ClientOptions) (azcore.TokenCredential, error) {
	foreign := foreignAuthority(client.Cloud.ActiveDirectoryAuthorityHost)
	switch c.Kind {
	case config.KindDefault, "":
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: client, TenantID: opts.TenantID, DisableInstanceDiscovery: foreign})
	case config.KindManagedIdentity:
		client.Retry = policy.RetryOptions{} // the SDK's, bounded and made for this endpoint
		o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: client}
		switch {
		case c.ClientID != "":
			o.ID = azidentity.ClientID(c.ClientID)
		case c.ResourceID != "":
			o.ID = azidentity.ResourceID(c.ResourceID)
		case c.ObjectID != "":
			o.ID = azidentity.ObjectID(c.ObjectID)
		}
		return azidentity.NewManagedIdentityCredential(o)
	case config.KindWorkloadIdentity:
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: client, TenantID: opts.TenantID, ClientID: c.ClientID, TokenFilePath: c.TokenFile, DisableInstanceDiscovery: foreign})
	case config.KindClientSecret:
		return azidentity.NewClientSecretCredential(opts.TenantID, c.ClientID, c.ClientSecret.Reveal(), &azidentity.ClientSecretCredentialOptions{
			ClientOptions: client, DisableInstanceDiscovery: foreign})
	case config.KindClientCertificate:
		chain, key, err := readCertificate(c, opts.ReadFile)
		if err != nil {
			return nil, err
		}
		return azidentity.NewClientCertificateCredential(opts.TenantID, c.ClientID, chain, key, &azidentity.ClientCertificateCredentialOptions{
			ClientOptions: client, SendCertificateChain: c.SendCertificateChain, DisableInstanceDiscovery: foreign})
	case config.KindAzureCLI:
		return azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{TenantID: opts.TenantID})
	}
	return nil, errors.New("there is no such kind")
}

// clientOptions bounds retries: four tries within a minute or two.
func clientOptions(opts Options) (policy.ClientOptions, error) {
	host := opts.AuthorityHost
	if host == "" {
		host = Authority(opts.Cloud)
	}
	u, err := url.Parse(host)
	if err != nil || u.Host == "" {
		return policy.ClientOptions{}, fmt.Errorf("authority host %q is not a URL", host)
	}
	delay := opts.RetryDelay
	if delay == 0 {
		delay = 500 * time.Millisecond
	}
	o := policy.ClientOptions{Retry: policy.RetryOptions{MaxRetries: 3, TryTimeout: 30 * time.Second, RetryDelay: delay, MaxRetryDelay: 10 * time.Second}}
	if opts.Transport != nil {
		o.Transport = opts.Transport
	}
	if u.Scheme == "http" {
		if !loopback(u.Hostname()) {
			return o, fmt.Errorf("authority host %s: plain http is for loopback only", host)
		}
		o.Transport = plainLoopback(opts.Transport, u)
		host = "https://" + u.Host
	}
	o.Cloud.ActiveDirectoryAuthorityHost = strings.TrimRight(host, "/") + "/"
	return o, nil
}

// foreignAuthority reports a host that is none of Microsoft's: asking
// Microsoft about it would fail, and its own answer has to do.
func foreignAuthority(host string) bool {
	for _, c := range clouds {
		if strings.TrimRight(host, "/") == c.authority {
			return false
		}
	}
	return strings.TrimRight(host, "/") != "https://login.partner.microsoftonline.cn"
}
