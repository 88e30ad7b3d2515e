//! The end of libraries that were replaced or taken out: whoever uses one goes on with it for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::beside::pools;
use crate::bridge::Bridge;
use crate::dispatch::{LibraryState, Pool, Successor};
use crate::libraries::Library;

/// How often it is looked whether a library is still used. Nobody waits for that.
const LOOK: Duration = Duration::from_millis(20);

/// Ends the processes of libraries that are not in the table any more, but for those that another one of the table has.
pub(super) fn retire(bridge: &Arc<Bridge>, old: &[Arc<Library>], reason: &'static str) {
    let current = bridge.libraries.all();
    for pool in pools(old.iter()) {
        let runs_here = |library: &&Arc<Library>| library.pool().is_some_and(|own| Arc::ptr_eq(own, &pool));
        let members: Vec<Arc<Library>> = old.iter().filter(runs_here).cloned().collect();
        if current.iter().any(|library| runs_here(&library)) {
            // Of those that have left it alone, what waits goes on elsewhere.
            for library in &members {
                hand_over(bridge, library);
            }
        } else {
            tokio::spawn(leave(Arc::clone(bridge), pool, members, reason));
        }
    }
}

async fn leave(bridge: Arc<Bridge>, pool: Arc<Pool>, members: Vec<Arc<Library>>, reason: &'static str) {
    let spec = pool.spec();
    let until = Instant::now() + spec.running.drain;
    // A process that somebody else starts runs the next library only when this one has ended.
    if spec.runtime.is_some() {
        while Instant::now() < until && members.iter().any(is_used) {
            tokio::time::sleep(LOOK).await;
        }
    }
    for library in members {
        hand_over(&bridge, &library);
    }
    pool.retire(until.saturating_duration_since(Instant::now()), reason).await;
    tracing::info!(pool = pool.id(), "what was replaced has ended");
}

/// Whether it runs something, or somebody is about to call it. One that has no process has nothing to wait for.
fn is_used(library: &Arc<Library>) -> bool {
    let Some(pool) = library.pool() else { return false };
    let is_held = Arc::strong_count(library) > 1;
    matches!(pool.state(&library.name), LibraryState::Ready(_)) && (is_held || !library.queue.is_calm())
}

fn hand_over(bridge: &Bridge, library: &Library) {
    let Some(successor) = bridge.libraries.get(&library.name) else { return };
    // The same processes under another table have the same queue.
    if !Arc::ptr_eq(&successor.queue, &library.queue) {
        let (queue, interface) = (Arc::clone(&successor.queue), Arc::clone(&successor.interface));
        library.queue.hand_over(Successor { queue, interface });
    }
}
