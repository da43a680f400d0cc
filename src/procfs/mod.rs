//! Parses `/proc/net`, one line per socket, and reads other files of procfs.
//!
//! A line must be as a kernel writes it: it has every column that identifies the socket, and each number has the
//! width of its `printf` format. Columns that later kernels append may be missing and are then unknown; further
//! ones are ignored.

pub mod characters;
mod column;
pub mod fd;
pub mod file;
mod inet;
pub mod moment;
pub mod mounts;
mod netlink;
mod packet;
mod unix;

use crate::error::Malformed;
use crate::model::{Memory, Protocol, Socket, State, Table};
use crate::text::escape;

/// Bytes of a column that an error message quotes.
const QUOTED: usize = 64;

/// True if the line is the header of a table's file.
pub fn is_header(table: Table, line: &[u8]) -> bool {
    let word = match table.protocol {
        Protocol::Unix => "Num",
        Protocol::Packet | Protocol::Netlink => "sk",
        listed if listed.in_proc_net() => "sl",
        _ => return false,
    };
    line.trim_ascii_start().split(|byte| *byte == b' ').next() == Some(word.as_bytes())
}

/// Fills a socket from one line, without its newline, of a table's file.
///
/// Cookie, shutdown, cgroup and mark stay unknown: `/proc` lacks them. Drops are always filled in, as they cost
/// nothing. After an error the socket is meaningless.
///
/// # Errors
///
/// When no kernel writes such a line: a column is missing or has the wrong kind of number.
pub fn decode_line(table: Table, line: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    socket.reset(table.protocol, table.family);
    match table.protocol {
        Protocol::Unix => unix::decode(line, socket),
        Protocol::Packet => packet::decode(line, socket),
        Protocol::Netlink => netlink::decode(line, socket),
        listed if listed.in_proc_net() => inet::decode(line, socket),
        _ => Err(malformed("line", line, "is of a table without a file")),
    }
}

/// True if a line without a newline may be truncated: its last column may be incomplete. The last columns of TCP are
/// unused, so a TCP line is complete with as many columns as every kernel since Linux 2.6 writes.
pub fn is_cut(table: Table, line: &[u8]) -> bool {
    let words = line.split(|byte| *byte == b' ');
    let count = words.filter(|word| !word.is_empty()).count();
    table.protocol != Protocol::Tcp || count < TCP_COLUMNS
}

/// Columns of a line of `net/tcp`, the pointer included.
const TCP_COLUMNS: usize = 12;

/// The hash bucket of a line of `net/icmp` or `net/icmp6`: its column `sl`.
pub fn bucket_of(line: &[u8]) -> Option<u64> {
    let column = column::Columns::new(line).next("sl").ok()?;
    column.slot().ok()
}

/// The user of a line; `None` if nobody is meant. A socket without a descriptor has user 0 if the kernel does not
/// know its user, and a socket in `TIME_WAIT` has none.
fn owner(uid: u32, inode: u64, state: State) -> Option<u32> {
    let nobody = inode == 0 && (uid == 0 || state == State::TimeWait);
    (!nobody).then_some(uid)
}

/// Sets the count of dropped packets, the only memory field of `/proc/net`.
fn set_drops(socket: &mut Socket, drops: u32) {
    socket.details_mut().memory = Some(Memory {
        drops: Some(drops),
        ..Memory::default()
    });
}

/// `None` if the number is zero.
fn nonzero<N: Default + PartialEq>(number: N) -> Option<N> {
    (number != N::default()).then_some(number)
}

/// The error for a malformed column, with its name in the header; long text is truncated.
fn malformed(column: &str, text: &[u8], reason: &str) -> Malformed {
    match text.get(..QUOTED) {
        _ if text.is_empty() => format!("{column}: {reason}"),
        Some(start) if text.len() > QUOTED => {
            format!("{column}: \"{}...\" {reason}", escape(start))
        }
        _ => format!("{column}: \"{}\" {reason}", escape(text)),
    }
}

#[cfg(test)]
mod tests;
