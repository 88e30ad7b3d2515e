//! Where calls go on that waited in a queue whose library was replaced: to that of the library that took its place. What
//! waits has not run, so it is never run twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bridge32_protocol::wire::{Callee, Fault, FaultCode};

use super::fair::Fair;
use super::outcome::Failure;
use super::queue::Queue;
use super::unit::{Kind, Queued, Route, Unit};
use crate::interfaces::{Current, Declared};

/// The library that took the place of another one.
#[derive(Debug)]
pub struct Successor {
    /// Its queue.
    pub queue: Arc<Queue>,
    /// Its interface: functions have other numbers there.
    pub interface: Arc<Current>,
}

impl Successor {
    /// Takes what may run anywhere.
    pub(super) fn take(&self, mut unit: Unit) {
        unit.route = Route::Any;
        let declared = self.interface.get();
        let calls = match &mut unit.kind {
            Kind::Single(call) => std::slice::from_mut(call),
            Kind::Batch(calls, _) => calls.as_mut_slice(),
        };
        match calls.iter_mut().try_for_each(|call| resolve(call, &declared)) {
            Ok(()) => self.queue.adopt(unit),
            Err(failure) => self.queue.refuse(unit, &failure),
        }
    }
}

/// Has a call mean by name what it meant by a number of another interface.
fn resolve(call: &mut Queued, now: &Arc<Declared>) -> Result<(), Failure> {
    let Some(then) = call.declared.take() else { return Ok(()) };
    let at = |number: u32| usize::try_from(number).ok();
    let function = |number| at(number).and_then(|at| then.interface().functions.get(at));
    let variable = |number| at(number).and_then(|at| then.interface().variables.get(at));
    match &mut call.callee {
        Callee::Function(number) => {
            let name = function(*number).map_or("", |function| function.name.as_str());
            let (found, function) = now.function(name).ok_or_else(|| missing("function", name))?;
            (*number, call.idempotent) = (found, function.idempotent);
        }
        Callee::ReadVariable(number) | Callee::WriteVariable(number) => {
            let name = variable(*number).map_or("", |variable| variable.name.as_str());
            (*number, _) = now.variable(name).ok_or_else(|| missing("variable", name))?;
        }
        Callee::Prototype(_) | Callee::Allocate | Callee::ReadBlock | Callee::WriteBlock | Callee::FreeBlock => {}
    }
    call.declared = Some(Arc::clone(now));
    Ok(())
}

fn missing(what: &str, name: &str) -> Failure {
    let detail = format!(
        "The library was replaced while this call waited, and its headers have no {what} `{name}` any more. The call was not run."
    );
    Failure::Fault(Fault { code: FaultCode::UnknownFunction, detail, pointer: None, ran: false })
}

impl Queue {
    /// Whether nothing waits, and nothing that was sent has not come back.
    pub(crate) fn is_calm(&self) -> bool {
        self.is_empty() && self.running.is_empty()
    }

    /// From now on what may run anywhere goes on there: what waits, and what comes or comes back.
    pub(crate) fn hand_over(&self, successor: Successor) {
        let waiting = {
            let mut waiting = self.lock();
            // A queue is replaced once.
            let _ = self.successor.set(successor);
            waiting.take_if(|unit| unit.route == Route::Any)
        };
        waiting.into_iter().for_each(|unit| self.pass_on(unit));
    }

    /// Nobody takes from it any more: what waits, and what still comes, goes on elsewhere or is refused.
    pub(super) fn close(&self) {
        let waiting = {
            let mut waiting = self.lock();
            self.closed.store(true, Ordering::Relaxed);
            waiting.take_if(|_| true)
        };
        waiting.into_iter().for_each(|unit| self.pass_on(unit));
    }

    /// Gives a unit that belongs here; any other goes on elsewhere, or is refused.
    pub(super) fn here(&self, unit: Unit) -> Option<Unit> {
        let has_left = unit.route == Route::Any && self.successor.get().is_some();
        if !has_left && !self.closed.load(Ordering::Relaxed) {
            return Some(unit);
        }
        self.pass_on(unit);
        None
    }

    fn pass_on(&self, unit: Unit) {
        match (self.successor.get(), unit.route) {
            (_, Route::Lane(_)) => self.refuse(unit, &Failure::SessionLost),
            // Handles of a process that is gone are stale there, too.
            (Some(successor), _) => successor.take(unit),
            (None, _) => {
                let reason = "the library was taken out of the configuration".to_owned();
                self.refuse(unit, &Failure::NoAgent { reason, retry: false });
            }
        }
    }

    /// Takes a unit over from another queue. It had its place there already: no limit keeps it out.
    fn adopt(&self, unit: Unit) {
        self.insert(&mut self.lock(), unit, Fair::push_back);
        self.look();
    }

    /// While the library cannot be run, something else is being started that can: calls wait for it.
    pub(crate) fn set_hopeful(&self, hopeful: bool) {
        self.hopeful.store(hopeful, Ordering::Relaxed);
        self.look();
    }

    /// Whether calls wait although the library cannot be run.
    pub(crate) fn is_hopeful(&self) -> bool {
        self.hopeful.load(Ordering::Relaxed)
    }
}
