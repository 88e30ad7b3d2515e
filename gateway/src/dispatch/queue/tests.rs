//! What the queue takes, in which order, where it lets it run, and what it refuses.

use bridge32_interface::Header;
use bridge32_protocol::wire::{Batch, Callee};
use bytes::Bytes;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::Sender;
use super::super::arguments::Arguments;
use super::super::control::{CallState, Cancelled};
use super::super::outcome::Answer;
use super::super::running::Sent;
use super::super::witness::Origin;
use super::*;
use crate::interfaces::{self, Declared};

const LIMIT: usize = 1024;
const BATCH: Batch = Batch { stop_on_error: true };
const FIRST: Lane = Lane { generation: 1, number: 0 };
const SECOND: Lane = Lane { generation: 2, number: 0 };

pub(in crate::dispatch) fn queue() -> Queue {
    Queue::new("calc", LIMIT)
}

pub(in crate::dispatch) fn queued(args: &str) -> (Queued, oneshot::Receiver<CallResult>) {
    let (reply, outcome) = oneshot::channel();
    let queued = Queued {
        id: Uuid::now_v7(),
        callee: Callee::Function(7),
        args: Arguments::parse(&Bytes::copy_from_slice(args.as_bytes())).unwrap(),
        deadline: Duration::from_secs(5),
        until: None,
        declared: Some(interface(1)),
        sender: Sender::default(),
        idempotent: false,
        prototype: None,
        part: None,
        sends: 0,
        sent: None,
        output: None,
        is_probe: false,
        attempts: 0,
        began: false,
        since: Instant::now(),
        reply,
    };
    (queued, outcome)
}

/// One whose answer somebody waits for as long as the test runs.
fn awaited(args: &str) -> Queued {
    let (call, outcome) = queued(args);
    std::mem::forget(outcome);
    call
}

fn of(client: &str) -> Kind {
    let origin = Origin { client: Some(client.into()), ..Origin::default() };
    Kind::Single(Queued { sender: Sender { origin: origin.into(), ..Sender::default() }, ..awaited("{}") })
}

pub(in crate::dispatch) fn unit_of(client: &str) -> Unit {
    Unit { route: Route::Any, kind: of(client) }
}

pub(in crate::dispatch) fn interface(revision: u32) -> Arc<Declared> {
    Arc::new(Declared::new(revision, Header::default(), Vec::new(), interfaces::Origin::Configured))
}

fn single() -> Kind {
    Kind::Single(awaited("{}"))
}

fn three() -> Vec<Queued> {
    (0..3).map(|_| awaited("{}")).collect()
}

/// A queue from which one active lane takes.
fn served() -> Queue {
    let queue = queue();
    queue.join(FIRST, true);
    queue
}

fn push(queue: &Queue, kind: Kind) {
    queue.push(kind, None).unwrap();
}

fn take(queue: &Queue, lane: Lane) -> Option<Work> {
    queue.take(lane, true)
}

fn take_calls(queue: &Queue) -> usize {
    take(queue, FIRST).map_or(0, |work| work.calls.len())
}

fn ids(work: &Work) -> Vec<Uuid> {
    work.calls.iter().map(|call| call.id).collect()
}

fn count(units: &[Unit]) -> usize {
    units.iter().map(|unit| unit.calls().len()).sum()
}

#[test]
fn a_list_takes_what_waits_up_to_the_limits() {
    let queue = served();
    for _ in 0..300 {
        push(&queue, single());
    }
    assert_eq!([take_calls(&queue), take_calls(&queue), take_calls(&queue)], [256, 44, 0]);
    let large = format!("{{\"s\":\"{}\"}}", "x".repeat(MAX_LIST_BYTES));
    for args in ["{}", &large, "{}"] {
        push(&queue, Kind::Single(awaited(args)));
    }
    assert_eq!([take_calls(&queue), take_calls(&queue), take_calls(&queue)], [1, 1, 1]);
}

#[test]
fn slow_calls_go_one_by_one_so_that_none_waits_behind_another_in_a_list() {
    let queue = served();
    let slow = Answer {
        result: Bytes::from_static(b"1"),
        outputs: Bytes::from_static(b"{}"),
        duration_ns: 400_000_000,
        around_ns: [0; 3],
        errno: None,
        last_error: None,
        hresult: None,
    };
    queue.end(awaited("{}"), Ok(Arc::new(slow)));
    for _ in 0..3 {
        push(&queue, single());
    }
    assert_eq!([take_calls(&queue), take_calls(&queue)], [1, 1]);
}

