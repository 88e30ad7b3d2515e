//! A statement that is put together of texts of ours, and of values, which are never part of the text.

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use super::Dialect;

/// A value of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Number(i64),
    /// What an index says of all its rows.
    Yes,
}

/// A text with places for values, and the values in the order of their places.
#[derive(Debug)]
pub(super) struct Statement {
    dialect: Dialect,
    text: String,
    values: Vec<Value>,
}

impl Statement {
    /// One that begins so.
    pub(super) fn new(dialect: Dialect, text: &str) -> Self {
        Self { dialect, text: text.to_owned(), values: Vec::new() }
    }

    /// In what it is written.
    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Goes on with that text, which is ours.
    pub(super) fn sql(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Goes on with a value.
    pub(super) fn value(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self.dialect.placeholder(&mut self.text, self.values.len());
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
