//! Numbers and their units.

use std::time::Duration;

use super::error::{Refusal, expected};
use crate::model::Unit;

/// Parses a number with this unit; durations are returned in microseconds, whatever the unit of the field.
pub(super) fn number(text: &str, unit: Unit) -> Result<u64, Refusal> {
    let wrong = || {
        expected(match unit {
            Unit::Count => "a number",
            Unit::Bytes | Unit::Octets => "a number of bytes, like 4096 or 64K",
            Unit::Rate => "bytes per second, like 4096 or 64K, or 10Mbit/s",
            Unit::Micros | Unit::Millis => "a duration, like 200ms or 5s",
        })
    };
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return match u64::from_str_radix(digits, 16) {
            Ok(value) if unit == Unit::Count && !digits.starts_with('+') => Ok(value),
            _ => wrong(),
        };
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (digits, suffix) = text
        .split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or_default();
    let Some(scale) = scale(suffix, unit) else {
        return wrong();
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return wrong();
    }
    scaled(whole, fraction, scale).map_or_else(|| expected("a smaller number"), Ok)
}

/// Parses a duration as in options: `500ms`, `30s`, `5m`; a bare number is in seconds. `None` = invalid or
/// too long.
pub fn duration(text: &str) -> Option<Duration> {
    let is_bare = text.ends_with(|last: char| last.is_ascii_digit());
    let seconds = if is_bare { "s" } else { "" };
    let micros = number(&format!("{text}{seconds}"), Unit::Micros).ok()?;
    Some(Duration::from_micros(micros))
}

/// True if a number may end with this word.
pub(super) fn is_unit(word: &str) -> bool {
    micros(word).is_some() || rate(word).is_some()
}

/// The factor of a suffix, as a fraction, because rates can be in bits.
fn scale(suffix: &str, unit: Unit) -> Option<(u64, u64)> {
    let whole = |value| Some((value, 1));
    match (unit, suffix) {
        (Unit::Millis, "") => whole(1_000),
        (_, "") => whole(1),
        (Unit::Millis | Unit::Micros, _) => whole(micros(suffix)?),
        (Unit::Bytes | Unit::Octets, _) => whole(bytes(suffix)?),
        (Unit::Rate, _) => rate(suffix),
        (Unit::Count, _) => None,
    }
}

fn micros(suffix: &str) -> Option<u64> {
    Some(match suffix {
        "us" | "\u{b5}s" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" | "min" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return None,
    })
}

/// Binary, as displayed: `64K`, `64KB` and `64KiB` are equal.
fn bytes(suffix: &str) -> Option<u64> {
    let suffix = suffix.to_ascii_lowercase();
    let letter = suffix
        .strip_suffix("ib")
        .or_else(|| suffix.strip_suffix('b'));
    Some(match letter.unwrap_or(&suffix) {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        _ => return None,
    })
}

/// Bits are decimal, as displayed; bytes are binary.
fn rate(suffix: &str) -> Option<(u64, u64)> {
    let suffix = suffix.strip_suffix("/s").unwrap_or(suffix);
    let Some(letter) = suffix.strip_suffix("bit") else {
        return Some((bytes(suffix)?, 1));
    };
    let bits = match letter {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return None,
    };
    Some((bits, 8))
}

/// The digits before and after the point, times a fraction; `None` = does not fit in 64 bits.
fn scaled(whole: &str, fraction: &str, (times, per): (u64, u64)) -> Option<u64> {
    // Further digits are below any unit.
    let fraction = fraction.get(..15).unwrap_or(fraction);
    let tens = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole: u128 = whole.parse().ok()?;
    let all = whole
        .checked_mul(tens)?
        .checked_add(fraction.parse().ok()?)?;
    let value = all.checked_mul(times.into())? / (tens * u128::from(per));
    u64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::{expected, number};
    use crate::model::Unit;

    #[test]
    fn bytes_have_binary_units() {
        for (text, value) in [
            ("0", 0),
            ("4096", 4096),
            ("64K", 65_536),
            ("64k", 65_536),
            ("64KiB", 65_536),
            ("1.5M", 1_572_864),
            ("512B", 512),
            ("2GB", 2 << 30),
        ] {
            assert_eq!(number(text, Unit::Bytes), Ok(value), "{text}");
        }
    }

    #[test]
    fn durations_come_out_in_microseconds() {
        for (text, millis, micros) in [
            ("5", 5_000, 5),
            ("5s", 5_000_000, 5_000_000),
            ("31.2ms", 31_200, 31_200),
            ("2min", 120_000_000, 120_000_000),
            ("1m", 60_000_000, 60_000_000),
            ("0.5h", 1_800_000_000, 1_800_000_000),
            ("250us", 250, 250),
        ] {
            assert_eq!(number(text, Unit::Millis), Ok(millis), "{text}");
            assert_eq!(number(text, Unit::Micros), Ok(micros), "{text}");
        }
    }

    #[test]
    fn rates_are_bytes_or_bits_a_second() {
        assert_eq!(number("10Mbit/s", Unit::Rate), Ok(1_250_000));
        assert_eq!(number("1.2Gbit", Unit::Rate), Ok(150_000_000));
        assert_eq!(number("64K", Unit::Rate), Ok(65_536));
        assert_eq!(number("84", Unit::Rate), Ok(84));
    }

    #[test]
    fn counts_are_decimal_or_hexadecimal() {
        assert_eq!(number("0x1F", Unit::Count), Ok(31));
        assert_eq!(number("18446744073709551615", Unit::Count), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "", ".", "1.", ".5", "5x", "1.2.3", "-5", "+5", "0x", "0xg", "0x+1", "K", "5 K",
        ] {
            for unit in [Unit::Count, Unit::Bytes, Unit::Micros, Unit::Rate] {
                assert!(number(text, unit).is_err(), "{text} {unit:?}");
            }
        }
        assert!(number("5K", Unit::Count).is_err());
        assert_eq!(
            number("18446744073709551616", Unit::Count),
            expected("a smaller number")
        );
        assert!(number("20000000000G", Unit::Bytes).is_err());
        assert!(number("99999999999999999999999999999999999999999", Unit::Bytes).is_err());
    }
}
