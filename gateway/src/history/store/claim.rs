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
    /// theirs. Whether the attempt was successful all the same, so that everything of it is there.
    pub(super) async fn look_again(
        &mut self,
        connection: &mut AnyConnection,
        records: &[Record],
    ) -> Result<bool, StoreError> {
        let last = super::last_number(&mut *connection).await?;
        if last <= self.last {
            return Ok(false);
        }
        let own = match records.first() {
            Some(first) => {
                let own = sqlx::query("SELECT seq FROM calls WHERE seq = $1 AND id = $2");
                own.bind(self.last + 1).bind(first.id.as_bytes().to_vec()).fetch_optional(connection).await?
            }
            None => None,
        };
        self.last = last;
        // What was written has changed the sums of its minutes, and its blocks.
        (self.sums, self.blocks) = (super::Sums::default(), super::Blocks::default());
        Ok(own.is_some())
    }
}
