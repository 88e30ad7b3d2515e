//! Pages of the history: the newest calls first, by their numbers, so that what ends meanwhile neither repeats nor hides any.
//!
//! What no index serves is compared row by row, in the blocks that have what is asked for or in all of them, a bounded part of the
//! table at a time, for no longer than a client likes to wait: then the page says how far it has come.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{AnyConnection, Row as _};
use tokio::time::Instant;

use super::blocks::{self, BLOCK, What};
use super::filter::{self, Condition, Filter, Index, RowIndex};
use super::statement::{Statement, Value};
use super::{Dialect, Readers, StoreError, rows, time};
use crate::history::gaps::Gap;
use crate::history::record::Record;

/// What a list shows of a call: all but its texts.
const LISTED: &str = "SELECT seq, id, library, function, owner, key_id, agent, generation, attempts, session, batch, batch_index, \
    replay_of, trace_id, idempotency_key, created_at, ended_at, queue_ns, agent_ns, library_ns, status, code, execution, report, \
    NULL AS prototype, '' AS args, args_size, args_sha256, args_redacted, '' AS answer, answer_size, answer_sha256, NULL AS output";

/// All that there is.
const WHOLE: &str = "SELECT *";

/// Calls end in about the order of their numbers: none is further away from its place in time than so many blocks.
const OUT_OF_ORDER: i64 = 8;

/// To see which of several indexes has the fewest rows, so many of each are counted, from where the page begins.
const LOOK: i64 = 500;

/// So many rows of an index are compared at first, then as many as take about [`PART`].
const FIRST_PART: i64 = 500;
const LARGEST_PART: i64 = 100_000;
const PART: Duration = Duration::from_millis(10);

/// No part of the table is begun after this time.
const BUDGET: Duration = Duration::from_millis(25);

/// No more gaps than these are told with one page.
const MOST_GAPS: i64 = 100;

/// What a page has of each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All but its texts.
    Listed,
    /// Everything.
    Whole,
}

/// A part of the calls that are wanted.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The newest first.
    pub records: Vec<Record>,
    /// Where to go on: at the calls whose numbers are less than this. `None`: there are no more.
    pub next: Option<i64>,
    /// If it took too long to fill the page: all calls were looked at that ended at this time or later.
    pub searched_until: Option<Timestamp>,
    /// What is missing in the table among the calls that were looked at, the newest first.
    pub missing: Vec<Gap>,
}

impl Readers {
    /// The calls before that number, or the newest ones.
    pub(in crate::history) async fn page(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: usize,
        detail: Detail,
    ) -> Result<Page, StoreError> {
        let dialect = self.dialect;
        let mut connection = self.pool.acquire().await?;
        let mut search = Search { connection: &mut connection, dialect, filter, detail, budget: BUDGET };
        let mut page = search.page(before, limit).await?;
        page.missing = search.missing(page.next, before).await?;
        Ok(page)
    }
}

/// One question on its connection.
struct Search<'a> {
    connection: &'a mut AnyConnection,
    dialect: Dialect,
    filter: &'a Filter,
    detail: Detail,
    budget: Duration,
}

