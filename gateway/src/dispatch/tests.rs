//! Requests to an agent that is played: batches, deadlines and crashes, as the calls see them.

use axum::Router;
use axum::routing::post;
use bridge32_protocol::wire::{CallList, CrashRecord};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use super::exchange::{self, End, Place};
use super::queue::tests::{interface, queue};
use super::unit::{Route, Work};
use super::*;
use crate::agents::Crash;
use crate::played;

const BATCH: Batch = Batch { stop_on_error: true };

fn orders(count: usize, deadline: Duration) -> Vec<Order> {
    let order = |_| Order {
        id: Uuid::now_v7(),
        callee: Callee::Function(0),
        args: Arguments::empty(),
        deadline,
        wait: None,
        declared: Some(interface(3)),
        idempotent: false,
        prototype: None,
        part: None,
    };
    (0..count).map(order).collect()
}

/// What an agent answers for the call of that index.
fn returned(index: usize) -> String {
    json!({"index": index, "outcome": {"returned": {"result": index, "outputs": {}, "duration_ns": 1}}}).to_string()
        + "\n"
}

/// Sends `count` calls to an agent that answers the first `answered` of them and then goes silent or, if `exit` says
/// so, ends. Gives what the agent was sent and how each call ended.
async fn run(
    count: usize,
    answered: usize,
    deadline: Duration,
    exit: Option<fn(&[Uuid]) -> Exit>,
) -> (serde_json::Value, Vec<(Uuid, CallResult)>) {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let answer = move |body: Bytes| {
        seen.send(body).unwrap();
        let lines: String = (0..answered).map(returned).collect();
        let rest = futures_util::stream::pending();
        let first = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(lines)]);
        std::future::ready(axum::body::Body::from_stream(futures_util::StreamExt::chain(first, rest)))
    };
    let (link, process) = played::link(Router::new().route("/calls", post(answer))).await;
    let data = tempfile::tempdir().unwrap();
    let agent = played::agent(data.path());
    let queue = queue();
    let sender = Sender::default();
    let orders = orders(count, deadline).into_iter();
    let (calls, pending): (Vec<_>, Vec<_>) = orders.map(|order| queued(order, &sender)).unzip();
    let ids: Vec<Uuid> = calls.iter().map(|call| call.id).collect();
    let mut connection = link.client.connect().await.unwrap();
    let work = Work { calls, batch: Some(BATCH), route: Route::Any, declared: Some(interface(3)) };
    let place = Place { queue: &queue, lane: Lane { generation: 1, number: 0 }, agent: &agent, link: &link };
    let end = async {
        let request = requests.recv().await.unwrap();
        if let Some(exit) = exit {
            // What was answered before the end is on its way.
            tokio::time::sleep(Duration::from_millis(50)).await;
            process.send_replace(Some(exit(&ids)));
        }
        request
    };
    let (outcome, request) = tokio::join!(exchange::run(place, &mut connection, work), end);
    assert!(matches!(outcome, End::Over));
    let mut results = Vec::new();
    for pending in pending {
        results.push(pending.end().await);
    }
    (serde_json::from_slice(&request).unwrap(), results)
}

#[tokio::test]
async fn a_batch_is_sent_once_as_one_list() {
    let (request, _) = run(3, 0, Duration::from_millis(50), None).await;
    assert_eq!(request["batch"], json!({"stop_on_error": true}));
    assert_eq!(request["revision"], 3);
    assert_eq!(request["calls"].as_array().unwrap().len(), 3);
    let text = request.to_string();
    assert!(serde_json::from_str::<CallList>(&text).is_ok(), "{text}");
}

#[tokio::test]
async fn after_a_deadline_in_a_batch_earlier_calls_keep_their_answers_and_later_ones_are_behind() {
    let (_, results) = run(4, 2, Duration::from_millis(100), None).await;
    assert!(results[0].1.is_ok() && results[1].1.is_ok());
    assert!(matches!(results[2].1, Err(Failure::Deadline { .. })), "{:?}", results[2]);
    let Err(Failure::Ended { moment, .. }) = &results[3].1 else { panic!("{:?}", results[3]) };
    assert_eq!(*moment, Moment::Behind { running: Some(results[2].0), proven: false });
}

#[tokio::test]
async fn after_a_crash_in_a_batch_later_calls_are_behind_the_one_that_ran() {
    let segv: fn(&[Uuid]) -> Exit = |_| Exit::told("killed by signal 11 (SIGSEGV)");
    let (_, results) = run(3, 1, Duration::from_secs(5), Some(segv)).await;
    assert!(results[0].1.is_ok());
    assert!(matches!(results[1].1, Err(Failure::Ended { moment: Moment::Running, .. })));
    assert!(
        matches!(results[2].1, Err(Failure::Ended { moment: Moment::Behind { running, .. }, .. }) if running == Some(results[1].0))
    );
}

/// The end of a process that recorded `call` as the one that ran.
fn recorded(call: Uuid) -> Exit {
    let record =
        CrashRecord { library: Some("calc".into()), call_id: Some(call.to_string()), ..CrashRecord::default() };
    Exit { crash: Some(Arc::new(Crash { record, report: None })), ..Exit::told("killed by signal 11 (SIGSEGV)") }
}

#[tokio::test]
async fn the_call_that_the_dying_process_named_is_the_one_that_crashed() {
    let second: fn(&[Uuid]) -> Exit = |ids| recorded(ids[1]);
    let (_, results) = run(3, 0, Duration::from_secs(5), Some(second)).await;
    let crash = |index: usize| match &results[index].1 {
        Err(Failure::Ended { exit, moment }) => (exit.crash.is_some(), *moment),
        other => panic!("{other:?}"),
    };
    let crashed = results[1].0;
    assert_eq!(
        crash(0),
        (true, Moment::Before { running: Some(crashed), proven: false }),
        "its outcome was lost: it did not crash"
    );
    assert_eq!(crash(1), (true, Moment::Running));
    assert_eq!(crash(2), (true, Moment::Behind { running: Some(crashed), proven: false }));
}

#[tokio::test]
async fn a_record_of_an_earlier_call_is_not_held_against_this_one() {
    let earlier: fn(&[Uuid]) -> Exit = |_| recorded(Uuid::nil());
    let (_, results) = run(2, 0, Duration::from_secs(5), Some(earlier)).await;
    for (_, result) in results {
        assert!(matches!(result, Err(Failure::Ended { exit, .. }) if exit.crash.is_none()));
    }
}
