//! In what the outcomes of two calls differ, of which the one should be as the other was.

use bridge32_interface::redact;
use serde::Serialize;
use serde_json::Value;

/// More differences than these are not listed: the outcomes are others altogether.
const MOST: usize = 100;

/// What stands where a sensitive value was.
fn is_marker(value: &Value) -> bool {
    value.as_str().is_some_and(|text| redact::MARKER.trim_matches('"') == text)
}

/// One place where they differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The place, as a JSON pointer into the outcome.
    pub pointer: String,
    /// What was there; absent where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What is there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// What a client was told of a call: what says when and how long it ran is no part of it, nor is the wording of a problem.
const ANSWER: [&str; 5] = ["result", "outputs", "errno", "last_error", "hresult"];
const PROBLEM: [&str; 3] = ["code", "pointer", "execution"];

/// Where two outcomes differ: answers, or problems. What was sensitive in the first one is not compared, and two handles are the
/// same wherever both have one.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    for name in ANSWER.iter().chain(&PROBLEM) {
        compare(&format!("/{name}"), before.get(name), after.get(name), &mut found);
    }
    found
}

fn compare(pointer: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    if found.len() >= MOST {
        return;
    }
    match (before, after) {
        (Some(before), Some(_)) if is_marker(before) => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
            for name in names {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                compare(&format!("{pointer}/{escaped}"), one.get(name), other.get(name), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for index in 0..one.len().max(other.len()) {
                compare(&format!("{pointer}/{index}"), one.get(index), other.get(index), found);
            }
        }
        (Some(Value::String(one)), Some(Value::String(other))) if is_handle(one) && is_handle(other) => {}
        (one, other) if one == other => {}
        (before, after) => {
            found.push(Difference { pointer: pointer.to_owned(), before: before.cloned(), after: after.cloned() });
        }
    }
}

/// Whether a text looks like a handle: `{library}.g{generation}.{number}.{tag}`.
fn is_handle(text: &str) -> bool {
    let mut parts = text.rsplitn(4, '.');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let tag = parts.next().is_some_and(|tag| !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let number = parts.next().is_some_and(is_number);
    let generation = parts.next().and_then(|part| part.strip_prefix('g')).is_some_and(is_number);
    tag && number && generation && parts.next().is_some_and(|library| !library.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(before: &Value, after: &Value) -> Vec<String> {
        differences(before, after).into_iter().map(|difference| difference.pointer).collect()
    }

    #[test]
    fn what_is_another_is_pointed_at() {
        let before =
            json!({"call_id": "1", "result": 5, "outputs": {"a": [1, 2], "b/c": {"x": 1.5}}, "duration_us": 1.0});
        let after = json!({"call_id": "2", "result": 6, "outputs": {"a": [1, 3, 4], "b/c": {"x": 1.5}, "d": null}, "duration_us": 9.0});
        assert_eq!(pointers(&before, &after), ["/result", "/outputs/a/1", "/outputs/a/2", "/outputs/d"]);
        assert_eq!(pointers(&before, &before), [""; 0]);
        let found = differences(&before, &after);
        assert_eq!((&found[0].before, &found[0].after), (&Some(json!(5)), &Some(json!(6))));
        assert_eq!((&found[2].before, &found[2].after), (&None, &Some(json!(4))));
    }

    #[test]
    fn an_answer_and_a_problem_differ_and_two_problems_by_their_codes() {
        let answer = json!({"result": 5, "outputs": {}});
        let problem = |code, detail| json!({"code": code, "detail": detail, "execution": "ran"});
        assert_eq!(pointers(&answer, &problem("agent_crashed", "x")), ["/result", "/outputs", "/code", "/execution"]);
        assert_eq!(pointers(&problem("a", "in call 1"), &problem("a", "in call 2")), [""; 0]);
        assert_eq!(pointers(&problem("a", ""), &problem("b", "")), ["/code"]);
    }

    #[test]
    fn handles_are_others_each_time_and_what_was_sensitive_is_not_known() {
        let handle = |text| json!({"result": text, "outputs": {}});
        assert_eq!(pointers(&handle("sqlite.g1.3.0a1b"), &handle("next.g7.12.ffee")), [""; 0]);
        assert_eq!(pointers(&handle("sqlite.g1.3.0a1b"), &handle("no handle")), ["/result"]);
        assert_eq!(pointers(&handle("«redacted»"), &handle("anything")), [""; 0]);
        assert_eq!(pointers(&handle("anything"), &handle("«redacted»")), ["/result"]);
    }

    #[test]
    fn outcomes_that_are_others_altogether_are_not_listed_to_the_end() {
        let many = |value| json!({"result": vec![value; 1000]});
        assert_eq!(pointers(&many(1), &many(2)).len(), MOST);
    }
}
