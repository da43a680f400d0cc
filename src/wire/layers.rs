//! Attributes of socket options, congestion control, upper layer protocol and MD5 signatures
//! (`include/uapi/linux/{inet_diag,tls,mptcp,tcp}.h`), in the layouts of the tables in `model/info`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::NlasIterator;

use super::attribute::{u32_at, u64_at};
use crate::model::{Details, Family, Structure};

/// `INET_ULP_INFO_NAME`
const INET_ULP_INFO_NAME: u16 = 1;
/// `INET_ULP_INFO_TLS`
const INET_ULP_INFO_TLS: u16 = 2;
/// `INET_ULP_INFO_MPTCP`
const INET_ULP_INFO_MPTCP: u16 = 3;
/// `TLS_INFO_VERSION` to `TLS_INFO_TX_MAX_PAYLOAD_LEN`.
const TLS_INFOS: u16 = 7;
/// `MPTCP_SUBFLOW_ATTR_TOKEN_REM` to `MPTCP_SUBFLOW_ATTR_ID_LOC`.
const MPTCP_SUBFLOW_ATTRS: u16 = 10;
/// `SK_DIAG_BPF_STORAGE_MAP_ID` (`include/uapi/linux/sock_diag.h`)
const MAP_ID: u16 = 2;
/// `SK_DIAG_BPF_STORAGE_MAP_VALUE`
const MAP_VALUE: u16 = 3;
/// Bytes of `struct tcp_diag_md5sig`, key included.
const MD5SIG: usize = 100;

/// Stores a one-byte socket option, which takes two bytes in the table.
pub(super) fn option(details: &mut Details, offset: usize, value: &[u8]) {
    if let [byte, ..] = *value {
        let part = u16::from(byte).to_ne_bytes();
        details.set_part(Structure::SocketOptions, offset, &part);
    }
}

/// `struct tcp_bbr_info`; joins the two halves of the bandwidth.
pub(super) fn bbr(details: &mut Details, value: &[u8]) {
    let mut halves = value.chunks(4).map(u32_at);
    let (Some(Some(low)), Some(Some(high))) = (halves.next(), halves.next()) else {
        return;
    };
    let bandwidth = u64::from(high) << 32 | u64::from(low);
    details.set_part(Structure::CongestionInfo, 32, &bandwidth.to_ne_bytes());
    let rest = value.get(8..).unwrap_or_default();
    details.set_part(Structure::CongestionInfo, 40, rest);
}

/// Stores text up to a NUL.
pub(super) fn set_name(name: &mut Vec<u8>, value: &[u8]) {
    name.clear();
    name.extend(value.iter().take_while(|byte| **byte != 0));
}

/// `INET_DIAG_ULP_INFO`: the protocol's name and its attributes.
pub(super) fn ulp(details: &mut Details, value: &[u8]) {
    for attribute in NlasIterator::new(value).flatten() {
        let value = attribute.value();
        match attribute.kind() {
            INET_ULP_INFO_NAME => set_name(&mut details.ulp, value),
            INET_ULP_INFO_TLS => numbers(details, value, 0, TLS_INFOS),
            INET_ULP_INFO_MPTCP => numbers(details, value, TLS_INFOS, MPTCP_SUBFLOW_ATTRS),
            _ => {}
        }
    }
}

/// Stores the first `count` numeric attributes, eight bytes each; an empty one is a flag and counts as 1.
fn numbers(details: &mut Details, value: &[u8], first: u16, count: u16) {
    let every = TLS_INFOS + MPTCP_SUBFLOW_ATTRS;
    details.set_part(Structure::UlpInfo, usize::from(every) * 8, &[]);
    for attribute in NlasIterator::new(value).flatten() {
        let kind = attribute.kind();
        let number = match *attribute.value() {
            [] => 1,
            [byte] => byte.into(),
            [low, high] => u16::from_ne_bytes([low, high]).into(),
            [a, b, c, d] => u32::from_ne_bytes([a, b, c, d]).into(),
            _ => match u64_at(attribute.value()) {
                Some(number) => number,
                None => continue,
            },
        };
        if (1..=count).contains(&kind) {
            let place = usize::from(first + kind - 1) * 8;
            details.set_part(Structure::UlpInfo, place, &number.to_ne_bytes());
        }
    }
}

/// `INET_DIAG_MD5SIG`: the peers with a signature, without its key.
pub(super) fn md5(details: &mut Details, value: &[u8]) {
    details.md5.clear();
    for entry in value.chunks_exact(MD5SIG) {
        let [family, prefix, _, _, address @ ..] = entry else {
            continue;
        };
        let (ipv4, ipv6) = (address.first_chunk(), address.first_chunk());
        let ip: IpAddr = match (Family::from_code(*family), ipv4, ipv6) {
            (Some(Family::Inet), Some::<&[u8; 4]>(bytes), _) => Ipv4Addr::from(*bytes).into(),
            (Some(Family::Inet6), _, Some::<&[u8; 16]>(bytes)) => Ipv6Addr::from(*bytes).into(),
            _ => continue,
        };
        if !details.md5.is_empty() {
            details.md5.push(b',');
        }
        details.md5.extend(format!("{ip}/{prefix}").bytes());
    }
}

/// `INET_DIAG_SK_BPF_STORAGES`: the id of each map that stores data of the socket, and how many bytes.
pub(super) fn bpf_storage(details: &mut Details, value: &[u8]) {
    details.bpf_storage.clear();
    for storage in NlasIterator::new(value).flatten() {
        let mut parts = [None; 2];
        for part in NlasIterator::new(storage.value()).flatten() {
            match part.kind() {
                MAP_ID => parts[0] = u32_at(part.value()),
                MAP_VALUE => parts[1] = u32::try_from(part.value().len()).ok(),
                _ => {}
            }
        }
        if let [Some(id), Some(size)] = parts {
            if !details.bpf_storage.is_empty() {
                details.bpf_storage.push(b',');
            }
            details.bpf_storage.extend(format!("{id}:{size}").bytes());
        }
    }
}
