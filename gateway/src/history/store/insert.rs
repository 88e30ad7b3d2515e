//! Writes calls: many rows a statement, all of a batch in one transaction.

use std::sync::LazyLock;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Connection as _};

use super::{Dialect, Store, StoreError};
use crate::history::gaps::Gap;
use crate::history::record::Record;
use crate::kept::execution_name;

/// The columns, in the order in which they are bound.
const COLUMNS: [&str; 33] = [
    "seq",
    "id",
    "library",
    "function",
    "owner",
    "key_id",
    "agent",
    "generation",
    "attempts",
    "session",
    "batch",
    "batch_index",
    "replay_of",
    "trace_id",
    "idempotency_key",
    "created_at",
    "ended_at",
    "queue_ns",
    "agent_ns",
    "library_ns",
    "status",
    "code",
    "execution",
    "report",
    "prototype",
    "args",
    "args_size",
    "args_sha256",
    "args_redacted",
    "answer",
    "answer_size",
    "answer_sha256",
    "output",
];

/// A statement has so many rows, as far as there are as many, and otherwise the next smaller power of two: few statements
/// are prepared, and PostgreSQL takes no more than 65,535 values.
const LARGEST: u32 = 7;

/// The statements for 1, 2, 4, … rows.
static FOR_SQLITE: LazyLock<Vec<String>> = LazyLock::new(|| statements(Dialect::Sqlite));
static FOR_POSTGRES: LazyLock<Vec<String>> = LazyLock::new(|| statements(Dialect::Postgres));

fn statements(dialect: Dialect) -> Vec<String> {
    (0..=LARGEST).map(|power| statement(dialect, 1 << power)).collect()
}

fn statement(dialect: Dialect, rows: usize) -> String {
    let mut text = format!("INSERT INTO calls ({}) VALUES ", COLUMNS.join(", "));
    let mut number = 1..;
    for row in 0..rows {
        text.push_str(if row > 0 { ", (" } else { "(" });
        for (column, number) in COLUMNS.iter().zip(&mut number) {
            text.push_str(if *column == COLUMNS[0] { "" } else { ", " });
            dialect.placeholder(&mut text, number);
        }
        text.push(')');
    }
    text.push_str(" ON CONFLICT DO NOTHING");
    text
}

impl Store {
    /// Writes calls and what is missing after them, all or nothing, and gives the calls their numbers. It can be repeated with
    /// the same calls if it fails.
    pub(in crate::history) async fn insert(
        &mut self,
        records: &mut [Record],
        gap: Option<&Gap>,
    ) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        if let Err(error) = self.write(&mut connection, records, gap).await {
            self.has_failed = true;
            // What becomes of a transaction that has failed differs (SQLite rolls back by itself where the disk is full), and then
            // the next one would begin within it. A connection that is closed has none.
            drop(connection.detach().close_hard().await);
            return Err(error);
        }
        Ok(())
    }

    /// An attempt whose end nobody has seen may have been successful: what it wrote stays as it is.
    async fn write(
        &mut self,
        connection: &mut AnyConnection,
        records: &mut [Record],
        gap: Option<&Gap>,
    ) -> Result<(), StoreError> {
        self.dialect.claim(connection).await?;
        if self.has_failed && self.look_again(connection, records).await? {
            self.has_failed = false;
            return Ok(());
        }
        for (record, seq) in records.iter_mut().zip(self.last + 1..) {
            record.seq = seq;
        }
        let (records, last) = (&*records, records.last().map_or(self.last, |record| record.seq));
        let mut transaction = connection.begin().await?;
        let statements: &'static [String] = match self.dialect {
            Dialect::Sqlite => &FOR_SQLITE,
            Dialect::Postgres => &FOR_POSTGRES,
        };
        let mut rest = records;
        while !rest.is_empty() {
            let power = rest.len().ilog2().min(LARGEST);
            let (rows, after) = rest.split_at(1 << power);
            let text = statements[power as usize].as_str();
            rows.iter().fold(sqlx::query(text), bind).execute(&mut *transaction).await?;
            rest = after;
        }
        let sums = self.sums.write(&mut transaction, self.dialect, records).await?;
        if let Some(Gap { since, until, calls, reason }) = gap {
            let text = "INSERT INTO gaps (seq, since, until, calls, reason) VALUES ($1, $2, $3, $4, $5) \
                        ON CONFLICT (seq, since) DO NOTHING";
            sqlx::query(text)
                .bind(last + 1)
                .bind(since.as_microsecond())
                .bind(until.as_microsecond())
                .bind(calls.map(signed))
                .bind(reason.as_str())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        self.sums.committed(sums);
        self.last = last;
        self.has_failed = false;
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn bind<'q>(query: Query<'q, Any, AnyArguments>, record: &'q Record) -> Query<'q, Any, AnyArguments> {
    let Record {
        seq,
        id,
        library,
        function,
        owner,
        key_id,
        agent,
        attempts,
        session,
        batch,
        replay_of,
        trace_id,
        idempotency_key,
        created_at,
        ended_at,
        parts_ns: [queue, on_its_way, in_library],
        status,
        code,
        execution,
        report,
        prototype,
        args,
        args_redacted,
        answer,
        output,
    } = record;
    query
        .bind(*seq)
        .bind(&id.as_bytes()[..])
        .bind(library.as_str())
        .bind(function.as_deref())
        .bind(owner.as_str())
        .bind(key_id.as_str())
        .bind(agent.as_ref().map(|(agent, _)| agent.as_str()))
        .bind(agent.as_ref().map(|(_, generation)| signed(*generation)))
        .bind(i64::from(*attempts))
        .bind(session.as_ref().map(|session| &session.as_bytes()[..]))
        .bind(batch.as_ref().map(|(batch, _)| &batch.as_bytes()[..]))
        .bind(batch.map(|(_, index)| i64::from(index)))
        .bind(replay_of.as_ref().map(|id| &id.as_bytes()[..]))
        .bind(trace_id.as_ref().map(|id| &id[..]))
        .bind(idempotency_key.as_deref())
        .bind(created_at.as_microsecond())
        .bind(ended_at.as_microsecond())
        .bind(signed(*queue))
        .bind(signed(*on_its_way))
        .bind(signed(*in_library))
        .bind(i64::from(*status))
        .bind(code.as_deref())
        .bind(execution_name(*execution))
        .bind(report.as_deref())
        .bind(prototype.as_deref())
        .bind(args.text.as_str())
        .bind(signed(args.size))
        .bind(args.sha256.as_deref())
        .bind(i64::from(*args_redacted))
        .bind(answer.text.as_str())
        .bind(signed(answer.size))
        .bind(answer.sha256.as_deref())
        .bind(output.as_deref())
}
