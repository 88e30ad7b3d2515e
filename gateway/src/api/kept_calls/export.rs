//! `GET /v1/calls/export`: all that the history has of the calls that are wanted, as lines of JSON or as CSV (RFC 4180), page by
//! page, so that it takes no more memory however many they are.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use uuid::Uuid;

use super::list::{Shows, kept, restrict};
use super::recorded::{microseconds, whole};
use super::wanted::{FILTERS, filter};
use super::{expect_history, unreadable};
use crate::api::parameters::Parameters;
use crate::api::{Query, accepts};
use crate::auth::Caller;
use crate::bridge::Bridge;
use crate::error::Problem;
use crate::history::{Detail, Filter, Page, Record, StoreError};
use crate::kept::execution_name;

/// The texts of a page have no more bytes than about this …
const PAGE_BYTES: usize = 4 << 20;
/// … and it has no more calls than this.
const PAGE_CALLS: usize = 500;

/// The columns of CSV, named as the members of JSON.
const COLUMNS: [&str; 32] = [
    "call_id",
    "library",
    "function",
    "owner",
    "key",
    "created_at",
    "ended_at",
    "status",
    "code",
    "execution",
    "duration_us",
    "queue_us",
    "agent_us",
    "library_us",
    "agent",
    "generation",
    "attempts",
    "session",
    "batch",
    "batch_index",
    "trace_id",
    "replay_of",
    "crash_report",
    "ad_hoc",
    "args",
    "args_size",
    "args_sha256",
    "args_redacted",
    "outcome",
    "outcome_size",
    "outcome_sha256",
    "output",
];

/// How the calls are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A line of JSON for each.
    Lines,
    Csv,
}

impl Format {
    fn of(text: &str) -> Option<Self> {
        match text {
            "jsonl" => Some(Self::Lines),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    const fn headers(self) -> [(axum::http::HeaderName, HeaderValue); 3] {
        let (kind, disposition) = match self {
            Self::Lines => ("application/x-ndjson", "attachment; filename=\"calls.jsonl\""),
            Self::Csv => ("text/csv; charset=utf-8; header=present", "attachment; filename=\"calls.csv\""),
        };
        [
            (CONTENT_TYPE, HeaderValue::from_static(kind)),
            (CONTENT_DISPOSITION, HeaderValue::from_static(disposition)),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ]
    }
}

/// Why an export ends in the middle: the connection is cut off then, so that no client takes a part for the whole.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the gateway is stopping")]
    Stopping,
    #[error("a row cannot be written: {0}")]
    Row(#[from] csv::Error),
}

/// The calls that the caller asks for, and may see; the newest first.
///
/// # Errors
/// The parameters cannot be read, or the history cannot.
pub async fn export(
    State(bridge): State<Arc<Bridge>>,
    Query(pairs): Query<Vec<(String, String)>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let known: Vec<&str> = FILTERS.into_iter().chain(["format"]).collect();
    let mut parameters = Parameters::of(pairs, &known)?;
    let format = parameters.read("format", "`jsonl` or `csv`", Format::of)?;
    let otherwise = if accepts(&headers, "text/csv") { Format::Csv } else { Format::Lines };
    let format = format.unwrap_or(otherwise);
    let mut filter = filter(&mut parameters)?;
    expect_history(&bridge)?;
    let some = restrict(&mut filter, &caller, Shows::Values);
    let texts = bridge.config().history.max_text.max(1).saturating_mul(2);
    let limit = (PAGE_BYTES / texts).clamp(1, PAGE_CALLS);
    let mut export = Export { bridge, filter, format, limit, next: Next::Page(None) };
    // What is wrong at the beginning is told as usual.
    let first = match export.page(None).await {
        _ if !some => Page::default(),
        Ok(page) => page,
        Err(error) => return Err(unreadable(&error)),
    };
    export.next = Next::Read(first);
    let body = stream::unfold(export, |mut export| async {
        let chunk = export.chunk().await?;
        if let Err(error) = &chunk {
            tracing::warn!(%error, "an export of calls is cut off");
            export.next = Next::Nothing;
        }
        Some((chunk, export))
    });
    let head = if format == Format::Csv { COLUMNS.join(",") + "\r\n" } else { String::new() };
    let head = stream::iter((!head.is_empty()).then(|| Ok(Bytes::from(head))));
    Ok((format.headers(), Body::from_stream(futures_util::StreamExt::chain(head, body))).into_response())
}

/// An export that is under way.
struct Export {
    bridge: Arc<Bridge>,
    filter: Filter,
    format: Format,
    limit: usize,
    next: Next,
}

/// What comes next.
enum Next {
    /// What was read already.
    Read(Page),
    /// The page before that number.
    Page(Option<i64>),
    Nothing,
}

impl Export {
    async fn page(&self, before: Option<i64>) -> Result<Page, StoreError> {
        self.bridge.observer.history.page(&self.filter, before, self.limit, Detail::Whole).await
    }

    /// The next calls; `None` after the last ones.
    async fn chunk(&mut self) -> Option<Result<Bytes, Broken>> {
        loop {
            if *self.bridge.stopping.borrow() {
                return Some(Err(Broken::Stopping)).filter(|_| !matches!(self.next, Next::Nothing));
            }
            let page = match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::Read(page) => page,
                Next::Page(before) => match self.page(before).await {
                    Ok(page) => page,
                    Err(error) => return Some(Err(error.into())),
                },
                Next::Nothing => return None,
            };
            if let Some(before) = page.next {
                self.next = Next::Page(Some(before));
            }
            // A page that took too long may have none.
            if !page.records.is_empty() {
                return Some(self.written(&page).await);
            }
        }
    }

    async fn written(&self, page: &Page) -> Result<Bytes, Broken> {
        match self.format {
            Format::Csv => Ok(rows(&page.records)?.into()),
            Format::Lines => {
                let kept = kept(&self.bridge, page).await;
                let mut lines = Vec::new();
                for record in &page.records {
                    lines.extend(whole(record, None, kept.contains(&record.id)));
                    lines.push(b'\n');
                }
                Ok(lines.into())
            }
        }
    }
}

/// Lines of CSV. They end as RFC 4180 says.
fn rows(records: &[Record]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for record in records {
        writer.write_record(row(record).iter().map(|cell| cell.as_bytes()))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

fn row(record: &Record) -> [Cow<'_, str>; COLUMNS.len()] {
    fn number(number: &impl ToString) -> Cow<'static, str> {
        number.to_string().into()
    }
    fn some<'a>(value: Option<impl Into<Cow<'a, str>>>) -> Cow<'a, str> {
        value.map(Into::into).unwrap_or_default()
    }
    let id = |id: Option<Uuid>| some(id.map(|id| id.to_string()));
    let time = |nanoseconds| Cow::from(microseconds(nanoseconds).get().to_owned());
    let [queue, on_its_way, in_library] = record.parts_ns;
    [
        number(&record.id),
        text(&record.library),
        some(record.function.as_deref().map(text)),
        text(&record.owner),
        text(&record.key_id),
        number(&record.created_at),
        number(&record.ended_at),
        number(&record.status),
        some(record.code.as_deref().map(text)),
        execution_name(record.execution).into(),
        time(record.duration_ns()),
        time(queue),
        time(on_its_way),
        time(in_library),
        some(record.agent.as_ref().map(|(agent, _)| text(agent))),
        some(record.agent.as_ref().map(|(_, generation)| generation.to_string())),
        number(&record.attempts),
        id(record.session),
        id(record.batch.map(|(batch, _)| batch)),
        some(record.batch.map(|(_, index)| index.to_string())),
        Uuid::from_bytes(record.trace_id).simple().to_string().into(),
        id(record.replay_of),
        some(record.report.as_deref().map(text)),
        some(record.prototype.as_deref().map(text)),
        text(&record.args.text),
        number(&record.args.size),
        some(record.args.sha256.as_deref()),
        number(&record.args_redacted),
        text(&record.answer.text),
        number(&record.answer.size),
        some(record.answer.sha256.as_deref()),
        some(record.output.as_deref().map(text)),
    ]
}

