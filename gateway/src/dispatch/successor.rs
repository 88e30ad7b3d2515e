//! Where calls go on that waited in a queue whose library was replaced: to that of the library that took its place. What
//! waits has not run, so it is never run twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bridge32_protocol::wire::{Callee, Fault, FaultCode};

use super::fair::Fair;
use super::outcome::Failure;
use super::queue::{Queue, not_there};
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
        for unit in waiting {
            self.pass_on(unit);
        }
    }

    /// Nobody takes from it any more: what waits, and what still comes, goes on elsewhere or is refused.
    pub(super) fn close(&self) {
        let waiting = {
            let mut waiting = self.lock();
            self.closed.store(true, Ordering::Relaxed);
            waiting.take_if(|_| true)
        };
        for unit in waiting {
            self.pass_on(unit);
        }
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
            // Another process would answer for the one that is asked.
            (_, Route::Process(_)) => self.refuse(unit, &not_there()),
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

#[cfg(test)]
mod tests {
    use bridge32_protocol::target::Target;
    use tokio::sync::oneshot;

    use super::super::outcome::CallResult;
    use super::super::queue::tests::{queue, queued};
    use super::super::unit::{Lane, Queued};
    use super::*;
    use crate::interfaces::{HeaderText, Origin};
    use crate::libraries::tests::library;

    const LANE: Lane = Lane { generation: 1, number: 0 };
    const NEXT: Lane = Lane { generation: 2, number: 0 };

    fn declares(header: &str) -> Arc<Declared> {
        let texts = vec![HeaderText { name: "calc.h".to_owned(), text: header.as_bytes().to_vec() }];
        let config = library("").config;
        Arc::new(Declared::read(1, texts, Origin::Configured, &config, Some(Target::Linux32)))
    }

    /// A call of that function, as the interface numbers it.
    fn call(declared: &Arc<Declared>, function: &str) -> (Kind, oneshot::Receiver<CallResult>) {
        let (call, outcome) = queued("{}");
        let (number, _) = declared.function(function).unwrap();
        let declared = Some(Arc::clone(declared));
        (Kind::Single(Queued { callee: Callee::Function(number), declared, ..call }), outcome)
    }

    fn successor(header: &str) -> (Arc<Queue>, Successor) {
        let next = Arc::new(queue());
        next.join(NEXT, true);
        let library = library(header);
        (Arc::clone(&next), Successor { queue: next, interface: library.interface })
    }

    fn functions(queue: &Queue) -> Vec<String> {
        let Some(work) = queue.take(NEXT, true) else { return Vec::new() };
        let declared = work.declared.clone().unwrap();
        let name = |call: &Queued| match call.callee {
            Callee::Function(number) => declared.interface().functions[number as usize].name.clone(),
            _ => panic!("{:?}", call.callee),
        };
        work.calls.iter().map(name).collect()
    }

    #[test]
    fn what_waits_and_what_still_comes_means_the_same_function_of_the_other_library() {
        let old = queue();
        let lane = old.join(LANE, true);
        let then = declares("int A(void); int B(void); int Gone(void);");
        let (waits, _one) = call(&then, "B");
        old.push(waits, None).unwrap();
        let (bound, _two) = call(&then, "A");
        old.push(bound, Some(LANE)).unwrap();
        let (gone, mut lost) = call(&then, "Gone");
        old.push(gone, None).unwrap();
        let (next, to) = successor("int New(void); int B(void); int A(void);");
        old.hand_over(to);
        assert_eq!(functions(&next), ["B"], "A belongs to a session, which goes on where it is");
        let Ok(Err(Failure::Fault(fault))) = lost.try_recv() else { panic!("it is refused") };
        assert!(fault.detail.contains("`Gone`") && !fault.ran, "{fault:?}");
        let (later, _three) = call(&then, "A");
        old.push(later, None).unwrap();
        assert_eq!(functions(&next), ["A"]);
        assert_eq!(old.take(LANE, true).map(|work| work.calls.len()), Some(1), "that of the session");
        drop(lane);
    }

    #[test]
    fn what_comes_back_to_a_queue_that_was_closed_goes_on_and_its_sessions_are_lost() {
        let old = queue();
        old.join(LANE, true);
        let then = declares("int A(void);");
        let (sent, _one) = call(&then, "A");
        old.push(sent, None).unwrap();
        let work = old.take(LANE, true).unwrap();
        let (bound, mut lost) = call(&then, "A");
        old.push(bound, Some(LANE)).unwrap();
        let (next, to) = successor("int A(void);");
        old.hand_over(to);
        assert!(!old.is_calm());
        old.put_back(LANE, work);
        assert_eq!(functions(&next), ["A"], "it was taken, and never sent");
        old.close();
        assert!(matches!(lost.try_recv(), Ok(Err(Failure::SessionLost))));
        assert!(old.is_calm());
    }

    #[test]
    fn without_a_successor_a_queue_that_was_closed_refuses() {
        let old = queue();
        let then = declares("int A(void);");
        let ((waits, mut one), (late, mut two)) = (call(&then, "A"), call(&then, "A"));
        old.push(waits, None).unwrap();
        old.close();
        old.push(late, None).unwrap();
        for outcome in [&mut one, &mut two] {
            assert!(matches!(outcome.try_recv(), Ok(Err(Failure::NoAgent { retry: false, .. }))));
        }
        assert!(old.is_empty());
    }

    #[test]
    fn a_batch_goes_over_as_a_whole_or_not_at_all() {
        let old = queue();
        let then = declares("int A(void); int B(void);");
        let single = |function| match call(&then, function) {
            (Kind::Single(call), outcome) => (call, outcome),
            _ => unreachable!("it is one"),
        };
        let ((first, mut one), (second, mut two)) = (single("A"), single("B"));
        let batch = bridge32_protocol::wire::Batch { stop_on_error: true };
        old.push(Kind::Batch(vec![first, second], batch), None).unwrap();
        let (next, to) = successor("int A(void);");
        old.hand_over(to);
        assert!(functions(&next).is_empty());
        assert!(matches!((one.try_recv(), two.try_recv()), (Ok(Err(Failure::Fault(_))), Ok(Err(Failure::Fault(_))))));
    }
}