impl Search<'_> {
    async fn page(&mut self, before: Option<i64>, limit: usize) -> Result<Page, StoreError> {
        let began = Instant::now();
        let Some(bounds) = self.bounds(before).await? else { return Ok(Page::default()) };
        let (first, mut last) = bounds.into_inner();
        let index = self.choose(first, last).await?;
        let row_index = match &index {
            Some(Index::Rows(index)) => Some(index),
            Some(Index::Marks(..)) | None => None,
        };
        let conditions = self.filter.conditions(row_index, self.dialect);
        let (mut page, mut part) = (Page::default(), FIRST_PART);
        loop {
            let part_began = Instant::now();
            let Part { from, ranges } = if conditions.is_empty() {
                Part::whole(first, last)
            } else {
                self.part(index.as_ref(), first, last, part).await?
            };
            for (start, end) in ranges {
                // One more tells whether there is a next page.
                let most = limit + 1 - page.records.len();
                page.records.extend(self.rows(row_index, &conditions, start, end, most).await?);
                if page.records.len() > limit {
                    page.records.truncate(limit);
                    page.next = page.records.last().map(|record| record.seq);
                    return Ok(page);
                }
            }
            if from <= first {
                return Ok(page);
            }
            if began.elapsed() >= self.budget {
                page.next = Some(from);
                if page.records.len() < limit {
                    page.searched_until = self.ended_at(from).await?;
                }
                return Ok(page);
            }
            last = from - 1;
            part = larger(part, part_began.elapsed());
        }
    }

    /// The numbers that the calls can have; `None` if there are none of that time.
    async fn bounds(&mut self, before: Option<i64>) -> Result<Option<RangeInclusive<i64>>, StoreError> {
        let (mut first, mut last) = (1, before.map_or(i64::MAX, |before| before.saturating_sub(1)));
        if let Some(since) = self.filter.since {
            let text = "SELECT MIN(block) AS block FROM \
                        (SELECT block FROM blocks WHERE last_end >= $1 ORDER BY last_end, block LIMIT $2) AS near";
            let Some(found) = self.bound(text, since).await? else { return Ok(None) };
            first = found * BLOCK;
        }
        if let Some(until) = self.filter.until {
            let text = "SELECT MAX(block) AS block FROM \
                        (SELECT block FROM blocks WHERE first_end <= $1 ORDER BY first_end DESC, block DESC LIMIT $2) AS near";
            let Some(found) = self.bound(text, until).await? else { return Ok(None) };
            last = last.min(found * BLOCK + BLOCK - 1);
        }
        if self.filter.since.is_none() {
            first = self.number("SELECT MIN(seq) AS seq FROM calls").await?.unwrap_or(first);
        }
        if last == i64::MAX {
            last = self.number("SELECT MAX(seq) AS seq FROM calls").await?.unwrap_or_default();
        }
        Ok((first <= last).then_some(first..=last))
    }

    async fn bound(&mut self, text: &'static str, at: Timestamp) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query(text).bind(at.as_microsecond()).bind(OUT_OF_ORDER);
        Ok(query.fetch_one(&mut *self.connection).await?.try_get("block")?)
    }

    async fn number(&mut self, text: &'static str) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query(text).fetch_one(&mut *self.connection).await?.try_get("seq")?)
    }

    /// Of what could be used, what has the fewest rows to read where the page begins.
    async fn choose(&mut self, first: i64, last: i64) -> Result<Option<Index>, StoreError> {
        let mut indexes = self.filter.indexes();
        if indexes.len() < 2 {
            return Ok(indexes.pop());
        }
        let mut best = None;
        for index in indexes {
            let reached = self.part(Some(&index), first, last, LOOK).await?.from;
            if best.as_ref().is_none_or(|(seq, _)| reached < *seq) {
                best = Some((reached, index));
            }
            if reached <= first {
                break;
            }
        }
        Ok(best.map(|(_, index)| index))
    }

    /// A part of about so many rows to read that ends with `last`; all that is left if there are fewer.
    async fn part(&mut self, index: Option<&Index>, first: i64, last: i64, rows: i64) -> Result<Part, StoreError> {
        match index {
            // Numbers follow each other.
            None => Ok(Part::whole(last.saturating_sub(rows - 1).max(first), last)),
            Some(Index::Rows(index)) => {
                let from = self.row_of_index(index, first, last, rows).await?;
                Ok(Part::whole(from.unwrap_or(first), last))
            }
            Some(Index::Marks(what, value)) => {
                let most = (rows / BLOCK).max(1);
                let marked = self.marked(*what, value, first, last, most).await?;
                Ok(Part::of_blocks(&marked, most, first, last))
            }
        }
    }

    /// The number of the last but so many rows that an index has; `None` if it has fewer.
    async fn row_of_index(
        &mut self,
        index: &RowIndex,
        first: i64,
        last: i64,
        rows: i64,
    ) -> Result<Option<i64>, StoreError> {
        let mut statement = Statement::new(self.dialect, "SELECT seq");
        filter::from(&mut statement, Some(index), first, last);
        filter::order(&mut statement, Some(index));
        statement.sql(" LIMIT 1 OFFSET ").value(Value::Number(rows - 1));
        let row = statement.query().fetch_optional(&mut *self.connection).await?;
        Ok(row.map(|row| row.try_get("seq")).transpose()?)
    }

    /// The last blocks that are marked so.
    async fn marked(
        &mut self,
        what: What,
        value: &str,
        first: i64,
        last: i64,
        most: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let query = sqlx::query(
            "SELECT block FROM marks WHERE what = $1 AND value = $2 AND block >= $3 AND block <= $4 ORDER BY block DESC LIMIT $5",
        );
        let query = query.bind(what.name()).bind(value).bind(blocks::of(first)).bind(blocks::of(last)).bind(most);
        let rows = query.fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| Ok(row.try_get("block")?)).collect()
    }

    async fn rows(
        &mut self,
        index: Option<&RowIndex>,
        conditions: &[Condition],
        first: i64,
        last: i64,
        most: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let mut statement = Statement::new(self.dialect, if self.detail == Detail::Listed { LISTED } else { WHOLE });
        filter::from(&mut statement, index, first, last);
        filter::and(&mut statement, conditions);
        filter::order(&mut statement, index);
        statement.sql(" LIMIT ").value(Value::Number(i64::try_from(most).unwrap_or(i64::MAX)));
        statement.query().fetch_all(&mut *self.connection).await?.iter().map(rows::record).collect()
    }

    /// When the call ended that has this number, or the next smaller one.
    async fn ended_at(&mut self, seq: i64) -> Result<Option<Timestamp>, StoreError> {
        let query = sqlx::query("SELECT ended_at FROM calls WHERE seq <= $1 ORDER BY seq DESC LIMIT 1").bind(seq);
        let row = query.fetch_optional(&mut *self.connection).await?;
        row.map(|row| time(row.try_get("ended_at")?)).transpose()
    }

    /// What is missing among the calls that were looked at. A gap is on one page, that of the call before which it is.
    async fn missing(&mut self, next: Option<i64>, before: Option<i64>) -> Result<Vec<Gap>, StoreError> {
        let (since, until) = (self.filter.since, self.filter.until);
        let query = sqlx::query(
            "SELECT * FROM gaps WHERE seq > $1 AND seq <= $2 AND until >= $3 AND since <= $4 ORDER BY seq DESC LIMIT $5",
        );
        let query = query
            .bind(next.unwrap_or(i64::MIN))
            .bind(before.unwrap_or(i64::MAX))
            .bind(since.map_or(i64::MIN, Timestamp::as_microsecond))
            .bind(until.map_or(i64::MAX, Timestamp::as_microsecond))
            .bind(MOST_GAPS);
        query.fetch_all(&mut *self.connection).await?.iter().map(rows::gap).collect()
    }
}

