//! Batches: arguments that refer to what earlier calls of the same request answered, `{"$ref": "0.outputs.handle"}`.

use std::borrow::Cow;

use bridge32_protocol::wire::Fault;
use serde_json::value::RawValue;

use crate::marshal::place::At;
use crate::marshal::{mismatch, shortened};

/// What stands for an earlier value.
const REFERENCE: &str = "$ref";

/// References stand no deeper than this in arguments: reading them takes stack.
const MAX_DEPTH: usize = 64;

/// The longest arguments with all references replaced.
const MAX_BYTES: usize = 128 << 20;

/// How a call of a batch ended.
#[derive(Debug)]
pub enum Outcome {
    /// With `{"result":…,"outputs":…}`.
    Answered(String),
    /// With an answer that no later call refers to.
    Forgotten,
    /// Without one.
    Failed,
}

/// How the calls of a batch have ended so far.
#[derive(Debug, Default)]
pub struct Outcomes(Vec<Outcome>);

/// Whether arguments may refer to an earlier call.
pub fn refers(args: &[u8]) -> bool {
    args.windows(REFERENCE.len()).any(|window| window == REFERENCE.as_bytes())
}

impl Outcomes {
    /// Notes how the next call ended.
    pub fn push(&mut self, outcome: Outcome) {
        self.0.push(outcome);
    }

    /// Whether a call has failed.
    pub fn any_failed(&self) -> bool {
        self.0.iter().any(|outcome| matches!(outcome, Outcome::Failed))
    }

    /// The arguments with every reference replaced by what it refers to.
    ///
    /// # Errors
    /// A reference leads nowhere.
    pub fn resolve<'a>(&self, args: &'a str) -> Result<Cow<'a, str>, Fault> {
        if !refers(args.as_bytes()) {
            return Ok(Cow::Borrowed(args));
        }
        let Ok(raw) = serde_json::from_str::<&RawValue>(args) else { return Ok(Cow::Borrowed(args)) };
        let mut text = String::with_capacity(args.len());
        self.write(raw, &At::ROOT, 0, &mut text)?;
        Ok(Cow::Owned(text))
    }

    fn write(&self, raw: &RawValue, at: &At<'_>, depth: usize, text: &mut String) -> Result<(), Fault> {
        let json = raw.get();
        if !refers(json.as_bytes()) {
            text.push_str(json);
            return Ok(());
        }
        if depth > MAX_DEPTH {
            return Err(mismatch(at, format!("a reference stands more than {MAX_DEPTH} levels deep")));
        }
        match json.as_bytes().first() {
            Some(b'{') => self.write_object(&members(json), at, depth, text),
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
                text.push('[');
                for (index, element) in elements.into_iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    self.write(element, &at.element(index), depth + 1, text)?;
                }
                text.push(']');
                Ok(())
            }
            _ => {
                text.push_str(json);
                Ok(())
            }
        }
    }

    fn write_object(
        &self,
        members: &[(String, &RawValue)],
        at: &At<'_>,
        depth: usize,
        text: &mut String,
    ) -> Result<(), Fault> {
        if let [(name, path)] = members
            && name == REFERENCE
        {
            let path: Cow<'_, str> = serde_json::from_str(path.get())
                .map_err(|_| mismatch(at, "a reference is written {\"$ref\": \"0.outputs.name\"}"))?;
            let value = self.find(&path).map_err(|why| mismatch(at, why))?.get();
            if text.len() + value.len() > MAX_BYTES {
                let detail = format!("with this value the arguments are longer than {MAX_BYTES} bytes");
                return Err(mismatch(at, detail));
            }
            text.push_str(value);
            return Ok(());
        }
        text.push('{');
        for (index, (name, value)) in members.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&serde_json::to_string(name).unwrap_or_default());
            text.push(':');
            self.write(value, &at.member(name), depth + 1, text)?;
        }
        text.push('}');
        Ok(())
    }

    /// What a path such as `0.outputs.rows.2.name` leads to.
    fn find(&self, path: &str) -> Result<&RawValue, String> {
        // With slashes for names that have dots in them, such as the `...` of variadic functions.
        let separator = if path.contains('/') { '/' } else { '.' };
        // What does not begin as a reference may be a value that was meant, and is not repeated.
        let (index, rest) = path.split_once(separator).ok_or(
            "a reference is the index of an earlier call, a dot, and `result` or `outputs` with the way into it",
        )?;
        let index: usize = index.parse().map_err(|_| "a reference must begin with the index of an earlier call")?;
        self.follow(index, rest, separator).map_err(|why| format!("{:?}: {why}", shortened(path)))
    }

    fn follow(&self, index: usize, way: &str, separator: char) -> Result<&RawValue, String> {
        let outcome = self.0.get(index).ok_or_else(|| {
            format!("call {index} has not run yet; only earlier calls can be referred to, and the first is 0")
        })?;
        let Outcome::Answered(outcome) = outcome else {
            return Err(format!("call {index} failed, so it has no value"));
        };
        let mut value: &RawValue = serde_json::from_str(outcome).map_err(|error| error.to_string())?;
        for step in way.split(separator) {
            value = inside(value.get(), step)?;
        }
        Ok(value)
    }
}

