#!/usr/bin/env bash
# kiota for Go: ParseISODuration reads whole seconds as nothing.
#
# PT30S becomes a duration of zero without an error, and is written as "P",
# which is no duration at all. Seconds are only read if they have a fraction. A
# minus is dropped. Durations in minutes, hours and days, which most tests use,
# are read well, so this stays hidden.
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

	"github.com/microsoft/kiota-abstractions-go/serialization"
)

func main() {
	for _, text := range []string{"PT5M", "PT30S", "PT1H30S", "PT30.0S", "-PT5M"} {
		d, err := serialization.ParseISODuration(text)
		if err != nil {
			fmt.Println(text, err)
			continue
		}
		length, err := d.ToDuration()
		fmt.Printf("%s is read as %v and written as %q, error %v\n", text, length, d.String(), err)
	}
}
EOF
{
  go mod init finding
  go get github.com/microsoft/kiota-abstractions-go@v1.9.3
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
PT5M is read as 5m0s and written as "PT5M", error <nil>
PT30S is read as 0s and written as "P", error <nil>
PT1H30S is read as 1h0m0s and written as "PT1H", error <nil>
PT30.0S is read as 30s and written as "PT30S", error <nil>
-PT5M is read as 5m0s and written as "PT5M", error <nil>
EOF
)
cat <<EOF
versions: $(go list -m github.com/microsoft/kiota-abstractions-go | paste -sd, | sed "s/,/, /g")
expected: PT30S is 30 seconds, and PT1H30S an hour and 30 seconds.
happens:  the seconds are lost unless they have a fraction, and so is a minus; no
          error says so.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
