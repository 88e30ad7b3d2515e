//! Buffers of calls that are no JSON: their bytes go into files that gateway and agent share, and come out of them, piece by piece, so
//! that the gateway's memory does not grow with them.
//!
//! A body becomes a [`Received`] on its way in ([`Source`], [`Spool`]), and files become a [`Content`] on the way out. Each file is
//! gone when nobody holds it any more, and with it goes what a client that has hung up, or a process that has crashed, has left.

mod content;
mod folder;
mod parts;
mod receive;
mod spool;

use std::sync::Arc;

use bridge32_protocol::wire::Digest;
use bytes::Bytes;

pub use content::{Content, Piece};
pub use folder::{Folder, FolderError, TempFile};
pub use receive::{Kind, ReceiveError, Received, Values, receive};

use crate::config::LibraryFile;

#[cfg(test)]
#[cfg(unix)]
pub(crate) use folder::tests;

/// So much is read or written at a time: off the threads that answer requests, with the next piece on its way. Each of a hundred requests
/// holds some of them.
const PIECE_BYTES: usize = 256 << 10;

/// The bytes of a buffer that a client has sent.
#[derive(Clone, Debug)]
pub enum Value {
    /// They are few.
    Inline(Bytes),
    /// They are in a file.
    File(Arc<TempFile>, Digest),
}

/// A buffer of a call that gateway and agent have in one file.
#[derive(Clone, Debug)]
pub struct SharedBuffer {
    /// The parameter.
    pub parameter: String,
    /// The file; `None` once the call has ended.
    pub file: Option<Arc<TempFile>>,
    /// What its bytes are that are the parameter's value, if they are.
    pub given: Option<Digest>,
    /// Whether what the function leaves there is read from the file.
    pub answered: bool,
    /// The most bytes that it may have.
    pub most: u64,
}

impl SharedBuffer {
    /// As an agent is told of it to which the host's root directory appears as the drive `paths`.
    pub fn for_agent(&self, paths: Option<&str>) -> Option<bridge32_protocol::wire::Buffer> {
        let file = LibraryFile::Host(self.file.as_ref()?.path().to_owned());
        Some(bridge32_protocol::wire::Buffer {
            parameter: self.parameter.clone(),
            file: file.for_agent(paths),
            given: self.given.as_ref().map(|digest| digest.bytes),
            answered: self.answered,
            most: self.most,
        })
    }
}

/// Bytes as hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