/// A spreadsheet takes what begins with one of these for a formula, and runs what a stranger has made a library print: with an
/// apostrophe before it, it is a text.
fn text(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::super::recorded::tests::record;
    use super::*;
    use crate::history::Text;

    #[test]
    fn a_row_of_csv_has_its_columns_and_quotes_what_needs_it() {
        let written = Record { output: Some("two\nlines, \"both\"".into()), ..record() };
        let text = String::from_utf8(rows(&[written.clone(), written]).unwrap()).unwrap();
        assert!(text.ends_with("\"two\nlines, \"\"both\"\"\"\r\n"), "{text}");
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let read: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let cell = |name: &str| &read[1][COLUMNS.iter().position(|column| *column == name).unwrap()];
        assert_eq!((read.len(), read[0].len()), (2, COLUMNS.len()));
        assert_eq!((cell("duration_us"), cell("library"), cell("code")), ("3.053", "calc", ""));
        assert_eq!((cell("trace_id"), cell("batch_index")), ("ab".repeat(16).as_str(), "1"));
        assert_eq!((cell("args"), cell("args_sha256")), (record().args.text.as_str(), ""));
        assert_eq!(cell("ended_at"), "2026-01-31T12:00:00.123456Z");
    }

    #[test]
    fn nothing_is_a_formula_of_a_spreadsheet() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            let args = Text { text: formula.to_owned(), size: 1, sha256: None };
            let record = Record { args, output: Some(formula.to_owned()), ..record() };
            let cells = row(&record);
            assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{cells:?}");
            assert_eq!(cells[31], format!("'{formula}"));
        }
        assert_eq!(text("{\"a\":-1}"), "{\"a\":-1}");
    }
}
