//! What a client says of a callback, checked before anything is called: JSON becomes the bytes that invocations answer.

use std::sync::Arc;

use bridge32_protocol::interface::{Signature, Type};
use bridge32_protocol::wire::Fault;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Callbacks;
use super::keys::sort_of;
use crate::marshal::arena::Arena;
use crate::marshal::place::At;
use crate::marshal::{Environment, decode, mismatch};

/// The most invocations that are kept.
const MAX_LIMIT: usize = 100_000;

/// How many are kept where the client says nothing.
const DEFAULT_LIMIT: usize = 1000;

/// The longest table.
const MAX_TABLE: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Description<'a> {
    #[serde(borrow)]
    returns: Option<&'a RawValue>,
    #[serde(borrow, default)]
    table: Vec<Row<'a>>,
    compare: Option<[String; 2]>,
    stop_after: Option<u64>,
    #[serde(borrow)]
    stop_returns: Option<&'a RawValue>,
    #[serde(default = "yes")]
    record: bool,
    #[serde(default)]
    stream: bool,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object such as {\"when\": {\"a\": 1}, \"returns\": 1}")]
struct Row<'a> {
    when: serde_json::Map<String, Value>,
    #[serde(borrow)]
    returns: &'a RawValue,
}

const fn yes() -> bool {
    true
}

/// An answer: its bytes in memory, and its JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) json: String,
}

/// What to do with invocations.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) returns: Answer,
    /// The first row whose values are those of the arguments answers.
    pub(super) table: Vec<(serde_json::Map<String, Value>, Answer)>,
    /// Answers how the first argument compares to the second.
    pub(super) compare: Option<Compare>,
    /// From this invocation on, `stop_returns` is the answer.
    pub(super) stop_after: Option<u64>,
    pub(super) stop_returns: Answer,
    pub(super) record: bool,
    pub(super) stream: bool,
    pub(super) limit: usize,
}

/// A comparison of two arguments, and what it answers.
#[derive(Debug)]
pub(super) struct Compare {
    /// The index of the one parameter.
    pub(super) left: usize,
    /// The index of the other.
    pub(super) right: usize,
    pub(super) less: Answer,
    pub(super) equal: Answer,
    pub(super) greater: Answer,
}

/// Reads a description.
///
/// # Errors
/// It is not one, or its answers do not fit the callback's result.
pub(super) fn read(
    signature: &Signature,
    raw: &RawValue,
    at: &At<'_>,
    callbacks: &Arc<Callbacks>,
    environment: &Environment<'_>,
) -> Result<Plan, Fault> {
    let description: Description<'_> = serde_json::from_str(raw.get()).map_err(|error| {
        let detail = format!(
            "`{at}` is a callback: pass null, or an object with any of returns, table, compare, stop_after, stop_returns, \
             record, stream, limit, such as {{\"returns\": 0}}: {}",
            at.complaint(&error)
        );
        mismatch(at, detail)
    })?;
    let answers = Answers { signature, callbacks, environment };
    let limit = description.limit.unwrap_or(DEFAULT_LIMIT);
    if limit > MAX_LIMIT {
        return Err(mismatch(&at.member("limit"), format!("at most {MAX_LIMIT} invocations are kept")));
    }
    if description.table.len() > MAX_TABLE {
        return Err(mismatch(&at.member("table"), format!("a table has at most {MAX_TABLE} rows")));
    }
    if description.stop_after == Some(0) {
        return Err(mismatch(&at.member("stop_after"), "the first invocation has the number 1"));
    }
    let returns = answers.answer(description.returns, &at.member("returns"))?;
    let stop_returns = match description.stop_returns {
        None => returns.clone(),
        given => answers.answer(given, &at.member("stop_returns"))?,
    };
    let rows = at.member("table");
    let row = |(index, row): (usize, Row<'_>)| {
        let at = rows.element(index);
        answers.known(row.when.keys(), &at.member("when"))?;
        Ok((row.when, answers.answer(Some(row.returns), &at.member("returns"))?))
    };
    let table = description.table.into_iter().enumerate().map(row).collect::<Result<_, Fault>>()?;
    let compare = description.compare.map(|names| answers.compare(names, &at.member("compare"))).transpose()?;
    let (record, stream, stop_after) = (description.record, description.stream, description.stop_after);
    Ok(Plan { returns, table, compare, stop_after, stop_returns, record, stream, limit })
}

struct Answers<'a> {
    signature: &'a Signature,
    callbacks: &'a Arc<Callbacks>,
    environment: &'a Environment<'a>,
}

impl Answers<'_> {
    /// An answer of the callback's result type; zero where none is given.
    fn answer(&self, raw: Option<&RawValue>, at: &At<'_>) -> Result<Answer, Fault> {
        let ty = &self.signature.result;
        if *ty == Type::Void {
            return match raw {
                None => Ok(Answer { bytes: Vec::new(), json: "null".to_owned() }),
                Some(raw) if raw.get() == "null" => Ok(Answer { bytes: Vec::new(), json: "null".to_owned() }),
                Some(_) => Err(mismatch(at, "the callback returns nothing: leave it out")),
            };
        }
        let mut arena = Arena::default();
        let layout = self.environment.home.layouts.of(ty).map_err(|why| mismatch(at, why))?;
        let Some(raw) = raw else {
            return Ok(Answer { bytes: vec![0; layout.size], json: "0".to_owned() });
        };
        let block = decode::single(raw, ty, at, *self.environment, self.callbacks, &mut arena)?;
        Ok(Answer { bytes: arena.bytes(block).to_vec(), json: raw.get().to_owned() })
    }

    /// Refuses names that are no parameters of the callback.
    fn known<'n>(&self, mut names: impl Iterator<Item = &'n String>, at: &At<'_>) -> Result<(), Fault> {
        let parameters = &self.signature.parameters;
        let Some(unknown) = names.find(|name| parameters.iter().all(|parameter| parameter.name != **name)) else {
            return Ok(());
        };
        let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let known = known.join(", ");
        if at.is_sensitive() {
            return Err(mismatch(at, format!("the callback has no such parameter; its parameters are {known}")));
        }
        let detail = format!("the callback has no parameter `{unknown}`; its parameters are {known}");
        Err(mismatch(&at.member(unknown), detail))
    }

    fn compare(&self, [left, right]: [String; 2], at: &At<'_>) -> Result<Compare, Fault> {
        let parameters = &self.signature.parameters;
        let index = |name: &String| {
            self.known([name].into_iter(), at)?;
            let index = parameters.iter().position(|parameter| parameter.name == *name).unwrap_or_default();
            if let Some(sort) = sort_of(&parameters[index].ty) {
                return Ok((index, sort));
            }
            let detail = format!(
                "`{name}` is neither a number nor text, so it has no order: declare what the callback gets in the header, such \
                 as `const int *{name}`"
            );
            Err(mismatch(&at.member(name), detail))
        };
        let ((left, sort), (right, other)) = (index(&left)?, index(&right)?);
        if sort != other {
            return Err(mismatch(at, "a number and a text have no order: compare two numbers or two texts"));
        }
        let number = |number: &str| {
            let raw = RawValue::from_string(number.to_owned()).map_err(|error| mismatch(at, error.to_string()))?;
            self.answer(Some(&raw), at)
        };
        Ok(Compare { left, right, less: number("-1")?, equal: number("0")?, greater: number("1")? })
    }
}
