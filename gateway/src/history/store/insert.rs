//! Writes calls: many rows a statement, all of a batch in one transaction.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::any::AnyArguments;
use sqlx::error::BoxDynError;
use sqlx::{AnyConnection, Arguments as _, AssertSqlSafe, Connection as _};
use uuid::Uuid;

use super::{Dialect, Store, StoreError};
use crate::history::gaps::Gap;
use crate::history::record::Record;
use crate::kept::execution_name;

/// A value of a row. What is nothing needs a type, too: PostgreSQL asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell<'a> {
    Number(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
}

const NO_NUMBER: Cell<'static> = Cell::Number(None);
const NO_TEXT: Cell<'static> = Cell::Text(None);
const NO_BYTES: Cell<'static> = Cell::Bytes(None);

const fn number(number: i64) -> Cell<'static> {
    Cell::Number(Some(number))
}

const fn text(text: &str) -> Cell<'_> {
    Cell::Text(Some(text))
}

/// The columns, in the order of [`cells`], and what they have where a statement does not name them: nearly all calls have that.
const COLUMNS: [(&str, Option<Cell<'static>>); 33] = [
    ("seq", None),
    ("id", None),
    ("library", None),
    ("function", None),
    ("owner", Some(text(""))),
    ("key_id", Some(text(""))),
    ("agent", None),
    ("generation", None),
    ("attempts", Some(number(0))),
    ("session", Some(NO_BYTES)),
    ("batch", Some(NO_BYTES)),
    ("batch_index", Some(NO_NUMBER)),
    ("replay_of", Some(NO_BYTES)),
    ("trace_id", Some(NO_BYTES)),
    ("idempotency_key", Some(NO_TEXT)),
    ("created_at", None),
    ("ended_at", None),
    ("queue_ns", None),
    ("agent_ns", None),
    ("library_ns", None),
    ("status", Some(number(200))),
    ("code", Some(NO_TEXT)),
    ("execution", Some(text("ran"))),
    ("report", Some(NO_TEXT)),
    ("prototype", Some(NO_TEXT)),
    ("args", None),
    ("args_size", None),
    ("args_sha256", Some(NO_TEXT)),
    ("args_redacted", Some(number(0))),
    ("answer", None),
    ("answer_size", None),
    ("answer_sha256", Some(NO_TEXT)),
    ("output", Some(NO_TEXT)),
];

/// The columns that a statement names: a bit for each.
type Named = u64;

/// A statement has so many rows, as far as there are as many, and otherwise the next smaller power of two: few statements
/// are prepared, and PostgreSQL takes no more than 65,535 values.
const LARGEST: u32 = 7;

/// So many statements are known by heart. There are some twenty, unless very different calls are made.
const MOST_STATEMENTS: usize = 64;

/// The texts of statements, by the columns that they name and the power of two that is the number of their rows.
#[derive(Debug, Default)]
pub(super) struct Statements(HashMap<(Named, u32), Arc<str>>);

impl Statements {
    fn find(&mut self, dialect: Dialect, named: Named, power: u32) -> Arc<str> {
        if self.0.len() >= MOST_STATEMENTS {
            self.0.clear();
        }
        Arc::clone(self.0.entry((named, power)).or_insert_with(|| statement(dialect, named, 1 << power).into()))
    }
}

/// Whether the column of that place is named.
const fn names(named: Named, place: usize) -> bool {
    named >> place & 1 != 0
}

fn statement(dialect: Dialect, named: Named, rows: usize) -> String {
    let columns = || COLUMNS.iter().enumerate().filter(|(place, _)| names(named, *place)).map(|(_, (name, _))| *name);
    // Whatever goes wrong with a row of many, nothing has to be kept by SQLite so that the rows before it can be taken back.
    let (insert, end) = match dialect {
        Dialect::Sqlite => ("INSERT OR IGNORE INTO", ""),
        Dialect::Postgres => ("INSERT INTO", " ON CONFLICT DO NOTHING"),
    };
    let mut text = format!("{insert} calls ({}) VALUES ", columns().collect::<Vec<_>>().join(", "));
    let mut number = 1..;
    for row in 0..rows {
        text.push_str(if row > 0 { ", (" } else { "(" });
        for (index, (_, number)) in columns().zip(&mut number).enumerate() {
            text.push_str(if index > 0 { ", " } else { "" });
            dialect.placeholder(&mut text, number);
        }
        text.push(')');
    }
    text.push_str(end);
    text
}

/// The columns that a statement with that row has to name.
fn named(cells: &[Cell<'_>; COLUMNS.len()]) -> Named {
    let unusual = COLUMNS.iter().zip(cells).map(|((_, usual), cell)| usual.is_none_or(|usual| usual != *cell));
    unusual.enumerate().fold(0, |named, (place, unusual)| named | Named::from(unusual) << place)
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
        let mut rest = records;
        while !rest.is_empty() {
            let power = rest.len().ilog2().min(LARGEST);
            let (rows, after) = rest.split_at(1 << power);
            let named = rows.iter().fold(0, |named_so_far, record| named_so_far | named(&cells(record)));
            let text = self.statements.find(self.dialect, named, power);
            let mut values = AnyArguments::default();
            values.reserve(rows.len() * named.count_ones() as usize, 0);
            rows.iter().try_for_each(|record| add(&mut values, named, record)).map_err(sqlx::Error::Encode)?;
            sqlx::query_with(AssertSqlSafe(text), values).execute(&mut *transaction).await?;
            rest = after;
        }
        let sums = self.sums.write(&mut transaction, self.dialect, records).await?;
        let marked = self.blocks.write(&mut transaction, self.dialect, records).await?;
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
        self.blocks.committed(marked);
        self.last = last;
        self.has_failed = false;
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn id_of(id: Option<&Uuid>) -> Cell<'_> {
    Cell::Bytes(id.map(|id| &id.as_bytes()[..]))
}

/// What a row has, in the order of [`COLUMNS`].
fn cells(record: &Record) -> [Cell<'_>; COLUMNS.len()] {
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
    let own_trace = batch.as_ref().map_or(id, |(batch, _)| batch).as_bytes();
    [
        number(*seq),
        Cell::Bytes(Some(id.as_bytes())),
        text(library),
        Cell::Text(function.as_deref()),
        text(owner),
        text(key_id),
        Cell::Text(agent.as_ref().map(|(agent, _)| &**agent)),
        Cell::Number(agent.as_ref().map(|(_, generation)| signed(*generation))),
        number(i64::from(*attempts)),
        id_of(session.as_ref()),
        id_of(batch.as_ref().map(|(batch, _)| batch)),
        Cell::Number(batch.map(|(_, index)| i64::from(index))),
        id_of(replay_of.as_ref()),
        Cell::Bytes(Some(&trace_id[..]).filter(|trace| trace != own_trace)),
        Cell::Text(idempotency_key.as_deref()),
        number(created_at.as_microsecond()),
        number(ended_at.as_microsecond()),
        number(signed(*queue)),
        number(signed(*on_its_way)),
        number(signed(*in_library)),
        number(i64::from(*status)),
        Cell::Text(code.as_deref()),
        text(execution_name(*execution)),
        Cell::Text(report.as_deref()),
        Cell::Text(prototype.as_deref()),
        text(&args.text),
        number(signed(args.size)),
        Cell::Text(args.sha256.as_deref()),
        number(i64::from(*args_redacted)),
        text(&answer.text),
        number(signed(answer.size)),
        Cell::Text(answer.sha256.as_deref()),
        Cell::Text(output.as_deref()),
    ]
}

/// Adds the values of those columns of a row that the statement names.
fn add(values: &mut AnyArguments, named: Named, record: &Record) -> Result<(), BoxDynError> {
    let cells = cells(record);
    let mut cells = cells.iter().enumerate().filter(|(place, _)| names(named, *place));
    cells.try_for_each(|(_, cell)| match *cell {
        Cell::Number(number) => values.add(number),
        Cell::Text(text) => values.add(text),
        Cell::Bytes(bytes) => values.add(bytes),
    })
}