/// Where a part of the search is: the numbers that it reads, the newest first, and with which one it ends.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    from: i64,
    ranges: Vec<(i64, i64)>,
}

impl Part {
    fn whole(from: i64, last: i64) -> Self {
        Self { from, ranges: vec![(from, last)] }
    }

    /// Some blocks, the newest first; if they are fewer than were asked for, there are no more before them.
    fn of_blocks(marked: &[i64], most: i64, first: i64, last: i64) -> Self {
        let mut ranges: Vec<(i64, i64)> = Vec::new();
        for block in marked {
            let (start, end) = (block * BLOCK, block * BLOCK + BLOCK - 1);
            match ranges.last_mut() {
                Some((after, _)) if *after == end + 1 => *after = start,
                _ => ranges.push((start, end)),
            }
        }
        for (start, end) in &mut ranges {
            (*start, *end) = ((*start).max(first), (*end).min(last));
        }
        let is_all = i64::try_from(marked.len()).is_ok_and(|count| count < most);
        let from = ranges.last().map_or(first, |(start, _)| *start);
        Self { from: if is_all { first } else { from }, ranges }
    }
}

/// How many rows are compared next, if that many took so long.
fn larger(part: i64, took: Duration) -> i64 {
    let microseconds = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX).max(1);
    let fitting = part.saturating_mul(microseconds(PART)) / microseconds(took);
    fitting.clamp(FIRST_PART, part.saturating_mul(3)).min(LARGEST_PART)
}

#[cfg(test)]
mod tests;
