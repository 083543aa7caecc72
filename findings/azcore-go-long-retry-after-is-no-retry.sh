#!/usr/bin/env bash
# azcore for Go: an answer that asks to wait longer than MaxRetryDelay is not
# repeated at all.
#
# The name suggests that the wait is cut to it. But a Retry-After above it, one
# minute unless set, ends the call at once with the 429 or 503, although
# MaxRetries are left. So a service that is polite enough to name its wait gets
# a harder failure than one that does not. Wait in a policy of your own, or set
# MaxRetryDelay above what the service asks.
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
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// throttling is a service that always asks to come back later.
type throttling struct {
	after string
	tries *int
}

func (t throttling) Do(r *http.Request) (*http.Response, error) {
	*t.tries++
	resp := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}, Body: http.NoBody, Request: r}
	if t.after != "" {
		resp.Header.Set("Retry-After", t.after)
	}
	return resp, nil
}

func main() {
	for _, after := range []string{"", "1", "2"} {
		tries := 0
		pipeline := runtime.NewPipeline("contoso", "v1", runtime.PipelineOptions{}, &policy.ClientOptions{
			Transport: throttling{after, &tries},
			Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: time.Millisecond, MaxRetryDelay: time.Second},
		})
		request, err := runtime.NewRequest(context.Background(), http.MethodGet, "https://contoso.blob.core.windows.net/")
		check(err)
		resp, err := pipeline.Do(request)
		check(err)
		fmt.Printf("MaxRetryDelay 1s, Retry-After %q: %d tries, then %d\n", after, tries, resp.StatusCode)
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
  go get github.com/Azure/azure-sdk-for-go/sdk/azcore@v1.24.0
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
MaxRetryDelay 1s, Retry-After "": 3 tries, then 429
MaxRetryDelay 1s, Retry-After "1": 3 tries, then 429
MaxRetryDelay 1s, Retry-After "2": 1 tries, then 429
EOF
)
cat <<EOF
versions: $(go list -m github.com/Azure/azure-sdk-for-go/sdk/azcore | paste -sd, | sed "s/,/, /g")
expected: with "Retry-After: 2" and MaxRetryDelay 1s there are three tries, one second
          apart.
happens:  there is one.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
