//! The journal: a small file that an agent maps into its memory, and in which each of its lanes notes the call that it runs.
//!
//! What a process has stored into a shared mapping stays when it dies, however it dies: the pages are the system's. So the
//! gateway reads there afterwards which calls were entered and which were not. This module has the layout and nothing else.
//!
//! | bytes of a slot | what |
//! | --- | --- |
//! | 0..16 | the call's id |
//! | 16..20 | its state: 0 none yet, 1 running, 2 done; little-endian, as all numbers |
//! | 20..24 | zero |
//! | 24..32 | [`check`] of the id and the state |
//!
//! *Running* is noted before the library's code is entered, or its memory is touched; *done* when the outcome has been
//! written down, before it is sent. A call that was refused before that is in no slot: it has not run.
//!
//! A library that writes where it should not may hit the journal, too. Then the check does not hold, and nothing that the slot
//! says is believed. The same goes for a slot that was being written when the process ended.

use uuid::Uuid;

/// Bytes of a slot.
pub const SLOT_BYTES: usize = 32;

/// Slots of a journal: one for each lane of each library of an agent.
pub const SLOTS: usize = 128;

/// Bytes of a journal.
pub const JOURNAL_BYTES: usize = SLOT_BYTES * SLOTS;

const RUNNING: u32 = 1;
const DONE: u32 = 2;

/// What a lane does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Slot {
    /// It has not run any call yet.
    #[default]
    Idle,
    /// It runs this call, or did when the process ended.
    Running(Uuid),
    /// This call is the last that it ran, and its outcome has been written down.
    Done(Uuid),
}

/// A slot whose check does not hold: what it says means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the slot of the journal is damaged: the library wrote over it, or the process ended while it was written")]
pub struct Damaged;

impl Slot {
    /// The slot as it stands in the file.
    pub fn encode(self) -> [u8; SLOT_BYTES] {
        let (id, state) = match self {
            Self::Idle => return [0; SLOT_BYTES],
            Self::Running(id) => (id, RUNNING),
            Self::Done(id) => (id, DONE),
        };
        let mut bytes = [0; SLOT_BYTES];
        bytes[..16].copy_from_slice(id.as_bytes());
        bytes[16..20].copy_from_slice(&state.to_le_bytes());
        bytes[24..].copy_from_slice(&check(id, state).to_le_bytes());
        bytes
    }

    /// What a slot of the file says.
    ///
    /// # Errors
    /// No lane has written it so.
    pub fn decode(bytes: &[u8; SLOT_BYTES]) -> Result<Self, Damaged> {
        let (id, rest) = bytes.split_first_chunk::<16>().ok_or(Damaged)?;
        let (state, _) = rest.split_first_chunk::<4>().ok_or(Damaged)?;
        let id = Uuid::from_bytes(*id);
        let slot = match u32::from_le_bytes(*state) {
            0 => Self::Idle,
            RUNNING => Self::Running(id),
            DONE => Self::Done(id),
            _ => return Err(Damaged),
        };
        // All 32 bytes follow from what was read: so nothing else may stand there.
        if slot.encode() == *bytes { Ok(slot) } else { Err(Damaged) }
    }
}

/// A journal's slots in their order. A file that is too short lacks the last ones, or a part of one, which is damaged.
pub fn slots(journal: &[u8]) -> impl Iterator<Item = Result<Slot, Damaged>> {
    let slot = |bytes: &[u8]| bytes.try_into().map_err(|_| Damaged).and_then(Slot::decode);
    journal.chunks(SLOT_BYTES).take(SLOTS).map(slot)
}

/// What the last eight bytes of a slot must be. Every bit of the id and of the state changes about half of it (the finalizer
/// of splitmix64), and zeros do not give zero.
pub fn check(id: Uuid, state: u32) -> u64 {
    let (high, low) = id.as_u64_pair();
    [high, low, u64::from(state)].into_iter().fold(0x6272_6964_6765_3332, |sum, part| mix(sum ^ part))
}

const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::from_u128(0x0190_a1b2_c3d4_7e5f_8091_a2b3_c4d5_e6f7);

    #[test]
    fn what_was_written_is_read() {
        for slot in [Slot::Idle, Slot::Running(ID), Slot::Done(ID), Slot::Running(Uuid::nil()), Slot::Done(Uuid::max())]
        {
            assert_eq!(Slot::decode(&slot.encode()), Ok(slot));
        }
    }

    #[test]
    fn a_file_of_zeros_is_a_journal_in_which_nothing_has_run() {
        let all: Vec<_> = slots(&[0; JOURNAL_BYTES]).collect();
        assert_eq!(all, vec![Ok(Slot::Idle); SLOTS]);
    }

    #[test]
    fn the_layout_is_the_one_that_the_head_of_this_file_says() {
        let bytes = Slot::Done(ID).encode();
        assert_eq!(bytes[..16], *ID.as_bytes());
        assert_eq!(bytes[16..24], [2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[24..], check(ID, 2).to_le_bytes());
        // Gateways and agents of one protocol agree on it.
        assert_eq!(check(ID, 1), 0xe4da_105b_a398_dbae);
    }

    #[test]
    fn no_changed_bit_goes_unnoticed() {
        for slot in [Slot::Idle, Slot::Running(ID), Slot::Done(ID)] {
            let whole = slot.encode();
            for bit in 0..8 * SLOT_BYTES {
                let mut bytes = whole;
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Slot::decode(&bytes), Err(Damaged), "{slot:?}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_slot_that_is_half_of_one_call_and_half_of_another_is_damaged() {
        let (earlier, later) = (Slot::Done(ID).encode(), Slot::Running(Uuid::from_u128(7)).encode());
        for words in 1..SLOT_BYTES / 4 {
            let (mut bytes, end) = (earlier, 4 * words);
            bytes[..end].copy_from_slice(&later[..end]);
            assert_eq!(Slot::decode(&bytes), Err(Damaged), "{words} words of the later one");
        }
    }

    #[test]
    fn garbage_is_damaged_whatever_it_is() {
        let patterns = (0_u8..=255).map(|byte| [byte; SLOT_BYTES]).skip(1);
        let counted = std::array::from_fn(|index| u8::try_from(index).unwrap_or(0));
        for bytes in patterns.chain([counted]) {
            assert_eq!(Slot::decode(&bytes), Err(Damaged), "{bytes:?}");
        }
        let mut state = Slot::Running(ID).encode();
        state[16] = 3;
        state[24..].copy_from_slice(&check(ID, 3).to_le_bytes());
        assert_eq!(Slot::decode(&state), Err(Damaged), "there is no such state");
    }

    #[test]
    fn a_file_of_another_length_is_read_as_far_as_it_goes() {
        assert_eq!(slots(&[]).count(), 0);
        assert_eq!(slots(&[0; 40]).collect::<Vec<_>>(), [Ok(Slot::Idle), Err(Damaged)]);
        assert_eq!(slots(&vec![0; 2 * JOURNAL_BYTES]).count(), SLOTS);
    }
}
