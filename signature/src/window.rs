//! Lets each number of one sender through once: for a receiver that has a key for one sender only, who counts.
//!
//! Needs no memory that grows, unlike a store of random nonces. Requests may overtake each other by less than the window.
//! The method is that of `IPsec` (RFC 4303 §3.4.3).

use std::sync::{Mutex, PoisonError};

use crate::{SignatureError, Verified};

/// How far a request may be overtaken by later ones.
const WINDOW: u64 = 1024;
const WORDS: usize = 16;

/// The numbers that were used.
#[derive(Debug, Default)]
pub struct ReplayWindow(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    highest: u64,
    /// A bit for each of the last [`WINDOW`] numbers, at the number modulo [`WINDOW`].
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// Takes a verified request's nonce, a decimal number from 1.
    ///
    /// # Errors
    /// [`SignatureError::Replayed`] if it was taken before, or is older than the window;
    /// [`SignatureError::Invalid`] if it is no such number.
    pub fn take(&self, verified: &Verified) -> Result<(), SignatureError> {
        let number = verified.nonce.parse().ok().filter(|number| *number > 0);
        let number: u64 = number.ok_or(SignatureError::Invalid("its nonce is not a number"))?;
        // A window is consistent between any two statements, so a poisoned lock is as good as a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(number)
    }
}

impl Window {
    fn take(&mut self, number: u64) -> Result<(), SignatureError> {
        if number > self.highest {
            if number - self.highest >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                (self.highest + 1..=number).for_each(|skipped| *self.word(skipped) &= !bit(skipped));
            }
            self.highest = number;
        } else if self.highest - number >= WINDOW || *self.word(number) & bit(number) != 0 {
            return Err(SignatureError::Replayed);
        }
        *self.word(number) |= bit(number);
        Ok(())
    }

    fn word(&mut self, number: u64) -> &mut u64 {
        // The remainder is below WORDS, so nothing is lost.
        &mut self.seen[usize::try_from(number / 64 % WORDS as u64).unwrap_or_default()]
    }
}

const fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_nonce_must_be_a_number_from_1() {
        for nonce in ["", "0", "-1", "x", "1.5", "99999999999999999999999"] {
            let verified = Verified { key_id: "a".into(), nonce: nonce.into(), created: 0 };
            assert!(matches!(ReplayWindow::default().take(&verified), Err(SignatureError::Invalid(_))), "{nonce}");
        }
    }

    proptest! {
        #[test]
        fn each_number_is_good_once_and_only_within_the_window(
            numbers in proptest::collection::vec(prop_oneof![1u64..3000, (u64::MAX - 40)..=u64::MAX], 1..200),
        ) {
            let mut window = Window::default();
            let mut used = HashSet::new();
            let mut highest = 0;
            for number in numbers {
                let fresh = !used.contains(&number) && (number > highest || highest - number < WINDOW);
                prop_assert_eq!(window.take(number).is_ok(), fresh, "{}", number);
                if fresh {
                    used.insert(number);
                    highest = highest.max(number);
                }
            }
        }
    }
}
