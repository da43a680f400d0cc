//! An endpoint in one cell: `127.0.0.1:80`, `[fe80::1]%eth0:22`, `/run/a.sock`, `route:1234`.

use std::net::{IpAddr, Ipv4Addr};

use crate::fields::{Datum, Side};
use crate::model::{Endpoint, Family, Row};

use super::Field;
use super::digits;
use super::style::Style;

/// Characters that separate the parts of a cell, and so are escaped in names.
const fn separates_parts(c: char) -> bool {
    matches!(c, ':' | '%' | '[' | ']')
}

/// Writes address, interface and port, with names instead of numbers if the row has them.
pub(super) fn write(style: Style, out: &mut Vec<u8>, side: Side, row: &Row<'_>) {
    let end = side.of(row);
    match row.socket.family {
        Family::Unix if end.name.is_empty() => out.push(b'*'),
        Family::Unix => style.path(out, &end.name),
        Family::Xdp if side == Side::Local && row.socket.interface.is_some() => {
            Style::cell(style, out, Field::Interface, row);
            out.push(b':');
            port(style, out, side, row);
        }
        _ if is_unknown(end, side, row) => out.push(b'-'),
        _ => {
            address(style, out, side, row);
            if side == Side::Local || end.ip.is_some_and(needs_scope) {
                interface(style, out, row);
            }
            out.push(b':');
            port(style, out, side, row);
        }
    }
}

/// An IPv4 endpoint without names and interface.
pub(super) fn numeric(side: Side, row: &Row<'_>) -> Option<(Ipv4Addr, Option<u16>)> {
    let end = side.of(row);
    let Some(IpAddr::V4(address)) = end.ip else {
        return None;
    };
    let is_named = side.host(row).is_some() || side.service(row).is_some();
    if is_named || row.socket.interface.is_some() {
        return None;
    }
    let port = match end.port {
        Some(port) => Some(u16::try_from(port).ok()?),
        None => None,
    };
    Some((address, port))
}

/// True if nothing is known of this end. The local end of a packet socket is always known: it may receive
/// everything.
fn is_unknown(end: &Endpoint, side: Side, row: &Row<'_>) -> bool {
    let nothing = end.ip.is_none() && end.name.is_empty() && end.port.is_none();
    let is_of_interface = matches!(row.socket.family, Family::Packet | Family::Xdp);
    let own_packet = side == Side::Local && is_of_interface;
    nothing && side.host(row).is_none() && !own_packet
}

/// Writes the address column of an end without address or name.
pub(super) fn unnamed(out: &mut Vec<u8>, side: Side, row: &Row<'_>) {
    let any = match row.socket.family {
        Family::Unix => true,
        Family::Packet | Family::Xdp => side == Side::Local,
        _ => false,
    };
    out.push(if any { b'*' } else { b'-' });
}

/// Writes a port: service, number, or `*` if unbound.
pub(super) fn port(style: Style, out: &mut Vec<u8>, side: Side, row: &Row<'_>) {
    match (side.service(row), side.of(row).port) {
        (Some("*"), _) => out.extend_from_slice(b"\\x2a"),
        (Some(service), _) if !service.is_empty() => {
            style.name(out, service.as_bytes(), separates_parts);
        }
        (_, Some(port)) => digits::integer(out, port.into()),
        (_, None) if row.socket.family == Family::Unix => out.push(b'-'),
        (_, None) => out.push(b'*'),
    }
}

fn address(style: Style, out: &mut Vec<u8>, side: Side, row: &Row<'_>) {
    let end = side.of(row);
    match (side.host(row), end.ip) {
        (Some(host), _) if !host.is_empty() => style.name(out, host.as_bytes(), separates_parts),
        (_, Some(IpAddr::V4(address))) => digits::ipv4(out, address),
        (_, Some(_)) if side == Side::Local && row.socket.takes_ipv4_too() == Some(true) => {
            // As in ss: every address of both versions.
            out.push(b'*');
        }
        (_, Some(IpAddr::V6(address)))
            if style.shortens_mapped
                && let Some(mapped) = address.to_ipv4_mapped() =>
        {
            out.push(b'^');
            digits::ipv4(out, mapped);
        }
        (_, Some(IpAddr::V6(address))) => {
            out.push(b'[');
            digits::ipv6(out, address);
            out.push(b']');
        }
        (_, None) if end.name.is_empty() => out.push(b'*'),
        (_, None) => style.name(out, &end.name, separates_parts),
    }
}

fn interface(style: Style, out: &mut Vec<u8>, row: &Row<'_>) {
    match Field::Interface.get(row) {
        Some(Datum::Name(name)) => {
            out.push(b'%');
            style.name(out, name, separates_parts);
        }
        Some(Datum::Index(index)) => {
            out.push(b'%');
            digits::integer(out, index.into());
        }
        _ => {}
    }
}

/// True if the address is only meaningful with an interface: `fe80::/10`, and multicast of interface-local
/// and link-local scope (RFC 4291, RFC 4007).
const fn needs_scope(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => {
            let [first, second, ..] = address.octets();
            address.is_unicast_link_local() || first == 0xff && matches!(second & 0xf, 1 | 2)
        }
    }
}
