#!/usr/bin/env bash
# adaptivecards-templating: in a card's template, 5 of 8 are 62 percent, also if
# written as 5 * 100.0 / 8, and with one digit after the point they are "62.0".
#
# Two whole numbers are divided to a whole number, the rest cut off, and
# rounding does not help since it comes too late. In JavaScript 100.0 is a whole
# number as well, so that the way which helps in other languages is of no use.
# Do the division before, and give the template the result.
#
# Needs Node 20 or later. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.mjs <<'EOF'
import templating from "adaptivecards-templating";

const { Template } = templating;

const data = { $root: { open: 5, total: 8 } };
for (const expression of ['open / total', 'open * 100.0 / total', 'formatNumber(open * 100.0 / total, 1)', 'open * 12.5']) {
  console.log(expression, '=', JSON.stringify(new Template({ text: '${' + expression + '}' }).expand(data).text));
}
EOF
{
  npm init -y
  npm install --no-audit --no-fund adaptivecards-templating@2.3.1 adaptive-expressions@4.23.3
} >install.log 2>&1 || { cat install.log; exit 2; }
got=$(node main.mjs)

want=$(cat <<'EOF'
open / total = 0
open * 100.0 / total = 62
formatNumber(open * 100.0 / total, 1) = "62.0"
open * 12.5 = 62.5
EOF
)
cat <<EOF
versions: $(npm ls --depth=0 --parseable --long adaptivecards-templating adaptive-expressions | sed -n "s/.*:\(.*@.*\)$/\1/p" | paste -sd, | sed "s/,/, /g")
expected: 0.625, 62.5, "62.5", 62.5, as JavaScript counts.
happens:  0, 62, "62.0"; only a factor with a fraction gives one.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
