//! Text of `/proc/net` → model: one line, one socket.
//!
//! A line is taken as a kernel writes it or not at all: every column that says what a socket is must be
//! there, and a number is as wide as its `printf` format makes it. Columns at the end that came with
//! later kernels may be missing, and are unknown then; further ones mean nothing.

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

/// Bytes of a column that an error quotes.
const QUOTED: usize = 64;

/// Is this the line of column names that begins the file of a table?
pub fn is_header(table: Table, line: &[u8]) -> bool {
    let word = match table.protocol {
        Protocol::Unix => "Num",
        Protocol::Packet | Protocol::Netlink => "sk",
        listed if listed.in_proc_net() => "sl",
        _ => return false,
    };
    line.trim_ascii_start().split(|byte| *byte == b' ').next() == Some(word.as_bytes())
}

/// Fills a socket from one line, without its newline, of the file of a table.
///
/// Cookie, shutdown, cgroup and mark stay unknown: `/proc` does not tell them. Drops are always
/// filled in, for they cost nothing. After an error the socket holds nothing that has a meaning.
///
/// # Errors
///
/// When the line is not one that a kernel writes: a column is missing, or is not a number of its kind.
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

/// True if a line that ends without a newline was cut off: its last column may be half of one. Of TCP no
/// column at the end means anything, so that a line is whole that has as many as any kernel since Linux 2.6
/// writes.
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

/// The user a line names, unless nobody can be meant: a socket without a descriptor has the user 0
/// when the kernel does not know better, and one in `TIME_WAIT` is nobody's.
fn owner(uid: u32, inode: u64, state: State) -> Option<u32> {
    let nobody = inode == 0 && (uid == 0 || state == State::TimeWait);
    (!nobody).then_some(uid)
}

/// Enters the count of dropped packets, the only memory field of `/proc/net`.
fn set_drops(socket: &mut Socket, drops: u32) {
    socket.details_mut().memory = Some(Memory {
        drops: Some(drops),
        ..Memory::default()
    });
}

/// `None` for the zero that stands for nothing.
fn nonzero<N: Default + PartialEq>(number: N) -> Option<N> {
    (number != N::default()).then_some(number)
}

/// Why a column is malformed, by its name in the header; long text is cut.
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
