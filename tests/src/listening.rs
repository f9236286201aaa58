//! Where a program listens, as the kernel tells: it was given port 0, and which one it got is nobody's guess.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

/// The state `LISTEN` in the kernel's table.
const LISTEN: &str = "0A";

/// The IPv4 address that a process listens on, if it does.
pub fn listening(process: u32) -> Option<SocketAddr> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).ok()?;
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, LISTEN, ..] = columns[..] else { return None };
        let inode = *columns.get(9)?;
        sockets.iter().any(|socket| socket == inode).then(|| address(local)).flatten()
    })
}

/// `0100007F:1B9E`, an address in the host's order and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let host = Ipv4Addr::from(u32::from_str_radix(host, 16).ok()?.to_ne_bytes());
    Some((host, u16::from_str_radix(port, 16).ok()?).into())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found() {
        assert_eq!(address("0100007F:1B9E"), Some(([127, 0, 0, 1], 7070).into()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listening(std::process::id()).unwrap();
        // Other tests of this process may listen as well.
        assert!(found.ip().is_loopback() && found.port() > 0, "{found} beside {listener:?}");
        assert_eq!(listening(u32::MAX), None);
    }
}
