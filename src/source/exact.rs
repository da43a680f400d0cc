//! One connection, asked for by both its ends: no walk through the kernel's tables.

use std::io;
use std::net::SocketAddr;

use super::channel::Channel;
use crate::filter::Exact;
use crate::model::{Socket, Table};
use crate::wire::{self, DumpParams, Messages};

/// The reply that holds the connection; `None` when the kernel has no other than a dump can tell.
///
/// Where there is no such connection, the kernel answers with the listener that would take it, and
/// one bound to an interface it finds only when asked for that interface. So nothing is concluded
/// from an answer that is not this very connection. One that is bound to no interface may hide others
/// with the same ends, which are bound to one; whoever asks must not want those.
///
/// # Errors
///
/// When there was no answer; it may still come, so that the channel is of no use any more.
pub(super) fn reply<'c>(
    channel: &'c mut Channel,
    table: Table,
    params: DumpParams<'_>,
    exact: &Exact,
) -> io::Result<Option<&'c [u8]>> {
    let ends = [exact.local, exact.peer];
    let payload = payload(channel, table, params, ends, exact.interface)?;
    let is_it = |payload: &&[u8]| {
        decode(payload, table, ends).is_some_and(|socket| socket.interface == exact.interface)
    };
    Ok(payload.filter(is_it))
}

/// The connection with these ends, bound to this interface or to none; `None` where there is no such.
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
    let payload = payload(channel, table, params, ends, interface)?;
    Ok(payload.and_then(|payload| decode(payload, table, ends)))
}

/// What the kernel answers, be it the one that was asked for or not.
fn payload<'c>(
    channel: &'c mut Channel,
    table: Table,
    params: DumpParams<'_>,
    ends: [SocketAddr; 2],
    interface: Option<u32>,
) -> io::Result<Option<&'c [u8]>> {
    let request = wire::exact_request(table, params, ends, interface);
    match Messages::new(channel.ask(&request)?).next() {
        Some(Ok(message)) if message.sequence == wire::tag(table) => Ok(message.socket()),
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
