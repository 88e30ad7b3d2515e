//! How many calls of each function ended in a minute, and how long they took: sums that are written with the calls, in the same
//! transaction, so that they say the same.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, hash_map};
use std::sync::Arc;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};

use super::statement::{Statement, Value};
use super::{Dialect, StoreError};
use crate::history::record::Record;

/// Microseconds of a minute.
pub(super) const MINUTE: i64 = 60_000_000;
/// Of an hour.
pub(super) const HOUR: i64 = 60 * MINUTE;

/// No more functions than these have sums of their own in a minute: clients can make up names. The calls of others are summed
/// up by library.
pub(super) const MOST_FUNCTIONS: usize = 1000;

/// Durations are told to 1 %.
const DIGITS: u8 = 2;

/// The sums of so many minutes are at hand: the last ones.
const AT_HAND: usize = 3;

/// So many sums are written by one statement, as far as there are as many; otherwise the next smaller power of two.
const LARGEST: u32 = 5;

/// A library and a function of it; empty for those without a name, and those that are too many.
pub(super) type Name = (Arc<str>, Arc<str>);

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

    /// What a row says.
    pub(super) fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Written::of(row)?.read()
    }

    fn written(&self) -> Result<Written, StoreError> {
        let mut durations = Vec::new();
        let written = V2Serializer::new().serialize(&self.durations, &mut durations);
        written.map_err(|error| StoreError::Row(format!("a histogram cannot be written: {error}")))?;
        Ok(Written { calls: self.calls, failed: self.failed, durations })
    }
}

/// A tally as a row has it: a histogram takes much less room so.
#[derive(Clone, Debug)]
struct Written {
    calls: u64,
    failed: u64,
    durations: Vec<u8>,
}

impl Written {
    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let number = |name| row.try_get::<i64, _>(name).map(|number| u64::try_from(number).unwrap_or_default());
        Ok(Self { calls: number("calls")?, failed: number("failed")?, durations: row.try_get("durations")? })
    }

    fn read(&self) -> Result<Tally, StoreError> {
        let unreadable = |error: &dyn std::fmt::Display| StoreError::Row(format!("its histogram: {error}"));
        let read: Histogram<u64> =
            Deserializer::new().deserialize(&mut self.durations.as_slice()).map_err(|error| unreadable(&error))?;
        // One that grows.
        let mut tally = Tally { calls: self.calls, failed: self.failed, ..Tally::default() };
        tally.durations.add(&read).map_err(|error| unreadable(&error))?;
        Ok(tally)
    }
}

/// The library and the function that a row is about.
pub(super) fn name(row: &AnyRow) -> Result<Name, StoreError> {
    let text = |name| row.try_get::<String, _>(name).map(Arc::from);
    Ok((text("library")?, text("function")?))
}

/// By the beginning of a minute, in microseconds since 1970, the sums of its functions.
type Minutes = BTreeMap<i64, HashMap<Name, Written>>;

/// The sums of the last minutes, as they are in the table.
#[derive(Debug, Default)]
pub(super) struct Sums(Minutes);

/// What has become of some sums, in a transaction that may not have ended well.
pub(super) struct Changed(Minutes);

impl Sums {
    /// Writes the sums with those calls, and gives what has become of them, for [`Self::committed`]. It can be repeated with the
    /// same calls, even if an attempt whose end nobody has seen was successful: what is written are sums, and they are made of
    /// what was there before the first attempt.
    pub(super) async fn write(
        &mut self,
        connection: &mut AnyConnection,
        dialect: Dialect,
        records: &[Record],
    ) -> Result<Changed, StoreError> {
        let mut minutes: BTreeMap<i64, Vec<&Record>> = BTreeMap::new();
        for record in records {
            let start = record.ended_at.as_microsecond().div_euclid(MINUTE) * MINUTE;
            minutes.entry(start).or_default().push(record);
        }
        let mut changed = Minutes::new();
        for (start, records) in minutes {
            let known = match self.0.entry(start) {
                Entry::Vacant(entry) => entry.insert(load(connection, start).await?),
                Entry::Occupied(entry) => entry.into_mut(),
            };
            let sums = sums(known, &records)?;
            write(connection, dialect, start, 60, &sums).await?;
            changed.insert(start, sums);
        }
        Ok(Changed(changed))
    }

