#!/usr/bin/env bash
# azblob for Go: DownloadStream with If-None-Match gives an empty body and no
# error when the blob is unchanged.
#
# Every other call with a condition that is not met gives a ResponseError, and
# so does GetProperties for the same 304. DownloadStream counts 304 as success.
# A program that reads the body then takes the blob for empty, and one that
# looks for ConditionNotMet in the error never finds it. Compare the ETag of the
# answer with the one that was sent.
#
# Needs Go. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
)

// service answers as one whose blob has the ETag "1" must.
type service struct{}

func (service) Do(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Etag": {`"1"`}}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
	for name, value := range r.Header {
		if strings.EqualFold(name, "If-None-Match") && value[0] == `"1"` {
			resp.StatusCode = http.StatusNotModified
			resp.Header.Set("x-ms-error-code", "ConditionNotMet")
			resp.Body = http.NoBody
		}
	}
	return resp, nil
}

func main() {
	client, err := blob.NewClientWithNoCredential("https://contoso.blob.core.windows.net/reports/latest.json",
		&blob.ClientOptions{ClientOptions: policy.ClientOptions{Transport: service{}}})
	check(err)
	etag := azcore.ETag(`"1"`)
	unless := &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &etag}}
	ctx := context.Background()

	_, err = client.GetProperties(ctx, &blob.GetPropertiesOptions{AccessConditions: unless})
	var refused *azcore.ResponseError
	fmt.Println("GetProperties: a ResponseError", errors.As(err, &refused))
	resp, err := client.DownloadStream(ctx, &blob.DownloadStreamOptions{AccessConditions: unless})
	fmt.Println("DownloadStream: error", err)
	check(err)
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("the body: %q, error %v\n", body, err)
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
GetProperties: a ResponseError true
DownloadStream: error <nil>
the body: "", error <nil>
EOF
)
cat <<EOF
versions: $(go list -m github.com/Azure/azure-sdk-for-go/sdk/azcore github.com/Azure/azure-sdk-for-go/sdk/storage/azblob | paste -sd, | sed "s/,/, /g")
expected: both calls fail with ConditionNotMet.
happens:  DownloadStream succeeds with an empty body.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
