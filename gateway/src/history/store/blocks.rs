//! Blocks of calls whose numbers follow each other: when the calls of each ended, and which values they have. A question reads whole
//! blocks, and comparing some hundred rows takes less than a millisecond; writing a call changes no index for each thing that
//! can be asked for.

use std::collections::{BTreeMap, HashSet};

use sqlx::AnyConnection;

use super::statement::{Statement, Value};
use super::{Dialect, StoreError};
use crate::history::record::Record;

/// So many numbers are in a block.
pub(super) const BLOCK: i64 = 256;

/// So many rows are written by one statement, as far as there are as many; otherwise the next smaller power of two.
const LARGEST: u32 = 6;

/// The block of a number.
pub(super) const fn of(seq: i64) -> i64 {
    seq.div_euclid(BLOCK)
}

/// What a block is marked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    Library,
    /// A function of a library.
    Function,
    Owner,
    Key,
    Agent,
}

impl What {
    /// As a row says it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Library => "library",
            Self::Function => "function",
            Self::Owner => "owner",
            Self::Key => "key",
            Self::Agent => "agent",
        }
    }
}

/// The value of a mark for a function. Two that read alike do no harm: what is in a block is compared.
pub(super) fn function(library: &str, function: &str) -> String {
    format!("{library}/{function}")
}

/// A value in a block: of a function there are two.
type Mark<'a> = (What, &'a str, Option<&'a str>);

/// The marks that the last block has: most calls add none.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    last: i64,
    known: HashSet<(What, String)>,
}

/// What has become of the last block, in a transaction that may not have ended well.
pub(super) struct Marked {
    last: i64,
    new: HashSet<(What, String)>,
}

impl Blocks {
    /// Writes what is new of the blocks of those calls, whose numbers are known, and gives it for [`Self::committed`].
    pub(super) async fn write(
        &self,
        connection: &mut AnyConnection,
        dialect: Dialect,
        records: &[Record],
    ) -> Result<Marked, StoreError> {
        let mut blocks: BTreeMap<i64, Block<'_>> = BTreeMap::new();
        for record in records {
            blocks.entry(of(record.seq)).or_default().add(record);
        }
        write_ends(connection, dialect, &blocks).await?;
        let last = blocks.keys().next_back().copied().unwrap_or(self.last);
        let mut marked = Marked { last, new: HashSet::new() };
        let mut rows = Vec::new();
        for (block, Block { marks, .. }) in &blocks {
            for (what, value, more) in marks {
                let value = more.map_or_else(|| (*value).to_owned(), |more| function(value, more));
                let mark = (*what, value);
                if *block == self.last && self.known.contains(&mark) {
                    continue;
                }
                rows.push((*block, mark.clone()));
                if *block == last {
                    marked.new.insert(mark);
                }
            }
        }
        write_marks(connection, dialect, &rows).await?;
        Ok(marked)
    }

    /// What was written is in the tables.
    pub(super) fn committed(&mut self, marked: Marked) {
        if marked.last != self.last {
            self.known.clear();
            self.last = marked.last;
        }
        self.known.extend(marked.new);
    }
}

/// What some calls say of their block.
#[derive(Default)]
struct Block<'a> {
    ends: Option<(i64, i64)>,
    marks: HashSet<Mark<'a>>,
}

impl<'a> Block<'a> {
    fn add(&mut self, record: &'a Record) {
        let end = record.ended_at.as_microsecond();
        let (first, last) = self.ends.unwrap_or((end, end));
        self.ends = Some((first.min(end), last.max(end)));
        let Record { library, function, owner, key_id, agent, .. } = record;
        self.marks.insert((What::Library, library, None));
        self.marks.extend(function.as_deref().map(|function| (What::Function, &**library, Some(function))));
        let named = [(What::Owner, &**owner), (What::Key, &**key_id)].into_iter().filter(|(_, name)| !name.is_empty());
        self.marks.extend(named.map(|(what, name)| (what, name, None)));
        self.marks.extend(agent.as_ref().map(|(agent, _)| (What::Agent, &**agent, None)));
    }
}

/// Parts of some rows, each as large as statements are.
fn parts<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let power = rows.len().checked_ilog2()?.min(LARGEST);
        let (part, rest) = rows.split_at(1 << power);
        rows = rest;
        Some(part)
    })
}

async fn write_ends(
    connection: &mut AnyConnection,
    dialect: Dialect,
    blocks: &BTreeMap<i64, Block<'_>>,
) -> Result<(), StoreError> {
    let rows: Vec<[i64; 3]> = blocks
        .iter()
        .filter_map(|(block, Block { ends, .. })| ends.map(|(first, last)| [*block, first, last]))
        .collect();
    for part in parts(&rows) {
        let mut statement = Statement::new(dialect, "INSERT INTO blocks (block, first_end, last_end) VALUES ");
        for (index, [block, first, last]) in part.iter().enumerate() {
            statement.sql(if index > 0 { ", (" } else { "(" }).value(Value::Number(*block));
            statement.sql(", ").value(Value::Number(*first)).sql(", ").value(Value::Number(*last)).sql(")");
        }
        statement.sql(
            " ON CONFLICT (block) DO UPDATE SET \
             first_end = CASE WHEN excluded.first_end < blocks.first_end THEN excluded.first_end ELSE blocks.first_end END, \
             last_end = CASE WHEN excluded.last_end > blocks.last_end THEN excluded.last_end ELSE blocks.last_end END",
        );
        statement.query().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_marks(
    connection: &mut AnyConnection,
    dialect: Dialect,
    rows: &[(i64, (What, String))],
) -> Result<(), StoreError> {
    for part in parts(rows) {
        let mut statement = Statement::new(dialect, "INSERT INTO marks (what, value, block) VALUES ");
        for (index, (block, (what, value))) in part.iter().enumerate() {
            statement.sql(if index > 0 { ", (" } else { "(" }).value(Value::Text(what.name().to_owned()));
            statement.sql(", ").value(Value::Text(value.clone())).sql(", ").value(Value::Number(*block)).sql(")");
        }
        statement.sql(" ON CONFLICT DO NOTHING");
        statement.query().execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_in_parts_of_few_sizes() {
        let sizes = |count: usize| parts(&vec![(); count]).map(<[()]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(135), [64, 64, 4, 2, 1]);
    }
}
