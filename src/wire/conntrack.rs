//! Connections with translated addresses (`include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NlasIterator};

use super::attribute::u32_at;
use super::message::message;
use crate::model::{Address, Protocol, Translation};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET`.
const IPCTNL_MSG_CT_GET: u16 = 0x0101;
/// `struct nfgenmsg`: family (0 = any), version and resource id.
const NFGENMSG: [u8; 4] = [0; 4];

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
/// Bytes of an attribute's length and type.
const NLA_HDRLEN: usize = 4;
/// `IPS_SRC_NAT | IPS_DST_NAT` (`nf_conntrack_common.h`).
const IPS_NAT_MASK: u32 = 1 << 4 | 1 << 5;

/// The request for every tracked connection of the network namespace.
pub fn conntrack_request() -> Vec<u8> {
    message(IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, 0, &NFGENMSG)
}

/// Reads a reply; `None` if nothing is translated, or the protocol is not TCP, UDP or UDP-Lite.
pub fn translation(payload: &[u8]) -> Option<Translation> {
    let attributes = payload.get(NFGENMSG.len()..)?;
    let status = u32::from_be(u32_at(inner(attributes, CTA_STATUS)?)?);
    if status & IPS_NAT_MASK == 0 {
        return None;
    }
    let (protocol, original) = tuple(inner(attributes, CTA_TUPLE_ORIG)?)?;
    let (_, [from, to]) = tuple(inner(attributes, CTA_TUPLE_REPLY)?)?;
    Some(Translation {
        protocol,
        original,
        // The reply comes from the called side.
        reply: [to, from],
    })
}

/// Protocol, source and destination.
fn tuple(tuple: &[u8]) -> Option<(Protocol, [Address; 2])> {
    let (ip, ports) = (inner(tuple, CTA_TUPLE_IP)?, inner(tuple, CTA_TUPLE_PROTO)?);
    let protocol = match inner(ports, CTA_PROTO_NUM)?.first()? {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        136 => Protocol::UdpLite,
        _ => return None,
    };
    let address = |v4, v6| {
        let four = inner(ip, v4).and_then(|bytes| bytes.first_chunk().copied());
        let six = inner(ip, v6).and_then(|bytes| bytes.first_chunk().copied());
        let four = four.map(|bytes: [u8; 4]| IpAddr::from(Ipv4Addr::from(bytes)));
        four.or(six.map(|bytes: [u8; 16]| Ipv6Addr::from(bytes).into()))
    };
    let port = |kind| {
        let bytes = inner(ports, kind)?.first_chunk()?;
        Some(u16::from_be_bytes(*bytes))
    };
    let from = (
        address(CTA_IP_V4_SRC, CTA_IP_V6_SRC)?,
        port(CTA_PROTO_SRC_PORT)?,
    );
    let to = (
        address(CTA_IP_V4_DST, CTA_IP_V6_DST)?,
        port(CTA_PROTO_DST_PORT)?,
    );
    Some((protocol, [from, to]))
}

/// The value of the first attribute of a kind.
fn inner(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    let mut attributes = NlasIterator::new(bytes).map_while(Result::ok);
    let found = attributes.find(|attribute| attribute.kind() == kind)?;
    let length = usize::from(found.length());
    found.into_inner().get(NLA_HDRLEN..length)
}

#[cfg(test)]
mod tests {
    use super::translation;
    use crate::model::{Protocol, Translation};

    /// Linux 6.18's reply for a connection from port 60552 of 127.0.0.1 to its port 80, redirected to port 8080.
    const REDIRECTED: &str = "020000003400018014000180080001007f000001080002007f0000011c0002800500010006000000\
        06000200ec88000006000300005000003400028014000180080001007f000001080002007f0000011c0002800500010006000000\
        060002001f90000006000300ec88000008000300000001ae";

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|it| u8::try_from(it).ok())
        };
        let (pairs, _) = hex.as_bytes().as_chunks();
        let bytes = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        bytes.map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn both_ends_of_a_redirected_connection_are_told_as_each_sees_it() {
        let at = |port| ([127, 0, 0, 1].into(), port);
        let expected = Translation {
            protocol: Protocol::Tcp,
            original: [at(60_552), at(80)],
            reply: [at(60_552), at(8_080)],
        };
        let reply = bytes(REDIRECTED);
        assert_eq!(translation(&reply), Some(expected));
        for end in 0..reply.len() {
            assert_eq!(translation(reply.get(..end).unwrap_or_default()), None);
        }
    }

    #[test]
    fn what_is_not_translated_is_not_told() {
        let as_it_is = REDIRECTED.replace("000001ae", "0000018e");
        assert_eq!(translation(&bytes(&as_it_is)), None);
    }
}
