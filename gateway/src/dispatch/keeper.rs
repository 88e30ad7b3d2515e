//! Looks after what waits in a queue while there is nobody who could run it, and after what waits for a moment.

use std::sync::Arc;

use bridge32_protocol::wire::Fault;
use tokio::time::Instant;

use super::outcome::Failure;
use super::pool::{LibraryState, Pool};
use super::queue::Queue;

/// Keeps the queue for as long as there is the pool.
pub(super) async fn run(queue: Arc<Queue>, pool: Arc<Pool>) {
    let mut changes = pool.changes();
    // Since when calls have found no agent.
    let mut down = None;
    while !pool.is_retired() {
        changes.borrow_and_update();
        let state = pool.state(queue.library());
        // Before the queue is looked at: what comes from now on is announced.
        queue.set_attended(matches!(state, LibraryState::Ready(_)));
        let reason = match state {
            LibraryState::Waiting(reason) | LibraryState::Idle(reason) => {
                down.get_or_insert_with(Instant::now);
                if !queue.is_empty() {
                    pool.want();
                }
                Some(reason)
            }
            LibraryState::Ready(_) => None,
            LibraryState::Failed(Fault { detail: reason, .. }) | LibraryState::Gone(reason) if queue.is_hopeful() => {
                down.get_or_insert_with(Instant::now);
                Some(reason)
            }
            LibraryState::Failed(fault) => {
                refuse_all(&queue, &Failure::NotLoaded(fault));
                None
            }
            LibraryState::Gone(reason) => {
                refuse_all(&queue, &Failure::NoAgent { reason, retry: false });
                None
            }
        };
        if reason.is_none() {
            down = None;
        }
        let now = Instant::now();
        queue.wake_delayed(now);
        for unit in queue.take_expired(now, down) {
            let failure = unit.overdue(now, reason.as_deref().unwrap_or_default());
            queue.refuse(unit, &failure);
        }
        let next = queue.next_moment(down);
        tokio::select! {
            () = queue.attention() => {}
            // The sender lives as long as the pool, which this task holds.
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(next.unwrap_or(now)), if next.is_some() => {}
        }
    }
    queue.close();
}

fn refuse_all(queue: &Queue, failure: &Failure) {
    queue.take_all().into_iter().for_each(|unit| queue.refuse(unit, failure));
}
