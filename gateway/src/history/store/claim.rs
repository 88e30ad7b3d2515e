//! A history has one writer: two would give the same numbers to different calls. A file is the gateway's own (`gateway.lock`); of a
//! PostgreSQL database the writer's session holds a lock.

use sqlx::{AnyConnection, Row as _};

use super::{Dialect, Store, StoreError};
use crate::history::record::Record;

/// "bridge32", as the number of the lock.
const LOCK: i64 = i64::from_be_bytes(*b"bridge32");

impl Dialect {
    /// Takes the lock, or still has it.
    ///
    /// # Errors
    /// Somebody else has it.
    pub(super) async fn claim(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        if self == Self::Sqlite {
            return Ok(());
        }
        let query = sqlx::query("SELECT pg_try_advisory_lock($1) AS held").bind(LOCK);
        if query.fetch_one(connection).await?.try_get("held")? { Ok(()) } else { Err(StoreError::Claimed) }
    }
}

impl Store {
    /// After an attempt that has failed, another session has the lock, and others may have had it meanwhile: numbers go on behind
    /// theirs. What the attempt itself has written, if it has, keeps its numbers.
    pub(super) async fn look_again(
        &mut self,
        connection: &mut AnyConnection,
        records: &[Record],
    ) -> Result<(), StoreError> {
        let last = sqlx::query("SELECT COALESCE(MAX(seq), 0) AS last FROM calls").fetch_one(&mut *connection).await?;
        let last: i64 = last.try_get("last")?;
        let Some(first) = records.first().filter(|_| last > self.last) else { return Ok(()) };
        let own = sqlx::query("SELECT seq FROM calls WHERE seq = $1 AND id = $2");
        let own = own.bind(self.last + 1).bind(first.id.as_bytes().to_vec()).fetch_optional(connection).await?;
        if own.is_none() {
            self.last = last;
            // They may have written sums of the same minutes.
            self.sums = super::Sums::default();
        }
        Ok(())
    }
}
