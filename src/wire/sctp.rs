//! Replies of `sctp_diag` (`net/sctp/diag.c`): an `inet_diag_msg` for each socket (endpoint), and one for each of its
//! associations, with the same inode and cookie.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::Malformed;
use crate::model::{Family, Socket, SocketType, State, Structure, TimerKind};

/// Bytes of a `struct sockaddr_storage` (`include/uapi/linux/socket.h`).
const SOCKADDR: usize = 128;

/// Stores an array of `sockaddr_storage`: the addresses of one end.
pub(super) fn addresses(socket: &mut Socket, end: usize, value: &[u8]) {
    let details = socket.details_mut();
    let Some(list) = details.addresses.get_mut(end) else {
        return;
    };
    list.clear();
    for address in value.as_chunks::<SOCKADDR>().0.iter().filter_map(address) {
        let comma = if list.is_empty() { "" } else { "," };
        // Writing to a vector cannot fail.
        let _ = write!(list, "{comma}{address}");
    }
}

fn address(sockaddr: &[u8; SOCKADDR]) -> Option<IpAddr> {
    let (family, rest) = sockaddr.split_first_chunk()?;
    let code = u8::try_from(u16::from_ne_bytes(*family)).ok()?;
    // The address follows the port; for IPv6 the flow information too.
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

/// Reads the rest of the header, by what the row is. Only an association has a tag in `sctp_info`, which is always
/// requested, and it always has the attribute of peer addresses, even if empty (`inet_sctp_diag_fill`). A reply
/// without that, or without local addresses, is incomplete.
pub(super) fn settle(
    socket: &mut Socket,
    code: u8,
    [has_own, has_other]: [bool; 2],
) -> Result<(), Malformed> {
    let tag = socket
        .info(Structure::SctpInfo)
        .and_then(|info| info.sent("tag"));
    // Only a socket is CLOSING or LISTENING (`enum sctp_sock_state`); only an association has the codes 0 and 3 to 6.
    let is_endpoint = matches!(code, 8 | 10) || tag == Some(0) && !matches!(code, 0 | 3..=6);
    if !has_own || !has_other && !is_endpoint {
        return Err("inet_diag_msg of SCTP without addresses".into());
    }
    if !has_other {
        socket.kind = Some(SocketType::Endpoint);
        // If the socket is unconnected, the header has the address of its last association.
        let bound = socket.addresses(0).next();
        if socket.state.is_bound() && socket.addresses(0).all(|ip| Some(ip) != socket.local.ip) {
            socket.local.ip = bound.or(socket.local.ip);
        }
        // The associations report the queues.
        if socket.state != State::Listen {
            (socket.recv_queue, socket.send_queue) = (None, None);
        }
        return Ok(());
    }
    socket.kind = Some(SocketType::Association);
    socket.state = State::from_sctp_association(code);
    if let Some(timer) = &mut socket.timer {
        // `SCTP_EVENT_TIMEOUT_T3_RTX`, the only timer reported.
        timer.kind = TimerKind::Retransmit;
    }
    // For an IPv6 socket that uses IPv4, the header has a zero peer, and the socket's first address as the local one.
    let header = socket
        .peer
        .ip
        .filter(|ip| socket.addresses(1).any(|known| known == *ip));
    let peer = header.or_else(|| socket.addresses(1).find(IpAddr::is_ipv4));
    let is_alike = |ip: &IpAddr| peer.is_some_and(|peer| peer.is_ipv4() == ip.is_ipv4());
    let own = socket.addresses(0).find(is_alike);
    (socket.local.ip, socket.peer.ip) = (own.or(socket.local.ip), peer.or(socket.peer.ip));
    // The interface is that of the route, which only a link-local address needs.
    let is_scoped = |ip| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let mut details = socket.details.iter();
    if !details.any(|details| details.keeps_attributes) {
        socket.v6only = None;
        socket.interface = socket.interface.filter(|_| peer.is_some_and(is_scoped));
    }
    Ok(())
}
