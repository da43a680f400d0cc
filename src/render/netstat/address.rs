//! Addresses as formatted by the C library, truncated as in `netstat`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{NetstatLayout, padded};
use crate::fields::Side;
use crate::model::Row;
use crate::render::digits;

/// Width of an address with its port.
pub(super) const WIDTH: usize = 23;
/// Bytes of address and port, without the colon.
const FITTING: usize = WIDTH - 1;
/// Bytes of the address that remain, however long the port is.
const LEAST: usize = 4;
/// Size of `netstat`'s buffers: for an address, and for address, colon and port.
const ROOM: usize = 127;

/// Writes an endpoint at least as wide as its column.
pub(super) fn write(out: &mut Vec<u8>, layout: &NetstatLayout, side: Side, row: &Row<'_>) {
    padded(out, WIDTH, |out| {
        let start = out.len();
        host(out, layout, side.host(row), side.of(row).ip);
        let mut number = itoa::Buffer::new();
        let port = port(side, row, &mut number).as_bytes();
        if layout.cuts_addresses && out.len() - start + port.len() > FITTING {
            let port = port.get(..FITTING - LEAST).unwrap_or(port);
            out.truncate(start + FITTING - port.len());
            out.push(b':');
            out.extend_from_slice(port);
        } else {
            out.push(b':');
            out.extend_from_slice(port);
            out.truncate(start + ROOM);
        }
    });
}

/// The port of an end, or its service.
pub(super) fn port<'b>(side: Side, row: &Row<'b>, number: &'b mut itoa::Buffer) -> &'b str {
    match (side.of(row).port, side.service(row)) {
        (None | Some(0), _) => "*",
        (Some(_), Some(service)) => service,
        (Some(port), None) => number.format(port),
    }
}

/// Writes a host: its name, if any, or its address.
pub(super) fn host(
    out: &mut Vec<u8>,
    layout: &NetstatLayout,
    name: Option<&str>,
    address: Option<IpAddr>,
) {
    match (name, address) {
        (Some(host), _) => layout.name(out, ROOM, |out| {
            out.extend_from_slice(host.as_bytes());
        }),
        (None, Some(IpAddr::V4(ip))) => digits::ipv4(out, ip),
        (None, Some(IpAddr::V6(ip))) if layout.names_hosts && ip.is_unspecified() => {
            out.extend_from_slice(b"[::]");
        }
        (None, Some(IpAddr::V6(ip))) => match ip.to_ipv4_mapped() {
            // `netstat` shows IPv4-mapped addresses as IPv4.
            Some(mapped) => digits::ipv4(out, mapped),
            None => ipv6(out, ip),
        },
        (None, None) => out.push(b'*'),
    }
}

/// As `inet_ntop(3)` writes it: an IPv4-compatible address ends in dotted form.
pub(in crate::render) fn ipv6(out: &mut Vec<u8>, ip: Ipv6Addr) {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => {
            let [.., a, b, c, d] = ip.octets();
            out.extend_from_slice(b"::");
            digits::ipv4(out, Ipv4Addr::new(a, b, c, d));
        }
        _ => digits::ipv6(out, ip),
    }
}

#[cfg(test)]
mod tests {
    use super::ipv6;

    fn written(address: &str) -> String {
        let mut out = Vec::new();
        ipv6(
            &mut out,
            address.parse().unwrap_or(std::net::Ipv6Addr::UNSPECIFIED),
        );
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn addresses_are_those_of_the_c_library() {
        for (address, text) in [
            ("::", "::"),
            ("::1", "::1"),
            ("::2:3", "::0.2.0.3"),
            ("::1:0:2:3", "::1:0:2:3"),
            ("::102:304", "::1.2.3.4"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("1:0:0:2::3", "1:0:0:2::3"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("fe80::1", "fe80::1"),
        ] {
            assert_eq!(written(address), text, "{address}");
        }
    }
}
