//! The handles of one library: tokens for pointers that clients hold, and the blocks of memory that outlive a call.
//!
//! An address never leaves the agent. A token is `{library}.g{generation}.{number}.{tag}`: the generation makes one of
//! another start stale, and nobody guesses the tag of another. The same pointer of the same kind has one token, so that
//! clients can compare them.

mod memory;
mod session;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bridge32_protocol::wire::HandleView;
use uuid::Uuid;

use crate::marshal::arena::OutOfMemory;

use memory::Memory;
pub use session::Owned;

/// What every kind of handle goes with.
const UNIVERSAL: [&str; 3] = ["void", "HANDLE", MEMORY];

/// The kind of a block of memory.
pub const MEMORY: &str = "memory";

/// More live handles than these are a leak: a 32-bit process cannot hold much more.
const MAX_LIVE: usize = 1 << 20;

/// So many ended handles are remembered, for what is said of them.
const MAX_REMEMBERED: usize = 10_000;

/// Why a token cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// It was good once.
    #[error("the handle {token} is not valid any more: {why}; get a new one from the function that made it")]
    Stale {
        /// The token.
        token: String,
        /// What has ended it.
        why: String,
    },
    /// It never was.
    #[error("{0} is no handle of this library; pass the token that an earlier call answered, unchanged")]
    Unknown(String),
    /// It is another library's.
    #[error("the handle {token} belongs to the library `{library}`; handles cannot be passed between libraries")]
    Foreign {
        /// The token.
        token: String,
        /// Whose it is.
        library: String,
    },
    /// It stands for something else.
    #[error("the handle {token} is a `{kind}`, and a `{wanted}` is needed here")]
    WrongKind {
        /// The token.
        token: String,
        /// What it stands for.
        kind: String,
        /// What it should stand for.
        wanted: String,
    },
    /// It is not a block of memory.
    #[error(
        "the handle {0} is a pointer of the library, not a block of memory that was made through the bridge: how much lies \
         behind it is not known"
    )]
    NotMemory(String),
}

impl HandleError {
    /// The same, where the token must not be repeated.
    #[must_use]
    pub fn without_token(self) -> Self {
        let token = "that was given".to_owned();
        match self {
            Self::Stale { why, .. } => Self::Stale { token, why },
            Self::WrongKind { kind, wanted, .. } => Self::WrongKind { token, kind, wanted },
            Self::NotMemory(_) => Self::NotMemory(token),
            // Whose it is was read from it.
            Self::Unknown(_) | Self::Foreign { .. } => Self::Unknown("a sensitive value".to_owned()),
        }
    }

    /// Of another start, also a later one: all processes that run the library are numbered together. Whoever sends calls here
    /// knows those that live, and sends there what is theirs.
    fn of_another_start(token: &str) -> Self {
        let why = "the process of the library that it was made in has ended".to_owned();
        Self::Stale { token: token.to_owned(), why }
    }

    /// Of this start, and ended.
    pub fn ended(token: &str, why: Option<&str>) -> Self {
        let why = why.unwrap_or("it has been closed").to_owned();
        Self::Stale { token: token.to_owned(), why }
    }
}

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The address, or the number of the operating system.
    pub address: usize,
    /// The bytes of a block of memory.
    pub size: Option<usize>,
    /// Its number among the handles.
    pub number: u64,
    /// Keeps a block of memory.
    pub hold: Option<Hold>,
}

/// Keeps a block of memory for as long as somebody works with it: another lane may free it meanwhile.
#[derive(Clone, Debug)]
pub struct Hold {
    memory: Arc<Memory>,
    /// Its number among the handles.
    pub number: u64,
}

impl PartialEq for Hold {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.memory, &other.memory)
    }
}

impl Eq for Hold {}

impl Hold {
    /// Bytes of the block.
    pub fn size(&self) -> usize {
        self.memory.size
    }

    /// A copy of a part of it; `None` if that reaches beyond its end.
    pub fn read(&self, part: Range<usize>) -> Option<Vec<u8>> {
        self.memory.read(part.start, part.end.checked_sub(part.start)?)
    }

    /// Writes `data` from `offset` on; `None` if it reaches beyond its end.
    pub fn write(&self, offset: usize, data: &[u8]) -> Option<()> {
        self.memory.write(offset, data)
    }

    /// Whether somebody has written past its end. Told once: the guard is renewed.
    pub fn take_overrun(&self) -> bool {
        self.memory.take_overrun()
    }
}

/// Where a handle comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// What it points to.
    pub kind: &'a str,
    /// The function that gave it out.
    pub function: &'a str,
    /// The function that closes it.
    pub freed_by: Option<&'a str>,
    /// The session of the call.
    pub session: Option<Uuid>,
}

