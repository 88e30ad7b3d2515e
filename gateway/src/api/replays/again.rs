//! A call of the history is made again, and its outcome compared with the earlier one.

use std::sync::Arc;

use bridge32_protocol::json::members;
use bridge32_protocol::wire::Digest;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::api::{calls, functions, perform};
use crate::auth::{Caller, Need};
use crate::bridge::Bridge;
use crate::dispatch::{Arguments, Execution, Order, Origin, Prototype, Sender, generations};
use crate::error::{Code, Problem};
use crate::history::{Difference, Record, Text, differences};
use crate::libraries::Library;

/// What came of it.
#[derive(Serialize)]
pub(crate) struct Replay {
    /// The new call.
    pub(crate) call_id: Uuid,
    /// The earlier one.
    #[serde(rename = "replay_of")]
    of: Uuid,
    library: String,
    function: Option<String>,
    /// Whether both have the same outcome.
    pub(super) same: bool,
    differences: Vec<Difference>,
    before: Side,
    after: Side,
}

/// What kept a call from being run is not its library's doing: there is nothing to compare.
const NOBODYS_FAULT: [Code; 3] = [Code::NoAgent, Code::QueueFull, Code::Cancelled];

/// The outcome of one of them.
#[derive(Serialize)]
struct Side {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    library_ns: u64,
    /// As the history has it; absent where it was too long to be kept whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Value>,
}

/// Makes a call again, with that library, and compares the outcomes.
///
/// # Errors
/// It cannot be repeated, the caller may not make it, or nothing can be told of the new outcome.
pub(super) async fn replay(
    bridge: &Bridge,
    caller: &Caller,
    library: &Arc<Library>,
    record: &Record,
) -> Result<Replay, Problem> {
    let (need, function) = match &record.prototype {
        None => (Need::Call, record.function.as_deref().unwrap_or_default()),
        Some(_) => (Need::AdHoc, ""),
    };
    caller.may(need, &library.name, function)?;
    check(record, library).map_err(|why| refused(&why))?;
    let order = order(record, library).await?;
    perform::must_be_recordable(bridge)?;
    let sender = caller.sender();
    let origin = Origin { replay_of: Some(record.id), ..Origin::clone(&sender.origin) };
    let sender = Sender { origin: Arc::new(origin), witness: Some(bridge.witness()), ..sender };
    let (call_id, _) = library.call(order, &sender).end().await;
    let again = bridge.observer.history.find(call_id).await.ok().flatten();
    let again = again.ok_or_else(|| unknown_outcome(call_id))?;
    match again.code.as_deref() {
        Some(code) if code == Code::StaleHandle.name() => {
            return Err(refused("A handle among its arguments does not live any more, or never did in that library."));
        }
        Some(code)
            if NOBODYS_FAULT.iter().any(|other| code == other.name()) && again.execution == Execution::NotRun =>
        {
            return Err(refused(&format!("Nobody could run it now (`{code}`). Try again later.")));
        }
        _ => {}
    }
    let differences = compare(&record.answer, &again.answer);
    Ok(Replay {
        call_id,
        of: record.id,
        library: library.name.clone(),
        function: record.function.as_deref().map(str::to_owned),
        same: differences.is_empty(),
        differences,
        before: Side::of(record),
        after: Side::of(&again),
    })
}

impl Side {
    fn of(record: &Record) -> Self {
        let outcome = record.answer.is_whole().then(|| serde_json::from_str(&record.answer.text).ok()).flatten();
        let [_, _, library_ns] = record.parts_ns;
        Self { status: record.status, code: record.code.clone(), library_ns, outcome }
    }
}

/// Where two outcomes differ. Of those that were too long to be kept whole it is known whether they do, and not where.
pub(crate) fn compare(before: &Text, after: &Text) -> Vec<Difference> {
    let parsed = |text: &Text| serde_json::from_str::<Value>(&text.text).ok().filter(|_| text.is_whole());
    match (parsed(before), parsed(after)) {
        (Some(before), Some(after)) => differences(&before, &after),
        _ if before == after => Vec::new(),
        (before, after) => vec![Difference { pointer: String::new(), before, after }],
    }
}

/// Why a call cannot be made again as it was.
fn check(record: &Record, library: &Library) -> Result<(), String> {
    if record.args_redacted {
        return Err("Something sensitive was taken out of its arguments before they were written.".to_owned());
    }
    if !record.args.is_whole() {
        return Err(format!(
            "Its arguments have {} bytes, and no more than {} were kept (`max_text` of [history]).",
            record.args.size,
            record.args.text.len()
        ));
    }
    if let Some((name, digest)) = in_a_file(&record.args.text) {
        return Err(format!(
            "Its argument `{name}` came as {} bytes of their own and not in JSON: of those the history has the SHA-256 alone.",
            digest.bytes
        ));
    }
    if record.batch.is_some() && record.args.text.contains("\"$ref\"") {
        return Err("Its arguments refer to another call of its batch (`$ref`).".to_owned());
    }
    let handles = generations(record.args.text.as_bytes(), &record.library);
    if !handles.is_empty() && *library.name != *record.library {
        return Err(format!(
            "A handle among its arguments is one of `{}`, and lives in no other library.",
            record.library
        ));
    }
    let alive = |generation: &u64| {
        library.pool().is_some_and(|pool| pool.links().iter().any(|link| link.generation == *generation))
    };
    match handles.iter().find(|generation| !alive(generation)) {
        Some(generation) => Err(format!(
            "A handle among its arguments lived in start {generation} of `{}`, which is over: handles go with their process.",
            record.library
        )),
        None => Ok(()),
    }
}

/// The first argument that went through a file.
fn in_a_file(args: &str) -> Option<(String, Digest)> {
    members(args)?.into_iter().find_map(|(name, value)| Some((name, Digest::read(value.get())?)))
}

async fn order(record: &Record, library: &Library) -> Result<Order, Problem> {
    let args = Arguments::parse(&Bytes::copy_from_slice(record.args.text.as_bytes()))?;
    if let Some(prototype) = &record.prototype {
        return calls::ad_hoc(library, read_prototype(prototype)?, args).await;
    }
    let declared = library.declared();
    let function = record.function.as_deref().unwrap_or_default();
    let order = library.order(&declared, function);
    let order = order.ok_or_else(|| functions::unknown(library, &declared, function))?;
    Ok(Order { args, ..order })
}

/// The prototype as the history has it.
fn read_prototype(text: &str) -> Result<Prototype, Problem> {
    #[derive(Deserialize)]
    struct Written {
        prototype: String,
        export: Option<String>,
        ordinal: Option<u32>,
    }
    let Written { prototype, export, ordinal } = serde_json::from_str(text).map_err(Problem::internal)?;
    Ok(Prototype { text: prototype, export, ordinal })
}

/// The problem of a call that cannot be made again.
pub(super) fn refused(why: &str) -> Problem {
    Problem::new(Code::NotReplayable, format!("{why} The call was not made again."))
}

fn unknown_outcome(id: Uuid) -> Problem {
    let detail = "The call was made again, and the history has not got its outcome: it cannot be written now, or has no room. GET \
                  /metrics and the gateway's log say why.";
    Problem::about_call(id, Code::HistoryUnavailable, detail.to_owned())
}
