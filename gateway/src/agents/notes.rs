//! What a process has noted of its calls in its journal, read after its end.

use std::path::Path;
use std::sync::Arc;

use bridge32_protocol::journal::{JOURNAL_BYTES, Slot, slots};
use uuid::Uuid;

/// What one lane has noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Nothing that can be believed.
    Nothing,
    /// That it has run no call.
    Idle,
    /// That it was running this call.
    Running(Uuid),
    /// That this call, its last one, had come back.
    Done(Uuid),
}

/// The slots of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes(Option<Arc<[Noted]>>);

impl Notes {
    /// Reads the journal of a process that has ended. One that cannot be read says nothing.
    pub(super) fn read(file: &Path) -> Self {
        match std::fs::read(file) {
            Ok(bytes) if bytes.len() == JOURNAL_BYTES => Self(Some(slots(&bytes).map(noted).collect())),
            Ok(_) => Self(None),
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "what a process has noted of its calls cannot be read");
                Self(None)
            }
        }
    }

    /// What a lane has noted there.
    pub fn of(&self, slot: Option<u32>) -> Noted {
        let slots = self.0.as_ref();
        let index = slot.and_then(|slot| usize::try_from(slot).ok());
        slots.zip(index).and_then(|(slots, index)| slots.get(index)).copied().unwrap_or(Noted::Nothing)
    }
}

fn noted(slot: Result<Slot, bridge32_protocol::journal::Damaged>) -> Noted {
    match slot {
        Err(_) => Noted::Nothing,
        Ok(Slot::Idle) => Noted::Idle,
        Ok(Slot::Running(id)) => Noted::Running(id),
        Ok(Slot::Done(id)) => Noted::Done(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_says_what_each_lane_did_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.journal");
        let id = Uuid::from_u128(7);
        let mut bytes = vec![0; JOURNAL_BYTES];
        bytes[..32].copy_from_slice(&Slot::Running(id).encode());
        bytes[32..64].copy_from_slice(&Slot::Done(id).encode());
        bytes[64] = 1;
        std::fs::write(&file, &bytes).unwrap();
        let notes = Notes::read(&file);
        let found = [Some(0), Some(1), Some(2), Some(3), Some(128), None].map(|slot| notes.of(slot));
        let nothing = Noted::Nothing;
        assert_eq!(found, [Noted::Running(id), Noted::Done(id), nothing, Noted::Idle, nothing, nothing]);
    }

    #[test]
    fn a_journal_that_is_not_whole_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.journal");
        assert_eq!(Notes::read(&file).of(Some(0)), Noted::Nothing);
        std::fs::write(&file, [0; 64]).unwrap();
        assert_eq!(Notes::read(&file).of(Some(0)), Noted::Nothing);
    }
}
