//! Which calls are wanted, and how the tables find them: by an index in whose order a page is read, and by what is left to compare.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::Dialect;
use super::blocks::{self, What};
use super::statement::{Statement, Value};
use crate::dispatch::Execution;
use crate::kept::execution_name;

/// Which calls are wanted: those for which all of this holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this library.
    pub library: Option<String>,
    /// Of this function.
    pub function: Option<String>,
    /// That ended so.
    pub outcome: Option<Wanted>,
    /// Made with this key.
    pub key: Option<String>,
    /// Made with a key of this owner.
    pub owner: Option<String>,
    /// Sent last to this agent.
    pub agent: Option<String>,
    /// Of this session.
    pub session: Option<Uuid>,
    /// Of this batch.
    pub batch: Option<Uuid>,
    /// Of this trace.
    pub trace_id: Option<[u8; 16]>,
    /// That ended at this time or later.
    pub since: Option<Timestamp>,
    /// That ended at this time or earlier.
    pub until: Option<Timestamp>,
    /// That took at least so long in all.
    pub min_duration: Option<Duration>,
    /// That took at most so long in all.
    pub max_duration: Option<Duration>,
    /// In whose arguments this is to be read, upper and lower case as they are.
    pub text: Option<String>,
}

/// How calls ended that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// They returned.
    Returned,
    /// They did not.
    Failed,
    /// With the problem of this code.
    Code(String),
    /// The library's code did or did not run.
    Execution(Execution),
}

/// What leads to the rows of some value in the order of their numbers.
#[derive(Clone, Debug)]
pub(super) enum Index {
    /// An index of the table.
    Rows(RowIndex),
    /// The marks of blocks that have such rows.
    Marks(What, String),
}

/// An index of the table.
#[derive(Clone, Debug)]
pub(super) struct RowIndex {
    name: &'static str,
    /// The columns before `seq`, and their values.
    columns: Vec<(&'static str, Value)>,
    /// What all of its rows have, where it does not have all rows.
    partial: Option<&'static str>,
}

/// What is left to compare of a row.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// The column, where an index may see to it.
    column: &'static str,
    before: &'static str,
    value: Option<Value>,
    after: &'static str,
}

/// Whether a call failed, as a column of an index.
const FAILED: &str = "(code IS NOT NULL)";

/// A comparison for which no index is used: which one is, is decided by [`super::page`].
const UNINDEXED: &str = ") IS TRUE";

impl Filter {
    /// What could lead to them, any one of it.
    pub(super) fn indexes(&self) -> Vec<Index> {
        let index = |name, columns: Vec<(&'static str, Value)>| RowIndex { name, columns, partial: None };
        let id = |id: &Option<Uuid>| id.map(|id| Value::Bytes(id.as_bytes().to_vec()));
        let failed =
            RowIndex { partial: Some("code IS NOT NULL"), ..index("calls_by_failure", vec![(FAILED, Value::Yes)]) };
        let by_outcome = match &self.outcome {
            Some(Wanted::Code(code)) => Some(RowIndex {
                partial: failed.partial,
                ..index("calls_by_code", vec![("code", Value::Text(code.clone()))])
            }),
            Some(Wanted::Failed | Wanted::Execution(Execution::NotRun | Execution::MayHaveRun)) => Some(failed),
            Some(Wanted::Returned | Wanted::Execution(Execution::Ran)) | None => None,
        };
        let function = self.library.as_ref().zip(self.function.as_ref());
        let by_failed_function = by_outcome.as_ref().zip(function).map(|(failed, (library, function))| {
            let columns =
                [("library", library), ("function", function)].map(|(name, value)| (name, Value::Text(value.clone())));
            RowIndex { partial: failed.partial, ..index("calls_by_failed_function", columns.into()) }
        });
        let one = |name, column, partial, value: Option<Value>| {
            value.map(|value| RowIndex { partial: Some(partial), ..index(name, vec![(column, value)]) })
        };
        let rows = [
            by_outcome,
            by_failed_function,
            one("calls_by_session", "session", "session IS NOT NULL", id(&self.session)),
            one("calls_by_batch", "batch", "batch IS NOT NULL", id(&self.batch)),
        ];
        let by_library = match (&self.library, &self.function) {
            (Some(library), Some(function)) => Some(Index::Marks(What::Function, blocks::function(library, function))),
            (Some(library), None) => Some(Index::Marks(What::Library, library.clone())),
            (None, _) => None,
        };
        // Nobody's calls have no mark.
        let mark = |what, value: &Option<String>| {
            value.clone().filter(|value| !value.is_empty()).map(|value| Index::Marks(what, value))
        };
        let marks =
            [by_library, mark(What::Owner, &self.owner), mark(What::Key, &self.key), mark(What::Agent, &self.agent)];
        rows.into_iter().flatten().map(Index::Rows).chain(marks.into_iter().flatten()).collect()
    }

    /// What is to be compared of each row, except what that index sees to.
    pub(super) fn conditions(&self, index: Option<&RowIndex>, dialect: Dialect) -> Vec<Condition> {
        let mut all = self.equalities();
        all.extend(self.outcome());
        let mut compare = |before, value, after| all.push(Condition { column: "", before, value: Some(value), after });
        if let Some(since) = self.since {
            compare("(ended_at >= ", Value::Number(since.as_microsecond()), UNINDEXED);
        }
        if let Some(until) = self.until {
            compare("(ended_at <= ", Value::Number(until.as_microsecond()), UNINDEXED);
        }
        let nanoseconds = |duration: Duration| Value::Number(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX));
        if let Some(least) = self.min_duration {
            compare("queue_ns + agent_ns + library_ns >= ", nanoseconds(least), "");
        }
        if let Some(most) = self.max_duration {
            compare("queue_ns + agent_ns + library_ns <= ", nanoseconds(most), "");
        }
        if let Some(text) = &self.text {
            let before = match dialect {
                Dialect::Sqlite => "instr(args, ",
                Dialect::Postgres => "strpos(args, ",
            };
            compare(before, Value::Text(text.clone()), ") > 0");
        }
        let seen_to = |column: &str| index.is_some_and(|index| index.columns.iter().any(|(name, _)| *name == column));
        all.retain(|condition| !seen_to(condition.column));
        all
    }