#[test]
fn lanes_share_what_waits() {
    let queue = served();
    queue.join(SECOND, true);
    for _ in 0..10 {
        push(&queue, single());
    }
    assert_eq!([take_calls(&queue), take_calls(&queue), take_calls(&queue)], [5, 3, 1]);
}

#[test]
fn a_full_queue_refuses_and_what_is_put_back_comes_first() {
    let queue = served();
    for _ in 0..LIMIT {
        push(&queue, single());
    }
    assert!(matches!(queue.push(single(), None), Err(Failure::QueueFull { waiting: LIMIT, .. })));
    let work = take(&queue, FIRST).unwrap();
    let before = ids(&work);
    queue.put_back(FIRST, work);
    assert_eq!(ids(&take(&queue, FIRST).unwrap()), before);
}

#[test]
fn one_client_cannot_fill_the_queue_alone() {
    let queue = Queue::new("calc", 100);
    let greedy = (0..100).take_while(|_| queue.push(of("greedy"), None).is_ok()).count();
    assert_eq!(greedy, 75);
    queue.push(of("modest"), None).unwrap();
    assert_eq!(queue.counts().failed, 1);
}

#[test]
fn a_batch_is_taken_whole_and_alone() {
    let queue = served();
    push(&queue, single());
    push(&queue, single());
    push(&queue, Kind::Batch(three(), BATCH));
    push(&queue, Kind::Batch(three(), Batch { stop_on_error: false }));
    push(&queue, single());
    assert_eq!(queue.counts().waiting, 9);
    let taken = || {
        let work = take(&queue, FIRST).unwrap();
        (work.calls.len(), work.batch.map(|batch| batch.stop_on_error))
    };
    assert_eq!([taken(), taken(), taken(), taken()], [(2, None), (3, Some(true)), (3, Some(false)), (1, None)]);
    assert_eq!(queue.counts().waiting, 0);
}

#[test]
fn a_batch_that_was_not_sent_is_a_batch_again() {
    let queue = served();
    push(&queue, Kind::Batch(three(), BATCH));
    push(&queue, single());
    let work = take(&queue, FIRST).unwrap();
    let before = ids(&work);
    queue.put_back(FIRST, work);
    let again = take(&queue, FIRST).unwrap();
    assert_eq!((ids(&again), again.batch), (before, Some(BATCH)));
}

#[test]
fn a_batch_that_does_not_fit_whole_is_refused_whole() {
    let queue = served();
    for _ in 0..LIMIT - 2 {
        push(&queue, single());
    }
    assert!(matches!(queue.push(Kind::Batch(three(), BATCH), None), Err(Failure::QueueFull { .. })));
    assert_eq!((queue.counts().waiting, queue.counts().failed), (LIMIT - 2, 3));
    push(&queue, single());
}

#[test]
fn without_an_agent_a_batch_expires_as_one_and_only_what_is_overdue_does() {
    let queue = queue();
    let mut calls = three();
    calls[0].deadline = Duration::ZERO;
    push(&queue, Kind::Batch(calls, BATCH));
    push(&queue, Kind::Batch(three(), BATCH));
    let down = Instant::now();
    assert_eq!(queue.next_moment(Some(down)), Some(down));
    assert!(queue.take_expired(down, None).is_empty(), "there is an agent: its turn comes");
    assert_eq!(count(&queue.take_expired(down, Some(down))), 3);
    assert_eq!(queue.counts().waiting, 3);
}

#[test]
fn patience_of_a_client_ends_also_while_there_is_an_agent() {
    let queue = served();
    let until = Instant::now() + Duration::from_millis(5);
    push(&queue, Kind::Single(Queued { until: Some(until), ..awaited("{}") }));
    push(&queue, single());
    assert_eq!(queue.next_moment(None), Some(until));
    let expired = queue.take_expired(until, None);
    assert_eq!(expired.len(), 1);
    assert!(matches!(expired[0].overdue(until, ""), Failure::NotInTime { .. }));
}

#[test]
fn work_on_memory_is_not_counted_as_a_call() {
    let queue = queue();
    let (mut block, _outcome) = queued("{}");
    block.callee = Callee::FreeBlock;
    queue.end(block, Err(Failure::SessionLost));
    assert_eq!(queue.counts().failed, 0);
    queue.end(awaited("{}"), Err(Failure::SessionLost));
    assert_eq!(queue.counts().failed, 1);
}

