#!/usr/bin/env bash
# kiota for Go, under the Graph SDK: when a POST is throttled, many clients
# repeat it with a plain body that the header calls gzip, and others, made by
# the same code, do not.
#
# The default client compresses bodies and repeats requests after 429, each in a
# handler of its own. The default handlers are kept in a map, so their order is
# a matter of chance for every new client. Where the repeating one comes before
# the compressing one, it rewinds to the plain body while "Content-Encoding:
# gzip" is set already, and nobody compresses again. A server that unpacks what
# it gets refuses the second try, so that a throttled write fails for good in
# some runs of a program and not in others. Give the handlers explicitly, the
# compressing one before the repeating one, or without it.
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
	"net/http/httptest"
	"net/url"
	"slices"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	khttp "github.com/microsoft/kiota-http-go"
)

func main() {
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		check(err)
		is := "plain"
		if bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
			is = "gzip"
		}
		bodies = append(bodies, fmt.Sprintf("called %s, is %s", r.Header.Get("Content-Encoding"), is))
		if len(bodies) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	}))
	defer server.Close()
	address, err := url.Parse(server.URL + "/identityProtection/riskyUsers/dismiss")
	check(err)

	first, second := map[string]bool{}, map[string]bool{}
	for range 100 {
		bodies = nil
		adapter, err := khttp.NewNetHttpRequestAdapter(&authentication.AnonymousAuthenticationProvider{})
		check(err)
		request := abs.NewRequestInformation()
		request.Method = abs.POST
		request.SetUri(*address)
		request.SetStreamContentAndContentType([]byte(`{"userIds":["11111111-0000-4000-8000-000000000001"]}`), "application/json")
		check(adapter.SendNoContent(context.Background(), request, nil))
		first[bodies[0]], second[bodies[1]] = true, true
	}
	fmt.Println("first tries of 100 clients:")
	list(first)
	fmt.Println("second tries:")
	list(second)
}

func list(seen map[string]bool) {
	var lines []string
	for line := range seen {
		lines = append(lines, "  "+line)
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
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
  go get github.com/microsoft/kiota-abstractions-go@v1.9.3 \
    github.com/microsoft/kiota-http-go@v1.5.4
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
first tries of 100 clients:
  called gzip, is gzip
second tries:
  called gzip, is gzip
  called gzip, is plain
EOF
)
cat <<EOF
versions: $(go list -m github.com/microsoft/kiota-abstractions-go github.com/microsoft/kiota-http-go | paste -sd, | sed "s/,/, /g")
expected: the second try is the same as the first, in every client.
happens:  in some clients the second try is plain JSON under "Content-Encoding: gzip".
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
