//! Forgets calls that are too old, and the oldest ones where there is no room for all: in small parts, between which the writer has
//! its turns.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Row as _};

use super::blocks::{self, BLOCK};
use super::tally::{self, HOUR, Name, Tally};
use super::{Dialect, Store, StoreError};

/// So many calls are forgotten at a time: it takes some ten milliseconds.
const PART: i64 = 1000;

/// Old calls are looked for in so many of the oldest blocks: numbers follow each other in about the order of time.
const OLDEST: i64 = 64;

/// For so long sums are kept by the minute, then by the hour.
pub const BY_THE_MINUTE: SignedDuration = SignedDuration::from_hours(48);

/// What a row of PostgreSQL takes beside its values, about: headers, and its place in the indexes.
const OVERHEAD: f64 = 130.0;

/// A SQLite file keeps so many free pages for new rows in any case.
const FREE_PAGES: i64 = 4096;
/// So many of others are given back at a time.
const GIVEN_BACK: i64 = 256;

/// Whoever keeps the tables within their bounds. It has the writer's connection in turns with it.
#[derive(Clone, Debug)]
pub(in crate::history) struct Janitor {
    dialect: Dialect,
    writer: AnyPool,
}

impl Store {
    pub(in crate::history) fn janitor(&self) -> Janitor {
        Janitor { dialect: self.dialect, writer: self.writer.clone() }
    }
}

impl Janitor {
    /// Forgets some of the calls that ended before a time, and gives how many. There are no more if it is 0.
    pub(in crate::history) async fn forget_before(&self, time: Timestamp) -> Result<u64, StoreError> {
        self.in_a_transaction(async |connection| {
            let text = "SELECT block FROM (SELECT block, first_end FROM blocks ORDER BY block LIMIT $1) AS oldest \
                        WHERE first_end < $2 ORDER BY block LIMIT $3";
            let query = sqlx::query(text).bind(OLDEST).bind(time.as_microsecond()).bind(PART / BLOCK + 1);
            let rows = query.fetch_all(&mut *connection).await?;
            let mut forgotten = 0;
            for row in rows {
                let block: i64 = row.try_get("block")?;
                let (first, last) = (block * BLOCK, block * BLOCK + BLOCK - 1);
                let delete = sqlx::query("DELETE FROM calls WHERE seq >= $1 AND seq <= $2 AND ended_at < $3");
                let delete = delete.bind(first).bind(last).bind(time.as_microsecond());
                forgotten += delete.execute(&mut *connection).await?.rows_affected();
                // What is left ended later. A block without calls has no time: a later call gives it one again.
                let left = "UPDATE blocks SET \
                            first_end = COALESCE((SELECT MIN(ended_at) FROM calls WHERE seq >= $1 AND seq <= $2), 9223372036854775807), \
                            last_end = COALESCE((SELECT MAX(ended_at) FROM calls WHERE seq >= $1 AND seq <= $2), -9223372036854775807) \
                            WHERE block = $3";
                sqlx::query(left).bind(first).bind(last).bind(block).execute(&mut *connection).await?;
            }
            forget_blocks(connection).await?;
            Ok(forgotten)
        })
        .await
    }

    /// Forgets some of the oldest calls, and gives how many. There are no more if it is 0.
    pub(in crate::history) async fn forget_oldest(&self) -> Result<u64, StoreError> {
        self.in_a_transaction(async |connection| {
            let delete = sqlx::query("DELETE FROM calls WHERE seq IN (SELECT seq FROM calls ORDER BY seq LIMIT $1)");
            let forgotten = delete.bind(PART).execute(&mut *connection).await?.rows_affected();
            forget_blocks(connection).await?;
            Ok(forgotten)
        })
        .await
    }

