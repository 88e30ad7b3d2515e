//! Secrets that a library gives back where nobody has declared one: what was taken out of a call's arguments is not to stand in its
//! answer, either.

use bridge32_interface::redact::MARKER;
use serde_json::Value;

/// Shorter texts and numbers stand in many answers by chance.
const SHORTEST: usize = 4;

/// What is left of an answer that has a secret of the arguments in it: nobody can tell where it begins and ends.
const NOTHING: &str = "{\"result\":\"«redacted»\",\"outputs\":{}}";

/// The answer, unless a value is in it that was taken out of the arguments: `args` as they were, `redacted` as they are kept.
pub(super) fn without(answer: String, args: &[u8], redacted: &str) -> String {
    let (Ok(args), Ok(redacted)) = (serde_json::from_slice(args), serde_json::from_str(redacted)) else {
        return answer;
    };
    let mut secrets = Vec::new();
    taken_out(&args, &redacted, &mut secrets);
    if secrets.iter().any(|secret| answer.contains(secret)) { NOTHING.to_owned() } else { answer }
}

/// The texts and numbers that stand where the other one has a marker, as they stand in JSON.
fn taken_out(value: &Value, redacted: &Value, secrets: &mut Vec<String>) {
    match (value, redacted) {
        (_, Value::String(marker)) if marker == MARKER.trim_matches('"') => leaves(value, secrets),
        (Value::Object(members), Value::Object(redacted)) => {
            for (name, value) in members {
                taken_out(value, redacted.get(name).unwrap_or(&Value::Null), secrets);
            }
        }
        (Value::Array(elements), Value::Array(redacted)) => {
            elements.iter().zip(redacted).for_each(|(value, redacted)| taken_out(value, redacted, secrets));
        }
        _ => {}
    }
}

fn leaves(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| leaves(value, secrets)),
        Value::Array(elements) => elements.iter().for_each(|value| leaves(value, secrets)),
        Value::String(_) | Value::Number(_) => {
            let text = value.to_string();
            let text = text.trim_matches('"');
            if text.len() >= SHORTEST {
                secrets.push(text.to_owned());
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(args: &str, redacted: &str, answer: &str) -> bool {
        without(answer.to_owned(), args.as_bytes(), redacted) == answer
    }

    #[test]
    fn an_answer_that_repeats_a_secret_is_not_kept() {
        let (args, redacted) = (r#"{"pin":"hunter2","n":7}"#, r#"{"pin":"«redacted»","n":7}"#);
        assert!(!kept(args, redacted, r#"{"result":"hello hunter2!","outputs":{}}"#));
        assert!(kept(args, redacted, r#"{"result":"hunter","outputs":{"n":7}}"#));
        assert_eq!(without(r#""hunter2""#.into(), args.as_bytes(), redacted), NOTHING);
        assert!(serde_json::from_str::<Value>(NOTHING).is_ok());
    }

    #[test]
    fn secrets_are_found_however_deep_they_are_and_as_json_writes_them() {
        let (args, redacted) = (r#"{"a":[{"key":[12345,"é\"x"]}]}"#, r#"{"a":[{"key":"«redacted»"}]}"#);
        assert!(!kept(args, redacted, r#"{"result":912345}"#), "rather too much than too little");
        assert!(!kept(args, redacted, r#"{"result":"..é\"x"}"#));
        assert!(kept(args, redacted, r#"{"result":"é"}"#), "too short to tell");
        assert!(kept("no json", redacted, r#"{"result":12345}"#), "such a call is refused, and has no answer");
    }
}
