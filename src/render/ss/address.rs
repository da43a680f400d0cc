//! Endpoints as `ss` writes them, each in two cells.

use std::net::{IpAddr, Ipv6Addr};

use super::SsLayout;
use super::template::word;
use crate::fields::Side;
use crate::model::{Endpoint, Protocol, Row, netlink_family_name};
use crate::render::{digits, netstat};
use crate::text::{escape, is_hidden};

/// An address with the separator before the port, and the port.
type End = (Vec<u8>, Vec<u8>);

/// `NETLINK_*` (`include/uapi/linux/netlink.h`), as named by `ss`.
const NETLINK: &str = "rtnl unused usersock fw tcpdiag nflog xfrm selinux iscsi audit fiblookup connector nft \
    ip6fw dec-rt uevent genl 17 scsi-trans ecryptfs rdma crypto";

/// `ETH_P_*` (`include/uapi/linux/if_ether.h`), as named by `ss`; 3 is `*`.
const ETHER_TYPES: &str = "96 loop 512 pup 513 pupat 2048 ip 2053 x25 2054 arp 2303 bpq 2560 ieeepup \
    2561 ieeepupat 24576 dec 24577 dna_dl 24578 dna_rc 24579 dna_rt 24580 lat 24581 diag 24582 cust \
    24583 sca 32821 rarp 32923 atalk 33011 aarp 33079 ipx 34525 ipv6 34915 ppp_disc 34916 ppp_ses \
    34892 atmmpoa 34948 atmfate 1 802_3 2 ax25 4 802_2 5 snap 6 ddcmp 7 wan_ppp 8 ppp_mp 9 localtalk \
    12 can 16 ppptalk 17 tr_802_2 21 mobitex 22 control 23 irda 24 econet 35018 tipc 34962 profinet \
    34978 aoe 34980 ethercat 33024 802.1Q 34984 802.1ad 34887 mpls_uc 34888 mpls_mc 25944 teb 35020 LLDP";

pub(super) fn ends(layout: &SsLayout, row: &Row<'_>) -> [End; 2] {
    let socket = row.socket;
    let none = || (b"*".to_vec(), Vec::new());
    let unbound = || (b"-".to_vec(), Vec::new());
    match socket.protocol {
        Protocol::Unix => [
            (unix_name(&socket.local.name), number(socket.inode)),
            (b"* ".to_vec(), number(socket.peer_inode)),
        ],
        Protocol::Packet => {
            let index = row.interface.map_or_else(|| b"*".to_vec(), Into::into);
            let mut ether_type = ether_type(layout, socket.local.port.unwrap_or_default());
            ether_type.push(b':');
            [(ether_type, index), none()]
        }
        Protocol::Netlink => {
            let peer = socket.attribute(0x100).map(|group| {
                let group = word(group, 0);
                let port = socket.peer.port.unwrap_or_default().cast_signed();
                (format!("{group}:").into(), port.to_string().into())
            });
            [netlink(layout, row), peer.unwrap_or_else(none)]
        }
        Protocol::Tipc | Protocol::Xdp => [
            numbered(&socket.local, row.interface),
            numbered(&socket.peer, None),
        ]
        .map(|end| {
            end.unwrap_or_else(|| {
                if socket.protocol == Protocol::Tipc {
                    unbound()
                } else {
                    none()
                }
            })
        }),
        _ => [Side::Local, Side::Peer].map(|side| internet(layout, side, row)),
    }
}

/// `node:reference` of TIPC, `device:qN` of XDP.
fn numbered(end: &Endpoint, device: Option<&str>) -> Option<End> {
    let port = end.port?;
    let (mut place, port) = match device {
        Some(device) => (device.as_bytes().to_vec(), format!("q{port}")),
        None => (end.name.clone(), port.to_string()),
    };
    place.push(b':');
    Some((place, port.into()))
}

fn number(number: Option<u64>) -> Vec<u8> {
    number.unwrap_or_default().to_string().into()
}

/// A name with NUL bytes as `@`; all of it is escaped if it does not fit on a line.
fn unix_name(name: &[u8]) -> Vec<u8> {
    if name.is_empty() {
        return b"* ".to_vec();
    }
    let at = |byte: &u8| if *byte == 0 { b'@' } else { *byte };
    let mut shown: Vec<u8> = name.iter().map(at).collect();
    let is_clean = |text: &str| text.chars().all(|c| !c.is_control() && !is_hidden(c));
    if !str::from_utf8(&shown).is_ok_and(is_clean) {
        shown = escape(&shown).as_bytes().to_vec();
    }
    shown.push(b' ');
    shown
}

fn ether_type(layout: &SsLayout, number: u32) -> Vec<u8> {
    if number == 3 {
        return b"*".to_vec();
    }
    let digits = number.to_string();
    let mut words = ETHER_TYPES.split(' ').filter(|_| !layout.has(b'n'));
    let name = words
        .find(|word| *word == digits)
        .and_then(|_| words.next());
    name.map_or_else(|| format!("[{number}]").into(), Into::into)
}

fn netlink(layout: &SsLayout, row: &Row<'_>) -> End {
    let end = &row.socket.local;
    let code =
        (0..=u32::from(u8::MAX)).find(|code| netlink_family_name(*code).as_bytes() == end.name);
    let code = code.unwrap_or_default();
    let mut names = NETLINK.split(' ').filter(|_| !layout.has(b'n'));
    let name = names.nth(usize::try_from(code).unwrap_or(usize::MAX));
    let family = name.map_or_else(|| format!("{code}:"), |name| format!("{name}:"));
    let port = end.port.unwrap_or_default().cast_signed();
    let port = match (port, row.local_service) {
        (-1, _) => "*".to_owned(),
        (0, Some(kernel)) => kernel.to_owned(),
        (port, Some(process)) => format!("{process}/{port}"),
        (port, None) => port.to_string(),
    };
    (family.into(), port.into())
}

fn internet(layout: &SsLayout, side: Side, row: &Row<'_>) -> End {
    let (socket, end) = (row.socket, side.of(row));
    let mut address = Vec::new();
    let is_only = socket.v6only == Some(true);
    match (end.ip, side.host(row)) {
        (None, _) if !matches!(*end.name, [] | [b'a', ..]) => address.extend_from_slice(&end.name),
        (None, _) => address.push(b'*'),
        (Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)), _) if !is_only => address.push(b'*'),
        (_, Some(host)) => address.extend_from_slice(host.as_bytes()),
        (Some(IpAddr::V4(ip)), _) => digits::ipv4(&mut address, ip),
        (Some(IpAddr::V6(ip)), _) => {
            address.push(b'[');
            netstat::ipv6(&mut address, ip);
            address.push(b']');
        }
    }
    if let (Side::Local, Some(name)) = (side, row.interface) {
        address.push(b'%');
        address.extend_from_slice(name.as_bytes());
    }
    address.push(b':');
    let port = match (end.port, side.service(row)) {
        (None | Some(0), _) => "*".to_owned(),
        (Some(_), Some(service)) => service.to_owned(),
        (Some(port), None) if socket.protocol == Protocol::Raw && !layout.has(b'n') => {
            format!("ipproto-{port}")
        }
        (Some(port), None) => port.to_string(),
    };
    (address, port.into())
}
