//! Which function runs on which apartment's thread, in a form that a crash handler may read at any moment: a fixed table
//! of atomics, into which names are copied. A name that is read while it is being written comes out garbled, and
//! nothing worse.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use uuid::Uuid;

use super::system::{before_call, thread_id};
use super::words::{CAPACITY, Words};

/// Lanes of one agent whose calls are named in a record: as many as the journal has slots.
const SLOTS: usize = bridge32_protocol::journal::SLOTS;

static TABLE: [Slot; SLOTS] = [const { Slot::new() }; SLOTS];

thread_local! {
    static OWN: Claim = const { Claim(Cell::new(None)) };
}

/// The 16 bytes of a trace's id, as a UUID has them: only the form in which they are kept and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(Uuid);

impl TraceId {
    /// Of a W3C `traceparent`, which the gateway has written.
    pub fn of(traceparent: &str) -> Option<Self> {
        Uuid::try_parse_ascii(traceparent.as_bytes().get(3..35)?).ok().filter(|id| !id.is_nil()).map(Self)
    }
}

/// Says, until it is dropped, that this thread runs a function of its library.
#[must_use = "the call is taken for ended when this is dropped"]
#[derive(Debug)]
pub struct Running {
    slot: Option<&'static Slot>,
    /// It stays on its thread.
    not_send: PhantomData<*const ()>,
}

impl Running {
    /// To be called right before the library is. Takes some nanoseconds; on a thread without
    /// [`prepare_thread`](super::prepare_thread) nothing is noted.
    pub fn enter(function: &str, call: &Uuid, trace: Option<TraceId>) -> Self {
        let slot = OWN.try_with(|own| own.0.get()).ok().flatten();
        if let Some(slot) = slot {
            slot.function.set(function);
            slot.call.set(call);
            slot.trace.set(&trace.map_or(Uuid::nil(), |trace| trace.0));
            slot.running.store(true, Ordering::Release);
        }
        before_call();
        Self { slot, not_send: PhantomData }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.running.store(false, Ordering::Release);
        }
    }
}

/// Gives this thread a place in the table, as long as there is one.
pub(super) fn claim(library: &str) {
    let slot = TABLE
        .iter()
        .find(|slot| slot.thread.compare_exchange(0, thread_id(), Ordering::AcqRel, Ordering::Relaxed).is_ok());
    if let Some(slot) = slot {
        slot.library.set(library);
        let earlier = OWN.try_with(|own| own.0.replace(Some(slot))).ok().flatten();
        if let Some(earlier) = earlier {
            earlier.free();
        }
    }
}

/// The place of a thread, if it is an apartment's.
pub(super) fn of_thread(thread: u32) -> Option<&'static Slot> {
    slots().find(|slot| slot.thread.load(Ordering::Acquire) == thread)
}

/// All places that are taken.
pub(super) fn slots() -> impl Iterator<Item = &'static Slot> {
    TABLE.iter().filter(|slot| slot.thread.load(Ordering::Acquire) != 0)
}

/// A thread's place; given back when the thread ends, unless it ends within a call: then it has most likely called `exit`,
/// which destroys what is local to its thread before it tells anybody else.
struct Claim(Cell<Option<&'static Slot>>);

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(slot) = self.0.get().filter(|slot| !slot.running.load(Ordering::Acquire)) {
            slot.free();
        }
    }
}

/// What is known of one apartment's thread.
#[derive(Debug)]
pub(super) struct Slot {
    /// The system's number of the thread; 0 if this place is free.
    thread: AtomicU32,
    /// `function` and `call` are those of a call that runs now.
    running: AtomicBool,
    library: Name,
    function: Name,
    call: Id,
    /// Zero where the client has named none.
    trace: Id,
}

impl Slot {
    const fn new() -> Self {
        Self {
            thread: AtomicU32::new(0),
            running: AtomicBool::new(false),
            library: Name::new(),
            function: Name::new(),
            call: Id::new(),
            trace: Id::new(),
        }
    }

    fn free(&self) {
        self.running.store(false, Ordering::Release);
        self.thread.store(0, Ordering::Release);
    }

    /// The library's name.
    pub(super) fn library(&self) -> Words {
        self.library.get()
    }

