#!/usr/bin/env bash
# The Go SDK for Microsoft Graph: an object that was read, changed and given to
# Patch is sent as an empty document, and Patch reports no error.
#
# The models keep their members in a store that knows which ones were changed,
# so that a PATCH carries only those. After reading, the store is not told that
# reading is over, so every change counts as part of the reading and is left
# out. Only what is changed after the first Patch of the same object is sent.
# What works is a new model with only the members to change.
#
# Needs Go. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	abs "github.com/microsoft/kiota-abstractions-go"
	"github.com/microsoft/kiota-abstractions-go/authentication"
	"github.com/microsoft/kiota-abstractions-go/serialization"
	"github.com/microsoft/kiota-abstractions-go/store"
	khttp "github.com/microsoft/kiota-http-go"
	kjson "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/identity"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			zipped, err := gzip.NewReader(r.Body)
			check(err)
			body, err := io.ReadAll(zipped)
			check(err)
			fmt.Println("PATCH", string(body))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"1","displayName":"CA001","state":"enabled","conditions":{"users":{"excludeUsers":["ada"]}}}`)
	}))
	defer server.Close()

	// What NewGraphServiceClient does with an adapter.
	abs.RegisterDefaultSerializer(func() serialization.SerializationWriterFactory { return kjson.NewJsonSerializationWriterFactory() })
	abs.RegisterDefaultDeserializer(func() serialization.ParseNodeFactory { return kjson.NewJsonParseNodeFactory() })
	adapter, err := khttp.NewNetHttpRequestAdapter(&authentication.AnonymousAuthenticationProvider{})
	check(err)
	adapter.EnableBackingStore(store.BackingStoreFactoryInstance)

	ctx := context.Background()
	policy := func() *identity.ConditionalAccessPoliciesConditionalAccessPolicyItemRequestBuilder {
		return identity.NewConditionalAccessPoliciesConditionalAccessPolicyItemRequestBuilder(server.URL+"/identity/conditionalAccess/policies/1", adapter)
	}
	name := "CA001 Block legacy authentication"

	read, err := policy().Get(ctx, nil)
	check(err)
	read.SetDisplayName(&name)
	read.GetConditions().GetUsers().SetExcludeUsers([]string{"ada", "dmitri"})
	fmt.Println("read and changed:")
	_, err = policy().Patch(ctx, read, nil)
	fmt.Println("error", err)

	fresh := models.NewConditionalAccessPolicy()
	fresh.SetDisplayName(&name)
	fmt.Println("a new model:")
	_, err = policy().Patch(ctx, fresh, nil)
	fmt.Println("error", err)
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
    github.com/microsoft/kiota-http-go@v1.5.4 \
    github.com/microsoft/kiota-serialization-json-go@v1.1.2 \
    github.com/microsoftgraph/msgraph-sdk-go@v1.89.0
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
read and changed:
PATCH {}
error <nil>
a new model:
PATCH {"displayName":"CA001 Block legacy authentication"}
error <nil>
EOF
)
cat <<EOF
versions: $(go list -m github.com/microsoft/kiota-abstractions-go github.com/microsoft/kiota-http-go github.com/microsoft/kiota-serialization-json-go github.com/microsoftgraph/msgraph-sdk-go | paste -sd, | sed "s/,/, /g")
expected: Get, SetDisplayName, Patch sends the new name, and only that.
happens:  Patch sends {} and succeeds; nothing is changed. A model made anew is sent
          as it should be.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