#[test]
fn calls_that_mean_different_interfaces_do_not_go_together_and_others_go_with_any() {
    let queue = served();
    for revision in [Some(1), None, Some(1), Some(2), None, Some(1)] {
        push(&queue, Kind::Single(Queued { declared: revision.map(interface), ..awaited("{}") }));
    }
    let taken = || {
        let work = take(&queue, FIRST).unwrap();
        (work.calls.len(), work.declared.map(|declared| declared.revision))
    };
    assert_eq!([taken(), taken(), taken()], [(3, Some(1)), (2, Some(2)), (1, Some(1))]);
}

#[test]
fn what_nobody_waits_for_any_more_is_not_run() {
    let queue = served();
    let (call, outcome) = queued("{}");
    push(&queue, Kind::Single(call));
    let (batched, of_batch) = queued("{}");
    push(&queue, Kind::Batch(vec![batched, awaited("{}")], BATCH));
    push(&queue, single());
    drop((outcome, of_batch));
    let work = take(&queue, FIRST).unwrap();
    assert_eq!((work.calls.len(), work.batch.is_some()), (2, true), "somebody waits for a part of the batch");
    assert_eq!(take_calls(&queue), 1);
    assert_eq!((queue.counts().failed, queue.counts().waiting), (1, 0));
}

/// Two processes, and a call with handles of these generations.
fn with_handles(generations: &[u64]) -> (Queue, Result<(), Failure>) {
    let queue = served();
    queue.join(SECOND, true);
    let handles: Vec<String> = generations.iter().map(|generation| format!("\"calc.g{generation}.1.aa\"")).collect();
    let pushed = queue.push(Kind::Single(awaited(&format!("{{\"h\":[{}]}}", handles.join(",")))), None);
    (queue, pushed)
}

#[test]
fn a_call_with_a_handle_runs_where_the_handle_lives() {
    let (queue, _) = with_handles(&[2, 2]);
    assert!(take(&queue, FIRST).is_none());
    assert_eq!(take(&queue, SECOND).unwrap().route, Route::Generation(2));
    let (_, refused) = with_handles(&[1, 2]);
    assert!(matches!(refused, Err(Failure::HandlesApart { one: 1, other: 2 })));
    let (queue, _) = with_handles(&[9, 1]);
    assert!(take(&queue, SECOND).is_none());
    assert!(take(&queue, FIRST).is_some(), "the other handle is stale, wherever the call runs");
}

#[test]
fn a_call_whose_process_is_gone_is_told_so_by_any_other() {
    let (queue, _) = with_handles(&[2]);
    queue.leave(SECOND);
    assert_eq!(take(&queue, FIRST).unwrap().route, Route::Any);
}

#[test]
fn a_call_of_a_session_runs_on_its_lane_alone_and_is_lost_with_it() {
    let queue = served();
    let other = Lane { generation: 1, number: 1 };
    queue.join(other, true);
    queue.push(single(), Some(other)).unwrap();
    assert!(take(&queue, FIRST).is_none());
    assert!(take(&queue, other).is_some());
    let (call, mut outcome) = queued("{}");
    queue.push(Kind::Single(call), Some(other)).unwrap();
    queue.leave(other);
    assert!(matches!(outcome.try_recv(), Ok(Err(Failure::SessionLost))));
    assert!(matches!(queue.push(single(), Some(other)), Err(Failure::SessionLost)));
}

