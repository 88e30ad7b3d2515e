//! How many calls of each function ended in a minute, and how long they took: sums that are written with the calls, in the same
//! transaction, so that they say the same.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::StoreError;
use super::statement::{Statement, Value};
use crate::history::record::Record;

/// Microseconds of a minute.
pub(super) const MINUTE: i64 = 60_000_000;
/// Of an hour.
pub(super) const HOUR: i64 = 60 * MINUTE;

/// No more functions than these have sums of their own in a minute: clients can make up names. The calls of others are summed
/// up by library.
const MOST_FUNCTIONS: usize = 1000;

/// Durations are told to 1 %.
const DIGITS: u8 = 2;

/// The sums of so many minutes are at hand: the last ones.
const AT_HAND: usize = 3;

/// So many sums are written by one statement, as far as there are as many; otherwise the next smaller power of two.
const LARGEST: u32 = 5;

/// A library and a function of it; empty for those without a name, and those that are too many.
pub(super) type Name = (String, String);

/// How many calls there were, and how long they took.
#[derive(Clone, Debug)]
pub struct Tally {
    /// How many ended.
    pub calls: u64,
    /// Of these, how many with a problem.
    pub failed: u64,
    /// Nanoseconds that each took in all.
    durations: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let durations = Histogram::new(DIGITS).expect("two digits are possible");
        Self { calls: 0, failed: 0, durations }
    }
}

impl Tally {
    fn count(&mut self, record: &Record) {
        self.calls += 1;
        self.failed += u64::from(record.code.is_some());
        // It grows as needed, for any number: there is no error.
        let _ = self.durations.record(record.duration_ns());
    }

    /// Adds what another has counted.
    pub(super) fn add(&mut self, other: &Self) -> Result<(), StoreError> {
        self.calls += other.calls;
        self.failed += other.failed;
        self.durations.add(&other.durations).map_err(|error| StoreError::Row(error.to_string()))
    }

    /// The nanoseconds within which that part of the calls, from 0 to 1, has ended; to 1 %.
    pub fn quantile_ns(&self, part: f64) -> u64 {
        self.durations.value_at_quantile(part)
    }

    /// What a row has.
    pub(super) fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let unreadable = |error: &dyn std::fmt::Display| StoreError::Row(format!("its histogram: {error}"));
        let bytes: Vec<u8> = row.try_get("durations")?;
        let read: Histogram<u64> =
            Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| unreadable(&error))?;
        let mut tally = Self::default();
        tally.durations.add(&read).map_err(|error| unreadable(&error))?;
        let number = |name| row.try_get::<i64, _>(name).map(|number| u64::try_from(number).unwrap_or_default());
        Ok(Self { calls: number("calls")?, failed: number("failed")?, ..tally })
    }

    fn bytes(&self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let written = V2Serializer::new().serialize(&self.durations, &mut bytes);
        written.map(|_| bytes).map_err(|error| StoreError::Row(format!("a histogram cannot be written: {error}")))
    }
}

/// The library and the function that a row is about.
pub(super) fn name(row: &AnyRow) -> Result<Name, StoreError> {
    Ok((row.try_get("library")?, row.try_get("function")?))
}

/// By the beginning of a minute, in microseconds since 1970, the sums of its functions.
pub(super) type Minutes = BTreeMap<i64, HashMap<Name, Tally>>;

/// The sums of the last minutes, as they are in the table.
#[derive(Debug, Default)]
pub(super) struct Sums(Minutes);

impl Sums {
    /// Writes the sums with those calls, and gives what has become of them, for [`Self::committed`]. It can be repeated with the
    /// same calls, even if an attempt whose end nobody has seen was successful: what is written are sums, and they are made of
    /// what was there before the first attempt.
    pub(super) async fn write(
        &mut self,
        connection: &mut AnyConnection,
        records: &[Record],
    ) -> Result<Minutes, StoreError> {
        let mut changed = Minutes::new();
        for record in records {
            let start = record.ended_at.as_microsecond().div_euclid(MINUTE) * MINUTE;
            let known = match self.0.entry(start) {
                Entry::Vacant(entry) => entry.insert(load(connection, start).await?),
                Entry::Occupied(entry) => entry.into_mut(),
            };
            let minute = changed.entry(start).or_default();
            let mut name = (record.library.clone(), record.function.clone().unwrap_or_default());
            let is_one_more = !known.contains_key(&name) && !minute.contains_key(&name);
            if is_one_more && known.len() + minute.len() >= MOST_FUNCTIONS {
                name.1.clear();
            }
            let tally = minute.entry(name).or_insert_with_key(|name| known.get(name).cloned().unwrap_or_default());
            tally.count(record);
        }
        for (start, sums) in &changed {
            let rows: Vec<(&Name, &Tally)> = sums.iter().collect();
            write(connection, *start, 60, &rows).await?;
        }
        Ok(changed)
    }

    /// What was written is in the table.
    pub(super) fn committed(&mut self, changed: Minutes) {
        for (start, sums) in changed {
            self.0.entry(start).or_default().extend(sums);
        }
        while self.0.len() > AT_HAND {
            self.0.pop_first();
        }
    }
}

async fn load(connection: &mut AnyConnection, start: i64) -> Result<HashMap<Name, Tally>, StoreError> {
    let query = sqlx::query("SELECT * FROM statistics WHERE start = $1 AND seconds = 60").bind(start);
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok((name(row)?, Tally::of(row)?))).collect()
}

/// Writes sums of that time; those that are there are replaced.
pub(super) async fn write(
    connection: &mut AnyConnection,
    start: i64,
    seconds: i64,
    mut rows: &[(&Name, &Tally)],
) -> Result<(), StoreError> {
    let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
    while !rows.is_empty() {
        let (now, rest) = rows.split_at(1 << rows.len().ilog2().min(LARGEST));
        let mut statement = Statement::new(
            "INSERT INTO statistics (start, seconds, library, function, calls, failed, durations) VALUES ",
        );
        for (index, ((library, function), tally)) in now.iter().enumerate() {
            statement.sql(if index > 0 { ", (" } else { "(" });
            statement.value(Value::Number(start)).sql(", ").value(Value::Number(seconds)).sql(", ");
            statement.value(Value::Text(library.clone())).sql(", ").value(Value::Text(function.clone())).sql(", ");
            statement.value(number(tally.calls)).sql(", ").value(number(tally.failed)).sql(", ");
            statement.value(Value::Bytes(tally.bytes()?)).sql(")");
        }
        statement.sql(
            " ON CONFLICT (start, library, function, seconds) DO UPDATE SET calls = excluded.calls, failed = excluded.failed, \
             durations = excluded.durations",
        );
        statement.query().execute(&mut *connection).await?;
        rows = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
