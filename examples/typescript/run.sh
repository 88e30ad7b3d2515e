#!/bin/sh
# run.sh [URL]: generates the types from the running gateway, compiles main.ts and runs it.
set -eu
cd "$(dirname "$0")"
url=${1:-http://127.0.0.1:8032}
PATH=$PWD/node_modules/.bin:$PATH
. ../key.sh
"$BRIDGE32" curl -f -o openapi.json "$url/openapi.json"
openapi-typescript openapi.json --output generated/bridge32.ts
tsc
exec node generated/main.js "$url"
