//! Another user of the machine: what the system lets somebody do who has nothing to do with the gateway.

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// `nobody` on most systems; in any case nobody's here.
const OTHER: u32 = 65534;

/// Runs something as another user, without groups and privileges. (Linux has a user for each thread: only libc makes them
/// one for the process.)
pub fn as_another_user<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test becomes another user, and only root can: run the tests as root, as CI does"
    );
    let become_other = || -> rustix::io::Result<()> {
        set_thread_groups(&[])?;
        let (user, group) = (Uid::from_raw(OTHER), Gid::from_raw(OTHER));
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            become_other().expect("root can become another user");
            let keys = std::fs::read_to_string("/proc/1/environ");
            assert!(keys.is_err(), "this thread still has root's privileges");
            what()
        });
        other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
