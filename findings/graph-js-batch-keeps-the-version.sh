#!/usr/bin/env bash
# @microsoft/microsoft-graph-client: a request for /v1.0/users becomes the step
# "/v1.0/users" inside a batch, where "/users" is meant.
#
# BatchRequestContent wants objects of the class Request, which Node makes of
# whole addresses only. Of these it strips the host and keeps the version, but
# the address of a step is relative to the version of the batch itself, so that
# Graph looks for a resource named v1.0. Give addresses without a version.
#
# Needs Node 20 or later. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.mjs <<'EOF'
import { BatchRequestContent } from '@microsoft/microsoft-graph-client';

try {
  new Request('/users');
} catch (error) {
  console.log('new Request("/users"):', error.constructor.name);
}
for (const address of ['https://graph.microsoft.com/v1.0/users?$top=5', 'https://graph.microsoft.com/users?$top=5']) {
  const batch = new BatchRequestContent([{ id: '1', request: new Request(address) }]);
  const content = await batch.getContent();
  console.log(address, 'becomes', content.requests[0].url);
}
EOF
{
  npm init -y
  npm install --no-audit --no-fund @microsoft/microsoft-graph-client@3.0.7
} >install.log 2>&1 || { cat install.log; exit 2; }
got=$(node main.mjs)

want=$(cat <<'EOF'
new Request("/users"): TypeError
https://graph.microsoft.com/v1.0/users?$top=5 becomes /v1.0/users?$top=5
https://graph.microsoft.com/users?$top=5 becomes /users?$top=5
EOF
)
cat <<EOF
versions: $(npm ls --depth=0 --parseable --long @microsoft/microsoft-graph-client | sed -n "s/.*:\(.*@.*\)$/\1/p" | paste -sd, | sed "s/,/, /g")
expected: the address that works by itself works in a batch, as /users.
happens:  the version stays in the step.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
