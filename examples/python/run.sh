#!/bin/sh
# run.sh [URL]: generates the client from the running gateway, then runs main.py.
set -eu
cd "$(dirname "$0")"
url=${1:-http://127.0.0.1:8032}
command -v openapi-python-client > /dev/null || {
    echo "openapi-python-client is not found: activate .venv first (. .venv/bin/activate), or make it as README.md says" >&2
    exit 1
}
openapi-python-client generate --url "$url/openapi.json" --meta none --output-path bridge32_client --overwrite
exec python3 main.py "$url"