/// The handles of one library in one generation of its agent.
#[derive(Debug)]
pub struct Handles {
    library: String,
    generation: u64,
    /// Makes tags that nobody can guess.
    secret: RandomState,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    issued: u64,
    live: HashMap<u64, Handle>,
    /// By address, and where several kinds share one, by number.
    by_address: BTreeMap<usize, Vec<u64>>,
    /// What has ended the last ones that have ended.
    closed: BTreeMap<u64, String>,
}

impl Table {
    /// Why a handle that was given out is not live.
    fn ended(&self, number: u64, token: &str) -> HandleError {
        HandleError::ended(token, self.closed.get(&number).map(String::as_str))
    }

    /// Ends the handles of these addresses.
    fn retire(&mut self, addresses: std::ops::RangeInclusive<usize>, why: &str) {
        let ended: Vec<usize> = self.by_address.range(addresses).map(|(address, _)| *address).collect();
        for number in ended.iter().filter_map(|address| self.by_address.remove(address)).flatten().collect::<Vec<_>>() {
            self.live.remove(&number);
            self.closed.insert(number, why.to_owned());
        }
        while self.closed.len() > MAX_REMEMBERED {
            self.closed.pop_first();
        }
    }

    /// The handle that a pointer has already: one of the same kind, or any where nothing is said of the kind.
    fn known(&self, address: usize, kind: &str) -> Option<u64> {
        let numbers = self.by_address.get(&address)?;
        let same = |number: &&u64| kind == "void" || self.live.get(*number).is_some_and(|handle| handle.kind == kind);
        numbers.iter().find(same).copied()
    }
}

#[derive(Debug)]
struct Handle {
    address: usize,
    kind: String,
    origin: Option<String>,
    freed_by: Option<String>,
    since: Instant,
    memory: Option<Arc<Memory>>,
    /// At whose end it is released.
    session: Option<Uuid>,
}

impl Handles {
    /// None yet.
    pub fn new(library: &str, generation: u64) -> Self {
        let (library, secret) = (library.to_owned(), RandomState::new());
        Self { library, generation, secret, table: Mutex::default() }
    }

    /// The library that they are for.
    pub fn library(&self) -> &str {
        &self.library
    }

    /// The token of a thing of this agent: also of callbacks, whose `number` has another form.
    pub fn token(&self, number: &str) -> String {
        let tag = self.secret.hash_one(number) & 0xffff_ffff_ffff;
        format!("{}.g{}.{number}.{tag:012x}", self.library, self.generation)
    }

