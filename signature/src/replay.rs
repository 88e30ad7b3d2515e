//! Lets each nonce through once.
//!
//! Bounded, and closed when full: within the clock window no nonce is forgotten, so a store that has no room must refuse
//! new ones rather than old promises.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::{CLOCK_WINDOW, SignatureError, Verified};

/// Independent parts, so that callers seldom wait for each other, and never long for what one of them forgets.
const SHARDS: usize = 64;
/// Nonces are forgotten together in slices of this many seconds, by when they were signed.
const SLICE: i64 = 32;

/// The nonces of the last [`CLOCK_WINDOW`] seconds (twice: signatures may come from the future).
///
/// Takes 18 to 36 bytes for each (twice eight, and the room in which tables and lists grow), and gives them back once they are
/// too old.
pub struct ReplayStore {
    shards: [Mutex<Shard>; SHARDS],
    capacity: usize,
}

/// A key's id and a nonce, hashed: nobody finds two that are alike, and if somebody did, the second would be refused.
type Fingerprint = u128;

/// The half of a fingerprint that a shard keeps. The other half has chosen the shard: of ten million nonces of a time, one in 10¹⁴
/// is taken for another, and then refused.
type Half = u64;

/// What a store keeps of a nonce, and what is kept of it over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    fingerprint: Fingerprint,
    created: i64,
}

impl Mark {
    /// That of a verified message.
    pub fn of(verified: &Verified) -> Self {
        Self { fingerprint: fingerprint(verified), created: verified.created }
    }

    /// How many bytes [`Mark::to_bytes`] gives.
    pub const BYTES: usize = 24;

    /// A form that can be stored. The nonce cannot be found from it.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[16..].copy_from_slice(&self.created.to_le_bytes());
        bytes
    }

    /// Reads what [`Mark::to_bytes`] has made; `None` if it is of another length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (fingerprint, created) = bytes.split_first_chunk()?;
        let fingerprint = Fingerprint::from_le_bytes(*fingerprint);
        Some(Self { fingerprint, created: i64::from_le_bytes(created.try_into().ok()?) })
    }
}

#[derive(Default)]
struct Shard {
    known: HashSet<Half, BuildHasherDefault<AsItIs>>,
    /// The same by number of the slice.
    slices: BTreeMap<i64, Vec<Half>>,
    /// Slices before this one were forgotten. Should the clock be set back, what was signed then is refused.
    first: i64,
}

/// A part of a hash is one already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }
}

impl ReplayStore {
    /// A store for about `capacity` nonces.
    pub fn new(capacity: usize) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), capacity: capacity.div_ceil(SHARDS).max(1) }
    }

    /// Takes a verified request's nonce. `now` is the time in Unix seconds.
    ///
    /// # Errors
    /// [`SignatureError::Replayed`] if it was taken before; [`SignatureError::Full`] when there is no room;
    /// [`SignatureError::Expired`] if it is too old to be remembered, as after the clock was set back.
    pub fn take(&self, taken: Mark, now: i64) -> Result<(), SignatureError> {
        let mut shard = self.shard(taken.fingerprint);
        shard.forget_before(now.saturating_sub(CLOCK_WINDOW));
        if !shard.can_remember(taken) {
            return Err(SignatureError::Expired { now });
        }
        if shard.known.contains(&half(taken)) {
            return Err(SignatureError::Replayed);
        }
        if shard.known.len() >= self.capacity {
            return Err(SignatureError::Full);
        }
        shard.remember(taken);
        Ok(())
    }

    /// Whether a nonce was taken before, without taking it: for those who would otherwise read a long body in vain.
    pub fn knows(&self, mark: Mark, now: i64) -> bool {
        let mut shard = self.shard(mark.fingerprint);
        shard.forget_before(now.saturating_sub(CLOCK_WINDOW));
        shard.known.contains(&half(mark))
    }

    /// Takes a nonce again that was taken before a restart. There is room for it in any case: no promise is given up.
    pub fn restore(&self, taken: Mark, now: i64) {
        let mut shard = self.shard(taken.fingerprint);
        shard.forget_before(now.saturating_sub(CLOCK_WINDOW));
        if shard.can_remember(taken) && !shard.known.contains(&half(taken)) {
            shard.remember(taken);
        }
    }

    /// How many nonces are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).known.len()).sum()
    }

    /// True if no nonce is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, fingerprint: Fingerprint) -> MutexGuard<'_, Shard> {
        let [.., last] = fingerprint.to_le_bytes();
        lock(&self.shards[usize::from(last) % SHARDS])
    }
}

impl Shard {
    fn can_remember(&self, taken: Mark) -> bool {
        slice(taken) >= self.first
    }

    fn remember(&mut self, taken: Mark) {
        self.known.insert(half(taken));
        self.slices.entry(slice(taken)).or_default().push(half(taken));
    }

