#!/usr/bin/env bash
# adaptivecards-templating: an element whose $data is a list that is null or
# absent is shown once, with its placeholders as they stand.
#
# An empty list gives no element, as one would guess. Where Graph leaves a list
# out, or gives null, the card sent to a channel holds one row that reads
# "${name}", since a name that leads nowhere is left as text. Give lists that
# are empty, not absent, or add "$when": "${exists(name)}" to the element.
#
# Needs Node 20 or later. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.mjs <<'EOF'
import templating from "adaptivecards-templating";

const { Template } = templating;

const row = { type: 'TextBlock', $data: '${users}', text: '${name} is at risk' };
const guarded = { ...row, $when: '${exists(name)}' };
for (const users of [[{ name: 'Ada' }], [], null, undefined]) {
  const texts = (element) => new Template({ body: [element] }).expand({ $root: { users } }).body.map((e) => e.text);
  console.log('users', JSON.stringify(users), 'shows', JSON.stringify(texts(row)), 'with $when', JSON.stringify(texts(guarded)));
}
EOF
{
  npm init -y
  npm install --no-audit --no-fund adaptivecards-templating@2.3.1 adaptive-expressions@4.23.3
} >install.log 2>&1 || { cat install.log; exit 2; }
got=$(node main.mjs)

want=$(cat <<'EOF'
users [{"name":"Ada"}] shows ["Ada is at risk"] with $when ["Ada is at risk"]
users [] shows [] with $when []
users null shows ["${name} is at risk"] with $when []
users undefined shows ["${name} is at risk"] with $when []
EOF
)
cat <<EOF
versions: $(npm ls --depth=0 --parseable --long adaptivecards-templating adaptive-expressions | sed -n "s/.*:\(.*@.*\)$/\1/p" | paste -sd, | sed "s/,/, /g")
expected: no row for a list that is null or absent, as for an empty one.
happens:  one row that reads "\${name} is at risk".
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
