#!/usr/bin/env bash
# azcore for Go: a retry reads the body of a request from the same reader as the
# try before it, which may still be reading.
#
# A service may answer (503, 403) before it has read the whole body. net/http then
# goes on reading the body for a moment after it has returned the answer, and says
# so: who uses a body again has to wait until it was closed. The retry policy seeks
# the one reader back to its beginning and does not wait, so the bytes that the
# first try still takes are missing from the second. Give each try a reader of its
# own in a policy of PerRetryPolicies.
#
# Needs Go. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

// service answers the first try before it has read the body, and reads three
// bytes more of it when the second try is on its way, as net/http may.
type service struct{ first io.Reader }

func (s *service) Do(r *http.Request) (*http.Response, error) {
	resp := &http.Response{Header: http.Header{}, Body: http.NoBody, Request: r}
	if s.first == nil {
		s.first = r.Body
		resp.StatusCode = http.StatusServiceUnavailable
		return resp, nil
	}
	if _, err := s.first.Read(make([]byte, 3)); err != nil {
		fmt.Println("the first try can read no more:", err)
	}
	body, err := io.ReadAll(r.Body)
	fmt.Printf("the second try sends %q of %d bytes, error %v\n", body, r.ContentLength, err)
	resp.StatusCode = http.StatusCreated
	return resp, nil
}

func main() {
	client, err := blockblob.NewClientWithNoCredential("https://contoso.blob.core.windows.net/reports/latest.json",
		&blockblob.ClientOptions{ClientOptions: policy.ClientOptions{Transport: &service{}, Retry: policy.RetryOptions{RetryDelay: 1}}})
	check(err)
	_, err = client.Upload(context.Background(), streaming.NopCloser(bytes.NewReader([]byte("content"))), nil)
	fmt.Println("Upload: error", err)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF
{
  go mod init finding
  go get github.com/Azure/azure-sdk-for-go/sdk/azcore@v1.24.0 \
    github.com/Azure/azure-sdk-for-go/sdk/storage/azblob@v1.6.3
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
the second try sends "tent" of 7 bytes, error <nil>
Upload: error <nil>
EOF
)
cat <<EOF
versions: $(go list -m github.com/Azure/azure-sdk-for-go/sdk/azcore github.com/Azure/azure-sdk-for-go/sdk/storage/azblob | paste -sd, | sed "s/,/, /g")
expected: each try sends the whole body.
happens:  the second lacks what the first has still read.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
