//! What `sctp_diag` tells in an `inet_diag_msg`: a socket, the endpoint, is a row, and each of its associations
//! another one with the same inode and cookie (`net/sctp/diag.c`).

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::Malformed;
use crate::model::{Family, Socket, SocketType, State, Structure, TimerKind};

/// Bytes of a `struct sockaddr_storage` (`include/uapi/linux/socket.h`).
const SOCKADDR: usize = 128;

/// Keeps an array of `sockaddr_storage`: the addresses of an end.
pub(super) fn addresses(socket: &mut Socket, end: usize, value: &[u8]) {
    let details = socket.details_mut();
    let Some(list) = details.addresses.get_mut(end) else {
        return;
    };
    list.clear();
    for address in value.as_chunks::<SOCKADDR>().0.iter().filter_map(address) {
        let comma = if list.is_empty() { "" } else { "," };
        // A vector takes everything.
        let _ = write!(list, "{comma}{address}");
    }
}

fn address(sockaddr: &[u8; SOCKADDR]) -> Option<IpAddr> {
    let (family, rest) = sockaddr.split_first_chunk()?;
    let code = u8::try_from(u16::from_ne_bytes(*family)).ok()?;
    // Behind the port; of IPv6 behind the flow, too.
    match Family::from_code(code)? {
        Family::Inet => rest
            .get(2..)?
            .first_chunk()
            .map(|bytes: &[u8; 4]| Ipv4Addr::from(*bytes).into()),
        Family::Inet6 => rest
            .get(6..)?
            .first_chunk()
            .map(|bytes: &[u8; 16]| Ipv6Addr::from(*bytes).into()),
        _ => None,
    }
}

/// Reads the rest of the header by what the row is: `sctp_info`, which is always asked for, has a tag of an
/// association alone, and an association tells addresses of a peer, were there none (`inet_sctp_diag_fill`). A reply
/// without that, or without addresses of its own, is a part of one.
pub(super) fn settle(
    socket: &mut Socket,
    code: u8,
    [has_own, has_other]: [bool; 2],
) -> Result<(), Malformed> {
    let tag = socket
        .info(Structure::SctpInfo)
        .and_then(|info| info.sent("tag"));
    // No association is in the states CLOSING and LISTENING (`enum sctp_sock_state`), and no socket in some of its.
    let is_endpoint = matches!(code, 8 | 10) || tag == Some(0) && !matches!(code, 0 | 3..=6);
    if !has_own || !has_other && !is_endpoint {
        return Err("inet_diag_msg of SCTP without addresses".into());
    }
    if !has_other {
        socket.kind = Some(SocketType::Endpoint);
        // Without a connection of its own the header has the address of the last association.
        let bound = socket.addresses(0).next();
        if socket.state.is_bound() && socket.addresses(0).all(|ip| Some(ip) != socket.local.ip) {
            socket.local.ip = bound.or(socket.local.ip);
        }
        // What is queued is told of the associations.
        if socket.state != State::Listen {
            (socket.recv_queue, socket.send_queue) = (None, None);
        }
        return Ok(());
    }
    socket.kind = Some(SocketType::Association);
    socket.state = State::from_sctp_association(code);
    if let Some(timer) = &mut socket.timer {
        // `SCTP_EVENT_TIMEOUT_T3_RTX`, the only one that is told.
        timer.kind = TimerKind::Retransmit;
    }
    // Of an IPv6 socket that speaks IPv4 the header has zeros, and as its own address the first it has.
    let header = socket
        .peer
        .ip
        .filter(|ip| socket.addresses(1).any(|known| known == *ip));
    let peer = header.or_else(|| socket.addresses(1).find(IpAddr::is_ipv4));
    let is_alike = |ip: &IpAddr| peer.is_some_and(|peer| peer.is_ipv4() == ip.is_ipv4());
    let own = socket.addresses(0).find(is_alike);
    (socket.local.ip, socket.peer.ip) = (own.or(socket.local.ip), peer.or(socket.peer.ip));
    // It is that of the route, which an address needs if it is link-local.
    let is_scoped = |ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let mut details = socket.details.iter();
    if !details.any(|details| details.keeps_attributes) {
        socket.v6only = None;
        socket.interface = socket.interface.filter(|_| peer.is_some_and(is_scoped));
    }
    Ok(())
}
