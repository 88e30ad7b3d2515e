//! Reads rows back.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use uuid::Uuid;

use super::{Readers, StoreError, time};
use crate::history::gaps::Gap;
use crate::history::record::Record;
use crate::history::text::Text;
use crate::kept::execution_of;

impl Readers {
    /// The call of that id.
    pub(in crate::history) async fn find(&self, id: Uuid) -> Result<Option<Record>, StoreError> {
        let query = sqlx::query("SELECT * FROM calls WHERE id = $1").bind(id.as_bytes().to_vec());
        query.fetch_optional(&self.pool).await?.as_ref().map(record).transpose()
    }
}

impl Readers {
    /// What is missing among the calls that ended between two times, the oldest first.
    pub(in crate::history) async fn gaps(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Gap>, StoreError> {
        let query = sqlx::query("SELECT * FROM gaps WHERE until >= $1 AND since <= $2 ORDER BY seq");
        let query = query.bind(since.as_microsecond()).bind(until.as_microsecond());
        query.fetch_all(&self.pool).await?.iter().map(gap).collect()
    }
}

/// A gap as its row has it.
pub(super) fn gap(row: &AnyRow) -> Result<Gap, StoreError> {
    Ok(Gap {
        since: time(row.try_get("since")?)?,
        until: time(row.try_get("until")?)?,
        calls: row.try_get::<Option<i64>, _>("calls")?.map(unsigned),
        reason: row.try_get("reason")?,
    })
}

/// A call as its row has it.
pub(super) fn record(row: &AnyRow) -> Result<Record, StoreError> {
    let text = |name: &str| row.try_get::<Option<String>, _>(name).map(|text| text.map(Arc::<str>::from));
    let agent = text("agent")?;
    let generation: Option<i64> = row.try_get("generation")?;
    let [batch, session, replay_of] = ["batch", "session", "replay_of"].map(|name| id(row.try_get(name)?));
    let (batch, session, replay_of) = (batch?, session?, replay_of?);
    let batch_index: Option<i64> = row.try_get("batch_index")?;
    let trace_id: Option<Vec<u8>> = row.try_get("trace_id")?;
    let id = id(Some(row.try_get("id")?))?.unwrap_or_default();
    let own_trace = batch.unwrap_or(id).into_bytes();
    let execution: String = row.try_get("execution")?;
    let part = |name: &str| Ok::<_, StoreError>(unsigned(row.try_get(name)?));
    Ok(Record {
        seq: row.try_get("seq")?,
        id,
        library: text("library")?.unwrap_or_default(),
        function: text("function")?,
        owner: text("owner")?.unwrap_or_default(),
        key_id: text("key_id")?.unwrap_or_default(),
        agent: agent.zip(generation.map(unsigned)),
        attempts: number(row.try_get("attempts")?)?,
        session,
        batch: batch.zip(batch_index.map(number).transpose()?),
        replay_of,
        trace_id: trace_id.and_then(|id| id.try_into().ok()).unwrap_or(own_trace),
        idempotency_key: row.try_get("idempotency_key")?,
        created_at: time(row.try_get("created_at")?)?,
        ended_at: time(row.try_get("ended_at")?)?,
        parts_ns: [part("queue_ns")?, part("agent_ns")?, part("library_ns")?],
        status: number(row.try_get("status")?)?,
        code: row.try_get("code")?,
        execution: execution_of(&execution).ok_or_else(|| StoreError::Row(format!("its execution is {execution}")))?,
        report: row.try_get("report")?,
        prototype: row.try_get("prototype")?,
        args: Text {
            text: row.try_get("args")?,
            size: unsigned(row.try_get("args_size")?),
            sha256: row.try_get("args_sha256")?,
        },
        args_redacted: row.try_get::<i64, _>("args_redacted")? != 0,
        answer: Text {
            text: row.try_get("answer")?,
            size: unsigned(row.try_get("answer_size")?),
            sha256: row.try_get("answer_sha256")?,
        },
        output: row.try_get("output")?,
    })
}

fn id(bytes: Option<Vec<u8>>) -> Result<Option<Uuid>, StoreError> {
    let id = |bytes: Vec<u8>| Uuid::from_slice(&bytes).map_err(|error| StoreError::Row(error.to_string()));
    bytes.map(id).transpose()
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn number<T: TryFrom<i64>>(number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| StoreError::Row(format!("{number} is out of range")))
}
