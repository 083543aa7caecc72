package blobstore_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
	"github.com/risksweep/risksweep/internal/blobstore/blobstoretest"
)

func TestDirHoldsTheContract(t *testing.T) {
	blobstoretest.Run(t, func(t testing.TB) blobstoretest.Opened {
		dir := t.TempDir()
		open := func() blobstore.Store {
			s, err := blobstore.OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return blobstoretest.Opened{A: open(), B: open(), Vanish: func() error { return os.RemoveAll(dir) }}
	})
}

func TestMemoryHoldsTheContract(t *testing.T) {
	blobstoretest.Run(t, func(testing.TB) blobstoretest.Opened {
		m := blobstore.NewMemory()
		return blobstoretest.Opened{A: m, B: m, Vanish: func() error { m.Vanish(); return nil }}
	})
}

// azure opens a container of Azurite of its own.
func azure(t testing.TB, url string, change func(*blobstore.AzureOptions)) *blobstore.Azure {
	t.Helper()
	o := blobstore.AzureOptions{URL: url, ConnectionString: azuritetest.Shared(t).ConnectionString()}
	if change != nil {
		change(&o)
	}
	s, err := blobstore.OpenAzure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAzureHoldsTheContract(t *testing.T) {
	for name, prefix := range map[string]string{"container": "", "prefix": "/some/where"} {
		t.Run(name, func(t *testing.T) {
			blobstoretest.Run(t, func(t testing.TB) blobstoretest.Opened {
				url := azuritetest.Shared(t).Container() + prefix
				a := azure(t, url, nil)
				return blobstoretest.Opened{A: a, B: azure(t, url, nil), Vanish: func() error { return a.RemoveContainer(t.Context()) }}
			})
		})
	}
}

// smallPages lets lists come in pages of seven.
type smallPages struct{ *http.Client }

func (c smallPages) Do(r *http.Request) (*http.Response, error) {
	if q := r.URL.Query(); q.Get("comp") == "list" {
		q.Set("maxresults", "7")
		r.URL.RawQuery = q.Encode()
	}
	return c.Client.Do(r)
}

// The same by token, which is only sent over HTTPS, and in many pages.
func TestAzureByToken(t *testing.T) {
	server := azuritetest.SharedTLS(t)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tlsConfig(server.Pool)
	blobstoretest.Run(t, func(t testing.TB) blobstoretest.Opened {
		url := server.Container()
		open := func() *blobstore.Azure {
			return azure(t, url, func(o *blobstore.AzureOptions) {
				o.ConnectionString, o.Credential, o.Transport = "", emulatorCredential{}, smallPages{&http.Client{Transport: transport}}
			})
		}
		a := open()
		return blobstoretest.Opened{A: a, B: open(), Vanish: func() error { return a.RemoveContainer(t.Context()) }}
	})
}
