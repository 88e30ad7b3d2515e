//! What each lane runs, noted in a file that outlives this process: [`bridge32_protocol::journal`] has the layout.
//!
//! A note is a handful of plain stores into mapped memory, and no system call: it stands there however the process ends.

use std::fs::File;
use std::io;
use std::path::Path;

use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

use bridge32_protocol::journal::{JOURNAL_BYTES, SLOT_BYTES, SLOTS, Slot};
use uuid::Uuid;

use crate::platform::map_shared;

/// Words of a slot.
const WORDS: usize = SLOT_BYTES / size_of::<u32>();

/// A slot as words, which are stored one by one: 64 bits at once would be a locked instruction on i386.
type Words = [AtomicU32; WORDS];

/// The mapped file; without one nothing is noted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journal(Option<&'static [Words; SLOTS]>);

impl Journal {
    /// Maps the file, which the gateway has made. Without a name there is no journal, which is no error.
    ///
    /// # Errors
    /// When it cannot be mapped.
    pub fn open(file: Option<&Path>) -> io::Result<Self> {
        let Some(file) = file else { return Ok(Self(None)) };
        let file = File::options().read(true).write(true).open(file)?;
        if file.metadata()?.len() < JOURNAL_BYTES as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has less than {JOURNAL_BYTES} bytes")));
        }
        Ok(Self(Some(slots(&file)?)))
    }

    /// Where a lane makes its notes.
    pub fn lane(self, slot: usize) -> Lane {
        Lane { slot: self.0.and_then(|slots| slots.get(slot)), running: None }
    }
}

#[expect(unsafe_code, reason = "a mapping is a place in memory")]
fn slots(file: &File) -> io::Result<&'static [Words; SLOTS]> {
    let start = map_shared(file, JOURNAL_BYTES)?;
    // SAFETY: the mapping begins at a page's start, has the size of the array, is readable and writable, and is never
    // unmapped. Whatever stands there is valid for integers, and as they are atomic, others may change them at any time: the
    // library by mistake, for instance. The file is the gateway's own, which does not shorten it.
    Ok(unsafe { start.cast::<[Words; SLOTS]>().as_ref() })
}

/// The notes of one lane.
#[derive(Debug)]
pub struct Lane {
    slot: Option<&'static Words>,
    /// The unit that was noted as running last.
    running: Option<Uuid>,
}

impl Lane {
    /// To be called right before the library's code is entered, or its memory is touched.
    pub fn running(&mut self, id: Uuid) {
        self.running = Some(id);
        self.write(Slot::Running(id));
    }

    /// To be called when the outcome has been written down, and before it is sent. What has never been running is not noted:
    /// it may be run elsewhere.
    pub fn done(&mut self) {
        if let Some(id) = self.running.take() {
            self.write(Slot::Done(id));
        }
    }

    fn write(&self, slot: Slot) {
        let Some(words) = self.slot else { return };
        let bytes = slot.encode();
        for (word, bytes) in words.iter().zip(bytes.as_chunks::<4>().0) {
            word.store(u32::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        // Whoever reads does so when this process is gone, so what counts is the order of the instructions: no store may come
        // after the library has been entered.
        compiler_fence(Ordering::SeqCst);
    }
}

/// A journal with its file, which is removed in the end: for tests of whatever makes notes.
#[cfg(test)]
pub(crate) fn for_test() -> (Journal, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(JOURNAL_BYTES as u64).unwrap();
    (Journal::open(Some(file.path())).unwrap(), file)
}

#[cfg(test)]
mod tests {
    use bridge32_protocol::journal;

    use super::*;

    fn read(file: &tempfile::NamedTempFile) -> Vec<Slot> {
        journal::slots(&std::fs::read(file.path()).unwrap()).map(Result::unwrap).collect()
    }

    #[test]
    fn whoever_reads_the_file_sees_each_note_at_once() {
        let (journal, file) = for_test();
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (mut a, mut b) = (journal.lane(0), journal.lane(SLOTS - 1));
        assert_eq!(read(&file), vec![Slot::Idle; SLOTS]);
        a.running(first);
        b.running(second);
        assert_eq!((read(&file)[0], read(&file)[SLOTS - 1]), (Slot::Running(first), Slot::Running(second)));
        a.done();
        assert_eq!((read(&file)[0], read(&file)[SLOTS - 1]), (Slot::Done(first), Slot::Running(second)));
        assert!(read(&file)[1..SLOTS - 1].iter().all(|slot| *slot == Slot::Idle));
    }

    #[test]
    fn what_has_not_been_running_is_not_done() {
        let (journal, file) = for_test();
        let mut lane = journal.lane(3);
        lane.running(Uuid::from_u128(1));
        lane.done();
        // A call that was refused before it ran.
        lane.done();
        assert_eq!(read(&file)[3], Slot::Done(Uuid::from_u128(1)));
    }

    #[test]
    fn without_a_file_and_without_a_slot_nothing_is_noted() {
        let (journal, file) = for_test();
        for mut lane in [Journal::open(None).unwrap().lane(0), journal.lane(SLOTS), journal.lane(usize::MAX)] {
            lane.running(Uuid::max());
            lane.done();
        }
        assert_eq!(read(&file), vec![Slot::Idle; SLOTS]);
    }

    #[test]
    fn a_file_that_is_missing_or_too_short_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(JOURNAL_BYTES as u64 - 1).unwrap();
        let error = Journal::open(Some(file.path())).unwrap_err();
        assert!(error.to_string().contains("4096 bytes"), "{error}");
        assert!(Journal::open(Some(&file.path().with_extension("gone"))).is_err());
    }
}
