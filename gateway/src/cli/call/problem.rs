//! A problem document as a person reads it: what happened, whether the library ran, and what to do.

use std::fmt::Write as _;

use crate::json::Json;

/// The text of a problem. `usage` is the function's, for arguments that do not fit.
pub(in crate::cli) fn text(status: u16, problem: &Json, usage: Option<&str>) -> String {
    let part = |key: &str| problem.get(key).and_then(Json::as_text).unwrap_or_default();
    let (code, detail) = (part("code"), with_commands(&part("detail")));
    let place = match argument(&part("pointer")) {
        Some(name) if !detail.contains(&format!("`{name}`")) => format!("{name}: "),
        _ => String::new(),
    };
    let ran = match part("execution").as_str() {
        "not_run" => ", nothing was called",
        "ran" => ", the function has run",
        "may_have_run" => ", the function may have run",
        _ => "",
    };
    let mut text = format!("{place}{detail}\n  {code} ({status}{ran})");
    if code == "argument_mismatch"
        && let Some(usage) = usage
    {
        let _ = write!(text, "\n  usage: {usage}");
    }
    if let Some(remedy) = remedy(&code, &detail) {
        let _ = write!(text, "\n  {remedy}");
    }
    text
}

/// A detail with commands in the places of the requests that it names, as far as there are such commands.
fn with_commands(detail: &str) -> String {
    const START: &str = "GET /v1/libraries/";
    let (mut text, mut rest) = (String::new(), detail);
    while let Some((before, after)) = rest.split_once(START) {
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        let path = after[..end].trim_end_matches(['.', ',', ':', ';']);
        let command = match path.split_once('/') {
            None => Some(format!("`bridge32 interface check {path}`")),
            Some((library, "interface")) => Some(format!("`bridge32 call {library}`")),
            Some(_) => None,
        };
        text += before;
        text += &command.unwrap_or_else(|| format!("{START}{path}"));
        rest = &after[path.len()..];
    }
    text + rest
}

/// `/from/x/0` as the command line has it: `from.x.0` (RFC 6901).
fn argument(pointer: &str) -> Option<String> {
    let parts = pointer.strip_prefix('/')?.split('/');
    let parts: Vec<String> = parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    Some(parts.join("."))
}

/// What to do about it, where the detail does not say it.
fn remedy(code: &str, detail: &str) -> Option<&'static str> {
    Some(match code {
        "unknown_function" if !detail.contains("`bridge32 ") => {
            "`bridge32 interface new FILE -o HEADER` writes a header to start from"
        }
        "unknown_library" => "`bridge32 check` lists the libraries of a configuration; it is read when `serve` starts",
        "stale_handle" => "a token is good until it is closed or the library's process starts again: open it again",
        "load_failed" => "`bridge32 check` looks at the file, its dependencies and its header",
        "unsupported_declaration" => "`bridge32 interface check LIBRARY` shows what the header lacks",
        "convention_mismatch" => "`bridge32 exports FILE` shows what the names in the file say of conventions",
        "buffer_overrun" => "correct the length in the header, or give a larger buffer",
        "forbidden" => "--key ID signs with another key of the key file",
        "queue_full" => "try again in a moment",
        "deadline_exceeded" => "`deadline` in the library's table, or @deadline in the header, gives it more time",
        code if code.starts_with("signature_") || code == "unknown_key" => {
            "--key-file FILE, --config FILE, or BRIDGE32_KEY_ID and BRIDGE32_SECRET say which key signs; --key ID takes another of its file"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_argument_and_the_usage_follows() {
        let problem = Json::parse(
            r#"{"status":422,"code":"argument_mismatch","detail":"300 is out of range","pointer":"/line/from/x","execution":"not_run"}"#,
        );
        assert_eq!(
            text(422, &problem.unwrap(), Some("bridge32 call lib f line=…")),
            "line.from.x: 300 is out of range\n  argument_mismatch (422, nothing was called)\n  usage: bridge32 call lib f line=…"
        );
    }

    #[test]
    fn what_the_detail_names_already_is_not_named_again() {
        let problem = Json::parse(r#"{"code":"argument_mismatch","detail":"`a` is missing","pointer":"/a"}"#).unwrap();
        assert_eq!(text(422, &problem, None), "`a` is missing\n  argument_mismatch (422)");
    }

    #[test]
    fn requests_are_named_as_the_commands_that_do_the_same() {
        let detail = "The header of `lib` declares no function `f`. 2 places were not understood: GET /v1/libraries/lib has them. \
                      GET /v1/libraries/lib/interface lists what is declared; GET /v1/libraries/lib/variables.";
        assert_eq!(
            with_commands(detail),
            "The header of `lib` declares no function `f`. 2 places were not understood: `bridge32 interface check lib` has \
             them. `bridge32 call lib` lists what is declared; GET /v1/libraries/lib/variables."
        );
        assert_eq!(with_commands("GET /v1/libraries/a.b/interface."), "`bridge32 call a.b`.");
    }

    #[test]
    fn other_problems_say_what_to_do() {
        let of = |code: &str| text(400, &Json::parse(&format!(r#"{{"code":"{code}","detail":"x"}}"#)).unwrap(), None);
        assert!(of("stale_handle").contains("open it again"));
        assert!(of("signature_missing").contains("--key ID") && of("unknown_key").contains("--key-file"));
        assert!(of("unknown_function").contains("bridge32 interface new"));
        assert_eq!(of("malformed_request").lines().count(), 2);
    }
}
