//! What the queue takes, in which order, and what it refuses.

use bridge32_interface::Header;
use bytes::Bytes;

use super::*;
use crate::interfaces::Origin;

pub(in crate::dispatch) fn queued(args: &str) -> (Queued, oneshot::Receiver<CallResult>) {
    let (reply, outcome) = oneshot::channel();
    let args = Arguments::parse(&Bytes::copy_from_slice(args.as_bytes())).unwrap();
    let (id, deadline) = (Uuid::now_v7(), Duration::from_secs(5));
    let (declared, since) = (Some(interface(1)), Instant::now());
    let callee = Callee::Function(7);
    (Queued { id, callee, args, deadline, declared, since, wait: None, owner: None, reply }, outcome)
}

/// One whose answer somebody waits for as long as the test runs.
fn awaited(args: &str) -> Queued {
    let (call, outcome) = queued(args);
    std::mem::forget(outcome);
    call
}

pub(in crate::dispatch) fn interface(revision: u32) -> Arc<Declared> {
    Arc::new(Declared::new(revision, Header::default(), Vec::new(), Origin::Configured))
}

fn take_work(queue: &Queue) -> Work {
    match queue.take() {
        Some(Next::Work(work)) => work,
        None => Work { calls: Vec::new(), batch: None, declared: None },
        Some(Next::Interface(_)) => panic!("an interface is next"),
    }
}

fn count(units: &[Unit]) -> usize {
    units.iter().map(|unit| unit.calls().len()).sum()
}

#[test]
fn a_list_takes_what_waits_up_to_the_limits() {
    let queue = Queue::default();
    for _ in 0..300 {
        queue.push(awaited("{}")).unwrap();
    }
    let taken = || take_work(&queue).calls.len();
    assert_eq!((taken(), taken(), taken()), (256, 44, 0));
    let large = format!("{{\"s\":\"{}\"}}", "x".repeat(MAX_LIST_BYTES));
    for args in ["{}", &large, "{}"] {
        queue.push(awaited(args)).unwrap();
    }
    let taken = || take_work(&queue).calls.len();
    assert_eq!((taken(), taken(), taken()), (1, 1, 1));
}

#[test]
fn a_call_with_a_time_of_its_own_goes_alone() {
    let queue = Queue::default();
    for wait in [None, Some(Duration::from_secs(1)), None, None] {
        queue.push(Queued { wait, ..awaited("{}") }).unwrap();
    }
    let taken = || take_work(&queue).calls.len();
    assert_eq!((taken(), taken(), taken()), (1, 1, 2));
}

#[test]
fn a_full_queue_refuses_and_what_is_put_back_comes_first() {
    let queue = Queue::default();
    for _ in 0..MAX_WAITING {
        queue.push(awaited("{}")).unwrap();
    }
    assert!(matches!(queue.push(awaited("{}")), Err(Failure::QueueFull { waiting: MAX_WAITING })));
    let work = take_work(&queue);
    let before = ids(&work);
    queue.put_back(Next::Work(work));
    assert_eq!(ids(&take_work(&queue)), before);
}

fn ids(work: &Work) -> Vec<Uuid> {
    work.calls.iter().map(|call| call.id).collect()
}

fn three() -> Vec<Queued> {
    (0..3).map(|_| awaited("{}")).collect()
}

const BATCH: Batch = Batch { stop_on_error: true };

#[test]
fn a_batch_is_taken_whole_and_alone() {
    let queue = Queue::default();
    queue.push(awaited("{}")).unwrap();
    queue.push(awaited("{}")).unwrap();
    queue.push_batch(three(), BATCH).unwrap();
    queue.push_batch(three(), Batch { stop_on_error: false }).unwrap();
    queue.push(awaited("{}")).unwrap();
    assert_eq!(queue.counts().waiting, 9);
    let taken = || {
        let work = take_work(&queue);
        (work.calls.len(), work.batch.map(|batch| batch.stop_on_error))
    };
    assert_eq!([taken(), taken(), taken(), taken()], [(2, None), (3, Some(true)), (3, Some(false)), (1, None)]);
    assert_eq!(queue.counts().waiting, 0);
}

#[test]
fn a_batch_that_was_not_sent_is_a_batch_again() {
    let queue = Queue::default();
    queue.push_batch(three(), BATCH).unwrap();
    queue.push(awaited("{}")).unwrap();
    let work = take_work(&queue);
    let before = ids(&work);
    queue.put_back(Next::Work(work));
    let again = take_work(&queue);
    assert_eq!((ids(&again), again.batch), (before, Some(BATCH)));
}

