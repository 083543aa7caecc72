#!/usr/bin/env bash
# goccy/go-yaml: a value read into a string is not the text that stands in the
# file, if it looks like a number.
#
# yaml.v3 gives a field of type string the text as it is written. This one reads
# the number first and then prints it: versions lose a zero, and identifiers
# with a zero in front are taken for octal. Quote such values.
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

	"github.com/goccy/go-yaml"
	yaml3 "gopkg.in/yaml.v3"
)

func main() {
	for _, value := range []string{"1.10", "0755", "1_000", "2e3"} {
		var a, b struct{ Version string }
		text := []byte("version: " + value + "\n")
		err3 := yaml3.Unmarshal(text, &a)
		errG := yaml.Unmarshal(text, &b)
		fmt.Printf("%-5s  yaml.v3 %q %v, goccy/go-yaml %q %v\n", value, a.Version, err3, b.Version, errG)
	}
}
EOF
{
  go mod init finding
  go get github.com/goccy/go-yaml@v1.19.2 \
    gopkg.in/yaml.v3@v3.0.1
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
1.10   yaml.v3 "1.10" <nil>, goccy/go-yaml "1.1" <nil>
0755   yaml.v3 "0755" <nil>, goccy/go-yaml "493" <nil>
1_000  yaml.v3 "1_000" <nil>, goccy/go-yaml "1000" <nil>
2e3    yaml.v3 "2e3" <nil>, goccy/go-yaml "2e3" <nil>
EOF
)
cat <<EOF
versions: $(go list -m github.com/goccy/go-yaml gopkg.in/yaml.v3 | paste -sd, | sed "s/,/, /g")
expected: a string field holds "1.10", "0755" and "1_000".
happens:  it holds "1.1", "493" and "1000", without an error.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
