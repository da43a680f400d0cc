//! Formats numbers, units and addresses without `std::fmt`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Field;
use crate::model::Unit;
use crate::text::{MICROS, MILLIS, SIZES, Units, push_exact};

#[inline]
pub(super) fn integer(out: &mut Vec<u8>, value: u64) {
    match u8::try_from(value) {
        // Most numbers are 0.
        Ok(digit @ 0..10) => out.push(b'0' + digit),
        _ => many(out, value),
    }
}

fn many(out: &mut Vec<u8>, value: u64) {
    match eight(value) {
        Some(digits) => put(out, digits),
        None => long(out, value, 0),
    }
}

#[inline]
fn put(out: &mut Vec<u8>, (digits, length): (u64, usize)) {
    // Copying a length known to the compiler is fast.
    let end = out.len() + length;
    out.extend_from_slice(&digits.to_le_bytes());
    out.truncate(end);
}

/// Decimal, right-aligned in `width` columns; longer numbers exceed them.
pub(super) fn right_aligned(out: &mut Vec<u8>, value: u64, width: usize) {
    let Some((digits, length)) = eight(value) else {
        return long(out, value, width);
    };
    // Where it ends does not depend on its digits: the next cell need not wait for them.
    if length > width || width > Short::ROOM - 8 {
        return long(out, value, width);
    }
    let start = out.len();
    put_at(out, [(width - length, digits)]);
    out.truncate(start + width);
}

#[inline(never)]
fn long(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value).as_bytes();
    blanks(out, width.saturating_sub(digits.len()));
    out.extend_from_slice(digits);
}

/// The digits of a number that has at most eight, the first one lowest, and how many they are.
#[inline]
fn eight(value: u64) -> Option<(u64, usize)> {
    if value >= 100_000_000 {
        return None;
    }
    // Splits all at once: into two numbers of four digits, four of two, and eight digits. The factors divide by 100
    // and 10.
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let high = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = high | (fours - 100 * high) << 16;
    let high = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = high | (twos - 10 * high) << 8;
    // Leading zeros are shifted out.
    let zeros = (ones.trailing_zeros() / 8).min(7);
    let digits = (ones | u64::from_le_bytes(*b"00000000")) >> (8 * zeros);
    Some((digits, 8 - usize::try_from(zeros).unwrap_or_default()))
}

pub(super) fn blanks(out: &mut Vec<u8>, count: usize) {
    // Usually few: copying a length known to the compiler is fast.
    const SOME: [u8; 32] = [b' '; 32];
    let end = out.len() + count;
    if count <= SOME.len() {
        out.extend_from_slice(&SOME);
        out.truncate(end);
    } else {
        out.resize(end, b' ');
    }
}

/// Hexadecimal in lower case, without leading zeros.
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

/// An address without brackets, as in RFC 5952 and `Display`.
pub(super) fn ip(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => ipv4(out, address),
        IpAddr::V6(address) => ipv6(out, address),
    }
}

/// Every octet followed by a dot, the first digit lowest, and the length of both in bits.
#[expect(
    clippy::indexing_slicing,
    reason = "checked by the compiler, as it is a constant"
)]
const OCTETS: [(u32, u32); 256] = {
    let mut octets = [(0, 0); 256];
    let (mut place, mut octet) = (0, 0_u8);
    while place < octets.len() {
        let [ones, tens] = [b'0' + octet % 10, b'0' + octet / 10 % 10];
        octets[place] = match octet {
            0..10 => (u32::from_le_bytes([ones, b'.', 0, 0]), 16),
            10..100 => (u32::from_le_bytes([tens, ones, b'.', 0]), 24),
            100.. => (
                u32::from_le_bytes([b'0' + octet / 100, tens, ones, b'.']),
                32,
            ),
        };
        place += 1;
        octet = octet.wrapping_add(1);
    }
    octets
};

/// A short text padded with blanks in a fixed-size array, which is fast to copy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Short {
    text: [u8; Self::ROOM],
    length: usize,
}

impl Short {
    const ROOM: usize = 32;

    /// The text, if short enough.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let mut text = [b' '; Self::ROOM];
        text.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let length = bytes.len();
        Some(Self { text, length })
    }

    /// Writes it.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.length;
        out.extend_from_slice(&self.text);
        out.truncate(end);
    }
}

