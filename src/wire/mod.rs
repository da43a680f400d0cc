//! Netlink messages: framing, requests, and the replies of each `sock_diag` family as sockets.
//!
//! Replies are read in place, headers as structures over the bytes. Decoding allocates nothing per socket.

mod attribute;
mod conntrack;
mod inet;
mod layers;
mod message;
mod netlink;
mod packet;
mod request;
mod sctp;
mod sequence;
mod table;
mod unix;

use crate::error::Malformed;
use crate::model::{Family, Protocol, Socket, Table};

pub use conntrack::{conntrack_request, translation};
pub use message::{
    Body, Message, Messages, done, ends_dump, is_interrupted, note, proc_line, set_sequence,
};
pub use request::{
    Detail, DumpParams, Extensions, both_request, destroy_request, dump_request, exact_request,
    unix_name_request,
};
pub use sequence::{has_end, is_ours, table_of, tag, tag_with_end};
pub use unix::unix_name;

/// Reads one reply of a dump of `protocol` into the scratch socket.
///
/// # Errors
///
/// When the bytes are not such a reply; the socket is then meaningless.
pub fn decode(protocol: Protocol, payload: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    decode_part(protocol, payload, Detail::All, socket)
}

/// As [`decode`], but only as much as `detail` asks for.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_part(
    protocol: Protocol,
    payload: &[u8],
    detail: Detail,
    socket: &mut Socket,
) -> Result<(), Malformed> {
    if let [family] = protocol.families()
        && let Some(reply) = table::reply_of(*family)
    {
        socket.reset(protocol, *family);
        return reply.decode(payload, socket);
    }
    // Every reply begins with its family; an empty one is too short for any.
    let code = payload.first().copied();
    let is_it = |family: &&Family| code.is_none_or(|code| family.code() == code);
    let Some(family) = protocol.families().iter().find(is_it) else {
        return Err(other_family(code.unwrap_or_default()));
    };
    socket.reset(protocol, *family);
    match family {
        Family::Inet | Family::Inet6 => inet::decode(payload, detail, socket),
        Family::Unix => unix::decode(payload, socket),
        Family::Packet => packet::decode(payload, socket),
        _ => netlink::decode(payload, socket),
    }
}

/// The error for a reply of a family that was not requested.
pub fn other_family(code: u8) -> Malformed {
    format!("reply of address family {code}")
}

/// The table of a reply to another program's request, by its first byte. IP counts as TCP.
pub fn table_of_reply(payload: &[u8]) -> Option<Table> {
    let family = Family::from_code(*payload.first()?)?;
    Table::all().find(|table| table.family == family)
}

#[cfg(test)]
mod tests;
