//! The function pointers themselves, and which of them may be used again.
//!
//! Nobody can tell whether a library still has one that a finished call passed to it. So one rests for as long as possible
//! before it is given to somebody else: the library would get that one's answers if it called so late.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bridge32_protocol::interface::{Signature, Type};

use super::lock;
use super::state::State;
use crate::abi::trampoline::Trampoline;
use crate::layout::{Layouts, StructureLayout};

/// More function pointers than these are not made: each takes memory for good.
const MAX_CLOSURES: usize = 4096;

/// So many of one signature rest before the first of them is used again.
const RESTING: usize = 256;

/// A function pointer, and what it does at the moment.
pub(super) struct Closure {
    shape: Shape,
    /// Never freed: the library may call it as long as the process lives.
    trampoline: ManuallyDrop<Trampoline>,
    current: Arc<Mutex<Option<Arc<State>>>>,
}

/// What decides whether a function pointer serves for a callback: its signature, and the structures in it by value, which
/// another interface may declare otherwise.
#[derive(Clone, Debug, PartialEq)]
struct Shape {
    signature: Signature,
    structures: Vec<StructureLayout>,
}

impl Shape {
    fn new(signature: &Signature, layouts: &Layouts) -> Self {
        let types = signature.parameters.iter().map(|parameter| &parameter.ty).chain([&signature.result]);
        let by_value = types.filter_map(|ty| if let Type::Structure(name) = ty { Some(name) } else { None });
        let structures = by_value.filter_map(|name| layouts.structure(name).ok().cloned()).collect();
        Self { signature: signature.clone(), structures }
    }
}

impl std::fmt::Debug for Closure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closure").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Closure {
    fn new(shape: Shape, layouts: &Layouts) -> Result<Self, String> {
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
        let trampoline = ManuallyDrop::new(Trampoline::new(&shape.signature, layouts, handler)?);
        Ok(Self { shape, trampoline, current })
    }

    /// What the library gets.
    pub(super) fn address(&self) -> usize {
        self.trampoline.address()
    }

    /// Where each argument lies when it is called.
    pub(super) fn slots(&self) -> &[Range<usize>] {
        self.trampoline.slots()
    }

    /// From now on it does what `state` says; with none, it answers zero.
    pub(super) fn answer_as(&self, state: Option<Arc<State>>) {
        *lock(&self.current) = state;
    }
}

/// The function pointers that no call uses now.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// Of each shape, the one that has rested longest first.
    idle: Vec<(Shape, VecDeque<Arc<Closure>>)>,
    made: usize,
}

impl Pool {
    /// A function pointer for callbacks of this signature.
    ///
    /// # Errors
    /// There are too many already, or the system gives no executable memory.
    pub(super) fn take(&mut self, signature: &Signature, layouts: &Layouts) -> Result<Arc<Closure>, String> {
        let shape = Shape::new(signature, layouts);
        let full = self.made >= MAX_CLOSURES;
        let resting = self.idle.iter_mut().find(|(other, _)| *other == shape).map(|(_, resting)| resting);
        if let Some(resting) = resting
            && (full || resting.len() >= RESTING)
            && let Some(closure) = resting.pop_front()
        {
            return Ok(closure);
        }
        if full {
            return Err(format!("there are {MAX_CLOSURES} already; restart the agent"));
        }
        let closure = Arc::new(Closure::new(shape, layouts)?);
        self.made += 1;
        Ok(closure)
    }

    /// No call uses it any more.
    pub(super) fn give_back(&mut self, closure: &Arc<Closure>) {
        closure.answer_as(None);
        if let Some((_, resting)) = self.idle.iter_mut().find(|(shape, _)| *shape == closure.shape) {
            resting.push_back(Arc::clone(closure));
        } else {
            self.idle.push((closure.shape.clone(), VecDeque::from([Arc::clone(closure)])));
        }
    }
}
