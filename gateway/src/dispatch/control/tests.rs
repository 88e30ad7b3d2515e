//! Calls that are looked for, and ended, wherever they are on their way.

use bridge32_protocol::wire::Batch;
use tokio::sync::oneshot;

use super::super::outcome::Moment;
use super::super::queue::Next;
use super::super::queue::tests::queued;
use super::*;
use crate::agents::Exit;

type Outcome = oneshot::Receiver<CallResult>;

/// A queue with so many calls, their ids, and what they are told.
fn waiting(count: usize) -> (Queue, Vec<Uuid>, Vec<Outcome>) {
    let queue = Queue::default();
    let (mut ids, mut outcomes) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (call, outcome) = queued("{}");
        ids.push(call.id);
        outcomes.push(outcome);
        queue.push(call).unwrap();
    }
    (queue, ids, outcomes)
}

fn taken(queue: &Queue) -> Work {
    match queue.take() {
        Some(Next::Work(work)) => work,
        other => panic!("{other:?}"),
    }
}

fn execution(outcome: &mut Outcome) -> Execution {
    match outcome.try_recv() {
        Ok(Err(Failure::Cancelled { execution })) => execution,
        other => panic!("{other:?}"),
    }
}

fn is_open(outcome: &mut Outcome) -> bool {
    matches!(outcome.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

#[test]
fn a_call_that_waits_is_taken_out_and_the_others_stay() {
    let (queue, ids, mut outcomes) = waiting(3);
    assert_eq!(queue.find(ids[1]), Some(CallState::Waiting));
    assert_eq!(queue.cancel(ids[1]), Cancelled::TakenOut);
    assert_eq!(execution(&mut outcomes[1]), Execution::NotRun);
    assert_eq!((queue.find(ids[1]), queue.cancel(ids[1])), (None, Cancelled::Unknown));
    assert_eq!(queue.counts().waiting, 2);
    let left = taken(&queue).calls;
    assert_eq!(left.iter().map(|call| call.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
    assert!(is_open(&mut outcomes[0]) && is_open(&mut outcomes[2]));
}

#[test]
fn a_batch_that_waits_is_taken_out_whole() {
    let (calls, mut outcomes): (Vec<_>, Vec<_>) = (0..3).map(|_| queued("{}")).unzip();
    let id = calls[2].id;
    let queue = Queue::default();
    queue.push_batch(calls, Batch { stop_on_error: true }).unwrap();
    assert_eq!(queue.cancel(id), Cancelled::TakenOut);
    assert!(outcomes.iter_mut().all(|outcome| execution(outcome) == Execution::NotRun));
    assert!(queue.is_empty() && queue.counts().waiting == 0);
}

#[test]
fn a_call_that_was_taken_and_not_sent_is_not_sent_any_more() {
    let (queue, ids, mut outcomes) = waiting(2);
    let work = taken(&queue);
    assert_eq!(queue.find(ids[0]), Some(CallState::Waiting), "it is on its way");
    assert_eq!(queue.cancel(ids[0]), Cancelled::Ending);
    let work = queue.still_wanted(work);
    assert_eq!(work.calls.iter().map(|call| call.id).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!(execution(&mut outcomes[0]), Execution::NotRun);
    // Nor does it go back into the queue.
    assert_eq!(queue.cancel(ids[1]), Cancelled::Ending);
    queue.put_back(Next::Work(work));
    assert_eq!(execution(&mut outcomes[1]), Execution::NotRun);
    assert!(queue.is_empty() && queue.find(ids[1]).is_none());
}

#[test]
fn what_goes_back_is_found_there_and_keeps_its_order() {
    let (queue, ids, _outcomes) = waiting(3);
    let work = taken(&queue);
    assert_eq!(queue.cancel(ids[1]), Cancelled::Ending);
    queue.put_back(Next::Work(work));
    assert_eq!((queue.find(ids[0]), queue.find(ids[1])), (Some(CallState::Waiting), None));
    assert_eq!(taken(&queue).calls.iter().map(|call| call.id).collect::<Vec<_>>(), [ids[0], ids[2]]);
}

#[test]
fn the_end_of_the_process_is_that_of_the_call_that_was_cancelled() {
    let data = tempfile::tempdir().unwrap();
    let agent = crate::played::agent(data.path());
    let (queue, ids, mut outcomes) = waiting(3);
    let calls = taken(&queue).calls;
    queue.control.begins(ids[0], &agent, 1);
    assert_eq!(queue.find(ids[0]), Some(CallState::Running));
    assert_eq!(queue.cancel(ids[0]), Cancelled::Ending);
    assert_eq!(queue.cancel(ids[2]), Cancelled::Ending);
    let ended = || Err(Failure::Ended { exit: Exit::made("cancelled"), moment: Moment::Running });
    let mut calls = calls.into_iter();
    queue.end(calls.next().unwrap(), ended());
    queue.end(calls.next().unwrap(), ended());
    assert_eq!(execution(&mut outcomes[0]), Execution::MayHaveRun);
    let behind = outcomes[1].try_recv().unwrap();
    assert!(matches!(behind, Err(Failure::Ended { .. })), "it was not cancelled: {behind:?}");
    // One that has its answer before it can be ended keeps that.
    queue.end(calls.next().unwrap(), Err(Failure::QueueFull { waiting: 7 }));
    assert!(matches!(outcomes[2].try_recv(), Ok(Err(Failure::QueueFull { .. }))));
    assert!(ids.iter().all(|id| queue.find(*id).is_none()));
}

#[test]
fn what_waits_and_what_runs_is_listed() {
    let data = tempfile::tempdir().unwrap();
    let (queue, ids, _outcomes) = waiting(2);
    let _work = taken(&queue);
    queue.control.begins(ids[0], &crate::played::agent(data.path()), 1);
    let (third, _outcome) = queued("{}");
    queue.push(third).unwrap();
    let mut states: Vec<_> = queue.under_way().into_iter().map(|call| (call.id, call.state)).collect();
    states.sort_by_key(|(id, _)| *id);
    let states: Vec<_> = states.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [CallState::Running, CallState::Waiting, CallState::Waiting]);
}

#[tokio::test]
async fn a_call_that_has_waited_long_enough_is_taken_out_unless_it_runs() {
    let (queue, ids, mut outcomes) = waiting(2);
    let wait = Duration::from_millis(5);
    queue.expire(ids[0], wait);
    assert!(matches!(outcomes[0].try_recv(), Ok(Err(Failure::Waited { .. }))));
    let _work = taken(&queue);
    queue.expire(ids[1], wait);
    assert!(is_open(&mut outcomes[1]));
}
