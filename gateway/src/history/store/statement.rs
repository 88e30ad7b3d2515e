//! A statement that is put together of texts of ours, and of values, which are never part of the text.

use std::fmt::Write as _;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

/// A value of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
    /// What an index says of all its rows.
    Yes,
}

/// A text with `$1`, `$2`, …, and the values for those.
#[derive(Debug, Default)]
pub(super) struct Statement {
    text: String,
    values: Vec<Value>,
}

impl Statement {
    /// One that begins so.
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Goes on with that text, which is ours.
    pub(super) fn sql(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with a value.
    pub(super) fn value(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        // A `String` can always be written to.
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// The statement, to be run.
    pub(super) fn query(&self) -> Query<'_, Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(self.text.as_str()));
        self.values.iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text.as_str()),
            Value::Bytes(bytes) => query.bind(bytes.as_slice()),
            Value::Number(number) => query.bind(*number),
            Value::Yes => query.bind(true),
        })
    }
}
