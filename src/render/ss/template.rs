//! Templates with numbers, formatted as in C.

use std::io::Write as _;

/// Appends a text like `format!`.
macro_rules! put {
    ($out:expr, $($format:tt)+) => {{
        // Writing to a vector cannot fail.
        let _ = write!($out, $($format)+);
    }};
}
pub(super) use put;

/// A 32-bit number in a structure; 0 beyond its end.
pub(super) fn word(bytes: &[u8], place: usize) -> u32 {
    let word = bytes.get(4 * place..).and_then(<[u8]>::first_chunk);
    word.copied().map(u32::from_ne_bytes).unwrap_or_default()
}

/// Fills in a template, in which `{name}` stands for a number. Suffixes: `#` hexadecimal, `%` microseconds as
/// milliseconds, `~` the same without a fraction, `/` bytes as bits per second, `^` a gain in 256ths, `*`
/// four hexadecimal digits, `!` hexadecimal with `0x` unless it is 0.
pub(super) fn fill(
    out: &mut Vec<u8>,
    template: &str,
    is_numeric: bool,
    value: &dyn Fn(&str) -> u64,
) {
    for part in template.split_inclusive(['{', '}']) {
        let Some(name) = part.strip_suffix('}') else {
            out.extend_from_slice(part.trim_end_matches('{').as_bytes());
            continue;
        };
        let number = |sign| value(name.trim_end_matches(sign));
        match name.chars().last() {
            Some(sign @ '#') => put!(out, "{:x}", number(sign)),
            Some(sign @ '*') => put!(out, "{:04x}", number(sign)),
            Some(sign @ '!') => match number(sign) {
                0 => out.push(b'0'),
                number => put!(out, "{number:#x}"),
            },
            Some(sign @ '%') => put!(out, "{}", general(float(number(sign)) / 1_000.0, 6)),
            Some(sign @ '~') => put!(out, "{}", number(sign) / 1_000),
            Some(sign @ '/') => put!(out, "{}", rate(is_numeric, float(number(sign)) * 8.0)),
            Some(sign @ '^') => put!(out, "{}", general(float(number(sign)) / 256.0, 6)),
            _ => put!(out, "{}", value(name)),
        }
    }
}

/// Bits per second.
pub(super) fn rate(is_numeric: bool, bits: f64) -> String {
    if is_numeric {
        return format!("{bits:.0}bps");
    }
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.into_iter().find(|(unit, _)| bits >= *unit) {
        Some((unit, letter)) => format!("{}{letter}bps", general(bits / unit, 3)),
        None => format!("{}bps", general(bits, 6)),
    }
}

/// Converts a 64-bit number with a single rounding.
pub(super) fn float(value: u64) -> f64 {
    let halves = [value >> 32, value & 0xffff_ffff].map(u32::try_from);
    let [high, low] = halves.map(|half| f64::from(half.unwrap_or_default()));
    high * 4_294_967_296.0 + low
}

/// `%.*g`: this many significant digits, without trailing zeros.
fn general(value: f64, digits: usize) -> String {
    let text = format!("{value:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let shortened = |text: &str| {
        let end = if text.contains('.') { '0' } else { ' ' };
        text.trim_end_matches(end).trim_end_matches('.').to_owned()
    };
    let exponent: isize = exponent.parse().unwrap_or_default();
    let decimals = isize::try_from(digits).unwrap_or_default() - 1 - exponent;
    match usize::try_from(decimals) {
        Ok(decimals) if exponent >= -4 => shortened(&format!("{value:.decimals$}")),
        _ => {
            let (sign, digits) = (
                if exponent < 0 { '-' } else { '+' },
                exponent.unsigned_abs(),
            );
            format!("{}e{sign}{digits:02}", shortened(mantissa))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{fill, float, general, rate};

    #[test]
    fn numbers_are_those_of_printf() {
        for (value, digits, text) in [
            (0.0, 6, "0"),
            (0.034, 6, "0.034"),
            (204.0, 6, "204"),
            (1_234.567, 6, "1234.57"),
            (999_999.5, 6, "1e+06"),
            (123_456.5, 6, "123456"),
            (0.000_01, 6, "1e-05"),
            (0.000_1, 6, "0.0001"),
            (999.6, 3, "1e+03"),
            (15.259, 3, "15.3"),
        ] {
            assert_eq!(general(value, digits), text);
        }
        assert_eq!(rate(false, 15_259_000.0), "15.3Mbps");
        assert_eq!(rate(false, 999.0), "999bps");
        assert_eq!(rate(true, 15_259_000.4), "15259000bps");
        for value in [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 53) - 1] {
            assert_eq!(format!("{:.0}", float(value)), value.to_string());
        }
    }

    #[test]
    fn numbers_stand_where_their_names_stood() {
        let mut out = Vec::new();
        let value = |name: &str| if name == "a" { 0xff } else { 1_500 };
        fill(
            &mut out,
            "x:{a}/{a#} {b%}ms {b~} {b/}, {a^}.",
            false,
            &value,
        );
        let text = "x:255/ff 1.5ms 1 12kbps, 0.996094.";
        assert_eq!(String::from_utf8_lossy(&out), text);
    }
}