    /// The function that runs, the id of its call, and its trace where the client has named one.
    pub(super) fn call(&self) -> Option<(Words, Uuid, Option<Uuid>)> {
        if !self.running.load(Ordering::Acquire) {
            return None;
        }
        let trace = self.trace.get();
        Some((self.function.get(), self.call.get(), (!trace.is_nil()).then_some(trace)))
    }
}

/// An id that one thread sets and any handler may read.
#[derive(Debug)]
struct Id([AtomicU32; 4]);

impl Id {
    const fn new() -> Self {
        Self([const { AtomicU32::new(0) }; 4])
    }

    fn set(&self, id: &Uuid) {
        for (part, bytes) in self.0.iter().zip(id.as_bytes().as_chunks::<4>().0) {
            part.store(u32::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
    }

    fn get(&self) -> Uuid {
        let mut id = [0; 16];
        for (bytes, part) in id.as_chunks_mut::<4>().0.iter_mut().zip(&self.0) {
            *bytes = part.load(Ordering::Relaxed).to_ne_bytes();
        }
        Uuid::from_bytes(id)
    }
}

/// A name that one thread sets and any handler may read.
#[derive(Debug)]
struct Name {
    length: AtomicUsize,
    parts: [AtomicU32; CAPACITY / 4],
}

impl Name {
    const fn new() -> Self {
        Self { length: AtomicUsize::new(0), parts: [const { AtomicU32::new(0) }; CAPACITY / 4] }
    }

    /// Sets the name, cut off at [`CAPACITY`] bytes.
    fn set(&self, name: &str) {
        let bytes = &name.as_bytes()[..name.len().min(CAPACITY)];
        let (whole, rest) = bytes.as_chunks::<4>();
        for (part, bytes) in self.parts.iter().zip(whole) {
            part.store(u32::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        if let Some(part) = self.parts.get(whole.len()) {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            part.store(u32::from_ne_bytes(last), Ordering::Relaxed);
        }
        self.length.store(bytes.len(), Ordering::Relaxed);
    }

    fn get(&self) -> Words {
        let mut bytes = [0; CAPACITY];
        for (chunk, part) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(&self.parts) {
            *chunk = part.load(Ordering::Relaxed).to_ne_bytes();
        }
        let length = self.length.load(Ordering::Relaxed).min(CAPACITY);
        Words::of(&bytes[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn told() -> (String, Option<(String, Uuid)>) {
        let slot = of_thread(thread_id()).unwrap();
        (slot.library().to_string(), slot.call().map(|(function, id, _)| (function.to_string(), id)))
    }

    #[test]
    fn a_call_is_told_while_it_runs() {
        std::thread::spawn(|| {
            claim("calc");
            assert_eq!(told(), ("calc".into(), None));
            for function in ["", "f", "four", "a_longer_name"] {
                let id = Uuid::from_u128(0x1234_5678_9abc_def0_1122_3344_5566_7788);
                let running = Running::enter(function, &id, TraceId::of(TRACEPARENT));
                let trace = of_thread(thread_id()).unwrap().call().unwrap().2.unwrap();
                assert_eq!(trace.simple().to_string(), &TRACEPARENT[3..35]);
                assert_eq!(told(), ("calc".into(), Some((function.to_owned(), id))));
                drop(running);
                assert_eq!(told(), ("calc".into(), None));
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn names_of_any_length_are_cut_off_where_the_room_ends() {
        std::thread::spawn(|| {
            claim(&"x".repeat(100_000));
            let running = Running::enter(&"é".repeat(CAPACITY), &Uuid::nil(), None);
            let (library, call) = told();
            assert_eq!(library, "x".repeat(CAPACITY));
            assert_eq!(call.unwrap().0, "é".repeat(CAPACITY / 2));
            drop(running);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_that_ends_gives_its_place_back() {
        for _ in 0..3 * SLOTS {
            std::thread::spawn(|| {
                claim("first");
                claim("second");
                assert_eq!(told().0, "second");
            })
            .join()
            .unwrap();
        }
    }

    #[test]
    fn a_thread_that_is_no_apartments_has_no_place() {
        let running = Running::enter("f", &Uuid::nil(), None);
        assert!(running.slot.is_none());
        assert!(of_thread(thread_id()).is_none());
    }
}
