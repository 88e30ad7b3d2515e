//! sh, with curl; and openssl for the signature, as in `examples/curl`.

use super::Call;

const SIGNED: &str = r#"names='"@method" "@authority" "@path" "@query" "content-digest"'
digest="sha-256=:$(printf %s "$body" | openssl dgst -sha256 -binary | openssl base64 -A):"
params="($names);created=$(date +%s);keyid=\"$BRIDGE32_KEY_ID\";nonce=\"$(openssl rand -hex 16)\""
base=$(printf '"@method": POST\n"@authority": %s\n"@path": %s\n"@query": ?\n"content-digest": %s\n"@signature-params": %s' \
    "$host" "$path" "$digest" "$params")
secret=$(printf %s "$BRIDGE32_SECRET" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
mac=$(printf %s "$base" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$secret" -binary | openssl base64 -A)
curl -gsS "$origin$path" -H 'Content-Type: application/json' -H "Content-Digest: $digest" \
    -H "Signature-Input: sig1=$params" -H "Signature: sig1=:$mac:" --data-raw "$body"
"#;

/// The program.
pub(super) fn program(call: &Call) -> String {
    let body = quoted(&call.json());
    if !call.signed {
        let url = quoted(&call.url());
        return format!("curl -gsS {url} -H 'Content-Type: application/json' \\\n    --data-raw {body}\n");
    }
    let (origin, path) = (quoted(&call.origin), quoted(&call.path));
    let host = quoted(call.origin.split_once("://").map_or("", |(_, host)| host));
    format!(
        "#!/bin/sh\n# Needs curl and openssl. BRIDGE32_KEY_ID and BRIDGE32_SECRET are those of keys.toml.\nset -eu\n\
         : \"${{BRIDGE32_KEY_ID:?}}\" \"${{BRIDGE32_SECRET:?}}\"\norigin={origin} host={host}\npath={path}\nbody={body}\n\n{SIGNED}"
    )
}

/// A word of sh: within single quotes nothing means anything.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, call};
    use super::*;

    #[test]
    fn nothing_ends_a_word_early() {
        assert_eq!(quoted("it's $(id) `id` \\"), "'it'\\''s $(id) `id` \\'");
        let program = program(&call(HOSTILE, false));
        assert!(program.contains(r"it'\''s") && !program.contains('\u{202e}'), "{program}");
    }

    #[test]
    fn a_call_that_is_not_signed_is_one_command() {
        let expected = "curl -gsS 'http://127.0.0.1:8032/v1/libraries/demo/functions/Add' -H 'Content-Type: application/json' \\
    --data-raw '{\n  \"a\": 2\n}'\n";
        assert_eq!(program(&call("{\"a\": 2}", false)), expected);
    }
}
