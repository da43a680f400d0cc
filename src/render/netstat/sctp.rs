//! SCTP listeners and associations, with a line for each of their addresses.

use std::net::IpAddr;

use super::{NetstatLayout, address, internet, padded};
use crate::fields::Side;
use crate::model::{Row, SocketType};
use crate::render::{Extras, digits};

/// Width of both addresses and the blank between them.
const BOTH: usize = 2 * address::WIDTH + 1;
/// Width of the columns before the addresses.
const BEFORE: usize = 20;

pub(super) fn row(out: &mut Vec<u8>, layout: &NetstatLayout, row: &Row<'_>) {
    let socket = row.socket;
    let is_endpoint = socket.kind == Some(SocketType::Endpoint);
    padded(out, BEFORE, |out| {
        padded(out, 6, |out| out.extend_from_slice(b"sctp"));
        if !is_endpoint {
            internet::queues(out, socket);
        }
    });
    let (mut own, mut other) = (socket.addresses(0), socket.addresses(1));
    let mut state = socket.state.name();
    let mut ends = [own.next().or(socket.local.ip), other.next()];
    loop {
        let [local, peer] = ends;
        // An association shows its ports only in its first line.
        let has_port = is_endpoint || !state.is_empty();
        let local_width = if is_endpoint { BOTH } else { address::WIDTH };
        let columns = [
            (Side::Local, local, local_width),
            (Side::Peer, peer, address::WIDTH),
        ];
        for (side, ip, width) in columns.into_iter().take(if is_endpoint { 1 } else { 2 }) {
            padded(out, width, |out| {
                end(out, layout, (side, row), ip, has_port);
            });
            out.push(b' ');
        }
        padded(out, 11, |out| out.extend_from_slice(state.as_bytes()));
        ends = [own.next(), other.next()];
        if ends == [None; 2] {
            break;
        }
        state = "";
        out.push(b'\n');
        digits::blanks(out, BEFORE);
    }
    internet::owner(out, layout, row);
    if layout.extras.has(Extras::TIMERS) {
        // net-tools prints no timer here.
        out.push(b' ');
    }
    out.push(b'\n');
}

/// Writes an address of an end; nothing if it has fewer than the other end.
fn end(
    out: &mut Vec<u8>,
    layout: &NetstatLayout,
    (side, row): (Side, &Row<'_>),
    address: Option<IpAddr>,
    has_port: bool,
) {
    if address.is_none() {
        return;
    }
    // The host name belongs to the address that the row has in other formats.
    let name = side.host(row).filter(|_| address == side.of(row).ip);
    address::host(out, layout, name, address);
    if has_port {
        out.push(b':');
        let mut number = itoa::Buffer::new();
        out.extend_from_slice(address::port(side, row, &mut number).as_bytes());
    }
}
