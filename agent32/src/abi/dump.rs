//! The other end of calls in tests: a function that writes down all that it gets, and returns what it is told to.

use std::cell::UnsafeCell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::plan::{Destination, Plan, Source};

#[expect(unsafe_code, reason = "the function has no signature that Rust could write down")]
mod callee;

pub(super) use callee::callee;

/// Bytes of the stack that are written down.
const STACK_BYTES: usize = 1024;

/// What the function writes and reads; its layout is what the assembly relies on.
#[repr(C)]
#[derive(Clone)]
pub(super) struct Dump {
    /// The stack pointer on entry; the return address lies there.
    pub(super) sp: usize,
    /// rax on entry: how many vector registers a variadic function is told of.
    pub(super) al: usize,
    general: [u64; 6],
    vector: [u64; 8],
    stack: [u8; STACK_BYTES],
    /// Bytes of the stack to write down.
    pub(super) wanted: usize,
    /// Bytes of arguments to remove, on i386.
    pub(super) remove: usize,
    return_address: usize,
    /// What to return: 0 in general registers, 1 a `float` and 2 a `double` on the x87 stack.
    pub(super) kind: usize,
    pub(super) general_result: [u64; 2],
    pub(super) vector_result: [u64; 2],
}

impl Dump {
    const EMPTY: Self = Self {
        sp: 0,
        al: 0,
        general: [0; 6],
        vector: [0; 8],
        stack: [0; STACK_BYTES],
        wanted: 0,
        remove: 0,
        return_address: 0,
        kind: 0,
        general_result: [0; 2],
        vector_result: [0; 2],
    };

    /// The argument block, gathered from where the plan says that its pieces are; the address for the result; and
    /// whether structures lie where their addresses say could not be seen (they are gone).
    pub(super) fn gathered(&self, plan: &Plan) -> (Vec<u8>, Option<usize>, bool) {
        let mut block = vec![0; plan.slots_bytes()];
        let (mut result, mut addresses) = (None, false);
        for (from, to) in plan.moves() {
            let bytes: Vec<u8> = match to {
                Destination::General(index) => self.general[index].to_le_bytes().to_vec(),
                Destination::Vector(index) => self.vector[index].to_le_bytes().to_vec(),
                Destination::Stack(offset) => self.stack[offset..].to_vec(),
            };
            match from {
                Source::Bytes(range) | Source::Signed(range) => {
                    block[range.clone()].copy_from_slice(&bytes[..range.len()]);
                }
                Source::Promoted(at) => {
                    let double = f64::from_le_bytes(bytes[..8].try_into().unwrap());
                    #[expect(clippy::cast_possible_truncation, reason = "it was a float")]
                    block[*at..at + 4].copy_from_slice(&(double as f32).to_le_bytes());
                }
                Source::Address(_) => addresses = true,
                Source::Result => {
                    result = Some(usize::from_le_bytes(bytes[..size_of::<usize>()].try_into().unwrap()));
                }
            }
        }
        (block, result, addresses)
    }
}

struct Shared(UnsafeCell<Dump>);

// SAFETY: it is touched only by who holds `LOCK`, and by the function that they call meanwhile.
#[expect(unsafe_code, reason = "assembly writes into a static variable")]
unsafe impl Sync for Shared {}

static DUMP: Shared = Shared(UnsafeCell::new(Dump::EMPTY));
static LOCK: Mutex<()> = Mutex::new(());

/// The right to call the function.
pub(super) struct Callee(MutexGuard<'static, ()>);

impl Callee {
    pub(super) fn lock() -> Self {
        Self(LOCK.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says what the next call shall do.
    #[expect(unsafe_code, reason = "assembly writes into a static variable")]
    pub(super) fn expect(&self, prepare: impl FnOnce(&mut Dump)) {
        let mut dump = Dump::EMPTY;
        prepare(&mut dump);
        let () = *self.0;
        assert!(dump.wanted <= STACK_BYTES);
        // SAFETY: `self` holds the lock.
        unsafe { *DUMP.0.get() = dump };
    }

    /// What the last call got.
    #[expect(unsafe_code, reason = "assembly writes into a static variable")]
    pub(super) fn dump(&self) -> Dump {
        let () = *self.0;
        // SAFETY: `self` holds the lock.
        unsafe { (*DUMP.0.get()).clone() }
    }
}
