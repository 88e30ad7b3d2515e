//! Python 3.8 and later, with its standard library; the signature as in `examples/python`.

use std::fmt::Write as _;

use super::{Call, quoted};
use crate::json::Json;

const SIGNED: &str = r#"
# The key of keys.toml signs the request (RFC 9421).
key_id, secret = os.environ["BRIDGE32_KEY_ID"], base64.b64decode(os.environ["BRIDGE32_SECRET"])
digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
covered = {
    "@method": "POST",
    "@authority": ORIGIN.split("://")[1],
    "@path": PATH,
    "@query": "?",
    "content-digest": f"sha-256=:{digest}:",
}
names = " ".join(f'"{name}"' for name in covered)
params = f'({names});created={int(time.time())};keyid="{key_id}";nonce="{secrets.token_hex(16)}"'
base = "\n".join(f'"{name}": {value}' for name, value in {**covered, "@signature-params": params}.items())
mac = base64.b64encode(hmac.new(secret, base.encode(), "sha256").digest()).decode()
headers["Content-Digest"] = covered["content-digest"]
headers["Signature-Input"] = f"sig1={params}"
headers["Signature"] = f"sig1=:{mac}:"
"#;

const SENT: &str = r"
try:
    with urllib.request.urlopen(urllib.request.Request(ORIGIN + PATH, body, headers)) as answer:
        print(json.load(answer))
except urllib.error.HTTPError as problem:
    sys.exit(problem.read().decode())
";

/// The program.
pub(super) fn program(call: &Call) -> String {
    let mut text = String::new();
    let imports: &[&str] = if call.signed {
        &["base64", "hashlib", "hmac", "json", "os", "secrets", "sys", "time", "urllib.error", "urllib.request"]
    } else {
        &["json", "sys", "urllib.error", "urllib.request"]
    };
    for name in imports {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "import {name}");
    }
    let (origin, path) = (string(&call.origin), string(&call.path));
    let _ = write!(text, "\nORIGIN = {origin}\nPATH = {path}\n\narguments = ");
    literal(&call.body, 0, &mut text);
    text.push_str("\nbody = json.dumps(arguments).encode()\nheaders = {\"Content-Type\": \"application/json\"}\n");
    if call.signed {
        text.push_str(SIGNED);
    }
    text.push_str(SENT);
    text
}

fn string(text: &str) -> String {
    quoted(text, |code| format!("\\U{code:08x}"))
}

/// A value as Python writes it: whole numbers keep every digit there.
fn literal(json: &Json, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth + 1);
    let end = "    ".repeat(depth);
    match json {
        Json::Scalar(raw) => match (raw.get(), json.as_text()) {
            (_, Some(value)) => text.push_str(&string(&value)),
            ("true", _) => text.push_str("True"),
            ("false", _) => text.push_str("False"),
            ("null", _) => text.push_str("None"),
            (number, _) => text.push_str(number),
        },
        Json::List(elements) if elements.is_empty() => text.push_str("[]"),
        Json::List(elements) => {
            text.push_str("[\n");
            for element in elements {
                text.push_str(&indent);
                literal(element, depth + 1, text);
                text.push_str(",\n");
            }
            let _ = write!(text, "{end}]");
        }
        Json::Object(members) if members.is_empty() => text.push_str("{}"),
        Json::Object(members) => {
            text.push_str("{\n");
            for (name, value) in members {
                let _ = write!(text, "{indent}{}: ", string(name));
                literal(value, depth + 1, text);
                text.push_str(",\n");
            }
            let _ = write!(text, "{end}}}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, call};
    use super::*;

    #[test]
    fn values_are_written_as_python_has_them() {
        let program = program(&call(
            r#"{"a": [true, false, null, -1.5, {"b": []}], "c": {}, "d": 12345678901234567890123}"#,
            false,
        ));
        let expected = "arguments = {
    \"a\": [
        True,
        False,
        None,
        -1.5,
        {
            \"b\": [],
        },
    ],
    \"c\": {},
    \"d\": 12345678901234567890123,
}
body = ";
        assert!(program.contains(expected), "{program}");
    }

    #[test]
    fn hostile_texts_are_strings() {
        let program = program(&call(HOSTILE, true));
        let expected = r#""it's": "\"'`$(id)${x}\\\n\r\u0000#{1}%s \u202eback\u2028 ä😀\U000e0041","#;
        assert!(program.contains(expected), "{program}");
    }
}
