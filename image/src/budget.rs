//! Limits on what one file may make the reader allocate.
//!
//! Tables of hostile files can point many entries at one long string, so the size of the result is not bounded by the
//! size of the file unless somebody counts.

use crate::error::ImageError;

/// Most entries of an export table that are read. The largest real libraries have some ten thousand.
pub(crate) const MAX_EXPORTS: usize = 500_000;
/// Most libraries that one file may need.
pub(crate) const MAX_DEPENDENCIES: usize = 4096;
/// Longest name in bytes. Names of C++ templates reach some thousand.
pub(crate) const MAX_NAME: usize = 64 * 1024;
/// Most warnings kept with an image.
const MAX_WARNINGS: usize = 16;

/// Bytes of names that may still be read.
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    /// A budget for a file of `size` bytes: names may share storage, but not without end.
    pub(crate) fn for_file(size: usize) -> Self {
        Self { left: size.saturating_mul(2).saturating_add(64 * 1024) }
    }

    /// Counts `bytes` of names.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), ImageError> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or(ImageError::Unsupported { what: "its names together are much longer than the file" })?;
        Ok(())
    }
}

/// Oddities that are passed over; the first ones are kept.
#[derive(Default)]
pub(crate) struct Warnings(Vec<String>);

impl Warnings {
    pub(crate) fn push(&mut self, warning: impl FnOnce() -> String) {
        if self.0.len() < MAX_WARNINGS {
            self.0.push(warning());
        }
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// The bytes of `data` up to the first NUL; `None` if there is none within [`MAX_NAME`] bytes.
pub(crate) fn c_string(data: &[u8]) -> Option<&[u8]> {
    let head = &data[..data.len().min(MAX_NAME)];
    head.iter().position(|byte| *byte == 0).map(|end| &head[..end])
}