/// Bytes of the longest IPv4 address with a port.
const LONGEST: usize = "255.255.255.255:65535".len();

/// Writes as many blanks as [`Short`] has room for, and over them eight bytes at each place.
#[inline]
fn put_at<const N: usize>(out: &mut Vec<u8>, pieces: [(usize, u64); N]) {
    out.extend_from_slice(&[b' '; Short::ROOM]);
    if let Some(text) = out.last_chunk_mut::<{ Short::ROOM }>() {
        for (place, bytes) in pieces {
            let place = text.get_mut(place..);
            if let Some(place) = place.and_then(<[u8]>::first_chunk_mut) {
                *place = bytes.to_le_bytes();
            }
        }
    }
}

/// Writes four numbers, each followed by a dot, and up to eight bytes in place of the last dot, padded to a width.
#[inline]
fn octets(out: &mut Vec<u8>, address: Ipv4Addr, (last, length): (u64, usize), width: usize) {
    let pair = |one: u8, other: u8| {
        let known = |octet: u8| OCTETS.get(usize::from(octet)).copied().unwrap_or_default();
        let ((one, length), (other, more)) = (known(one), known(other));
        let text = u64::from(one) | u64::from(other) << length;
        (
            text,
            usize::try_from((length + more) / 8).unwrap_or_default(),
        )
    };
    let [a, b, c, d] = address.octets();
    let ((first, begin), (second, end)) = (pair(a, b), pair(c, d));
    let start = out.len();
    // Each covers the unused bytes of the one before.
    let dot = begin + end - 1;
    put_at(out, [(0, first), (begin, second), (dot, last)]);
    if width < LONGEST {
        out.truncate(start + width.max(dot + length));
    } else if width <= Short::ROOM {
        out.truncate(start + width);
    } else {
        blanks(out, width - Short::ROOM);
    }
}

/// Writes an address and a port, `*` if there is none, padded to a width.
pub(super) fn ipv4_end(out: &mut Vec<u8>, address: Ipv4Addr, port: Option<u16>, width: usize) {
    let Some(port) = port else {
        return octets(out, address, (u64::from_le_bytes(*b":*      "), 2), width);
    };
    // At most five digits.
    let (digits, length) = eight(port.into()).unwrap_or_default();
    let blanks = u64::from_le_bytes([b' '; 8]) << (8 * length);
    let text = (digits | blanks) << 8 | u64::from(b':');
    octets(out, address, (text, length + 1), width);
}

/// Four numbers and three dots.
pub(super) fn ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    octets(out, address, (0, 0), 0);
}

/// The longest run of two or more zero groups, or the first of equal ones, becomes `::`. An IPv4-mapped
/// address ends in dotted form.
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

/// The range of omitted groups; `0..0` = none.
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

/// Writes the value of a part of a kernel structure.
pub(super) fn number(out: &mut Vec<u8>, value: u64, part: Field, separator: u8) {
    if let Field::InfoPart(info) = part {
        if !info.flags.is_empty() && value != 0 {
            return flags(out, value, &info.flags, separator);
        }
        if let Some((_, word)) = info.words.iter().find(|(code, _)| *code == value) {
            return out.extend_from_slice(word.as_bytes());
        }
    }
    write(out, value, part.unit());
}

/// Writes a number with its unit.
fn write(out: &mut Vec<u8>, value: u64, unit: Option<Unit>) {
    match unit {
        Some(Unit::Count | Unit::Octets) | None => integer(out, value),
        Some(Unit::Bytes) => push_exact(out, value, SIZES),
        Some(Unit::Rate) if value < 125 => {
            integer(out, value * 8);
            out.extend_from_slice(b"bit/s");
        }
        Some(Unit::Rate) => push_exact(out, value, RATES),
        Some(Unit::Micros) => push_exact(out, value, MICROS),
        Some(Unit::Millis) => push_exact(out, value, MILLIS),
    }
}

