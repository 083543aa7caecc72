#!/usr/bin/env bash
# kiota for Go, under the Graph SDK: a throttled request whose Retry-After is
# longer than what is left of 100 seconds fails as a timeout, and the 429 is
# lost.
#
# The default client has a Timeout of 100 seconds, and the waits between tries
# are inside it. Graph may ask for longer waits. The handler then sleeps until
# the time is over, and the caller gets "deadline exceeded" as if the service
# had been silent: no status, no Retry-After, nothing to tell throttling by.
# Here the Timeout is 1 second and the wait 2. Set Timeout to 0 and bound the
# call with a context, and decide in ShouldRetry.
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
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	khttp "github.com/microsoft/kiota-http-go"
)

func main() {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	client := khttp.GetDefaultClient(khttp.GetDefaultMiddlewares()...)
	fmt.Println("default Timeout:", client.Timeout)
	client.Timeout = time.Second
	adapter, err := khttp.NewNetHttpRequestAdapterWithParseNodeFactoryAndSerializationWriterFactoryAndHttpClient(
		&authentication.AnonymousAuthenticationProvider{}, nil, nil, client)
	check(err)
	address, err := url.Parse(server.URL)
	check(err)
	request := abs.NewRequestInformation()
	request.Method = abs.GET
	request.SetUri(*address)
	err = adapter.SendNoContent(context.Background(), request, nil)
	var api *abs.ApiError
	fmt.Println("requests:", requests)
	fmt.Println("an ApiError with the status:", errors.As(err, &api))
	fmt.Println("deadline exceeded:", errors.Is(err, context.DeadlineExceeded))
	fmt.Println("names 429 anywhere:", strings.Contains(strings.ReplaceAll(err.Error(), server.URL, ""), "429"))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF
{
  go mod init finding
  go get github.com/microsoft/kiota-abstractions-go@v1.9.3 \
    github.com/microsoft/kiota-http-go@v1.5.4
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
default Timeout: 1m40s
requests: 1
an ApiError with the status: false
deadline exceeded: true
names 429 anywhere: false
EOF
)
cat <<EOF
versions: $(go list -m github.com/microsoft/kiota-abstractions-go github.com/microsoft/kiota-http-go | paste -sd, | sed "s/,/, /g")
expected: an error that tells of 429, at once or after the wait.
happens:  the call sleeps until the client's Timeout, then fails as a timeout; the
          answer 429 was the last thing received and is nowhere in the error.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
