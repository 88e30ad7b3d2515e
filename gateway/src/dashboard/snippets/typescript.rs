//! TypeScript for Node.js 18 and later; what it says is JavaScript, too. The signature as in `examples/typescript`.

use super::{Call, is_safe_in_javascript, plain, quoted};

const SIGNED: &str = r#"
// The key of keys.toml signs the request (RFC 9421).
const { BRIDGE32_KEY_ID: keyId = "", BRIDGE32_SECRET: secret = "" } = process.env;
const digest = createHash("sha256").update(body).digest("base64");
const covered = new Map([
  ["@method", "POST"],
  ["@authority", new URL(origin).host],
  ["@path", path],
  ["@query", "?"],
  ["content-digest", `sha-256=:${digest}:`],
]);
const names = [...covered.keys()].map((name) => `"${name}"`).join(" ");
const created = Math.floor(Date.now() / 1000);
const params = `(${names});created=${created};keyid="${keyId}";nonce="${randomUUID()}"`;
const base = [...covered, ["@signature-params", params]].map(([name, value]) => `"${name}": ${value}`).join("\n");
const mac = createHmac("sha256", Buffer.from(secret, "base64")).update(base).digest("base64");
headers.set("content-digest", `sha-256=:${digest}:`);
headers.set("signature-input", `sig1=${params}`);
headers.set("signature", `sig1=:${mac}:`);
"#;

const SENT: &str = r#"
const answer = await fetch(origin + path, { method: "POST", headers, body });
if (!answer.ok) throw new Error(await answer.text());
console.log(await answer.text());
"#;

/// The program.
pub(super) fn program(call: &Call) -> String {
    let (origin, path) = (string(&call.origin), string(&call.path));
    let import =
        if call.signed { "import { createHash, createHmac, randomUUID } from \"node:crypto\";\n\n" } else { "" };
    let body = if is_safe_in_javascript(&call.body) {
        format!("JSON.stringify({})", call.json())
    } else {
        // As text: numbers would be rounded.
        string(&plain(&call.body).compact())
    };
    format!(
        "// As a module (call.mts), for Node.js.\n{import}const origin = {origin};\nconst path = {path};\nconst body = {body};\n\
         const headers = new Headers({{ \"content-type\": \"application/json\" }});\n{}{SENT}",
        if call.signed { SIGNED } else { "" }
    )
}

fn string(text: &str) -> String {
    quoted(text, |code| format!("\\u{{{code:x}}}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HOSTILE, call};
    use super::*;

    #[test]
    fn arguments_are_an_object_unless_a_number_would_be_rounded() {
        let plain = program(&call(r#"{"a": 2, "b": "x"}"#, false));
        assert!(plain.contains("const body = JSON.stringify({\n  \"a\": 2,\n  \"b\": \"x\"\n});"), "{plain}");
        let large = program(&call(r#"{"a": 9007199254740993}"#, false));
        assert!(large.contains(r#"const body = "{\"a\":9007199254740993}";"#), "{large}");
    }

    #[test]
    fn hostile_texts_are_strings() {
        let program = program(&call(HOSTILE, true));
        assert!(program.contains(r#"const body = "{\"it's\":\"\\\"'`$(id)${x}\\\\\\n\\r\\u0000#{1}%s "#), "{program}");
    }
}
