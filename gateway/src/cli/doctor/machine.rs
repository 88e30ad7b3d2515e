//! What the system says of files, folders and users; where it has no such notion nothing is found.

use std::path::Path;

/// Who a file belongs to, and its permission bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    /// The id of the owner.
    pub(super) owner: u32,
    /// The permission bits.
    pub(super) mode: u32,
}

/// What a file system has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    /// Bytes for this user.
    pub(super) bytes: u64,
    /// Files and folders for this user; `None` where there is no limit.
    pub(super) files: Option<u64>,
    /// It is mounted so that no program of it can be run.
    pub(super) noexec: bool,
}

/// Who a file belongs to.
#[cfg(unix)]
pub(super) fn access(path: &Path) -> Option<Access> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some(Access { owner: found.uid(), mode: found.mode() & 0o7777 })
}

#[cfg(not(unix))]
pub(super) fn access(_: &Path) -> Option<Access> {
    None
}

/// The id of this user.
#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such number")]
pub(super) fn own_user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn own_user() -> Option<u32> {
    None
}

/// A user as people name it.
pub(super) fn user_name(id: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, id).map_or_else(|| format!("number {id}"), |name| format!("`{name}`"))
}

/// The name of a user in a file of passwd(5).
fn name_in(users: &str, id: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then_some(name)
    })
}

/// Whether this user may do that with a path: `r`, `w` and `x` as in a mode.
#[cfg(target_os = "linux")]
pub(super) fn may(path: &Path, what: &str) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let mut wanted = Access::EXISTS;
    wanted.set(Access::READ_OK, what.contains('r'));
    wanted.set(Access::WRITE_OK, what.contains('w'));
    wanted.set(Access::EXEC_OK, what.contains('x'));
    accessat(CWD, path, wanted, AtFlags::EACCESS).is_ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn may(path: &Path, _: &str) -> bool {
    path.exists()
}

/// What the file system of a path has left.
#[cfg(target_os = "linux")]
pub(super) fn space(path: &Path) -> Option<Space> {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    let found = statvfs(path).ok()?;
    Some(Space {
        bytes: found.f_bavail.saturating_mul(found.f_frsize),
        // Some file systems make them as they are needed, and say 0 of 0.
        files: (found.f_files > 0).then_some(found.f_favail),
        noexec: found.f_flag.contains(StatVfsMountFlags::NOEXEC),
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn space(_: &Path) -> Option<Space> {
    None
}

/// Bytes in words, such as `1.5 GB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        None => format!("{bytes} bytes"),
        Some((unit, name)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(unit);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_words() {
        assert_eq!([17, 1536, 3 << 20, u64::MAX].map(size), ["17 bytes", "1.5 kB", "3.0 MB", "17179869183.9 GB"]);
    }

    #[test]
    fn users_have_names() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nbridge:x:990:990::/srv:/bin/false\n";
        assert_eq!(name_in(users, 990), Some("bridge"));
        assert_eq!((name_in(users, 0), name_in(users, 1)), (Some("root"), None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_user_may_do_is_asked_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        assert!(may(folder.path(), "rwx") && !may(&folder.path().join("none"), "r"));
        let data = folder.path().join("data");
        crate::private::make_folder(&data).unwrap();
        assert_eq!(access(&data).map(|access| access.mode), Some(0o700));
        assert!(space(folder.path()).is_some_and(|space| space.bytes > 0));
    }
}