#[test]
fn a_batch_that_does_not_fit_whole_is_refused_whole() {
    let queue = Queue::default();
    for _ in 0..MAX_WAITING - 2 {
        queue.push(awaited("{}")).unwrap();
    }
    assert!(matches!(queue.push_batch(three(), BATCH), Err(Failure::QueueFull { .. })));
    assert_eq!((queue.counts().waiting, queue.counts().failed), (MAX_WAITING - 2, 3));
    queue.push(awaited("{}")).unwrap();
}

#[test]
fn a_batch_expires_as_one() {
    let queue = Queue::default();
    let mut calls = three();
    calls[0].deadline = Duration::ZERO;
    queue.push_batch(calls, BATCH).unwrap();
    queue.push_batch(three(), BATCH).unwrap();
    let down = Instant::now();
    assert_eq!(count(&queue.take_expired(down, down)), 3);
    assert_eq!(queue.counts().waiting, 3);
}

#[test]
fn work_on_memory_is_not_counted_as_a_call() {
    let queue = Queue::default();
    let answer = || Err(Failure::QueueFull { waiting: 0 });
    let (mut block, _outcome) = queued("{}");
    block.callee = Callee::FreeBlock;
    queue.end(block, answer());
    assert_eq!(queue.counts().failed, 0);
    queue.end(awaited("{}"), answer());
    assert_eq!(queue.counts().failed, 1);
}

#[test]
fn only_what_is_overdue_expires() {
    let queue = Queue::default();
    let (mut late, _outcome) = queued("{}");
    late.deadline = Duration::ZERO;
    queue.push(awaited("{}")).unwrap();
    queue.push(late).unwrap();
    let down = Instant::now();
    assert_eq!(queue.next_expiry(down), Some(down));
    assert_eq!(count(&queue.take_expired(down, down)), 1);
    assert!(!queue.is_empty());
}

#[test]
fn calls_that_mean_different_interfaces_do_not_go_together_and_others_go_with_any() {
    let queue = Queue::default();
    for revision in [Some(1), None, Some(1), Some(2), None, Some(1)] {
        let mut call = awaited("{}");
        call.declared = revision.map(interface);
        queue.push(call).unwrap();
    }
    let taken = || {
        let work = take_work(&queue);
        (work.calls.len(), work.declared.map(|declared| declared.revision))
    };
    assert_eq!([taken(), taken(), taken()], [(3, Some(1)), (2, Some(2)), (1, Some(1))]);
}

#[test]
fn an_interface_waits_for_its_turn_and_comes_first_when_it_is_put_back() {
    let queue = Queue::default();
    let (done, mut outcome) = oneshot::channel();
    let patience = Duration::from_secs(5);
    queue.push(awaited("{}")).unwrap();
    queue.push_interface(Replacement { declared: interface(2), patience, since: Instant::now(), done });
    queue.push(awaited("{}")).unwrap();
    assert_eq!(queue.counts().waiting, 2);
    assert_eq!(take_work(&queue).calls.len(), 1);
    let Some(next @ Next::Interface(_)) = queue.take() else { panic!("the interface is next") };
    queue.put_back(next);
    assert!(matches!(queue.take(), Some(Next::Interface(replacement)) if replacement.declared.revision == 2));
    assert_eq!(take_work(&queue).calls.len(), 1);
    assert!(outcome.try_recv().is_err());
}

#[test]
fn of_several_interfaces_that_wait_only_the_last_one_is_left() {
    let queue = Queue::default();
    let push = |revision| {
        let (done, outcome) = oneshot::channel();
        let (declared, patience, since) = (interface(revision), Duration::from_secs(5), Instant::now());
        queue.push_interface(Replacement { declared, patience, since, done });
        outcome
    };
    let mut first = push(2);
    queue.push(awaited("{}")).unwrap();
    let _second = push(3);
    assert!(matches!(first.try_recv(), Ok(Ok(()))));
    assert_eq!((take_work(&queue).calls.len(), queue.counts().waiting), (1, 0));
    assert!(matches!(queue.take(), Some(Next::Interface(replacement)) if replacement.declared.revision == 3));
    assert!(queue.take().is_none());
}

#[test]
fn what_nobody_waits_for_any_more_is_not_run() {
    let queue = Queue::default();
    let (call, outcome) = queued("{}");
    queue.push(call).unwrap();
    let (batched, of_batch) = queued("{}");
    queue.push_batch(vec![batched, awaited("{}")], BATCH).unwrap();
    queue.push(awaited("{}")).unwrap();
    drop((outcome, of_batch));
    let Some(Next::Work(work)) = queue.take() else { panic!("there is work") };
    assert_eq!((work.calls.len(), work.batch.is_some()), (2, true), "somebody waits for a part of the batch");
    assert_eq!(take_work(&queue).calls.len(), 1);
    assert_eq!((queue.counts().failed, queue.counts().waiting), (1, 0));
}
