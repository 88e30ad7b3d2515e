//! The table of calls, in a SQLite file of `data_dir` or in a PostgreSQL database. One text of SQL is for both, through sqlx's
//! `Any`; what differs is in [`Dialect`].

mod blocks;
mod claim;
mod filter;
mod insert;
mod page;
mod retention;
mod rows;
mod statement;
mod statistics;
mod tally;
#[cfg(test)]
pub(super) mod tests;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor as _, Row as _, SqlSafeStr as _};

use super::gaps::Gap;
use crate::config::{Durability, HistoryConfig};
use crate::private;

use blocks::{BLOCK, Blocks};
use insert::Statements;
use tally::Sums;

pub use filter::{Filter, Wanted};
pub use page::{Detail, Page};
pub use retention::BY_THE_MINUTE;
pub(super) use retention::Janitor;
pub use statistics::{Span, Statistics};
pub use tally::Tally;

/// The file, in `data_dir`.
const FILE: &str = "calls.db";

/// How long somebody else may hold the file's lock, and others the connections.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many pages (of 4 KiB) of SQLite's log are written before they go into the file.
const LOG_PAGES: u32 = 4096;

/// How many questions are answered at once.
const READERS: u32 = 4;

/// Why the history cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be made, or not for this user alone.
    #[error("{} cannot be opened: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The tables cannot be brought to the shape that this version needs.
    #[error("the history's tables cannot be prepared: {0}")]
    Migration(#[from] MigrateError),
    /// The database says no.
    #[error("the history's database cannot be used: {0}")]
    Sql(sqlx::Error),
    /// No connection to it came about, or was free, in time.
    #[error(
        "the history's database does not answer in time: it is busy, or does not run (a server: is `url` of [history] right?)"
    )]
    Unreachable,
    /// It has something that this version does not understand.
    #[error("the history has a row that cannot be read: {0}")]
    Row(String),
    /// Another gateway writes there.
    #[error(
        "another gateway writes its history into this database: each needs a database of its own (`url` of [history])"
    )]
    Claimed,
    /// What has ended lately is not written yet.
    #[error("calls that have ended lately are not written yet")]
    Behind,
    /// It cannot be opened now.
    #[error("{0}")]
    NotOpen(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut => Self::Unreachable,
            error => Self::Sql(error),
        }
    }
}

impl StoreError {
    /// Whether it is about what was to be written, which would be refused each time.
    pub(super) fn is_about_data(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        let code = error.code().unwrap_or_default();
        // PostgreSQL: data exceptions, constraints, limits of the program. SQLite: too big, constraint, mismatch, range.
        let classes = ["22", "23", "54"];
        let is_sqlite = error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
        if is_sqlite {
            code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18 | 19 | 20 | 25))
        } else {
            code.len() == 5 && classes.iter().any(|class| code.starts_with(class))
        }
    }
}

/// In what the two databases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// The open tables.
#[derive(Debug)]
pub(super) struct Store {
    dialect: Dialect,
    /// Questions.
    readers: AnyPool,
    /// One connection: there is one writer.
    writer: AnyPool,
    /// The number of the last row.
    last: i64,
    /// Whether the last attempt to write has failed.
    has_failed: bool,
    statements: Statements,
    sums: Sums,
    blocks: Blocks,
}

impl Store {
    /// Opens the tables or makes them, and notes what an earlier gateway may not have written.
    pub(super) async fn open(data_dir: &Path, config: &HistoryConfig) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let (dialect, url) = match &config.url {
            Some(url) => (Dialect::Postgres, url.clone()),
            None => (Dialect::Sqlite, file_url(data_dir)?),
        };
        let durability = config.durability;
        let options = |most| {
            let options = AnyPoolOptions::new().acquire_timeout(PATIENCE).max_connections(most);
            options.after_connect(move |connection, _| Box::pin(dialect.prepare(connection, durability)))
        };
        if dialect == Dialect::Postgres {
            // A pool would try for as long as it has time, and not say what is wrong.
            let attempt = tokio::time::timeout(PATIENCE, AnyConnection::connect(&url)).await;
            attempt.map_err(|_| StoreError::Unreachable)??.close().await?;
        }
        // As long as it lives it holds the claim.
        let writer = options(1).idle_timeout(None).max_lifetime(None).connect(&url).await?;
        dialect.claim(&mut *writer.acquire().await?).await?;
        dialect.migrator().run(&writer).await?;
        let readers = options(READERS).connect_lazy(&url)?;
        let last = last_number(&mut *writer.acquire().await?).await?;
        let (statements, sums, blocks) = (Statements::default(), Sums::default(), Blocks::default());
        let mut store = Self { dialect, readers, writer, last, has_failed: false, statements, sums, blocks };
        store.note_start().await?;
        Ok(store)
    }

    /// Notes that a gateway writes; one that has not said that it stops may have lost something.
    async fn note_start(&mut self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let began =
            sqlx::query("SELECT since FROM writing ORDER BY since LIMIT 1").fetch_optional(&self.writer).await?;
        if let Some(began) = began {
            let written = sqlx::query("SELECT MAX(last_end) AS ended_at FROM blocks").fetch_one(&self.writer).await?;
            let written: Option<i64> = written.try_get("ended_at")?;
            let since = began.try_get::<i64, _>("since")?.max(written.unwrap_or_default());
            self.insert(&mut [], Some(&Gap::gateway_ended(time(since)?, now))).await?;
            sqlx::query("DELETE FROM writing").execute(&self.writer).await?;
        }
        let note = sqlx::query("INSERT INTO writing (since) VALUES ($1)").bind(now.as_microsecond());
        note.execute(&self.writer).await?;
        Ok(())
    }

    /// Whoever asks questions.
    pub(super) fn readers(&self) -> Readers {
        Readers { dialect: self.dialect, pool: self.readers.clone() }
    }

    /// Has PostgreSQL's planner know what is in the table now. Otherwise it comes to know within a minute or two, by itself.
    pub(super) async fn gather_statistics(&self) -> Result<(), StoreError> {
        if self.dialect == Dialect::Postgres {
            sqlx::query("ANALYZE calls").execute(&self.writer).await?;
        }
        Ok(())
    }

    /// Notes that everything is written, if it is.
    pub(super) async fn close(self, is_whole: bool) -> Result<(), StoreError> {
        let noted =
            if is_whole { sqlx::query("DELETE FROM writing").execute(&self.writer).await.map(drop) } else { Ok(()) };
        self.readers.close().await;
        self.writer.close().await;
        Ok(noted?)
    }
}

