#!/usr/bin/env bash
# The Go SDK for Microsoft Graph: in a list of enumeration members, one that the
# SDK does not know becomes the first member of the enumeration.
#
# Graph adds members to enumerations, and sends them to whoever asks with
# "Prefer: include-unknown-enum-members". A single member that is not known is
# read as nil, as one would guess. In a list it is neither left out nor nil nor
# unknownFutureValue: its place holds the zero value, which is a real member
# with a meaning of its own. What is written back says so too. Read such members
# from the answer itself.
#
# Needs Go. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"fmt"

	kjson "github.com/microsoft/kiota-serialization-json-go"
	"github.com/microsoftgraph/msgraph-sdk-go/models"
)

func main() {
	node, err := kjson.NewJsonParseNodeFactory().GetRootParseNode("application/json", []byte(`{
		"clientAppTypes": ["browser", "wristwatch"],
		"userRiskLevels": ["critical"],
		"insiderRiskLevels": "critical"
	}`))
	check(err)
	value, err := node.GetObjectValue(models.CreateConditionalAccessConditionSetFromDiscriminatorValue)
	check(err)
	conditions := value.(models.ConditionalAccessConditionSetable)
	fmt.Println("clientAppTypes:", conditions.GetClientAppTypes())
	fmt.Println("userRiskLevels:", conditions.GetUserRiskLevels())
	fmt.Println("insiderRiskLevels:", conditions.GetInsiderRiskLevels())

	writer := kjson.NewJsonSerializationWriter()
	check(writer.WriteObjectValue("", conditions))
	text, err := writer.GetSerializedContent()
	check(err)
	fmt.Println("written:", string(text))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF
{
  go mod init finding
  go get github.com/microsoft/kiota-serialization-json-go@v1.1.2 \
    github.com/microsoftgraph/msgraph-sdk-go@v1.89.0
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
clientAppTypes: [browser all]
userRiskLevels: [low]
insiderRiskLevels: <nil>
written: {"clientAppTypes":["browser","all"],"userRiskLevels":["low"]}
EOF
)
cat <<EOF
versions: $(go list -m github.com/microsoft/kiota-serialization-json-go github.com/microsoftgraph/msgraph-sdk-go | paste -sd, | sed "s/,/, /g")
expected: ["browser", "wristwatch"] is read as browser and something that stands for
          an unknown member, or fails.
happens:  it is read as [browser all] without an error, and ["critical"] as [low];
          that is also what is written back.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