    /// Forgets the slices that end before `oldest`: what was signed then is refused as too old.
    fn forget_before(&mut self, oldest: i64) {
        let first = oldest.div_euclid(SLICE);
        if first <= self.first {
            return;
        }
        self.first = first;
        let kept = self.slices.split_off(&first);
        for half in std::mem::replace(&mut self.slices, kept).into_values().flatten() {
            self.known.remove(&half);
        }
        // A quiet time gives the memory of a busy one back.
        if self.known.len() < self.known.capacity() / 8 {
            self.known.shrink_to(self.known.len() * 2);
        }
    }
}

/// A shard is consistent after any of its operations, so a poisoned lock is as good as a whole one.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
const fn half(mark: Mark) -> Half {
    mark.fingerprint as Half
}

fn slice(taken: Mark) -> i64 {
    taken.created.div_euclid(SLICE)
}

fn fingerprint(verified: &Verified) -> Fingerprint {
    let mut hash = Sha256::new();
    // With its length in front, no other id and nonce give the same bytes.
    hash.update((verified.key_id.len() as u64).to_le_bytes());
    hash.update(&verified.key_id);
    hash.update(&verified.nonce);
    let hash: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    Fingerprint::from_le_bytes(half)
}

impl fmt::Debug for ReplayStore {
    /// Without the nonces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayStore").field("length", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(key: &str, nonce: &str, created: i64) -> Mark {
        Mark::of(&Verified { key_id: key.into(), nonce: nonce.into(), created })
    }

    #[test]
    fn a_nonce_is_good_once_for_each_key() {
        let store = ReplayStore::new(100);
        store.take(mark("a", "n", 1000), 1000).unwrap();
        for created in [1000, 1001, 1300] {
            assert_eq!(store.take(mark("a", "n", created), 1000), Err(SignatureError::Replayed));
        }
        store.take(mark("b", "n", 1000), 1000).unwrap();
        store.take(mark("an", "", 1000), 1000).unwrap();
        store.take(mark("", "an", 1000), 1000).unwrap();
    }

    #[test]
    fn a_full_store_refuses_until_old_nonces_cannot_come_back() {
        let store = ReplayStore::new(1);
        let full = |nonce: u32, now| store.take(mark("a", &nonce.to_string(), now), now).is_err();
        // So many that every shard has one.
        assert!((0..2000).filter(|nonce| full(*nonce, 1000)).count() == 2000 - SHARDS);
        assert!((2000..3000).all(|nonce| full(nonce, 1300)), "those of 1000 may still come back");
        assert!((3000..5000).any(|nonce| !full(nonce, 1300 + SLICE + 1)));
    }

    #[test]
    fn a_nonce_is_known_until_it_would_be_too_old() {
        let store = ReplayStore::new(10);
        let nonce = mark("a", "n", 1000);
        assert!(!store.knows(nonce, 1000));
        store.take(nonce, 1000).unwrap();
        assert!(store.knows(nonce, 1000) && store.knows(nonce, 1000 + CLOCK_WINDOW));
        assert!(!store.knows(mark("a", "n", 2000), 2000), "in a store that nobody has used since");
    }

    #[test]
    fn what_was_taken_before_a_restart_is_taken_after_it() {
        let (before, after) = (ReplayStore::new(100), ReplayStore::new(1));
        for nonce in ["a", "b"] {
            let taken = mark("k", nonce, 1000);
            before.take(taken, 1000).unwrap();
            after.restore(Mark::from_bytes(&taken.to_bytes()).unwrap(), 1100);
        }
        let old = mark("k", "old", 700);
        before.take(old, 1000).unwrap();
        after.restore(old, 1100);
        assert_eq!(after.len(), 2, "what is too old to be used is not kept");
        for nonce in ["a", "b"] {
            assert_eq!(after.take(mark("k", nonce, 1000), 1100), Err(SignatureError::Replayed));
        }
        assert!(Mark::from_bytes(&[0; Mark::BYTES + 1]).is_none() && Mark::from_bytes(&[0; 3]).is_none());
    }

    #[test]
    fn memory_is_given_back() {
        let store = ReplayStore::new(1_000_000);
        for second in 0..3000 {
            for number in 0..10 {
                store.take(mark("a", &format!("{second}.{number}"), second), second).unwrap();
            }
        }
        let most = 10 * usize::try_from(CLOCK_WINDOW + 2 * SLICE).unwrap();
        assert!(store.len() <= most * 2, "{}", store.len());
        let room: usize = store.shards.iter().map(|shard| lock(shard).known.capacity()).sum();
        assert!(room <= most * 10, "{room}");
    }

    #[test]
    fn a_clock_that_is_set_back_opens_no_gap() {
        let store = ReplayStore::new(100);
        store.take(mark("a", "n", 1000), 1000).unwrap();
        store.take(mark("a", "other", 2000), 2000).unwrap();
        // Every shard forgets by itself, and the same nonce always meets the same shard.
        let _ = store.take(mark("a", "n", 2000), 2000);
        assert!(store.take(mark("a", "n", 1000), 1000).is_err());
    }

    #[test]
    fn times_at_the_ends_of_the_range_are_survived() {
        let store = ReplayStore::new(100);
        for time in [i64::MIN, -1, 0, i64::MAX] {
            let _ = store.take(mark("a", "n", time), time);
        }
    }
}