    fn equalities(&self) -> Vec<Condition> {
        let equal = |column, before, value| Condition { column, before, value: Some(value), after: UNINDEXED };
        let text =
            |column, before, text: &Option<String>| text.clone().map(|text| equal(column, before, Value::Text(text)));
        let bytes = |column, before, bytes: Option<[u8; 16]>| {
            bytes.map(|bytes| equal(column, before, Value::Bytes(bytes.to_vec())))
        };
        [
            text("library", "(library = ", &self.library),
            text("function", "(function = ", &self.function),
            text("owner", "(owner = ", &self.owner),
            text("key_id", "(key_id = ", &self.key),
            text("agent", "(agent = ", &self.agent),
            bytes("session", "(session = ", self.session.map(Uuid::into_bytes)),
            bytes("batch", "(batch = ", self.batch.map(Uuid::into_bytes)),
            bytes("", "(COALESCE(trace_id, batch, id) = ", self.trace_id),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn outcome(&self) -> Option<Condition> {
        let condition = |column, before, value| {
            let after = if Option::is_some(&value) { UNINDEXED } else { "" };
            Condition { column, before, value, after }
        };
        Some(match self.outcome.as_ref()? {
            Wanted::Returned => condition("", "code IS NULL", None),
            Wanted::Failed => condition(FAILED, FAILED, None),
            Wanted::Code(code) => condition("code", "(code = ", Some(Value::Text(code.clone()))),
            Wanted::Execution(execution) => {
                condition("", "(execution = ", Some(Value::Text(execution_name(*execution).to_owned())))
            }
        })
    }
}

/// `FROM calls WHERE …` for the rows whose numbers are from `first` to `last`, by that index or by their numbers alone; what else
/// is to hold can follow. [`order`] belongs to it.
pub(super) fn from(statement: &mut Statement, index: Option<&RowIndex>, first: i64, last: i64) {
    let dialect = statement.dialect();
    match (dialect, index) {
        (Dialect::Sqlite, None) => statement.sql(" FROM calls NOT INDEXED WHERE "),
        (Dialect::Sqlite, Some(index)) => statement.sql(" FROM calls INDEXED BY ").sql(index.name).sql(" WHERE "),
        (Dialect::Postgres, _) => statement.sql(" FROM calls WHERE "),
    };
    let Some(index) = index else {
        statement.sql("seq >= ").value(Value::Number(first)).sql(" AND seq <= ").value(Value::Number(last));
        return;
    };
    if let Some(partial) = index.partial {
        statement.sql(partial).sql(" AND ");
    }
    match dialect {
        Dialect::Sqlite => {
            for (column, value) in index.columns.iter().filter(|(column, _)| *column != FAILED) {
                statement.sql(column).sql(" = ").value(value.clone()).sql(" AND ");
            }
            statement.sql("seq >= ").value(Value::Number(first)).sql(" AND seq <= ").value(Value::Number(last));
        }
        // Said so, the rows are in the order of this index alone. With `column = value` they are in that of the primary key,
        // too, and a planner who believes values to be spread evenly reads millions of other rows.
        Dialect::Postgres => {
            for (compared, seq) in [(" >= ", first), (" <= ", last)] {
                statement.sql("(").columns(index, "").sql("seq)").sql(compared).sql("(");
                for (_, value) in &index.columns {
                    statement.value(value.clone()).sql(", ");
                }
                statement.value(Value::Number(seq)).sql(")").sql(if seq == first && compared == " >= " {
                    " AND "
                } else {
                    ""
                });
            }
        }
    }
}

/// `ORDER BY …`: the newest first.
pub(super) fn order(statement: &mut Statement, index: Option<&RowIndex>) {
    statement.sql(" ORDER BY ");
    if let (Dialect::Postgres, Some(index)) = (statement.dialect(), index) {
        statement.columns(index, " DESC");
    }
    statement.sql("seq DESC");
}

impl Statement {
    fn columns(&mut self, index: &RowIndex, after: &str) -> &mut Self {
        for (column, _) in &index.columns {
            self.sql(column).sql(after).sql(", ");
        }
        self
    }
}

/// ` AND …` for each condition.
pub(super) fn and(statement: &mut Statement, conditions: &[Condition]) {
    for Condition { before, value, after, .. } in conditions {
        statement.sql(" AND ").sql(before);
        if let Some(value) = value {
            statement.value(value.clone());
        }
        statement.sql(after);
    }
}
