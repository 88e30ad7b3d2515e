//! Which file it is: the SHA-256 of its bytes, and how many there are.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// Read at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// What a file is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// The size in bytes.
    pub size: u64,
}

impl Fingerprint {
    /// Of the file at that path, of any size.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let (mut hasher, mut size) = (Sha256::new(), 0);
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&chunk[..read]);
                    size += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let mut sha256 = String::with_capacity(64);
        for byte in hasher.finalize() {
            // Writing into a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        Ok(Self { sha256, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_the_hash_of_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.so");
        // FIPS 180-2, B.1 and B.3.
        let million = "a".repeat(1_000_000);
        for (text, sha256) in [
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (million.as_str(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ] {
            std::fs::write(&path, text).unwrap();
            let found = Fingerprint::of(&path).unwrap();
            assert_eq!(found, Fingerprint { sha256: sha256.to_owned(), size: text.len() as u64 });
        }
    }
}
