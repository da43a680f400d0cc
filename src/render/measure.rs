//! Numbers with their units, all of them: two values never look the same.

use crate::model::Unit;

use super::{Field, digits};
use crate::text::{MICROS, MILLIS, SIZES, Units, push_exact};

/// Writes the value of a part of a kernel structure.
pub(super) fn number(out: &mut Vec<u8>, value: u64, part: Field, separator: u8) {
    match part {
        Field::TcpPart(info) | Field::MptcpPart(info) if !info.flags.is_empty() && value != 0 => {
            flags(out, value, &info.flags, separator);
        }
        _ => write(out, value, part.unit()),
    }
}

/// Writes a number with its unit.
fn write(out: &mut Vec<u8>, value: u64, unit: Option<Unit>) {
    match unit {
        Some(Unit::Count | Unit::Octets) | None => digits::integer(out, value),
        Some(Unit::Bytes) => push_exact(out, value, SIZES),
        Some(Unit::Rate) if value < 125 => {
            digits::integer(out, value * 8);
            out.extend_from_slice(b"bit/s");
        }
        Some(Unit::Rate) => push_exact(out, value, RATES),
        Some(Unit::Micros) => push_exact(out, value, MICROS),
        Some(Unit::Millis) => push_exact(out, value, MILLIS),
    }
}

/// Writes the names of the bits that are set, and as a number those without a name.
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
        digits::hex(out, rest);
    }
}

/// Of bytes per second, in decimal bits, as links are rated.
const RATES: &Units = &[
    (125_000_000, 125_000_000, "Gbit/s", 1_000_000_000),
    (125_000, 125_000, "Mbit/s", 1_000_000),
    (125, 125, "kbit/s", 1_000),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::write;
    use crate::model::Unit;

    fn text(value: u64, unit: Unit) -> String {
        let mut out = Vec::new();
        write(&mut out, value, Some(unit));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn exact_numbers_have_all_their_digits() {
        let bytes = |count| text(count, Unit::Bytes);
        let micros = |us| text(us, Unit::Micros);
        let rate = |count| text(count, Unit::Rate);
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
                let written = [one, other].map(|value| text(value, unit));
                prop_assert_eq!(written[0] == written[1], one == other, "{:?}", written);
            }
        }
    }
}
