//! The table of calls in a SQLite file of `data_dir`. Everything that waits for the disk does so on threads of sqlx.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row as _, SqlSafeStr as _};
use uuid::Uuid;

use super::record::{Ended, Gone, Kept, Outcome, Record, Request, Scope, execution_name, execution_of};
use crate::private;

/// The file, in `data_dir`.
const FILE: &str = "history.db";

/// How long somebody else may hold the file's lock, and a question the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the table cannot be used.
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
    /// The table cannot be brought to the shape that this version needs.
    #[error("the table of calls cannot be prepared: {0}")]
    Migration(#[from] MigrateError),
    /// SQLite says no.
    #[error("the table of calls cannot be used: {0}")]
    Sql(#[from] sqlx::Error),
    /// It has something that this version does not understand.
    #[error("the table of calls has a row that cannot be read: {0}")]
    Row(String),
}

/// The open table.
#[derive(Debug)]
pub(super) struct Store {
    /// One connection: SQLite has one writer anyway, and a question is short.
    pool: SqlitePool,
    outcomes: AtomicU64,
    bytes: AtomicU64,
}

impl Store {
    /// Opens the table or makes it. What was under way when the gateway ended has ended with it.
    pub(super) async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let file = data_dir.join(FILE);
        let opened = private::touch(&file).and_then(|()| private::path_for_library(&file));
        let opened = opened.map_err(|source| StoreError::File { file: file.clone(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(&opened)
            .journal_mode(SqliteJournalMode::Wal)
            // A call is sent only after its row has reached the disk, whatever happens to the machine.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(PATIENCE).connect_with(options).await?;
        migrator().run(&pool).await?;
        let store = Self { pool, outcomes: AtomicU64::new(0), bytes: AtomicU64::new(0) };
        store.end_lost(Timestamp::now()).await?;
        store.measure().await?;
        Ok(store)
    }

    /// The process that had them is gone: nobody knows how far they were.
    async fn end_lost(&self, now: Timestamp) -> Result<(), StoreError> {
        let lost = sqlx::query(
            "UPDATE calls SET state = 'ended', ended_at = ?1, status = 502, execution = 'may_have_run', \
             code = 'agent_restarted', gone = 'gateway_ended' WHERE state <> 'ended'",
        );
        let lost = lost.bind(now.as_millisecond()).execute(&self.pool).await?.rows_affected();
        if lost > 0 {
            tracing::warn!(calls = lost, "the gateway ended while these kept calls were under way: they may have run");
        }
        Ok(())
    }

    async fn measure(&self) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS outcomes, COALESCE(SUM(answer_size), 0) AS bytes FROM calls");
        let row = row.fetch_one(&self.pool).await?;
        self.outcomes.store(number(row.try_get::<i64, _>("outcomes")?), Ordering::Relaxed);
        self.bytes.store(number(row.try_get::<i64, _>("bytes")?), Ordering::Relaxed);
        Ok(())
    }

    /// How many calls there are, and how many bytes their answers have.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.outcomes.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Writes a call that is about to be made. When this returns, it is on the disk.
    pub(super) async fn begin(&self, request: &Request) -> Result<(), StoreError> {
        let insert = sqlx::query(
            "INSERT INTO calls (id, owner, key_id, library, target, function, idempotency_key, holds_key, body_digest, state, \
             created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'waiting', ?10)",
        );
        insert
            .bind(request.id.to_string())
            .bind(&request.owner)
            .bind(&request.key_id)
            .bind(&request.library)
            .bind(&request.target)
            .bind(&request.function)
            .bind(&request.idempotency_key)
            .bind(request.idempotency_key.is_some())
            .bind(&request.body_digest)
            .bind(request.created_at.as_millisecond())
            .execute(&self.pool)
            .await?;
        self.outcomes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Writes how one ended, and its answer unless that shall not be written.
    pub(super) async fn end(&self, id: Uuid, ended: &Ended, gone: Option<Gone>) -> Result<(), StoreError> {
        let Ended { at, outcome } = ended;
        let answer = match (&outcome.answer, gone) {
            (Kept::Answer(answer), None) => Some(answer),
            _ => None,
        };
        let size = answer.map_or(0, Bytes::len);
        let update = sqlx::query(
            "UPDATE calls SET state = 'ended', ended_at = ?2, status = ?3, execution = ?4, code = ?5, retry_after = ?6, gone = ?7, \
             answer_size = ?8, answer = ?9, holds_key = (holds_key AND ?10) WHERE id = ?1",
        );
        update
            .bind(id.to_string())
            .bind(at.as_millisecond())
            .bind(i64::from(outcome.status))
            .bind(execution_name(outcome.execution))
            .bind(&outcome.code)
            .bind(outcome.retry_after.map(i64::from))
            .bind(gone.map(Gone::name))
            .bind(i64::try_from(size).unwrap_or(i64::MAX))
            .bind(answer.map(Bytes::as_ref))
            .bind(outcome.is_final())
            .execute(&self.pool)
            .await?;
        self.bytes.fetch_add(size as u64, Ordering::Relaxed);
        Ok(())
    }

    /// The call of that id.
    pub(super) async fn find(&self, id: Uuid) -> Result<Option<Record>, StoreError> {
        let query = sqlx::query("SELECT * FROM calls WHERE id = ?1").bind(id.to_string());
        query.fetch_optional(&self.pool).await?.as_ref().map(record).transpose()
    }

    /// Those of these calls that are in the table.
    pub(super) async fn which(&self, ids: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let query = sqlx::query("SELECT id FROM calls WHERE id IN (SELECT value FROM json_each(?1))");
        let texts: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        let rows = query.bind(serde_json::Value::from(texts).to_string()).fetch_all(&self.pool).await?;
        let id = |row: &SqliteRow| {
            let id: String = row.try_get("id")?;
            Uuid::parse_str(&id).map_err(|error| StoreError::Row(format!("{id}: {error}")))
        };
        rows.iter().map(id).collect()
    }

    /// The call whose outcome a request with that key gets.
    pub(super) async fn holder(&self, scope: &Scope) -> Result<Option<Record>, StoreError> {
        let query = sqlx::query(
            "SELECT * FROM calls WHERE owner = ?1 AND library = ?2 AND target = ?3 AND idempotency_key = ?4 AND holds_key = 1",
        );
        let query = query.bind(&scope.owner).bind(&scope.library).bind(&scope.target).bind(&scope.key);
        query.fetch_optional(&self.pool).await?.as_ref().map(record).transpose()
    }

    /// The newest calls before an id, of one owner or of all, without their answers.
    pub(super) async fn list(
        &self,
        owner: Option<&str>,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let query = sqlx::query(
            "SELECT id, owner, key_id, library, target, function, idempotency_key, body_digest, state, created_at, ended_at, status, \
             execution, code, retry_after, gone, NULL AS answer FROM calls \
             WHERE (?1 IS NULL OR owner = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3",
        );
        let query = query.bind(owner).bind(before.map(|id| id.to_string()));
        let rows = query.bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(&self.pool).await?;
        rows.iter().map(record).collect()
    }

    /// Forgets the calls that ended before a time.
    pub(super) async fn sweep(&self, before: Timestamp) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM calls WHERE ended_at < ?1").bind(before.as_millisecond());
        if delete.execute(&self.pool).await?.rows_affected() > 0 {
            self.measure().await?;
        }
        Ok(())
    }

    /// Forgets so many calls that have ended, the oldest of the owner who has the most of them. Gives how many went.
    pub(super) async fn evict_outcomes(&self, outcomes: u64) -> Result<u64, StoreError> {
        let delete = sqlx::query(
            "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE ended_at IS NOT NULL AND owner = \
             (SELECT owner FROM calls WHERE ended_at IS NOT NULL GROUP BY owner ORDER BY COUNT(*) DESC LIMIT 1) \
             ORDER BY ended_at, id LIMIT ?1)",
        );
        self.evicted(delete.bind(i64::try_from(outcomes).unwrap_or(i64::MAX))).await
    }

    /// Forgets calls until their answers had so many bytes, the oldest of the owner whose answers have the most. Gives how many
    /// went.
    pub(super) async fn evict_bytes(&self, bytes: u64) -> Result<u64, StoreError> {
        let delete = sqlx::query(
            "DELETE FROM calls WHERE id IN (SELECT id FROM \
             (SELECT id, SUM(answer_size) OVER (ORDER BY ended_at, id) - answer_size AS before FROM calls \
             WHERE answer_size > 0 AND owner = \
             (SELECT owner FROM calls WHERE answer_size > 0 GROUP BY owner ORDER BY SUM(answer_size) DESC LIMIT 1)) \
             WHERE before < ?1)",
        );
        self.evicted(delete.bind(i64::try_from(bytes.max(1)).unwrap_or(i64::MAX))).await
    }

    async fn evicted(&self, delete: sqlx::query::Query<'_, sqlx::Sqlite, SqliteArguments>) -> Result<u64, StoreError> {
        let gone = delete.execute(&self.pool).await?.rows_affected();
        if gone > 0 {
            self.measure().await?;
        }
        Ok(gone)
    }

    /// Writes what is left to write.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// The shapes that the table has had, in their order: one is only ever added.
fn migrator() -> Migrator {
    let calls = include_str!("../../migrations/kept/0001_calls.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(1, "calls".into(), MigrationType::Simple, calls, false)])
}

fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    let id: String = row.try_get("id")?;
    let request = Request {
        id: Uuid::parse_str(&id).map_err(|error| StoreError::Row(format!("{id}: {error}")))?,
        owner: row.try_get("owner")?,
        key_id: row.try_get("key_id")?,
        library: row.try_get("library")?,
        target: row.try_get("target")?,
        function: row.try_get("function")?,
        idempotency_key: row.try_get("idempotency_key")?,
        body_digest: row.try_get("body_digest")?,
        created_at: time(row.try_get("created_at")?)?,
    };
    let ended = match row.try_get::<Option<i64>, _>("ended_at")? {
        Some(at) => Some(Ended { at: time(at)?, outcome: outcome(row)? }),
        None => None,
    };
    Ok(Record { request, ended })
}

fn outcome(row: &SqliteRow) -> Result<Outcome, StoreError> {
    let execution: Option<String> = row.try_get("execution")?;
    let gone: Option<String> = row.try_get("gone")?;
    let answer: Option<Vec<u8>> = row.try_get("answer")?;
    let status: i64 = row.try_get("status")?;
    let retry_after: Option<i64> = row.try_get("retry_after")?;
    let foreign = |what: &str| StoreError::Row(format!("its {what} is of another version"));
    Ok(Outcome {
        status: u16::try_from(status).map_err(|_| foreign("status"))?,
        code: row.try_get("code")?,
        execution: execution.as_deref().and_then(execution_of).ok_or_else(|| foreign("execution"))?,
        retry_after: retry_after.and_then(|seconds| u32::try_from(seconds).ok()),
        answer: match gone {
            Some(gone) => Kept::Gone(Gone::of_name(&gone).ok_or_else(|| foreign("answer"))?),
            None => Kept::Answer(answer.unwrap_or_default().into()),
        },
    })
}

fn time(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds).map_err(|error| StoreError::Row(error.to_string()))
}

fn number(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}
