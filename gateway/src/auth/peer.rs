//! Which user of this machine is at the other end of a connection over loopback. Browsers give the cookies of a host to whoever
//! listens on *any* port of it, so that another user's program can come by the cookie of a session: it is of no use to that.

use std::net::{IpAddr, SocketAddr};

/// The two ends of a connection: that of the client, and the port that it has connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) client: SocketAddr,
    pub(super) port: u16,
}

impl Peer {
    /// The id of the user; `None` from other machines, and where the system does not tell.
    pub(super) fn user(self) -> Option<u32> {
        if !self.client.ip().to_canonical().is_loopback() {
            return None;
        }
        // Linux, proc_pid_net(5): a client's socket is in the table of its own family, whatever it has connected to.
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        tables.iter().find_map(|table| self.find(&std::fs::read_to_string(table).ok()?))
    }

    fn find(self, table: &str) -> Option<u32> {
        table.lines().skip(1).find_map(|line| {
            let mut columns = line.split_ascii_whitespace().skip(1);
            let (local, remote) = (columns.next().and_then(end)?, columns.next().and_then(end)?);
            let same = local.ip() == self.client.ip().to_canonical() && local.port() == self.client.port();
            (same && remote.port() == self.port).then(|| columns.nth(4)?.parse().ok()).flatten()
        })
    }
}

/// `0100007F:1F60`: the words of the address as they are in memory, and the port.
fn end(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let mut bytes = Vec::with_capacity(16);
    for word in ip.as_bytes().chunks(8) {
        bytes.extend(u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    Some(SocketAddr::new(ip.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F60 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:C000 0100007F:1F61 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0
   2: 0100007F:C000 0100007F:1F60 01 00000000:00000000 00:00000000 00000000 65534        0 3 1 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_connection_is_found_by_both_of_its_ends() {
        let user = |client: &str, port| Peer { client: client.parse().unwrap(), port }.find(TABLE);
        assert_eq!(user("127.0.0.1:49152", 0x1F60), Some(65534));
        assert_eq!(user("127.0.0.1:49152", 0x1F61), Some(1001));
        assert_eq!(user("[::ffff:127.0.0.1]:49152", 0x1F60), Some(65534));
        assert_eq!((user("127.0.0.1:49153", 0x1F60), user("127.0.0.2:49152", 0x1F60)), (None, None));
        let six = "00000000000000000000000001000000:1F60";
        assert_eq!(end(six), Some("[::1]:8032".parse().unwrap()));
        assert!(["", "x", "0100007F", "0100007F:x", "é:1"].iter().all(|text| end(text).is_none()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_of_our_own_is_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = Peer { client: client.local_addr().unwrap(), port: listener.local_addr().unwrap().port() };
        assert_eq!(peer.user(), Some(rustix::process::geteuid().as_raw()));
        assert_eq!(Peer { client: "192.0.2.1:1".parse().unwrap(), port: 1 }.user(), None);
    }
}
