#!/bin/sh
# run.sh [URL]: generates the client from the running gateway, then runs main.go.
set -eu
cd "$(dirname "$0")"
url=${1:-http://127.0.0.1:8032}
. ../key.sh
"$BRIDGE32" curl -f -o openapi.json "$url/openapi.json"
# Two libraries may have enumerators of the same name, which Go keeps apart by the prefix.
openapi-generator-cli generate --input-spec openapi.json --generator-name go --output bridge32 \
    --additional-properties packageName=bridge32,withGoMod=false,enumClassPrefix=true >generator.log
# Tests of the client, which need a module that this program does not.
rm -rf bridge32/test
exec go run . "$url"
