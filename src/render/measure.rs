//! Numbers with their units, all of them: two values never look the same.

use crate::model::{InfoField, Unit};

use super::digits;
use crate::text::{DURATIONS, SIZES, Units};

/// Writes the value of a field of a kernel structure: all of it, two values never look the same.
pub(super) fn number(out: &mut Vec<u8>, value: u64, field: &InfoField, separator: u8) {
    if field.flags.is_empty() || value == 0 {
        return write(out, value, Some(field.unit));
    }
    flags(out, value, field.flags, separator);
}

/// Writes a number with its unit.
pub(super) fn write(out: &mut Vec<u8>, value: u64, unit: Option<Unit>) {
    match unit {
        Some(Unit::Count | Unit::Octets) | None => digits::integer(out, value),
        Some(Unit::Bytes) => exact(out, value.into(), SIZES),
        Some(Unit::Rate) => exact(out, u128::from(value) * 8, RATES),
        Some(Unit::Micros) => exact(out, value.into(), DURATIONS),
        Some(Unit::Millis) if value == 0 => out.extend_from_slice(b"0ms"),
        Some(Unit::Millis) => exact(out, u128::from(value) * 1_000, DURATIONS),
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

/// Of bytes per second in decimal bits, as links are rated.
const RATES: &Units = &[
    (1_000_000_000, 1_000_000_000, "Gbit/s", 9),
    (1_000_000, 1_000_000, "Mbit/s", 6),
    (1_000, 1_000, "kbit/s", 3),
    (0, 1, "bit/s", 0),
];

/// Appends a value in the largest unit that loses nothing: `31.25ms`, `64KiB`, `8273449B`,
/// `1.234567896Gbit/s`. No two durations look the same, nor two sizes, nor two rates.
fn exact(out: &mut Vec<u8>, value: u128, units: &Units) {
    let mut units = units
        .iter()
        .map(|(from, unit, name, decimals)| (*from, u128::from(*unit), name, decimals));
    let fits = |(from, unit, _, decimals): &(u64, u128, _, &u32)| {
        value >= u128::from(*from) && (value % unit * 10_u128.pow(**decimals)).is_multiple_of(*unit)
    };
    let Some((_, unit, name, decimals)) = units.find(fits) else {
        return;
    };
    out.extend_from_slice(itoa::Buffer::new().format(value / unit).as_bytes());
    let mut rest = value % unit * 10_u128.pow(*decimals) / unit;
    let mut place = 10_u128.pow(*decimals);
    if rest > 0 {
        out.push(b'.');
    }
    while rest > 0 {
        place /= 10;
        out.push(b'0' + u8::try_from(rest / place).unwrap_or_default());
        rest %= place;
    }
    out.extend_from_slice(name.as_bytes());
}

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
