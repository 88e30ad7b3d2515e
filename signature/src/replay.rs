//! Lets each nonce through once.
//!
//! Bounded, and closed when full: within the clock window no nonce is forgotten, so a store that has no room must refuse
//! new ones rather than old promises.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::{CLOCK_WINDOW, SignatureError, Verified};

/// Independent parts, so that callers seldom wait for each other.
const SHARDS: usize = 16;

/// The nonces of the last [`CLOCK_WINDOW`] seconds (twice: signatures may come from the future).
#[derive(Debug)]
pub struct ReplayStore {
    shards: [Mutex<HashMap<(String, String), i64>>; SHARDS],
    capacity: usize,
}

impl ReplayStore {
    /// A store for about `capacity` nonces.
    pub fn new(capacity: usize) -> Self {
        Self { shards: Default::default(), capacity: capacity.div_ceil(SHARDS).max(1) }
    }

    /// Takes a verified request's nonce. `now` is the time in Unix seconds.
    ///
    /// # Errors
    /// [`SignatureError::Replayed`] if it was taken before; [`SignatureError::Invalid`] when the store is full.
    pub fn take(&self, verified: &Verified, now: i64) -> Result<(), SignatureError> {
        let nonce = (verified.key_id.clone(), verified.nonce.clone());
        // A map is consistent after any of its operations, so a poisoned lock is as good as a whole one.
        let mut shard = self.shards[shard(&verified.nonce)].lock().unwrap_or_else(PoisonError::into_inner);
        if shard.contains_key(&nonce) {
            return Err(SignatureError::Replayed);
        }
        if shard.len() >= self.capacity {
            // A signature is refused as too old once its `created` is out of the window; until then it is remembered.
            shard.retain(|_, created| *created >= now - CLOCK_WINDOW);
        }
        if shard.len() >= self.capacity {
            return Err(SignatureError::Invalid("too many requests were signed in the last minutes; try again later"));
        }
        shard.insert(nonce, verified.created);
        Ok(())
    }
}

fn shard(nonce: &str) -> usize {
    nonce.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(key: &str, nonce: &str, created: i64) -> Verified {
        Verified { key_id: key.into(), nonce: nonce.into(), created }
    }

    #[test]
    fn a_nonce_is_good_once_for_each_key() {
        let store = ReplayStore::new(100);
        store.take(&verified("a", "n", 1000), 1000).unwrap();
        assert_eq!(store.take(&verified("a", "n", 1000), 1000), Err(SignatureError::Replayed));
        store.take(&verified("b", "n", 1000), 1000).unwrap();
    }

    #[test]
    fn a_full_store_refuses_until_old_nonces_cannot_come_back() {
        let store = ReplayStore::new(SHARDS);
        store.take(&verified("a", "n", 1000), 1000).unwrap();
        assert!(store.take(&verified("b", "n", 1000), 1300).is_err());
        store.take(&verified("b", "n", 1301), 1301).unwrap();
    }
}