/// A member of an object, or an element of an array.
fn inside<'a>(json: &'a str, step: &str) -> Result<&'a RawValue, String> {
    if json.starts_with('{') {
        let members = members(json);
        let found = members.iter().find(|(name, _)| name == step).map(|(_, value)| *value);
        return found.ok_or_else(|| {
            let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            format!(
                "there is no {step:?}; there is {}",
                if names.is_empty() { "nothing".into() } else { names.join(", ") }
            )
        });
    }
    let elements: Vec<&RawValue> = serde_json::from_str(json)
        .map_err(|_| format!("{step:?} leads into a value that is no object and no array"))?;
    let index: usize = step.parse().map_err(|_| format!("{step:?} is no index of an array"))?;
    let count = elements.len();
    elements.into_iter().nth(index).ok_or_else(|| format!("the array has {count} elements, and {index} is beyond"))
}

/// The members of an object in their order, duplicates included: whoever gets them refuses those.
fn members(json: &str) -> Vec<(String, &RawValue)> {
    bridge32_protocol::json::members(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> Outcomes {
        let mut outcomes = Outcomes::default();
        let answer = r#"{"result":18446744073709551615,"outputs":{"h":"t","rows":[{"a":1.50}],"...":[null,"x"]}}"#;
        outcomes.push(Outcome::Answered(answer.to_owned()));
        outcomes.push(Outcome::Failed);
        outcomes
    }

    #[test]
    fn references_are_replaced_wherever_they_stand_and_the_rest_stays_as_it_was() {
        let args = r#"{ "x": {"$ref":"0.result"}, "y":[{"$ref":"0.outputs.rows.0.a"}, 1.0e2], "z":{"w":{"$ref":"0.outputs.h"}}}"#;
        let text = outcomes().resolve(args).unwrap();
        assert_eq!(text, r#"{"x":18446744073709551615,"y":[1.50,1.0e2],"z":{"w":"t"}}"#);
        assert!(matches!(outcomes().resolve(r#"{"a": 1}"#), Ok(Cow::Borrowed(_))));
        let dots = outcomes().resolve(r#"{"a":{"$ref":"0/outputs/.../1"}}"#).unwrap();
        assert_eq!(dots, r#"{"a":"x"}"#);
        let twice = outcomes().resolve(r#"{"a":{"$ref":"0.outputs.h"},"a":2}"#).unwrap();
        assert_eq!(twice, r#"{"a":"t","a":2}"#);
    }

    #[test]
    fn deep_nesting_and_endless_growth_are_refused() {
        let deep = format!(r#"{{"a":{}{{"$ref":"0.result"}}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        assert!(outcomes().resolve(&deep).unwrap_err().detail.contains("levels deep"));
        let beside = format!(r#"{{"a":{{"$ref":"0.result"}},"b":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(outcomes().resolve(&beside).unwrap().len() > 200_000, "what refers to nothing is copied as it is");
        let mut large = Outcomes::default();
        large.push(Outcome::Answered(format!(r#"{{"result":"{}","outputs":{{}}}}"#, "x".repeat(1 << 20))));
        let all = vec![r#"{"$ref":"0.result"}"#; 200].join(",");
        assert!(large.resolve(&format!(r#"{{"a":[{all}]}}"#)).unwrap_err().detail.contains("longer than"));
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_told_with_its_place() {
        for (reference, why) in [
            (r#""7.result""#, "has not run yet"),
            (r#""1.result""#, "failed"),
            (r#""0""#, "index of an earlier call, a dot"),
            (r#""x.result""#, "must begin with the index"),
            (r#""0.outputs.g""#, "there is h, rows, ..."),
            (r#""0.outputs.rows.1""#, "1 elements"),
            (r#""0.result.a""#, "no object"),
            ("5", "is written"),
        ] {
            let args = format!(r#"{{"a":[{{"$ref":{reference}}}]}}"#);
            let fault = outcomes().resolve(&args).unwrap_err();
            assert_eq!(fault.pointer.as_deref(), Some("/a/0"));
            assert!(fault.detail.contains(why), "{}", fault.detail);
        }
    }
}
