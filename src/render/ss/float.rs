//! Floating-point numbers as C writes them.

/// A number of 64 bits, rounded once.
pub(super) fn float(value: u64) -> f64 {
    let halves = [value >> 32, value & 0xffff_ffff].map(u32::try_from);
    let [high, low] = halves.map(|half| f64::from(half.unwrap_or_default()));
    high * 4_294_967_296.0 + low
}

/// `%.*g`: so many significant digits, and no zeros behind the last one.
pub(super) fn general(value: f64, digits: usize) -> String {
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
            let sign = if exponent < 0 { '-' } else { '+' };
            format!(
                "{}e{sign}{:02}",
                shortened(mantissa),
                exponent.unsigned_abs()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{float, general};

    #[test]
    fn numbers_are_those_of_printf() {
        for (value, digits, text) in [
            (0.0, 6, "0"),
            (0.034, 6, "0.034"),
            (204.0, 6, "204"),
            (1_234.567, 6, "1234.57"),
            (999_999.5, 6, "1e+06"),
            (1_000_000.0, 6, "1e+06"),
            (123_456.5, 6, "123456"),
            (0.000_01, 6, "1e-05"),
            (0.000_1, 6, "0.0001"),
            (999.6, 3, "1e+03"),
            (15.259, 3, "15.3"),
            (2.0, 3, "2"),
        ] {
            assert_eq!(general(value, digits), text);
        }
    }

    #[test]
    fn all_numbers_of_32_bits_are_exact() {
        for value in [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 53) - 1] {
            assert_eq!(format!("{:.0}", float(value)), value.to_string());
        }
    }
}
