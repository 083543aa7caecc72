#!/usr/bin/env bash
# @microsoft/microsoft-graph-client: the address of a guest loses all from #EXT#
# on, and a filter all from & or # on.
#
# The client joins the parts of an address as they are given and encodes
# nothing. A guest's user principal name has "#EXT#" in it by design: what
# follows is the fragment of the address, which fetch does not send, so the
# request is for another user, whether it reads or deletes. A filter for 'R&D'
# is cut in two. Encode such values with encodeURIComponent before they enter
# the path or the filter.
#
# Needs Node 20 or later. Exits with 1 if the behaviour has changed, with 2 if it cannot run.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.mjs <<'EOF'
import http from 'node:http';
import { Client } from '@microsoft/microsoft-graph-client';

const server = http.createServer((request, response) => {
  console.log('  received', request.method, decodeURIComponent(request.url));
  response.setHeader('Content-Type', 'application/json');
  response.end('{"value":[]}');
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const client = Client.init({
  baseUrl: `http://127.0.0.1:${server.address().port}/`,
  customHosts: new Set(['127.0.0.1']),
  authProvider: (done) => done(null, 'token'),
});

const guest = 'ada_fabrikam.com#EXT#@contoso.onmicrosoft.com';
console.log('a guest:');
await client.api(`/users/${guest}`).get();
console.log('a department:');
await client.api('/users').filter("department eq 'R&D'").top(5).get();
console.log('a guest, encoded:');
await client.api(`/users/${encodeURIComponent(guest)}`).get();
server.close();
EOF
{
  npm init -y
  npm install --no-audit --no-fund @microsoft/microsoft-graph-client@3.0.7
} >install.log 2>&1 || { cat install.log; exit 2; }
got=$(node main.mjs)

want=$(cat <<'EOF'
a guest:
  received GET /v1.0/users/ada_fabrikam.com
a department:
  received GET /v1.0/users?$filter=department eq 'R&D'&$top=5
a guest, encoded:
  received GET /v1.0/users/ada_fabrikam.com#EXT#@contoso.onmicrosoft.com
EOF
)
cat <<EOF
versions: $(npm ls --depth=0 --parseable --long @microsoft/microsoft-graph-client | sed -n "s/.*:\(.*@.*\)$/\1/p" | paste -sd, | sed "s/,/, /g")
expected: the names of parameters and methods such as filter() suggest that values are
          encoded.
happens:  the request for ada_fabrikam.com#EXT#@contoso.onmicrosoft.com is one for
          ada_fabrikam.com, and the filter ends after R.
output:
$got
EOF
[ "$got" = "$want" ] || { printf 'CHANGED, the output was:\n%s\n' "$want"; exit 1; }
