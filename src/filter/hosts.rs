//! Hosts: `10.0.0.1`, `10/8`, `fe80::/10`, `[::1]:22`, `fe80::1%eth0`, `*:80`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{Refusal, expected};
use super::{Names, Prefix};
use crate::model::Family;
use crate::text::escape;

/// An endpoint as written; each part is optional.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct End<'t> {
    /// `None` = any.
    pub(super) prefixes: Option<Vec<Prefix>>,
    /// The interface after `%`.
    pub(super) scope: Option<&'t str>,
    /// The text after the colon.
    pub(super) port: Option<&'t str>,
}

/// The IP version of a host's addresses (`inet:`, `inet6:`); `None` = both.
pub(super) type Version = Option<Family>;

pub(super) fn end<'t>(
    text: &'t str,
    version: Version,
    names: &dyn Names,
) -> Result<End<'t>, Refusal> {
    let (host, port) = split_port(text);
    let (host, scope) = take_scope(host);
    if scope == Some("") {
        return Err(Refusal::Because(
            "there is no interface after \"%\"".to_owned(),
        ));
    }
    let prefixes = match host.text {
        "" | "*" if host.length.is_none() && !host.bracketed => None,
        _ => Some(prefixes(&host, version, names)?),
    };
    if text.is_empty() {
        return wrong(version);
    }
    Ok(End {
        prefixes,
        scope,
        port,
    })
}

fn wrong<T>(version: Version) -> Result<T, Refusal> {
    expected(match version {
        None => "a host: an address, a prefix like 10.0.0.0/8, or * for any",
        Some(Family::Inet) => "an IPv4 address or prefix",
        Some(_) => "an IPv6 address or prefix",
    })
}

fn is_of(version: Version, address: &IpAddr) -> bool {
    version.is_none_or(|family| address.is_ipv4() == (family == Family::Inet))
}

const fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    let bracket = text.rfind(']');
    let (inside, rest) = text
        .split_at_checked(bracket.unwrap_or(0))
        .unwrap_or_default();
    match rest.split_once(':') {
        // More than one colon: an IPv6 address without brackets or port.
        Some((host, port)) if bracket.is_some() || !port.contains(':') => {
            let host = text.get(..inside.len() + host.len());
            (host.unwrap_or(text), Some(port))
        }
        _ => (text, None),
    }
}

/// A host without its scope.
struct Host<'t> {
    text: &'t str,
    length: Option<&'t str>,
    bracketed: bool,
}

/// Splits off the scope: `a/8%if`, `a%if/8`, `[a%if]/8`, `[a/8]%if` …
fn take_scope(text: &str) -> (Host<'_>, Option<&str>) {
    let (inner, outer) = text
        .strip_prefix('[')
        .and_then(|text| text.split_once(']'))
        .unwrap_or((text, ""));
    let (mut scope, mut length) = (None, None);
    let end = inner.find(['%', '/']).unwrap_or(inner.len());
    let (address, mut rest) = inner.split_at_checked(end).unwrap_or((inner, ""));
    for part in [&mut rest, &mut { outer }] {
        while let Some(mark) = part.chars().next() {
            let tail = part.get(1..).unwrap_or_default();
            let end = tail.find(['%', '/']).unwrap_or(tail.len());
            let (value, next) = tail.split_at_checked(end).unwrap_or((tail, ""));
            match mark {
                '%' if scope.is_none() => scope = Some(value),
                '/' if length.is_none() => length = Some(value),
                // Given twice, or something else after a bracket: always invalid.
                _ => length = Some("?"),
            }
            *part = next;
        }
    }
    let host = Host {
        text: address,
        length,
        bracketed: inner.len() < text.len(),
    };
    (host, scope)
}

fn prefixes(host: &Host<'_>, version: Version, names: &dyn Names) -> Result<Vec<Prefix>, Refusal> {
    let address = match host.text.parse::<IpAddr>() {
        Ok(address) => Some(address).filter(|address| !host.bracketed || address.is_ipv6()),
        Err(_) if host.bracketed => None,
        Err(_) if host.length.is_some() => abbreviated(host.text).map(IpAddr::V4),
        Err(_) if is_host_name(host.text) => return named(host.text, version, names),
        Err(_) => None,
    };
    let Some(address) = address.filter(|address| is_of(version, address)) else {
        return wrong(version);
    };
    let bits = bits(address);
    let length = match host.length {
        None => bits,
        Some(text) => match prefix_length(text, bits) {
            Some(length) => length,
            None => return expected(format!("a prefix length from 0 to {bits}")),
        },
    };
    Ok(vec![Prefix::new(address, length)])
}

/// `10` and `192.168`, as before a prefix length.
fn abbreviated(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut places = octets.iter_mut();
    for part in text.split('.') {
        let digits = part.bytes().all(|byte| byte.is_ascii_digit());
        *places.next()? = part.parse().ok().filter(|_| digits)?;
    }
    Some(octets.into())
}

/// `8`, or an IPv4 netmask.
fn prefix_length(text: &str, bits: u8) -> Option<u8> {
    if bits == 32
        && let Ok(mask) = text.parse::<Ipv4Addr>()
    {
        let mask = mask.to_bits();
        let length = mask.leading_ones();
        return u8::try_from(length)
            .ok()
            .filter(|_| length + mask.trailing_zeros() >= 32);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|length| digits && *length <= bits)
}

/// True if it may be a name in the DNS; false if it looks like an invalid address.
fn is_host_name(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.contains(|c: char| c.is_ascii_alphabetic()) && text.chars().all(letters)
}

fn named(name: &str, version: Version, names: &dyn Names) -> Result<Vec<Prefix>, Refusal> {
    let found = names.host(name).map_err(|why| {
        let name = escape(name.as_bytes());
        Refusal::Because(format!("\"{name}\" is not an address; {why}"))
    })?;
    let found = found.into_iter().filter(|address| is_of(version, address));
    let prefixes: Vec<Prefix> = found
        .map(|address| Prefix::new(address, bits(address)))
        .collect();
    if prefixes.is_empty() {
        return wrong(version);
    }
    Ok(prefixes)
}

impl Prefix {
    /// Creates a prefix; clears the bits of `address` after it.
    pub fn new(address: IpAddr, length: u8) -> Self {
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Self { address, length }
    }
}