    /// Does something as a whole, between two turns of the writer.
    async fn in_a_transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut AnyConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.writer.acquire().await?;
        let done = async {
            let mut transaction = connection.begin().await?;
            let done = work(&mut transaction).await?;
            transaction.commit().await?;
            Ok(done)
        };
        let done = done.await;
        if done.is_err() {
            // As with the writer: whether its transaction is over is not known.
            drop(connection.detach().close_hard().await);
        }
        done
    }

    /// Forgets what is missing of a time whose calls are forgotten, and the sums of that time.
    pub(in crate::history) async fn forget_the_rest(&self, before: Timestamp) -> Result<(), StoreError> {
        let gaps = "DELETE FROM gaps WHERE until < $1 OR seq < (SELECT MIN(seq) FROM calls)";
        sqlx::query(gaps).bind(before.as_microsecond()).execute(&self.writer).await?;
        // Those of an hour that is partly younger stay.
        let statistics = sqlx::query("DELETE FROM statistics WHERE seconds IN (60, 3600) AND start < $1");
        statistics.bind(before.as_microsecond() - HOUR).execute(&self.writer).await?;
        Ok(())
    }

    /// Forgets the sums of the time before the oldest call.
    pub(in crate::history) async fn forget_sums_before_calls(&self) -> Result<(), StoreError> {
        let text = "DELETE FROM statistics WHERE seconds IN (60, 3600) AND start < (SELECT MIN(first_end) FROM blocks WHERE first_end <= last_end) - $1";
        sqlx::query(text).bind(HOUR).execute(&self.writer).await?;
        Ok(())
    }

    /// Sums up the minutes of the oldest hour that ended before a time. `false` if there is none.
    pub(in crate::history) async fn sum_up_an_hour(&self, before: Timestamp) -> Result<bool, StoreError> {
        let end = before.as_microsecond().div_euclid(HOUR) * HOUR;
        let oldest =
            sqlx::query("SELECT MIN(start) AS start FROM statistics WHERE seconds = 60 AND start < $1").bind(end);
        let oldest: Option<i64> = oldest.fetch_one(&self.writer).await?.try_get("start")?;
        let Some(start) = oldest.map(|start| start.div_euclid(HOUR) * HOUR) else { return Ok(false) };
        self.in_a_transaction(async |connection| sum_up(connection, self.dialect, start).await).await?;
        Ok(true)
    }

    /// How many bytes the tables take, without what is free for new rows.
    pub(in crate::history) async fn size(&self) -> Result<u64, StoreError> {
        let bytes = match self.dialect {
            Dialect::Sqlite => {
                let used = self.pragma("page_count").await? - self.pragma("freelist_count").await?;
                used * self.pragma("page_size").await?
            }
            Dialect::Postgres => self.size_in_postgres().await?,
        };
        Ok(u64::try_from(bytes).unwrap_or_default())
    }

    /// The room of deleted rows goes to new ones, and seldom back: what the files have says less than what the rows take.
    async fn size_in_postgres(&self) -> Result<i64, StoreError> {
        let others = ["statistics", "gaps", "blocks", "marks"]
            .map(|table| format!("pg_total_relation_size('{table}')"))
            .join(" + ");
        let text = format!("SELECT pg_total_relation_size('calls') + {others} AS files, {others} AS others");
        let row = sqlx::query(AssertSqlSafe(text)).fetch_one(&self.writer).await?;
        let (files, others): (i64, i64) = (row.try_get("files")?, row.try_get("others")?);
        let text = "WITH ends AS (SELECT MIN(seq) AS first, MAX(seq) AS last FROM calls), \
                    sample AS ((SELECT calls.* FROM calls, ends WHERE seq >= first ORDER BY seq LIMIT 200) UNION ALL \
                    (SELECT calls.* FROM calls, ends WHERE seq >= (first + last) / 2 ORDER BY seq LIMIT 200) UNION ALL \
                    (SELECT calls.* FROM calls, ends WHERE seq <= last ORDER BY seq DESC LIMIT 200)) \
                    SELECT COALESCE(MAX(last) - MIN(first) + 1, 0) AS calls, \
                    (SELECT COALESCE(AVG(pg_column_size(sample.*)), 0)::float8 FROM sample) AS width FROM ends";
        let row = sqlx::query(text).fetch_one(&self.writer).await?;
        let (calls, width): (i64, f64) = (row.try_get("calls")?, row.try_get("width")?);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "it is an estimate")]
        let rows = (calls as f64 * (width + OVERHEAD)) as i64;
        Ok(files.min(others.saturating_add(rows)))
    }

    /// Gives room back to the file system that is not going to be used soon. `false` if there is no more of it.
    pub(in crate::history) async fn give_back(&self) -> Result<bool, StoreError> {
        if self.dialect == Dialect::Postgres {
            return Ok(false);
        }
        let free = self.pragma("freelist_count").await?;
        let most = FREE_PAGES.max(self.pragma("page_count").await? / 4);
        if free <= most {
            return Ok(false);
        }
        let text = format!("PRAGMA incremental_vacuum({GIVEN_BACK})");
        sqlx::query(AssertSqlSafe(text)).fetch_all(&self.writer).await?;
        // A file of before cannot.
        Ok(self.pragma("freelist_count").await? < free)
    }

    /// How many pages a SQLite file has.
    #[cfg(test)]
    pub(in crate::history) async fn pages(&self) -> Result<i64, StoreError> {
        self.pragma("page_count").await
    }

    async fn pragma(&self, name: &'static str) -> Result<i64, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("PRAGMA {name}"))).fetch_one(&self.writer).await?;
        Ok(row.try_get(0)?)
    }
}

/// Forgets the blocks before the oldest call. The last one stays, whatever is in it: the writer knows of it.
async fn forget_blocks(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let text = "SELECT MAX(block) AS last, (SELECT MIN(seq) FROM calls) AS oldest FROM blocks";
    let row = sqlx::query(text).fetch_one(&mut *connection).await?;
    let (last, oldest): (Option<i64>, Option<i64>) = (row.try_get("last")?, row.try_get("oldest")?);
    let Some(last) = last else { return Ok(()) };
    let first = oldest.map_or(last, |oldest| blocks::of(oldest).min(last));
    for text in ["DELETE FROM marks WHERE block < $1", "DELETE FROM blocks WHERE block < $1"] {
        sqlx::query(text).bind(first).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Makes one of all sums of the hour that begins then, for each function.
async fn sum_up(connection: &mut AnyConnection, dialect: Dialect, start: i64) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT * FROM statistics WHERE seconds IN (60, 3600) AND start >= $1 AND start < $2");
    let rows = rows.bind(start).bind(start + HOUR).fetch_all(&mut *connection).await?;
    let mut sums: HashMap<Name, Tally> = HashMap::new();
    for row in &rows {
        let mut name = tally::name(row)?;
        if sums.len() >= tally::MOST_FUNCTIONS && !sums.contains_key(&name) {
            name.1 = Arc::default();
        }
        sums.entry(name).or_default().add(&Tally::of(row)?)?;
    }
    let delete = sqlx::query("DELETE FROM statistics WHERE seconds IN (60, 3600) AND start >= $1 AND start < $2");
    delete.bind(start).bind(start + HOUR).execute(&mut *connection).await?;
    tally::write_hour(connection, dialect, start, sums).await
}
