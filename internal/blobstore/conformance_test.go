package blobstore_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/risksweep/risksweep/internal/blobstore"
	"github.com/risksweep/risksweep/internal/blobstore/azuritetest"
)

func TestDirHoldsTheContract(t *testing.T) {
	holdsContract(t, func(t testing.TB) opened {
		dir := t.TempDir()
		open := func() blobstore.Store {
			s, err := blobstore.OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		return opened{A: open(), B: open(), Vanish: func() error { return os.RemoveAll(dir) }}
	})
}

func TestMemoryHoldsTheContract(t *testing.T) {
	holdsContract(t, func(testing.TB) opened {
		m := blobstore.NewMemory()
		return opened{A: m, B: m, Vanish: func() error { m.Vanish(); return nil }}
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
			holdsContract(t, func(t testing.TB) opened {
				url := azuritetest.Shared(t).Container() + prefix
				a := azure(t, url, nil)
				return opened{A: a, B: azure(t, url, nil), Vanish: func() error { return a.RemoveContainer(t.Context()) }}
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
	holdsContract(t, func(t testing.TB) opened {
		url := server.Container()
		open := func() *blobstore.Azure {
			return azure(t, url, func(o *blobstore.AzureOptions) {
				o.ConnectionString, o.Credential, o.Transport = "", emulatorCredential{}, smallPages{&http.Client{Transport: transport}}
			})
		}
		a := open()
		return opened{A: a, B: open(), Vanish: func() error { return a.RemoveContainer(t.Context()) }}
	})
}
