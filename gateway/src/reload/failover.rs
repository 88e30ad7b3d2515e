//! A library that cannot be run any more is run in another way, if its table has fallbacks. Calls that wait go over to it.

use std::sync::Arc;

use super::beside::Fellows;
use super::retiring;
use crate::agents::State;
use crate::bridge::Bridge;
use crate::dispatch::{LibraryState, Pool};
use crate::libraries::Library;
use crate::observe::events::Replacement;

/// Watches over a library that is in force, if there is another way to run it.
pub fn watch(bridge: &Arc<Bridge>, library: &Arc<Library>) {
    let has_others = library.config.ways() > library.standing.place + 1;
    if let Some(pool) = library.pool().filter(|_| has_others) {
        library.queue.set_hopeful(true);
        tokio::spawn(follow(Arc::clone(bridge), library.name.clone(), Arc::clone(pool)));
    }
}

/// What has come of looking for another way to run a library.
enum Sought {
    /// The pool does not run it any more.
    Left,
    /// The pool runs it again.
    Mended,
    /// There is none that works.
    Nothing,
}

/// Follows the pool until the library is not run by it any more. Where no fallback works, none is tried again until the pool has
/// tried to run the library anew, as after a restart by hand.
async fn follow(bridge: Arc<Bridge>, name: String, pool: Arc<Pool>) {
    let mut changes = pool.changes();
    let mut is_hopeless = false;
    loop {
        changes.borrow_and_update();
        let Some(queue) = current(&bridge, &name, &pool).map(|library| Arc::clone(&library.queue)) else { return };
        match broken(&pool, &name) {
            None if is_hopeless => {
                queue.set_hopeful(true);
                is_hopeless = false;
            }
            Some(_) if !is_hopeless => match bridge.fail_over(&name, &pool).await {
                Sought::Left => return,
                Sought::Mended => {}
                Sought::Nothing => is_hopeless = true,
            },
            _ => {}
        }
        drop(queue);
        // The sender lives as long as the pool.
        let _ = changes.changed().await;
    }
}

/// The library, if that pool runs it.
fn current(bridge: &Bridge, name: &str, pool: &Arc<Pool>) -> Option<Arc<Library>> {
    let library = bridge.libraries.get(name)?;
    library.pool().is_some_and(|own| Arc::ptr_eq(own, pool)).then_some(library)
}

/// Why the pool will not run the library, unless somebody wants it so.
pub(super) fn broken(pool: &Pool, name: &str) -> Option<String> {
    match pool.state(name) {
        LibraryState::Failed(fault) => Some(fault.detail),
        LibraryState::Gone(reason) => {
            let is_drained = pool.members().iter().any(|agent| agent.view().status.state == State::Stopped);
            (!is_drained).then(|| format!("{reason}."))
        }
        LibraryState::Ready(_) | LibraryState::Waiting(_) | LibraryState::Idle(_) => None,
    }
}

impl Bridge {
    /// Runs the library in the next way that works.
    async fn fail_over(self: &Arc<Self>, name: &str, pool: &Arc<Pool>) -> Sought {
        let _one_configuration = self.reloads.configuration.read().await;
        let _turn = self.reloads.turn(pool.id()).await;
        let Some(library) = current(self, name, pool) else { return Sought::Left };
        // A restart may have mended it meanwhile.
        let Some(reason) = broken(pool, name) else { return Sought::Mended };
        let lock = Arc::clone(&library.replacing).lock_owned().await;
        let config = self.config();
        let place = library.standing.place;
        tracing::error!(library = name, way = place, reason, "the library cannot be run: a fallback is started");
        let passed_over = library.standing.passed_over.iter().cloned().chain([reason]).collect();
        let names = vec![name.to_owned()];
        let ways = place + 1..library.config.ways();
        let order = Fellows { needed: names.clone(), names, ways, passed_over, load: true };
        match self.start_beside(&config, &order, &library.places).await {
            Ok(new) => {
                drop(library);
                let old = self.libraries.swap(&new, &[]);
                drop(lock);
                for library in &new {
                    tracing::warn!(library = name, way = library.standing.place, "a fallback is in force");
                    watch(self, library);
                }
                retiring::retire(self, &old, "a fallback has taken its place");
                self.observer.replaced(Replacement::Fallback, Some(name), None);
                Sought::Left
            }
            Err(reason) => {
                tracing::error!(library = name, reason, "no fallback works");
                library.queue.set_hopeful(false);
                self.observer.replaced(Replacement::Fallback, Some(name), Some(reason));
                Sought::Nothing
            }
        }
    }
}