/// Whoever asks questions of the open tables.
#[derive(Clone, Debug)]
pub(super) struct Readers {
    dialect: Dialect,
    pool: AnyPool,
}

impl Dialect {
    /// Adds the place of the next value, which is number `number`, to a statement. For SQLite `$1` would be a name, and each value
    /// of a statement with thousands of names is looked for among all of them.
    fn placeholder(self, text: &mut String, number: usize) {
        match self {
            Self::Sqlite => text.push('?'),
            // A `String` can always be written to.
            Self::Postgres => drop(write!(text, "${number}")),
        }
    }

    /// What every connection begins with.
    async fn prepare(self, connection: &mut AnyConnection, durability: Durability) -> sqlx::Result<()> {
        if self == Self::Postgres {
            return Ok(());
        }
        // Whoever has an answer finds its call in the history even if the machine loses power.
        let synchronous = if durability == Durability::BeforeAnswer { "FULL" } else { "NORMAL" };
        // `auto_vacuum` before the first page is written: only then can room be given back later. The pages of indexes change with
        // each batch: the longer the log, the more of their changes go into the file at once.
        let text = format!(
            "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = {LOG_PAGES}; \
             PRAGMA synchronous = {synchronous}; PRAGMA busy_timeout = 1000"
        );
        connection.execute(AssertSqlSafe(text)).await.map(drop)
    }

    fn migrator(self) -> Migrator {
        Migrator::with_migrations(self.migrations())
    }

    /// The shapes that the tables have had, in their order: one is only ever added.
    fn migrations(self) -> Vec<Migration> {
        let texts = match self {
            Self::Sqlite => [
                include_str!("../../../migrations/history/sqlite/0001_calls.sql"),
                include_str!("../../../migrations/history/sqlite/0002_usual.sql"),
                include_str!("../../../migrations/history/sqlite/0003_blocks.sql"),
            ],
            Self::Postgres => [
                include_str!("../../../migrations/history/postgres/0001_calls.sql"),
                include_str!("../../../migrations/history/postgres/0002_usual.sql"),
                include_str!("../../../migrations/history/postgres/0003_blocks.sql"),
            ],
        };
        let named = ["calls", "usual", "blocks"].into_iter().zip(texts);
        let migration = |(number, (name, text)): (i64, (&'static str, &'static str))| {
            Migration::new(number, name.into(), MigrationType::Simple, text.into_sql_str(), false)
        };
        (1..).zip(named).map(migration).collect()
    }
}

/// The address of the SQLite file, which is there then, for this user alone.
fn file_url(data_dir: &Path) -> Result<String, StoreError> {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
    let file = data_dir.join(FILE);
    let opened = private::touch(&file).and_then(|()| private::path_for_library(&file));
    let opened = opened.map_err(|source| StoreError::File { file: file.clone(), source })?;
    let path = opened.to_str().ok_or_else(|| {
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "its path is no Unicode text");
        StoreError::File { file: file.clone(), source }
    })?;
    // Without slashes: what is behind them would be a host, and the drive of Windows is none.
    Ok(format!("sqlite:{}?mode=rw", utf8_percent_encode(path, PLAIN)))
}

/// The number of the last row. Where all of its block are forgotten, numbers go on behind it all the same.
pub(super) async fn last_number(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let text = "SELECT (SELECT COALESCE(MAX(seq), 0) FROM calls) AS seq, (SELECT COALESCE(MAX(block), 0) FROM blocks) AS block";
    let row = sqlx::query(text).fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>("seq")?.max(row.try_get::<i64, _>("block")? * BLOCK))
}

/// The time that a column has.
pub(super) fn time(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds).map_err(|error| StoreError::Row(error.to_string()))
}
