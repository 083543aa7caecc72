package blobstore

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// oneTry lends a request's body to one try of it. An account may answer before it
// has read the whole body (403, 503), and net/http goes on sending it for a
// moment. The SDK sends the next try from the same reader, so the two would share
// its bytes between them.
type oneTry struct{}

// Do implements the SDK's policy, for each try.
func (oneTry) Do(req *policy.Request) (*http.Response, error) {
	raw := req.Raw()
	if raw.Body == nil {
		return req.Next()
	}
	lent := &lentBody{of: raw.Body}
	defer lent.end()
	raw.Body, raw.GetBody = lent, nil // a try that must begin anew is the SDK's to begin
	return req.Next()
}

// lentBody can be read until it is taken back.
type lentBody struct {
	mu sync.Mutex
	of io.ReadCloser // nil once it was taken back
}

var errTakenBack = errors.New("the request has had its answer")

func (b *lentBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of = nil
}

// Read implements io.Reader.
func (b *lentBody) Read(into []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of == nil {
		return 0, errTakenBack
	}
	return b.of.Read(into)
}

// Close implements io.Closer. The body itself is the SDK's to close.
func (b *lentBody) Close() error { return nil }