#[test]
fn a_call_of_a_session_that_has_a_handle_of_another_process_is_refused() {
    let (queue, _) = with_handles(&[1]);
    let push = |generation: u64, pin| {
        let (call, _) = queued(&format!(r#"{{"a":"calc.g{generation}.1.aa"}}"#));
        queue.push(Kind::Single(call), Some(pin))
    };
    push(1, FIRST).unwrap();
    assert!(matches!(push(2, FIRST), Err(Failure::HandleElsewhere { session: 1, handle: 2 })));
    push(9, FIRST).unwrap();
    queue.leave(SECOND);
    push(2, FIRST).unwrap();
    assert!(matches!(push(1, SECOND), Err(Failure::SessionLost)));
}

#[test]
fn a_lane_that_is_not_active_takes_what_can_run_nowhere_else() {
    let queue = queue();
    queue.join(FIRST, false);
    push(&queue, single());
    queue.push(single(), Some(FIRST)).unwrap();
    assert_eq!(queue.take(FIRST, false).unwrap().route, Route::Lane(FIRST));
    assert!(queue.take(FIRST, false).is_none());
    assert!(queue.take(FIRST, true).is_some());
}

#[test]
fn what_waits_longest_is_next_wherever_it_may_run() {
    let queue = served();
    push(&queue, single());
    queue.push(single(), Some(FIRST)).unwrap();
    push(&queue, single());
    let routes = [(); 2].map(|()| take(&queue, FIRST).unwrap().route);
    assert_eq!(routes, [Route::Any, Route::Lane(FIRST)]);
}

#[test]
fn a_call_that_waits_is_cancelled_at_once_and_one_that_was_sent_is_marked() {
    let queue = served();
    let (call, mut outcome) = queued("{}");
    let id = call.id;
    push(&queue, Kind::Single(call));
    assert!(matches!(queue.find(id), Some(CallState::Waiting)));
    assert_eq!(queue.cancel(id), Cancelled::TakenOut);
    assert!(matches!(outcome.try_recv(), Ok(Err(Failure::Cancelled(Execution::NotRun)))));
    assert!(queue.find(id).is_none() && queue.cancel(id) == Cancelled::Unknown);
    let kinds: Vec<Queued> = three();
    let ids: Vec<Uuid> = kinds.iter().map(|call| call.id).collect();
    for call in kinds {
        push(&queue, Kind::Single(call));
    }
    let work = take(&queue, FIRST).unwrap();
    assert!(matches!(queue.cancel(ids[1]), Cancelled::Ending(Sent { is_first: false, lane: FIRST, .. })));
    assert_eq!([0, 1].map(|index| queue.find(ids[index])), [Some(CallState::Running), Some(CallState::Waiting)]);
    assert_eq!(queue.under_way().len(), 3);
    assert!(queue.running.end(FIRST, ids[0]), "it is the turn of the one that was cancelled");
    queue.put_back(FIRST, work);
    assert_eq!(queue.counts().waiting, 2);
}

#[test]
fn what_is_to_be_tried_again_waits_for_its_moment() {
    let queue = served();
    queue.again(FIRST, vec![(Unit { route: Route::Any, kind: single() }, Duration::from_mins(1))]);
    assert_eq!((queue.counts().waiting, take_calls(&queue)), (1, 0));
    let at = queue.next_moment(None).unwrap();
    queue.wake_delayed(at);
    assert_eq!((take_calls(&queue), queue.counts().waiting), (1, 0));
}

#[test]
fn what_was_running_once_may_have_run_whatever_becomes_of_it_later() {
    let queue = served();
    let (call, mut outcome) = queued("{}");
    let again = Unit { route: Route::Any, kind: Kind::Single(Queued { began: true, ..call }) };
    queue.again(FIRST, vec![(again, Duration::ZERO)]);
    queue.close();
    let failure = outcome.try_recv().unwrap().unwrap_err();
    assert!(matches!(failure, Failure::Repeated(_)) && failure.execution() == Execution::MayHaveRun, "{failure:?}");
}

#[test]
fn a_closed_queue_refuses_what_waits_and_what_comes_later() {
    let queue = served();
    let (call, mut outcome) = queued("{}");
    push(&queue, Kind::Single(call));
    let work = take(&queue, FIRST).unwrap();
    let (waits, mut of_waiting) = queued("{}");
    push(&queue, Kind::Single(waits));
    queue.close();
    let refused = |outcome: Result<CallResult, _>| matches!(outcome, Ok(Err(Failure::NoAgent { .. })));
    assert!(refused(of_waiting.try_recv()));
    queue.put_back(FIRST, work);
    assert!(refused(outcome.try_recv()), "what was not sent cannot be sent any more");
    let (late, mut of_late) = queued("{}");
    queue.again(FIRST, vec![(Unit { route: Route::Any, kind: Kind::Single(late) }, Duration::from_secs(9))]);
    assert!(refused(of_late.try_recv()));
    let (pushed, mut of_pushed) = queued("{}");
    push(&queue, Kind::Single(pushed));
    assert!(refused(of_pushed.try_recv()));
    assert_eq!(queue.counts().waiting, 0);
}

#[test]
fn calls_that_wait_with_handles_of_the_only_process_stay_with_it_when_another_one_comes() {
    let queue = served();
    let (first, second) = (awaited(r#"{"h":"calc.g1.1.aa"}"#), awaited("{}"));
    let bound = first.id;
    push(&queue, Kind::Single(first));
    push(&queue, Kind::Single(second));
    queue.join(SECOND, true);
    assert!(!ids(&take(&queue, SECOND).unwrap()).contains(&bound));
    let work = take(&queue, FIRST).unwrap();
    assert_eq!((ids(&work), work.route), (vec![bound], Route::Generation(1)));
}

#[test]
fn what_is_put_back_goes_where_its_handles_live_also_if_another_process_has_come_meanwhile() {
    let queue = served();
    push(&queue, Kind::Single(awaited(r#"{"h":"calc.g1.1.aa"}"#)));
    let work = take(&queue, FIRST).unwrap();
    queue.join(SECOND, true);
    queue.put_back(FIRST, work);
    assert!(take(&queue, SECOND).is_none());
    assert!(take(&queue, FIRST).is_some());
}

#[test]
fn a_call_whose_client_has_little_patience_goes_behind_no_other_and_not_when_it_is_over() {
    let queue = served();
    let until = Some(Instant::now() + Duration::from_mins(1));
    push(&queue, single());
    push(&queue, Kind::Single(Queued { until, ..awaited("{}") }));
    push(&queue, single());
    assert_eq!([take_calls(&queue), take_calls(&queue), take_calls(&queue)], [1, 2, 0]);
    let (late, mut outcome) = queued("{}");
    push(&queue, Kind::Single(Queued { until: Some(Instant::now()), ..late }));
    assert_eq!(take_calls(&queue), 0);
    assert!(matches!(outcome.try_recv(), Ok(Err(Failure::NotInTime { .. }))));
}

/// Whether a lane that waits for what any may take is woken.
async fn is_woken(queue: &Queue) -> bool {
    tokio::time::timeout(Duration::from_millis(1), queue.arrival()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_takes_something_of_its_own_leaves_the_rest_to_another_that_it_wakes() {
    let queue = served();
    queue.push(single(), Some(FIRST)).unwrap();
    push(&queue, single());
    assert!(is_woken(&queue).await, "the first one");
    assert_eq!(take(&queue, FIRST).unwrap().route, Route::Lane(FIRST));
    assert!(is_woken(&queue).await, "it is busy now: somebody else must know");
    assert!(take(&queue, SECOND).is_some());
    assert!(!is_woken(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_goes_or_stands_by_hands_its_wake_up_on() {
    let queue = served();
    push(&queue, single());
    assert!(is_woken(&queue).await);
    queue.set_active(FIRST, false);
    assert!(is_woken(&queue).await);
    queue.leave(FIRST);
    assert!(is_woken(&queue).await);
}

fn probe(queue: &Queue, lane: Lane) -> oneshot::Receiver<CallResult> {
    let (call, outcome) = queued("{}");
    queue.push_probe(Queued { is_probe: true, ..call }, lane.generation).unwrap();
    outcome
}

#[test]
fn a_probe_runs_in_its_process_alone_and_is_none_of_the_librarys_calls() {
    let queue = served();
    queue.join(SECOND, false);
    push(&queue, single());
    let _outcome = probe(&queue, SECOND);
    push(&queue, single());
    assert!(!take(&queue, FIRST).unwrap().is_probe());
    let work = queue.take(SECOND, false).unwrap();
    assert!(work.is_probe() && work.calls.len() == 1);
    let failure = Failure::NotInTime { waited: Duration::ZERO, reason: None };
    for call in work.calls {
        queue.end(call, Err(failure.clone()));
    }
    assert_eq!(queue.counts().failed, 0);
}

#[test]
fn a_probe_has_its_turn_among_the_calls_and_a_place_in_a_full_queue() {
    let queue = served();
    push(&queue, Kind::Batch(three(), BATCH));
    let _outcome = probe(&queue, FIRST);
    for _ in 0..LIMIT - 4 {
        push(&queue, single());
    }
    let _another = probe(&queue, FIRST);
    let order: Vec<bool> = (0..3).map(|_| take(&queue, FIRST).unwrap().is_probe()).collect();
    assert_eq!(order, [false, true, false]);
}

#[test]
fn a_probe_of_a_process_that_is_gone_runs_nowhere_else() {
    let queue = served();
    queue.join(SECOND, true);
    let (mut waits, mut taken) = (probe(&queue, FIRST), probe(&queue, FIRST));
    let work = take(&queue, FIRST).unwrap();
    queue.leave(FIRST);
    queue.put_back(FIRST, work);
    for outcome in [&mut waits, &mut taken] {
        assert!(matches!(outcome.try_recv(), Ok(Err(Failure::NoAgent { .. }))));
    }
    assert!(take(&queue, SECOND).is_none());
    let (call, _) = queued("{}");
    assert!(queue.push_probe(call, FIRST.generation).is_err());
}
