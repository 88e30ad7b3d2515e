//! The files of the gateway itself: its configuration, and `data_dir` with its owner, its mode and the room that is left.

use std::path::{Path, PathBuf};

use super::finding::Findings;
use super::machine::{self, Access};
use crate::config::Config;
use crate::private::{self, FolderError};

/// With less room than this, calls of an hour or a crash report may be lost.
const LITTLE: u64 = 200 << 20;
/// With less than this a database cannot be written.
const NOTHING: u64 = 10 << 20;
/// So few more files are soon used up.
const FEW_FILES: u64 = 1000;
/// So many files in `data_dir` are looked at.
const MAX_ENTRIES: usize = 2000;

/// Looks at them. Whether `data_dir` is one that this user's gateway would take.
pub(super) fn examine(config: &Config, findings: &mut Findings) -> bool {
    findings.begin("files");
    configuration_file(&config.file, findings);
    data_dir(config, findings)
}

/// Whoever can write into it decides which programs are run.
fn configuration_file(file: &Path, findings: &mut Findings) {
    let Some(access) = machine::access(file) else { return };
    if access.mode & 0o022 == 0 {
        findings.ok(file.display().to_string(), "only its owner can change it");
        return;
    }
    let found =
        format!("others can write into it (mode {:04o}), and so decide which programs the gateway runs", access.mode);
    findings.warning(file.display().to_string(), found).remedy(format!("chmod go-w {}", file.display()));
}

fn data_dir(config: &Config, findings: &mut Findings) -> bool {
    let folder = &config.data_dir;
    let subject = "data_dir";
    let elsewhere = format!("or set `data_dir` in {} to a folder of its own", config.file.display());
    if !folder.exists() {
        let above = nearest(folder);
        let possible = machine::may(&above, "wx");
        if possible {
            findings.ok(subject, format!("{} is not there yet; the first start makes it", folder.display()));
        } else {
            let found = format!("{} is not there, and this user may not make it", folder.display());
            let user = machine::own_user().map_or_else(|| "USER".to_owned(), |id| id.to_string());
            let remedy = format!("mkdir -p {0} && chown {user} {0} && chmod 700 {0}; {elsewhere}", folder.display());
            findings.problem(subject, found).remedy(remedy);
        }
        room(&above, findings);
        return possible;
    }
    if let Err(error) = private::prepare_data_dir(folder) {
        let remedy = match &error {
            FolderError::Foreign { owner, .. } => {
                format!(
                    "run the gateway, and doctor, as the user {}; {elsewhere}",
                    owner.parse().map_or_else(|_| owner.clone(), machine::user_name)
                )
            }
            FolderError::Writable { folder, .. } => private::close_folder(folder),
            FolderError::InUse { .. } => elsewhere.clone(),
            FolderError::Unusable { folder, .. } => format!("look at it: ls -ld {}; {elsewhere}", folder.display()),
        };
        let user = !matches!(error, FolderError::Foreign { .. });
        findings
            .problem(subject, error.to_string())
            .remedy(remedy)
            .see("docs/security.md#another-user-of-the-same-machine");
        return user;
    }
    let mode = machine::access(folder).map_or(0, |access| access.mode);
    let possible = machine::may(folder, "rwx");
    if !possible {
        let found =
            "this user may not write into it: keys' last uses, crash reports and used signatures could not be kept";
        let remedy = format!(
            "run the gateway, and doctor, as the user that it belongs to: ls -ld {}; {elsewhere}",
            folder.display()
        );
        findings.problem(subject, found).remedy(remedy);
    } else if mode & 0o055 != 0 {
        let found = format!("other users can list {} (mode {mode:04o})", folder.display());
        findings.warning(subject, found).remedy(format!("chmod 700 {}", folder.display()));
    } else {
        findings.ok(subject, format!("{} is this user's alone", folder.display()));
    }
    foreign_files(folder, findings);
    room(folder, findings);
    possible
}

/// The folder itself, or the nearest one above it that is there.
fn nearest(folder: &Path) -> PathBuf {
    folder.ancestors().find(|above| above.exists()).unwrap_or(Path::new(".")).to_owned()
}

/// A gateway that once ran as root leaves files that it cannot write later.
fn foreign_files(folder: &Path, findings: &mut Findings) {
    let Some(Access { owner, .. }) = machine::access(folder) else { return };
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_ENTRIES) {
            looked_at += 1;
            if looked_at > MAX_ENTRIES {
                break;
            }
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path.clone());
            }
            found.extend(
                machine::access(&path).filter(|access| access.owner != owner).map(|access| (path, access.owner)),
            );
        }
    }
    let Some((first, other)) = found.first() else { return };
    let more = if found.len() > 1 { format!(", as do {} more", found.len() - 1) } else { String::new() };
    let found = format!(
        "belongs to the user {}{more}, and the folder to {}: the gateway may not be able to write it",
        machine::user_name(*other),
        machine::user_name(owner)
    );
    findings.warning(first.display().to_string(), found).remedy(format!("chown -R {owner} {}", folder.display()));
}

/// What the file system has left.
fn room(folder: &Path, findings: &mut Findings) {
    let Some(space) = machine::space(folder) else { return };
    let subject = format!("room at {}", folder.display());
    let remedy = format!("see what takes it: df -h {0}; du -xsh {0}", folder.display());
    let left = format!("{} are left", machine::size(space.bytes));
    if space.bytes < NOTHING {
        findings.problem(subject, format!("{left}: nothing can be kept")).remedy(remedy);
    } else if space.bytes < LITTLE {
        findings.warning(subject, format!("only {left}")).remedy(remedy);
    } else if let Some(files @ ..FEW_FILES) = space.files {
        let found = format!("{left}, but only {files} more files can be made");
        findings.warning(subject, found).remedy(format!("df -i {}", folder.display()));
    } else {
        findings.ok(subject, left);
    }
}
