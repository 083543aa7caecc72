package blobstore_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/risksweep/risksweep/internal/blobstore"
)

// early answers a write before it has read its body, which net/http goes on
// reading while the next try is sent.
type early struct {
	*account
	code int
	left io.Reader
}

func (e *early) Do(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || r.Body == nil {
		return e.account.Do(r)
	}
	if e.left == nil {
		e.left = r.Body
		return &http.Response{StatusCode: e.code, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	if n, err := e.left.Read(make([]byte, 3)); n > 0 || err == nil {
		e.bodies = append(e.bodies, "the first try took bytes of the second")
	}
	return e.account.Do(r)
}

func TestAnAnswerBeforeTheBodyWasRead(t *testing.T) {
	for name, code := range map[string]int{"throttled": 503, "refused secret": 403} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				account := &early{account: &account{}, code: code}
				s, err := blobstore.OpenAzure(t.Context(), blobstore.AzureOptions{URL: "https://acct.blob.core.windows.net/c", Transport: account,
					SAS: "sv=2025-01-01&sig=old", Reread: func() string { return "sv=2025-01-01&sig=new" }})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Put(t.Context(), "a", []byte("content")); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(account.bodies, "; "); !strings.HasSuffix(got, "content") || strings.Contains(got, "took bytes") {
					t.Errorf("the account has %q", got)
				}
			})
		})
	}
}
