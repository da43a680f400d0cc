//! `/proc/net`, read without `lsock`.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::At;
use super::expected::Expected;

/// One line of `/proc/net/{tcp,udp,udplite,raw,icmp}{,6}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetRow {
    /// `local_address`.
    pub local: SocketAddr,
    /// `rem_address`.
    pub peer: SocketAddr,
    /// `st`, the kernel's number of the state.
    pub state: u8,
    /// `tx_queue`; 0 for every listener.
    pub send_queue: u64,
    /// `rx_queue`.
    pub recv_queue: u64,
    /// `tr`: 1 retransmit, 2 keepalive, 3 `TIME_WAIT`, 4 probe.
    pub timer: u8,
    /// `uid`.
    pub uid: u32,
    /// `inode`.
    pub inode: u64,
}

impl NetRow {
    /// Whether addresses and inode are those of `expected`. The file has no scope of a
    /// link-local address, so it is not compared.
    pub fn is_of(&self, expected: &Expected) -> bool {
        let same = |a: SocketAddr, b: SocketAddr| a.ip() == b.ip() && a.port() == b.port();
        expected.local.is_none_or(|local| same(local, self.local))
            && expected.peer.is_none_or(|peer| same(peer, self.peer))
            && expected.inode.is_none_or(|inode| inode == self.inode)
    }
}

/// The file of `/proc/net` that lists sockets like `expected`, in this thread's namespace.
pub fn proc_net(expected: &Expected) -> io::Result<Vec<NetRow>> {
    let six = if expected.family == "inet6" { "6" } else { "" };
    // An MPTCP connection is seen here through the TCP connection that carries it.
    let file = if expected.protocol == "mptcp" {
        "tcp"
    } else {
        expected.protocol
    };
    let path = format!("/proc/thread-self/net/{file}{six}");
    let text = fs::read_to_string(&path).at(&path)?;
    text.lines()
        .skip(1)
        .map(|line| parse(line).ok_or_else(|| io::Error::other(format!("{path}: {line:?}"))))
        .collect()
}

/// The rows that are `expected`, whatever their state.
pub fn rows_of(expected: &Expected) -> io::Result<Vec<NetRow>> {
    Ok(proc_net(expected)?
        .into_iter()
        .filter(|row| row.is_of(expected))
        .collect())
}

fn parse(line: &str) -> Option<NetRow> {
    let field: Vec<&str> = line.split_whitespace().collect();
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (send_queue, recv_queue) = field.get(4)?.split_once(':')?;
    let (timer, _) = field.get(5)?.split_once(':')?;
    Some(NetRow {
        local: address(field.get(1)?)?,
        peer: address(field.get(2)?)?,
        state: u8::try_from(hex(field.get(3)?)?).ok()?,
        send_queue: hex(send_queue)?,
        recv_queue: hex(recv_queue)?,
        timer: u8::try_from(hex(timer)?).ok()?,
        uid: field.get(7)?.parse().ok()?,
        inode: field.get(9)?.parse().ok()?,
    })
}

/// `0100007F:1F90`: words of the address in this machine's byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for start in (0..ip.len()).step_by(8) {
        let word = u32::from_str_radix(ip.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    if let Ok(octets) = <[u8; 4]>::try_from(bytes.as_slice()) {
        return Some(SocketAddr::from((Ipv4Addr::from(octets), port)));
    }
    let octets = <[u8; 16]>::try_from(bytes.as_slice()).ok()?;
    Some(SocketAddr::from((Ipv6Addr::from(octets), port)))
}

/// The number `/proc/net` writes for a state (`include/net/tcp_states.h`).
///
/// A request socket (12) is written as 3 there.
pub fn state_code(state: &str) -> u8 {
    match state {
        "ESTABLISHED" => 1,
        "SYN_SENT" => 2,
        "SYN_RCVD" => 3,
        "FIN_WAIT_1" => 4,
        "FIN_WAIT_2" => 5,
        "TIME_WAIT" => 6,
        "BOUND" | "UNCONN" => 7,
        "CLOSE_WAIT" => 8,
        "LAST_ACK" => 9,
        "LISTEN" => 10,
        "CLOSING" => 11,
        other => panic!("no state {other:?}"),
    }
}

/// Whether `/proc/thread-self/net/unix` holds a line with this inode and exactly this name,
/// and the `St` of that line (1 unconnected, 2 connecting, 3 connected).
pub fn unix_state(inode: u64, name: &[u8]) -> io::Result<Option<u8>> {
    let path = "/proc/thread-self/net/unix";
    let text = fs::read(path).at(path)?;
    // The file writes every NUL as `@`, all other bytes raw, newlines included.
    let shown: Vec<u8> = name
        .iter()
        .map(|&byte| if byte == 0 { b'@' } else { byte })
        .collect();
    for state in 1..=3 {
        let mut line = format!(" {state:02} {inode:5}").into_bytes();
        if !shown.is_empty() {
            line.push(b' ');
            line.extend(&shown);
        }
        line.push(b'\n');
        if text.windows(line.len()).any(|window| window == line) {
            return Ok(Some(state));
        }
    }
    Ok(None)
}
