//! Which process listens at an address, as `proc_pid_net(5)` shows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A process that listens.
#[derive(Debug)]
pub(super) struct Holder {
    /// Its id.
    pub(super) pid: u32,
    /// The name of its program.
    pub(super) program: String,
}

/// Who listens there; `None` where the system does not tell this user.
pub(super) fn holder(address: SocketAddr) -> Option<Holder> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        let mut listening = table.lines().filter_map(listening);
        listening.find(|(at, _)| covers(*at, address)).map(|(_, inode)| inode.to_owned())
    })?;
    let wanted = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has = |pid: &u32| {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .any(|to| to.as_os_str() == wanted.as_str())
    };
    let pid = pids.into_iter().find(has)?;
    let program = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned();
    Some(Holder { pid, program })
}

/// Where a line's socket listens, and its inode: the second column is the address, the fourth the state (0A listens), the tenth the
/// inode.
fn listening(line: &str) -> Option<(SocketAddr, &str)> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    if columns.get(3) != Some(&"0A") {
        return None;
    }
    let (ip, port) = columns.get(1)?.split_once(':')?;
    Some((SocketAddr::new(ip_address(ip)?, u16::from_str_radix(port, 16).ok()?), columns.get(9)?))
}

/// Words of 32 bits in this machine's order, whose bytes are those of the address.
fn ip_address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(8 * at..8 * at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (at, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(at)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Whether who listens at `at` keeps others from `wanted`.
fn covers(at: SocketAddr, wanted: SocketAddr) -> bool {
    let any = at.ip().is_unspecified() || wanted.ip().is_unspecified();
    at.port() == wanted.port() && (any || at.ip().to_canonical() == wanted.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_the_kernel_are_read() {
        let line = "   0: 0100007F:1F60 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0";
        assert_eq!(listening(line), Some(("127.0.0.1:8032".parse().unwrap(), "4711")));
        let six =
            "   0: 00000000000000000000000001000000:1F60 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 12 1";
        assert_eq!(listening(six), Some(("[::1]:8032".parse().unwrap(), "12")));
        assert_eq!(listening(&line.replace(" 0A ", " 01 ")), None);
        assert_eq!(listening("  sl  local_address rem_address   st tx_queue"), None);
        assert_eq!(listening("0: XX:YY 0 0A"), None);
    }

    #[test]
    fn an_address_of_all_interfaces_covers_each() {
        let covers = |at: &str, wanted: &str| covers(at.parse().unwrap(), wanted.parse().unwrap());
        assert!(covers("0.0.0.0:80", "127.0.0.1:80") && covers("[::]:80", "127.0.0.1:80"));
        assert!(covers("127.0.0.1:80", "0.0.0.0:80") && !covers("127.0.0.1:81", "127.0.0.1:80"));
        assert!(!covers("127.0.0.2:80", "127.0.0.1:80"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn who_listens_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(holder(listener.local_addr().unwrap()).unwrap().pid, std::process::id());
    }
}
