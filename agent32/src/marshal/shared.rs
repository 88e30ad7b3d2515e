//! Large buffers whose memory is a file's: the gateway has put a request's bytes there, and reads the answer's from there, so that
//! nobody copies them, and no JSON has them.
//!
//! What a function only reads it gets as a private copy of the pages that it writes to all the same; what it fills in is the file
//! itself. The agent keeps the file for no longer than the call.

use std::fs::File;
use std::io;

use bridge32_protocol::wire::{Buffer, Digest, Fault, FaultCode, LARGEST_INLINE};
use memmap2::{MmapMut, MmapOptions};
use sha2::{Digest as _, Sha256};

use super::arena::{BEHIND, Block, OutOfMemory};
use super::decode::Writer;
use super::place::At;
use super::{MAX_BUFFER_BYTES, mismatch, out_of_memory};

impl Writer<'_, '_> {
    /// Room for a parameter's buffer of so many bytes: in its file, if it has one and is large enough for that.
    pub(super) fn room(&mut self, length: usize, at: &At<'_>) -> Result<Block, Fault> {
        match self.buffer {
            Some(buffer) if buffer.given.is_some() || (buffer.answered && length > LARGEST_INLINE) => {
                let memory = map(buffer, length).map_err(|failed| failed.fault(at, length))?;
                let block = self.arena.adopt(memory);
                if buffer.answered {
                    self.answered.push(block);
                }
                Ok(block)
            }
            _ => self.arena.allocate(length).map_err(|error| out_of_memory(at, error)),
        }
    }

    /// The most bytes of the buffer that is being written, and why not more.
    pub(super) fn most(&self) -> (usize, &'static str) {
        const JSON: &str = ". More goes as application/octet-stream or multipart/form-data";
        match self.buffer {
            Some(buffer) if buffer.answered || self.direction == bridge32_protocol::interface::Direction::In => (
                usize::try_from(buffer.most).unwrap_or(usize::MAX),
                ". `bulk_limit` in the configuration sets the limit",
            ),
            _ => (MAX_BUFFER_BYTES, JSON),
        }
    }
}

/// How many bytes a file gives.
///
/// # Errors
/// More than there can be in this process, or than its buffer may have.
pub(super) fn given(bytes: u64, (most, why): (usize, &str), at: &At<'_>) -> Result<usize, Fault> {
    usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= most)
        .ok_or_else(|| mismatch(at, format!("`{at}` has {bytes} bytes, and may have {most}{why}")))
}

/// Why a file is no memory of the call.
enum Failed {
    /// There is no room in the address space.
    NoRoom,
    /// What the system says of the file.
    File(io::Error),
}

impl Failed {
    fn fault(self, at: &At<'_>, length: usize) -> Fault {
        let error = match self {
            Self::NoRoom => return out_of_memory(at, OutOfMemory { bytes: length }),
            Self::File(error) => error,
        };
        let detail = format!(
            "the {length} bytes of `{at}` cannot be passed through a file: {error}. `bulk_dir` in the configuration names its folder: \
             it must have room, and the library's agent must reach it"
        );
        Fault { code: FaultCode::BufferUnavailable, detail, pointer: Some(at.pointer()), ran: false }
    }
}

/// Maps a buffer's file, with room for the guard behind `length` bytes. Behind what is given there are zeros.
#[expect(unsafe_code, reason = "the memory of a file is that of whoever writes the file, too")]
fn map(buffer: &Buffer, length: usize) -> Result<MmapMut, Failed> {
    let total = length.checked_add(BEHIND).ok_or(Failed::NoRoom)?;
    let file = File::options().read(true).write(true).open(&buffer.file).map_err(Failed::File)?;
    // An earlier process may have got further with this call.
    file.set_len(buffer.given.unwrap_or(0)).and_then(|()| file.set_len(total as u64)).map_err(Failed::File)?;
    let mut options = MmapOptions::new();
    options.len(total);
    let memory = if buffer.answered {
        // SAFETY: the file has `total` bytes, and is the gateway's, in a folder that is closed to other users; it neither
        // writes nor shortens it before the call has ended (`wire::Buffer`), and the arena has let go of it by then.
        unsafe { options.map_mut(&file) }
    } else {
        // SAFETY: as above; what is written here goes into pages of this process alone.
        unsafe { options.map_copy(&file) }
    };
    // A file that is there and has its size can be mapped wherever there is room.
    let memory = memory.map_err(|_| Failed::NoRoom)?;
    if buffer.answered {
        take_room(&file, &memory).map_err(Failed::File)?;
    }
    Ok(memory)
}

/// Has the file system find all pages of the file now: one that it could not find later would end the process in the middle of the
/// library's code. And one that is there already costs no page fault.
#[cfg(target_os = "linux")]
fn take_room(file: &File, memory: &MmapMut) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    if memory.advise(memmap2::Advice::PopulateWrite).is_ok() {
        return Ok(());
    }
    // There is no room, or the system is older than that (Linux 5.14).
    match fallocate(file, FallocateFlags::empty(), 0, memory.len() as u64) {
        // Not every file system can.
        Err(Errno::OPNOTSUPP | Errno::NOSYS) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// There the system does so by itself.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
const fn take_room(_: &File, _: &MmapMut) -> io::Result<()> {
    Ok(())
}

/// Appends what stands for bytes that are in a file.
pub(super) fn describe(bytes: &[u8], json: &mut Vec<u8>) {
    let sha256 = Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = std::fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}"));
        hex
    });
    let digest = Digest { bytes: bytes.len() as u64, sha256 };
    // A number and a text, and a growing vector: writing cannot fail.
    let _ = serde_json::to_writer(json, &digest);
}
