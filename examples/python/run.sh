#!/bin/sh
# run.sh [URL]: generates the client from the running gateway, then runs main.py.
set -eu
cd "$(dirname "$0")"
url=${1:-http://127.0.0.1:8032}
openapi-python-client generate --url "$url/openapi.json" --meta none --output-path bridge32_client --overwrite
exec python3 main.py "$url"
