//! Callbacks: function pointers that the bridge hands to a library in a client's name.
//!
//! A client cannot be asked while the library waits for an answer, so it says beforehand what to do with each invocation
//! ([`description`]); what happened is recorded, and told with the outcome of the call or streamed ([`state`]).
//!
//! A library may keep a function pointer for longer than anybody knows. So the machine code behind one is never freed: after
//! the call it goes back to a pool, and one that is called while it lies there answers zero.

mod description;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bridge32_protocol::interface::Signature;
use bridge32_protocol::wire::{CallbackView, Fault, FaultCode};
use serde_json::value::RawValue;

use crate::abi::trampoline::Trampoline;
use crate::handles::{HandleError, Handles};
use crate::marshal::place::At;
use crate::marshal::{Environment, Home};

pub use state::{Events, State};

/// More function pointers than these are not made: each takes memory for good.
const MAX_CLOSURES: usize = 4096;

/// The callbacks of one library.
#[derive(Debug)]
pub struct Callbacks {
    handles: Arc<Handles>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Function pointers that no call uses now.
    idle: Vec<Arc<Closure>>,
    made: usize,
    streamed: u64,
    /// Those that outlive their call, by number.
    live: BTreeMap<u64, (Arc<State>, Arc<Closure>)>,
}

impl Table {
    /// The function pointer does nothing any more, and waits for its next use.
    fn retire(&mut self, closure: &Arc<Closure>) {
        *lock(&closure.current) = None;
        self.idle.push(Arc::clone(closure));
    }
}

/// A function pointer, and what it does at the moment.
struct Closure {
    signature: Signature,
    trampoline: Trampoline,
    current: Arc<Mutex<Option<Arc<State>>>>,
    /// It takes or returns a structure, whose layout belongs to one interface.
    home: Option<Arc<Home>>,
}

impl std::fmt::Debug for Closure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closure").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// A callback that is passed to a function. When it is dropped the call is over: unless it is streamed, the function
/// pointer does nothing any more.
#[derive(Debug)]
pub struct Bound {
    callbacks: Arc<Callbacks>,
    closure: Arc<Closure>,
    state: Arc<State>,
}

impl Bound {
    /// What the library gets.
    pub fn address(&self) -> usize {
        self.closure.trampoline.address()
    }

    /// Appends what happened during the call.
    pub fn report(&self, json: &mut Vec<u8>) {
        self.state.report(json);
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if self.state.end_of_call() {
            return;
        }
        self.callbacks.lock().retire(&self.closure);
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
        let id = plan.stream.then(|| {
            let mut table = self.lock();
            table.streamed += 1;
            table.streamed
        });
        let token = id.map(|number| self.handles.token(&format!("c{number}")));
        let closure = self.closure(signature, environment).map_err(|why| Fault {
            code: FaultCode::OutOfMemory,
            detail: format!("no function pointer could be made for `{at}`: {why}"),
            pointer: Some(at.pointer()),
            ran: false,
        })?;
        let slots = closure.trampoline.slots().to_vec();
        let state =
            State::new((signature.clone(), slots), plan, environment, Arc::clone(&self.handles), parameter, token);
        *lock(&closure.current) = Some(Arc::clone(&state));
        if let Some(number) = id {
            self.lock().live.insert(number, (Arc::clone(&state), Arc::clone(&closure)));
        }
        Ok(Bound { callbacks: Arc::clone(self), closure, state })
    }

    /// An idle function pointer of that signature, or a new one.
    fn closure(&self, signature: &Signature, environment: &Environment<'_>) -> Result<Arc<Closure>, String> {
        let by_value = has_structures(signature);
        let fits = |closure: &Arc<Closure>| {
            let same_home = closure.home.as_ref().is_none_or(|home| Arc::ptr_eq(home, environment.home));
            closure.signature == *signature && same_home
        };
        let mut table = self.lock();
        if let Some(index) = table.idle.iter().position(fits) {
            return Ok(table.idle.swap_remove(index));
        }
        if table.made >= MAX_CLOSURES {
            return Err(format!("there are {MAX_CLOSURES} already; restart the agent"));
        }
        let current: Arc<Mutex<Option<Arc<State>>>> = Arc::default();
        let shared = Arc::clone(&current);
        let handler = Box::new(move |arguments: &[u8], result: &mut [u8]| {
            // Not held while the invocation is told: a callback may be called from within itself.
            let state = lock(&shared).clone();
            match state {
                Some(state) => state.invoked(arguments, result),
                None => result.fill(0),
            }
        });
        let trampoline = Trampoline::new(signature, &environment.home.layouts, handler)?;
        table.made += 1;
        let home = by_value.then(|| Arc::clone(environment.home));
        Ok(Arc::new(Closure { signature: signature.clone(), trampoline, current, home }))
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
        table.retire(&closure);
        drop(table);
        state.end();
        Ok(())
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

fn has_structures(signature: &Signature) -> bool {
    use bridge32_protocol::interface::Type;
    let types = signature.parameters.iter().map(|parameter| &parameter.ty).chain([&signature.result]);
    types.into_iter().any(|ty| matches!(ty, Type::Structure(_) | Type::Array(_)))
}

/// Each change under these locks is complete before the next statement that can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
