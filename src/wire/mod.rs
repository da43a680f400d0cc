//! Netlink bytes to and from the model: message framing, requests, replies of each `sock_diag` family.
//!
//! Replies are read in place: headers as structures over the bytes, attributes by
//! [`NlasIterator`](netlink_packet_core::NlasIterator). Nothing is allocated for a socket.

mod attribute;
mod conntrack;
mod inet;
mod message;
mod netlink;
mod packet;
mod request;
mod sequence;
mod unix;

use std::fmt;

use crate::model::{Family, Protocol, Socket, Table};

pub use conntrack::{conntrack_request, translation};
pub use message::{
    Body, Message, Messages, done, ends_dump, is_interrupted, note, proc_line, set_sequence,
};
pub use request::{DumpParams, both_request, dump_request, exact_request, unix_name_request};
pub use sequence::{has_end, is_ours, table_of, tag, tag_with_end};

/// Why bytes are not the message they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// Shorter than its fixed part.
    Short {
        /// What was being read.
        what: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes needed.
        needed: usize,
    },
    /// The length in the message does not fit the bytes that are there.
    Length {
        /// The length it states.
        stated: usize,
        /// Bytes found.
        found: usize,
    },
    /// An attribute's length does not fit.
    Attribute,
    /// A family the request did not ask for.
    Family(u8),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short {
                what,
                found,
                needed,
            } => write!(f, "{what} of {found} bytes, {needed} expected"),
            Self::Length { stated, found } => {
                write!(f, "message of {stated} bytes, {found} present")
            }
            Self::Attribute => f.write_str("malformed attribute"),
            Self::Family(family) => write!(f, "reply of address family {family}"),
        }
    }
}

impl std::error::Error for WireError {}

/// Reads one reply of a dump of `protocol` into the scratch socket.
///
/// # Errors
///
/// When the bytes are no such reply; the socket then holds no row.
pub fn decode(protocol: Protocol, payload: &[u8], socket: &mut Socket) -> Result<(), WireError> {
    // Each begins with its family; an empty reply is too short for any.
    let code = payload.first().copied();
    let is_it = |family: &&Family| code.is_none_or(|code| family.code() == code);
    let Some(family) = protocol.families().iter().find(is_it) else {
        return Err(WireError::Family(code.unwrap_or_default()));
    };
    socket.reset(protocol, *family);
    match family {
        Family::Inet | Family::Inet6 => inet::decode(payload, socket),
        Family::Unix => unix::decode(payload, socket),
        Family::Packet => packet::decode(payload, socket),
        Family::Netlink => netlink::decode(payload, socket),
    }
}

/// The table a reply to a request of another program belongs to, told by its first byte; what is
/// said about IP is taken for TCP.
pub fn table_of_reply(payload: &[u8]) -> Option<Table> {
    let family = Family::from_code(*payload.first()?)?;
    Table::all().find(|table| table.family == family)
}

#[cfg(test)]
mod tests;
