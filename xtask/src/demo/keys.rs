//! The demo's key: made once, so that programs which were given it go on working after the next build.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Its file, in `dist/`.
pub(super) const FILE: &str = "keys.toml";

/// Makes the file if it is not there. Only its owner can read it: the gateway refuses it otherwise.
pub(super) fn ensure(file: &Path) -> Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut new = match options.open(file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        other => other.with_context(|| format!("{} cannot be made", file.display()))?,
    };
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the system has no random numbers")?;
    new.write_all(text(&secret).as_bytes()).with_context(|| format!("{} cannot be written", file.display()))
}

fn text(secret: &[u8]) -> String {
    format!(
        "# The demo's key, made by the first `cargo xtask build`. Whoever has its secret can run native code through the demo.\n\
         [[key]]\n\
         id = \"demo\"\n\
         secret = \"{}\"\n\
         scopes = [\"call:*\", \"adhoc\", \"read\", \"history\", \"manage\"]\n",
        STANDARD.encode(secret)
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = std::env::temp_dir().join(format!("bridge32-xtask-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(FILE);
        ensure(&file).unwrap();
        let first = std::fs::read_to_string(&file).unwrap();
        ensure(&file).unwrap();
        let second = std::fs::read_to_string(&file).unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(first, second);
        assert_eq!(mode & 0o7777, 0o600);
        assert_ne!(text(&[1; 32]), first);
        assert_eq!(text(&[0; 32]).matches("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").count(), 1);
    }
}
