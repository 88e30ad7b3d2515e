#!/bin/sh
# run.sh [URL]: generates the client from the running gateway, then runs main.py, and with_requests.py, which needs no client.
set -eu
cd "$(dirname "$0")"
url=${1:-http://127.0.0.1:8032}
command -v openapi-python-client > /dev/null || {
    echo "openapi-python-client is not found: activate .venv first (. .venv/bin/activate), or make it as README.md says" >&2
    exit 1
}
. ../key.sh
"$BRIDGE32" curl -f -o openapi.json "$url/openapi.json"
openapi-python-client generate --path openapi.json --meta none --output-path bridge32_client --overwrite
python3 main.py "$url"
exec python3 with_requests.py "$url"
