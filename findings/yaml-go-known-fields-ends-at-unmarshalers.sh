#!/usr/bin/env bash
# gopkg.in/yaml.v3 and go.yaml.in/yaml/v4: strict reading ends where a type has
# a method UnmarshalYAML.
#
# With KnownFields a misspelt key is an error. A type that reads itself calls
# Decode on the node it is given, and that Decode is not strict; everything
# below is read leniently. So the part of a configuration that got a default or
# a check of its own is the one in which a typing error passes unseen. With v4,
# call the node's Load with the option again; with v3, compare its keys in the
# method.
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
	"strings"

	yaml3 "gopkg.in/yaml.v3"
	yaml4 "go.yaml.in/yaml/v4"
)

type plain struct {
	MaxDismissals int `yaml:"maxDismissals"`
}

type own3 plain

func (o *own3) UnmarshalYAML(n *yaml3.Node) error { return n.Decode((*plain)(o)) }

type own4 plain

func (o *own4) UnmarshalYAML(n *yaml4.Node) error { return n.Decode((*plain)(o)) }

type strict4 plain

func (o *strict4) UnmarshalYAML(n *yaml4.Node) error {
	return n.Load((*plain)(o), yaml4.WithKnownFields())
}

const text = "limits:\n  maxDismisals: 5\n"

func main() {
	try3[plain]("v3 without a method:")
	try3[own3]("v3 with a method:   ")
	try4[plain]("v4 without a method:")
	try4[own4]("v4 with a method:   ")
	try4[strict4]("v4, strict inside:  ")
}

func try3[T any](what string) {
	var v struct{ Limits T }
	d := yaml3.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	fmt.Println(what, tell(d.Decode(&v)))
}

func try4[T any](what string) {
	var v struct{ Limits T }
	fmt.Println(what, tell(yaml4.Load([]byte(text), &v, yaml4.WithKnownFields())))
}

func tell(err error) string {
	if err != nil {
		return "refused"
	}
	return "read"
}
EOF
{
  go mod init finding
  go get gopkg.in/yaml.v3@v3.0.1 \
    go.yaml.in/yaml/v4@v4.0.0
  go build -o finding .
} >build.log 2>&1 || { cat build.log; exit 2; }
got=$(./finding)

want=$(cat <<'EOF'
v3 without a method: refused
v3 with a method:    read
v4 without a method: refused
v4 with a method:    read
v4, strict inside:   refused
EOF
)
cat <<EOF
versions: $(go list -m gopkg.in/yaml.v3 go.yaml.in/yaml/v4 | paste -sd, | sed "s/,/, /g")
expected: "maxDismisals" is refused everywhere.
happens:  it is read without an error where the type has UnmarshalYAML with Decode in
          it.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
