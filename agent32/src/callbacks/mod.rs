//! Callbacks: function pointers that the bridge hands to a library in a client's name.
//!
//! A client cannot be asked while the library waits for an answer, so it says beforehand what to do with each invocation
//! ([`description`]); what happened is recorded, and told with the outcome of the call or streamed ([`state`]).
//!
//! A library may keep a function pointer for longer than anybody knows. So the machine code behind one is never freed: after
//! the call it goes back to a pool ([`pool`]), and one that is called while it lies there answers zero.

mod description;
mod keys;
mod pool;
mod state;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bridge32_protocol::interface::Signature;
use bridge32_protocol::wire::{CallbackView, Fault, FaultCode};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::handles::{HandleError, Handles};
use crate::marshal::Environment;
use crate::marshal::place::At;

use pool::{Closure, Pool};
pub use state::{Events, State};

/// The callbacks of one library.
#[derive(Debug)]
pub struct Callbacks {
    handles: Arc<Handles>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    pool: Pool,
    streamed: u64,
    /// Those that outlive their call, by number.
    live: BTreeMap<u64, (Arc<State>, Arc<Closure>)>,
}

/// A callback for a function. When it is dropped the call is over, or was not made: unless it is streamed and was passed,
/// the function pointer does nothing any more.
#[derive(Debug)]
pub struct Bound {
    callbacks: Arc<Callbacks>,
    closure: Arc<Closure>,
    state: Arc<State>,
    /// Its number, if it is streamed.
    number: Option<u64>,
    passed: AtomicBool,
}

impl Bound {
    /// What the library gets.
    pub fn address(&self) -> usize {
        self.closure.address()
    }

    /// The library gets it now.
    pub fn pass(&self) {
        self.passed.store(true, Ordering::Relaxed);
    }

    /// Appends what happened during the call.
    pub fn report(&self, json: &mut Vec<u8>) {
        self.state.report(json);
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        self.state.end_of_call();
        let passed = self.passed.load(Ordering::Relaxed);
        let mut table = self.callbacks.lock();
        match self.number {
            Some(_) if passed => return,
            Some(number) => drop(table.live.remove(&number)),
            None => {}
        }
        table.pool.give_back(&self.closure);
        drop(table);
        self.state.end();
    }
}

impl Callbacks {
    /// None yet.
    pub fn new(handles: Arc<Handles>) -> Arc<Self> {
        Arc::new(Self { handles, table: Mutex::default() })
    }

    /// Makes a function pointer that does what `description` says. `parameter` is what it is passed for.
    ///
    /// # Errors
    /// The description is wrong, or the system has no room for more function pointers.
    pub fn bind(
        self: &Arc<Self>,
        signature: &Signature,
        description: &RawValue,
        at: &At<'_>,
        parameter: &str,
        environment: &Environment<'_>,
    ) -> Result<Bound, Fault> {
        let plan = description::read(signature, description, at, self, environment)?;
        let closure = self.lock().pool.take(signature, &environment.home.layouts).map_err(|why| Fault {
            code: FaultCode::OutOfMemory,
            detail: format!("no function pointer could be made for `{at}`: {why}"),
            pointer: Some(at.pointer()),
            ran: false,
        })?;
        let number = plan.stream.then(|| {
            let mut table = self.lock();
            table.streamed += 1;
            table.streamed
        });
        let token = number.map(|number| self.handles.token(&format!("c{number}")));
        let of_closure = (signature.clone(), closure.slots().to_vec());
        let state = State::new(of_closure, plan, environment, Arc::clone(&self.handles), parameter, token);
        closure.answer_as(Some(Arc::clone(&state)));
        if let Some(number) = number {
            self.lock().live.insert(number, (Arc::clone(&state), Arc::clone(&closure)));
        }
        Ok(Bound { callbacks: Arc::clone(self), closure, state, number, passed: AtomicBool::new(false) })
    }

    /// Those that outlive their call.
    pub fn list(&self) -> Vec<CallbackView> {
        self.lock().live.values().filter_map(|(state, _)| state.view()).collect()
    }

    /// The events of one, from after `after` on.
    ///
    /// # Errors
    /// There is no such callback.
    pub fn events(&self, id: &str, after: u64) -> Result<Events, HandleError> {
        let number = self.number(id)?;
        let live = self.lock().live.get(&number).map(|(state, _)| Arc::clone(state));
        Ok(Events::new(live.ok_or_else(|| HandleError::ended(id, None))?, after))
    }

    /// The library will not call it any more. If it does, zero is the answer.
    ///
    /// # Errors
    /// There is no such callback.
    pub fn end(&self, id: &str) -> Result<(), HandleError> {
        let number = self.number(id)?;
        let mut table = self.lock();
        let (state, closure) = table.live.remove(&number).ok_or_else(|| HandleError::ended(id, None))?;
        table.pool.give_back(&closure);
        drop(table);
        state.end();
        Ok(())
    }

    /// Ends those that calls of a session have passed, and gives how many there were.
    pub fn end_session(&self, session: Uuid) -> u64 {
        let mut table = self.lock();
        let of_session = |_: &u64, (state, _): &mut (Arc<State>, Arc<Closure>)| state.session == Some(session);
        let ended: Vec<_> = table.live.extract_if(.., of_session).map(|(_, callback)| callback).collect();
        for (_, closure) in &ended {
            table.pool.give_back(closure);
        }
        drop(table);
        for (state, _) in &ended {
            state.end();
        }
        ended.len() as u64
    }

    fn number(&self, id: &str) -> Result<u64, HandleError> {
        let number = self.handles.number_in(id)?;
        let digits = number.strip_prefix('c').and_then(|digits| digits.parse().ok());
        digits.ok_or_else(|| HandleError::Unknown(format!("{id:?}")))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        lock(&self.table)
    }
}

/// Each change under these locks is complete before the next statement that can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
