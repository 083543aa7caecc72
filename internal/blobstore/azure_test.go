package blobstore_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
)

func tlsConfig(pool *x509.CertPool) *tls.Config { return &tls.Config{RootCAs: pool} }

// emulatorCredential signs in as Azurite wants it.
type emulatorCredential struct{}

func (emulatorCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: azuritetest.Token(time.Hour), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// lossy carries requests and loses the answers that it is told to.
type lossy struct {
	mu   sync.Mutex
	lose func(*http.Request) (before, after bool)
	n    int
}

func (l *lossy) Do(r *http.Request) (*http.Response, error) {
	l.mu.Lock()
	before, after := false, false
	if l.lose != nil {
		before, after = l.lose(r)
	}
	l.n++
	l.mu.Unlock()
	if before {
		return nil, errors.New("connection refused")
	}
	res, err := http.DefaultClient.Do(r)
	if err == nil && after {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return res, err
}

// once loses the first answer to a request that matches.
func once(match func(*http.Request) bool) func(*http.Request) (bool, bool) {
	done := false
	return func(r *http.Request) (bool, bool) {
		if done || !match(r) {
			return false, false
		}
		done = true
		return false, true
	}
}

// The SDK sends a write again whose answer was lost. The second try meets the
// first and is refused: that is a success, not a conflict.
func TestAnAnswerThatIsLost(t *testing.T) {
	l := &lossy{}
	s := azure(t, azuritetest.Shared(t).Container(), func(o *blobstore.AzureOptions) { o.Transport = l })
	isPut := func(r *http.Request) bool {
		return r.Method == http.MethodPut && !strings.Contains(r.URL.RawQuery, "restype=container")
	}
	ctx := t.Context()

	l.lose = once(isPut)
	if err := s.PutNew(ctx, "new", []byte("mine")); err != nil {
		t.Errorf("PutNew: %v", err)
	}
	l.lose = once(isPut)
	version, err := s.PutIf(ctx, "state", []byte("1"), "")
	if err != nil {
		t.Fatalf("PutIf: %v", err)
	}
	l.lose = once(isPut)
	if version, err = s.PutIf(ctx, "state", []byte("2"), version); err != nil {
		t.Fatalf("PutIf: %v", err)
	}
	if _, live, err := s.Get(ctx, "state"); err != nil || live != version {
		t.Errorf("the version is %q, the live one %q, %v", version, live, err)
	}
	a, err := s.Append(ctx, "journal")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l.lose = once(func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "comp=appendblock") })
		if err := a.Append(ctx, []byte("line\n")); err != nil {
			t.Errorf("Append: %v", err)
		}
	}
	if data, _, err := s.Get(ctx, "journal"); string(data) != "line\nline\n" {
		t.Errorf("the journal holds %q, %v", data, err)
	}
	w, err := s.Create(ctx, "blocks")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Repeat("0123456789abcdef", 100_000)
	l.lose = once(func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "comp=block&") })
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	l.lose = once(func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, "comp=blocklist") })
	if err := w.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	l.lose = nil
	if data, _, err := s.Get(ctx, "blocks"); string(data) != text {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	// Somebody else's write is a conflict all the same.
	l.lose = nil
	if err := s.PutNew(ctx, "new", []byte("theirs")); !errors.Is(err, blobstore.ErrExists) {
		t.Errorf("got %v", err)
	}
}

