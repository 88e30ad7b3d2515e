//! What the sums say of some time: of each function, and over time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sqlx::Row as _;

use super::statement::{Statement, Value};
use super::tally::{self, HOUR, MOST_FUNCTIONS, Name, Tally};
use super::{Readers, StoreError};

/// Which sums are wanted. Times are microseconds since 1970.
#[derive(Clone, Debug)]
pub struct Span {
    /// From when until before when.
    pub time: Range<i64>,
    /// How long each part of it is.
    pub step: i64,
    /// Of this library alone.
    pub library: Option<String>,
    /// Of this function alone.
    pub function: Option<String>,
}

/// What the sums say of it.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Of each function, by library and name; an empty name is for functions without one, and for those that are too many.
    pub functions: BTreeMap<Name, Tally>,
    /// Of all of them together, by the beginnings of the parts in which any call ended.
    pub parts: BTreeMap<i64, Tally>,
}

impl Readers {
    pub(in crate::history) async fn statistics(&self, span: &Span) -> Result<Statistics, StoreError> {
        let Span { time, step, library, function } = span;
        let text = "SELECT * FROM statistics WHERE seconds IN (60, 3600) AND start >= ";
        let mut statement = Statement::new(self.dialect, text);
        // What is older is summed up by the hour.
        statement.value(Value::Number(time.start.div_euclid(HOUR) * HOUR));
        statement.sql(" AND start < ").value(Value::Number(time.end));
        for (column, value) in [(" AND library = ", library), (" AND function = ", function)] {
            if let Some(value) = value {
                statement.sql(column).value(Value::Text(value.clone()));
            }
        }
        let mut connection = self.pool.acquire().await?;
        let mut rows = statement.query().fetch(&mut *connection);
        let mut statistics = Statistics::default();
        while let Some(row) = rows.try_next().await? {
            let (start, seconds): (i64, i64) = (row.try_get("start")?, row.try_get("seconds")?);
            if start + seconds * 1_000_000 <= time.start {
                continue;
            }
            let tally = Tally::of(&row)?;
            let mut name = tally::name(&row)?;
            if statistics.functions.len() >= MOST_FUNCTIONS && !statistics.functions.contains_key(&name) {
                name.1 = Arc::default();
            }
            statistics.functions.entry(name).or_default().add(&tally)?;
            let part = time.start + (start - time.start).max(0) / step * step;
            statistics.parts.entry(part).or_default().add(&tally)?;
        }
        Ok(statistics)
    }
}
