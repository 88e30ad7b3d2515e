//! The key file: whether it can be used, until when its keys are good, and whether their scopes mean anything.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::finding::Findings;
use super::machine;
use crate::auth::Need;
use crate::auth::keys::{self, Entry, KeyFileError};
use crate::cli::check;
use crate::config::{AuthConfig, Config};
use crate::libraries::Library;
use crate::private;

/// Somebody is told this long before a key ends.
const NOTICE: Duration = Duration::from_hours(14 * 24);
const PAGE: &str = "docs/keys.md";

/// Looks at the keys.
pub(super) fn examine(config: &Config, libraries: &[Arc<Library>], findings: &mut Findings) {
    findings.begin("keys");
    let AuthConfig::Hmac { keys_file } = &config.auth else {
        let found = "is \"off\": every program and every user of this machine can run native code through the gateway";
        findings.note("auth.mode", found).see("docs/security.md#another-user-of-the-same-machine");
        return;
    };
    let subject = keys_file.display().to_string();
    match keys::read(keys_file) {
        Ok(entries) => {
            findings.ok(&subject, format!("can be used; keys: {}", ids(&entries)));
            owner(keys_file, findings);
            times(&entries, &config.file, findings);
            scopes(&entries, libraries, &config.file, findings);
        }
        Err(error) => {
            let remedy = remedy(&error, &config.file);
            findings.problem("key file", error.to_string()).remedy(remedy).see(PAGE);
        }
    }
}

fn ids(entries: &[Entry]) -> String {
    entries.iter().map(|entry| entry.key.id()).collect::<Vec<_>>().join(", ")
}

fn remedy(error: &KeyFileError, config: &Path) -> String {
    match error {
        KeyFileError::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            format!("bridge32 keys add NAME --scope 'call:*' --scope read --config {}", config.display())
        }
        KeyFileError::Unreadable { file, .. } => {
            format!("let the gateway's user, and nobody else, read it: chown USER {0} && chmod 600 {0}", file.display())
        }
        KeyFileError::Exposed { file, .. } => private::close_file(file),
        KeyFileError::Invalid { file, .. } => {
            format!("correct {}; `bridge32 keys add` writes a table that is right", file.display())
        }
    }
}

/// The owner of the file can give himself every scope.
fn owner(file: &Path, findings: &mut Findings) {
    let (Some(access), Some(user)) = (machine::access(file), machine::own_user()) else { return };
    if access.owner != user && access.owner != 0 {
        let found = format!(
            "belongs to the user {}, who can add keys; doctor runs as {}",
            machine::user_name(access.owner),
            machine::user_name(user)
        );
        let remedy =
            format!("run doctor as the gateway's user, or give the file to that one: chown USER {}", file.display());
        findings.warning(file.display().to_string(), found).remedy(remedy);
    }
}

fn times(entries: &[Entry], config: &Path, findings: &mut Findings) {
    if entries.iter().all(Entry::is_over) {
        let found = "the time of every key is over: nobody can sign a request";
        findings.problem("keys", found).remedy(rotate("NAME", config)).see(PAGE);
        return;
    }
    for entry in entries {
        let id = entry.key.id();
        let Some(expires) = entry.expires else { continue };
        if entry.is_over() {
            let found = format!("was good until {expires}: requests that it signs are refused");
            let remedy = format!("{}; or take it away: bridge32 keys revoke {id}", rotate(id, config));
            findings.warning(format!("key `{id}`"), found).remedy(remedy).see(PAGE);
        } else if expires <= Timestamp::now() + NOTICE {
            let found = format!("is good until {expires} only");
            findings.warning(format!("key `{id}`"), found).remedy(rotate(id, config)).see(PAGE);
        }
    }
}

fn rotate(id: &str, config: &Path) -> String {
    format!("bridge32 keys rotate {id} --config {}", config.display())
}

fn scopes(entries: &[Entry], libraries: &[Arc<Library>], config: &Path, findings: &mut Findings) {
    for text in check::unknown_scopes(entries, libraries) {
        let remedy = format!("correct the scope, or the library's name in {}", config.display());
        findings.warning("scopes", text).remedy(remedy).see(PAGE);
    }
    for library in libraries {
        let name = library.name.as_str();
        let may = |entry: &&Entry| !entry.is_over() && entry.scopes.allow(Need::SomeCall, name, "").is_ok();
        if entries.iter().any(|entry| may(&entry)) {
            findings.ok(format!("scopes for `{name}`"), "there is a key that may call it");
        } else {
            let remedy = format!("bridge32 keys add NAME --scope call:{name} --config {}", config.display());
            findings
                .warning(format!("library `{name}`"), "no key may call any of its functions")
                .remedy(remedy)
                .see(PAGE);
        }
    }
}