/// Writes the names of the set bits; unnamed ones as a number.
fn flags(out: &mut Vec<u8>, value: u64, names: &[&str], separator: u8) {
    let start = out.len();
    let mut rest = value;
    for (bit, name) in names.iter().enumerate() {
        if value >> bit & 1 == 1 {
            rest &= !(1 << bit);
            if out.len() > start {
                out.push(separator);
            }
            out.extend_from_slice(name.as_bytes());
        }
    }
    if rest != 0 {
        if out.len() > start {
            out.push(separator);
        }
        out.extend_from_slice(b"0x");
        hex(out, rest);
    }
}

/// Bytes per second, in decimal bits like link speeds.
const RATES: &Units = &[
    (125_000_000, 125_000_000, "Gbit/s", 1_000_000_000),
    (125_000, 125_000, "Mbit/s", 1_000_000),
    (125, 125, "kbit/s", 1_000),
];

#[cfg(test)]
mod tests {
    use super::{hex, integer, ip, ipv4_end, right_aligned, write};
    use crate::model::Unit;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv6Addr};

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn with_unit(value: u64, unit: Unit) -> String {
        text(|out| write(out, value, Some(unit)))
    }

    #[test]
    fn ends_have_address_port_and_blanks() {
        let written =
            |address: [u8; 4], port, width| text(|out| ipv4_end(out, address.into(), port, width));
        for port in 0..=u16::MAX {
            let expected = format!("{:<24}", format!("127.0.0.1:{port}"));
            assert_eq!(written([127, 0, 0, 1], Some(port), 24), expected);
        }
        assert_eq!(written([0; 4], None, 0), "0.0.0.0:*");
        let longest = "255.255.255.255:65535";
        for width in [0, 21, 22, 31, 32, 33, 70] {
            let expected = format!("{longest:<width$}");
            assert_eq!(written([255; 4], Some(65_535), width), expected);
        }
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

    #[test]
    fn exact_numbers_have_all_their_digits() {
        let bytes = |count| with_unit(count, Unit::Bytes);
        let micros = |us| with_unit(us, Unit::Micros);
        let rate = |count| with_unit(count, Unit::Rate);
        for (written, expected) in [
            (micros(0), "0us"),
            (micros(999), "999us"),
            (micros(31_250), "31.25ms"),
            (micros(31_007), "31.007ms"),
            (micros(4_500_001), "4.500001s"),
            (micros(119_000_000), "119s"),
            (micros(120_000_000), "2min"),
            (micros(120_000_001), "120.000001s"),
            (micros(7_200_000_000), "2h"),
            (micros(7_260_000_000), "121min"),
            (bytes(1_398), "1398B"),
            (bytes(65_536), "64KiB"),
            (bytes(2_304), "2.25KiB"),
            (bytes(8_273_449), "8273449B"),
            (bytes(1 << 31), "2GiB"),
            (rate(154_320_987), "1.234567896Gbit/s"),
            (rate(u64::MAX), "147573952589.67641292Gbit/s"),
        ] {
            assert_eq!(written, expected);
        }
    }

    proptest! {
        #[test]
        fn different_numbers_never_look_alike(
            one in any::<u64>(),
            shift in 0_u32..64,
            difference in prop_oneof![1_u64..2_000, any::<u64>()],
        ) {
            let one = one >> shift;
            let other = one.wrapping_add(difference);
            for unit in [
                Unit::Count,
                Unit::Octets,
                Unit::Bytes,
                Unit::Rate,
                Unit::Micros,
                Unit::Millis,
            ] {
                let written = [one, other].map(|value| with_unit(value, unit));
                prop_assert_eq!(written[0] == written[1], one == other, "{:?}", written);
            }
        }

        #[test]
        fn addresses_are_written_as_std_writes_them(address: IpAddr) {
            prop_assert_eq!(text(|out| ip(out, address)), address.to_string());
        }

        #[test]
        fn decimal_is_written_as_std_writes_it(value: u64, shift in 0_u32..64, width in 0_usize..40) {
            let value = value >> shift;
            prop_assert_eq!(text(|out| integer(out, value)), value.to_string());
            let aligned = text(|out| right_aligned(out, value, width));
            prop_assert_eq!(aligned, format!("{value:>width$}"));
        }

        #[test]
        fn hexadecimal_is_written_as_std_writes_it(value: u64) {
            prop_assert_eq!(text(|out| hex(out, value)), format!("{value:x}"));
        }
    }
}
