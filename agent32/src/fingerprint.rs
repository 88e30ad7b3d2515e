//! Which file a library is: its SHA-256 and its size, read right before the system's loader reads it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;

use bridge32_protocol::wire::{Fault, FaultCode, LoadedFile};
use sha2::{Digest as _, Sha256};

/// Read at a time, in bytes.
const CHUNK: usize = 64 << 10;

/// Of the file at that path.
///
/// # Errors
/// [`FaultCode::LoadFailed`] when it cannot be read.
pub fn of(path: &str) -> Result<LoadedFile, Fault> {
    let (sha256, size) = hash(path).map_err(|error| failed(format!("{path} cannot be read: {error}")))?;
    Ok(LoadedFile { path: path.to_owned(), sha256, size })
}

/// Refuses a file that is not the one that is wanted.
///
/// # Errors
/// [`FaultCode::LoadFailed`], with both hashes.
pub fn compare(file: &LoadedFile, wanted: Option<&str>) -> Result<(), Fault> {
    match wanted.filter(|wanted| !wanted.eq_ignore_ascii_case(&file.sha256)) {
        None => Ok(()),
        Some(wanted) => Err(failed(format!(
            "{} is not the file that `sha256` in its library's table asks for: that is {wanted}, and the file is {}. Put the \
             right file back; or, if it was meant to change, the new hash into the table, and start the gateway again",
            file.path, file.sha256
        ))),
    }
}

fn hash(path: &str) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let (mut hasher, mut size) = (Sha256::new(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => {
                hasher.update(&chunk[..read]);
                size += read as u64;
            }
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok((text, size))
}

const fn failed(detail: String) -> Fault {
    Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_hash_and_another_one_is_refused_with_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.so");
        std::fs::write(&path, "abc").unwrap();
        let found = of(path.to_str().unwrap()).unwrap();
        // FIPS 180-2, B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((found.sha256.as_str(), found.size), (abc, 3));
        assert_eq!(compare(&found, Some(&abc.to_uppercase())), Ok(()));
        assert_eq!(compare(&found, None), Ok(()));
        let other = "0".repeat(64);
        let refused = compare(&found, Some(&other)).unwrap_err();
        assert!(refused.detail.contains(abc) && refused.detail.contains(&other), "{refused:?}");
    }
}