    /// The number in a token of this library and generation.
    ///
    /// # Errors
    /// It is no such token.
    pub fn number_in<'t>(&self, token: &'t str) -> Result<&'t str, HandleError> {
        let unknown = || HandleError::Unknown(format!("{:?}", crate::marshal::shortened(token)));
        let mut parts = token.rsplitn(4, '.');
        let (_tag, number, generation, library) = (parts.next(), parts.next(), parts.next(), parts.next());
        let (Some(number), Some(generation), Some(library)) = (number, generation, library) else {
            return Err(unknown());
        };
        let generation: u64 =
            generation.strip_prefix('g').and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?;
        if library != self.library {
            return Err(HandleError::Foreign { token: token.to_owned(), library: library.to_owned() });
        }
        if generation != self.generation {
            return Err(HandleError::of_another_start(token));
        }
        if self.token(number) != token {
            return Err(unknown());
        }
        Ok(number)
    }

    /// The token for a pointer of the library's; the same one if it has one already. What is given out to two sessions, or to
    /// a session and to others, is nobody's: none of them may end it under the other.
    ///
    /// # Errors
    /// Too many are live.
    pub fn issue(&self, address: usize, origin: Origin<'_>) -> Result<String, OutOfMemory> {
        let mut table = self.lock();
        if let Some(number) = table.known(address, origin.kind) {
            if let Some(handle) = table.live.get_mut(&number) {
                handle.session = handle.session.filter(|owner| Some(*owner) == origin.session);
                if handle.freed_by.is_none() {
                    handle.freed_by = origin.freed_by.map(str::to_owned);
                }
            }
            return Ok(self.token(&number.to_string()));
        }
        let handle = Handle {
            address,
            kind: origin.kind.to_owned(),
            origin: Some(origin.function.to_owned()),
            freed_by: origin.freed_by.map(str::to_owned),
            since: Instant::now(),
            memory: None,
            session: origin.session,
        };
        self.insert(&mut table, handle)
    }

    /// A new block of memory with these first bytes, and its token.
    ///
    /// # Errors
    /// The process has no room for it.
    pub fn allocate(&self, size: usize, data: &[u8], session: Option<Uuid>) -> Result<String, OutOfMemory> {
        let memory = Arc::new(Memory::new(size, data)?);
        let (address, kind, since) = (memory.address, MEMORY.to_owned(), Instant::now());
        let (origin, freed_by, memory) = (None, None, Some(memory));
        self.insert(&mut self.lock(), Handle { address, kind, origin, freed_by, since, memory, session })
    }

    fn insert(&self, table: &mut Table, handle: Handle) -> Result<String, OutOfMemory> {
        if table.live.len() >= MAX_LIVE {
            return Err(OutOfMemory { bytes: size_of::<Handle>() });
        }
        table.issued += 1;
        let number = table.issued;
        table.by_address.entry(handle.address).or_default().push(number);
        table.live.insert(number, handle);
        Ok(self.token(&number.to_string()))
    }

    /// What a token stands for, where one of `kind` is needed.
    ///
    /// # Errors
    /// It cannot be used here.
    pub fn resolve(&self, token: &str, kind: &str) -> Result<Resolved, HandleError> {
        let number = self.number_in(token)?.parse().map_err(|_| HandleError::Unknown(format!("{token:?}")))?;
        let table = self.lock();
        let handle = table.live.get(&number).ok_or_else(|| table.ended(number, token))?;
        if !goes_with(&handle.kind, kind) {
            let (token, kind, wanted) = (token.to_owned(), handle.kind.clone(), kind.to_owned());
            return Err(HandleError::WrongKind { token, kind, wanted });
        }
        let hold = handle.memory.as_ref().map(|memory| Hold { memory: Arc::clone(memory), number });
        Ok(Resolved { address: handle.address, size: hold.as_ref().map(Hold::size), number, hold })
    }

    /// Whether a function is the one that closes this handle (`@frees`).
    pub fn is_closed_by(&self, number: u64, function: &str) -> bool {
        self.lock().live.get(&number).is_some_and(|handle| handle.freed_by.as_deref() == Some(function))
    }

    /// The function has released what this handle stands for: it and its twins of other kinds are stale from now on.
    /// A block of memory is freed as soon as no call on another lane has it, and with it go the handles of pointers into it.
    /// `by` is what has done it.
    pub fn retire(&self, number: u64, by: &str) {
        let mut table = self.lock();
        let Some(handle) = table.live.get(&number) else { return };
        let end = handle.memory.as_ref().map_or(1, |memory| memory.size.max(1));
        let (first, last) = (handle.address, handle.address.saturating_add(end - 1));
        table.retire(first..=last, &format!("it has been closed by `{by}`"));
    }

    /// The call is over whose memory this was: pointers into it lead nowhere any more.
    pub fn end_of_call(&self, memory: impl Iterator<Item = std::ops::Range<usize>>) {
        let mut table = self.lock();
        if table.live.is_empty() {
            return;
        }
        for range in memory.filter(|range| !range.is_empty()) {
            table.retire(range.start..=range.end - 1, "it was a pointer into the memory of a call, which is over");
        }
    }

    /// The block of memory that a token stands for.
    ///
    /// # Errors
    /// It is no live block.
    pub fn block(&self, token: &str) -> Result<Hold, HandleError> {
        self.resolve(token, "void")?.hold.ok_or_else(|| HandleError::NotMemory(token.to_owned()))
    }

    /// The live handles, oldest first.
    pub fn list(&self) -> Vec<HandleView> {
        let table = self.lock();
        let mut numbers: Vec<&u64> = table.live.keys().collect();
        numbers.sort_unstable();
        let view = |number: &u64| {
            let handle = table.live.get(number)?;
            Some(HandleView {
                handle: self.token(&number.to_string()),
                kind: handle.kind.clone(),
                origin: handle.origin.clone(),
                size: handle.memory.as_ref().map(|memory| memory.size as u64),
                freed_by: handle.freed_by.clone(),
                age_s: handle.since.elapsed().as_secs(),
            })
        };
        numbers.into_iter().filter_map(view).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Each change is complete before the next statement that can panic.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a handle of kind `have` may be passed where `wanted` is declared.
fn goes_with(have: &str, wanted: &str) -> bool {
    const ALIKE: [&[&str]; 2] =
        [&["HINSTANCE", "HMODULE"], &["HGDIOBJ", "HBITMAP", "HBRUSH", "HPEN", "HFONT", "HRGN", "HPALETTE"]];
    have == wanted
        || [have, wanted].iter().any(|kind| UNIVERSAL.contains(kind))
        || ALIKE.iter().any(|group| group.contains(&have) && group.contains(&wanted))
}

#[cfg(test)]
mod tests;
