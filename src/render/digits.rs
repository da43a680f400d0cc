//! Numbers and addresses as text, without `std::fmt`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn integer(out: &mut Vec<u8>, value: u64) {
    // Most numbers are 0.
    if value == 0 {
        return out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Decimal that ends `width` columns from here, or further right where it is longer.
pub(super) fn right_aligned(out: &mut Vec<u8>, value: u64, width: usize) {
    let digits = value.checked_ilog10().unwrap_or_default() + 1;
    blanks(
        out,
        width.saturating_sub(usize::try_from(digits).unwrap_or(width)),
    );
    integer(out, value);
}

/// So many blanks.
pub(super) fn blanks(out: &mut Vec<u8>, count: usize) {
    // Mostly few: a copy of a length that the compiler knows.
    const SOME: [u8; 32] = [b' '; 32];
    let end = out.len() + count;
    if count <= SOME.len() {
        out.extend_from_slice(&SOME);
        out.truncate(end);
    } else {
        out.resize(end, b' ');
    }
}

/// Hexadecimal, lower case, without leading zeros.
pub(super) fn hex(out: &mut Vec<u8>, value: u64) {
    let digits = (u64::BITS - value.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = u8::try_from(value >> (4 * place) & 0xf).unwrap_or_default();
        out.push(if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        });
    }
}

/// An address as RFC 5952 and `Display` write it, without brackets.
pub(super) fn ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => ipv4(out, address),
        IpAddr::V6(address) => ipv6(out, address),
    }
}

/// Every octet, with a dot behind it.
#[expect(
    clippy::indexing_slicing,
    reason = "checked by the compiler, as it is a constant"
)]
const OCTETS: [[u8; 4]; 256] = {
    let mut octets = [[0; 4]; 256];
    let (mut place, mut octet) = (0, 0_u8);
    while place < octets.len() {
        let [ones, tens] = [b'0' + octet % 10, b'0' + octet / 10 % 10];
        octets[place] = match octet {
            0..10 => [ones, b'.', 0, 0],
            10..100 => [tens, ones, b'.', 0],
            100.. => [b'0' + octet / 100, tens, ones, b'.'],
        };
        place += 1;
        octet = octet.wrapping_add(1);
    }
    octets
};

/// Four numbers and three dots.
pub(super) fn ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    // Put together first: one copy into the vector, of a length that the compiler knows.
    let mut text = [0; 16];
    let mut end = 0;
    for octet in address.octets() {
        let place = text.get_mut(end..).and_then(<[u8]>::first_chunk_mut);
        if let (Some(place), Some(octet)) = (place, OCTETS.get(usize::from(octet))) {
            *place = *octet;
        }
        end += 2 + usize::from(octet >= 10) + usize::from(octet >= 100);
    }
    let start = out.len();
    out.extend_from_slice(&text);
    out.truncate(start + end - 1);
}

/// The longest run of two or more zero groups, the first of equals, is `::`; an IPv4-mapped address
/// keeps its dots.
pub(super) fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    if let Some(mapped) = address.to_ipv4_mapped() {
        out.extend_from_slice(b"::ffff:");
        return ipv4(out, mapped);
    }
    let groups = address.segments();
    let gap = longest_zeros(&groups);
    for (index, group) in groups.into_iter().enumerate() {
        if gap.contains(&index) {
            if index == gap.start {
                out.extend_from_slice(b"::");
            }
            continue;
        }
        if index > 0 && index != gap.end {
            out.push(b':');
        }
        hex(out, group.into());
    }
}

/// Where the groups left out begin and end; `0..0` when none are.
fn longest_zeros(groups: &[u16; 8]) -> std::ops::Range<usize> {
    let mut longest = 0..0;
    let mut start = 0;
    for (index, group) in groups.iter().enumerate() {
        if *group != 0 {
            start = index + 1;
        } else if index + 1 - start > longest.len().max(1) {
            longest = start..index + 1;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::{hex, integer, ip};
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv6Addr};

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn extremes_of_numbers() {
        assert_eq!(text(|out| integer(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(text(|out| hex(out, 0)), "0");
        assert_eq!(text(|out| hex(out, u64::MAX)), "ffffffffffffffff");
        assert_eq!(text(|out| hex(out, 0x1a2b)), "1a2b");
    }

    #[test]
    fn every_pattern_of_zero_groups_is_written_as_std_writes_it() {
        for pattern in 0..=u8::MAX {
            let groups = std::array::from_fn(|i| u16::from(pattern >> i & 1) * 0xdb8);
            let address = IpAddr::V6(Ipv6Addr::from(groups));
            assert_eq!(text(|out| ip(out, address)), address.to_string());
        }
    }

    #[test]
    fn mapped_and_compatible_addresses_are_written_as_std_writes_them() {
        for address in ["::ffff:10.0.0.1", "::ffff:0:0", "::1.2.3.4", "::", "::1"] {
            let address: IpAddr = address.parse().unwrap_or(IpAddr::from([0; 4]));
            assert!(address.is_ipv6());
            assert_eq!(text(|out| ip(out, address)), address.to_string());
        }
    }

    proptest! {
        #[test]
        fn addresses_are_written_as_std_writes_them(address: IpAddr) {
            prop_assert_eq!(text(|out| ip(out, address)), address.to_string());
        }

        #[test]
        fn hexadecimal_is_written_as_std_writes_it(value: u64) {
            prop_assert_eq!(text(|out| hex(out, value)), format!("{value:x}"));
        }
    }
}