// A lease that is no longer renewed ends the work that it covers, before
// another can hold it.
func TestALeaseThatIsNotRenewedIsLost(t *testing.T) {
	t.Parallel()
	url := azuritetest.Shared(t).Container()
	l := &lossy{}
	s := azure(t, url, func(o *blobstore.AzureOptions) { o.Transport, o.LeaseFor = l, 15*time.Second })
	lease, err := s.Lease(t.Context(), "lock", blobstore.Holder{Run: "first"})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	l.mu.Lock()
	l.lose = func(r *http.Request) (bool, bool) { return strings.Contains(r.URL.RawQuery, "comp=lease"), false }
	l.mu.Unlock()
	select {
	case <-lease.Context().Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on without being renewed")
	}
	if cause := context.Cause(lease.Context()); !errors.Is(cause, blobstore.ErrLeaseLost) {
		t.Errorf("the cause is %v", cause)
	}
	if lost := time.Since(began); lost > 15*time.Second {
		t.Errorf("it was given up after %s, when another could hold it", lost)
	}
	other := azure(t, url, nil)
	for {
		next, err := other.Lease(t.Context(), "lock", blobstore.Holder{Run: "second"})
		if err == nil {
			if err := next.Release(t.Context()); err != nil {
				t.Error(err)
			}
			break
		}
		if !errors.Is(err, blobstore.ErrLeaseHeld) || time.Since(began) > 40*time.Second {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
}

// It is renewed for as long as it is held.
func TestALeaseIsRenewed(t *testing.T) {
	t.Parallel()
	url := azuritetest.Shared(t).Container()
	s := azure(t, url, func(o *blobstore.AzureOptions) { o.LeaseFor = 15 * time.Second })
	lease, err := s.Lease(t.Context(), "lock", blobstore.Holder{Run: "first"})
	if err != nil {
		t.Fatal(err)
	}
	first := lease.Expires()
	time.Sleep(17 * time.Second)
	if err := context.Cause(lease.Context()); err != nil {
		t.Fatalf("lost: %v", err)
	}
	if !lease.Expires().After(first) {
		t.Error("it was not renewed")
	}
	if _, err := azure(t, url, nil).Lease(t.Context(), "lock", blobstore.Holder{}); !errors.Is(err, blobstore.ErrLeaseHeld) {
		t.Errorf("got %v", err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

// UseDevelopmentStorage=true stands for the account that every emulator has.
func TestDevelopmentStorage(t *testing.T) {
	s := azure(t, azuritetest.Shared(t).Container(), func(o *blobstore.AzureOptions) { o.ConnectionString = "UseDevelopmentStorage=true" })
	if err := s.Put(t.Context(), "a", []byte("b")); err != nil {
		t.Error(err)
	}
}

// A shared access signature of the account opens the container, and one that
// does not hold says so without showing it.
func TestAzureBySignature(t *testing.T) {
	server := azuritetest.Shared(t)
	url := server.Container()
	azure(t, url, nil) // makes it
	key, err := container.NewSharedKeyCredential(azuritetest.Account, azuritetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential(url, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := client.GetSASURL(sas.ContainerPermissions{Read: true, Write: true, Create: true, List: true, Delete: true, Add: true}, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(signed, "?")
	s := azure(t, url, func(o *blobstore.AzureOptions) { o.ConnectionString, o.SAS = "", query })
	if err := s.PutNew(t.Context(), "a", []byte("b")); err != nil {
		t.Fatal(err)
	}
	if data, _, err := s.Get(t.Context(), "a"); string(data) != "b" {
		t.Errorf("%q, %v", data, err)
	}
	bad, err := blobstore.OpenAzure(t.Context(), blobstore.AzureOptions{URL: url, SAS: "sv=2025-01-05&sig=c2VjcmV0"})
	if err == nil {
		err = bad.Put(t.Context(), "a", nil)
	}
	if err == nil || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("got %v", err)
	}
}

func TestAzureAddresses(t *testing.T) {
	const key = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
	open := func(t *testing.T, o blobstore.AzureOptions) (*blobstore.Azure, error) {
		o.Transport = &lossy{lose: func(*http.Request) (bool, bool) { return true, false }}
		o.CallTimeout = 50 * time.Millisecond
		return blobstore.OpenAzure(t.Context(), o)
	}
	for name, c := range map[string]struct {
		o    blobstore.AzureOptions
		want string // in the error
	}{
		"no container":      {blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net", ConnectionString: key}, "names no container"},
		"no scheme":         {blobstore.AzureOptions{URL: "acct/container", ConnectionString: key}, "the address of a container is"},
		"a secret in it":    {blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net/c?sig=c2VjcmV0", ConnectionString: key}, "holds no secret"},
		"plain http":        {blobstore.AzureOptions{URL: "http://acct.blob.core.windows.net/c", ConnectionString: key}, "emulator on this machine only"},
		"another account":   {blobstore.AzureOptions{URL: "https://other.blob.core.windows.net/c", ConnectionString: key}, "is that of acct.blob.core.windows.net, not of other."},
		"no credential":     {blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net/c"}, "no credential"},
		"bad connection":    {blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net/c", ConnectionString: "AccountKey=c2VjcmV0"}, "is not one of a storage account"},
		"odd prefix":        {blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net/c/a/../b", ConnectionString: key}, `the prefix behind the container: "a/../b"`},
		"emulator, nothing": {blobstore.AzureOptions{URL: "http://127.0.0.1:1/devstoreaccount1", ConnectionString: key}, "names no container"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := open(t, c.o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	for url, suffix := range map[string]string{
		"https://acct.blob.core.windows.net/c":              "core.windows.net",
		"https://acct.blob.core.windows.net/c/some/where/":  "core.windows.net",
		"https://acct.blob.core.usgovcloudapi.net/c":        "core.usgovcloudapi.net",
		"https://acct.blob.core.chinacloudapi.cn/c/reports": "core.chinacloudapi.cn",
	} {
		s, err := open(t, blobstore.AzureOptions{URL: url, ConnectionString: strings.Replace(key, "core.windows.net", suffix, 1)})
		if err != nil || s.URL() != strings.TrimSuffix(url, "/") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// A service that stumbles after it has written, and then takes no write at all,
// is asked what became of the one.
func TestAServerErrorAfterTheEffect(t *testing.T) {
	down, wrote := false, map[string]bool{}
	s := azure(t, azuritetest.Shared(t).Container(), func(o *blobstore.AzureOptions) {
		o.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if !down || r.Method != http.MethodPut {
				return http.DefaultClient.Do(r)
			}
			if !wrote[r.URL.Path] {
				wrote[r.URL.Path] = true
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					return nil, err
				}
				if err := res.Body.Close(); err != nil {
					return nil, err
				}
			}
			return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		})
	})
	down = true
	if err := s.PutNew(t.Context(), "new", []byte("mine")); err != nil {
		t.Errorf("PutNew: %v", err)
	}
	version, err := s.PutIf(t.Context(), "state", []byte("1"), "")
	if _, live, getErr := s.Get(t.Context(), "state"); err != nil || getErr != nil || live != version {
		t.Errorf("PutIf: %q, the live one %q, %v, %v", version, live, err, getErr)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }

// What is wrong with a signature decides what helps: a new role never does.
func TestWhatASignatureLacks(t *testing.T) {
	server := azuritetest.Shared(t)
	url, other := server.Container(), server.Container()
	azure(t, url, nil)
	azure(t, other, nil)
	key, err := container.NewSharedKeyCredential(azuritetest.Account, azuritetest.Key)
	if err != nil {
		t.Fatal(err)
	}
	all := sas.ContainerPermissions{Read: true, Write: true, Create: true, List: true, Delete: true, Add: true}
	sign := func(of string, p sas.ContainerPermissions, starts, ends time.Duration) string {
		client, err := container.NewClientWithSharedKeyCredential(of, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now().Add(starts)
		signed, err := client.GetSASURL(p, time.Now().Add(ends), &container.GetSASURLOptions{StartTime: &start})
		if err != nil {
			t.Fatal(err)
		}
		_, query, _ := strings.Cut(signed, "?")
		return query
	}
	right := sign(url, all, -time.Hour, time.Hour)
	for name, c := range map[string]struct{ sas, problem, fix string }{
		"read only":                {sign(url, sas.ContainerPermissions{Read: true, List: true}, -time.Hour, time.Hour), "permissions rl, not a, c, w, d", "sp=racwdl"},
		"ended":                    {sign(url, all, -2*time.Hour, -time.Hour), "ended at", "later end"},
		"to come":                  {sign(url, all, time.Hour, 2*time.Hour), "yet to come", "clock"},
		"foreign":                  {sign(other, all, -time.Hour, time.Hour), "another container", "store.url"},
		"cut":                      {right[:strings.Index(right, "&sig=")], "not whole", "end of sig="},
		"changed":                  {strings.Replace(right, "sig=", "sig=AA", 1), "another container or account", "copy all"},
		"an account's, for queues": {"sv=2022-11-02&ss=q&srt=sco&sp=rwdlacup&se=2099-01-01T00:00:00Z&sig=AAAA", "not for blobs", "ss=b"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := blobstore.OpenAzure(t.Context(), blobstore.AzureOptions{URL: url, SAS: c.sas})
			if err == nil {
				err = s.Put(t.Context(), "a", []byte("b"))
			}
			var refused *blobstore.AccessError
			if !errors.As(err, &refused) || !strings.Contains(refused.Problem, c.problem) || !strings.Contains(refused.Fix, c.fix) ||
				strings.Contains(err.Error(), "role") || strings.Contains(err.Error(), "sig=A") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The service's words for a refusal, by how it was asked.
func TestWhyAccessIsRefused(t *testing.T) {
	for _, c := range []struct {
		code, want string
		options    blobstore.AzureOptions
	}{
		{"AuthorizationFailure", "network rules", blobstore.AzureOptions{Credential: emulatorCredential{}}},
		{"AuthorizationPermissionMismatch", "Storage Blob Data Contributor", blobstore.AzureOptions{Credential: emulatorCredential{}}},
		{"InvalidAuthenticationInfo", "tenant of the storage account", blobstore.AzureOptions{Credential: emulatorCredential{}}},
		{"AuthorizationFailure", "network rules", blobstore.AzureOptions{ConnectionString: "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=AAAA;EndpointSuffix=core.windows.net"}},
		{"KeyBasedAuthenticationNotPermitted", "takes no keys", blobstore.AzureOptions{ConnectionString: "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=AAAA;EndpointSuffix=core.windows.net"}},
		{"AuthorizationSourceIPMismatch", "198.51.100.1", blobstore.AzureOptions{SAS: "sv=2022-11-02&sr=c&sp=racwdl&se=2099-01-01T00:00:00Z&sip=198.51.100.1&sig=AAAA"}},
		{"AuthorizationFailure", "network rules", blobstore.AzureOptions{SAS: "sv=2022-11-02&sr=c&sp=racwdl&se=2099-01-01T00:00:00Z&sig=AAAA"}},
	} {
		c.options.URL = "https://acct.blob.core.windows.net/reports"
		c.options.Transport = answers(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 403, Header: http.Header{"X-Ms-Error-Code": {c.code}}, Body: http.NoBody, Request: r}, nil
		})
		s, err := blobstore.OpenAzure(t.Context(), c.options)
		if err == nil {
			err = s.Put(t.Context(), "a", nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.code, err, c.want)
		}
	}
}

type answers func(*http.Request) (*http.Response, error)

func (f answers) Do(r *http.Request) (*http.Response, error) { return f(r) }
