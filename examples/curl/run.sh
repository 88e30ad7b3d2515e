#!/bin/sh
# run.sh [URL]: calls 32-bit libraries with curl, and openssl for the signatures.
set -eu
cd "$(dirname "$0")"
url=${1:-http://127.0.0.1:8032}
. ../key.sh
. ./signed-curl.sh

call() { # LIBRARY/FUNCTION BODY
    echo "$1 $2"
    signed_curl POST "$url/v1/libraries/${1%/*}/functions/${1#*/}" "$2"
    echo
}

echo '# The same function of zlib for Linux and of zlib for Windows. Bytes travel as base64, their length may be left out.'
hello=$(printf hello | base64)
call z/crc32 "{\"crc\": 0, \"buf\": \"$hello\"}"
call zw/crc32 "{\"crc\": 0, \"buf\": \"$hello\"}"

echo '# What C returns through pointers is in outputs; enumerators have names; structures are objects.'
call demo/Divide '{"dividend": 17, "divisor": 5}'
call demo/Round '{"value": 2.5, "rounding": "DEMO_UP"}'
call demo/Distance '{"from": {"x": 0, "y": 0}, "to": {"x": 3, "y": 4}}'
call kernel32/GetLocalTime '{}'

echo '# A missing argument, a string for a number, 2^40 for an int, an unknown enumerator: nothing was called.'
call demo/Divide '{"dividend": 17}'
call demo/Divide '{"dividend": "17", "divisor": 5}'
call demo/Divide '{"dividend": 1099511627776, "divisor": 5}'
call demo/Round '{"value": 2.5, "rounding": "DEMO_SIDEWAYS"}'

echo '# Queries and requests without a body are signed, too.'
signed_curl GET "$url/v1/libraries/demo/exports?filter=di&limit=1"
echo
signed_curl POST "$url/v1/libraries/demo/functions/Count"
echo
