#!/usr/bin/env bash
# sigs.k8s.io/yaml: the country code NO becomes the text "false" in a field of
# type string.
#
# That YAML 1.1 takes NO for a boolean is well known, and that a reader with
# types helps against it: yaml.v3 gives "NO" for a string. This one, which many
# choose because it honours json tags, first makes JSON of it and writes the
# boolean out as text where a string is wanted. There is no error, and a list of
# countries is one of "false". Quote country codes, or check them after reading.
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

	yaml3 "gopkg.in/yaml.v3"
	"sigs.k8s.io/yaml"
)

type location struct {
	CountriesAndRegions []string `json:"countriesAndRegions" yaml:"countriesAndRegions"`
}

func main() {
	text := []byte("countriesAndRegions: [SE, NO, DK]\n")
	var a, b location
	err := yaml3.Unmarshal(text, &a)
	fmt.Printf("yaml.v3:          %q, error %v\n", a.CountriesAndRegions, err)
	err = yaml.UnmarshalStrict(text, &b)
	fmt.Printf("sigs.k8s.io/yaml: %q, error %v\n", b.CountriesAndRegions, err)
}
EOF
{
  go mod init finding
  go get sigs.k8s.io/yaml@v1.6.0 \
    gopkg.in/yaml.v3@v3.0.1
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
yaml.v3:          ["SE" "NO" "DK"], error <nil>
sigs.k8s.io/yaml: ["SE" "false" "DK"], error <nil>
EOF
)
cat <<EOF
versions: $(go list -m sigs.k8s.io/yaml gopkg.in/yaml.v3 | paste -sd, | sed "s/,/, /g")
expected: ["SE" "NO" "DK"], or an error that a boolean is no string.
happens:  ["SE" "false" "DK"], even by UnmarshalStrict.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
