# A curl that signs what it sends to bridge32, with openssl and nothing else; source it. ../../docs/signing.md explains each line.
#
#     signed_curl METHOD URL [BODY]
#
# The key is BRIDGE32_KEY_ID with BRIDGE32_SECRET, in base64 as in keys.toml. The URL has a path, and is percent-encoded.

signed_curl() ( # in a process of its own, which keeps its variables to itself
    method=$1 url=$2 body=${3:-}
    rest=${url#*://}
    host=${rest%%/*}
    target=${rest#"$host"}
    path=${target%%\?*}
    query=${target#"$path"}
    names='"@method" "@authority" "@path" "@query"'
    base=$(printf '"@method": %s\n"@authority": %s\n"@path": %s\n"@query": %s' "$method" "$host" "$path" "${query:-?}")
    set -- -X "$method" "$url"
    if [ -n "$body" ]; then
        digest="sha-256=:$(printf %s "$body" | openssl dgst -sha256 -binary | openssl base64 -A):"
        names="$names \"content-digest\""
        base=$(printf '%s\n"content-digest": %s' "$base" "$digest")
        set -- "$@" -H 'Content-Type: application/json' -H "Content-Digest: $digest" --data-raw "$body"
    fi
    params="($names);created=$(date +%s);keyid=\"$BRIDGE32_KEY_ID\";nonce=\"$(openssl rand -hex 16)\""
    secret=$(printf %s "$BRIDGE32_SECRET" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
    mac=$(printf '%s\n"@signature-params": %s' "$base" "$params" |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" -binary | openssl base64 -A)
    curl -sS "$@" -H "Signature-Input: sig1=$params" -H "Signature: sig1=:$mac:"
)