    /// What was written is in the table.
    pub(super) fn committed(&mut self, changed: Changed) {
        for (start, sums) in changed.0 {
            self.0.entry(start).or_default().extend(sums);
        }
        while self.0.len() > AT_HAND {
            self.0.pop_first();
        }
    }
}

/// The sums of a minute that change with these calls.
fn sums(known: &HashMap<Name, Written>, records: &[&Record]) -> Result<HashMap<Name, Written>, StoreError> {
    let mut sums: HashMap<Name, Tally> = HashMap::new();
    let mut new = 0;
    for record in records {
        // What clients call functions in prototypes has no sums of its own: they can make up any name.
        let function = record.function.clone().filter(|_| record.prototype.is_none());
        let mut name = (Arc::clone(&record.library), function.unwrap_or_default());
        if let Some(tally) = sums.get_mut(&name) {
            tally.count(record);
            continue;
        }
        if !known.contains_key(&name) {
            if known.len() + new >= MOST_FUNCTIONS {
                name.1 = Arc::default();
            } else {
                new += 1;
            }
        }
        let tally = match sums.entry(name) {
            hash_map::Entry::Occupied(entry) => entry.into_mut(),
            hash_map::Entry::Vacant(entry) => {
                let before = known.get(entry.key()).map_or_else(|| Ok(Tally::default()), Written::read)?;
                entry.insert(before)
            }
        };
        tally.count(record);
    }
    sums.into_iter().map(|(name, tally)| Ok((name, tally.written()?))).collect()
}

async fn load(connection: &mut AnyConnection, start: i64) -> Result<HashMap<Name, Written>, StoreError> {
    let query = sqlx::query("SELECT * FROM statistics WHERE seconds = 60 AND start = $1").bind(start);
    let rows = query.fetch_all(connection).await?;
    rows.iter().map(|row| Ok((name(row)?, Written::of(row)?))).collect()
}

/// Replaces the sums of an hour by these.
pub(super) async fn write_hour(
    connection: &mut AnyConnection,
    dialect: Dialect,
    start: i64,
    sums: HashMap<Name, Tally>,
) -> Result<(), StoreError> {
    let sums = sums.into_iter().map(|(name, tally)| Ok::<_, StoreError>((name, tally.written()?)));
    write(connection, dialect, start, 3600, &sums.collect::<Result<_, _>>()?).await
}

/// Writes sums of that time; those that are there are replaced.
async fn write(
    connection: &mut AnyConnection,
    dialect: Dialect,
    start: i64,
    seconds: i64,
    sums: &HashMap<Name, Written>,
) -> Result<(), StoreError> {
    let all: Vec<(&Name, &Written)> = sums.iter().collect();
    let mut rows = all.as_slice();
    let number = |number: u64| Value::Number(i64::try_from(number).unwrap_or(i64::MAX));
    while !rows.is_empty() {
        let (now, rest) = rows.split_at(1 << rows.len().ilog2().min(LARGEST));
        let mut statement = Statement::new(
            dialect,
            "INSERT INTO statistics (start, seconds, library, function, calls, failed, durations) VALUES ",
        );
        for (index, ((library, function), sum)) in now.iter().enumerate() {
            statement.sql(if index > 0 { ", (" } else { "(" });
            statement.value(Value::Number(start)).sql(", ").value(Value::Number(seconds)).sql(", ");
            statement
                .value(Value::Text(library.to_string()))
                .sql(", ")
                .value(Value::Text(function.to_string()))
                .sql(", ");
            statement.value(number(sum.calls)).sql(", ").value(number(sum.failed)).sql(", ");
            statement.value(Value::Bytes(sum.durations.clone())).sql(")");
        }
        statement.sql(
            " ON CONFLICT (seconds, start, library, function) DO UPDATE SET calls = excluded.calls, failed = excluded.failed, \
             durations = excluded.durations",
        );
        statement.query().execute(&mut *connection).await?;
        rows = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
