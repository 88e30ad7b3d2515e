#!/bin/sh
# run.sh [URL]: generates the types from the running gateway, compiles main.ts and runs it.
set -eu
cd "$(dirname "$0")"
url=${1:-http://127.0.0.1:8032}
PATH=$PWD/node_modules/.bin:$PATH
openapi-typescript "$url/openapi.json" --output generated/bridge32.ts
tsc
exec node generated/main.js "$url"
