//! Which file a library is, read right before the system's loader reads it, and whether it is the one that is wanted.

use std::path::Path;

use bridge32_image::fingerprint::Fingerprint;
use bridge32_protocol::wire::{Fault, FaultCode, LoadedFile};

/// Of the file at that path.
///
/// # Errors
/// [`FaultCode::LoadFailed`] when it cannot be read.
pub fn of(path: &str) -> Result<LoadedFile, Fault> {
    let Fingerprint { sha256, size } =
        Fingerprint::of(Path::new(path)).map_err(|error| failed(format!("{path} cannot be read: {error}")))?;
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
             right file back; or, if it was meant to change, the new hash into the table, and reload the configuration (`bridge32 reload`).",
            file.path, file.sha256
        ))),
    }
}

const fn failed(detail: String) -> Fault {
    Fault { code: FaultCode::LoadFailed, detail, pointer: None, ran: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_than_the_wanted_one_is_refused_with_both_hashes() {
        let (own, other) = ("ab".repeat(32), "00".repeat(32));
        let file = LoadedFile { path: "a.so".to_owned(), sha256: own.clone(), size: 3 };
        assert_eq!(compare(&file, None), Ok(()));
        assert_eq!(compare(&file, Some(&own.to_uppercase())), Ok(()));
        let refused = compare(&file, Some(&other)).unwrap_err();
        assert!(refused.detail.contains(&own) && refused.detail.contains(&other), "{refused:?}");
    }
}
