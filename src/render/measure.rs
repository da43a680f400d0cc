//! Numbers with their units, all of them: two values never look the same.

use crate::model::{InfoField, Unit};

use super::digits;

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
        Some(Unit::Bytes) => push_bytes(out, value),
        Some(Unit::Rate) => push_rate(out, value),
        Some(Unit::Micros) => push_micros(out, value.into()),
        Some(Unit::Millis) if value == 0 => out.extend_from_slice(b"0ms"),
        Some(Unit::Millis) => push_micros(out, u128::from(value) * 1_000),
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

/// From which value on a unit is used where nothing is lost, how large it is, its name, and how many
/// decimals it may have; the largest first.
type Units = [(u128, u128, &'static str, u32)];

const DURATIONS: &Units = &[
    (7_200_000_000, 3_600_000_000, "h", 0),
    (120_000_000, 60_000_000, "min", 0),
    (1_000_000, 1_000_000, "s", 6),
    (1_000, 1_000, "ms", 3),
    (0, 1, "us", 0),
];

const SIZES: &Units = &[
    (1 << 30, 1 << 30, "GiB", 2),
    (1 << 20, 1 << 20, "MiB", 2),
    (1 << 10, 1 << 10, "KiB", 2),
    (0, 1, "B", 0),
];

const RATES: &Units = &[
    (1_000_000_000, 1_000_000_000, "Gbit/s", 9),
    (1_000_000, 1_000_000, "Mbit/s", 6),
    (1_000, 1_000, "kbit/s", 3),
    (0, 1, "bit/s", 0),
];

/// Appends a duration in microseconds, all of it: `999us`, `31.25ms`, `4.5s`, `2h`. Two durations never
/// look the same, nor do two sizes, nor two rates.
fn push_micros(out: &mut Vec<u8>, us: u128) {
    exact(out, us, DURATIONS);
}

/// Appends bytes, all of them: `64KiB`, `1.5MiB`, `8273449B`.
fn push_bytes(out: &mut Vec<u8>, count: u64) {
    exact(out, count.into(), SIZES);
}

/// Appends bytes per second in decimal bits, as links are rated, all of them: `84kbit/s`,
/// `1.234567896Gbit/s`.
fn push_rate(out: &mut Vec<u8>, bytes_per_second: u64) {
    exact(out, u128::from(bytes_per_second) * 8, RATES);
}

/// Appends a value in the largest unit that loses nothing.
fn exact(out: &mut Vec<u8>, value: u128, units: &Units) {
    let fits = |(from, unit, _, decimals): &&(u128, u128, _, u32)| {
        value >= *from && (value % unit * 10_u128.pow(*decimals)).is_multiple_of(*unit)
    };
    let Some((_, unit, name, decimals)) = units.iter().find(fits) else {
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

    use super::{push_bytes, push_micros, push_rate, write};
    use crate::model::Unit;

    fn text<N>(value: N, push: impl FnOnce(&mut Vec<u8>, N)) -> String {
        let mut out = Vec::new();
        push(&mut out, value);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn exact_numbers_have_all_their_digits() {
        let bytes = |count| text(count, push_bytes);
        let micros = |us| text(us, push_micros);
        let rate = |count| text(count, push_rate);
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
                let written = [one, other].map(|value| text(value, |out, value| write(out, value, Some(unit))));
                prop_assert_eq!(written[0] == written[1], one == other, "{:?}", written);
            }
        }
    }
}
