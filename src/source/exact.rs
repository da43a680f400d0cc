//! One connection, asked for by both its ends: no walk through the kernel's tables.

use std::io;
use std::net::SocketAddr;

use super::channel::Channel;
use crate::model::{Socket, Table};
use crate::wire::{self, DumpParams, Messages};

/// The connection with these ends, bound to this interface or to none; `None` where there is no such.
///
/// Where there is no such connection, the kernel answers with the listener that would take it, and
/// one bound to an interface it finds only when asked for that interface. So nothing is concluded
/// from an answer that is not this very connection. One that is bound to no interface may hide others
/// with the same ends, which are bound to one; whoever asks must not want those.
///
/// # Errors
///
/// When there was no answer; it may still come, so that the channel is of no use any more.
pub(super) fn answer(
    channel: &mut Channel,
    table: Table,
    params: DumpParams<'_>,
    ends: [SocketAddr; 2],
    interface: Option<u32>,
) -> io::Result<Option<Socket>> {
    let request = wire::exact_request(table, params, ends, interface);
    match Messages::new(channel.ask(&request)?).next() {
        Some(Ok(message)) if message.sequence == wire::tag(table) => {
            let payload = message.socket();
            Ok(payload.and_then(|payload| decode(payload, table, ends)))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The socket of an answer, if it has these ends.
fn decode(payload: &[u8], table: Table, [local, peer]: [SocketAddr; 2]) -> Option<Socket> {
    let mut socket = Socket::new(table.protocol, table.family);
    wire::decode(table.protocol, payload, &mut socket).ok()?;
    let both = socket.local.is_at(local) && socket.peer.is_at(peer);
    (both && socket.family == table.family).then_some(socket)
}
